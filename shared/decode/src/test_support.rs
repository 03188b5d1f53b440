//! What the tests of the binary formats share: an object in memory that counts
//! what is read of it, requests, and everything that a decoder gives.

use std::io;
use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;
use model::BatchPlan;
use model::document::{Compression, Drift, Format};

use crate::{
    DecodeError, DecodedBatch, Decoder, FieldOrigin, FieldRequest, Limits, RangeRead, Request,
};

/// A request for these fields, in chunks of 1000 rows; a dot makes a path.
pub(crate) fn request(format: Format, origins: &[&str]) -> Request {
    let fields = origins.iter().map(|origin| FieldRequest {
        origin: match origin.split_once('.') {
            None => FieldOrigin::Column((*origin).to_owned()),
            Some(_) => FieldOrigin::Path(origin.split('.').map(str::to_owned).collect()),
        },
        empty_is_text: false,
        column_type: None,
        required_by: format!("to_{origin}"),
        is_optional: false,
    });
    Request {
        format,
        compression: Compression::None,
        name: "s3://bucket/key".into(),
        fields: fields.collect(),
        drift: Drift::default(),
        plan: BatchPlan::for_chunks(1_000),
        start_row: 0,
        limits: Limits::default(),
    }
}

/// Every batch of a decoder.
pub(crate) fn batches(
    decoder: Result<Box<dyn Decoder>, DecodeError>,
) -> Result<Vec<DecodedBatch>, DecodeError> {
    let mut decoder = decoder?;
    let mut batches = Vec::new();
    while let Some(batch) = decoder.next_batch()? {
        batches.push(batch);
    }
    Ok(batches)
}

/// Asserts that two decoders gave the same.
pub(crate) fn assert_same(one: &[DecodedBatch], other: &[DecodedBatch]) {
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one.rows, other.rows);
        assert_eq!(one.row_numbers, other.row_numbers);
        assert_eq!(one.batch, other.batch);
        assert_eq!(one.rejected, other.rejected);
    }
}

/// An object in memory.
pub(crate) struct Counted {
    bytes: Bytes,
    reads: Mutex<Vec<Range<u64>>>,
    announced: Mutex<Vec<Range<u64>>>,
    fail_from: Mutex<usize>,
}

impl Counted {
    /// These bytes.
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            reads: Mutex::default(),
            announced: Mutex::default(),
            fail_from: Mutex::new(usize::MAX),
        }
    }

    /// Bytes that differ from place to place.
    pub(crate) fn of(size: usize) -> Self {
        let bytes: Vec<u8> =
            (0..size).map(|at| u8::try_from((at / 7 + at / 1_009) % 251).unwrap()).collect();
        Self::new(bytes)
    }

    /// Every read from this one on (counted from 0) fails.
    pub(crate) fn fail_from(&self, read: usize) {
        *self.fail_from.lock().unwrap() = read;
    }

    /// How many reads there were.
    pub(crate) fn reads(&self) -> usize {
        self.reads.lock().unwrap().len()
    }

    /// How many reads nobody had announced.
    pub(crate) fn unannounced(&self) -> usize {
        let announced = self.announced.lock().unwrap();
        self.reads.lock().unwrap().iter().filter(|range| !announced.contains(range)).count()
    }

    /// Bytes of the largest read.
    pub(crate) fn largest(&self) -> u64 {
        self.reads.lock().unwrap().iter().map(|range| range.end - range.start).max().unwrap_or(0)
    }

    /// Bytes of all reads.
    pub(crate) fn total(&self) -> u64 {
        self.reads.lock().unwrap().iter().map(|range| range.end - range.start).sum()
    }

    /// What a read must give.
    pub(crate) fn expected(&self, offset: u64, count: u64) -> Bytes {
        self.bytes.slice(usize::try_from(offset).unwrap()..usize::try_from(offset + count).unwrap())
    }
}

impl RangeRead for Counted {
    fn size(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap()
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let mut reads = self.reads.lock().unwrap();
        reads.push(range.clone());
        if reads.len() > *self.fail_from.lock().unwrap() {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the store is away"));
        }
        assert!(
            range.start < range.end && range.end <= self.size(),
            "{range:?} is not within the object"
        );
        Ok(self.expected(range.start, range.end - range.start))
    }

    fn will_read(&self, range: Range<u64>) {
        assert!(range.start < range.end && range.end <= self.size(), "{range:?}");
        self.announced.lock().unwrap().push(range);
    }
}
