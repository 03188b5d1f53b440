//! Delimited text: one record a row.
//!
//! A batch is read in two passes. The first finds the rows and notes where
//! their fields stand in the text; the second makes each column of its fields
//! in one go. NULL is an unquoted field that equals a null marker; a quoted one
//! is text, unless the document says otherwise. In an object of one column a line of
//! nothing is a row whose field is empty, as DuckDB, polars and pyarrow write NULL there.

mod cell;
mod dialect;
mod header;
mod marks;
#[cfg(test)]
mod oracle;
mod records;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;
mod values;
mod walk;

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use model::document::{Csv, Encoding, RaggedRows};
use model::{Drift, RejectedRow};

use crate::sniff::Stream;
use crate::{DecodeError, DecodedBatch, Decoder, Place, RawRows, Request, encoding};
use cell::{Cell, Shape};
use dialect::Dialect;
use header::Columns;
use records::Records;
use values::{Bad, CELLS, Values};

/// Opens delimited text and reads its header.
pub(crate) fn open(
    stream: Stream,
    options: &Csv,
    request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let from_io = |error| DecodeError::from_io(&request.name, error);
    let stream = match options.encoding {
        Encoding::Utf16 => encoding::from_utf16(stream).map_err(from_io)?,
        Encoding::Utf8 | Encoding::Latin1 => stream,
    };
    // A mark may stand at the start, or at the start of what is left of it.
    let (stream, mark) = encoding::without_byte_order_mark(stream).map_err(from_io)?;
    let passed = encoding::without_lines(stream, options.skip_lines).map_err(from_io)?;
    // Of an empty object there is nothing to pass over.
    if (1..options.skip_lines).contains(&passed.found) {
        return Err(DecodeError::Malformed {
            name: request.name.clone(),
            format: "csv",
            place: Place::byte(mark + passed.removed),
            reason: format!(
                "the object has {} lines, and `format.csv.skip_lines` passes over {}",
                passed.found, options.skip_lines
            ),
        });
    }
    let (stream, second) = encoding::without_byte_order_mark(passed.stream).map_err(from_io)?;
    let dialect = Dialect::new(options, &request.name)?;
    let base = mark + passed.removed + second;
    let longest = request.limits.max_row_bytes;
    let mut records = Records::new(stream, dialect, base, longest, request.name.clone());
    let names = if options.header {
        read_header(&mut records, &dialect, options, &request, base)?
    } else {
        Some(options.names.clone())
    };
    let columns = match names {
        Some(names) => Columns::find(&names, &request)?,
        // An empty object has no rows, so nothing is missing in them.
        None => Columns::of_nothing(request.fields.len()),
    };
    records.blank_is_row = columns.width == 1;
    Ok(Box::new(CsvDecoder {
        records,
        values: Values::new(&columns.of_field, &request.fields, options, dialect),
        columns,
        cells: Vec::new(),
        pad: options.ragged == RaggedRows::Pad,
        request,
    }))
}

/// The names in the first record, or `None` when the object is empty.
fn read_header(
    records: &mut Records,
    dialect: &Dialect,
    options: &Csv,
    request: &Request,
    base: u64,
) -> Result<Option<Vec<String>>, DecodeError> {
    let mut cells = Vec::new();
    if records.read(&mut cells)?.is_none() {
        return Ok(None);
    }
    // The header is no row.
    records.next = 0;
    let mut names = Vec::with_capacity(cells.len());
    for cell in cells {
        let mut bytes = Vec::new();
        match cell.shape() {
            Shape::Escaped => dialect.unquote(cell.of(records.text()), &mut bytes),
            _ => bytes.extend_from_slice(cell.of(records.text())),
        }
        let mut name = String::new();
        encoding::append(&mut name, &bytes, options.encoding).map_err(|_| DecodeError::Malformed {
            name: request.name.clone(),
            format: "csv",
            place: Place::byte(base),
            reason: match options.encoding {
                Encoding::Utf16 => "the header is not valid UTF-16".to_owned(),
                Encoding::Utf8 | Encoding::Latin1 => "the header is not valid UTF-8; if it is ISO 8859-1, set `format.csv.encoding: latin1`".to_owned(),
            },
        })?;
        names.push(name.trim().to_owned());
    }
    let first = names.first().map_or("", String::as_str);
    if matches!(first, "{" | "[") || first.starts_with("{\"") || first.starts_with("[{") {
        let (name, stated) = (request.name.clone(), request.format.name());
        return Err(DecodeError::WrongFormat { name, stated, found: "JSON text" });
    }
    Ok(Some(names))
}

struct CsvDecoder {
    records: Records,
    columns: Columns,
    values: Values,
    /// Fields of rows that the columns do not have yet.
    cells: Vec<Cell>,
    /// Short rows are filled up with NULL.
    pad: bool,
    request: Request,
}

impl Decoder for CsvDecoder {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, DecodeError> {
        self.records.skip_to(self.request.start_row)?;
        let start = self.records.next;
        let end = start.saturating_add(self.request.plan.rows_from(start));
        let (mut row_numbers, mut rows, mut rejected, mut bytes) =
            (Vec::new(), Vec::new(), Vec::new(), 0);
        while self.records.next == start
            || (self.records.next < end
                && bytes < self.request.plan.batch_bytes
                && !self.records.is_full())
        {
            let (row, before) = (self.records.next, self.cells.len());
            let Some(at) = self.records.read(&mut self.cells)? else { break };
            bytes += at.len();
            let checked = if self.records.is_broken {
                Err(Bad {
                    column: String::new(),
                    reason: "text stands behind the closing quote of a field; double the quotes \
                             within quotes, or correct `format.csv.quote`"
                        .to_owned(),
                })
            } else {
                check(&mut self.cells, before, &self.columns, self.pad)
            };
            match checked {
                Ok(()) => {
                    row_numbers.push(row);
                    rows.push(at);
                }
                Err(bad) => {
                    self.cells.truncate(before);
                    rejected.push(rejection(row, bad, &self.records.text()[at]));
                }
            }
            if self.cells.len() >= CELLS {
                self.values.push(self.records.text(), &mut self.cells, self.columns.width);
            }
        }
        if self.records.next == start {
            return Ok(None);
        }
        self.values.push(self.records.text(), &mut self.cells, self.columns.width);
        let mut text = self.records.take();
        let whole = text.len();
        let (columns, bad) = self.values.finish(&self.request.fields, &mut text);
        text.truncate(whole);
        if !bad.is_empty() {
            for (at, fault) in &bad {
                rejected.push(rejection(row_numbers[*at], fault.clone(), &text[rows[*at].clone()]));
            }
            rejected.sort_by_key(|row| row.row);
            let kept = |at: &usize| !bad.contains_key(at);
            row_numbers = (0..row_numbers.len()).filter(kept).map(|at| row_numbers[at]).collect();
            rows = (0..rows.len()).filter(kept).map(|at| rows[at].clone()).collect();
        }
        let field = |(field, column): (&crate::FieldRequest, &Arc<dyn Array>)| {
            Field::new(&field.required_by, column.data_type().clone(), true)
        };
        let fields: Vec<_> = self.request.fields.iter().zip(&columns).map(field).collect();
        let batch = RecordBatch::try_new_with_options(
            Arc::new(Schema::new(fields)),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(rows.len())),
        )
        .map_err(|source| DecodeError::Batch { name: self.request.name.clone(), source })?;
        let raw = RawRows::text(text, rows, self.records.spare().clone());
        Ok(Some(DecodedBatch { rows: start..self.records.next, row_numbers, batch, raw, rejected }))
    }

    fn take_drift(&mut self) -> Vec<Drift> {
        std::mem::take(&mut self.columns.drift)
    }
}

fn rejection(row: u64, bad: Bad, raw: &[u8]) -> RejectedRow {
    RejectedRow {
        row,
        column: bad.column,
        column_type: String::new(),
        reason: bad.reason,
        raw: raw.to_vec(),
    }
}

/// Refuses a row that does not have the shape of its object, and every row of
/// an object whose columns may not pass. The row's cells begin at `before`.
fn check(cells: &mut Vec<Cell>, before: usize, columns: &Columns, pad: bool) -> Result<(), Bad> {
    if let Some((column, reason)) = &columns.verdict {
        return Err(Bad { column: column.clone(), reason: reason.clone() });
    }
    let (has, expected) = (cells.len() - before, columns.width);
    if has == expected {
        return Ok(());
    }
    if pad && has < expected {
        cells.resize(before + expected, Cell::MISSING);
        return Ok(());
    }
    let advice =
        if has < expected { "; `format.csv.ragged: pad` would fill it up with NULL" } else { "" };
    Err(Bad {
        column: String::new(),
        reason: format!("the row has {has} fields where {expected} are expected{advice}"),
    })
}
