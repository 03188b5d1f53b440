//! JSON text: one object a row, its fields as spans of the text.
//!
//! The rows of a batch are gathered in one text, and each is walked for where the
//! values of its fields stand; the columns take the values some rows at a time,
//! while their text is near. Of a key that stands twice, the last counts.

mod buffer;
mod columns;
mod drift;
mod fields;
mod gather;
mod keys;
mod path;
mod reason;
mod rows;
mod scan;
mod strict;
#[cfg(test)]
mod tests;
mod text;
mod unescape;

use std::collections::BTreeMap;
use std::ops::Range;

use model::document::{Json, MissingColumn, UnknownColumn};
use model::{Drift, DriftKind, RejectedRow};
use serde::de::IgnoredAny;

use crate::batch::Spare;
use crate::sniff::Stream;
use crate::{DecodeError, DecodedBatch, Decoder, Place, RawRows, Request, encoding};
use columns::Columns;
use fields::Wanted;
use gather::Gathered;
use rows::Rows;
use strict::Strict;

/// Most bytes of a row, and of a batch besides its last row, whatever is asked
/// for: places in the text of a batch, and in what is unescaped of it, are
/// held in 32 bits.
const MAX_BYTES: usize = 1 << 29;

/// Opens a JSON text.
pub(crate) fn open(
    stream: Stream,
    options: &Json,
    request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let (stream, mark) = encoding::without_byte_order_mark(stream)
        .map_err(|error| DecodeError::from_io(&request.name, error))?;
    let max_row_bytes = request.limits.max_row_bytes.min(MAX_BYTES);
    let judges_unknown =
        matches!(request.drift.unknown, UnknownColumn::Quarantine | UnknownColumn::Fail);
    Ok(Box::new(JsonDecoder {
        rows: Rows::new(stream, mark, options, request.name.clone(), max_row_bytes),
        wanted: Wanted::new(&request.fields),
        columns: Columns::new(&request.fields, judges_unknown),
        spare: Spare::default(),
        has_any: false,
        met: drift::Met::default(),
        request,
    }))
}

/// What is wrong with a text that is to be one JSON object; nothing of one that is.
pub(crate) fn object_problem(text: &str) -> Option<String> {
    let row = Strict::new(text, text.len());
    let start = row.space(0);
    let end = (row.byte(start) == b'{').then(|| row.value(start, 0)).flatten();
    match end {
        Some(end) if row.space(end) == text.len() => None,
        _ => Some(reason::refused(text)),
    }
}

struct JsonDecoder {
    rows: Rows,
    wanted: Wanted,
    columns: Columns,
    /// Buffers for the texts of later batches.
    spare: Spare,
    /// A row had one of the fields.
    has_any: bool,
    met: drift::Met,
    request: Request,
}

impl Decoder for JsonDecoder {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, DecodeError> {
        self.skip()?;
        let start = self.rows.next;
        let end = start.saturating_add(self.request.plan.rows_from(start));
        let most = self.request.plan.batch_bytes.min(MAX_BYTES);
        let mut gathered = Gathered::within(self.spare.take());
        let (mut row_numbers, mut raw_rows, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0;
        self.columns.begin();
        while self.rows.next == start || (self.rows.next < end && bytes < most) {
            let row = self.rows.next;
            let found = self.rows.read(|row| {
                bytes += row.len();
                gathered.push(row)
            })?;
            let (bad, raw) = match found {
                None => break,
                Some(Err(torn)) => (Bad::row(reason::torn(&torn)), torn),
                Some(Ok(at)) => match self.read(row, &mut gathered.text, &at)? {
                    Ok(()) => {
                        row_numbers.push(row);
                        raw_rows.push(at);
                        continue;
                    }
                    Err(bad) => (bad, gathered.text.as_bytes()[at].to_vec()),
                },
            };
            let Bad { column, reason } = bad;
            rejected.push(RejectedRow { row, column, column_type: String::new(), reason, raw });
        }
        if self.rows.next == start {
            if start > 0 {
                self.met.judge_missing(self.columns.absent(), &self.request);
            }
            return Ok(None);
        }
        let text = gathered.text;
        // Judged by the first batch alone, so that every attempt judges alike.
        if let Some(first) = raw_rows.first()
            && start == 0
            && !self.has_any
            && !self.request.fields.is_empty()
        {
            let keys: BTreeMap<String, IgnoredAny> =
                serde_json::from_str(&text[first.clone()]).unwrap_or_default();
            // An empty row may leave out what it has none of.
            if !keys.is_empty() {
                return Err(self.request.nothing_in_common(keys.keys().map(String::as_str)));
            }
        }
        self.met.judge_unknown(self.columns.take_new(), start, &self.request)?;
        let batch = self.columns.finish(&text, &self.request.fields, &self.request.name)?;
        let raw = RawRows::text(text.into_bytes(), raw_rows, self.spare.clone());
        Ok(Some(DecodedBatch { rows: start..self.rows.next, row_numbers, batch, raw, rejected }))
    }

    fn take_drift(&mut self) -> Vec<Drift> {
        self.met.take()
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
        while self.rows.next < self.request.start_row && self.rows.read(|_| ())?.is_some() {}
        Ok(())
    }

    /// Finds the values of one row. The outer error ends the object, the inner
    /// one puts the row aside.
    fn read(
        &mut self,
        row: u64,
        text: &mut String,
        at: &Range<usize>,
    ) -> Result<Result<(), Bad>, DecodeError> {
        self.columns.begin_row(row, text.len());
        let verdict = match self.wanted.find(Strict::new(text, at.end), at.start, &mut self.columns)
        {
            Some(()) => self.judge(row, text)?,
            None => Err(Bad::row(reason::refused(&text[at.clone()]))),
        };
        match &verdict {
            Ok(()) => {
                self.has_any = self.has_any || self.columns.has_any();
                self.columns.keep_row(text);
            }
            Err(_) => self.columns.drop_row(),
        }
        Ok(verdict)
    }

    /// What becomes of a row that is a JSON object.
    fn judge(&mut self, row: u64, text: &str) -> Result<Result<(), Bad>, DecodeError> {
        let (request, place) = (&self.request, Place::row(row));
        if let Some(field) = self.columns.unknown() {
            if request.drift.unknown == UnknownColumn::Fail {
                return Err(DecodeError::UnknownField { name: request.name.clone(), field, place });
            }
            self.met.quarantined(DriftKind::Unknown, &field, row);
            let reason =
                format!("key `{field}` is not in the source document (drift.unknown: quarantine)");
            return Ok(Err(Bad::row(reason)));
        }
        if request.drift.missing != MissingColumn::Null
            && let Some(field) = self.columns.missing(&self.request.fields)
        {
            let field = &request.fields[field];
            let (origin, column) = (field.origin.to_string(), field.required_by.clone());
            if request.drift.missing == MissingColumn::Fail {
                let name = request.name.clone();
                return Err(DecodeError::MissingField { name, origin, column, place });
            }
            self.met.quarantined(DriftKind::Missing, &origin, row);
            let reason = format!("the row has no `{origin}` (drift.missing: quarantine)");
            return Ok(Err(Bad { column, reason }));
        }
        if let Some((field, at)) = self.columns.torn() {
            let field = &request.fields[field];
            let column = field.required_by.clone();
            let reason = reason::half_pair(&field.origin, &text[at.start - 1..=at.end]);
            return Ok(Err(Bad { column, reason }));
        }
        Ok(Ok(()))
    }
}
