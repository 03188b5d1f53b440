//! Resume: whether the chunk that a former owner had begun may be sent again.
//!
//! Its token makes that harmless as long as the table remembers it. A message
//! that lay in the dead letters for days may come after that: then the table is
//! asked for the chunk's rows before anything is sent.

use std::collections::BTreeMap;

use ledger::Claim;
use model::Counts;
use warehouse::WarehouseError;

use crate::destination::Destination;
use crate::object::Loading;
use crate::{Ingest, IngestError};

/// Rows of a pending chunk on clusters that have forgotten its token.
pub(crate) type Found = BTreeMap<String, u64>;

impl Ingest {
    /// Looks for the rows of the pending chunk where it may be and where its
    /// token is not surely remembered.
    pub(crate) async fn find_pending(
        &self,
        loading: &Loading,
        claim: &Claim,
        destination: &Destination,
        targets: &[String],
    ) -> Result<Found, IngestError> {
        let mut found = Found::new();
        let Some(pending) = &claim.pending else { return Ok(found) };
        if !loading.source.document.table.provenance {
            return Ok(found);
        }
        let failed = |cause: WarehouseError| IngestError::Write {
            object: loading.object.id.to_string(),
            cause: Box::new(cause),
        };
        let table = &destination.table;
        for cluster in targets.iter().filter(|cluster| pending.clusters.contains(cluster)) {
            let remembers = self.warehouse.remembers(cluster, table, pending.loaded_at_ms).await;
            if remembers.map_err(failed)? {
                continue;
            }
            let rows = pending.bounds.start..pending.bounds.end;
            let landed = self.warehouse.landed(cluster, table, &loading.object.id, &rows).await;
            let landed = landed.map_err(failed)?;
            if landed > 0 {
                tracing::warn!(object = %loading.object.id, cluster, rows = landed,
                    "rows of an earlier try were found, and their token is forgotten: they are not sent again");
                found.insert(cluster.clone(), landed);
            }
        }
        Ok(found)
    }
}

/// Refuses to count a chunk as landed of which only a part is there.
pub(crate) fn check_found(
    object: &model::ObjectId,
    table: &str,
    rows: std::ops::Range<u64>,
    counts: &Counts,
    found: &Found,
) -> Result<(), IngestError> {
    match found.iter().find(|(_, landed)| **landed != counts.rows_inserted) {
        None => Ok(()),
        Some((cluster, landed)) => Err(IngestError::WrongCount {
            object: object.to_string(),
            cluster: cluster.clone(),
            table: table.to_owned(),
            there: *landed,
            expected: counts.rows_inserted,
            start: rows.start,
            end: rows.end,
        }),
    }
}
