//! Parquet: the footer first, then the columns that are wanted, page by page.
//!
//! The parquet crate decodes; this file hands it bytes through `window`, so
//! that memory depends on the number of columns and not on the size of a row
//! group, and answers for what a damaged file makes the crate do.

mod columns;
mod footer;
mod layout;
mod pages;
#[cfg(test)]
mod tests;
mod thrift;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchReader};
use model::document::Format;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelectionPolicy,
};
use parquet::file::metadata::ParquetMetaData;

use crate::arrow_rows::ArrowRows;
use crate::fields::Fields;
use crate::window::Windows;
use crate::{DecodeError, Decoder, Place, RangeRead, Request, RowGroup};
use columns::Columns;
use layout::{Layout, Start};
use pages::Pages;

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

    let metadata = columns.read.metadata().clone();
    let layout = Layout::new(&metadata, &fields, ranges.size(), &request)?;
    request.plan = request.plan.limited(BATCH_BYTES / layout.row_bytes.max(1));
    let windows = Arc::new(match footer.whole {
        Some(bytes) => Windows::whole(ranges, bytes),
        None => Windows::new(ranges, &layout.chunks),
    });

    let start = Start::at(&metadata, request.start_row);
    let (first_row, end) = (start.row.max(request.start_row), start.end);
    let pages = Pages::new(windows.clone());
    let reader = reader(pages, columns.read.clone(), layout.leaves.clone(), start, &request)?;
    let meant = columns.meant_by(&reader.schema(), &layout.leaves);
    let fields = fields.within(&meant, &request)?;
    let name = request.name.clone();
    let source = Rows { reader, windows, metadata, name, row: first_row, end, done: false };
    Ok(Box::new(ArrowRows::new(source, first_row, Arc::new(meant), fields, request)))
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

/// A reader of some columns from a row on.
fn reader(
    pages: Pages,
    loaded: ArrowReaderMetadata,
    leaves: Vec<usize>,
    start: Start,
    request: &Request,
) -> Result<ParquetRecordBatchReader, DecodeError> {
    let batch_rows = usize::try_from(request.plan.batch_rows).unwrap_or(usize::MAX);
    let offset = usize::try_from(request.start_row.saturating_sub(start.row)).unwrap_or(usize::MAX);
    let mask = ProjectionMask::leaves(loaded.metadata().file_metadata().schema_descr(), leaves);
    caught(|| {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(pages, loaded)
            .with_projection(mask)
            .with_row_groups(start.groups)
            .with_row_selection_policy(RowSelectionPolicy::Selectors)
            .with_batch_size(batch_rows);
        if offset > 0 { builder.with_offset(offset).build() } else { builder.build() }
    })
    .and_then(|built| built.map_err(|error| error.to_string()))
    .map_err(|reason| damaged_footer(&request.name, &reason))
}

/// The batches of the reader, checked against what the footer promises.
struct Rows {
    reader: ParquetRecordBatchReader,
    windows: Arc<Windows>,
    metadata: Arc<ParquetMetaData>,
    name: String,
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
        let next = caught(|| self.reader.next().transpose())
            .and_then(|read| read.map_err(|error| error.to_string()))
            .and_then(|batch| self.counted(batch));
        self.done = !matches!(next, Ok(Some(_)));
        next.map_err(|reason| self.failed(&reason)).transpose()
    }
}

impl Rows {
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
        if let Some(error) = self.windows.take_failure() {
            return DecodeError::from_io(&self.name, error);
        }
        let near = self.windows.last_read().and_then(|byte| {
            let (group, column) = layout::column_at(&self.metadata, byte)?;
            Some(format!("; read last: column `{column}` of row group {group}, byte {byte}"))
        });
        DecodeError::Malformed {
            name: self.name.clone(),
            format: Format::Parquet.name(),
            place: Place::row(self.row),
            reason: format!("{reason}{}; upload the object anew", near.unwrap_or_default()),
        }
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
