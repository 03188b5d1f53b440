//! Where the values of the rows of a batch stand, field by field, until the
//! columns are built of them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};

use super::unescape::unescape;
use crate::typed::{self, Span};
use crate::{DecodeError, FieldRequest};

/// The values of a batch.
pub(super) struct Columns {
    fields: Vec<Column>,
    /// The current row, counted from 1.
    row: u32,
    /// How many rows before it stay.
    kept: usize,
    /// Size of the text of the batch; what was unescaped comes behind it.
    text: usize,
    unescaped: String,
    /// Size of `unescaped` before the current row.
    unescaped_before: usize,
    /// Values of the current row that hold half a surrogate pair.
    torn: Vec<Torn>,
    /// Whether unknown keys are of interest.
    notes_unknown: bool,
    /// The first one of the current row.
    unknown: Option<String>,
}

struct Column {
    spans: Vec<Span>,
    /// The last row that has the field.
    row: u32,
}

/// A string that is no text.
struct Torn {
    field: usize,
    /// What stands for it.
    span: Span,
    /// Where it is written.
    at: Range<usize>,
}

impl Columns {
    /// Columns for so many fields.
    pub(super) fn new(fields: usize, notes_unknown: bool) -> Self {
        Self {
            fields: (0..fields).map(|_| Column { spans: Vec::new(), row: 0 }).collect(),
            row: 0,
            kept: 0,
            text: 0,
            unescaped: String::new(),
            unescaped_before: 0,
            torn: Vec::new(),
            notes_unknown,
            unknown: None,
        }
    }

    /// Begins a batch of at most so many rows from a text of so many bytes.
    pub(super) fn begin(&mut self, rows: usize, text: usize) {
        for field in &mut self.fields {
            field.spans.clear();
            field.spans.resize(rows, Span::NULL);
            field.row = 0;
        }
        (self.row, self.kept, self.text) = (0, 0, text);
        self.unescaped.clear();
    }

    /// Begins a row.
    pub(super) fn begin_row(&mut self) {
        self.row += 1;
        self.unescaped_before = self.unescaped.len();
        self.torn.clear();
        self.unknown = None;
    }

    /// Keeps the row.
    pub(super) fn keep_row(&mut self) {
        self.kept += 1;
    }

    /// Forgets the row.
    pub(super) fn drop_row(&mut self) {
        for field in &mut self.fields {
            field.spans[self.kept] = Span::NULL;
        }
        self.unescaped.truncate(self.unescaped_before);
    }

    /// The value of a field in the current row.
    #[inline]
    pub(super) fn set(&mut self, field: usize, span: Span) {
        let column = &mut self.fields[field];
        column.spans[self.kept] = span;
        column.row = self.row;
    }

    /// The current row does not have the field after all.
    pub(super) fn unset(&mut self, field: usize) {
        self.set(field, Span::NULL);
        self.fields[field].row = 0;
    }

    /// The string between two quotes of `text`, of which something is escaped,
    /// as the value of fields.
    pub(super) fn escaped(&mut self, fields: &[usize], text: &str, at: Range<usize>) {
        let start = self.text + self.unescaped.len();
        let whole = unescape(&text[at.clone()], &mut self.unescaped).is_some();
        let span = Span::new(start, self.text + self.unescaped.len());
        for field in fields {
            self.set(*field, span);
            if !whole {
                self.torn.push(Torn { field: *field, span, at: at.clone() });
            }
        }
    }

    /// Whether a key that no field reads is of interest.
    #[inline]
    pub(super) fn notes_unknown(&self) -> bool {
        self.notes_unknown && self.unknown.is_none()
    }

    /// Notes a key that no field reads.
    pub(super) fn note_unknown(&mut self, key: String) {
        self.unknown = Some(key);
    }

    /// The first key of the current row that no field reads.
    pub(super) fn unknown(&mut self) -> Option<String> {
        self.unknown.take()
    }

    /// The first field that the current row does not have.
    pub(super) fn missing(&self) -> Option<usize> {
        self.fields.iter().position(|field| field.row != self.row)
    }

    /// Whether the current row has any of the fields.
    pub(super) fn has_any(&self) -> bool {
        self.fields.iter().any(|field| field.row == self.row)
    }

    /// The first field of the current row that is no text, and where in the
    /// text it stands.
    pub(super) fn torn(&self) -> Option<(usize, Range<usize>)> {
        // A later value of the same key counts, and has another span: this one
        // is empty, and what was unescaped is not.
        let stands = |torn: &&Torn| self.fields[torn.field].spans[self.kept] == torn.span;
        let torn = self.torn.iter().rev().filter(stands).min_by_key(|torn| torn.field)?;
        Some((torn.field, torn.at.clone()))
    }

    /// Builds the columns of the rows that stay. What was unescaped is
    /// appended to the text.
    pub(super) fn finish(
        &mut self,
        text: &mut String,
        requested: &[FieldRequest],
        name: &str,
    ) -> Result<RecordBatch, DecodeError> {
        text.push_str(&self.unescaped);
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (column, field) in self.fields.iter().zip(requested) {
            let array = typed::build(field, text, &column.spans[..self.kept]);
            fields.push(Field::new(&field.required_by, array.data_type().clone(), true));
            arrays.push(array);
        }
        RecordBatch::try_new_with_options(
            Arc::new(Schema::new(fields)),
            arrays,
            &RecordBatchOptions::new().with_row_count(Some(self.kept)),
        )
        .map_err(|source| DecodeError::Batch { name: name.to_owned(), source })
    }
}
