//! Arrow IPC, against streams and files of the arrow crate's own writers.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int8Array, Int32Builder, Int64Array, ListBuilder,
    NullArray, RecordBatch, StringArray, StringViewArray, StructArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int8Type};
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow::ipc::{CompressionType, MetadataVersion};
use model::document::{Drift, Format, UnknownColumn};
use model::{BatchPlan, Disposed, Disposition};
use proptest::prelude::*;
use rstest::rstest;

use super::open;
use crate::test_support::{Counted, assert_same, batches, request};
use crate::{DecodeError, DecodedBatch, Input, RangeRead as _, Request};

const ALL: [&str; 7] = ["id", "name", "view", "word", "tags", "place", "nothing"];

/// `rows` rows from `first` on, of every kind of column.
fn sample(first: usize, rows: usize) -> RecordBatch {
    let rows = first..first + rows;
    let number = |row: usize| i64::try_from(row).unwrap();
    let mut tags = ListBuilder::new(Int32Builder::new());
    for row in rows.clone() {
        tags.append_option((row % 3 > 0).then(|| (0..row % 4).map(|tag| i32::try_from(tag).ok())));
    }
    let inner: ArrayRef = Arc::new(
        rows.clone().map(|row| (row % 2 > 0).then(|| number(row))).collect::<Int64Array>(),
    );
    // A file allows one dictionary for all of its batches.
    let keys: Int8Array = rows.clone().map(|row| i8::try_from(row % 3).ok()).collect();
    let words = DictionaryArray::new(keys, Arc::new(StringArray::from(vec!["a", "b", "c"])));
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int64Array::from_iter_values(rows.clone().map(number))) as ArrayRef, true),
        (
            "name",
            Arc::new(
                rows.clone()
                    .map(|row| (row % 5 > 0).then(|| format!("name {row}")))
                    .collect::<StringArray>(),
            ),
            true,
        ),
        (
            "view",
            Arc::new(
                rows.clone()
                    .map(|row| Some(format!("a text that is not short {row}")))
                    .collect::<StringViewArray>(),
            ),
            true,
        ),
        ("word", Arc::new(words), true),
        ("tags", Arc::new(tags.finish()), true),
        (
            "place",
            Arc::new(StructArray::from(vec![(
                Arc::new(Field::new("x", DataType::Int64, true)),
                inner,
            )])),
            true,
        ),
        ("nothing", Arc::new(NullArray::new(rows.len())), true),
    ])
    .unwrap()
}

/// 3001 rows in record batches of many sizes, one of them empty.
fn uneven() -> Vec<RecordBatch> {
    let sizes = [1, 0, 999, 1, 1_700, 300];
    let starts = sizes.iter().scan(0, |at, size| {
        *at += size;
        Some(*at - size)
    });
    starts.zip(sizes).map(|(start, size)| sample(start, size)).collect()
}

fn stream(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        StreamWriter::try_new_with_options(&mut bytes, &batches[0].schema(), options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

fn file(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        FileWriter::try_new_with_options(&mut bytes, &batches[0].schema(), options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

fn options(compression: Option<CompressionType>) -> IpcWriteOptions {
    IpcWriteOptions::default().try_with_compression(compression).unwrap()
}

/// Lengths without marks, as before Arrow 0.15.
fn legacy() -> IpcWriteOptions {
    IpcWriteOptions::try_new(8, true, MetadataVersion::V4).unwrap()
}

/// The place of the footer in a file, and of the mark of the end before it.
fn footer(file: &[u8]) -> (usize, usize) {
    let length = file[file.len() - 10..].first_chunk::<4>().unwrap();
    let start = file.len() - 10 - usize::try_from(i32::from_le_bytes(*length)).unwrap();
    let marked = file[..start].ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    (start, start - if marked { 8 } else { 4 })
}

fn without_end(mut file: Vec<u8>) -> Vec<u8> {
    let (footer, end) = footer(&file);
    file.drain(end..footer);
    file
}

/// What comes of an object that is read by ranges, as the product reads it: the same
/// as of one that was compressed as a whole, and is read from front to back.
fn read(bytes: Vec<u8>, request: Request) -> Result<Vec<DecodedBatch>, DecodeError> {
    let from_front = batches(open(Box::new(Cursor::new(bytes.clone())), request.clone()));
    let by_ranges = by_ranges(bytes, request);
    assert_eq!(from_front.is_ok(), by_ranges.is_ok(), "{from_front:?} and {by_ranges:?}");
    if let (Ok(one), Ok(other)) = (&from_front, &by_ranges) {
        assert_same(one, other);
    }
    by_ranges
}

fn by_ranges(bytes: Vec<u8>, request: Request) -> Result<Vec<DecodedBatch>, DecodeError> {
    batches(crate::open(Input::Ranges(Arc::new(Counted::new(bytes))), request))
}

#[rstest]
#[case::stream(stream(&uneven(), options(None)))]
#[case::stream_without_an_end(stream(&uneven(), options(None)).strip_suffix(&[255, 255, 255, 255, 0, 0, 0, 0]).unwrap().to_vec())]
#[case::lz4_stream(stream(&uneven(), options(Some(CompressionType::LZ4_FRAME))))]
#[case::zstd_stream(stream(&uneven(), options(Some(CompressionType::ZSTD))))]
#[case::legacy_stream(stream(&uneven(), legacy()))]
#[case::file(file(&uneven(), options(None)))]
#[case::lz4_file(file(&uneven(), options(Some(CompressionType::LZ4_FRAME))))]
#[case::zstd_file(file(&uneven(), options(Some(CompressionType::ZSTD))))]
#[case::legacy_file(file(&uneven(), legacy()))]
#[case::file_without_an_end(without_end(file(&uneven(), options(None))))]
#[case::legacy_file_without_an_end(without_end(file(&uneven(), legacy())))]
fn every_framing_is_read_and_cut_by_the_plan(#[case] bytes: Vec<u8>) {
    let plan = BatchPlan::for_chunks(1_000).limited(250);
    let from = |start_row| Request { plan, start_row, ..request(Format::Arrow, &ALL) };
    let whole = read(bytes.clone(), from(0)).unwrap();
    let mut row = 0;
    for found in &whole {
        assert_eq!(found.rows, row..(row + plan.rows_from(row)).min(3_001));
        row = found.rows.end;
    }
    let all =
        concat_batches(&whole[0].batch.schema(), whole.iter().map(|batch| &batch.batch)).unwrap();
    let expected = sample(0, 3_001);
    for (found, expected) in all.columns().iter().zip(expected.columns()) {
        assert_eq!(found.data_type(), expected.data_type());
        let plain = |values: &ArrayRef| match values.data_type() {
            DataType::Dictionary(_, text) => arrow::compute::cast(values, text).unwrap(),
            _ => values.clone(),
        };
        assert_eq!(&plain(found), &plain(expected));
    }
    for start in [1_000, 2_000, 3_000] {
        let tail: Vec<_> = read(bytes.clone(), from(0))
            .unwrap()
            .into_iter()
            .filter(|b| b.rows.start >= start)
            .collect();
        assert_same(&read(bytes.clone(), from(start)).unwrap(), &tail);
    }
    assert!(read(bytes, from(4_000)).unwrap().is_empty());
}

/// A stream may replace its dictionaries; together they can have more values
/// than the keys can count.
#[test]
fn dictionaries_that_do_not_fit_together_are_unpacked() {
    let part = |from: usize| {
        let words: Vec<_> = (from..from + 100).map(|word| format!("word {word}")).collect();
        let words: DictionaryArray<Int8Type> = words.iter().map(String::as_str).collect();
        RecordBatch::try_from_iter([("word", Arc::new(words) as ArrayRef)]).unwrap()
    };
    let found =
        read(stream(&[part(0), part(100)], options(None)), request(Format::Arrow, &["word"]))
            .unwrap();
    let expected = StringArray::from_iter_values((0..200).map(|word| format!("word {word}")));
    assert_eq!(found[0].batch.column(0).as_string::<i32>(), &expected);
}

#[rstest]
#[case(file(&[sample(0, 0)], options(None)))]
#[case(stream(&[sample(0, 0)], options(None)))]
fn an_object_without_rows_gives_no_batch(#[case] bytes: Vec<u8>) {
    assert!(read(bytes, request(Format::Arrow, &ALL)).unwrap().is_empty());
}

#[test]
fn wide_rows_make_small_batches() {
    let texts = StringArray::from_iter_values((0..64).map(|_| "x".repeat(1024 * 1024)));
    let rows = RecordBatch::try_from_iter([("text", Arc::new(texts) as ArrayRef)]).unwrap();
    let found = read(
        stream(&[rows], options(None)),
        Request { plan: BatchPlan::for_chunks(64), ..request(Format::Arrow, &["text"]) },
    );
    assert!(found.unwrap().iter().all(|batch| batch.batch.num_rows() == 8));
}

#[test]
fn drift_and_raw_rows_work_as_for_parquet() {
    let drift = Drift { unknown: UnknownColumn::Quarantine, ..Drift::default() };
    let asked = Request { drift, ..request(Format::Arrow, &["id", "word"]) };
    let found = read(stream(&uneven(), options(None)), asked).unwrap();
    assert_eq!((found[0].batch.num_rows(), found[0].rejected.len()), (0, 1_000));
    assert_eq!(found[0].rejected[1].raw, br#"{"id":1,"word":"b"}"#);
    let found =
        read(stream(&uneven(), options(None)), request(Format::Arrow, &["place.x", "tags.0"]))
            .unwrap();
    assert_eq!(found[0].raw.get(1), br#"{"tags":[0],"place":{"x":1}}"#);
}

#[rstest]
#[case(vec![], "is empty (0 bytes)")]
#[case(b"PAR1\x15\x04\x15\x00".to_vec(), "this is a Parquet file")]
#[case(b"FEA1\0\0\0\0".to_vec(), "this is a Feather file of version 1")]
#[case(b"a,b\n1,2\n".to_vec(), "this is no Arrow IPC")]
#[case(b"ARR".to_vec(), "this is no Arrow IPC")]
#[case(vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "a message header claims 2147483647 bytes")]
#[case(vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1], "is cut off after 8 bytes")]
#[case(vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], "ends before its schema")]
fn what_is_no_arrow_is_named(#[case] bytes: Vec<u8>, #[case] words: &str) {
    let error = read(bytes, request(Format::Arrow, &["id"])).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.to_string().starts_with("s3://bucket/key: "), "{error}");
    assert_eq!(error.disposition(), Disposition::Quarantine);
}

#[rstest]
#[case(1 << 30, "is cut off after")]
#[case((1 << 30) + 8, "claims 1073741832 bytes, more than 1073741824; write record batches of fewer rows")]
fn a_body_that_does_not_come_costs_no_memory(#[case] claimed: i64, #[case] words: &str) {
    let mut bytes = stream(&[sample(0, 100)], options(None));
    // The length of the first record batch's body.
    let plain = i64::try_from(body_of_first_batch(&bytes)).unwrap().to_le_bytes();
    let at = bytes.windows(8).position(|window| window == plain).unwrap();
    bytes[at..at + 8].copy_from_slice(&claimed.to_le_bytes());
    let error = read(bytes, request(Format::Arrow, &["id"])).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn rows_of_nothing_are_not_endless() {
    let rows = |count| {
        let nothing = Arc::new(NullArray::new(count)) as ArrayRef;
        RecordBatch::try_from_iter_with_nullable([("nothing", nothing, true)]).unwrap()
    };
    let read =
        |count| read(stream(&[rows(count)], options(None)), request(Format::Arrow, &["nothing"]));
    let found = read(1 << 20).unwrap();
    assert_eq!(found.last().unwrap().rows.end, 1 << 20);
    let error = read(1 << 60).unwrap_err().to_string();
    assert!(error.contains("claims 1152921504606846976 rows"), "{error}");
}

/// A dictionary of one text that many rows name: what goes out is bounded by what
/// the rows are when they are written.
#[test]
fn a_dictionary_of_long_texts_makes_small_batches() {
    let text = "x".repeat(1 << 20);
    let words: DictionaryArray<Int8Type> = (0..100).map(|_| text.as_str()).collect();
    let rows = RecordBatch::try_from_iter([("text", Arc::new(words) as ArrayRef)]).unwrap();
    let plan = BatchPlan::for_chunks(50);
    let asked = Request { plan, ..request(Format::Arrow, &["text"]) };
    let found = read(stream(&[rows], options(None)), asked).unwrap();
    let sizes: Vec<_> = found.iter().map(|batch| batch.batch.num_rows()).collect();
    assert_eq!(sizes, [31, 19, 31, 19]);
}

/// The body that the second message but one claims: schema, dictionary, batch.
fn body_of_first_batch(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let length = u32::from_le_bytes(*bytes[at + 4..].first_chunk::<4>().unwrap());
        let header = at + 8..at + 8 + usize::try_from(length).unwrap();
        let message = arrow::ipc::root_as_message(&bytes[header.clone()]).unwrap();
        let body = usize::try_from(message.bodyLength()).unwrap();
        if message.header_as_record_batch().is_some() {
            return body;
        }
        at = header.end + body;
    }
}

#[rstest]
#[case(1 << 50)]
// Less than any limit by itself, and more than these few bytes can hold.
#[case(4_278_124_286)]
fn a_buffer_that_claims_too_much_is_refused(#[case] claimed: i64) {
    let rows = RecordBatch::try_from_iter([(
        "id",
        Arc::new(Int64Array::from(vec![7; 1_000])) as ArrayRef,
    )])
    .unwrap();
    let mut bytes = stream(&[rows], options(Some(CompressionType::ZSTD)));
    let at = bytes.windows(8).rposition(|window| window == 8_000_i64.to_le_bytes()).unwrap();
    bytes[at..at + 8].copy_from_slice(&claimed.to_le_bytes());
    let error = read(bytes, request(Format::Arrow, &["id"])).unwrap_err().to_string();
    assert!(error.contains(&format!("claims {claimed} bytes after decompression")), "{error}");
}

#[test]
fn a_file_that_is_cut_off_is_never_taken_for_whole() {
    let bytes = file(&[sample(0, 20), sample(20, 20)], options(None));
    for keep in 0..bytes.len() {
        assert!(
            read(bytes[..keep].to_vec(), request(Format::Arrow, &["id"])).is_err(),
            "{keep} of {}",
            bytes.len()
        );
    }
}

/// Batches that are small are fetched together, and the next ones are on their way.
#[test]
fn a_file_is_fetched_in_few_reads_ahead() {
    let rows: Vec<_> = (0..200).map(|part| sample(part * 1_000, 1_000)).collect();
    let object = Arc::new(Counted::new(file(&rows, options(None))));
    let asked = request(Format::Arrow, &["id"]);
    let found = batches(crate::open(Input::Ranges(object.clone()), asked.clone())).unwrap();
    assert_eq!(found.last().unwrap().rows.end, 200_000);
    // The first bytes, the trailer, the footer, and runs of four megabytes.
    let runs = usize::try_from(object.size() / (4 << 20)).unwrap();
    assert!(runs > 2, "{}", object.size());
    assert!((runs + 3..runs + 6).contains(&object.reads()), "{} reads", object.reads());
    assert_eq!(object.unannounced(), 4, "those three, and the first run");
    assert!(object.largest() <= 4 << 20);
    for read in 0..object.reads() {
        let object = Arc::new(Counted::new(file(&rows, options(None))));
        object.fail_from(read);
        let error = batches(crate::open(Input::Ranges(object), asked.clone())).unwrap_err();
        assert_eq!(error.disposition(), Disposition::Retry, "{error}");
    }
}

/// What the footer claims is checked before anything is fetched.
#[rstest]
#[case::offset(0, i64::MAX - 8, "the footer begins at")]
#[case::negative(0, -8, "is claimed")]
#[case::body(16, 1 << 40, "more than 1073741824; write record batches of fewer rows")]
#[case::nothing(16, 0, "outside its message")]
fn a_footer_that_claims_what_cannot_be_is_refused(
    #[case] field: usize,
    #[case] claimed: i64,
    #[case] words: &str,
) {
    let ids = Arc::new(Int64Array::from_iter_values(0..100)) as ArrayRef;
    let rows = RecordBatch::try_from_iter([("id", ids)]).unwrap();
    let mut bytes = file(&[rows], options(None));
    let (footer, _) = footer(&bytes);
    // The one block: its place, the length of its header, that of its body.
    let body = 100_i64 * 8;
    let at = (footer..bytes.len() - 24).find(|at| {
        i64::from_le_bytes(*bytes[at + 16..].first_chunk().unwrap()) >= body
            && bytes[at + 24..].len() > 10
            && i64::from_le_bytes(*bytes[*at..].first_chunk().unwrap()) < 1_000
            && i64::from_le_bytes(*bytes[*at..].first_chunk().unwrap()) > 0
            && i64::from_le_bytes(*bytes[at + 16..].first_chunk().unwrap()) < 1_000
    });
    let at = at.unwrap();
    bytes[at + field..at + field + 8].copy_from_slice(&claimed.to_le_bytes());
    let error = by_ranges(bytes, request(Format::Arrow, &["id"])).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(error.disposition(), Disposition::Quarantine);
}

struct Broken(Cursor<Vec<u8>>);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::new(io::ErrorKind::ConnectionReset, "the store is away")),
            count => Ok(count),
        }
    }
}

#[rstest]
#[case(0)]
#[case(20)]
#[case(3_000)]
fn a_store_that_fails_is_asked_again(#[case] after: usize) {
    let bytes = file(&uneven(), options(None))[..after].to_vec();
    let error =
        batches(open(Box::new(Broken(Cursor::new(bytes))), request(Format::Arrow, &["id"])))
            .unwrap_err();
    assert!(matches!(error, DecodeError::Unreadable { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_objects_never_panic(
        kind in 0_usize..6,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let rows = [sample(0, 40), sample(40, 60)];
        let mut bytes = match kind {
            0 => stream(&rows, options(None)),
            1 => stream(&rows, options(Some(CompressionType::LZ4_FRAME))),
            2 => stream(&rows, options(Some(CompressionType::ZSTD))),
            3 => file(&rows, options(None)),
            4 => file(&rows, options(Some(CompressionType::ZSTD))),
            _ => file(&rows, legacy()),
        };
        for (place, value) in flips {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        let from_front = batches(open(Box::new(Cursor::new(bytes.clone())), request(Format::Arrow, &ALL)));
        for found in [from_front, by_ranges(bytes, request(Format::Arrow, &ALL))].into_iter().flatten() {
            prop_assert!(found.iter().all(|batch| batch.rows.end <= 1_000_000));
        }
    }
}
