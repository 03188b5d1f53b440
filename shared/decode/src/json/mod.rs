//! JSON text: one object a row, its fields as text.

mod buffer;
mod fields;
mod path;
mod rows;
mod scan;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;
use std::ops::Range;

use model::RejectedRow;
use model::document::{Json, MissingColumn, UnknownColumn};
use serde::de::IgnoredAny;

use crate::batch::TextColumns;
use crate::sniff::Stream;
use crate::{DecodeError, DecodedBatch, Decoder, Place, RawRows, Request, encoding};
use fields::{Wanted, column_text};
use rows::Rows;

/// Opens a JSON text.
pub(crate) fn open(
    stream: Stream,
    options: &Json,
    request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let (stream, mark) = encoding::without_byte_order_mark(stream)
        .map_err(|error| DecodeError::from_io(&request.name, error))?;
    Ok(Box::new(JsonDecoder {
        rows: Rows::new(stream, mark, options, request.name.clone(), request.limits.max_row_bytes),
        wanted: Wanted::new(&request.fields),
        built: TextColumns::new(&request.fields),
        last_bytes: 0,
        request,
    }))
}

struct JsonDecoder {
    rows: Rows,
    wanted: Wanted,
    built: TextColumns,
    /// Bytes of the batch before.
    last_bytes: usize,
    request: Request,
}

impl Decoder for JsonDecoder {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, DecodeError> {
        self.skip()?;
        let start = self.rows.next;
        let (raw, rows) = self.read_rows(start)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let (mut row_numbers, mut raw_rows, mut rejected) =
            (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()), Vec::new());
        let mut slots = vec![None; self.request.fields.len()];
        let mut values = Vec::with_capacity(slots.len());
        for (row, at) in (start..).zip(rows) {
            let bytes = &raw[at.clone()];
            match self.parse(row, bytes, &mut slots, &mut values)? {
                Ok(()) => {
                    self.built.push(values.iter().map(Option::as_deref));
                    row_numbers.push(row);
                    raw_rows.push(at);
                }
                Err(Bad { column, reason }) => {
                    rejected.push(RejectedRow {
                        row,
                        column,
                        column_type: String::new(),
                        reason,
                        raw: bytes.to_vec(),
                    });
                }
            }
        }
        let batch = self.built.finish(&self.request.name)?;
        let raw = RawRows::text(raw, raw_rows);
        Ok(Some(DecodedBatch { rows: start..self.rows.next, row_numbers, batch, raw, rejected }))
    }
}

/// Why a row is put aside, and the destination column at fault, if it is one.
struct Bad {
    column: String,
    reason: String,
}

impl Bad {
    fn row(reason: impl Into<String>) -> Self {
        Self { column: String::new(), reason: reason.into() }
    }
}

impl JsonDecoder {
    /// Passes over the rows before the first that is wanted.
    fn skip(&mut self) -> Result<(), DecodeError> {
        let mut passed = Vec::new();
        while self.rows.next < self.request.start_row && self.rows.read(&mut passed)?.is_some() {
            passed.clear();
        }
        Ok(())
    }

    /// The text of the rows of one batch, and where in it each row lies.
    fn read_rows(&mut self, start: u64) -> Result<(Vec<u8>, Vec<Range<usize>>), DecodeError> {
        let end = start.saturating_add(self.request.plan.rows_from(start));
        let (mut raw, mut rows) =
            (Vec::with_capacity(self.last_bytes + self.last_bytes / 8), Vec::new());
        while self.rows.next == start
            || (self.rows.next < end && raw.len() < self.request.plan.batch_bytes)
        {
            let Some(row) = self.rows.read(&mut raw)? else { break };
            rows.push(row);
        }
        self.last_bytes = raw.len();
        Ok((raw, rows))
    }

    /// Makes the values of one row. The outer error ends the object, the inner
    /// one puts the row aside.
    fn parse<'a>(
        &self,
        row: u64,
        bytes: &'a [u8],
        slots: &mut [Option<&'a str>],
        values: &mut Vec<Option<Cow<'a, str>>>,
    ) -> Result<Result<(), Bad>, DecodeError> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                return Ok(Err(Bad::row(format!(
                    "not valid UTF-8 at byte {} of the row",
                    error.valid_up_to()
                ))));
            }
        };
        if let Some(first) = text.trim_ascii_start().bytes().next().filter(|first| *first != b'{') {
            return Ok(Err(match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => Bad::row(format!("an object is expected, not {}", text::kind(first))),
                Err(error) => Bad::row(format!("malformed JSON: {error}")),
            }));
        }
        slots.fill(None);
        let mut unknown = None;
        let noted = (self.request.drift.unknown != UnknownColumn::Ignore).then_some(&mut unknown);
        if let Err(error) = self.wanted.find(text, slots, noted) {
            return Ok(Err(Bad::row(format!("malformed JSON: {error}"))));
        }
        if let Err(bad) = self.check_drift(row, unknown, slots)? {
            return Ok(Err(bad));
        }
        values.clear();
        for (slot, field) in slots.iter().zip(&self.request.fields) {
            match slot.map_or(Ok(None), column_text) {
                Ok(value) => values.push(value),
                Err(error) => {
                    let reason = format!("field `{}` is no valid text: {error}", field.origin);
                    return Ok(Err(Bad { column: field.required_by.clone(), reason }));
                }
            }
        }
        Ok(Ok(()))
    }

    fn check_drift(
        &self,
        row: u64,
        unknown: Option<String>,
        slots: &[Option<&str>],
    ) -> Result<Result<(), Bad>, DecodeError> {
        let (name, place) = (&self.request.name, Place::row(row));
        if let Some(field) = unknown {
            if self.request.drift.unknown == UnknownColumn::Fail {
                return Err(DecodeError::UnknownField { name: name.clone(), field, place });
            }
            let reason =
                format!("key `{field}` is not in the source document (drift.unknown: quarantine)");
            return Ok(Err(Bad::row(reason)));
        }
        if self.request.drift.missing == MissingColumn::Null {
            return Ok(Ok(()));
        }
        let missing = slots.iter().zip(&self.request.fields).find(|(slot, _)| slot.is_none());
        let Some((_, field)) = missing else { return Ok(Ok(())) };
        let (origin, column) = (field.origin.to_string(), field.required_by.clone());
        if self.request.drift.missing == MissingColumn::Fail {
            return Err(DecodeError::MissingField { name: name.clone(), origin, column, place });
        }
        let reason = format!("the row has no `{origin}` (drift.missing: quarantine)");
        Ok(Err(Bad { column, reason }))
    }
}
