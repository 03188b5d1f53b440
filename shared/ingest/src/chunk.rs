//! Write: one chunk, one INSERT and one token on each cluster it goes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use futures::future::join_all;
use model::document::{Errors, SourceDocument};
use model::{ChunkBounds, Counts, ObjectId, RejectedRow, Token};
use warehouse::quarantine::Quarantined;
use warehouse::{Insert, Reaction, TableSpec, Warehouse, WarehouseError};

use crate::IngestError;
use crate::quarantine::put_aside;
use crate::reader::{Reader, ReadyBatch};
use crate::report::{Stage, Stopwatches};
use crate::resume::{Found, check_found};

/// Rows and bytes of bad rows that are held back until the chunk is judged.
const HELD_ROWS: usize = 10_000;
const HELD_BYTES: usize = 8 * 1024 * 1024;

/// A chunk that is being written.
pub(crate) struct ChunkWriter<'a> {
    pub(crate) warehouse: &'a Arc<dyn Warehouse>,
    pub(crate) document: &'a SourceDocument,
    pub(crate) table: &'a TableSpec,
    pub(crate) config_version: u64,
    pub(crate) object: &'a ObjectId,
    /// Where it goes, all at once; one must take it.
    pub(crate) clusters: &'a [String],
    pub(crate) bounds: ChunkBounds,
    pub(crate) token: &'a Token,
    pub(crate) loaded_at_ms: i64,
    /// Clusters that hold it already, with the rows that they have of it.
    pub(crate) found: Found,
    /// Counts of the chunks before this one; nothing when the bad rows have been
    /// judged before.
    pub(crate) before: Option<Counts>,
    pub(crate) fate: &'a Fate,
    pub(crate) stopwatches: &'a Stopwatches,
}

/// Bytes of a chunk from which an INSERT that was not ended may have left blocks: half
/// of what the server takes as one.
const ONE_BLOCK: u64 = 1 << 30;

/// What became of the INSERTs of a chunk, as far as their answers tell. One that was
/// not ended has left nothing, unless it is so large that it is several blocks.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// Whether more than one block was sent.
    is_large: AtomicBool,
    /// INSERTs that were ended, but for those that were refused.
    open: AtomicUsize,
    /// Whether one was refused for what it held.
    refused: AtomicBool,
}

impl Fate {
    /// A chunk begins, or is begun anew: what was refused of it stays known.
    pub(crate) fn begin(&self) {
        self.is_large.store(false, Ordering::Relaxed);
        self.open.store(0, Ordering::Relaxed);
    }

    /// The chunk is committed: nothing is known of the next.
    pub(crate) fn close(&self) {
        self.begin();
        self.refused.store(false, Ordering::Relaxed);
    }

    /// Whether an INSERT may have landed.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0 || self.is_large.load(Ordering::Relaxed)
    }

    /// Whether a server has refused the rows: it may have been a view on the table
    /// that did, after the table had taken them.
    pub(crate) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    async fn finish(&self, insert: Box<dyn Insert>) -> Result<(), WarehouseError> {
        self.open.fetch_add(1, Ordering::Relaxed);
        let finished = insert.finish().await;
        if finished.as_ref().is_err_and(|cause| cause.reaction() == Reaction::Quarantine) {
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.refused.store(true, Ordering::Relaxed);
        }
        finished
    }
}

/// A chunk that has landed.
pub(crate) struct Written {
    pub(crate) counts: Counts,
    /// First source row behind it.
    pub(crate) end: u64,
    /// The first batch of the next chunk, if there is one.
    pub(crate) next: Option<ReadyBatch>,
    /// The clusters that have said that they hold it.
    pub(crate) on: Vec<String>,
}

/// The clusters that a chunk goes to, as long as they do not fail.
struct Targets<'a> {
    all: Vec<Target<'a>>,
    object: &'a ObjectId,
}

/// One of them, with its INSERT once there are rows.
struct Target<'a> {
    cluster: &'a str,
    insert: Option<Box<dyn Insert>>,
}

impl<'a> Targets<'a> {
    /// Does something for each; those that fail are left out from then on. Fails
    /// when none is left, or when the object is at fault.
    async fn each<F>(&mut self, work: impl Fn(Target<'a>) -> F) -> Result<(), IngestError>
    where
        F: Future<Output = Result<Target<'a>, WarehouseError>>,
    {
        self.all_but(Reaction::Quarantine, work).await
    }

    /// Ends the INSERTs. What one cluster has taken by now is there: another one that
    /// refuses it is owed it, whatever its reason.
    async fn end<F>(&mut self, work: impl Fn(Target<'a>) -> F) -> Result<(), IngestError>
    where
        F: Future<Output = Result<Target<'a>, WarehouseError>>,
    {
        self.all_but(None, work).await
    }

    async fn all_but<F>(
        &mut self,
        fatal: impl Into<Option<Reaction>>,
        work: impl Fn(Target<'a>) -> F,
    ) -> Result<(), IngestError>
    where
        F: Future<Output = Result<Target<'a>, WarehouseError>>,
    {
        let fatal = fatal.into();
        let targets = std::mem::take(&mut self.all);
        let mut last = None;
        for done in join_all(targets.into_iter().map(work)).await {
            match done {
                Ok(target) => self.all.push(target),
                Err(cause) => last = Some(cause),
            }
        }
        match last {
            None => Ok(()),
            Some(cause) if !self.all.is_empty() && Some(cause.reaction()) != fatal => {
                tracing::warn!(object = %self.object, %cause, "a mirror failed: the chunk is owed to it");
                Ok(())
            }
            Some(cause) => {
                Err(IngestError::Write { object: self.object.to_string(), cause: Box::new(cause) })
            }
        }
    }
}

/// The bad rows of a chunk.
#[derive(Default)]
struct Held {
    rows: Vec<RejectedRow>,
    bytes: usize,
    parts: u32,
    first: Option<RejectedRow>,
}

impl ChunkWriter<'_> {
    /// Writes the chunk that begins with `first` and reads on to its end.
    ///
    /// Whoever drops the future aborts the INSERT: nothing of it lands.
    pub(crate) async fn write(
        &self,
        first: ReadyBatch,
        reader: &mut Reader,
    ) -> Result<Written, IngestError> {
        let open = self.clusters.iter().filter(|cluster| !self.found.contains_key(*cluster));
        let all = open.map(|cluster| Target { cluster, insert: None });
        let mut targets = Targets { all: all.collect(), object: self.object };
        let mut counts = Counts::default();
        let mut held = Held::default();
        let mut next = Some(first);
        let mut end = self.bounds.start;
        let mut bytes = 0;
        while let Some(ready) = next.take_if(|batch| batch.rows.start < self.bounds.end) {
            end = ready.rows.end;
            counts += ready.counts;
            held.take(ready.rejected);
            self.judge_number(&counts, &held)?;
            if ready.batch.num_rows() > 0 {
                bytes += native::weight::of_batch(&ready.batch);
                self.fate.is_large.fetch_or(bytes > ONE_BLOCK, Ordering::Relaxed);
                let send = targets.each(|target| self.send(target, &ready.batch));
                self.stopwatches.time(Stage::Write, send).await?;
            }
            if held.rows.len() >= HELD_ROWS || held.bytes >= HELD_BYTES {
                self.quarantine(&mut targets, &mut held).await?;
            }
            next = reader.next().await?;
        }
        self.judge_share(&counts, &held)?;
        self.quarantine(&mut targets, &mut held).await?;
        let finish = targets.end(|mut target| async {
            if let Some(insert) = target.insert.take() {
                self.fate.finish(insert).await?;
            }
            Ok(target)
        });
        self.stopwatches.time(Stage::Write, finish).await?;
        let table = format!("{}.{}", self.table.database, self.table.name);
        check_found(self.object, &table, self.bounds.start..end, &counts, &self.found)?;
        counts.chunks = 1;
        let written = targets.all.iter().map(|target| target.cluster.to_owned());
        let on = written.chain(self.found.keys().cloned()).collect();
        Ok(Written { counts, end, next, on })
    }

    /// Sends a batch. The INSERT is opened with the first row: a chunk without
    /// rows makes none.
    async fn send<'t>(
        &self,
        mut target: Target<'t>,
        batch: &RecordBatch,
    ) -> Result<Target<'t>, WarehouseError> {
        let open = match &mut target.insert {
            Some(open) => open,
            none => {
                let spec = self.table.insert(self.token.clone());
                none.insert(self.warehouse.insert(target.cluster, spec).await?)
            }
        };
        open.write(batch).await?;
        Ok(target)
    }

    /// Writes the bad rows that are held. Parts are cut by number and size of
    /// the rows alone, so that a replay makes the same parts.
    async fn quarantine(
        &self,
        targets: &mut Targets<'_>,
        held: &mut Held,
    ) -> Result<(), IngestError> {
        if held.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut held.rows);
        held.bytes = 0;
        let token = self.token.companion(&format!("quarantine-{}", held.parts));
        held.parts += 1;
        let (token, rows) = (&token, rows.as_slice());
        let put = targets.each(|target| async move {
            self.put_aside(target.cluster, token.clone(), rows).await?;
            Ok(target)
        });
        self.stopwatches.time(Stage::Write, put).await
    }

    async fn put_aside(
        &self,
        cluster: &str,
        token: Token,
        rows: &[RejectedRow],
    ) -> Result<(), WarehouseError> {
        let of = Quarantined {
            source: &self.document.source,
            place: self.object.into(),
            config_version: self.config_version,
            chunk: self.token,
            at_ms: self.loaded_at_ms,
        };
        put_aside(&**self.warehouse, cluster, &of, token, rows).await
    }

    fn judge_number(&self, counts: &Counts, held: &Held) -> Result<(), IngestError> {
        let Some(before) = self.before else { return Ok(()) };
        let bad = before.rows_quarantined + counts.rows_quarantined;
        match self.document.errors {
            Errors { max_bad_rows: Some(limit), .. } if bad > limit => {
                Err(self.too_many(&before, counts, held, limit.to_string()))
            }
            _ => Ok(()),
        }
    }

    fn judge_share(&self, counts: &Counts, held: &Held) -> Result<(), IngestError> {
        let Some(before) = self.before else { return Ok(()) };
        let bad = before.rows_quarantined + counts.rows_quarantined;
        let read = before.rows_read + counts.rows_read;
        let share = self.document.errors.max_bad_share;
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
        let is_above = bad as f64 > read as f64 * share;
        if is_above {
            Err(self.too_many(&before, counts, held, format!("{} %", share * 100.0)))
        } else {
            Ok(())
        }
    }

    fn too_many(
        &self,
        before: &Counts,
        counts: &Counts,
        held: &Held,
        tolerated: String,
    ) -> IngestError {
        let (row, place, reason) = match &held.first {
            None => (self.bounds.start, String::new(), "see the quarantine".to_owned()),
            Some(row) if row.column.is_empty() => (row.row, String::new(), row.reason.clone()),
            Some(row) => (row.row, format!(", column {}", row.column), row.reason.clone()),
        };
        IngestError::TooManyBadRows {
            bad: before.rows_quarantined + counts.rows_quarantined,
            read: before.rows_read + counts.rows_read,
            tolerated,
            row,
            place,
            reason,
        }
    }
}

impl Held {
    fn take(&mut self, rows: Vec<RejectedRow>) {
        if self.first.is_none() {
            self.first = rows.first().cloned();
        }
        self.bytes += rows.iter().map(|row| row.raw.len() + row.reason.len()).sum::<usize>();
        self.rows.extend(rows);
    }
}
