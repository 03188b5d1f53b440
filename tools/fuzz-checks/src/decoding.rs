//! Runs a decoder to its end, and what must hold of everything that it gives.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::Array as _;
use bytes::Bytes;
use decode::{DecodeError, DecodedBatch, Input, RangeRead, Request};

/// All that a decoder gave, and the error that ended it.
pub(crate) struct Outcome {
    pub(crate) batches: Vec<DecodedBatch>,
    pub(crate) error: Option<DecodeError>,
}

/// Decodes an object; a stream gives at most so many bytes at once.
pub(crate) fn decode(content: &[u8], at_once: usize, request: &Request) -> Outcome {
    if !decode::needs_ranges(&request.format) {
        return decode_stream(content, at_once, request);
    }
    decode_input(Input::Ranges(Arc::new(Memory(Bytes::copy_from_slice(content)))), request)
}

/// Decodes an object from front to back, at most so many bytes at once.
pub(crate) fn decode_stream(content: &[u8], at_once: usize, request: &Request) -> Outcome {
    decode_input(Input::Stream(Box::new(Dripping::new(content, at_once))), request)
}

fn decode_input(input: Input, request: &Request) -> Outcome {
    let mut outcome = Outcome { batches: Vec::new(), error: None };
    let mut decoder = match decode::open(input, request.clone()) {
        Ok(decoder) => decoder,
        Err(error) => return Outcome { error: Some(error), ..outcome },
    };
    let mut next = request.start_row;
    loop {
        match decoder.next_batch() {
            Ok(Some(batch)) => {
                assert_orderly(&batch, next, request);
                next = batch.rows.end;
                outcome.batches.push(batch);
            }
            Ok(None) => return outcome,
            Err(error) => return Outcome { error: Some(error), ..outcome },
        }
    }
}

/// A batch covers the next rows, each row is there once, and its columns are
/// what was asked for and in themselves sound.
fn assert_orderly(batch: &DecodedBatch, next: u64, request: &Request) {
    let DecodedBatch { rows, row_numbers, rejected, .. } = batch;
    assert_eq!(rows.start, next, "batches leave no gap");
    let covered = rows.end - rows.start;
    assert!(0 < covered && covered <= request.plan.rows_from(rows.start), "{rows:?}");
    assert_eq!(covered, (row_numbers.len() + rejected.len()) as u64, "every row is there");
    let mut numbers: Vec<u64> =
        row_numbers.iter().copied().chain(rejected.iter().map(|row| row.row)).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(rows.clone()), "every row is there once");
    assert!(row_numbers.is_sorted());
    assert_eq!(batch.batch.num_rows(), row_numbers.len());
    assert_eq!(batch.batch.num_columns(), request.fields.len());
    for (column, field) in batch.batch.columns().iter().zip(&request.fields) {
        column.to_data().validate_full().expect("a sound column");
        if let (Some(wanted), false) = (&field.column_type, decode::needs_ranges(&request.format)) {
            let held = native::arrow_type(wanted);
            let found = match column.data_type() {
                arrow::datatypes::DataType::Dictionary(_, values) => values,
                plain => plain,
            };
            let is_text = found.equals_datatype(&arrow::datatypes::DataType::Utf8);
            assert!(is_text || *found == held, "{found} for a {wanted}");
        }
    }
}

/// Asserts that two decodings of the same rows gave the same.
pub(crate) fn assert_same(one: &Outcome, other: &Outcome) {
    assert_eq!(one.error.as_ref().map(told), other.error.as_ref().map(told));
    assert_same_batches(&one.batches, &other.batches);
}

/// Asserts that two decoders gave the same batches.
pub(crate) fn assert_same_batches(one: &[DecodedBatch], other: &[DecodedBatch]) {
    assert_eq!(one.len(), other.len(), "as many batches");
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one.rows, other.rows);
        assert_eq!(one.row_numbers, other.row_numbers);
        assert_eq!(one.batch, other.batch);
        assert_eq!(one.rejected, other.rejected);
        for row in 0..one.batch.num_rows() {
            assert_eq!(one.raw.get(row), other.raw.get(row));
        }
    }
}

/// An error in words, without what depends on how far a buffer was read ahead.
pub(crate) fn told(error: &DecodeError) -> String {
    match error {
        DecodeError::Corrupt { .. } => "corrupt".to_owned(),
        DecodeError::Truncated { .. } => "truncated".to_owned(),
        DecodeError::Ratio { .. } => "ratio".to_owned(),
        other => other.to_string(),
    }
}

/// A stream that gives at most so many bytes at a time, and is interrupted now
/// and then.
pub(crate) struct Dripping {
    content: Vec<u8>,
    at: usize,
    at_once: usize,
    reads: usize,
}

impl Dripping {
    pub(crate) fn new(content: &[u8], at_once: usize) -> Self {
        Self { content: content.to_vec(), at: 0, at_once, reads: 0 }
    }
}

impl Read for Dripping {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.at_once < usize::MAX && self.reads.is_multiple_of(7) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = buf.len().min(self.at_once);
        let count = (&self.content[self.at..]).read(&mut buf[..count])?;
        self.at += count;
        Ok(count)
    }
}

/// An object in memory, read by ranges.
struct Memory(Bytes);

impl RangeRead for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let place = |at: u64| usize::try_from(at).expect("within memory");
        assert!(range.start <= range.end && range.end <= self.size(), "{range:?} is outside");
        Ok(self.0.slice(place(range.start)..place(range.end)))
    }
}
