//! Lines and values of a JSON text, one at a time, and the words for what is
//! wrong with it.

use std::io;

use memchr::memchr;

use super::buffer::TextBuffer;
use super::scan::{Scan, Scanner};
use crate::sniff::Stream;
use crate::{DecodeError, Place};

/// A text and what is needed to speak about it.
pub(super) struct Text {
    pub(super) buffer: TextBuffer,
    name: String,
    max_row_bytes: usize,
    scanner: Scanner,
    /// The brackets around the array of rows.
    pub(super) around: Vec<u8>,
}

impl Text {
    /// The start of a stream, which lies at `base` of its object.
    pub(super) fn new(stream: Stream, base: u64, name: String, max_row_bytes: usize) -> Self {
        Self {
            buffer: TextBuffer::new(stream, base),
            name,
            max_row_bytes,
            scanner: Scanner::new(),
            around: Vec::new(),
        }
    }

    /// The next byte that is not white space.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, DecodeError> {
        self.buffer.peek().map_err(|error| self.unreadable(error))
    }

    /// Length of the next line, without and with its end; `None` when there is none.
    pub(super) fn line(&mut self) -> Result<Option<(usize, usize)>, DecodeError> {
        let mut scanned = 0;
        loop {
            let found = memchr(b'\n', &self.buffer.rest()[scanned..]);
            scanned = found.map_or(self.buffer.rest().len(), |at| scanned + at);
            if scanned > self.max_row_bytes {
                return Err(self.too_long());
            }
            if found.is_some() {
                return Ok(Some((scanned, scanned + 1)));
            }
            if !self.more()? {
                return Ok((scanned > 0).then_some((scanned, scanned)));
            }
        }
    }

    /// Length of the value that begins here; all of it is in the buffer then.
    pub(super) fn value(&mut self) -> Result<usize, DecodeError> {
        self.scanner.restart();
        let mut scanned = 0;
        loop {
            let outcome = self.scanner.scan(&self.buffer.rest()[scanned..]);
            let length = match outcome {
                Scan::More => self.buffer.rest().len(),
                Scan::End(at) | Scan::Broken(at, _) => scanned + at,
            };
            if length > self.max_row_bytes {
                return Err(self.too_long());
            }
            match outcome {
                Scan::More => scanned = length,
                Scan::End(_) => return Ok(length),
                Scan::Broken(_, reason) => {
                    self.buffer.consume(length);
                    return Err(self.malformed(reason));
                }
            }
            if !self.more()? {
                return Err(self.cut_off());
            }
        }
    }

    /// Passes over a value of any length.
    pub(super) fn pass(&mut self, mut scanner: Scanner) -> Result<(), DecodeError> {
        loop {
            match scanner.scan(self.buffer.rest()) {
                Scan::More => self.buffer.consume(usize::MAX),
                Scan::End(at) => {
                    self.buffer.consume(at);
                    return Ok(());
                }
                Scan::Broken(at, reason) => {
                    self.buffer.consume(at);
                    return Err(self.malformed(reason));
                }
            }
            if !self.more()? {
                return Err(self.cut_off());
            }
        }
    }

    /// Refuses a text that is plainly no lines of JSON.
    pub(super) fn check_lines(&mut self) -> Result<(), DecodeError> {
        match self.peek()? {
            Some(b'[') => {
                let reason = "the text is an array, and the source says `layout: lines`; set `format.json.layout: array`";
                return Err(self.malformed(reason));
            }
            Some(b'{') => {}
            _ => return Ok(()),
        }
        if self.line()?.is_some_and(|(line, _)| self.buffer.rest()[..line].trim_ascii() == b"{") {
            let reason = "the text is one document over several lines, and the source says `layout: lines`; \
                          set `format.json.layout: document` and `path`";
            return Err(self.malformed(reason));
        }
        Ok(())
    }

    pub(super) fn malformed(&self, reason: impl Into<String>) -> DecodeError {
        DecodeError::Malformed {
            name: self.name.clone(),
            format: "json",
            place: Place::byte(self.buffer.position()),
            reason: reason.into(),
        }
    }

    pub(super) fn unexpected(&self, expected: &str, found: u8) -> DecodeError {
        self.malformed(format!(
            "{expected} is expected, not `{}`",
            char::from(found).escape_default()
        ))
    }

    /// The text ends where it must not.
    pub(super) fn cut_off(&mut self) -> DecodeError {
        self.buffer.consume(usize::MAX);
        self.malformed(
            "the text ends before its brackets are closed; it is cut off: upload the object anew",
        )
    }

    fn too_long(&self) -> DecodeError {
        DecodeError::RowTooLong {
            name: self.name.clone(),
            place: Place::byte(self.buffer.position()),
            limit: self.max_row_bytes,
            hint: "correct the row, or `format.json.layout`",
        }
    }

    fn more(&mut self) -> Result<bool, DecodeError> {
        self.buffer.more().map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, error: io::Error) -> DecodeError {
        DecodeError::from_io(&self.name, error)
    }
}

/// What a value is that begins with this byte, in words.
pub(super) fn kind(first: u8) -> &'static str {
    match first {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a text",
        b'0'..=b'9' | b'-' => "a number",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "something that is no JSON",
    }
}
