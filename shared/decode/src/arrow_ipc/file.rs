//! The messages of an Arrow file, by its footer.
//!
//! Most files are a stream between magic bytes and a footer, but the format does not
//! ask for that: dictionaries may lie behind the batches that use them, and nothing
//! but the footer need say where a message begins
//! (<https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format>). Polars
//! writes such files.

use std::ops::Range;
use std::sync::Arc;
use std::vec::IntoIter;

use arrow::buffer::Buffer;
use arrow::ipc::{Block, root_as_footer};
use bytes::Bytes;

use super::messages::{CONTINUATION, Frame, MAGIC, MAX_BODY, MAX_HEADER, malformed, schema_of};
use crate::{DecodeError, Place, RangeRead};
use arrow::datatypes::SchemaRef;

/// Bytes behind the footer: its length and the magic bytes.
const TRAILER: u64 = 10;
/// Messages that follow each other are fetched by one read up to so many bytes.
const RUN_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes between two messages that one read passes over.
const GAP_BYTES: u64 = 64 * 1024;
/// A larger read is not begun before it is wanted: two of them need the memory.
const MOST_AHEAD: u64 = 16 * 1024 * 1024;

/// The messages of a file: dictionaries first, then the batches in their order.
pub(super) struct Blocks {
    ranges: Arc<dyn RangeRead>,
    name: String,
    schema: SchemaRef,
    /// What is still to be read, first things first.
    runs: IntoIter<Run>,
    /// What was read, from this place on.
    start: u64,
    bytes: Bytes,
    /// Messages within that.
    messages: IntoIter<Range<u64>>,
    /// Bytes of each message's header, by its place.
    headers: std::collections::HashMap<u64, u64>,
}

/// Messages that are read at once.
struct Run {
    range: Range<u64>,
    messages: Vec<Range<u64>>,
}

impl Blocks {
    /// Reads the footer of an object that begins as a file.
    pub(super) fn begin(ranges: Arc<dyn RangeRead>, name: &str) -> Result<Self, DecodeError> {
        let size = ranges.size();
        let cut_off = || {
            let reason = format!(
                "the file has no footer: it is cut off after {size} bytes; upload the object anew"
            );
            malformed(name, Place::default(), &reason)
        };
        // The magic bytes in front are not the ones behind.
        let end = size.checked_sub(TRAILER).filter(|end| *end >= 8).ok_or_else(cut_off)?;
        let trailer = fetch(ranges.as_ref(), end..size, name)?;
        let length = trailer.first_chunk::<4>().map_or(-1, |length| i32::from_le_bytes(*length));
        if !trailer.ends_with(MAGIC) {
            return Err(cut_off());
        }
        let length =
            u64::try_from(length).ok().filter(|length| *length <= (end - 8).min(MAX_HEADER));
        let Some(start) = length.map(|length| end - length) else {
            return Err(malformed(name, Place::byte(end), "the footer claims more than there is"));
        };
        let footer = fetch(ranges.as_ref(), start..end, name)?;
        let damaged = |reason: &str| {
            let reason =
                format!("the footer cannot be understood: {reason}; upload the object anew");
            malformed(name, Place::byte(start), &reason)
        };
        let footer = root_as_footer(&footer).map_err(|error| damaged(&error.to_string()))?;
        let schema = footer.schema().ok_or_else(|| damaged("it has no schema"))?;
        let schema = schema_of(schema).map_err(|reason| damaged(&reason))?;
        let mut headers = std::collections::HashMap::new();
        let mut messages = Vec::new();
        let dictionaries = footer.dictionaries().into_iter().flatten();
        for block in dictionaries.chain(footer.recordBatches().into_iter().flatten()) {
            let (range, header) = message(block, start).map_err(|reason| {
                let at = u64::try_from(block.offset()).unwrap_or(0);
                malformed(name, Place::byte(at), &reason)
            })?;
            headers.insert(range.start, header);
            messages.push(range);
        }
        Ok(Self {
            runs: runs(messages).into_iter(),
            schema,
            start: 0,
            bytes: Bytes::new(),
            messages: Vec::new().into_iter(),
            headers,
            name: name.to_owned(),
            ranges,
        })
    }

    /// What the footer says of the columns.
    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The next message, or none behind the last.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, DecodeError> {
        let range = match self.messages.next() {
            Some(range) => range,
            None => {
                let Some(run) = self.runs.next() else { return Ok(None) };
                // What was read before goes first: two of them need the memory.
                self.bytes = Bytes::new();
                self.bytes = fetch(self.ranges.as_ref(), run.range.clone(), &self.name)?;
                self.start = run.range.start;
                self.messages = run.messages.into_iter();
                if let Some(next) = self.runs.as_slice().first()
                    && next.range.end - next.range.start <= MOST_AHEAD
                {
                    self.ranges.will_read(next.range.clone());
                }
                let Some(range) = self.messages.next() else { return Ok(None) };
                range
            }
        };
        let within = |place: u64| usize::try_from(place - self.start).unwrap_or(usize::MAX);
        let bytes = self.bytes.slice(within(range.start)..within(range.end));
        let header = self.headers.get(&range.start).copied().unwrap_or_default();
        let header = usize::try_from(header).unwrap_or(usize::MAX).min(bytes.len());
        let body = bytes.slice(header..);
        // Before the header stands its length, since Arrow 0.15 behind a mark.
        let prefix = if bytes.starts_with(&CONTINUATION) { 8 } else { 4 };
        let header = bytes.get(prefix..header).unwrap_or_default().to_vec();
        Ok(Some(Frame { start: range.start, header, body: Buffer::from(body) }))
    }
}

/// Where a message lies, and how many bytes its header has.
fn message(block: &Block, end: u64) -> Result<(Range<u64>, u64), String> {
    let claimed = || {
        let (offset, header, body) = (block.offset(), block.metaDataLength(), block.bodyLength());
        format!("a message of {header} and {body} bytes at {offset} is claimed")
    };
    let number = |number: i64| u64::try_from(number).map_err(|_| claimed());
    let start = number(block.offset())?;
    let header = number(i64::from(block.metaDataLength()))?;
    let body = number(block.bodyLength())?;
    if body > MAX_BODY || header > MAX_HEADER {
        let most = if body > MAX_BODY { MAX_BODY } else { MAX_HEADER };
        return Err(format!("{}, more than {most}; write record batches of fewer rows", claimed()));
    }
    let range = start..start.saturating_add(header + body);
    if range.end > end {
        return Err(format!("{}, the footer begins at {end}", claimed()));
    }
    Ok((range, header))
}

/// Messages that lie behind each other, together.
fn runs(messages: Vec<Range<u64>>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for message in messages {
        match runs.last_mut() {
            Some(run)
                if message.start >= run.range.end
                    && message.start - run.range.end <= GAP_BYTES
                    && message.end - run.range.start <= RUN_BYTES =>
            {
                run.range.end = message.end;
                run.messages.push(message);
            }
            _ => runs.push(Run { range: message.clone(), messages: vec![message] }),
        }
    }
    runs
}

fn fetch(ranges: &dyn RangeRead, range: Range<u64>, name: &str) -> Result<Bytes, DecodeError> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    crate::window::exactly(ranges, range).map_err(|error| DecodeError::from_io(name, error))
}
