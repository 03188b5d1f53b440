//! Which files a cluster has: the table `motherlode.migrations`.

use std::collections::BTreeMap;

use warehouse::{ServerKind, Warehouse, WarehouseError};

use super::engine::Engine;
use super::files::Migration;

/// A file as it was applied last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Hash of its text.
    pub checksum: String,
    /// When, UTC.
    pub at: String,
    /// Who.
    pub by: String,
}

/// What a cluster has, by name; nothing where there is no table yet.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn history(
    warehouse: &dyn Warehouse,
    cluster: &str,
) -> Result<BTreeMap<String, Applied>, WarehouseError> {
    let sql = "SELECT name, argMax(checksum, applied_at) AS checksum, argMax(applied_by, applied_at) AS by, \
               toString(max(applied_at)) AS at FROM motherlode.migrations GROUP BY name";
    let rows = match warehouse.query(cluster, sql, &[]).await {
        Err(WarehouseError::Server {
            kind: ServerKind::UnknownTable | ServerKind::UnknownDatabase,
            ..
        }) => return Ok(BTreeMap::new()),
        rows => rows?,
    };
    let text = |row: &warehouse::JsonRow, name: &str| {
        row.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let one = |row: &warehouse::JsonRow| {
        let applied =
            Applied { checksum: text(row, "checksum"), at: text(row, "at"), by: text(row, "by") };
        (text(row, "name"), applied)
    };
    Ok(rows.iter().map(one).collect())
}

/// Notes that a file was applied.
///
/// # Errors
/// When the cluster does not take it.
pub async fn note(
    warehouse: &dyn Warehouse,
    cluster: &str,
    file: &Migration,
    engine: Engine,
    by: &str,
) -> Result<(), WarehouseError> {
    let sql = "INSERT INTO motherlode.migrations SELECT {name:String}, {checksum:String}, {engine:String}, {by:String}, \
               now64(3, 'UTC')";
    let parameters = [
        ("name", file.name.to_owned()),
        ("checksum", file.checksum()),
        ("engine", engine.name().to_owned()),
        ("by", by.to_owned()),
    ];
    warehouse.query(cluster, sql, &parameters).await.map(|_| ())
}
