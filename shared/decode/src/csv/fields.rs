//! From the fields of one record to the values of a row.

use std::ops::Range;

use ::csv::ByteRecord;
use model::document::Encoding;

use super::row::Dialect;
use crate::{FieldRequest, encoding};

/// Why a row is put aside.
pub(super) struct Bad {
    /// The destination column at fault; empty when it is the whole row.
    pub(super) column: String,
    pub(super) reason: String,
}

/// Reads the requested fields of one record after the other, with buffers that
/// are used again.
pub(super) struct FieldReader {
    nulls: Vec<String>,
    encoding: Encoding,
    dialect: Dialect,
    /// Characters of fields that cannot be used as they lie in the record.
    decoded: String,
    /// Where each value lies in the text; `None` is NULL.
    spans: Vec<Option<Range<usize>>>,
    quoted: Vec<bool>,
}

impl FieldReader {
    pub(super) fn new(nulls: Vec<String>, encoding: Encoding, dialect: Dialect) -> Self {
        Self {
            nulls,
            encoding,
            dialect,
            decoded: String::new(),
            spans: Vec::new(),
            quoted: Vec::new(),
        }
    }

    /// The values of the requested fields, which stand in `columns` of a record
    /// whose bytes are `raw`.
    pub(super) fn read<'a>(
        &'a mut self,
        record: &'a ByteRecord,
        raw: &[u8],
        columns: &[Option<usize>],
        fields: &[FieldRequest],
    ) -> Result<impl Iterator<Item = Option<&'a str>>, Bad> {
        self.spans.clear();
        self.quoted.clear();
        self.decoded.clear();
        let whole = whole_text(record, self.encoding);
        for (column, field) in columns.iter().zip(fields) {
            let range = column.and_then(|column| record.range(column));
            let span = match (range, whole) {
                (None, _) => None,
                (Some(range), Some(_)) => Some(range),
                (Some(range), None) => Some(self.decode(&record.as_slice()[range], field)?),
            };
            self.spans.push(span);
        }
        let text = whole.unwrap_or(&self.decoded);
        // Only fields that look like NULL need their quotes looked up.
        let has_quotes = raw.len() != record.as_slice().len() + record.len().saturating_sub(1);
        for (i, span) in self.spans.iter_mut().enumerate() {
            let Some(value) = span.as_ref().and_then(|span| text.get(span.clone())) else {
                continue;
            };
            if !self.nulls.iter().any(|null| null == value)
                || (value.is_empty() && fields[i].empty_is_text)
            {
                continue;
            }
            if has_quotes && self.quoted.is_empty() {
                self.dialect.quoted_fields(raw, &mut self.quoted);
            }
            let quoted =
                columns[i].and_then(|column| self.quoted.get(column)).copied().unwrap_or(false);
            if !quoted {
                *span = None;
            }
        }
        Ok(self.spans.iter().map(move |span| span.as_ref().and_then(|span| text.get(span.clone()))))
    }

    fn decode(&mut self, bytes: &[u8], field: &FieldRequest) -> Result<Range<usize>, Bad> {
        let start = self.decoded.len();
        encoding::append(&mut self.decoded, bytes, self.encoding).map_err(|at| Bad {
            column: field.required_by.clone(),
            reason: format!(
                "field `{}` is not valid UTF-8 at its byte {at} (0x{:02x}); if the object is ISO 8859-1, set `format.csv.encoding: latin1`",
                field.origin,
                bytes.get(at).copied().unwrap_or_default(),
            ),
        })?;
        Ok(start..self.decoded.len())
    }
}

/// The fields of a record as one text, when each of them is one by itself.
fn whole_text(record: &ByteRecord, encoding: Encoding) -> Option<&str> {
    let text = std::str::from_utf8(record.as_slice()).ok()?;
    if text.is_ascii() {
        return Some(text);
    }
    let ends = || (0..record.len()).filter_map(|i| record.range(i)).map(|range| range.end);
    // Two halves of a character may stand in neighbouring fields.
    (encoding == Encoding::Utf8 && ends().all(|end| text.is_char_boundary(end))).then_some(text)
}
