//! Parquet: the footer first, then the columns that are wanted, page by page.
//!
//! The parquet crate decodes; this file hands it bytes through `window`, so
//! that memory depends on the number of columns and not on the size of a row
//! group, and answers for what a damaged file makes the crate do.

mod footer;
mod int96;
mod layout;
mod pages;
#[cfg(test)]
mod tests;
mod thrift;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use model::ColumnType;
use model::document::Format;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelectionPolicy,
};
use parquet::basic::Type;
use parquet::file::metadata::ParquetMetaData;

use crate::arrow_rows::ArrowRows;
use crate::fields::Fields;
use crate::window::Windows;
use crate::{DecodeError, Decoder, FieldOrigin, Place, RangeRead, Request};
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
    let loaded = load(footer.metadata.clone(), &request)?;
    let fields = Fields::find(loaded.schema(), &request)?;
    let old = int96::wanted_in_full(&loaded, &request);

    let layout = Layout::new(&footer.metadata, &fields, ranges.size(), &request)?;
    request.plan = request.plan.limited(BATCH_BYTES / layout.row_bytes.max(1));
    let windows = Arc::new(match footer.whole {
        Some(bytes) => Windows::whole(ranges, bytes),
        None => Windows::new(ranges, &layout.chunks),
    });

    let start = Start::at(&footer.metadata, request.start_row);
    let (first_row, end) = (start.row.max(request.start_row), start.end);
    let nanoseconds = old
        .as_ref()
        .map(|old| {
            let loaded = finer(footer.metadata.clone(), old, &request)?;
            let leaves = old.leaves.clone();
            let pages = Pages::new(windows.clone());
            reader(pages, loaded, leaves, start.clone(), &request)
        })
        .transpose()?;
    let reader = reader(Pages::new(windows.clone()), loaded, layout.leaves, start, &request)?;
    let fields = fields.within(&reader.schema(), &request)?;
    let source = Rows {
        reader,
        nanoseconds,
        windows,
        metadata: footer.metadata,
        name: request.name.clone(),
        row: first_row,
        end,
        done: false,
    };
    Ok(Box::new(ArrowRows::new(source, first_row, fields, request)))
}

/// The file's columns as Arrow types.
fn load(
    metadata: Arc<ParquetMetaData>,
    request: &Request,
) -> Result<ArrowReaderMetadata, DecodeError> {
    caught(|| {
        let loaded = ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new())?;
        match as_wanted(&loaded, request) {
            Some(schema) => ArrowReaderMetadata::try_new(
                metadata,
                ArrowReaderOptions::new().with_schema(schema),
            ),
            None => Ok(loaded),
        }
    })
    .and_then(|loaded: parquet::errors::Result<_>| loaded.map_err(|error| error.to_string()))
    .map_err(|reason| damaged_footer(&request.name, &reason))
}

/// The same columns with the old moments in nanoseconds.
fn finer(
    metadata: Arc<ParquetMetaData>,
    old: &int96::Old,
    request: &Request,
) -> Result<ArrowReaderMetadata, DecodeError> {
    let options = ArrowReaderOptions::new().with_schema(old.schema.clone());
    caught(|| ArrowReaderMetadata::try_new(metadata, options))
        .and_then(|loaded| loaded.map_err(|error| error.to_string()))
        .map_err(|reason| damaged_footer(&request.name, &reason))
}

/// The schema as we want it, where that is another than the crate's choice:
///
/// - The old 96-bit moments are read in microseconds. In nanoseconds a year like
///   9999 does not fit and would silently become another; [`int96`] adds what is
///   finer where it is wanted.
/// - Texts that lie as a dictionary stay one for a column of `LowCardinality`.
fn as_wanted(loaded: &ArrowReaderMetadata, request: &Request) -> Option<SchemaRef> {
    let roots = loaded.metadata().file_metadata().schema_descr().root_schema().get_fields();
    let is_old = |place: usize| {
        roots
            .get(place)
            .is_some_and(|root| root.is_primitive() && root.get_physical_type() == Type::INT96)
    };
    let wanted = |(place, field): (usize, &FieldRef)| match field.data_type() {
        DataType::Timestamp(unit, zone) if is_old(place) && *unit != TimeUnit::Microsecond => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        DataType::Utf8 if stays_dictionary(field.name(), loaded.metadata(), request) => {
            Some(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))
        }
        _ => None,
    };
    let fields = loaded.schema().fields();
    let wanted: Vec<_> = fields.iter().enumerate().map(wanted).collect();
    wanted.iter().any(Option::is_some).then(|| {
        let fields = fields.iter().zip(wanted).map(|(field, wanted)| match wanted {
            Some(wanted) => Arc::new(field.as_ref().clone().with_data_type(wanted)),
            None => field.clone(),
        });
        Arc::new(Schema::new_with_metadata(
            fields.collect::<Vec<_>>(),
            loaded.schema().metadata().clone(),
        ))
    })
}

/// Whether a top-level column of texts is wanted for `LowCardinality` columns
/// alone, and every row group has a dictionary of it.
fn stays_dictionary(name: &str, metadata: &ParquetMetaData, request: &Request) -> bool {
    let mut asked = request.fields.iter().filter(|field| match &field.origin {
        FieldOrigin::Column(column) => column == name,
        FieldOrigin::Path(path) => path.first().is_some_and(|first| first == name),
    });
    let is_wanted = asked.clone().next().is_some()
        && asked.all(|field| matches!(field.column_type, Some(ColumnType::LowCardinality(_))));
    is_wanted
        && metadata.row_groups().iter().all(|group| {
            group.columns().iter().any(|chunk| {
                chunk.column_path().parts() == [name] && chunk.dictionary_page_offset().is_some()
            })
        })
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
    /// The old moments of the same rows, where nanoseconds are wanted.
    nanoseconds: Option<ParquetRecordBatchReader>,
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
        let next = caught(|| self.read())
            .and_then(|read| read.map_err(|error| error.to_string()))
            .and_then(|batch| self.counted(batch));
        self.done = !matches!(next, Ok(Some(_)));
        next.map_err(|reason| self.failed(&reason)).transpose()
    }
}

impl Rows {
    fn read(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let Some(batch) = self.reader.next().transpose()? else { return Ok(None) };
        let Some(finer) = &mut self.nanoseconds else { return Ok(Some(batch)) };
        let finer = finer.next().transpose()?;
        int96::in_full(batch, finer.as_ref()).map(Some)
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
