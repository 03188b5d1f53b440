//! Parquet: the footer first, then the columns that are wanted, page by page.
//!
//! The parquet crate decodes; this file hands it bytes through `window`, so
//! that memory depends on the number of columns and not on the size of a row
//! group, and answers for what a damaged file makes the crate do.

mod footer;
mod pages;
#[cfg(test)]
mod tests;
mod thrift;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use model::document::Format;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelectionPolicy,
};
use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use crate::arrow_rows::ArrowRows;
use crate::fields::Fields;
use crate::window::{Chunk, Windows};
use crate::{DecodeError, Decoder, Place, RangeRead, Request};
use pages::Pages;

/// Bytes of a batch after decoding, as far as the footer can tell.
const BATCH_BYTES: u64 = 16 * 1024 * 1024;

/// Opens a Parquet file: reads its footer, finds the requested fields and
/// passes over the rows before `start_row`.
pub(crate) fn open(
    ranges: Arc<dyn RangeRead>,
    mut request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let name = request.name.clone();
    let footer = footer::read(ranges.as_ref(), &name)?;
    let damaged = |reason: String| {
        malformed(&name, &format!("the footer is damaged: {reason}; upload the object anew"))
    };
    let loaded =
        caught(|| ArrowReaderMetadata::try_new(footer.metadata.clone(), ArrowReaderOptions::new()))
            .and_then(|loaded| loaded.map_err(|error| error.to_string()))
            .map_err(damaged)?;
    let fields = Fields::find(loaded.schema(), &request)?;
    let leaves = leaves(&footer.metadata, &fields);

    let chunks = chunks(&footer.metadata, &leaves, ranges.size(), &name)?;
    let row_bytes = row_bytes(&footer.metadata, &leaves);
    request.plan = request.plan.limited(BATCH_BYTES / row_bytes.max(1));

    let windows = Arc::new(match footer.whole {
        Some(bytes) => Windows::whole(ranges, bytes),
        None => Windows::new(ranges, &chunks),
    });
    let (first_row, groups) = groups_from(&footer.metadata, request.start_row);
    let rows_left: u64 = groups.iter().map(|group| rows_of(&footer.metadata, *group)).sum();
    let batch_rows = usize::try_from(request.plan.batch_rows).unwrap_or(usize::MAX);
    let offset = usize::try_from(request.start_row.saturating_sub(first_row)).unwrap_or(usize::MAX);
    let mask = ProjectionMask::leaves(loaded.metadata().file_metadata().schema_descr(), leaves);
    let reader = caught(|| {
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(Pages::new(windows.clone()), loaded)
                .with_projection(mask)
                .with_row_groups(groups)
                .with_row_selection_policy(RowSelectionPolicy::Selectors)
                .with_batch_size(batch_rows);
        if offset > 0 { builder.with_offset(offset).build() } else { builder.build() }
    })
    .and_then(|built| built.map_err(|error| error.to_string()))
    .map_err(damaged)?;

    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let fields = fields.within(&schema, &request)?;
    let start_row = request.start_row.max(first_row);
    let source = Rows {
        reader,
        windows,
        metadata: footer.metadata,
        name,
        row: start_row,
        end: first_row + rows_left,
        done: false,
    };
    Ok(Box::new(ArrowRows::new(source, start_row, fields, request)))
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
            let (group, column) = column_at(&self.metadata, byte)?;
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

/// The leaf columns that the fields need.
fn leaves(metadata: &ParquetMetaData, fields: &Fields) -> Vec<usize> {
    let columns = metadata.file_metadata().schema_descr().columns();
    let wanted = |path: &[String]| fields.paths().any(|wanted| path.starts_with(wanted));
    (0..columns.len()).filter(|leaf| wanted(columns[*leaf].path().parts())).collect()
}

/// Where the columns lie, by row groups.
fn chunks(
    metadata: &ParquetMetaData,
    leaves: &[usize],
    size: u64,
    name: &str,
) -> Result<Vec<Vec<Chunk>>, DecodeError> {
    let group = |(place, group): (usize, &parquet::file::metadata::RowGroupMetaData)| {
        let chunk = |leaf: &usize| {
            Ok(Chunk {
                range: footer::chunk_range(group.column(*leaf), place, size, name)?,
                leaf: *leaf,
            })
        };
        leaves.iter().map(chunk).collect()
    };
    metadata.row_groups().iter().enumerate().map(group).collect()
}

/// Bytes of an average row, in the row group where it is largest.
fn row_bytes(metadata: &ParquetMetaData, leaves: &[usize]) -> u64 {
    let group = |group: &parquet::file::metadata::RowGroupMetaData| {
        let bytes: u64 = leaves.iter().map(|leaf| decoded_bytes(group.column(*leaf))).sum();
        bytes / u64::try_from(group.num_rows()).unwrap_or(1).max(1)
    };
    metadata.row_groups().iter().map(group).max().unwrap_or(0)
}

/// Bytes of a column chunk as an array. A dictionary hides how long texts are
/// unless the writer counted them.
fn decoded_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    let width = match chunk.column_type() {
        Type::BOOLEAN => 0,
        Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => chunk.column_descr().type_length(),
    };
    let fixed = chunk.num_values().saturating_mul(i64::from(width));
    let texts = chunk.unencoded_byte_array_data_bytes().unwrap_or(0);
    u64::try_from(fixed.saturating_add(texts).max(chunk.uncompressed_size())).unwrap_or(0)
}

/// The row groups from `start_row` on, and the ordinal of their first row.
fn groups_from(metadata: &ParquetMetaData, start_row: u64) -> (u64, Vec<usize>) {
    let mut first = 0;
    let mut place = 0;
    while place < metadata.num_row_groups() && first + rows_of(metadata, place) <= start_row {
        first += rows_of(metadata, place);
        place += 1;
    }
    // An empty row group has no pages to look for.
    let groups = (place..metadata.num_row_groups()).filter(|group| rows_of(metadata, *group) > 0);
    (first, groups.collect())
}

fn rows_of(metadata: &ParquetMetaData, group: usize) -> u64 {
    u64::try_from(metadata.row_group(group).num_rows()).unwrap_or(0)
}

/// The row group and the column whose chunk holds a byte of the file.
fn column_at(metadata: &ParquetMetaData, byte: u64) -> Option<(usize, String)> {
    metadata.row_groups().iter().enumerate().find_map(|(place, group)| {
        let holds = |chunk: &&ColumnChunkMetaData| {
            footer::chunk_range(chunk, place, u64::MAX, "").is_ok_and(|range| range.contains(&byte))
        };
        group.columns().iter().find(holds).map(|chunk| (place, chunk.column_path().string()))
    })
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

fn malformed(name: &str, reason: &str) -> DecodeError {
    DecodeError::Malformed {
        name: name.to_owned(),
        format: Format::Parquet.name(),
        place: Place::default(),
        reason: reason.to_owned(),
    }
}
