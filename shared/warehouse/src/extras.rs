//! Columns of a table that its source document does not name: found, and added
//! for objects that bring them (`drift.unknown: add`).
//!
//! The table is the register: whoever adds a column, all functions find it.
//! Where the column could not keep the name of its field, its comment tells it.

use model::ColumnType;
use model::document::OutputColumn;

use crate::error::WarehouseError;
use crate::node::Node;
use crate::port::{ExtraColumn, TableSpec};
use crate::prepare::{inserted, text};
use crate::schema::qualified;
use crate::sql::{Ident, Literal};

/// What a comment begins with that tells a field.
const FIELD: &str = "loads the field ";

/// Columns that an INSERT may bring, in the order in which they were added.
const COLUMNS: &str = "
SELECT name, type, comment
FROM system.columns
WHERE database = {database:String} AND table = {table:String} AND default_kind IN ('', 'DEFAULT')
ORDER BY position";

/// See [`crate::Warehouse::extras`].
pub(crate) async fn extras(
    node: &Node,
    table: &TableSpec,
    wanted: &[ExtraColumn],
) -> Result<Vec<ExtraColumn>, WarehouseError> {
    let brought: Vec<_> =
        inserted(node, table).await?.into_iter().map(|column| column.name).collect();
    let mut there = look(node, table, &brought).await?;
    let missing: Vec<_> =
        wanted.iter().filter(|one| there.iter().all(|there| there.field != one.field)).collect();
    for one in &missing {
        if brought.contains(&one.column.name) {
            let problem = format!(
                "the object has a column `{}`, and the source document writes another one under this name; \
                 name it in `columns` under a name of its own",
                one.field
            );
            return Err(misplaced(node, table, problem));
        }
        let what = format!("adding column {} to {}", one.column.name, qualified(table));
        node.run(&what, &add(table, one), &[], "Null", 1024).await?;
        tracing::info!(
            table = %qualified(table),
            column = one.column.name,
            column_type = %one.column.column_type,
            "column added"
        );
    }
    if !missing.is_empty() {
        there = look(node, table, &brought).await?;
    }
    match missing.iter().find(|one| there.iter().all(|there| there.field != one.field)) {
        None => Ok(there),
        Some(one) => {
            let problem = format!(
                "it has a column `{}` that cannot take the object's `{}`: it takes no NULL, or another field; \
                 name the field in `columns` under a name of its own",
                one.column.name, one.field
            );
            Err(misplaced(node, table, problem))
        }
    }
}

fn add(table: &TableSpec, one: &ExtraColumn) -> String {
    let comment = if one.field == one.column.name {
        "added by drift".to_owned()
    } else {
        format!("{FIELD}{}", one.field)
    };
    format!(
        "ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {} COMMENT {}",
        qualified(table),
        Ident(&one.column.name),
        one.column.column_type,
        Literal(&comment)
    )
}

/// The columns that are not in `brought`, as far as they can stay without a value.
async fn look(
    node: &Node,
    table: &TableSpec,
    brought: &[String],
) -> Result<Vec<ExtraColumn>, WarehouseError> {
    let what = format!("looking at the columns of {}", qualified(table));
    let params = [("database", table.database.clone()), ("table", table.name.clone())];
    let mut extras = Vec::new();
    for row in node.rows(&what, COLUMNS, &params).await? {
        let name = text(node, &what, &row, "name")?;
        let comment = text(node, &what, &row, "comment")?;
        let Ok(column_type) = ColumnType::parse(&text(node, &what, &row, "type")?) else {
            continue;
        };
        let stays_empty = column_type.is_nullable()
            || matches!(column_type, ColumnType::Array(_) | ColumnType::Map(..));
        if stays_empty && !brought.contains(&name) {
            let field = comment.strip_prefix(FIELD).unwrap_or(&name).to_owned();
            extras.push(ExtraColumn { field, column: OutputColumn { name, column_type } });
        }
    }
    Ok(extras)
}

fn misplaced(node: &Node, table: &TableSpec, problem: String) -> WarehouseError {
    let (cluster, table) = (node.attempt("").cluster, qualified(table).to_string());
    WarehouseError::Table { cluster, table, problem }
}
