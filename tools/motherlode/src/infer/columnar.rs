//! The beginning of a Parquet or Arrow file: it states its types itself; the
//! rows only say where NULLs are and how many values differ.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchReader as _};
use arrow::compute::{concat_batches, max, min};
use arrow::datatypes::{
    DataType, Field as ArrowField, FieldRef, Schema, SchemaRef, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use decode::{FieldOrigin, FieldRequest, Input, Limits, RangeRead, Request};
use model::document::{Compression, Drift, Format};
use model::{BatchPlan, ColumnType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{ConvertedType, LogicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::Type;

use super::profile::Profile;
use super::sample::{Field, ROWS, Sample};
use crate::failure::Advise as _;

/// Days since 1970 that `Date` holds: to 2148, the last whole year.
const DATE_DAYS: std::ops::RangeInclusive<i128> = 0..=65_379;
/// Bytes of rows that are looked at: a small file may hold very large ones.
const WEIGHT: u64 = 128 * 1024 * 1024;

/// What helps against a file that cannot be read.
const DAMAGED: &str = "the file may be damaged or cut off: fetch it again";

/// What a Parquet file says of itself, as far as it can be true.
fn metadata(file: &Path) -> Result<ArrowReaderMetadata, ParquetError> {
    let stated = ArrowReaderMetadata::load(&File::open(file)?, ArrowReaderOptions::new())?;
    let placed = decode::placed_dictionaries(stated.metadata().as_ref().clone())?;
    ArrowReaderMetadata::try_new(Arc::new(placed), ArrowReaderOptions::new())
}

/// Looks at the beginning of a Parquet file.
pub fn parquet(file: &Path) -> anyhow::Result<Sample> {
    let reading = || format!("reading {} as Parquet", file.display());
    let most = sound(file).with_context(reading).hint(|| DAMAGED)?;
    let metadata = metadata(file).with_context(reading).hint(|| DAMAGED)?;
    let open = || -> anyhow::Result<_> {
        let file = File::open(file)?;
        Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone()))
    };
    let builder = open()?;
    let nulls = null_counts(builder.metadata());
    let ranges = ranges(builder.metadata());
    let total = builder.metadata().file_metadata().num_rows();
    let schema = builder.schema().clone();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let descriptor = builder.parquet_schema();
    let roots = descriptor.root_schema().get_fields();
    let uuids: Vec<String> =
        roots.iter().filter(|root| is_uuid(root)).map(|root| root.name().to_owned()).collect();
    let is_text = |place: &usize| holds_texts(schema.field(*place).data_type());
    let others: Vec<usize> = (0..schema.fields().len()).filter(|place| !is_text(place)).collect();
    let others = ProjectionMask::roots(descriptor, others);
    let read = |mask: ProjectionMask| -> Result<RecordBatch, ArrowError> {
        let builder = open().map_err(|error| ArrowError::ExternalError(error.into()))?;
        let reader = builder.with_projection(mask).with_limit(most).build()?;
        collect(&reader.schema(), reader)
    };
    // A text that is none ends the reading of all columns: then the others say
    // what they can, and texts have their type from the schema alone.
    let (batch, has_texts) = match read(ProjectionMask::all()) {
        Ok(batch) => (batch, true),
        Err(error) => match read(others) {
            Ok(batch) if schema.fields().len() > batch.num_columns() => (batch, false),
            _ => return Err(error).with_context(reading).hint(|| DAMAGED),
        },
    };
    let is_whole = i64::try_from(batch.num_rows()).is_ok_and(|rows| rows == total);
    let mut sample = sample(Format::Parquet, "none", &batch, is_whole);
    if !has_texts {
        sample
            .notes
            .push("texts hold bytes that are no UTF-8: their values were not looked at".to_owned());
        sample.fields = with_unread(std::mem::take(&mut sample.fields), &schema, sample.rows);
    }
    for field in &mut sample.fields {
        // The statistics know the rows behind the sample too.
        field.profile.nulls =
            nulls.get(&field.path[0]).copied().unwrap_or(0).max(field.profile.nulls);
        match (&mut field.stated, ranges.get(&field.path[0])) {
            (Some((ColumnType::Int(_) | ColumnType::UInt(_), _)), Some(range)) => {
                field.profile.stretch(*range);
            }
            (Some((date @ ColumnType::Date32, _)), Some((first, last)))
                if DATE_DAYS.contains(first) && DATE_DAYS.contains(last) =>
            {
                *date = ColumnType::Date;
            }
            _ => {}
        }
        if uuids.contains(&field.path[0]) {
            field.stated = Some((ColumnType::Uuid, says("UUID")));
        }
    }
    Ok(sample)
}

/// Reads what is looked at by the decoder of objects first: it answers for damage that
/// ends the process of who trusts the file. Texts that are none are no such damage. Gives the
/// number of rows that are not too large to be looked at.
fn sound(file: &Path) -> anyhow::Result<u64> {
    let ranges = Arc::new(Local::open(file)?);
    let name = file.display().to_string();
    decode::row_groups(ranges.as_ref(), &name)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let field = |field: &FieldRef| FieldRequest {
        origin: FieldOrigin::Column(field.name().clone()),
        empty_is_text: false,
        column_type: None,
        required_by: field.name().clone(),
        is_optional: true,
    };
    let request = Request {
        format: Format::Parquet,
        compression: Compression::None,
        name,
        fields: builder.schema().fields().iter().map(field).collect(),
        drift: Drift::default(),
        plan: BatchPlan::for_chunks(ROWS),
        start_row: 0,
        limits: Limits::default(),
    };
    let mut decoder = decode::open(Input::Ranges(ranges), request)?;
    let (mut rows, mut weight) = (0, 0);
    while rows < ROWS && weight < WEIGHT {
        match decoder.next_batch() {
            Ok(Some(batch)) => {
                rows = batch.rows.end;
                weight += native::weight::of_batch(&batch.batch);
            }
            Ok(None) => break,
            Err(error) if error.to_string().contains("UTF-8") => return Ok(ROWS),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(rows.min(ROWS))
}

/// A file of this machine, read by ranges.
struct Local {
    file: File,
    size: u64,
}

impl Local {
    fn open(file: &Path) -> io::Result<Self> {
        let file = File::open(file)?;
        Ok(Self { size: file.metadata()?.len(), file })
    }
}

impl RangeRead for Local {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }
}

/// Whether the file calls sixteen bytes a UUID.
fn is_uuid(root: &Type) -> bool {
    root.is_primitive() && root.get_basic_info().logical_type_ref() == Some(&LogicalType::Uuid)
}

fn holds_texts(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => holds_texts(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| holds_texts(field.data_type())),
        DataType::Dictionary(_, values) => holds_texts(values),
        _ => false,
    }
}

/// The fields that were read and, in the file's order, those that were not.
fn with_unread(mut read: Vec<Field>, schema: &Schema, rows: u64) -> Vec<Field> {
    let field = |field: &FieldRef| {
        if let Some(at) = read.iter().position(|read| read.path[0] == *field.name()) {
            return read.remove(at);
        }
        let column_type = native::natural_type(field.data_type()).unwrap_or(ColumnType::String);
        let mut profile = Profile::default();
        for row in 0..rows {
            profile.stated(&row.to_string());
        }
        let stated = Some((column_type, says(&field.data_type().to_string())));
        Field { path: vec![field.name().clone()], profile, stated }
    };
    schema.fields().iter().map(field).collect()
}

/// Looks at the beginning of an Arrow IPC file.
pub fn arrow_file<R: Read + Seek>(
    content: R,
    compression: &'static str,
    file: &Path,
) -> anyhow::Result<Sample> {
    let reading = || format!("reading {} as Arrow IPC file", file.display());
    let read = unpanicking(|| {
        let reader = FileReader::try_new(content, None)?;
        let schema = reader.schema();
        beginning(&schema, reader)
    });
    let (batch, is_whole) = read.with_context(reading).hint(|| DAMAGED)?;
    Ok(sample(Format::Arrow, compression, &batch, is_whole))
}

/// Looks at the beginning of an Arrow IPC stream.
pub fn arrow_stream<R: Read>(
    content: R,
    compression: &'static str,
    file: &Path,
) -> anyhow::Result<Sample> {
    let reading = || format!("reading {} as Arrow IPC stream", file.display());
    let read = unpanicking(|| {
        let reader = StreamReader::try_new(content, None)?;
        let schema = reader.schema();
        beginning(&schema, reader)
    });
    let (batch, is_whole) = read.with_context(reading).hint(|| DAMAGED)?;
    Ok(sample(Format::Arrow, compression, &batch, is_whole))
}

/// Readers of Arrow end the thread at some damaged lengths.
fn unpanicking<T>(read: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(ArrowError::IpcError("a length in it cannot be".to_owned())))
}

/// Batches up to the number of rows that is looked at, and whether there are
/// no more rows.
fn beginning(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<(RecordBatch, bool), ArrowError> {
    let most = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let mut taken = Vec::new();
    let (mut rows, mut weight, mut is_whole) = (0, 0, true);
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows();
        weight += native::weight::of_batch(&batch);
        taken.push(Ok(batch));
        if rows > most || weight > WEIGHT {
            is_whole = false;
            break;
        }
    }
    let batch = collect(schema, taken.into_iter())?;
    Ok((batch.slice(0, rows.min(most)), is_whole))
}

fn collect(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<RecordBatch, ArrowError> {
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    let schema = batches.first().map_or_else(|| Arc::clone(schema), RecordBatch::schema);
    concat_batches(&schema, &batches)
}

/// NULLs of each column that is no struct or list, from the statistics.
fn null_counts(metadata: &ParquetMetaData) -> HashMap<String, u64> {
    let mut counts = HashMap::new();
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        if let [name] = column.column_path().parts()
            && let Some(nulls) =
                column.statistics().and_then(|statistics| statistics.null_count_opt())
        {
            *counts.entry(name.clone()).or_default() += nulls;
        }
    }
    counts
}

/// The least and the greatest integer of each column that is no struct or list, where
/// the statistics of every row group know them.
fn ranges(metadata: &ParquetMetaData) -> HashMap<String, (i128, i128)> {
    use ConvertedType::{UINT_8, UINT_16, UINT_32, UINT_64};
    let mut ranges: HashMap<String, Option<(i128, i128)>> = HashMap::new();
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let [name] = column.column_path().parts() else { continue };
        let is_signed =
            !matches!(column.column_descr().converted_type(), UINT_8 | UINT_16 | UINT_32 | UINT_64);
        let wide_32 =
            |it: &i32| if is_signed { i128::from(*it) } else { i128::from(it.cast_unsigned()) };
        let wide_64 =
            |it: &i64| if is_signed { i128::from(*it) } else { i128::from(it.cast_unsigned()) };
        let found = match column.statistics() {
            Some(Statistics::Int32(found)) => {
                found.min_opt().map(wide_32).zip(found.max_opt().map(wide_32))
            }
            Some(Statistics::Int64(found)) => {
                found.min_opt().map(wide_64).zip(found.max_opt().map(wide_64))
            }
            _ => None,
        };
        let range = ranges.entry(name.clone()).or_insert(found);
        *range = range.zip(found).map(|((l, h), (low, high))| (l.min(low), h.max(high)));
    }
    ranges.into_iter().filter_map(|(name, range)| Some((name, range?))).collect()
}

/// Why a column has the type that it has.
fn says(words: &str) -> String {
    format!("the file says {words}")
}

fn sample(
    format: Format,
    compression: &'static str,
    batch: &RecordBatch,
    is_whole: bool,
) -> Sample {
    let schema: &Schema = batch.schema_ref();
    let fields = schema.fields().iter().zip(batch.columns()).map(|(field, array)| {
        let mut profile = profile(array);
        if !is_whole {
            // The rows behind these may hold any integer that the type holds.
            profile.range = None;
        }
        let stated =
            Some((column_type(array, &profile, is_whole), says(&field.data_type().to_string())));
        Field { path: vec![field.name().clone()], profile, stated }
    });
    Sample {
        format,
        compression,
        fields: fields.collect(),
        rows: u64::try_from(batch.num_rows()).unwrap_or(u64::MAX),
        is_whole,
        notes: Vec::new(),
    }
}

fn profile(array: &ArrayRef) -> Profile {
    let mut profile = Profile::default();
    let options = FormatOptions::default().with_display_error(true);
    let texts = ArrayFormatter::try_new(array, &options).ok();
    let is_date = matches!(array.data_type(), DataType::Date32 | DataType::Timestamp(..));
    // Also of what keeps no list of them: a column of nothing, a dictionary with one.
    let nulls = array.logical_nulls();
    for row in 0..array.len() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            profile.null();
            continue;
        }
        let text = texts.as_ref().map(|texts| texts.value(row).to_string()).unwrap_or_default();
        if is_date {
            profile.moments.take(&text);
        }
        match text.parse() {
            Ok(value) if array.data_type().is_integer() => profile.integer(value),
            _ => profile.stated(&text),
        }
    }
    profile
}

/// The ClickHouse type of an Arrow array, without what NULLs at its own level
/// make of it.
fn column_type(array: &ArrayRef, profile: &Profile, is_whole: bool) -> ColumnType {
    match native::natural_type(&observed(array)).unwrap_or(ColumnType::String) {
        ColumnType::Date32
            if is_whole
                && profile.moments.years.is_some_and(|(low, high)| low >= 1970 && high < 2149) =>
        {
            ColumnType::Date
        }
        ColumnType::DateTime64(0, zone) if is_whole && holds_date_times(array) => {
            ColumnType::DateTime(zone)
        }
        column_type => column_type,
    }
}

/// Whether `DateTime` holds every value, which are seconds.
fn holds_date_times(array: &ArrayRef) -> bool {
    array.as_primitive_opt::<TimestampSecondType>().is_some_and(|seconds| {
        let outermost = [min(seconds), max(seconds)];
        outermost.into_iter().flatten().all(|second| u32::try_from(second).is_ok())
    })
}

/// The type of an array whose inner fields are nullable where it holds NULLs.
fn observed(array: &ArrayRef) -> DataType {
    let seen = |field: &FieldRef, array: &ArrayRef| {
        let has_nulls = array.logical_null_count() > 0;
        let field = ArrowField::new(field.name(), observed(array), has_nulls);
        Arc::new(field)
    };
    match array.data_type() {
        DataType::List(field) => DataType::List(seen(field, array.as_list::<i32>().values())),
        DataType::LargeList(field) => {
            DataType::LargeList(seen(field, array.as_list::<i64>().values()))
        }
        DataType::FixedSizeList(field, size) => {
            DataType::FixedSizeList(seen(field, array.as_fixed_size_list().values()), *size)
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            DataType::Struct(columns.map(|(field, column)| seen(field, column)).collect())
        }
        DataType::Map(field, sorted) => {
            let entries: ArrayRef = Arc::new(array.as_map().entries().clone());
            DataType::Map(seen(field, &entries), *sorted)
        }
        other => other.clone(),
    }
}
