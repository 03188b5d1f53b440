//! From the cells of a batch to its columns: NULL is found, escaped fields are
//! written out behind the text, and what is not UTF-8 is decoded or put aside.

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use model::document::{Csv, Encoding};

use super::cell::{Cell, Shape};
use super::dialect::Dialect;
use crate::typed::{self, Span};
use crate::{FieldRequest, encoding};

/// Cells that are handed over to the columns together: few enough to stay in
/// the nearest cache while every column picks its own.
pub(super) const CELLS: usize = 2_048;

/// Why a row is put aside.
#[derive(Debug, Clone)]
pub(super) struct Bad {
    /// The destination column at fault; empty when it is the whole row.
    pub(super) column: String,
    pub(super) reason: String,
}

/// The rows of a batch that cannot be used, each with its fault.
pub(super) type BadRows = BTreeMap<usize, Bad>;

/// The values of a batch, column by column.
pub(super) struct Values {
    columns: Vec<Column>,
    nulls: Nulls,
    encoding: Encoding,
    dialect: Dialect,
    rows: usize,
}

/// The values of one requested field.
struct Column {
    /// The column of the object; `None` when it has no such column.
    at: Option<usize>,
    empty_is_text: bool,
    spans: Vec<Span>,
    /// Fields with quotes inside, and their rows.
    escaped: Vec<(usize, Cell)>,
    values: Box<dyn typed::Column>,
    state: State,
}

/// How the array of a column comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Of the values that were read as the rows came.
    Built,
    /// Of the texts: a value is not written plainly.
    Text,
    /// In the end: some values are not in the text yet.
    Late,
}

impl Values {
    pub(super) fn new(
        of_field: &[Option<usize>],
        fields: &[FieldRequest],
        options: &Csv,
        dialect: Dialect,
    ) -> Self {
        let encoding = options.encoding;
        let column = |(at, field): (&Option<usize>, &FieldRequest)| Column {
            at: *at,
            empty_is_text: field.empty_is_text,
            spans: Vec::new(),
            escaped: Vec::new(),
            values: typed::column(field.column_type.as_ref()),
            state: State::Built,
        };
        Self {
            columns: of_field.iter().zip(fields).map(column).collect(),
            nulls: Nulls::new(options, dialect),
            encoding,
            dialect,
            rows: 0,
        }
    }

    /// Adds rows of `width` cells each, which point into `text`.
    pub(super) fn push(&mut self, text: &[u8], cells: &mut Vec<Cell>, width: usize) {
        if cells.is_empty() {
            return;
        }
        for column in &mut self.columns {
            column.push(text, cells, width, self.rows, &self.nulls);
        }
        self.rows += cells.len() / width;
        cells.clear();
    }

    /// The columns of the rows so far, and the rows that are not in them. What
    /// fields with quotes inside say is written behind `text`, the text of those
    /// rows.
    pub(super) fn finish(
        &mut self,
        fields: &[FieldRequest],
        text: &mut Vec<u8>,
    ) -> (Vec<ArrayRef>, BadRows) {
        self.rows = 0;
        // Whatever else it is in, text of other characters is not UTF-8.
        let is_utf8 = self.encoding != Encoding::Latin1 || text.is_ascii();
        let built: Vec<_> = self.columns.iter_mut().map(|column| column.finish(is_utf8)).collect();
        let (arrays, bad) = match built.iter().cloned().collect() {
            Some(arrays) => (arrays, BadRows::new()),
            None => self.late(built, fields, text),
        };
        for column in &mut self.columns {
            column.spans.clear();
            column.state = State::Built;
        }
        (arrays, bad)
    }

    /// The columns of a batch of which some could not be built as the rows came.
    fn late(
        &mut self,
        built: Vec<Option<ArrayRef>>,
        fields: &[FieldRequest],
        text: &mut Vec<u8>,
    ) -> (Vec<ArrayRef>, BadRows) {
        self.write_escaped(text);
        let Some(text) = valid(text, self.encoding) else {
            let (text, bad) = self.decode(fields, text);
            let columns = self.columns.iter().zip(fields);
            let build = |(column, field): (&Column, _)| typed::build(field, &text, &column.spans);
            return (columns.map(build).collect(), bad);
        };
        let columns = self.columns.iter().zip(fields).zip(built);
        let build = |((column, field), built): ((&Column, _), Option<ArrayRef>)| match column.state
        {
            State::Text => typed::texts(text, &column.spans),
            _ => built.unwrap_or_else(|| typed::build(field, text, &column.spans)),
        };
        (columns.map(build).collect(), BadRows::new())
    }

    fn write_escaped(&mut self, text: &mut Vec<u8>) {
        let mut written = Vec::new();
        for column in &mut self.columns {
            for (row, cell) in column.escaped.drain(..) {
                let start = text.len() + written.len();
                self.dialect.unquote(cell.of(text), &mut written);
                column.spans[row] = Span::new(start, text.len() + written.len());
            }
        }
        text.append(&mut written);
    }

    /// A text in which every value that is asked for is UTF-8, for a text that
    /// is not: values with characters beyond ASCII are decoded one by one. Rows
    /// in which that fails are taken out.
    fn decode(&mut self, fields: &[FieldRequest], text: &[u8]) -> (String, BadRows) {
        // The rest stays where it is; nobody looks at what is no ASCII there.
        let masked = text.iter().map(|byte| if byte.is_ascii() { *byte } else { b'?' }).collect();
        let mut decoded = String::from_utf8(masked).unwrap_or_default();
        let encoding = self.encoding;
        let mut bad = BadRows::new();
        for (column, field) in self.columns.iter_mut().zip(fields) {
            for (row, span) in column.spans.iter_mut().enumerate() {
                if span.is_null() || span.of(text).is_ascii() {
                    continue;
                }
                let start = decoded.len();
                match encoding::append(&mut decoded, span.of(text), encoding) {
                    Ok(()) => *span = Span::new(start, decoded.len()),
                    Err(at) => {
                        bad.entry(row).or_insert_with(|| fault(encoding, field, span.of(text), at));
                    }
                }
            }
        }
        if !bad.is_empty() {
            for column in &mut self.columns {
                let mut row = 0;
                column.spans.retain(|_| {
                    row += 1;
                    !bad.contains_key(&(row - 1))
                });
            }
        }
        (decoded, bad)
    }
}

fn fault(encoding: Encoding, field: &FieldRequest, bytes: &[u8], at: usize) -> Bad {
    let reason = match encoding {
        Encoding::Utf16 => {
            format!("field `{}` is not valid UTF-16: half of a pair stands alone", field.origin)
        }
        Encoding::Utf8 | Encoding::Latin1 => format!(
            "field `{}` is not valid UTF-8 at its byte {at} (0x{:02x}); if the object is ISO 8859-1, set `format.csv.encoding: latin1`",
            field.origin,
            bytes.get(at).copied().unwrap_or_default(),
        ),
    };
    Bad { column: field.required_by.clone(), reason }
}

/// The text, when it is UTF-8 as it lies there.
fn valid(text: &[u8], encoding: Encoding) -> Option<&str> {
    match encoding {
        Encoding::Latin1 if !text.is_ascii() => None,
        _ => simdutf8::basic::from_utf8(text).ok(),
    }
}

impl Column {
    /// Adds rows of `width` cells each, of which the first is row `first` of the
    /// batch.
    fn push(&mut self, text: &[u8], cells: &[Cell], width: usize, first: usize, nulls: &Nulls) {
        let before = self.spans.len();
        let rows = cells.chunks_exact(width);
        self.spans.reserve(rows.len());
        let Some(at) = self.at else {
            self.spans.extend(rows.map(|_| Span::NULL));
            self.build(text, before);
            return;
        };
        let longest = nulls.longest;
        for (row, cells) in rows.enumerate() {
            let cell = cells[at];
            // Too long for a marker: nothing else is to be known about it.
            let span = match cell.plain_length() {
                Some(length) if length > longest => Span::between(cell.start(), cell.end()),
                _ => self.other(text, cell, first + row, nulls),
            };
            self.spans.push(span);
        }
        if !self.escaped.is_empty() {
            self.state = State::Late;
            self.values.clear();
        }
        self.build(text, before);
    }

    /// The span of a cell that may be NULL, or has quotes.
    #[inline(never)]
    fn other(&mut self, text: &[u8], cell: Cell, row: usize, nulls: &Nulls) -> Span {
        let span = Span::between(cell.start(), cell.end());
        match cell.shape() {
            shape if nulls.contain_cell(cell, shape, text) => {
                if cell.start() == cell.end() && self.empty_is_text { span } else { Span::NULL }
            }
            Shape::Plain | Shape::Quoted => span,
            Shape::Escaped => {
                self.escaped.push((row, cell));
                Span::NULL
            }
            Shape::Missing => Span::NULL,
        }
    }

    /// Reads the values of the last spans, as long as all can be read.
    fn build(&mut self, text: &[u8], before: usize) {
        if self.state == State::Built && !self.values.push(text, &self.spans[before..]) {
            self.state = State::Text;
            self.values.clear();
        }
    }

    fn finish(&mut self, is_utf8: bool) -> Option<ArrayRef> {
        if self.state == State::Built && is_utf8 {
            self.values.finish(typed::nulls(&self.spans))
        } else {
            self.values.clear();
            None
        }
    }
}

/// The fields that mean NULL, in the encoding of the object.
struct Nulls {
    markers: Vec<Vec<u8>>,
    /// A bit for each length that a marker has; the highest for all above.
    lengths: u64,
    /// Length of the longest.
    longest: u32,
    /// How quotes are taken off, where quoted fields can be NULL.
    quoted: Option<Dialect>,
}

impl Nulls {
    fn new(options: &Csv, dialect: Dialect) -> Self {
        let encoded = |marker: &String| match options.encoding {
            Encoding::Utf8 | Encoding::Utf16 => Some(marker.as_bytes().to_vec()),
            // A marker that the encoding lacks is met nowhere.
            Encoding::Latin1 => marker.chars().map(|c| u8::try_from(c).ok()).collect(),
        };
        let markers: Vec<_> = options.nulls.iter().filter_map(encoded).collect();
        let lengths = markers.iter().fold(0, |bits, marker| bits | 1 << marker.len().min(63));
        let longest = markers.iter().map(Vec::len).max().unwrap_or_default();
        let longest = u32::try_from(longest).unwrap_or(u32::MAX);
        Self { markers, lengths, longest, quoted: options.quoted_nulls.then_some(dialect) }
    }

    fn contain_cell(&self, cell: Cell, shape: Shape, text: &[u8]) -> bool {
        match (shape, self.quoted) {
            (Shape::Plain, _) | (Shape::Quoted, Some(_)) => self.contain(cell.of(text)),
            (Shape::Escaped, Some(dialect)) => {
                let mut value = Vec::new();
                dialect.unquote(cell.of(text), &mut value);
                self.contain(&value)
            }
            (Shape::Quoted | Shape::Escaped, None) | (Shape::Missing, _) => false,
        }
    }

    fn contain(&self, value: &[u8]) -> bool {
        // Comparing nothing with the empty vector, which has no memory, costs
        // some processors a hundred cycles.
        let has_length = self.lengths >> value.len().min(63) & 1 != 0;
        has_length && (value.is_empty() || self.markers.iter().any(|marker| marker == value))
    }
}
