//! The rows of a batch in one text.

use std::ops::Range;

/// Rows, one behind the other, a line break behind each. Behind a row stands what
/// is unescaped of it.
pub(super) struct Gathered {
    pub(super) text: String,
}

impl Gathered {
    /// No rows yet, in a buffer that may hold anything.
    pub(super) fn within(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        // Nothing is always a text.
        Self { text: String::from_utf8(buffer).unwrap_or_default() }
    }

    /// Adds a row, and tells where it lies; one that is no UTF-8 is given back.
    pub(super) fn push(&mut self, row: &[u8]) -> Result<Range<usize>, Vec<u8>> {
        let row = simdutf8::basic::from_utf8(row).map_err(|_| row.to_vec())?;
        let start = self.text.len();
        self.text.push_str(row);
        let end = self.text.len();
        self.text.push('\n');
        Ok(start..end)
    }
}
