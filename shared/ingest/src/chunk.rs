//! Write: one chunk, one INSERT, one token, one cluster.

use std::sync::Arc;

use model::document::{Errors, SourceDocument};
use model::{ChunkBounds, Counts, ObjectId, RejectedRow, Token};
use warehouse::{Insert, TableSpec, Warehouse, WarehouseError, quarantine};

use crate::IngestError;
use crate::reader::{Reader, ReadyBatch};
use crate::report::{Stage, Stopwatches};

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
    pub(crate) cluster: &'a str,
    pub(crate) bounds: ChunkBounds,
    pub(crate) token: &'a Token,
    pub(crate) loaded_at_ms: i64,
    /// Counts of the chunks before this one.
    pub(crate) before: Counts,
    pub(crate) stopwatches: &'a Stopwatches,
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
    /// Writes the chunk that begins with `first` and reads on to its end. The
    /// first batch of the next chunk, if there is one, is handed back.
    ///
    /// Whoever drops the future aborts the INSERT: nothing of it lands.
    pub(crate) async fn write(
        &self,
        first: ReadyBatch,
        reader: &mut Reader,
    ) -> Result<(Counts, u64, Option<ReadyBatch>), IngestError> {
        let mut insert: Option<Box<dyn Insert>> = None;
        let mut counts = Counts::default();
        let mut held = Held::default();
        let mut next = Some(first);
        let mut end = self.bounds.start;
        while let Some(ready) = next.take_if(|batch| batch.rows.start < self.bounds.end) {
            end = ready.rows.end;
            counts += ready.counts;
            held.take(ready.rejected);
            self.judge_number(&counts, &held)?;
            if ready.batch.num_rows() > 0 {
                let open = match &mut insert {
                    Some(open) => open,
                    // Opened with the first row: a chunk without rows makes no INSERT.
                    none => none.insert(self.begin().await?),
                };
                let sent = self.stopwatches.time(Stage::Write, open.write(&ready.batch)).await;
                sent.map_err(|cause| self.write_error(cause))?;
            }
            if held.rows.len() >= HELD_ROWS || held.bytes >= HELD_BYTES {
                self.quarantine(&mut held).await?;
            }
            next = reader.next().await?;
        }
        self.judge_share(&counts, &held)?;
        self.quarantine(&mut held).await?;
        if let Some(insert) = insert {
            let done = self.stopwatches.time(Stage::Write, insert.finish()).await;
            done.map_err(|cause| self.write_error(cause))?;
        }
        counts.chunks = 1;
        Ok((counts, end, next))
    }

    async fn begin(&self) -> Result<Box<dyn Insert>, IngestError> {
        let spec = self.table.insert(self.token.clone());
        let open =
            self.stopwatches.time(Stage::Write, self.warehouse.insert(self.cluster, spec)).await;
        open.map_err(|cause| self.write_error(cause))
    }

    /// Writes the bad rows that are held. Parts are cut by number and size of
    /// the rows alone, so that a replay makes the same parts.
    async fn quarantine(&self, held: &mut Held) -> Result<(), IngestError> {
        if held.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut held.rows);
        held.bytes = 0;
        let token = self.token.companion(&format!("quarantine-{}", held.parts));
        held.parts += 1;
        let written = self.stopwatches.time(Stage::Write, self.put_aside(token, &rows)).await;
        written.map_err(|cause| self.write_error(cause))
    }

    async fn put_aside(&self, token: Token, rows: &[RejectedRow]) -> Result<(), WarehouseError> {
        let of = quarantine::Quarantined {
            source: &self.document.source,
            object: self.object,
            config_version: self.config_version,
            chunk: self.token,
            at_ms: self.loaded_at_ms,
        };
        let table = quarantine::table();
        self.warehouse.prepare(self.cluster, &table).await?;
        let batches = quarantine::batches(&of, rows).map_err(|source| WarehouseError::Encode {
            table: quarantine::TABLE.to_owned(),
            source: source.into(),
        })?;
        let mut insert = self.warehouse.insert(self.cluster, table.insert(token)).await?;
        for batch in &batches {
            insert.write(batch).await?;
        }
        insert.finish().await
    }

    fn judge_number(&self, counts: &Counts, held: &Held) -> Result<(), IngestError> {
        let bad = self.before.rows_quarantined + counts.rows_quarantined;
        match self.document.errors {
            Errors { max_bad_rows: Some(limit), .. } if bad > limit => {
                Err(self.too_many(counts, held, limit.to_string()))
            }
            _ => Ok(()),
        }
    }

    fn judge_share(&self, counts: &Counts, held: &Held) -> Result<(), IngestError> {
        let bad = self.before.rows_quarantined + counts.rows_quarantined;
        let read = self.before.rows_read + counts.rows_read;
        let share = self.document.errors.max_bad_share;
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
        let is_above = bad as f64 > read as f64 * share;
        if is_above {
            Err(self.too_many(counts, held, format!("{} %", share * 100.0)))
        } else {
            Ok(())
        }
    }

    fn too_many(&self, counts: &Counts, held: &Held, tolerated: String) -> IngestError {
        let (row, place, reason) = match &held.first {
            None => (self.bounds.start, String::new(), "see the quarantine".to_owned()),
            Some(row) if row.column.is_empty() => (row.row, String::new(), row.reason.clone()),
            Some(row) => (row.row, format!(", column {}", row.column), row.reason.clone()),
        };
        IngestError::TooManyBadRows {
            bad: self.before.rows_quarantined + counts.rows_quarantined,
            read: self.before.rows_read + counts.rows_read,
            tolerated,
            row,
            place,
            reason,
        }
    }

    fn write_error(&self, cause: WarehouseError) -> IngestError {
        IngestError::Write { object: self.object.to_string(), cause: Box::new(cause) }
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
