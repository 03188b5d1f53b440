//! Failback: what a cluster lacks of an object is read again from S3 and written
//! to it, chunk by chunk, with the tokens and the `_loaded_at` of the first time.
//!
//! Safe to run twice and safe to kill: what has landed is found by a probe on
//! `_object` and `_row`, the token makes the repetition of an INSERT harmless,
//! and the ledger moves past each chunk only after it has landed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catalog::Registered;
use ledger::{DebtClaim, Extent, LedgerError, Record, paid};
use model::document::{SourceDocument, UnknownColumn};
use model::{ChunkBounds, ChunkPlan, Counts, ObjectId, Token};
use objects::ObjectInfo;
use runtime::Deadline;

use crate::chunk::{ChunkWriter, Written};
use crate::destination::{Destination, table_name};
use crate::object::Loading;
use crate::reader::{ReadPlan, Reader, ReadyBatch};
use crate::resume::Found;
use crate::{Ingest, IngestError};

/// What a cluster lacks of an object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Debt {
    /// The source.
    pub source: String,
    /// The object, or the partition, in words.
    pub object: String,
    /// The cluster that lacks rows.
    pub cluster: String,
    /// Rows that the INSERTs bring that it lacks.
    pub rows: u64,
    /// How many of them may be there: they were sent and no answer is known.
    pub ambiguous_rows: u64,
    /// The clusters that hold all of them.
    pub on: Vec<String>,
}

/// What paying came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Paid {
    /// Chunks that were written.
    pub chunks_written: u64,
    /// Rows of them.
    pub rows_written: u64,
    /// Rows that a probe found on the cluster already.
    pub rows_found: u64,
}

/// What became of an object's debts.
#[derive(Debug)]
pub enum Settlement {
    /// Nothing is owed any more.
    Even(Paid),
    /// The time was over: the rest is for the next run.
    Interrupted(Paid),
    /// It is being loaded, or paid for by somebody else.
    Busy,
}

impl std::ops::AddAssign for Paid {
    fn add_assign(&mut self, other: Self) {
        self.chunks_written += other.chunks_written;
        self.rows_written += other.rows_written;
        self.rows_found += other.rows_found;
    }
}

/// What a record owes the clusters that its source names.
#[must_use]
pub fn debts_of(record: &Record, named: &[String]) -> Vec<Debt> {
    let owed = |cluster: &String| {
        let owed: Vec<&Extent> =
            record.extents.iter().filter(|extent| extent.is_owed_to(cluster)).collect();
        let first = owed.first()?;
        let on = first.on.iter().filter(|on| owed.iter().all(|extent| extent.on.contains(*on)));
        Some(Debt {
            source: record.source.clone(),
            object: record.object.to_string(),
            cluster: cluster.clone(),
            rows: owed.iter().map(|extent| extent.inserted).sum(),
            ambiguous_rows: owed
                .iter()
                .filter(|extent| extent.maybe.contains(cluster))
                .map(|extent| extent.inserted)
                .sum(),
            on: on.cloned().collect(),
        })
    };
    named.iter().filter_map(owed).collect()
}

/// One payment that is under way.
struct Payment<'a> {
    claim: DebtClaim,
    named: &'a [String],
    cluster: String,
    deadline: Deadline,
    paid: Paid,
}

/// What the chunks of an extent are written with.
struct Replay<'a> {
    loading: &'a Loading,
    destination: &'a Destination,
    extent: &'a Extent,
    /// When the object was begun once more.
    again_ms: i64,
}

impl Ingest {
    /// Pays what an object owes to the clusters that its source names now.
    /// `watch` is told of each step.
    ///
    /// # Errors
    /// [`IngestError`]; what was paid before stays paid.
    pub async fn pay(
        &self,
        source: &Registered,
        object: &ObjectId,
        deadline: Deadline,
        watch: &(dyn Fn(&str, Paid) + Sync),
    ) -> Result<Settlement, IngestError> {
        let name = &source.document.source;
        let payer = format!("{}/{}", self.settings.worker, uuid::Uuid::new_v4());
        let claimed = self.ledger.claim_debts(name, object, &payer, self.settings.lease).await;
        let Some(claim) = claimed.map_err(|cause| ledger_error(object, cause))? else {
            return Ok(Settlement::Busy);
        };
        let mut payment = Payment {
            claim,
            named: &source.document.write.clusters,
            cluster: String::new(),
            deadline,
            paid: Paid::default(),
        };
        let settled = self.pay_all(&mut payment, watch).await;
        let lost = matches!(&settled, Err(IngestError::Ledger { cause, .. })
            if matches!(**cause, LedgerError::LostDebts { .. }));
        let released = self.ledger.release_debts(payment.claim).await;
        match settled {
            Err(_) if lost => Ok(Settlement::Busy),
            Err(error) => Err(error),
            Ok(is_even) => {
                released.map_err(|cause| ledger_error(object, cause))?;
                Ok(match is_even {
                    true => Settlement::Even(payment.paid),
                    false => Settlement::Interrupted(payment.paid),
                })
            }
        }
    }

    /// True when nothing is owed any more.
    async fn pay_all(
        &self,
        payment: &mut Payment<'_>,
        watch: &(dyn Fn(&str, Paid) + Sync),
    ) -> Result<bool, IngestError> {
        let mut failed = None;
        for cluster in payment.named {
            payment.cluster.clone_from(cluster);
            while let Some(extent) = owed(&payment.claim.record, cluster) {
                match self.pay_extent(payment, &extent, watch).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(false),
                    // The other clusters are paid all the same.
                    Err(error) if matches!(error, IngestError::Write { .. }) => {
                        failed = Some(error);
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => {
                // The document may name fewer clusters than when it was noted.
                let extents = payment.claim.record.extents.clone();
                self.note(payment, extents).await?;
                Ok(true)
            }
        }
    }

    /// Pays one extent; false when the time was over before it was whole.
    async fn pay_extent(
        &self,
        payment: &mut Payment<'_>,
        extent: &Extent,
        watch: &(dyn Fn(&str, Paid) + Sync),
    ) -> Result<bool, IngestError> {
        let (loading, destination) = self.replayed(payment, extent).await?;
        let again_ms = payment.claim.record.again_ms;
        let replay = Replay { loading: &loading, destination: &destination, extent, again_ms };
        let there = self.landed(payment, &replay, extent.start..extent.end).await?;
        // Rows whose INSERT was never answered may have reached the table and not
        // the target of its view. Their tokens put that right, as long as the
        // table remembers them.
        let is_remembered = there > 0
            && extent.maybe.contains(&payment.cluster)
            && self.remembers(payment, &replay).await?;
        let there = if is_remembered { 0 } else { there };
        if there > 0 && there == extent.inserted {
            payment.paid.rows_found += there;
            self.move_past(payment, extent.start..extent.end, there).await?;
            watch(&payment.cluster, payment.paid);
            return Ok(true);
        }
        // Where a part of the extent is there, each chunk is looked at: how many
        // rows it has to bring is found by reading it.
        let expected = match there {
            0 => BTreeMap::new(),
            _ => self.counted(&replay, payment).await?,
        };
        self.note_intention(payment, extent).await?;
        let mut reader = Reader::start(self.replay_plan(&replay, payment))?;
        let mut next = reader.next().await?;
        let mut longest = Duration::ZERO;
        while let Some(first) = next.take_if(|first| first.rows.start < extent.end) {
            if payment.deadline.is_within(longest.mul_f32(1.25)) {
                return Ok(false);
            }
            let began = Instant::now();
            let bounds = chunk_at(&loading.source.document, first.rows.start);
            let is_there = match expected.get(&bounds.start) {
                Some(rows) if *rows > 0 => {
                    let chunk = bounds.start..bounds.end;
                    let rows_there = self.landed(payment, &replay, chunk.clone()).await?;
                    // Its token may be forgotten: what is there would be there twice.
                    if (1..*rows).contains(&rows_there) {
                        return Err(wrong_count(payment, &replay, chunk, *rows, rows_there));
                    }
                    rows_there >= *rows
                }
                _ => false,
            };
            let (end, rows, following) = if is_there {
                let (counts, end, following) = skip(&mut reader, first, &bounds).await?;
                payment.paid.rows_found += counts.rows_inserted;
                (end, counts.rows_inserted, following)
            } else {
                let writing = self.rewrite(&payment.cluster, &replay, bounds, first, &mut reader);
                let written = self.renewing(&mut payment.claim, payment.named, writing).await?;
                payment.paid.chunks_written += 1;
                payment.paid.rows_written += written.counts.rows_inserted;
                (written.end, written.counts.rows_inserted, written.next)
            };
            self.move_past(payment, bounds.start..end, rows).await?;
            watch(&payment.cluster, payment.paid);
            longest = longest.max(began.elapsed());
            next = following;
        }
        self.check(payment, &replay, there).await?;
        Ok(true)
    }

    /// What is needed to make the rows of an extent again.
    async fn replayed(
        &self,
        payment: &Payment<'_>,
        extent: &Extent,
    ) -> Result<(Loading, Destination), IngestError> {
        let record = &payment.claim.record;
        let object = self.still_there(record, &payment.cluster).await?;
        let version = Some(extent.config_version);
        let source = self.catalog.get(&record.source, version).await;
        let source = source.map_err(|cause| IngestError::Source {
            bucket: record.object.bucket.clone(),
            key: record.object.key.clone(),
            cause: Box::new(cause),
        })?;
        let mut loading = Loading::replaying(object, source, payment.deadline);
        loading.target.clone_from(&payment.cluster);
        if loading.source.document.drift.unknown == UnknownColumn::Add {
            // The columns that it got where it was written.
            let base = Destination::of(&loading.source.document, &[]);
            for on in &extent.on {
                if self.warehouse.is_up(on).await
                    && let Ok(there) = self.warehouse.extras(on, &base.table, &[]).await
                {
                    loading.wanted = there;
                    break;
                }
            }
        }
        let destination = self.destination(&loading, &payment.cluster).await?;
        Ok((loading, destination))
    }

    /// The object, as long as it still is the one that was loaded.
    pub(crate) async fn still_there(
        &self,
        record: &Record,
        cluster: &str,
    ) -> Result<ObjectInfo, IngestError> {
        let id = &record.object;
        let gone = |problem: String| IngestError::Gone {
            object: id.to_string(),
            cluster: cluster.to_owned(),
            on: record
                .extents
                .iter()
                .flat_map(|extent| extent.on.iter().cloned())
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
                .join(", "),
            table: record.table.clone().unwrap_or_default(),
            problem,
        };
        match self.objects.head(&id.bucket, &id.key).await {
            Ok(object) if object.id == *id => Ok(object),
            Ok(object) => {
                Err(gone(format!("it was overwritten: its etag is {} now", object.id.etag)))
            }
            Err(objects::ObjectError::Missing { .. }) => Err(gone("it was deleted".to_owned())),
            Err(cause) => {
                Err(IngestError::Fetch { object: id.to_string(), cause: Box::new(cause) })
            }
        }
    }

    fn replay_plan(&self, replay: &Replay<'_>, payment: &Payment<'_>) -> ReadPlan {
        ReadPlan {
            document: replay.destination.document.clone(),
            extras: replay.destination.added.len(),
            ..self.read_plan_at(
                replay.loading,
                replay.extent.config_version,
                payment_row(payment, replay.extent),
                replay.extent.loaded_at_ms,
            )
        }
    }

    /// How many rows of source rows are on the cluster; 0 when that cannot be
    /// asked, because the table has no provenance: then the token alone decides.
    async fn landed(
        &self,
        payment: &Payment<'_>,
        replay: &Replay<'_>,
        rows: std::ops::Range<u64>,
    ) -> Result<u64, IngestError> {
        if !replay.loading.source.document.table.provenance {
            return Ok(0);
        }
        let id = &payment.claim.record.object;
        let table = &replay.destination.table;
        let landed = self.warehouse.landed(&payment.cluster, table, id, &rows).await;
        landed
            .map_err(|cause| IngestError::Write { object: id.to_string(), cause: Box::new(cause) })
    }

    async fn remembers(
        &self,
        payment: &Payment<'_>,
        replay: &Replay<'_>,
    ) -> Result<bool, IngestError> {
        let id = &payment.claim.record.object;
        let (table, since_ms) = (&replay.destination.table, replay.extent.loaded_at_ms);
        let remembers = self.warehouse.remembers(&payment.cluster, table, since_ms).await;
        remembers
            .map_err(|cause| IngestError::Write { object: id.to_string(), cause: Box::new(cause) })
    }

    /// Notes that the rows of an extent may be on the cluster from now on.
    async fn note_intention(
        &self,
        payment: &mut Payment<'_>,
        extent: &Extent,
    ) -> Result<(), IngestError> {
        let mut extents = payment.claim.record.extents.clone();
        for one in extents.iter_mut().filter(|one| one.start == extent.start) {
            one.maybe.insert(payment.cluster.clone());
        }
        self.note(payment, extents).await
    }

    /// How many rows each chunk of an extent brings, by its first source row.
    async fn counted(
        &self,
        replay: &Replay<'_>,
        payment: &Payment<'_>,
    ) -> Result<BTreeMap<u64, u64>, IngestError> {
        let mut counted = BTreeMap::new();
        let mut reader = Reader::start(self.replay_plan(replay, payment))?;
        let mut next = reader.next().await?;
        while let Some(first) = next.take_if(|first| first.rows.start < replay.extent.end) {
            let bounds = chunk_at(&replay.loading.source.document, first.rows.start);
            let (counts, _, following) = skip(&mut reader, first, &bounds).await?;
            counted.insert(bounds.start, counts.rows_inserted);
            next = following;
        }
        Ok(counted)
    }

    async fn rewrite(
        &self,
        cluster: &str,
        replay: &Replay<'_>,
        bounds: ChunkBounds,
        first: ReadyBatch,
        reader: &mut Reader,
    ) -> Result<Written, IngestError> {
        let Replay { loading, destination, extent, again_ms } = replay;
        let (id, version) = (&loading.object.id, extent.config_version);
        let writer = ChunkWriter {
            warehouse: &self.warehouse,
            document: &destination.document,
            table: &destination.table,
            config_version: version,
            object: id,
            clusters: &[cluster.to_owned()],
            bounds,
            token: &Token::of_chunk(&loading.source.document.source, id, version, &bounds)
                .renewed(*again_ms),
            loaded_at_ms: extent.loaded_at_ms,
            // They were judged when the chunk was first written.
            before: None,
            found: Found::new(),
            fate: &loading.fate,
            stopwatches: &loading.stopwatches,
        };
        writer.write(first, reader).await
    }

    /// Notes that a cluster has the first chunk that it was owed.
    async fn move_past(
        &self,
        payment: &mut Payment<'_>,
        rows: std::ops::Range<u64>,
        inserted: u64,
    ) -> Result<(), IngestError> {
        let extents = paid(&payment.claim.record.extents, &payment.cluster, &rows, inserted);
        self.note(payment, extents).await
    }

    async fn note(
        &self,
        payment: &mut Payment<'_>,
        extents: Vec<Extent>,
    ) -> Result<(), IngestError> {
        let noted = self.ledger.pay(&mut payment.claim, extents, payment.named).await;
        noted.map_err(|cause| ledger_error(&payment.claim.record.object, cause))
    }

    /// Does a piece of work while the right to pay is renewed.
    pub(crate) async fn renewing<T>(
        &self,
        claim: &mut DebtClaim,
        named: &[String],
        work: impl Future<Output = Result<T, IngestError>>,
    ) -> Result<T, IngestError> {
        let mut work = std::pin::pin!(work);
        let mut beat = tokio::time::interval(self.settings.lease / 3);
        beat.reset();
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = beat.tick() => {
                    let extents = claim.record.extents.clone();
                    let renewed = self.ledger.pay(claim, extents, named).await;
                    renewed.map_err(|cause| ledger_error(&claim.record.object, cause))?;
                }
            }
        }
    }

    /// Looks whether an extent of which a part had been there is there once.
    async fn check(
        &self,
        payment: &Payment<'_>,
        replay: &Replay<'_>,
        before: u64,
    ) -> Result<(), IngestError> {
        if before == 0 {
            return Ok(());
        }
        let extent = replay.extent;
        let there = self.landed(payment, replay, extent.start..extent.end).await?;
        if there <= extent.inserted {
            return Ok(());
        }
        let rows = extent.start..extent.end;
        Err(wrong_count(payment, replay, rows, extent.inserted, there))
    }
}

fn wrong_count(
    payment: &Payment<'_>,
    replay: &Replay<'_>,
    rows: std::ops::Range<u64>,
    expected: u64,
    there: u64,
) -> IngestError {
    IngestError::WrongCount {
        object: replay.loading.object.id.to_string(),
        cluster: payment.cluster.clone(),
        table: table_name(&replay.loading.source.document),
        there,
        expected,
        start: rows.start,
        end: rows.end,
    }
}

/// The first extent that a cluster is owed.
fn owed(record: &Record, cluster: &str) -> Option<Extent> {
    record.extents.iter().find(|extent| extent.is_owed_to(cluster)).cloned()
}

/// The first row of an extent that its cluster is owed still.
fn payment_row(payment: &Payment<'_>, extent: &Extent) -> u64 {
    let owed = owed(&payment.claim.record, &payment.cluster);
    owed.map_or(extent.start, |owed| owed.start.max(extent.start))
}

/// The chunk that begins at a row.
fn chunk_at(document: &SourceDocument, row: u64) -> ChunkBounds {
    let plan = ChunkPlan { rows_per_chunk: document.write.rows_per_chunk };
    ChunkBounds { start: row, ..plan.chunk_of(row) }
}

/// Reads a chunk without writing it: its counts, its end, and the batch behind.
async fn skip(
    reader: &mut Reader,
    first: ReadyBatch,
    bounds: &ChunkBounds,
) -> Result<(Counts, u64, Option<ReadyBatch>), IngestError> {
    let mut counts = Counts::default();
    let mut end = bounds.start;
    let mut next = Some(first);
    while let Some(ready) = next.take_if(|batch| batch.rows.start < bounds.end) {
        counts += ready.counts;
        end = ready.rows.end;
        next = reader.next().await?;
    }
    Ok((counts, end, next))
}

fn ledger_error(object: &ObjectId, cause: LedgerError) -> IngestError {
    IngestError::Ledger { object: object.to_string(), cause: Box::new(cause) }
}
