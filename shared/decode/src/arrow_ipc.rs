//! Arrow IPC, as a stream from front to back, or as a file by its footer.
//!
//! A file that was compressed as a whole is read from front to back, too, as far as
//! it is a stream between magic bytes and a footer. What lengths claim is believed
//! only as far as there are bytes.

mod file;
mod messages;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::MessageHeader;
use arrow::ipc::reader::{read_dictionary, read_record_batch};

use crate::arrow_rows::ArrowRows;
use crate::fields::Fields;
use crate::window::exactly;
use crate::{DecodeError, Decoder, Limits, Place, RangeRead, Request, meaning};
use file::Blocks;
use messages::{Frame, MAGIC, Messages, malformed};

/// Most bytes that the buffers of one message may claim after decompression,
/// however many there are before it.
const MAX_DECOMPRESSED: i64 = 1024 * 1024 * 1024;
/// Rows that a message may claim whatever its bytes: columns of NULL alone have
/// none. More of them must have a bit each.
const MANY_ROWS: u64 = 1024 * 1024;
/// Bytes of a batch that goes out.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Where messages come from.
enum Source {
    Stream(Messages),
    File(Blocks),
}

impl Source {
    fn next(&mut self) -> Result<Option<Frame>, DecodeError> {
        match self {
            Self::Stream(messages) => messages.next(),
            Self::File(blocks) => blocks.next(),
        }
    }
}

/// Whether an object is an Arrow file, by its first bytes.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn is_file(ranges: &dyn RangeRead, name: &str) -> Result<bool, DecodeError> {
    let head = 0..ranges.size().min(8);
    if head.is_empty() {
        return Ok(false);
    }
    let head = exactly(ranges, head).map_err(|error| DecodeError::from_io(name, error))?;
    Ok(head.starts_with(MAGIC))
}

/// Opens an Arrow stream, or a file that is one between its magic bytes.
pub(crate) fn open(
    stream: Box<dyn Read + Send>,
    request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let mut messages = Messages::begin(stream, &request.name)?;
    let schema = messages.schema()?;
    begin(Source::Stream(messages), &schema, request)
}

/// Opens an Arrow file by its footer.
pub(crate) fn open_file(
    ranges: Arc<dyn RangeRead>,
    request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let blocks = Blocks::begin(ranges, &request.name)?;
    let schema = blocks.schema();
    begin(Source::File(blocks), &schema, request)
}

/// Finds the requested fields and looks at the first rows to choose the size of
/// batches.
fn begin(
    source: Source,
    schema: &SchemaRef,
    mut request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let fields = Fields::find(schema, &request)?;
    let columns = fields.columns();
    let meant = schema
        .project(&columns)
        .map_err(|error| malformed(&request.name, Place::default(), &error.to_string()))?;
    let fields = fields.within(&meant, &request)?;
    let leaves = meaning::leaves(schema);
    let schema = meaning::with_leaves(schema, leaves.iter().map(meaning::as_bytes));
    let mut batches = Batches {
        name: request.name.clone(),
        source,
        schema: Arc::new(schema),
        columns,
        dictionaries: HashMap::new(),
        limits: request.limits,
        row: 0,
        done: false,
    };
    let first = batches
        .find(|batch| !batch.as_ref().is_ok_and(|batch| batch.num_rows() == 0))
        .transpose()?;
    if let Some(first) = &first {
        // By the first rows of the object, so that a resumed read cuts alike.
        let bytes = first
            .columns()
            .iter()
            .filter_map(|column| column.to_data().get_slice_memory_size().ok());
        let row = (bytes.sum::<usize>() / first.num_rows()).max(1);
        request.plan = request.plan.limited(u64::try_from(BATCH_BYTES / row).unwrap_or(u64::MAX));
    }
    let source = first.map(Ok).into_iter().chain(batches);
    Ok(Box::new(ArrowRows::new(source, 0, Arc::new(meant), fields, request)))
}

/// The record batches of an object, each with the columns that are wanted.
struct Batches {
    name: String,
    source: Source,
    /// The schema with its texts as bytes.
    schema: SchemaRef,
    columns: Vec<usize>,
    dictionaries: HashMap<i64, ArrayRef>,
    limits: Limits,
    row: u64,
    done: bool,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.read();
        self.done = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

impl Batches {
    fn read(&mut self) -> Result<Option<RecordBatch>, DecodeError> {
        while let Some(frame) = self.source.next()? {
            // Damaged lengths and offsets make the arrow crate panic in places:
            // that must fail the object and not the function. The dictionaries
            // are not used after a panic.
            let decoded =
                catch_unwind(AssertUnwindSafe(|| self.decode(&frame))).unwrap_or_else(|_| {
                    Err("the reader gave up on a message that contradicts itself".to_owned())
                });
            let place = Place { row: Some(self.row), byte: Some(frame.start) };
            if let Some(batch) = decoded.map_err(|reason| malformed(&self.name, place, &reason))? {
                self.row += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn decode(&mut self, frame: &Frame) -> Result<Option<RecordBatch>, String> {
        let text = |error: ArrowError| error.to_string();
        let message = frame.message()?;
        match message.header_type() {
            MessageHeader::RecordBatch => {
                let batch =
                    message.header_as_record_batch().ok_or("a record batch has no header")?;
                check_sizes(batch, &frame.body, self.limits)?;
                let schema = self.schema.clone();
                let columns = Some(self.columns.as_slice());
                read_record_batch(
                    &frame.body,
                    batch,
                    schema,
                    &self.dictionaries,
                    columns,
                    &message.version(),
                )
                .map(Some)
                .map_err(text)
            }
            MessageHeader::DictionaryBatch => {
                let batch =
                    message.header_as_dictionary_batch().ok_or("a dictionary has no header")?;
                let data = batch.data().ok_or("a dictionary has no data")?;
                check_sizes(data, &frame.body, self.limits)?;
                read_dictionary(
                    &frame.body,
                    batch,
                    &self.schema,
                    &mut self.dictionaries,
                    &message.version(),
                )
                .map(|()| None)
                .map_err(text)
            }
            other => Err(format!("a message of type {other:?} among the record batches")),
        }
    }
}

/// Refuses lengths that would make the reader allocate without measure.
fn check_sizes(
    batch: arrow::ipc::RecordBatch<'_>,
    body: &Buffer,
    limits: Limits,
) -> Result<(), String> {
    let rows = batch.length();
    if rows < 0 {
        return Err(format!("a record batch claims {rows} rows"));
    }
    let mut claimed = 0_i64;
    for buffer in batch.buffers().into_iter().flatten() {
        let (start, length) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length()));
        let bytes = (start.ok().zip(length.ok()))
            .and_then(|(start, length)| body.as_slice().get(start..start.checked_add(length)?))
            .ok_or_else(|| {
                format!(
                    "a buffer of {} bytes at {} is outside its message",
                    buffer.length(),
                    buffer.offset()
                )
            })?;
        if batch.compression().is_some()
            && let Some(prefix) = bytes.first_chunk::<8>()
        {
            claimed = claimed.saturating_add(i64::from_le_bytes(*prefix).max(0));
        }
    }
    // What a buffer claims is allocated before it is decompressed.
    let by_ratio = (body.len() as u64).saturating_mul(limits.max_ratio).max(Limits::RATIO_FROM);
    let most = MAX_DECOMPRESSED.min(i64::try_from(by_ratio).unwrap_or(i64::MAX));
    if claimed > most {
        return Err(format!(
            "a record batch of {} bytes claims {claimed} bytes after decompression; at most {most} are allowed",
            body.len()
        ));
    }
    let bits = (body.len() as u64).saturating_add(claimed.unsigned_abs()).saturating_mul(8);
    if rows.unsigned_abs() > bits.max(MANY_ROWS) {
        return Err(format!("a record batch of {} bytes claims {rows} rows", body.len()));
    }
    if batch
        .nodes()
        .is_some_and(|nodes| nodes.iter().any(|node| node.length() < 0 || node.null_count() < 0))
    {
        return Err("a column claims a negative number of values".to_owned());
    }
    Ok(())
}
