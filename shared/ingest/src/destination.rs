//! Where a document's rows go: table and cluster.

use std::sync::Arc;

use ledger::Claim;
use model::ColumnType;
use model::document::{BadValue, Column, From, FromSpec, SourceDocument};
use warehouse::{ExtraColumn, TableSpec};

/// What is loaded into which table: the document, with the columns that drift
/// added behind its own.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) document: Arc<SourceDocument>,
    pub(crate) table: TableSpec,
    /// The last of the document's columns: those that drift added.
    pub(crate) added: Vec<ExtraColumn>,
}

impl Destination {
    pub(crate) fn of(document: &SourceDocument, extras: &[ExtraColumn]) -> Self {
        let mut document = document.clone();
        document.columns.extend(extras.iter().map(column));
        let table = TableSpec::of(&document, transform::added_columns(&document)).passing(extras);
        Self { document: Arc::new(document), table, added: extras.to_vec() }
    }
}

/// The column as the document would name it.
fn column(extra: &ExtraColumn) -> Column {
    let default = match extra.column.column_type {
        ColumnType::Array(_) => Some("[]".into()),
        ColumnType::Map(..) => Some("{}".into()),
        _ => None,
    };
    Column {
        name: extra.column.name.clone(),
        column_type: extra.column.column_type.to_string(),
        from: Some(From::Spec(FromSpec::Column(extra.field.clone()))),
        required: false,
        default,
        timestamp: None,
        on_error: BadValue::Quarantine,
    }
}

/// `database.table`.
pub(crate) fn table_name(document: &SourceDocument) -> String {
    format!("{}.{}", document.table.database, document.table.name)
}

/// The clusters that took the newest chunk, for people; the first that would
/// be asked when there is none.
pub(crate) fn clusters_of(document: &SourceDocument, claim: &Claim) -> String {
    match claim.extents.last() {
        Some(extent) => extent.on.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        None => document.write.clusters.first().cloned().unwrap_or_default(),
    }
}
