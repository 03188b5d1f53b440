//! What the tests of the text formats share: requests, and outcomes that can
//! be compared.

use std::io::{self, Read};
use std::ops::Range;

use arrow::array::AsArray;
use model::BatchPlan;
use model::document::{Compression, Drift, Format};

use crate::{DecodeError, FieldOrigin, FieldRequest, Input, Limits, Request, open};

/// A request for the fields of these origins; one with dots is a path. Each
/// goes to a column named like it.
pub(crate) fn request(format: Format, fields: &[&str]) -> Request {
    let field = |text: &&str| FieldRequest {
        origin: if text.contains('.') {
            FieldOrigin::Path(text.split('.').map(str::to_owned).collect())
        } else {
            FieldOrigin::Column((*text).to_owned())
        },
        empty_is_text: false,
        column_type: None,
        required_by: (*text).to_owned(),
        is_optional: false,
    };
    Request {
        format,
        compression: Compression::Auto,
        name: "s3://bucket/object@etag".to_owned(),
        fields: fields.iter().map(field).collect(),
        drift: Drift::default(),
        plan: BatchPlan::for_chunks(1_000),
        start_row: 0,
        limits: Limits::default(),
    }
}

/// All that a decoder gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) batches: Vec<Range<u64>>,
    pub(crate) rows: Vec<Row>,
    /// Ordinal, column, reason, raw text.
    pub(crate) rejected: Vec<(u64, String, String, String)>,
}

/// A row that was decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) values: Vec<Option<String>>,
    pub(crate) raw: String,
}

impl Outcome {
    /// The values of the rows, with `∅` for NULL.
    pub(crate) fn table(&self) -> Vec<Vec<&str>> {
        self.rows
            .iter()
            .map(|row| row.values.iter().map(|value| value.as_deref().unwrap_or("∅")).collect())
            .collect()
    }
}

/// Decodes an object to its end.
pub(crate) fn decode(bytes: &[u8], request: Request) -> Result<Outcome, DecodeError> {
    decode_dripping(bytes, usize::MAX, request)
}

/// Decodes an object that arrives in pieces.
pub(crate) fn decode_dripping(
    bytes: &[u8],
    at_once: usize,
    request: Request,
) -> Result<Outcome, DecodeError> {
    // The decoder wants a stream of its own.
    let stream = Dripping { bytes: bytes.to_vec(), at: 0, at_once };
    let mut decoder = open(Input::Stream(Box::new(stream)), request)?;
    let mut outcome = Outcome::default();
    while let Some(decoded) = decoder.next_batch()? {
        assert_eq!(decoded.batch.num_rows(), decoded.row_numbers.len());
        let covered = decoded.rows.end - decoded.rows.start;
        assert_eq!(covered, (decoded.row_numbers.len() + decoded.rejected.len()) as u64);
        for (i, number) in decoded.row_numbers.iter().enumerate() {
            let values = decoded.batch.columns().iter().map(|column| {
                let column = column.as_string::<i32>();
                arrow::array::Array::is_valid(column, i).then(|| column.value(i).to_owned())
            });
            outcome.rows.push(Row {
                number: *number,
                values: values.collect(),
                raw: String::from_utf8_lossy(&decoded.raw.get(i)).into_owned(),
            });
        }
        outcome.rejected.extend(decoded.rejected.into_iter().map(|row| {
            (row.row, row.column, row.reason, String::from_utf8_lossy(&row.raw).into_owned())
        }));
        outcome.batches.push(decoded.rows);
    }
    Ok(outcome)
}

/// A stream that gives at most so many bytes at a time.
struct Dripping {
    bytes: Vec<u8>,
    at: usize,
    at_once: usize,
}

impl Read for Dripping {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = buf.len().min(self.at_once);
        let count = (&self.bytes[self.at..]).read(&mut buf[..count])?;
        self.at += count;
        Ok(count)
    }
}
