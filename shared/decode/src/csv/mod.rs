//! Delimited text: one record a row, its fields as text.
//!
//! NULL is an unquoted field that equals a null marker; a quoted one is text.
//! In an object of one column an empty line is a blank line, not a row.

mod fields;
mod header;
mod row;
mod tee;
#[cfg(test)]
mod tests;

use std::ops::Range;

use ::csv::{ByteRecord, Reader, ReaderBuilder};
use model::RejectedRow;
use model::document::{Csv, RaggedRows};

use crate::batch::TextColumns;
use crate::sniff::Stream;
use crate::{DecodeError, DecodedBatch, Decoder, Place, RawRows, Request, encoding};
use fields::{Bad, FieldReader};
use header::Columns;
use row::Dialect;
use tee::Tee;

/// Bytes that the parser asks for at a time.
const BUFFER: usize = 64 * 1024;

/// Opens delimited text and reads its header.
pub(crate) fn open(
    stream: Stream,
    options: &Csv,
    request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let from_io = |error| DecodeError::from_io(&request.name, error);
    // A mark may stand at the start, or at the start of what is left of it.
    let (stream, mark) = encoding::without_byte_order_mark(stream).map_err(from_io)?;
    let (stream, lines) = encoding::without_lines(stream, options.skip_lines).map_err(from_io)?;
    let (stream, second) = encoding::without_byte_order_mark(stream).map_err(from_io)?;
    let dialect = dialect(options, &request.name)?;
    let base = mark + lines + second;
    let tee = Tee::new(stream, base, request.limits.max_row_bytes, request.name.clone());
    let mut rows =
        Rows { reader: reader(&dialect, tee), record: ByteRecord::new(), dialect, next: 0 };
    let names = if options.header {
        read_header(&mut rows, options, &request, base)?
    } else {
        Some(options.names.clone())
    };
    let columns = match names {
        Some(names) => {
            let columns = Columns::find(&names, &request.fields, request.drift, &request.name)?;
            if !request.fields.is_empty() && columns.of_field.iter().all(Option::is_none) {
                return Err(request.nothing_in_common(names.iter().map(String::as_str)));
            }
            columns
        }
        // An empty object has no rows, so nothing is missing in them.
        None => Columns { of_field: vec![None; request.fields.len()], width: 0, verdict: None },
    };
    Ok(Box::new(CsvDecoder {
        rows,
        columns,
        fields: FieldReader::new(options.nulls.clone(), options.encoding, dialect),
        pad: options.ragged == RaggedRows::Pad,
        built: TextColumns::new(&request.fields),
        request,
    }))
}

fn dialect(options: &Csv, name: &str) -> Result<Dialect, DecodeError> {
    let one = |field: &'static str, text: &str| match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(DecodeError::BadOption {
            name: name.to_owned(),
            field,
            reason: format!("`{text}` must be one ASCII character"),
        }),
    };
    let quote = Some(options.quote.as_str()).filter(|quote| !quote.is_empty());
    // An escape that is the quote itself is the doubling that is usual anyway.
    let escape = options.escape.as_deref().filter(|escape| *escape != options.quote);
    Ok(Dialect {
        delimiter: one("format.csv.delimiter", &options.delimiter)?,
        quote: quote.map(|quote| one("format.csv.quote", quote)).transpose()?,
        escape: escape.map(|escape| one("format.csv.escape", escape)).transpose()?,
        comment: options
            .comment
            .as_deref()
            .map(|comment| one("format.csv.comment", comment))
            .transpose()?,
    })
}

fn reader(dialect: &Dialect, tee: Tee) -> Reader<Tee> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(dialect.delimiter)
        .quoting(dialect.quote.is_some())
        .quote(dialect.quote.unwrap_or(b'"'))
        .double_quote(dialect.escape.is_none())
        .escape(dialect.escape)
        .comment(dialect.comment)
        .buffer_capacity(BUFFER)
        .from_reader(tee)
}

/// The names in the first record, or `None` when the object is empty.
fn read_header(
    rows: &mut Rows,
    options: &Csv,
    request: &Request,
    base: u64,
) -> Result<Option<Vec<String>>, DecodeError> {
    if rows.read(&request.name)?.is_none() {
        return Ok(None);
    }
    // The header is no row.
    rows.next = 0;
    let mut names = Vec::with_capacity(rows.record.len());
    for field in &rows.record {
        let mut name = String::new();
        encoding::append(&mut name, field, options.encoding).map_err(|_| DecodeError::Malformed {
            name: request.name.clone(),
            format: "csv",
            place: Place::byte(base),
            reason: "the header is not valid UTF-8; if it is ISO 8859-1, set `format.csv.encoding: latin1`".to_owned(),
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

/// The records of the text and the bytes they came from.
struct Rows {
    reader: Reader<Tee>,
    record: ByteRecord,
    dialect: Dialect,
    /// Ordinal of the next row.
    next: u64,
}

impl Rows {
    /// Reads the next record and tells which positions the parser passed.
    fn read(&mut self, name: &str) -> Result<Option<Range<u64>>, DecodeError> {
        let start = self.reader.position().byte();
        self.reader.get_mut().begin_row(self.next, start);
        let more = self.reader.read_byte_record(&mut self.record).map_err(|error| {
            match error.into_kind() {
                ::csv::ErrorKind::Io(error) => DecodeError::from_io(name, error),
                other => DecodeError::Malformed {
                    name: name.to_owned(),
                    format: "csv",
                    place: Place::row(self.next),
                    reason: format!("{other:?}"),
                },
            }
        })?;
        if !more {
            return Ok(None);
        }
        let end = self.reader.position().byte();
        self.reader.get_ref().check_row(end)?;
        self.next += 1;
        Ok(Some(start..end))
    }

    /// Passes over the rows before `row`.
    fn skip_to(&mut self, row: u64, name: &str) -> Result<(), DecodeError> {
        while self.next < row {
            let Some(passed) = self.read(name)? else { return Ok(()) };
            self.reader.get_mut().release(passed.end);
        }
        Ok(())
    }

    /// The bytes of the row that was read last, and where they lie in what is
    /// kept for the batch.
    fn raw(&self, passed: Range<u64>) -> (&[u8], Range<usize>) {
        let (bytes, at) = self.reader.get_ref().slice(passed);
        let row = self.dialect.bounds(bytes);
        (&bytes[row.clone()], at + row.start..at + row.end)
    }
}

struct CsvDecoder {
    rows: Rows,
    columns: Columns,
    fields: FieldReader,
    /// Short rows are filled up with NULL.
    pad: bool,
    built: TextColumns,
    request: Request,
}

impl Decoder for CsvDecoder {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, DecodeError> {
        self.rows.skip_to(self.request.start_row, &self.request.name)?;
        let start = self.rows.next;
        let position = self.rows.reader.position().byte();
        self.rows.reader.get_mut().take(position);
        let end = start.saturating_add(self.request.plan.rows_from(start));
        let (mut row_numbers, mut raw_rows, mut rejected, mut bytes) =
            (Vec::new(), Vec::new(), Vec::new(), 0);
        while self.rows.next == start
            || (self.rows.next < end && bytes < self.request.plan.batch_bytes)
        {
            let row = self.rows.next;
            let Some(passed) = self.rows.read(&self.request.name)? else { break };
            let (raw, at) = self.rows.raw(passed);
            bytes += raw.len();
            let (record, columns) = (&self.rows.record, &self.columns);
            let values = check(record, columns, self.pad).and_then(|()| {
                self.fields.read(record, raw, &columns.of_field, &self.request.fields)
            });
            match values {
                Ok(values) => {
                    self.built.push(values);
                    row_numbers.push(row);
                    raw_rows.push(at);
                }
                Err(bad) => rejected.push(RejectedRow {
                    row,
                    column: bad.column,
                    column_type: String::new(),
                    reason: bad.reason,
                    raw: raw.to_vec(),
                }),
            }
        }
        if self.rows.next == start {
            return Ok(None);
        }
        let position = self.rows.reader.position().byte();
        let raw = RawRows::text(self.rows.reader.get_mut().take(position), raw_rows);
        let batch = self.built.finish(&self.request.name)?;
        Ok(Some(DecodedBatch { rows: start..self.rows.next, row_numbers, batch, raw, rejected }))
    }
}

/// Refuses a row that does not have the shape of its object, and every row of
/// an object whose columns may not pass.
fn check(record: &ByteRecord, columns: &Columns, pad: bool) -> Result<(), Bad> {
    if let Some((column, reason)) = &columns.verdict {
        return Err(Bad { column: column.clone(), reason: reason.clone() });
    }
    let (has, expected) = (record.len(), columns.width);
    if has == expected || (pad && has < expected) {
        return Ok(());
    }
    let advice =
        if has < expected { "; `format.csv.ragged: pad` would fill it up with NULL" } else { "" };
    Err(Bad {
        column: String::new(),
        reason: format!("the row has {has} fields where {expected} are expected{advice}"),
    })
}
