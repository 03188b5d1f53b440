//! The messages of an Arrow stream, told apart without being believed.
//!
//! Every framing there has been: with and without continuation marks, with and
//! without a mark of the end, alone or between the magic bytes of a file that was
//! compressed as a whole. A file whose footer is missing was cut off, which the
//! messages alone do not show.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::{Message, MessageHeader, root_as_message};
use model::document::Format;

use crate::sniff::binary_kind;
use crate::{DecodeError, Place};

/// Begins a file; two bytes of padding follow.
pub(super) const MAGIC: &[u8; 6] = b"ARROW1";
/// Where the first message of a file begins at the latest.
const MAX_PADDING: u64 = 128;
/// Begins a message since Arrow 0.15.
pub(super) const CONTINUATION: [u8; 4] = [0xff; 4];
/// Bytes reserved before the first of them has arrived.
const RESERVE: u64 = 1024 * 1024;
/// Largest body of a message, which is in memory as a whole: record batches of a
/// sensible writer have a hundredth of it.
pub(super) const MAX_BODY: u64 = 1024 * 1024 * 1024;
/// Largest message header: one of a hundred thousand columns has a tenth of it.
pub(super) const MAX_HEADER: u64 = 256 * 1024 * 1024;

/// One message: its header, and the bytes after it.
pub(super) struct Frame {
    /// Where it begins, counted in bytes.
    pub(super) start: u64,
    pub(super) header: Vec<u8>,
    /// The buffers of its arrays.
    pub(super) body: Buffer,
}

impl Frame {
    /// The header, understood.
    pub(super) fn message(&self) -> Result<Message<'_>, String> {
        root_as_message(&self.header)
            .map_err(|error| format!("a message cannot be understood: {error}"))
    }
}

/// The messages of a stream, one after the other.
pub(super) struct Messages {
    stream: Box<dyn Read + Send>,
    name: String,
    /// Bytes read so far.
    offset: u64,
    /// The stream lies in a file, which has a footer.
    file: bool,
    /// Messages began with a continuation marker.
    marked: bool,
    ended: bool,
}

impl Messages {
    /// Reads the magic bytes of a file, if there are any.
    pub(super) fn begin(stream: Box<dyn Read + Send>, name: &str) -> Result<Self, DecodeError> {
        let mut messages = Self {
            stream,
            name: name.to_owned(),
            offset: 0,
            file: false,
            marked: false,
            ended: false,
        };
        let mut head = [0; 8];
        let count = messages.fill(&mut head)?;
        let head = head.get(..count).unwrap_or_default();
        if head.is_empty() {
            return Err(messages.malformed("the object is empty (0 bytes); upload it anew"));
        }
        if head.starts_with(MAGIC) {
            messages.file = true;
            return messages.after_padding();
        }
        let marked = head.starts_with(&CONTINUATION);
        let length = head.first_chunk::<4>().map_or(-1, |length| i32::from_le_bytes(*length));
        // Before 0.15 a stream began with the length of the schema, in any
        // case less than 16 MiB.
        let legacy =
            (1..1 << 24).contains(&length) && head.len() == 8 && binary_kind(head).is_none();
        if !marked && !legacy {
            let feather = head.starts_with(b"FEA1").then_some("a Feather file of version 1");
            let found = feather.or(binary_kind(head)).unwrap_or("no Arrow IPC");
            return Err(DecodeError::WrongFormat {
                name: messages.name,
                stated: Format::Arrow.name(),
                found,
            });
        }
        messages.stream = Box::new(io::Cursor::new(head.to_vec()).chain(messages.stream));
        messages.offset = 0;
        Ok(messages)
    }

    /// Passes over the zeros that align the first message of a file: none, or
    /// to the next 64 bytes.
    fn after_padding(mut self) -> Result<Self, DecodeError> {
        let mut word = [0; 8];
        let mut count = 8;
        while count == 8 && word == [0; 8] && self.offset < MAX_PADDING {
            count = self.fill(&mut word)?;
        }
        let word = word.get(..count).unwrap_or_default().to_vec();
        self.offset -= u64::try_from(count).unwrap_or(0);
        self.stream = Box::new(io::Cursor::new(word).chain(self.stream));
        Ok(self)
    }

    /// The schema, which is the first message.
    pub(super) fn schema(&mut self) -> Result<SchemaRef, DecodeError> {
        let Some(frame) = self.next()? else {
            let reason = if self.file {
                "its messages are found by its footer alone, which a compressed object has out of reach: \
                 upload the file as it is (its record batches may be compressed)"
            } else {
                "the stream ends before its schema; upload the object anew"
            };
            return Err(self.malformed(reason));
        };
        let schema = frame.message().and_then(|message| {
            schema_of(message.header_as_schema().ok_or("the first message is no schema")?)
        });
        schema.map_err(|reason| self.malformed_at(Place::byte(frame.start), &reason))
    }

    /// The next message, or none at the end of the stream.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, DecodeError> {
        if self.ended {
            return Ok(None);
        }
        let start = self.offset;
        let mut word = [0; 4];
        match self.fill(&mut word)? {
            4 => {}
            // A stream may end without a mark; a file has a footer after it.
            0 if !self.file => return self.end(),
            _ => return Err(self.cut_off(start)),
        }
        let marked = word == CONTINUATION;
        let footer = self.file && !marked && self.marked;
        if marked {
            self.marked = true;
            if self.fill(&mut word)? < 4 {
                return Err(self.cut_off(start));
            }
        }
        let length = u32::from_le_bytes(word);
        if footer {
            // Messages had marks so far: this is the footer, before which some
            // writers leave out the mark of the end.
            return self.finish(&word);
        }
        if length == 0 {
            return self.finish(&[]);
        }
        let header = self.take(u64::from(length), MAX_HEADER, start)?;
        let claimed =
            root_as_message(&header).map(|message| (message.header_type(), message.bodyLength()));
        let claimed = match claimed {
            // Files before 0.15 have neither marks nor an end before the footer,
            // whose first bytes are then taken for a message.
            Ok((MessageHeader::NONE, _)) | Err(_) if self.file && !marked => {
                return self.finish(&header);
            }
            Ok((_, claimed)) => claimed,
            Err(error) => {
                return Err(self.malformed_at(
                    Place::byte(start),
                    &format!("a message cannot be understood: {error}"),
                ));
            }
        };
        let body = u64::try_from(claimed).map_err(|_| {
            self.malformed_at(Place::byte(start), &format!("a message claims {claimed} bytes"))
        })?;
        if body > MAX_BODY {
            let reason = format!(
                "a message claims {body} bytes, more than {MAX_BODY}; write record batches of fewer rows"
            );
            return Err(self.malformed_at(Place::byte(start), &reason));
        }
        let body = self.take(body, MAX_BODY, start)?;
        Ok(Some(Frame { start, header, body: Buffer::from_vec(body) }))
    }

    /// The end of the stream. A file must go on with a footer and the magic
    /// bytes, or it was cut off; `begun` is what was read of the footer.
    fn finish(&mut self, begun: &[u8]) -> Result<Option<Frame>, DecodeError> {
        if self.file {
            let start = self.offset;
            let mut last = begun.to_vec();
            let mut part = vec![0; 64 * 1024];
            loop {
                let count = self.fill(&mut part)?;
                last.extend_from_slice(part.get(..count).unwrap_or_default());
                last.drain(..last.len().saturating_sub(MAGIC.len()));
                if count < part.len() {
                    break;
                }
            }
            if last != MAGIC {
                return Err(self.cut_off(start));
            }
        }
        self.end()
    }

    fn end(&mut self) -> Result<Option<Frame>, DecodeError> {
        self.ended = true;
        Ok(None)
    }

    /// Reads until the buffer is full or the stream ends.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, DecodeError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.stream.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(DecodeError::from_io(&self.name, error)),
            }
        }
        self.offset += u64::try_from(filled).unwrap_or(0);
        Ok(filled)
    }

    /// Exactly `count` bytes of the message at `start`. Memory grows with the
    /// bytes that arrive, whatever is claimed.
    fn take(&mut self, count: u64, most: u64, start: u64) -> Result<Vec<u8>, DecodeError> {
        if count > most {
            return Err(self.malformed_at(
                Place::byte(start),
                &format!("a message header claims {count} bytes"),
            ));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(count.min(RESERVE)).unwrap_or(0));
        let taken = self.stream.by_ref().take(count).read_to_end(&mut bytes);
        let taken = taken.map_err(|error| DecodeError::from_io(&self.name, error))?;
        self.offset += u64::try_from(taken).unwrap_or(0);
        if u64::try_from(taken).ok() == Some(count) { Ok(bytes) } else { Err(self.cut_off(start)) }
    }

    fn cut_off(&self, start: u64) -> DecodeError {
        let what = if self.file {
            "the file has no footer: it"
        } else {
            "a message is incomplete: the stream"
        };
        self.malformed_at(
            Place::byte(start),
            &format!("{what} is cut off after {} bytes; upload the object anew", self.offset),
        )
    }

    /// Something is wrong with the object as a whole.
    pub(super) fn malformed(&self, reason: &str) -> DecodeError {
        self.malformed_at(Place::default(), reason)
    }

    /// Something is wrong in a place.
    pub(super) fn malformed_at(&self, place: Place, reason: &str) -> DecodeError {
        malformed(&self.name, place, reason)
    }
}

/// Something is wrong in a place of an object.
pub(super) fn malformed(name: &str, place: Place, reason: &str) -> DecodeError {
    DecodeError::Malformed {
        name: name.to_owned(),
        format: Format::Arrow.name(),
        place,
        reason: reason.to_owned(),
    }
}

/// A schema, understood.
pub(super) fn schema_of(schema: arrow::ipc::Schema<'_>) -> Result<SchemaRef, String> {
    let decode = || try_fb_to_schema(schema).map_err(|error| error.to_string());
    let decoded = catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err("the schema contradicts itself".to_owned()));
    decoded.map(Arc::new)
}
