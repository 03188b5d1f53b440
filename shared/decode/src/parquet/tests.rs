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

#[test]
fn an_object_that_becomes_too_large_is_refused() {
    let limits = Limits { max_decoded_bytes: 4_000, ..Limits::default() };
    let asked = Request { limits, ..request(Format::Parquet, &["id"]) };
    let error = read(write(&sample(1_000), groups_of(100)), asked).unwrap_err();
    assert!(matches!(error, DecodeError::TooLarge { limit: 4_000, .. }), "{error}");
}

fn good() -> Vec<u8> {
    write(&sample(300), groups_of(100)).to_vec()
}

#[rstest]
#[case(vec![], "is empty (0 bytes)")]
#[case(b"PAR1".to_vec(), "it is cut off")]
#[case(good()[..2_000].to_vec(), "it is cut off")]
#[case(b"a,b\n1,2\n3,4\n".to_vec(), "the magic bytes `PAR1` are missing")]
#[case([&[0x1f, 0x8b, 8, 0][..], &[0; 40][..]].concat(), "this is a gzip file")]
#[case(b"ARROW1\0\0 and so on and so on".to_vec(), "this is an Arrow IPC file")]
#[case([&good()[..good().len() - 1], b"E"].concat(), "encryption (the footer is encrypted) is not supported")]
#[case([&good()[..good().len() - 8], &[0xff, 0xff, 0, 0], b"PAR1"].concat(), "the footer claims 65535 bytes")]
#[case([&good()[..good().len() - 8], &[9, 0, 0, 0], b"PAR1"].concat(), "the footer is damaged")]
fn what_is_no_parquet_file_is_named(#[case] file: Vec<u8>, #[case] words: &str) {
    let error = read(file.into(), request(Format::Parquet, &["id"])).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.to_string().starts_with("s3://bucket/key: "), "{error}");
    assert_eq!(error.disposition(), Disposition::Quarantine);
}

#[test]
fn a_damaged_page_is_named_with_its_column() {
    let rows = sample(300);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = write(&rows, properties).to_vec();
    // The first page of the first column begins after the magic bytes.
    file[4..40].fill(0xff);
    let error = read(file.into(), request(Format::Parquet, &["id"])).unwrap_err().to_string();
    assert!(error.contains("column `id` of row group 0"), "{error}");
}

/// Whatever was read around it, and though the bytes of all columns came at once.
#[rstest]
fn damage_is_blamed_on_its_column(
    #[values("id", "name", "price", "at", "blob", "tags.list.item", "place.city", "place.geo.lon")]
    column: &str,
) {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(1_000))
        .build();
    let mut file = write(&sample(3_000), properties).to_vec();
    let metadata =
        ParquetMetaDataReader::new().parse_and_finish(&Bytes::from(file.clone())).unwrap();
    let mut columns = metadata.row_group(1).columns().iter();
    let chunk = columns.find(|chunk| chunk.column_path().string() == column).unwrap();
    let (start, bytes) = chunk.byte_range();
    let end = usize::try_from(start + bytes).unwrap();
    file[end - 60..end].fill(0xff);
    let error = read(file.into(), request(Format::Parquet, &ALL)).unwrap_err().to_string();
    assert!(error.contains(&format!("column `{column}` of row group 1; upload")), "{error}");
}

/// One text of a megabyte that 300 rows share, as a dictionary and as what each
/// has in common with the one before: a file of a few kilobytes, batches that end
/// where their rows would take 32 MB.
#[rstest]
#[case::dictionary(Encoding::PLAIN, true)]
#[case::beginnings(Encoding::DELTA_BYTE_ARRAY, false)]
fn a_small_file_does_not_become_large_batches(
    #[case] encoding: Encoding,
    #[case] dictionary: bool,
) {
    let text = "x".repeat(1 << 20);
    let ids = Arc::new(Int64Array::from_iter_values(0..300)) as ArrayRef;
    let texts = Arc::new(StringArray::from_iter_values((0..300).map(|_| text.as_str())));
    let rows = RecordBatch::try_from_iter([("id", ids), ("text", texts as ArrayRef)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(Default::default()))
        .set_dictionary_enabled(dictionary)
        .set_dictionary_page_size_limit(4 << 20)
        .set_column_encoding("text".into(), encoding)
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let file = write(&rows, properties);
    assert!(file.len() < 20_000, "{}", file.len());
    let mut metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    let from = |start_row, file: &Bytes| {
        let plan = BatchPlan::for_chunks(100);
        read(file.clone(), Request { plan, start_row, ..request(Format::Parquet, &["id", "text"]) })
    };
    // A writer that does not say how long the texts are, as most do not.
    let file = without_text_sizes(&file, &mut metadata);
    let found = from(0, &file).unwrap();
    let sizes: Vec<_> = found.iter().map(|batch| batch.batch.num_rows()).collect();
    assert_eq!(sizes, [31, 31, 31, 7].repeat(3));
    assert_eq!(joined(&found, &rows), rows);
    let tail: Vec<_> = found.into_iter().filter(|batch| batch.rows.start >= 200).collect();
    assert_same(&from(200, &file).unwrap(), &tail);
}

/// The same file with another footer.
fn without_text_sizes(file: &Bytes, metadata: &mut ParquetMetaData) -> Bytes {
    let groups = metadata.row_groups().iter().map(|group| {
        let columns = group.columns().iter().map(|chunk| {
            chunk.clone().into_builder().set_unencoded_byte_array_data_bytes(None).build().unwrap()
        });
        let columns = columns.collect();
        group.clone().into_builder().set_column_metadata(columns).build().unwrap()
    });
    let metadata = metadata.clone().into_builder().set_row_groups(groups.collect()).build();
    let length = file[file.len() - 8..].first_chunk::<4>().unwrap();
    let footer = usize::try_from(u32::from_le_bytes(*length)).unwrap() + 8;
    let mut made = file[..file.len() - footer].to_vec();
    ParquetMetaDataWriter::new(&mut made, &metadata).finish().unwrap();
    made.into()
}

#[test]
fn pieces_shrink_to_what_the_texts_of_a_page_need() {
    let text = "x".repeat(1 << 20);
    let texts = Arc::new(StringArray::from_iter_values((0..300).map(|_| text.as_str())));
    let rows = RecordBatch::try_from_iter([("text", texts as ArrayRef)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_column_encoding("text".into(), Encoding::DELTA_BYTE_ARRAY)
        .build();
    let file = write(&rows, properties);
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
    let windows = Arc::new(Windows::whole(Arc::new(Counted::new(file.clone())), file));
    let file = File { read: metadata, windows, name: String::new() };
    let mut rows = Rows::begin(file, vec![0], 0, 300, Piece::of(300)).unwrap();
    let mut sizes = Vec::new();
    while let Some(batch) = rows.next().transpose().unwrap() {
        sizes.push(batch.num_rows());
    }
    // What follows the beginning of the first text is all of it: twice a text, as far
    // as the lengths tell.
    assert_eq!(sizes, [vec![32; 9], vec![12]].concat());
}

/// A file of one page of 300 numbers whose header states this checksum, which
/// the crate's own writer never does.
fn with_checksum(checksum: impl Fn(&[u8]) -> u32) -> Bytes {
    let rows = RecordBatch::try_from_iter([("id", sample(300).column(0).clone())]).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let file = write(&rows, properties);
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    let chunk = metadata.row_group(0).column(0).clone();
    let end = 4 + usize::try_from(chunk.compressed_size()).unwrap();
    let (header, page) = file[4..end].split_at(end - 4 - 2_400);
    // Type, two sizes of 2400; then field 5 comes after field 4 instead of 3.
    assert_eq!(header[..9], [0x15, 0, 0x15, 0xc0, 0x25, 0x15, 0xc0, 0x25, 0x2c]);
    let mut file = [b"PAR1", &header[..8], &[0x15]].concat();
    let signed = i64::from(checksum(page).cast_signed());
    let mut zigzag = ((signed << 1) ^ (signed >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        file.push(u8::try_from(zigzag & 0x7f).unwrap() | 0x80);
        zigzag >>= 7;
    }
    file.extend([u8::try_from(zigzag).unwrap(), 0x1c]);
    file.extend_from_slice(&header[9..]);
    file.extend_from_slice(page);
    let bytes = i64::try_from(file.len() - 4).unwrap();
    let chunk = chunk.into_builder().set_total_compressed_size(bytes).build().unwrap();
    let group = metadata
        .row_group(0)
        .clone()
        .into_builder()
        .set_column_metadata(vec![chunk])
        .build()
        .unwrap();
    let metadata = metadata.into_builder().set_row_groups(vec![group]).build();
    ParquetMetaDataWriter::new(&mut file, &metadata).finish().unwrap();
    file.into()
}

#[test]
fn pages_are_checked_against_their_checksums() {
    let crc = |page: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(page);
        crc.sum()
    };
    assert_eq!(read(with_checksum(crc), request(Format::Parquet, &["id"])).unwrap().len(), 1);
    let error = read(with_checksum(|page| crc(page) ^ 1), request(Format::Parquet, &["id"]))
        .unwrap_err()
        .to_string();
    assert!(error.contains("CRC checksum mismatch"), "{error}");
}

#[rstest]
#[case(0)]
#[case(1)]
#[case(2)]
fn a_store_that_fails_is_asked_again(#[case] read: usize) {
    let file = Arc::new(Counted::new(write(&numbers(1_300_000), plain(400_000))));
    file.fail_from(read);
    let error = batches(open(file, request(Format::Parquet, &["a", "b"]))).unwrap_err();
    assert!(matches!(error, DecodeError::Unreadable { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry);
}

/// Files that have most kinds of pages between them.
fn fuzzed(kind: usize) -> Vec<u8> {
    let builder =
        WriterProperties::builder().set_max_row_group_row_count(Some(90)).set_write_batch_size(10);
    let properties = match kind {
        0 => builder.set_data_page_row_count_limit(20),
        1 => builder
            .set_compression(Compression::SNAPPY)
            .set_writer_version(WriterVersion::PARQUET_2_0),
        2 => builder
            .set_compression(Compression::ZSTD(Default::default()))
            .set_dictionary_enabled(false),
        3 => builder
            .set_compression(Compression::LZ4_RAW)
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_dictionary_enabled(false),
        _ => builder.set_dictionary_enabled(false),
    };
    let rows = sample(200);
    write(&rows, properties.build()).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_files_never_panic(
        kind in 0_usize..5,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        footer in any::<bool>(),
        start_row in prop::sample::select(vec![0_u64, 100]),
    ) {
        let mut file = fuzzed(kind);
        let length = file.len();
        for (place, value) in flips {
            // Half of the damage goes into the footer, where it does most.
            let at = if footer { length - 1 - place.index(length / 3) } else { place.index(length) };
            file[at] = value;
        }
        let asked = Request { start_row, plan: BatchPlan::for_chunks(100), ..request(Format::Parquet, &ALL) };
        if let Ok(found) = read(file.into(), asked) {
            prop_assert!(found.iter().all(|batch| batch.rows.end <= 200));
        }
    }

    #[test]
    fn files_that_are_cut_off_are_refused(kind in 0_usize..5, cut in any::<prop::sample::Index>()) {
        let file = fuzzed(kind);
        let keep = cut.index(file.len());
        prop_assert!(read(Bytes::from(file).slice(..keep), request(Format::Parquet, &ALL)).is_err());
    }
}
