//! Bad rows into the quarantine of a cluster.

use model::{RejectedRow, Token};
use warehouse::quarantine::{Quarantined, TABLE, batches, table};
use warehouse::{Warehouse, WarehouseError};

/// Writes bad rows with one INSERT. Whoever repeats it gives the same rows and the
/// same token.
pub(crate) async fn put_aside(
    warehouse: &dyn Warehouse,
    cluster: &str,
    of: &Quarantined<'_>,
    token: Token,
    rows: &[RejectedRow],
) -> Result<(), WarehouseError> {
    let table = table();
    warehouse.prepare(cluster, &table).await?;
    let batches = batches(of, rows).map_err(|source| WarehouseError::Encode {
        table: TABLE.to_owned(),
        source: source.into(),
    })?;
    let mut insert = warehouse.insert(cluster, table.insert(token)).await?;
    for batch in &batches {
        insert.write(batch).await?;
    }
    insert.finish().await
}
