//! Decode and transform, on a thread of their own, ahead of the writer.
//!
//! The thread hands over finished batches through a short bounded channel: that
//! bounds memory, and overlaps decoding with sending.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arrow::array::RecordBatch;
use decode::{FieldOrigin, FieldRequest, Input, Limits, Request};
use model::document::{FromSpec, SourceDocument};
use model::{BatchPlan, Captures, Counts, Drift, RejectedRow};
use objects::{ObjectInfo, ObjectReader};
use tokio::sync::mpsc;
use transform::{MapError, Mapper, Provenance};

use crate::IngestError;
use crate::fetch::{FetchFailure, ObjectRanges, ObjectStream};
use crate::report::{Stage, Stopwatches};

/// Batches that may wait for the writer.
const BATCHES_AHEAD: usize = 2;

/// Bytes of a batch that its columns take at least, whatever is in them.
const BATCH_WEIGHT: u64 = 16 * 1024 * 1024;

/// A batch that is ready to be written.
pub(crate) struct ReadyBatch {
    /// Source rows that it covers, rejected and filtered ones included.
    pub(crate) rows: Range<u64>,
    /// The rows to insert; it may have none.
    pub(crate) batch: RecordBatch,
    /// What became of the source rows; `rows_inserted` is the batch's length.
    pub(crate) counts: Counts,
    /// The rows for the quarantine.
    pub(crate) rejected: Vec<RejectedRow>,
}

/// What is read, and how.
#[derive(Clone)]
pub(crate) struct ReadPlan {
    pub(crate) objects: Arc<dyn ObjectReader>,
    pub(crate) object: ObjectInfo,
    pub(crate) document: Arc<SourceDocument>,
    /// How many of its columns, the last ones, an object need not have.
    pub(crate) extras: usize,
    pub(crate) config_version: u64,
    pub(crate) captures: Captures,
    pub(crate) from_row: u64,
    /// The row, the first of a chunk, at which reading ends; none for all.
    pub(crate) until_row: Option<u64>,
    pub(crate) loaded_at_ms: i64,
    pub(crate) stopwatches: Stopwatches,
}

/// The batches of one object from a row on.
pub(crate) struct Reader {
    batches: mpsc::Receiver<Result<ReadyBatch, IngestError>>,
    thread: tokio::task::JoinHandle<()>,
    name: String,
    ended: bool,
    /// What the thread met so far and nobody took.
    pub(crate) drift: DriftMet,
}

/// Drift on its way from the thread to whoever tells it.
#[derive(Debug, Clone, Default)]
pub(crate) struct DriftMet(Arc<Mutex<Vec<Drift>>>);

impl DriftMet {
    fn add(&self, mut drift: Vec<Drift>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).append(&mut drift);
    }

    /// What was met and not taken before.
    pub(crate) fn take(&self) -> Vec<Drift> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Reader {
    /// Plans the mapping and starts the thread. Must be called within the
    /// runtime.
    pub(crate) fn start(plan: ReadPlan) -> Result<Self, IngestError> {
        let name = plan.object.id.to_string();
        let mapper = Mapper::new(&plan.document, &plan.captures)
            .map_err(|cause| transform_error(&name, cause))?;
        let provenance = plan.document.table.provenance.then(|| Provenance {
            object: name.clone(),
            config_version: plan.config_version,
            loaded_at_ms: plan.loaded_at_ms,
        });
        let failed = FetchFailure::default();
        let request = request(&plan, &mapper);
        let input = input(&plan, &failed);
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let columns = &plan.document.columns;
        let types = columns
            .iter()
            .map(|column| (column.name.clone(), column.column_type.clone()))
            .collect();
        let stopwatches = plan.stopwatches;
        let drift = DriftMet::default();
        let work = Work {
            name: name.clone(),
            types,
            mapper,
            provenance,
            failed,
            stopwatches,
            until_row: plan.until_row,
            drift: drift.clone(),
        };
        let thread = tokio::task::spawn_blocking(move || {
            if let Err(error) = work.run(input, request, &sender) {
                // The writer may have gone: nobody is left to tell.
                drop(sender.blocking_send(Err(error)));
            }
        });
        Ok(Self { batches, thread, name, ended: false, drift })
    }

    /// The next batch, or nothing at the end of the object.
    pub(crate) async fn next(&mut self) -> Result<Option<ReadyBatch>, IngestError> {
        if self.ended {
            return Ok(None);
        }
        match self.batches.recv().await {
            Some(batch) => batch.map(Some),
            None => {
                self.ended = true;
                // A thread that panicked has sent no error: an end that is not
                // one must not pass for the end of the object.
                (&mut self.thread).await.map(|()| None).map_err(|error| IngestError::Thread {
                    object: self.name.clone(),
                    reason: error.to_string(),
                })
            }
        }
    }
}

fn transform_error(object: &str, cause: MapError) -> IngestError {
    IngestError::Transform { object: object.to_owned(), cause: Box::new(cause) }
}

fn request(plan: &ReadPlan, mapper: &Mapper) -> Request {
    Request {
        name: plan.object.id.key.clone(),
        start_row: plan.from_row,
        ..request_of(&plan.document, plan.extras, mapper)
    }
}

/// What the mapper of a document wants of an object, from its first row on.
pub(crate) fn request_of(document: &SourceDocument, extras: usize, mapper: &Mapper) -> Request {
    let required = mapper.fields().len() - extras.min(mapper.fields().len());
    let fields = mapper.fields().iter().enumerate().map(|(at, field)| FieldRequest {
        origin: match &field.origin {
            FromSpec::Path(path) => FieldOrigin::Path(path.split('.').map(str::to_owned).collect()),
            FromSpec::Column(name) | FromSpec::Capture(name) => FieldOrigin::Column(name.clone()),
            FromSpec::Constant(_) => FieldOrigin::Column(field.column.clone()),
        },
        empty_is_text: field.empty_is_text,
        column_type: field.column_type.clone(),
        required_by: field.column.clone(),
        is_optional: at >= required,
    });
    // A row may be a few bytes of text, and wide once it has all of its columns.
    let columns = document.output_columns();
    let width = native::weight::least(columns.iter().map(|column| &column.column_type));
    Request {
        format: document.format.clone(),
        compression: document.compression,
        name: String::new(),
        fields: fields.collect(),
        drift: document.drift,
        plan: BatchPlan::for_chunks(document.write.rows_per_chunk)
            .limited(BATCH_WEIGHT / width.max(1)),
        start_row: 0,
        limits: Limits::default(),
    }
}

pub(crate) fn input(plan: &ReadPlan, failed: &FetchFailure) -> Input {
    if decode::needs_ranges(&plan.document.format) {
        Input::Ranges(Arc::new(ObjectRanges::of(
            plan.objects.clone(),
            &plan.object,
            failed.clone(),
            plan.stopwatches.clone(),
        )))
    } else {
        Input::Stream(Box::new(ObjectStream::start(
            plan.objects.clone(),
            plan.object.id.clone(),
            failed.clone(),
            plan.stopwatches.clone(),
        )))
    }
}

/// Leaves out the source rows of a batch from `until` on.
fn cut(decoded: &mut decode::DecodedBatch, until: u64) {
    if decoded.rows.end <= until {
        return;
    }
    let kept = decoded.row_numbers.partition_point(|row| *row < until);
    decoded.batch = decoded.batch.slice(0, kept);
    decoded.row_numbers.truncate(kept);
    decoded.rejected.retain(|row| row.row < until);
    decoded.rows.end = until;
}

/// What the thread holds.
struct Work {
    name: String,
    /// The types of the document's columns, by name.
    types: HashMap<String, String>,
    mapper: Mapper,
    provenance: Option<Provenance>,
    failed: FetchFailure,
    stopwatches: Stopwatches,
    until_row: Option<u64>,
    drift: DriftMet,
}

impl Work {
    fn run(
        &self,
        input: Input,
        request: Request,
        sender: &mpsc::Sender<Result<ReadyBatch, IngestError>>,
    ) -> Result<(), IngestError> {
        let start = Instant::now();
        let mut decoder = decode::open(input, request).map_err(|cause| self.undecodable(cause))?;
        self.stopwatches.add(Stage::Decode, start.elapsed());
        loop {
            let start = Instant::now();
            let decoded = decoder.next_batch().map_err(|cause| self.undecodable(cause))?;
            self.stopwatches.add(Stage::Decode, start.elapsed());
            self.drift.add(decoder.take_drift());
            let Some(mut decoded) = decoded else { return Ok(()) };
            if let Some(until) = self.until_row {
                if decoded.rows.start >= until {
                    return Ok(());
                }
                // A part that is tried again by a document with other chunks may end
                // within a batch: the rest of it is its neighbour's.
                cut(&mut decoded, until);
            }
            let start = Instant::now();
            let ready = self.map(decoded)?;
            self.stopwatches.add(Stage::Transform, start.elapsed());
            if sender.blocking_send(Ok(ready)).is_err() {
                // The writer gave up; it knows why.
                return Ok(());
            }
        }
    }

    fn map(&self, decoded: decode::DecodedBatch) -> Result<ReadyBatch, IngestError> {
        let failed = |cause| transform_error(&self.name, cause);
        let raw = |row| decoded.raw.get(row);
        let mapped =
            self.mapper.apply(&decoded.batch, &decoded.row_numbers, &raw).map_err(failed)?;
        let batch = match &self.provenance {
            None => mapped.batch,
            Some(provenance) => {
                provenance.append(mapped.batch, &mapped.source_rows).map_err(failed)?
            }
        };
        let mut rejected = decoded.rejected;
        for row in &mut rejected {
            // The decoder knows the column that wanted the value, not its type.
            if let Some(column_type) = self.types.get(&row.column) {
                row.column_type.clone_from(column_type);
            }
        }
        rejected.extend(mapped.rejected);
        rejected.sort_by_key(|row| row.row);
        let counts = Counts {
            rows_read: decoded.rows.end - decoded.rows.start,
            rows_written: mapped.written,
            rows_filtered: mapped.filtered,
            rows_quarantined: rejected.len() as u64,
            rows_inserted: batch.num_rows() as u64,
            chunks: 0,
        };
        Ok(ReadyBatch { rows: decoded.rows, batch, counts, rejected })
    }

    /// A fetch that failed reaches the decoder as an `io::Error`; what it was
    /// is kept aside.
    fn undecodable(&self, cause: decode::DecodeError) -> IngestError {
        let object = self.name.clone();
        match self.failed.take() {
            Some(cause) => IngestError::Fetch { object, cause: Box::new(cause) },
            None => IngestError::Decode { object, cause: Box::new(cause) },
        }
    }
}
