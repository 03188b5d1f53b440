//! A window over a stream that slides forward and grows when a row needs it.

use std::io::{self, Read};

use crate::sniff::Stream;

/// First size of the window.
const SIZE: usize = 256 * 1024;

/// Text of a stream, as much of it as is needed at a time.
pub(super) struct TextBuffer {
    source: Stream,
    bytes: Vec<u8>,
    at: usize,
    filled: usize,
    /// Position in the object of `bytes[0]`.
    base: u64,
}

impl TextBuffer {
    /// A window at the start of `source`, which lies at `base` of its object.
    pub(super) fn new(source: Stream, base: u64) -> Self {
        Self { source, bytes: vec![0; SIZE], at: 0, filled: 0, base }
    }

    /// What is there and not yet consumed.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.at..self.filled]
    }

    /// Position in the object of the first byte of `rest`.
    pub(super) fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Moves the start of `rest` forward.
    pub(super) fn consume(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.filled);
    }

    /// Reads more behind `rest`; `false` at the end of the stream.
    pub(super) fn more(&mut self) -> io::Result<bool> {
        if self.filled == self.bytes.len() || self.at == self.filled {
            self.bytes.copy_within(self.at..self.filled, 0);
            self.base += self.at as u64;
            self.filled -= self.at;
            self.at = 0;
        }
        if self.filled == self.bytes.len() {
            self.bytes.resize(self.filled * 2, 0);
        }
        let count = self.source.read(&mut self.bytes[self.filled..])?;
        self.filled += count;
        Ok(count > 0)
    }

    /// The next byte that is not white space, not consumed; `None` at the end.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let rest = self.rest();
            let space = rest.iter().take_while(|byte| is_space(**byte)).count();
            let next = rest.get(space).copied();
            self.consume(space);
            if next.is_some() || !self.more()? {
                return Ok(next);
            }
        }
    }
}

/// White space as JSON has it.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
