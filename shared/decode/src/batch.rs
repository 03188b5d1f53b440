//! What comes out of a decoder: a batch, the bytes its rows came from, and the
//! rows that could not be decoded.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use model::RejectedRow;

use crate::{DecodeError, FieldRequest};

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
    Text { bytes: Vec<u8>, rows: Vec<Range<usize>> },
    /// For binary formats: made from the decoded values when it is asked for.
    Computed(Box<dyn Fn(usize) -> Vec<u8> + Send + Sync>),
}

impl RawRows {
    /// Rows that are parts of one text.
    pub(crate) fn text(bytes: Vec<u8>, rows: Vec<Range<usize>>) -> Self {
        Self(Raw::Text { bytes, rows })
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
            Raw::Text { bytes, rows } => rows
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
            Raw::Text { .. } => "RawRows(text)",
            Raw::Computed(_) => "RawRows(computed)",
        })
    }
}

/// The columns of a text format while a batch is being built.
pub(crate) struct TextColumns {
    schema: SchemaRef,
    builders: Vec<StringBuilder>,
    rows: usize,
}

impl TextColumns {
    /// No rows yet.
    pub(crate) fn new(fields: &[FieldRequest]) -> Self {
        let schema =
            fields.iter().map(|field| Field::new(&field.required_by, DataType::Utf8, true));
        Self {
            schema: Arc::new(Schema::new(schema.collect::<Vec<_>>())),
            builders: fields.iter().map(|_| StringBuilder::new()).collect(),
            rows: 0,
        }
    }

    /// Adds a row: one value per field, in their order.
    pub(crate) fn push<'a>(&mut self, values: impl IntoIterator<Item = Option<&'a str>>) {
        for (builder, value) in self.builders.iter_mut().zip(values) {
            builder.append_option(value);
        }
        self.rows += 1;
    }

    /// The rows so far as a batch; the next one is expected to be as large.
    pub(crate) fn finish(&mut self, name: &str) -> Result<RecordBatch, DecodeError> {
        let rows = std::mem::take(&mut self.rows);
        let columns = self.builders.iter_mut().map(|builder| {
            let bytes = builder.values_slice().len();
            let next = StringBuilder::with_capacity(rows, bytes + bytes / 8);
            Arc::new(std::mem::replace(builder, next).finish()) as ArrayRef
        });
        RecordBatch::try_new_with_options(
            self.schema.clone(),
            columns.collect(),
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )
        .map_err(|source| DecodeError::Batch { name: name.to_owned(), source })
    }
}
