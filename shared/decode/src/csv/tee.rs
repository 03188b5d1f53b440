//! The bytes that the CSV parser has been given, kept until its rows are out.
//!
//! The parser hands out fields without their quotes; what goes to the
//! quarantine must be the row as it stands in the object. So the parser reads
//! through a tee, and a row is the bytes between two of its positions.

use std::io::{self, Read};
use std::ops::Range;

use crate::sniff::Stream;
use crate::{DecodeError, Place};

/// Keeps what it reads.
pub(super) struct Tee {
    inner: Stream,
    kept: Vec<u8>,
    /// Position of the first byte kept; positions are the parser's.
    from: u64,
    /// Bytes of the object before the parser's position 0.
    base: u64,
    row_start: u64,
    row: u64,
    max_row_bytes: usize,
    name: String,
}

impl Tee {
    pub(super) fn new(inner: Stream, base: u64, max_row_bytes: usize, name: String) -> Self {
        Self { inner, kept: Vec::new(), from: 0, base, row_start: 0, row: 0, max_row_bytes, name }
    }

    /// Notes that a row begins, from which the limit of its length counts.
    pub(super) fn begin_row(&mut self, row: u64, position: u64) {
        (self.row, self.row_start) = (row, position);
    }

    /// Refuses the current row when it reaches beyond the limit.
    pub(super) fn check_row(&self, end: u64) -> Result<(), DecodeError> {
        if end - self.row_start <= self.max_row_bytes as u64 {
            return Ok(());
        }
        Err(DecodeError::RowTooLong {
            name: self.name.clone(),
            place: Place::byte(self.base + self.row_start).in_row(self.row),
            limit: self.max_row_bytes,
            hint: "a quote is probably not closed; correct the row or `format.csv.quote`",
        })
    }

    /// The bytes between two positions, and where they lie among those kept.
    pub(super) fn slice(&self, positions: Range<u64>) -> (&[u8], usize) {
        // What is kept fits in memory, and so does an offset in it.
        let offset = |position: u64| {
            usize::try_from(position.saturating_sub(self.from)).unwrap_or(usize::MAX)
        };
        let start = offset(positions.start);
        (self.kept.get(start..offset(positions.end)).unwrap_or_default(), start)
    }

    /// Gives away what was kept before a position.
    pub(super) fn take(&mut self, position: u64) -> Vec<u8> {
        let count = usize::try_from(position.saturating_sub(self.from))
            .unwrap_or(usize::MAX)
            .min(self.kept.len());
        let rest = self.kept[count..].to_vec();
        self.kept.truncate(count);
        self.from += count as u64;
        std::mem::replace(&mut self.kept, rest)
    }

    /// Drops what was kept before a position, when it is worth the while.
    pub(super) fn release(&mut self, position: u64) {
        const WORTH: u64 = 1 << 20;
        if position.saturating_sub(self.from) >= WORTH {
            self.take(position);
        }
    }
}

impl Read for Tee {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // The parser asks for more only when it has used up all it had.
        self.check_row(self.from + self.kept.len() as u64)?;
        let count = self.inner.read(buf)?;
        self.kept.extend_from_slice(&buf[..count]);
        Ok(count)
    }
}
