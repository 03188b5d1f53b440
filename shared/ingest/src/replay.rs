//! Replay of quarantined rows, after their document was corrected.
//!
//! The rows are read again from their object, by their numbers, and written to
//! each cluster that holds them in its quarantine and not in the table: the
//! table itself says what has been replayed, so that a second replay changes
//! nothing and a killed one goes on where it stood.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, UInt64Type};
use arrow::error::ArrowError;
use catalog::Registered;
use ledger::{DebtClaim, Extent};
use model::{ObjectId, Token};
use runtime::Deadline;
use serde::Serialize;
use warehouse::{WarehouseError, quarantine};

use crate::destination::{Destination, table_name};
use crate::object::Loading;
use crate::reader::{ReadPlan, Reader};
use crate::{Ingest, IngestError};

/// Rows of one INSERT of a replay: as many as the quarantine is asked for at a
/// time.
const ROWS_AT_ONCE: usize = 10_000;
/// Objects that the quarantine is asked for at a time.
const OBJECTS_AT_ONCE: usize = 5_000;
/// Bad rows that are described.
const EXAMPLES: usize = 5;

/// What replaying the quarantined rows of one object on one cluster came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// The object, as `s3://bucket/key@etag`, or the partition, as `kafka://topic/partition`.
    pub object: String,
    /// The cluster.
    pub cluster: String,
    /// Rows of it in the quarantine.
    pub quarantined: u64,
    /// Those of them that are in the table already.
    pub there: u64,
    /// Those whose chunk is not on the cluster yet: they come with it.
    pub waiting: u64,
    /// Those that were written now.
    pub written: u64,
    /// Those that the document's steps filter out.
    pub filtered: u64,
    /// Those that are bad still.
    pub bad: u64,
    /// The first of them, in words.
    pub examples: Vec<String>,
}

impl Ingest {
    /// The objects of a source that a cluster has quarantined rows of; of a stream, its
    /// partitions (topic and partition in the places of bucket and key).
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    pub async fn quarantined_objects(
        &self,
        source: &str,
        cluster: &str,
    ) -> Result<Vec<ObjectId>, IngestError> {
        let text = |row: &warehouse::JsonRow, name: &str| {
            row.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        let object = |row: &warehouse::JsonRow| ObjectId {
            bucket: text(row, "bucket"),
            key: text(row, "key"),
            etag: text(row, "etag"),
        };
        let (mut objects, mut after) = (Vec::new(), String::new());
        loop {
            let params = [
                ("source", source.to_owned()),
                ("after", after),
                ("limit", OBJECTS_AT_ONCE.to_string()),
            ];
            let rows = match self.warehouse.query(cluster, quarantine::OBJECTS, &params).await {
                // The table is made with the first row.
                Err(WarehouseError::Server { kind, .. }) if kind.is_unknown_table() => Vec::new(),
                rows => rows.map_err(|cause| IngestError::Write {
                    object: format!("the quarantine of source {source}"),
                    cause: Box::new(cause),
                })?,
            };
            objects.extend(rows.iter().map(object));
            match rows.last() {
                Some(last) if rows.len() == OBJECTS_AT_ONCE => after = text(last, "object"),
                _ => return Ok(objects),
            }
        }
    }

    /// Replays the quarantined rows of an object on a cluster. None when the
    /// object is being loaded, reconciled or replayed by somebody else.
    ///
    /// # Errors
    /// [`IngestError`]; what was written before stays, and the next replay finds
    /// it.
    pub async fn replay(
        &self,
        source: &Arc<Registered>,
        object: &ObjectId,
        cluster: &str,
        deadline: Deadline,
    ) -> Result<Option<Replayed>, IngestError> {
        let name = &source.document.source;
        let payer = format!("{}/{}", self.settings.worker, uuid::Uuid::new_v4());
        let claimed = self.ledger.claim_debts(name, object, &payer, self.settings.lease).await;
        let ledger_error =
            |cause| IngestError::Ledger { object: object.to_string(), cause: Box::new(cause) };
        let Some(mut claim) = claimed.map_err(ledger_error)? else { return Ok(None) };
        let named = source.document.write.clusters.clone();
        let before = claim.clone();
        let replaying = self.replay_claimed(source, &before, cluster, deadline);
        let replayed = self.renewing(&mut claim, &named, replaying).await;
        let released = self.ledger.release_debts(claim).await;
        let replayed = replayed?;
        released.map_err(ledger_error)?;
        Ok(Some(replayed))
    }

    async fn replay_claimed(
        &self,
        source: &Arc<Registered>,
        claim: &DebtClaim,
        cluster: &str,
        deadline: Deadline,
    ) -> Result<Replayed, IngestError> {
        let record = &claim.record;
        self.check_replay(source, record).await?;
        let object = self.still_there(record, cluster).await?;
        let mut loading = Loading::replaying(object, source.clone(), deadline);
        loading.target = cluster.to_owned();
        let destination = self.destination(&loading, cluster).await?;
        let id = &record.object;
        let failed = |cause| IngestError::Write { object: id.to_string(), cause: Box::new(cause) };
        let mut replayed =
            Replayed { object: id.to_string(), cluster: cluster.to_owned(), ..Replayed::default() };
        let mut from = 0;
        loop {
            let rows = self
                .quarantined_rows(&source.document.source, &replayed.object, cluster, from)
                .await?;
            let Some(last) = rows.last().copied() else { break };
            replayed.quarantined += rows.len() as u64;
            // A chunk that failed, or went elsewhere, has left its bad rows here; it is
            // read again as a whole.
            let is_on = |row: &u64| {
                let of =
                    |extent: &Extent| extent.rows().contains(row) && extent.on.contains(cluster);
                record.extents.iter().any(of)
            };
            let (rows, waiting): (Vec<u64>, Vec<u64>) = rows.into_iter().partition(is_on);
            replayed.waiting += waiting.len() as u64;
            let there = self
                .warehouse
                .landed_rows(cluster, &destination.table, id, &rows)
                .await
                .map_err(failed)?;
            replayed.there += there.len() as u64;
            let wanted: BTreeSet<u64> =
                rows.into_iter().filter(|row| !there.contains(row)).collect();
            if !wanted.is_empty() {
                self.replay_rows(&loading, &destination, &wanted, &mut replayed).await?;
            }
            from = last + 1;
        }
        Ok(replayed)
    }

    /// Refuses a document by which the numbers of the rows would mean others, or
    /// without provenance, by which nobody could tell what was replayed.
    async fn check_replay(
        &self,
        source: &Registered,
        record: &ledger::Record,
    ) -> Result<(), IngestError> {
        let refused = |field| IngestError::Discontinued {
            object: record.object.to_string(),
            rows: record.next_row,
            before: record.config_version,
            now: source.config_version,
            table: table_name(&source.document),
            field,
        };
        if !source.document.table.provenance {
            return Err(refused("table.provenance"));
        }
        let before = self.catalog.get(&record.source, Some(record.config_version)).await;
        let before = before.map_err(|cause| IngestError::Source {
            bucket: record.object.bucket.clone(),
            key: record.object.key.clone(),
            cause: Box::new(cause),
        })?;
        match source.document.breaks_continuation_of(&before.document) {
            // The steps may well be what was corrected.
            None | Some("transform" | "select") => Ok(()),
            Some(field) => Err(refused(field)),
        }
    }

    /// Numbers of an object's rows, or offsets of a partition's records, in the
    /// quarantine, in order, from one on.
    pub(crate) async fn quarantined_rows(
        &self,
        source: &str,
        object: &str,
        cluster: &str,
        from: u64,
    ) -> Result<Vec<u64>, IngestError> {
        let params = [
            ("source", source.to_owned()),
            ("object", object.to_owned()),
            ("from", from.to_string()),
            ("limit", ROWS_AT_ONCE.to_string()),
        ];
        let rows = self.warehouse.query(cluster, quarantine::ROWS, &params).await;
        let rows = rows.map_err(|cause| IngestError::Write {
            object: object.to_owned(),
            cause: Box::new(cause),
        })?;
        Ok(rows.iter().filter_map(|row| row.get("row")?.as_u64()).collect())
    }

    /// Reads these rows of the object and writes them by one INSERT.
    async fn replay_rows(
        &self,
        loading: &Loading,
        destination: &Destination,
        wanted: &BTreeSet<u64>,
        replayed: &mut Replayed,
    ) -> Result<(), IngestError> {
        let id = &loading.object.id;
        let failed = |cause: WarehouseError| IngestError::Write {
            object: id.to_string(),
            cause: Box::new(cause),
        };
        let (Some(first), Some(last)) = (wanted.first().copied(), wanted.last().copied()) else {
            return Ok(());
        };
        let version = loading.source.config_version;
        let plan = ReadPlan {
            document: destination.document.clone(),
            extras: destination.added.len(),
            ..self.read_plan_at(loading, version, first, self.clock.now_ms())
        };
        let mut reader = Reader::start(plan)?;
        let numbers: Vec<u64> = wanted.iter().copied().collect();
        let token = Token::of_replay(&loading.source.document.source, id, version, &numbers);
        let mut insert = None;
        let (mut written, mut bad) = (BTreeSet::new(), 0);
        while let Some(ready) = reader.next().await? {
            if ready.rows.start > last {
                break;
            }
            for row in ready.rejected.iter().filter(|row| wanted.contains(&row.row)) {
                bad += 1;
                if replayed.examples.len() < EXAMPLES {
                    let what = format!("row {}, column {}: {}", row.row, row.column, row.reason);
                    replayed.examples.push(what);
                }
            }
            let batch = chosen(&ready.batch, wanted, &mut written).map_err(|source| {
                failed(WarehouseError::Encode {
                    table: table_name(&loading.source.document),
                    source: source.into(),
                })
            })?;
            if batch.num_rows() > 0 {
                let open = match &mut insert {
                    Some(open) => open,
                    none => {
                        let spec = destination.table.insert(token.clone());
                        none.insert(
                            self.warehouse.insert(&loading.target, spec).await.map_err(failed)?,
                        )
                    }
                };
                open.write(&batch).await.map_err(failed)?;
            }
        }
        if let Some(insert) = insert {
            insert.finish().await.map_err(failed)?;
        }
        replayed.written += written.len() as u64;
        replayed.bad += bad;
        replayed.filtered += wanted.len() as u64 - written.len() as u64 - bad;
        Ok(())
    }
}

/// The rows of a batch that come from the wanted source rows, which are noted.
fn chosen(
    batch: &RecordBatch,
    wanted: &BTreeSet<u64>,
    written: &mut BTreeSet<u64>,
) -> Result<RecordBatch, ArrowError> {
    let rows = cast(batch.column(batch.schema().index_of("_row")?), &DataType::UInt64)?;
    let rows = rows.as_primitive::<UInt64Type>();
    let keep: BooleanArray = rows.values().iter().map(|row| Some(wanted.contains(row))).collect();
    written.extend(rows.values().iter().filter(|row| wanted.contains(row)));
    filter_record_batch(batch, &keep)
}
