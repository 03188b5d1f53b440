//! Makes sure that a table is there and takes what will be inserted.

use model::document::{Create, OutputColumn};

use crate::cluster::Prepared;
use crate::error::WarehouseError;
use crate::node::Node;
use crate::port::{InsertSpec, JsonRow, Select, TableSpec};
use crate::schema::{self, Existing, ServerColumn, qualified};
use crate::sql::Qualified;

/// Replicated tables have a window of their own name, 10,000 unless said
/// otherwise; for the others it is 0, that is off, unless said otherwise.
const EXISTING: &str = r"
SELECT
    engine,
    match(engine, '^(Replicated|Shared)') AS replicated,
    if(replicated,
       extract(engine_full, '(?:SETTINGS|,) replicated_deduplication_window = (\\d+)'),
       extract(engine_full, '(?:SETTINGS|,) non_replicated_deduplication_window = (\\d+)')) AS of_table,
    if(replicated,
       (SELECT any(value) FROM system.merge_tree_settings WHERE name = 'replicated_deduplication_window'),
       (SELECT any(value) FROM system.merge_tree_settings WHERE name = 'non_replicated_deduplication_window')
      ) AS of_server
FROM system.tables
WHERE database = {database:String} AND name = {table:String}";

const COLUMNS: &str = "
SELECT name, type
FROM system.columns
WHERE database = {database:String} AND table = {table:String}
ORDER BY position";

/// Creates the table when the document says so, and checks it.
pub(crate) async fn prepare(node: &Node, table: &TableSpec) -> Result<Prepared, WarehouseError> {
    let inserted = inserted(node, table).await?;
    let existing = match existing(node, table).await? {
        Some(existing) => existing,
        None if table.create == Create::Never => return Err(missing(node, table)),
        None => {
            let what = format!("create {}", qualified(table));
            for sql in [schema::create_database(table), schema::create_table(table, &inserted)?] {
                node.run(&what, &sql, &[], "Null", 1024).await?;
            }
            tracing::info!(table = %qualified(table), "table created");
            // Somebody else may have created it otherwise in between.
            existing(node, table).await?.ok_or_else(|| missing(node, table))?
        }
    };
    if let Some(problem) = schema::misfit(table, &inserted, &existing) {
        let (cluster, table) = (node.attempt("").cluster, qualified(table).to_string());
        return Err(WarehouseError::Table { cluster, table, problem });
    }
    if existing.window.is_none() {
        tracing::warn!(table = %qualified(table), engine = existing.engine, "this engine remembers no tokens");
    }
    let columns = inserted.into_iter().map(|column| column.name).collect();
    Ok(Prepared { spec: table.clone(), columns })
}

/// The columns that an INSERT brings: those of the stream, or what the SQL over
/// it gives.
pub(crate) async fn inserted(
    node: &Node,
    table: &TableSpec,
) -> Result<Vec<ServerColumn>, WarehouseError> {
    match &table.select {
        None => Ok(schema::server_columns(&table.columns)),
        Some(select) => {
            check_row_by_row(node, &table.columns, select, &qualified(table)).await?;
            describe(node, &table.columns, select, &qualified(table)).await
        }
    }
}

/// The columns that an INSERT with SQL names, for a table that was not prepared.
pub(crate) async fn selected_names(
    node: &Node,
    insert: &InsertSpec,
    select: &Select,
) -> Result<Vec<String>, WarehouseError> {
    let table = Qualified { database: &insert.database, name: &insert.table };
    let columns = describe(node, &insert.columns, select, &table).await?;
    Ok(columns.into_iter().map(|column| column.name).collect())
}

async fn describe(
    node: &Node,
    columns: &[OutputColumn],
    select: &Select,
    table: &Qualified<'_>,
) -> Result<Vec<ServerColumn>, WarehouseError> {
    let sql = schema::describe_select(columns, select)?;
    let what = format!("describing the select of {table}");
    let rows = node.rows(&what, &sql, &[]).await?;
    rows.iter().map(|row| column(node, &what, row)).collect()
}

/// Refuses SQL that does not give exactly one row for each row of the stream.
async fn check_row_by_row(
    node: &Node,
    columns: &[OutputColumn],
    select: &Select,
    table: &Qualified<'_>,
) -> Result<(), WarehouseError> {
    let sql = schema::explain_select(columns, select)?;
    let what = format!("explaining the select of {table}");
    let rows = node.rows(&what, &sql, &[]).await?;
    let plan: String =
        rows.iter().map(|row| text(node, &what, row, "explain")).collect::<Result<_, _>>()?;
    let plan = serde_json::from_str(&plan).map_err(|error| WarehouseError::Answer {
        attempt: node.attempt(&what),
        reason: format!("the plan is no JSON: {error}"),
    })?;
    match schema::not_row_by_row(&plan) {
        None => Ok(()),
        Some(step) => Err(WarehouseError::Fragment {
            field: "select",
            problem: format!(
                "it must give one row for each row, from that row alone, and it needs the step `{step}`; \
                 filter and explode in `transform`, aggregate in a materialized view"
            ),
        }),
    }
}

pub(crate) async fn existing(
    node: &Node,
    table: &TableSpec,
) -> Result<Option<Existing>, WarehouseError> {
    let what = format!("looking at {}", qualified(table));
    let params = [("database", table.database.clone()), ("table", table.name.clone())];
    let tables = node.rows(&what, EXISTING, &params).await?;
    let Some(found) = tables.first() else { return Ok(None) };
    let rows = node.rows(&what, COLUMNS, &params).await?;
    let columns = rows.iter().map(|row| column(node, &what, row)).collect::<Result<_, _>>()?;
    let engine = text(node, &what, found, "engine")?;
    let window = if engine.ends_with("MergeTree") {
        let own = text(node, &what, found, "of_table")?;
        let number = if own.is_empty() { text(node, &what, found, "of_server")? } else { own };
        number.parse().ok()
    } else {
        None
    };
    Ok(Some(Existing { engine, columns, window }))
}

pub(crate) fn missing(node: &Node, table: &TableSpec) -> WarehouseError {
    WarehouseError::Table {
        cluster: node.attempt("").cluster,
        table: qualified(table).to_string(),
        problem: "it is missing; create it, or set table.create: auto in the source document"
            .to_owned(),
    }
}

pub(crate) fn column(
    node: &Node,
    what: &str,
    row: &JsonRow,
) -> Result<ServerColumn, WarehouseError> {
    Ok(ServerColumn {
        name: text(node, what, row, "name")?,
        column_type: text(node, what, row, "type")?,
    })
}

pub(crate) fn text(
    node: &Node,
    what: &str,
    row: &JsonRow,
    name: &str,
) -> Result<String, WarehouseError> {
    row.get(name).and_then(|value| value.as_str()).map(str::to_owned).ok_or_else(|| {
        WarehouseError::Answer {
            attempt: node.attempt(what),
            reason: format!("there is no text `{name}` in it"),
        }
    })
}
