//! What became of one object: counts, times, the log line and the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::{Counts, ObjectId};
use runtime::{Metric, Unit};
use serde::{Deserialize, Serialize};

/// Milliseconds spent in each of the five steps. Steps overlap: their sum can
/// be more than the time that passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTimes {
    /// Waiting for bytes of the object.
    pub fetch_ms: u64,
    /// Turning bytes into columns.
    pub decode_ms: u64,
    /// Typing columns and doing the document's steps.
    pub transform_ms: u64,
    /// Sending rows and waiting for the server.
    pub write_ms: u64,
    /// Writing the ledger.
    pub commit_ms: u64,
}

/// What became of one object in one invocation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Name of the source.
    pub source: String,
    /// The object.
    pub id: ObjectId,
    /// It in words: `s3://bucket/key@etag`.
    pub object: String,
    /// Format of the object.
    pub format: String,
    /// The destination, `database.table`.
    pub table: String,
    /// The cluster that was written to.
    pub cluster: String,
    /// Version of the source document.
    pub config_version: u64,
    /// Rows of the object so far, over all invocations.
    pub counts: Counts,
    /// Size of the object in bytes.
    pub bytes: u64,
    /// Times of this invocation.
    pub steps: StepTimes,
    /// Whether the object is whole now: a part of it is not, but for the last one.
    pub is_whole: bool,
    /// Time that passed in this invocation, in milliseconds.
    pub elapsed_ms: u64,
}

impl Report {
    /// Writes the one log line of the object.
    pub fn log(&self, state: &str) {
        tracing::info!(
            state,
            source = self.source,
            object = self.object,
            format = self.format,
            table = self.table,
            cluster = self.cluster,
            config_version = self.config_version,
            rows_read = self.counts.rows_read,
            rows_written = self.counts.rows_written,
            rows_filtered = self.counts.rows_filtered,
            rows_quarantined = self.counts.rows_quarantined,
            rows_inserted = self.counts.rows_inserted,
            bytes = self.bytes,
            chunks = self.counts.chunks,
            fetch_ms = self.steps.fetch_ms,
            decode_ms = self.steps.decode_ms,
            transform_ms = self.steps.transform_ms,
            write_ms = self.steps.write_ms,
            commit_ms = self.steps.commit_ms,
            elapsed_ms = self.elapsed_ms,
            "object"
        );
    }

    /// The one EMF record of the object.
    #[must_use]
    pub fn emf(&self, timestamp_ms: u64) -> String {
        let count = |name, value| Metric { name, unit: Unit::Count, value };
        let time = |name, value| Metric { name, unit: Unit::Milliseconds, value };
        runtime::emf(
            timestamp_ms,
            &[("Source", &self.source)],
            &[
                count("ObjectsLoaded", u64::from(self.is_whole)),
                count("RowsRead", self.counts.rows_read),
                count("RowsWritten", self.counts.rows_written),
                count("RowsFiltered", self.counts.rows_filtered),
                count("RowsQuarantined", self.counts.rows_quarantined),
                count("Chunks", self.counts.chunks),
                Metric {
                    name: "ObjectBytes",
                    unit: Unit::Bytes,
                    value: if self.is_whole { self.bytes } else { 0 },
                },
                time("FetchTime", self.steps.fetch_ms),
                time("DecodeTime", self.steps.decode_ms),
                time("TransformTime", self.steps.transform_ms),
                time("WriteTime", self.steps.write_ms),
                time("CommitTime", self.steps.commit_ms),
                time("ElapsedTime", self.elapsed_ms),
            ],
            &[("object", self.object.clone().into()), ("cluster", self.cluster.clone().into())],
        )
    }
}

/// Stopwatches of the five steps, shared by the threads that do them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stopwatches(Arc<[AtomicU64; 5]>);

/// One of the five steps.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    Fetch,
    Decode,
    Transform,
    Write,
    Commit,
}

impl Stopwatches {
    pub(crate) fn add(&self, stage: Stage, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0[stage as usize].fetch_add(micros, Ordering::Relaxed);
    }

    /// Runs a future and adds the time that passes.
    pub(crate) async fn time<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let done = work.await;
        self.add(stage, start.elapsed());
        done
    }

    pub(crate) fn micros(&self, stage: Stage) -> u64 {
        self.0[stage as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn read(&self) -> StepTimes {
        let ms = |stage| self.micros(stage).div_ceil(1000);
        // The decoder waits for bytes inside its own step.
        let decode = self.micros(Stage::Decode).saturating_sub(self.micros(Stage::Fetch));
        StepTimes {
            fetch_ms: ms(Stage::Fetch),
            decode_ms: decode.div_ceil(1000),
            transform_ms: ms(Stage::Transform),
            write_ms: ms(Stage::Write),
            commit_ms: ms(Stage::Commit),
        }
    }
}
