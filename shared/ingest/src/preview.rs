//! What a document makes of an object, without writing anything.

use std::sync::Arc;

use arrow::array::RecordBatch;
use model::document::SourceDocument;
use model::{Captures, Clock, Counts, RejectedRow};
use objects::{ObjectInfo, ObjectReader};

use crate::IngestError;
use crate::reader::{ReadPlan, Reader};
use crate::report::Stopwatches;

/// What a document makes of an object.
#[derive(Debug)]
pub struct Preview {
    /// Counts over the whole object; nothing was written.
    pub counts: Counts,
    /// The first batches that hold rows, until there were enough.
    pub batches: Vec<RecordBatch>,
    /// The first bad rows, until there were enough.
    pub rejected: Vec<RejectedRow>,
}

/// Decodes and transforms an object, and keeps its first rows and bad rows.
///
/// # Errors
/// [`IngestError`] as a load would end with.
pub async fn preview(
    objects: Arc<dyn ObjectReader>,
    object: ObjectInfo,
    document: Arc<SourceDocument>,
    captures: Captures,
    keep: usize,
) -> Result<Preview, IngestError> {
    let mut reader = Reader::start(ReadPlan {
        objects,
        object,
        document,
        config_version: 0,
        captures,
        from_row: 0,
        loaded_at_ms: Clock::system().now_ms(),
        stopwatches: Stopwatches::default(),
    })?;
    let mut preview =
        Preview { counts: Counts::default(), batches: Vec::new(), rejected: Vec::new() };
    let mut kept = 0;
    while let Some(ready) = reader.next().await? {
        preview.counts += ready.counts;
        let rows = ready.batch.num_rows().min(keep - kept);
        if rows > 0 {
            preview.batches.push(ready.batch.slice(0, rows));
            kept += rows;
        }
        let room = keep.saturating_sub(preview.rejected.len());
        preview.rejected.extend(ready.rejected.into_iter().take(room));
    }
    Ok(preview)
}
