//! Parquet, against files of the parquet crate's own writer.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int32Builder,
    Int64Array, ListBuilder, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Fields};
use bytes::Bytes;
use model::document::{Drift, Format, MissingColumn, UnknownColumn};
use model::{BatchPlan, ColumnType, Disposed, Disposition};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{Int96, Int96Type};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use rstest::rstest;

use super::{File, Piece, Rows, open};
use crate::test_support::{Counted, assert_same, batches, request};
use crate::window::Windows;
use crate::{DecodeError, DecodedBatch, Limits, Request};

mod damage;

const MIB: u64 = 1024 * 1024;

/// Rows of every kind of column, with NULLs in all but the first.
fn sample(rows: usize) -> RecordBatch {
    let number = |row: usize| i64::try_from(row).unwrap();
    let real = |row: usize| f64::from(u32::try_from(row).unwrap()) / 3.0;
    let some = |row: usize, every: usize| !row.is_multiple_of(every);
    let mut tags = ListBuilder::new(Int32Builder::new());
    for row in 0..rows {
        if some(row, 5) {
            tags.append_value(
                (0..row % 4)
                    .map(|tag| some(row + tag, 3).then(|| i32::try_from(row + tag).unwrap())),
            );
        } else {
            tags.append_null();
        }
    }
    let geo = StructArray::new(
        Fields::from(vec![
            Field::new("lat", DataType::Float64, true),
            Field::new("lon", DataType::Float64, true),
        ]),
        vec![
            Arc::new(
                (0..rows).map(|row| some(row, 4).then(|| real(row))).collect::<Float64Array>(),
            ),
            Arc::new((0..rows).map(|row| Some(-real(row))).collect::<Float64Array>()),
        ],
        Some((0..rows).map(|row| some(row, 6)).collect::<Vec<_>>().into()),
    );
    let place = StructArray::new(
        Fields::from(vec![
            Field::new("city", DataType::Utf8, true),
            Field::new("geo", geo.data_type().clone(), true),
        ]),
        vec![
            Arc::new(
                (0..rows)
                    .map(|row| some(row, 3).then(|| format!("city {}", row % 10)))
                    .collect::<StringArray>(),
            ),
            Arc::new(geo),
        ],
        None,
    );
    let price = (0..rows)
        .map(|row| some(row, 7).then(|| i128::from(number(row)) * 101))
        .collect::<Decimal128Array>();
    let moments = (0..rows).map(|row| some(row, 8).then(|| number(row) * 1_000_003));
    RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from_iter_values((0..rows).map(number))) as ArrayRef),
        (
            "name",
            Arc::new(
                (0..rows)
                    .map(|row| some(row, 2).then(|| format!("name {row}")))
                    .collect::<StringArray>(),
            ),
        ),
        ("price", Arc::new(price.with_precision_and_scale(12, 2).unwrap())),
        ("at", Arc::new(moments.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))),
        (
            "flag",
            Arc::new(
                (0..rows).map(|row| some(row, 9).then_some(row % 2 == 0)).collect::<BooleanArray>(),
            ),
        ),
        (
            "blob",
            Arc::new(BinaryArray::from_iter(
                (0..rows).map(|row| some(row, 4).then(|| vec![0, 255, 7])),
            )),
        ),
        ("tags", Arc::new(tags.finish())),
        ("place", Arc::new(place)),
    ])
    .unwrap()
}

const ALL: [&str; 8] = ["id", "name", "price", "at", "flag", "blob", "tags", "place"];

fn write(batch: &RecordBatch, properties: WriterProperties) -> Bytes {
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    file.into()
}

fn groups_of(rows: usize) -> WriterProperties {
    WriterProperties::builder().set_max_row_group_row_count(Some(rows)).build()
}

fn read(file: Bytes, request: Request) -> Result<Vec<DecodedBatch>, DecodeError> {
    batches(open(Arc::new(Counted::new(file)), request))
}

/// All rows as one batch, under the names and as the types of the file.
fn joined(batches: &[DecodedBatch], like: &RecordBatch) -> RecordBatch {
    let all = concat_batches(&batches[0].batch.schema(), batches.iter().map(|batch| &batch.batch))
        .unwrap();
    let columns = all.columns().iter().zip(like.columns());
    let columns = columns.map(|(found, like)| cast(found, like.data_type()).unwrap());
    RecordBatch::try_new(like.schema(), columns.collect()).unwrap()
}

#[rstest]
#[case(Compression::UNCOMPRESSED)]
#[case(Compression::SNAPPY)]
#[case(Compression::GZIP(Default::default()))]
#[case(Compression::BROTLI(Default::default()))]
#[case(Compression::LZ4)]
#[case(Compression::LZ4_RAW)]
#[case(Compression::ZSTD(Default::default()))]
fn every_codec_and_page_version_is_read(
    #[case] codec: Compression,
    #[values(WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0)] version: WriterVersion,
) {
    let rows = sample(3_000);
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_writer_version(version)
        .set_max_row_group_row_count(Some(700))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50)
        .build();
    let found = read(write(&rows, properties), request(Format::Parquet, &ALL)).unwrap();
    assert_eq!(joined(&found, &rows), rows);
}

#[rstest]
#[case(1, 1_000, 250)]
#[case(7, 1_000, 1_000)]
#[case(700, 1_000, 250)]
#[case(3_000, 999, 333)]
fn batches_are_cut_by_the_plan_and_a_resumed_read_gives_the_tail(
    #[case] group: usize,
    #[case] chunk: u64,
    #[case] batch: u64,
) {
    let file = write(&sample(3_001), groups_of(group));
    let plan = BatchPlan::for_chunks(chunk).limited(batch);
    let from = |start_row| Request {
        plan,
        start_row,
        ..request(Format::Parquet, &["id", "place.geo.lat", "tags"])
    };
    let whole = read(file.clone(), from(0)).unwrap();
    let mut row = 0;
    for found in &whole {
        assert_eq!(found.rows, row..(row + plan.rows_from(row)).min(3_001));
        assert_eq!(found.row_numbers, found.rows.clone().collect::<Vec<_>>());
        row = found.rows.end;
    }
    assert_eq!(row, 3_001);
    for start in (0..5_000).step_by(usize::try_from(chunk).unwrap()) {
        let tail: Vec<_> = read(file.clone(), from(0))
            .unwrap()
            .into_iter()
            .filter(|b| b.rows.start >= start)
            .collect();
        assert_same(&read(file.clone(), from(start)).unwrap(), &tail);
    }
    assert!(read(file, from(3_001)).unwrap().is_empty());
}

/// Two columns of random numbers, 16 bytes a row.
fn numbers(rows: usize) -> RecordBatch {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 1).cast_signed()
    };
    let mut column =
        || Arc::new(Int64Array::from_iter_values((0..rows).map(|_| next()))) as ArrayRef;
    RecordBatch::try_from_iter([("a", column()), ("b", column())]).unwrap()
}

fn plain(group: usize) -> WriterProperties {
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::PLAIN)
        .build()
}

/// (rows in a group, reads at most, largest read at most): a tail, then either
/// runs of row groups, or 4 MiB windows of two columns.
#[rstest]
#[case(150_000, 6, 8 * MIB)]
#[case(2_000_000, 9, 4 * MIB)]
fn large_files_are_read_in_bounded_parts(
    #[case] group: usize,
    #[case] most: usize,
    #[case] largest: u64,
) {
    let rows = numbers(2_000_000);
    let file = Arc::new(Counted::new(write(&rows, plain(group))));
    let plan = BatchPlan::for_chunks(500_000);
    let from = |start_row| Request { plan, start_row, ..request(Format::Parquet, &["a", "b"]) };
    let whole = batches(open(file.clone(), from(0))).unwrap();
    assert_eq!(joined(&whole, &rows), rows);
    assert!(
        file.reads() <= most && file.largest() <= largest,
        "{} reads, largest {}",
        file.reads(),
        file.largest()
    );
    for start in [500_000, 1_000_000, 1_500_000] {
        let resumed = batches(open(file.clone(), from(start))).unwrap();
        let tail: Vec<_> = whole.iter().filter(|batch| batch.rows.start >= start).collect();
        assert_eq!(resumed.len(), tail.len());
        assert!(
            resumed
                .iter()
                .zip(tail)
                .all(|(one, other)| one.batch == other.batch && one.rows == other.rows)
        );
    }
}

#[test]
fn only_the_columns_that_are_wanted_are_fetched() {
    let file = Arc::new(Counted::new(write(&numbers(2_000_000), plain(2_000_000))));
    assert_eq!(batches(open(file.clone(), request(Format::Parquet, &["b"]))).unwrap().len(), 2_000);
    assert!(file.total() < 17 * MIB, "{}", file.total());
}

#[rstest]
#[case(0)]
#[case(1)]
fn a_file_without_rows_gives_no_batch(#[case] groups: usize) {
    let rows = sample(0);
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), None).unwrap();
    for _ in 0..groups {
        writer.write(&rows).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    assert!(read(file.into(), request(Format::Parquet, &ALL)).unwrap().is_empty());
}

#[test]
fn fields_that_are_missing_are_null_and_rows_still_count() {
    let found = read(
        write(&sample(1_500), groups_of(400)),
        request(Format::Parquet, &["gone", "place.gone", "id"]),
    )
    .unwrap();
    assert_eq!(found.iter().map(|batch| batch.batch.num_rows()).sum::<usize>(), 1_500);
    assert_eq!(found[0].batch.column(0), &new_null_array(&DataType::Null, 1_000));
}

#[test]
fn drift_puts_every_row_aside_with_its_columns() {
    let drift = Drift { unknown: UnknownColumn::Quarantine, missing: MissingColumn::Null };
    let asked = Request { drift, ..request(Format::Parquet, &["id", "name"]) };
    let found = read(write(&sample(1_200), groups_of(500)), asked).unwrap();
    assert_eq!(
        (found[1].rows.clone(), found[1].batch.num_rows(), found[1].rejected.len()),
        (1_000..1_200, 0, 200)
    );
    let row = &found[1].rejected[1];
    assert_eq!(
        (row.row, row.raw.as_slice()),
        (1_001, br#"{"id":1001,"name":"name 1001"}"#.as_slice())
    );
    assert!(row.reason.contains("`price`"), "{}", row.reason);
}

#[test]
fn a_row_can_be_shown_as_json() {
    let found = read(
        write(&sample(10), groups_of(10)),
        request(Format::Parquet, &["price", "place.geo.lon", "tags"]),
    )
    .unwrap();
    let json = String::from_utf8(found[0].raw.get(1)).unwrap();
    assert_eq!(json, r#"{"price":"1.01","tags":[1],"place":{"geo":{"lon":-0.3333333333333333}}}"#);
}

/// 0001-01-01 and 9999-12-31 as Spark writes them: nanoseconds of the day, then
/// the Julian day.
#[test]
fn old_moments_keep_their_year() {
    let moments = [Int96::from(vec![1_000, 0, 1_721_426]), Int96::from(vec![2_000, 0, 5_373_484])];
    let found = read(old_moments(&moments), request(Format::Parquet, &["at"])).unwrap();
    assert_eq!(found[0].raw.get(0), br#"{"at":"0001-01-01T00:00:00.000001"}"#);
    assert_eq!(found[0].raw.get(1), br#"{"at":"9999-12-31T00:00:00.000002"}"#);
}

fn old_moments(moments: &[Int96]) -> Bytes {
    let schema = parse_message_type("message m { required int96 at; }").unwrap();
    let mut file = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut file, Arc::new(schema), Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int96Type>().write_batch(moments, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    file.into()
}

#[test]
fn old_moments_keep_their_nanoseconds_where_they_are_wanted() {
    let moments = [Int96::from(vec![1, 0, 2_440_588]), Int96::from(vec![2_000, 0, 5_373_484])];
    let mut asked = request(Format::Parquet, &["at"]);
    asked.fields[0].column_type = Some(ColumnType::DateTime64(9, None));
    let found = read(old_moments(&moments), asked).unwrap();
    assert_eq!(found[0].raw.get(0), br#"{"at":"1970-01-01T00:00:00.000000001"}"#);
    // No column with nanoseconds holds it: whoever judges it must see it.
    assert_eq!(found[0].raw.get(1), br#"{"at":"9999-12-31T00:00:00.000002"}"#);
}
