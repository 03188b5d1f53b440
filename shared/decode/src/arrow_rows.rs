//! Arrow batches of any size become the batches of the plan.
//!
//! Writers cut their record batches and row groups as they like; a replay must
//! cut the same blocks. So the cut depends only on the numbers and the weight of
//! the rows from the start of their chunk on.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use model::{Drift, RejectedRow};
use native::weight;

use crate::fields::Fields;
use crate::{DecodeError, DecodedBatch, Decoder, Place, RawRows, Request, meaning, raw_json};

/// Most bytes of the rows of a batch, each value written out.
const MAX_BATCH_WEIGHT: u64 = 32 * 1024 * 1024;

/// A decoder over a source of Arrow batches.
pub(crate) struct ArrowRows<S> {
    source: S,
    /// What the source's columns mean.
    meant: SchemaRef,
    fields: Fields,
    request: Request,
    /// Ordinal of the next row that goes out.
    row: u64,
    /// Rows of the source that lie before it.
    skip: u64,
    /// Rows that came and have not gone out.
    waiting: VecDeque<RecordBatch>,
}

impl<S: Iterator<Item = Result<RecordBatch, DecodeError>>> ArrowRows<S> {
    /// The source's first row has the ordinal `first_row`, which must not be
    /// after `request.start_row`; its columns mean what `meant` says.
    pub(crate) fn new(
        source: S,
        first_row: u64,
        meant: SchemaRef,
        fields: Fields,
        request: Request,
    ) -> Self {
        let row = request.start_row;
        let skip = row.saturating_sub(first_row);
        let waiting = VecDeque::new();
        Self { source, meant, fields, request, row, skip, waiting }
    }

    /// The rows of one batch of the plan, and their ordinals.
    fn next_rows(&mut self) -> Result<Option<(Range<u64>, RecordBatch)>, DecodeError> {
        let wanted = usize::try_from(self.request.plan.rows_from(self.row)).unwrap_or(usize::MAX);
        let mut parts = Vec::new();
        let (mut taken, mut weight) = (0, 0);
        while taken < wanted {
            let Some(batch) = self.waiting.pop_front() else {
                let Some(batch) = self.source.next().transpose()? else { break };
                self.keep(batch);
                continue;
            };
            let part = batch.slice(0, batch.num_rows().min(wanted - taken));
            let (fits, heavy) = weight::rows_within(&part, MAX_BATCH_WEIGHT - weight);
            // One row goes out, whatever it weighs.
            let rows = if parts.is_empty() { fits.max(1) } else { fits };
            if rows < batch.num_rows() {
                self.waiting.push_front(batch.slice(rows, batch.num_rows() - rows));
            }
            if rows > 0 {
                parts.push(part.slice(0, rows));
            }
            taken += rows;
            weight += heavy;
            if fits < part.num_rows() {
                break;
            }
        }
        let batch = match parts.as_slice() {
            [] => return Ok(None),
            [one] => one.clone(),
            parts => concat(parts).map_err(|error| self.malformed(&error.to_string()))?,
        };
        let start = self.row;
        self.row += u64::try_from(taken).unwrap_or(u64::MAX);
        Ok(Some((start..self.row, batch)))
    }

    fn keep(&mut self, batch: RecordBatch) {
        let rows = batch.num_rows();
        let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(rows);
        self.skip -= u64::try_from(passed).unwrap_or(self.skip);
        if rows > passed {
            self.waiting.push_back(batch.slice(passed, rows - passed));
        }
    }

    fn malformed(&self, reason: &str) -> DecodeError {
        DecodeError::Malformed {
            name: self.request.name.clone(),
            format: self.request.format.name(),
            place: Place::row(self.row),
            reason: reason.to_owned(),
        }
    }
}

/// A row as JSON. Bytes that are texts are shown as such.
fn raw_row(batch: &RecordBatch, meant: &Schema, row: usize) -> Vec<u8> {
    if row >= batch.num_rows() {
        return Vec::new();
    }
    // Without its dictionaries, all of whose values would be looked at.
    let (one, meant) = match unpacked(&batch.slice(row, 1)) {
        Ok(one) => (one, &without_dictionaries(meant)),
        Err(_) => (batch.slice(row, 1), meant),
    };
    raw_json::row(&meaning::of_batch(&one, meant).unwrap_or(one), 0)
}

fn without_dictionaries(schema: &Schema) -> Schema {
    let plain = |field: &FieldRef| match field.data_type() {
        DataType::Dictionary(_, plain) => {
            Arc::new(field.as_ref().clone().with_data_type(plain.as_ref().clone()))
        }
        _ => Arc::clone(field),
    };
    Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>())
}

/// One batch of several. Dictionaries that have too many values together for
/// their keys are unpacked.
fn concat(parts: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let schema = parts.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    let joined = concat_batches(&schema, parts);
    if !matches!(joined, Err(ArrowError::DictionaryKeyOverflowError)) {
        return joined;
    }
    let parts = parts.iter().map(unpacked).collect::<Result<Vec<_>, _>>()?;
    concat_batches(&parts.first().map_or(schema, RecordBatch::schema), &parts)
}

fn unpacked(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let plain = |(field, values): (&FieldRef, &ArrayRef)| match field.data_type() {
        DataType::Dictionary(_, plain) => {
            let values = cast(values, plain)?;
            Ok((Field::new(field.name(), plain.as_ref().clone(), true), values))
        }
        _ => Ok((field.as_ref().clone(), values.clone())),
    };
    let columns = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(plain)
        .collect::<Result<Vec<_>, ArrowError>>()?;
    let (fields, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

impl<S: Iterator<Item = Result<RecordBatch, DecodeError>> + Send> Decoder for ArrowRows<S> {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, DecodeError> {
        let Some((rows, source)) = self.next_rows()? else { return Ok(None) };
        let kept =
            if self.fields.refused().is_some() { source.slice(0, 0) } else { source.clone() };
        let batch = self
            .fields
            .extract(&kept, &self.request)
            .map_err(|error| self.malformed(&error.to_string()))?;
        let rejected = match self.fields.refused() {
            None => Vec::new(),
            Some(reason) => (rows.clone().zip(0..source.num_rows()))
                .map(|(row, at)| RejectedRow {
                    row,
                    column: String::new(),
                    column_type: String::new(),
                    reason: reason.to_owned(),
                    raw: raw_row(&source, &self.meant, at),
                })
                .collect(),
        };
        let row_numbers = if rejected.is_empty() { rows.clone().collect() } else { Vec::new() };
        let meant = Arc::clone(&self.meant);
        let raw = RawRows::computed(move |row| raw_row(&kept, &meant, row));
        Ok(Some(DecodedBatch { rows, row_numbers, batch, raw, rejected }))
    }

    fn take_drift(&mut self) -> Vec<Drift> {
        std::mem::take(&mut self.fields.drift)
    }
}
