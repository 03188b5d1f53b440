//! Parquet: the footer first, then the columns that are wanted, page by page.
//!
//! The parquet crate decodes; this file hands it bytes through `window`, so
//! that memory depends on the number of columns and not on the size of a row
//! group, and answers for what a damaged file makes the crate do.

mod columns;
mod delta;
mod footer;
mod guard;
mod layout;
mod pages;
#[cfg(test)]
mod tests;
mod thrift;
mod unpack;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchReader};
use model::document::Format;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, RowGroups, RowSelection, RowSelector,
};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use crate::arrow_rows::ArrowRows;
use crate::fields::Fields;
use crate::window::Windows;
use crate::{DecodeError, Decoder, Place, RangeRead, Request, RowGroup};
use columns::Columns;
use guard::{Groups, Piece};
use layout::{Layout, Start};

/// Bytes of a batch after decoding, as far as the footer can tell.
const BATCH_BYTES: u64 = 16 * 1024 * 1024;

/// Opens a Parquet file: reads its footer, finds the requested fields and
/// passes over the rows before `start_row`.
pub(crate) fn open(
    ranges: Arc<dyn RangeRead>,
    mut request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let footer = footer::read(ranges.as_ref(), &request.name)?;
    let columns = caught(|| Columns::of(footer.metadata, &request))
        .and_then(|columns| columns.map_err(|error| error.to_string()))
        .map_err(|reason| damaged_footer(&request.name, &reason))?;
    let fields = Fields::find(&columns.meant, &request)?;

    let layout = Layout::new(columns.read.metadata(), &fields, ranges.size(), &request)?;
    request.plan = request.plan.limited(BATCH_BYTES / layout.row_bytes.max(1));
    let windows = Arc::new(match footer.whole {
        Some(bytes) => Windows::whole(ranges, bytes),
        None => Windows::new(ranges, &layout.chunks),
    });

    let file = File { read: columns.read.clone(), windows, name: request.name.clone() };
    let start = Start::at(file.read.metadata(), request.start_row);
    let first_row = start.row.max(request.start_row);
    let piece = Piece::of(usize::try_from(request.plan.batch_rows).unwrap_or(usize::MAX));
    let leaves = layout.leaves;
    let rows = Rows::begin(file, leaves.clone(), first_row, start.end, piece)?;
    let meant = columns.meant_by(&rows.reader.schema(), &leaves);
    let fields = fields.within(&meant, &request)?;
    Ok(Box::new(ArrowRows::new(rows, first_row, Arc::new(meant), fields, request)))
}

/// The row groups of a Parquet file, by its footer.
pub(crate) fn row_groups(ranges: &dyn RangeRead, name: &str) -> Result<Vec<RowGroup>, DecodeError> {
    let footer = footer::read(ranges, name)?;
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let groups = footer.metadata.row_groups().iter();
    Ok(groups
        .map(|group| RowGroup {
            rows: number(group.num_rows()),
            bytes: number(group.compressed_size()),
        })
        .collect())
}

/// The footer of a file without dictionary pages that cannot be where it says.
pub(crate) fn placed(metadata: ParquetMetaData) -> Result<ParquetMetaData, ParquetError> {
    footer::placed(metadata)
}

/// A file whose columns can be read.
struct File {
    read: ArrowReaderMetadata,
    windows: Arc<Windows>,
    name: String,
}

impl File {
    /// A reader of some columns from a row on.
    fn reader(
        &self,
        leaves: &[usize],
        row: u64,
        piece: &Arc<Piece>,
    ) -> Result<ParquetRecordBatchReader, String> {
        let metadata = self.read.metadata();
        let start = Start::at(metadata, row);
        let before = usize::try_from(row.saturating_sub(start.row)).unwrap_or(usize::MAX);
        let groups = Groups {
            windows: self.windows.clone(),
            metadata: metadata.clone(),
            places: start.groups,
            piece: piece.clone(),
        };
        let schema = metadata.file_metadata().schema_descr();
        let mask = ProjectionMask::leaves(schema, leaves.iter().copied());
        caught(|| {
            let fields = self.read.schema().fields();
            let levels = parquet_to_arrow_field_levels(schema, mask, Some(fields))?;
            let rest = groups.num_rows().saturating_sub(before);
            let passed = (before > 0).then(|| {
                RowSelection::from(vec![RowSelector::skip(before), RowSelector::select(rest)])
            });
            ParquetRecordBatchReader::try_new_with_row_groups(
                &levels,
                &groups,
                piece.rows(),
                passed,
            )
        })
        .and_then(|built| built.map_err(|error| error.to_string()))
    }
}

/// The batches of a file, checked against what the footer promises.
struct Rows {
    file: File,
    leaves: Vec<usize>,
    reader: ParquetRecordBatchReader,
    /// How many rows the pages allow to be read at a time.
    piece: Arc<Piece>,
    /// How many the reader reads.
    piece_rows: usize,
    /// Ordinal of the next row.
    row: u64,
    /// The ordinal after the last row, by the footer.
    end: u64,
    done: bool,
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.read();
        self.done = !matches!(next, Ok(Some(_)));
        next.map_err(|reason| self.failed(&reason)).transpose()
    }
}

impl Rows {
    fn begin(
        file: File,
        leaves: Vec<usize>,
        row: u64,
        end: u64,
        piece: Piece,
    ) -> Result<Self, DecodeError> {
        let piece = Arc::new(piece);
        let reader = file
            .reader(&leaves, row, &piece)
            .map_err(|reason| damaged_footer(&file.name, &reason))?;
        let piece_rows = piece.rows();
        Ok(Self { file, leaves, reader, piece, piece_rows, row, end, done: false })
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, String> {
        loop {
            let read = caught(|| self.reader.next().transpose())
                .and_then(|read| read.map_err(|error| error.to_string()));
            if read.is_err() && self.piece.rows() < self.piece_rows {
                // A page has said that fewer rows must be read at a time.
                self.reader = self.file.reader(&self.leaves, self.row, &self.piece)?;
                self.piece_rows = self.piece.rows();
                continue;
            }
            return read.and_then(|batch| self.counted(batch));
        }
    }

    fn counted(&mut self, batch: Option<RecordBatch>) -> Result<Option<RecordBatch>, String> {
        let rows = batch.as_ref().map_or(0, RecordBatch::num_rows);
        let row = self.row + u64::try_from(rows).unwrap_or(u64::MAX);
        if (rows > 0 && row > self.end) || (batch.is_none() && row < self.end) {
            let found = if batch.is_none() { "end" } else { "go on" };
            return Err(format!(
                "the footer promises {} rows, the columns {found} after {row}",
                self.end
            ));
        }
        self.row = row;
        Ok(batch)
    }

    /// The store's fault when it failed, or else the file's.
    fn failed(&self, reason: &str) -> DecodeError {
        if let Some(error) = self.file.windows.take_failure() {
            return DecodeError::from_io(&self.file.name, error);
        }
        let column = self.damaged_column();
        // A look at the columns may fail by the store; that is no news.
        drop(self.file.windows.take_failure());
        DecodeError::Malformed {
            name: self.file.name.clone(),
            format: Format::Parquet.name(),
            place: Place::row(self.row),
            reason: format!("{reason}{}; upload the object anew", column.unwrap_or_default()),
        }
    }

    /// The column that cannot be read by itself from the row on at which all of
    /// them together could not, and its row group.
    fn damaged_column(&self) -> Option<String> {
        let metadata = self.file.read.metadata();
        let wanted = self.end.saturating_sub(self.row).min(self.piece_rows.try_into().ok()?);
        let is_damaged = |leaf: &&usize| {
            let reader = self.file.reader(&[**leaf], self.row, &self.piece);
            let read = reader.and_then(|mut reader| {
                let mut found = 0;
                while found < wanted {
                    let read = caught(|| reader.next().transpose())?;
                    let Some(batch) = read.map_err(|error| error.to_string())? else { break };
                    found += u64::try_from(batch.num_rows()).unwrap_or(0);
                }
                Ok(found)
            });
            !read.is_ok_and(|found| found >= wanted)
        };
        let leaf = self.leaves.iter().find(is_damaged)?;
        let group = Start::at(metadata, self.row).groups.first().copied()?;
        let path = metadata.row_group(group).column(*leaf).column_path().string();
        Some(format!("; column `{path}` of row group {group}"))
    }
}

/// Runs a part of the parquet crate that trusts the file: on some damaged files
/// it panics, which must fail the object and not the function. Nothing that the
/// closure touched is used after a panic.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        format!("the reader gave up: {}", text.unwrap_or("no reason given"))
    })
}

fn damaged_footer(name: &str, reason: &str) -> DecodeError {
    malformed(name, &format!("the footer is damaged: {reason}; upload the object anew"))
}

fn malformed(name: &str, reason: &str) -> DecodeError {
    DecodeError::Malformed {
        name: name.to_owned(),
        format: Format::Parquet.name(),
        place: Place::default(),
        reason: reason.to_owned(),
    }
}
