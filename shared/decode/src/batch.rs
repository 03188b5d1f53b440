//! What comes out of a decoder: a batch, the bytes its rows came from, and the
//! rows that could not be decoded.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use model::RejectedRow;

/// A run of consecutive rows of an object.
#[derive(Debug)]
pub struct DecodedBatch {
    /// Ordinals covered, rejected rows included.
    pub rows: Range<u64>,
    /// The ordinal of each row of `batch`.
    pub row_numbers: Vec<u64>,
    /// One column per requested field, in the same order.
    pub batch: RecordBatch,
    /// The bytes that each row of `batch` came from.
    pub raw: RawRows,
    /// Rows that could not be decoded. Their `column_type` is empty: the
    /// decoder does not know it.
    pub rejected: Vec<RejectedRow>,
}

/// The rows of a batch as they stand in the object.
pub struct RawRows(Raw);

enum Raw {
    /// A run of the text and the place of each row in it.
    Text(Text),
    /// For binary formats: made from the decoded values when it is asked for.
    Computed(Box<dyn Fn(usize) -> Vec<u8> + Send + Sync>),
}

struct Text {
    bytes: Vec<u8>,
    rows: Vec<Range<usize>>,
    spare: Spare,
}

impl Drop for Text {
    fn drop(&mut self) {
        self.spare.put(std::mem::take(&mut self.bytes));
    }
}

/// Buffers of texts whose batches are gone, for the texts of later batches:
/// fresh memory costs more than the copy into it.
#[derive(Clone, Default)]
pub(crate) struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    /// Batches in flight: one being sent, one waiting.
    const MOST: usize = 2;
    /// A larger buffer held something unusual; it is not kept for the usual.
    const LARGEST: usize = 64 << 20;

    /// A buffer with anything in it, or an empty one.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().ok().and_then(|mut spare| spare.pop()).unwrap_or_default()
    }

    /// Keeps a buffer that nobody needs any more.
    pub(crate) fn put(&self, buffer: Vec<u8>) {
        if let Ok(mut spare) = self.0.lock()
            && spare.len() < Self::MOST
            && (1..=Self::LARGEST).contains(&buffer.capacity())
        {
            spare.push(buffer);
        }
    }
}

impl RawRows {
    /// Rows that are parts of one text, whose buffer goes to `spare` in the end.
    pub(crate) fn text(bytes: Vec<u8>, rows: Vec<Range<usize>>, spare: Spare) -> Self {
        Self(Raw::Text(Text { bytes, rows, spare }))
    }

    /// Rows that are written out on demand.
    pub(crate) fn computed(row: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self(Raw::Computed(Box::new(row)))
    }

    /// The row as it stands in the object, without its line end; for Parquet
    /// and Arrow, JSON text of the decoded values. Empty for a row that the
    /// batch does not have.
    #[must_use]
    pub fn get(&self, row_in_batch: usize) -> Vec<u8> {
        match &self.0 {
            Raw::Text(Text { bytes, rows, .. }) => rows
                .get(row_in_batch)
                .and_then(|row| bytes.get(row.clone()))
                .unwrap_or_default()
                .to_vec(),
            Raw::Computed(row) => row(row_in_batch),
        }
    }
}

impl fmt::Debug for RawRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rows can hold personal data: never in a log.
        f.write_str(match self.0 {
            Raw::Text(_) => "RawRows(text)",
            Raw::Computed(_) => "RawRows(computed)",
        })
    }
}
