//! Where a document's rows go: table and cluster.

use ledger::Claim;
use model::document::SourceDocument;
use warehouse::TableSpec;

/// The destination table as the warehouse prepares it and inserts into it.
pub(crate) fn table_spec(document: &SourceDocument) -> TableSpec {
    let provenance =
        if document.table.provenance { transform::provenance_columns() } else { Vec::new() };
    TableSpec::of(document, provenance)
}

/// `database.table`.
pub(crate) fn table_name(document: &SourceDocument) -> String {
    format!("{}.{}", document.table.database, document.table.name)
}

/// The cluster that is written to: a pending chunk stays on the one it was
/// first sent to.
pub(crate) fn cluster_of(document: &SourceDocument, claim: &Claim) -> String {
    match &claim.pending {
        Some(pending) => pending.cluster.clone(),
        None => document.write.clusters.first().cloned().unwrap_or_default(),
    }
}
