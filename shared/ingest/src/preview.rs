//! What a document makes of an object, without writing anything.

use std::sync::Arc;

use arrow::array::RecordBatch;
use decode::DecodeError;
use model::document::SourceDocument;
use model::{Captures, Clock, Counts, Drift, RejectedRow};
use objects::{ObjectInfo, ObjectReader};

use crate::IngestError;
use crate::destination::Destination;
use crate::reader::{ReadPlan, Reader};
use crate::report::Stopwatches;
use crate::survey::survey;

/// What a document makes of an object.
#[derive(Debug)]
pub struct Preview {
    /// The document, with the columns that drift would add behind its own.
    pub document: Arc<SourceDocument>,
    /// Counts over the whole object; nothing was written.
    pub counts: Counts,
    /// The first batches that hold rows, until there were enough.
    pub batches: Vec<RecordBatch>,
    /// The first bad rows, until there were enough.
    pub rejected: Vec<RejectedRow>,
    /// Columns that are not as the document says.
    pub drift: Vec<Drift>,
}

/// Decodes and transforms an object, and keeps its first rows and bad rows; with
/// `until_row`, the rows before that one alone.
///
/// # Errors
/// [`IngestError`] as a load would end with.
pub async fn preview(
    objects: Arc<dyn ObjectReader>,
    object: ObjectInfo,
    document: Arc<SourceDocument>,
    captures: Captures,
    keep: usize,
    until_row: Option<u64>,
) -> Result<Preview, IngestError> {
    let plan = ReadPlan {
        objects,
        object,
        document,
        extras: 0,
        config_version: 0,
        captures,
        from_row: 0,
        until_row,
        loaded_at_ms: Clock::system().now_ms(),
        stopwatches: Stopwatches::default(),
    };
    let mut extras = Vec::new();
    loop {
        let destination = Destination::of(&plan.document, &extras);
        let widened = ReadPlan {
            document: destination.document,
            extras: destination.added.len(),
            ..plan.clone()
        };
        let error = match read(widened, keep).await {
            Ok(preview) => return Ok(preview),
            Err(error) => error,
        };
        match &error {
            IngestError::Decode { cause, .. } => match cause.as_ref() {
                DecodeError::NewFields { fields, row, .. } => {
                    let plan = ReadPlan { from_row: *row, ..plan.clone() };
                    extras.extend(survey(plan, fields).await?);
                }
                _ => return Err(error),
            },
            _ => return Err(error),
        }
    }
}

async fn read(plan: ReadPlan, keep: usize) -> Result<Preview, IngestError> {
    let mut preview = Preview {
        document: plan.document.clone(),
        counts: Counts::default(),
        batches: Vec::new(),
        rejected: Vec::new(),
        drift: Vec::new(),
    };
    let mut reader = Reader::start(plan)?;
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
    preview.drift = reader.drift.take();
    Ok(preview)
}
