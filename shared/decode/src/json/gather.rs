//! The rows of a batch in one text.

use std::ops::Range;

/// Rows, one behind the other, a line break behind each.
pub(super) struct Gathered {
    pub(super) text: String,
    /// Where each row lies; a torn one is not there.
    pub(super) rows: Vec<Range<usize>>,
    /// In their order.
    pub(super) torn: Vec<Torn>,
}

/// A row that is no UTF-8.
pub(super) struct Torn {
    /// Its place among the rows.
    pub(super) row: usize,
    pub(super) bytes: Vec<u8>,
}

impl Gathered {
    /// No rows yet, and about so many bytes to come.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), rows: Vec::new(), torn: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: &[u8]) {
        let start = self.text.len();
        match simdutf8::basic::from_utf8(row) {
            Ok(row) => self.text.push_str(row),
            Err(_) => self.torn.push(Torn { row: self.rows.len(), bytes: row.to_vec() }),
        }
        self.rows.push(start..self.text.len());
        self.text.push('\n');
    }
}
