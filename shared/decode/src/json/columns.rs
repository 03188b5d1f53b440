//! Where the values of the rows of a batch stand, field by field, and the columns
//! that are built of them while their text is near.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};

use super::keys::Keys;
use super::unescape::unescape;
use crate::typed::{self, Span};
use crate::{DecodeError, FieldRequest};

/// The values of a batch.
pub(super) struct Columns {
    fields: Vec<Column>,
    /// The current row, counted from 1.
    row: u32,
    /// Its ordinal in the object.
    ordinal: u64,
    /// How many rows before it stay.
    kept: usize,
    /// How many of them the columns have been given.
    built: usize,
    /// Size of the text of the batch from which they are given the next.
    next_block: usize,
    /// Size of the text of the batch, the current row included; what is unescaped
    /// of the row comes behind it.
    text: usize,
    unescaped: String,
    /// Values of the current row that hold half a surrogate pair.
    torn: Vec<Torn>,
    /// Whether a row is judged by its keys that no field reads.
    judges_unknown: bool,
    /// The first one of the current row.
    unknown: Option<String>,
    /// Where rows are not judged by them: those that were not met before, with
    /// the rows that have them first, and the places that they were learned at.
    new: Vec<(String, u64, usize)>,
    /// How many of them rows before the current one have.
    new_before: usize,
    /// Places of keys that were met before.
    told: Vec<bool>,
    /// The same of keys that have no place, by their names.
    told_names: HashSet<String>,
}

/// Most new keys of a batch: more are told with the next.
const MOST_NEW: usize = 1_000;
/// Most keys that are told of one object: names that are data would be endless.
const MOST_TOLD: usize = 10_000;

/// Text whose values are given to the columns together: little enough to stay in
/// the nearest caches while every column picks its own.
const BLOCK: usize = 32 * 1024;
/// Rows that are made room for at a time.
const ROOM: usize = 256;

struct Column {
    spans: Vec<Span>,
    values: Box<dyn typed::Column>,
    /// Whether all values so far were written plainly; texts are made otherwise.
    is_plain: bool,
    /// The last row that has the field.
    row: u32,
    /// Whether a row of an earlier batch has it.
    ever: bool,
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
    /// Columns for these fields.
    pub(super) fn new(fields: &[FieldRequest], judges_unknown: bool) -> Self {
        let column = |field: &FieldRequest| Column {
            spans: Vec::new(),
            values: typed::column(field.column_type.as_ref()),
            is_plain: true,
            row: 0,
            ever: false,
        };
        Self {
            fields: fields.iter().map(column).collect(),
            row: 0,
            ordinal: 0,
            kept: 0,
            built: 0,
            next_block: BLOCK,
            text: 0,
            unescaped: String::new(),
            torn: Vec::new(),
            judges_unknown,
            unknown: None,
            new: Vec::new(),
            new_before: 0,
            told: Vec::new(),
            told_names: HashSet::new(),
        }
    }

    /// Begins a batch.
    pub(super) fn begin(&mut self) {
        for field in &mut self.fields {
            field.spans.clear();
            field.values.clear();
            field.is_plain = true;
            field.ever |= field.row > 0;
            field.row = 0;
        }
        (self.row, self.kept, self.built, self.next_block) = (0, 0, 0, BLOCK);
    }

    /// Begins a row, the last one in a text of so many bytes.
    pub(super) fn begin_row(&mut self, ordinal: u64, text: usize) {
        self.row += 1;
        self.ordinal = ordinal;
        self.text = text;
        self.unescaped.clear();
        self.torn.clear();
        self.unknown = None;
        self.new_before = self.new.len();
        if self.fields.first().is_some_and(|field| field.spans.len() == self.kept) {
            for field in &mut self.fields {
                field.spans.resize(self.kept + ROOM, Span::NULL);
            }
        }
    }

    /// Keeps the row. What was unescaped of it is appended to the text.
    pub(super) fn keep_row(&mut self, text: &mut String) {
        self.kept += 1;
        text.push_str(&self.unescaped);
        if text.len() >= self.next_block {
            self.build(text);
            self.next_block = text.len() + BLOCK;
        }
    }

    /// Gives the columns the values that they do not have yet.
    fn build(&mut self, text: &str) {
        for field in self.fields.iter_mut().filter(|field| field.is_plain) {
            let spans = &field.spans[self.built..self.kept];
            field.is_plain = field.values.push(text.as_bytes(), spans);
        }
        self.built = self.kept;
    }

    /// Forgets the row.
    pub(super) fn drop_row(&mut self) {
        for field in &mut self.fields {
            field.spans[self.kept] = Span::NULL;
        }
        for (key, _, place) in self.new.drain(self.new_before..) {
            self.told_names.remove(&key);
            if let Some(told) = self.told.get_mut(place) {
                *told = false;
            }
        }
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

    /// Whether a key that no field reads, learned at `place`, is of interest.
    #[inline]
    pub(super) fn notes_unknown(&self, place: usize) -> bool {
        if self.judges_unknown {
            self.unknown.is_none()
        } else {
            !self.told.get(place).copied().unwrap_or(false) && self.new.len() < MOST_NEW
        }
    }

    /// Notes a key that no field reads. Keys that are not learned (`LOST`) come
    /// here with every row that has them.
    pub(super) fn note_unknown(&mut self, key: String, place: usize) {
        if self.judges_unknown {
            self.unknown = Some(key);
            return;
        }
        if place != Keys::LOST {
            if self.told.len() <= place {
                self.told.resize(place + 1, false);
            }
            self.told[place] = true;
        }
        // One name can have several spellings, and so several places.
        if self.told_names.len() < MOST_TOLD && self.told_names.insert(key.clone()) {
            self.new.push((key, self.ordinal, place));
        }
    }

    /// The keys that no field reads and that were not met before, each with the
    /// first row that has it.
    pub(super) fn take_new(&mut self) -> Vec<(String, u64)> {
        self.new.drain(..).map(|(key, row, _)| (key, row)).collect()
    }

    /// The fields that no row has had.
    pub(super) fn absent(&self) -> impl Iterator<Item = usize> {
        let fields = self.fields.iter().enumerate();
        fields.filter(|(_, field)| !field.ever && field.row == 0).map(|(at, _)| at)
    }

    /// The first key of the current row that no field reads.
    pub(super) fn unknown(&mut self) -> Option<String> {
        self.unknown.take()
    }

    /// The first field that the current row does not have and should.
    pub(super) fn missing(&self, requested: &[FieldRequest]) -> Option<usize> {
        let mut fields = self.fields.iter().zip(requested);
        fields.position(|(field, requested)| field.row != self.row && !requested.is_optional)
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

    /// The columns of the rows that stay, all of which stand in the text.
    pub(super) fn finish(
        &mut self,
        text: &str,
        requested: &[FieldRequest],
        name: &str,
    ) -> Result<RecordBatch, DecodeError> {
        self.build(text);
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (column, field) in self.fields.iter_mut().zip(requested) {
            let spans = &column.spans[..self.kept];
            let typed = match column.is_plain {
                true => column.values.finish(typed::nulls(spans)),
                false => None,
            };
            let array = typed.unwrap_or_else(|| typed::texts(text, spans));
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
