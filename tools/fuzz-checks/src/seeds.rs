//! Inputs to begin with: small, whole, and of every kind that a check knows.

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray, StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use model::document::Compression;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};

use crate::choices::LENGTH;
use crate::column_types::COLUMN_TYPES;
use crate::text::compressed;

const CSV: [&str; 8] = [
    "a,b,c\n1,x,2024-01-02\n-2,\"y \"\"z\"\"\",\n,,NULL\n",
    "a,b,c\r\n1.5,\"two\r\nlines\",true\r\n# a comment\r\n1e3,'q',\\N\r\n",
    "\u{feff}c,a\n2024-01-02 03:04:05.678,18446744073709551615\n",
    "a\tb\tc\n1\t2\t3\n1\t2\n1\t2\t3\t4\n",
    "a,b,c\n\"[1,2]\",\"{\"\"k\"\":[]}\",\"(1,'x')\"\nnan,-inf,+1\n",
    "a,b,c\n7f000001-0000-0000-0000-000000000000,127.0.0.1,::1\nä,ö,\"ü\"\n",
    "x,y\n1,2\n",
    "a,b,c\n123456789012345678901234567890.123,00012,-0\n0x1,1_000, 5 \n",
];

const JSON: [&str; 8] = [
    "{\"a\":1,\"b\":[{\"c\":\"x\"}],\"c\":null}\n{\"a\":-2.5e3,\"c\":\"\\u00e4\\ud83d\\ude00\"}\n",
    "[{\"a\":true,\"b\":[]},{\"a\":[1,2],\"b\":[{\"c\":{\"k\":1}}]}]",
    "{\"x\":[{\"a\":\"2024-01-02T03:04:05.678Z\",\"c\":\"2024-01-02\"},{\"a\":1704164645}]}",
    "[{\"a\":[{\"a\":1,\"a\":2}]}]",
    "{\"a\":18446744073709551616,\"b\":[[1]],\"c\":123456789012345678901234567890.123}\n",
    "{\"a\":{\"x\":1,\"y\":\"z\"},\"b\":[\"127.0.0.1\"],\"c\":{\"k\":[\"2024-01-02\"]}}\n\n",
    "{\"a\":\"\\ud800\",\"b\":[0],\"c\":1}\nrubbish\n{\"a\":\"NaN\"}",
    "{\"unknown\":{\"deep\":[[[[]]]]},\"a\":0.1,\"b\":[1.0],\"c\":1e-7}\n",
];

const DOCUMENTS: [&str; 6] = [
    include_str!("../../../test-fixtures/documents/v1-minimal.yaml"),
    include_str!("../../../test-fixtures/documents/v1-arrow.yaml"),
    include_str!("../../../test-fixtures/documents/v1-csv-everything.yaml"),
    include_str!("../../../test-fixtures/documents/v1-json-lines.yaml"),
    include_str!("../../../test-fixtures/documents/v1-json-nested.yaml"),
    "{source: s, version: 1, owner: o, match: {glob: '{a}/*.json'}, format: {json: {}}, table: {database: d, name: t}, columns: [{name: a, type: Int8}]}",
];

/// The seeds of a check.
#[must_use]
pub fn seeds(check: &str) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let plain = |contents: Vec<Vec<u8>>| contents.iter().map(|one| chosen(&[], one)).collect();
    match check {
        "csv" => plain(texts(&CSV)),
        "json" => plain(texts(&JSON)),
        "parquet" => plain(parquet_files()),
        "arrow" => plain(arrow_files()),
        "gunzip" => gzip_streams(),
        "decompress" => packed(),
        "pipeline" => objects(),
        "document" => texts(&DOCUMENTS),
        "column_type" => texts(&COLUMN_TYPES),
        "notification" => texts(&NOTIFICATIONS),
        _ => Vec::new(),
    }
}

/// Choices and content as one input.
fn chosen(choices: &[u8], content: &[u8]) -> Vec<u8> {
    let mut input = choices.to_vec();
    input.resize(LENGTH, 0);
    input.extend_from_slice(content);
    input
}

/// Columns `a`, `b` and `c` of several kinds.
fn batches() -> Vec<RecordBatch> {
    let numbers = Int64Array::from(vec![Some(1), None, Some(-3), Some(4), Some(5)]);
    let texts =
        StringArray::from(vec![Some("x"), Some(""), None, Some("longer than a view"), Some("x")]);
    let small: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]));
    let field = Arc::new(Field::new("x", DataType::Int32, false));
    let records = StructArray::from(vec![(field, small)]);
    let times = TimestampMillisecondArray::from(vec![0, 1, -1, 1_704_164_645_678, 5]);
    let words: DictionaryArray<Int32Type> = ["p", "q", "p", "p", "q"].into_iter().collect();
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
        Some(vec![Some(2)]),
        Some(vec![Some(3), Some(4)]),
    ]);
    let decimals = Decimal128Array::from(vec![1, -2, 30, 400, 5_000]);
    let decimals = decimals.with_precision_and_scale(20, 2).expect("digits enough");
    let batch = |columns: [ArrayRef; 3]| {
        RecordBatch::try_from_iter(["a", "b", "c"].into_iter().zip(columns)).expect("equal lengths")
    };
    vec![
        batch([Arc::new(numbers), Arc::new(texts), Arc::new(records)]),
        batch([Arc::new(times), Arc::new(words), Arc::new(lists)]),
        batch([Arc::new(decimals.clone()), Arc::new(decimals.clone()), Arc::new(decimals)]),
    ]
}

fn parquet_files() -> Vec<Vec<u8>> {
    let usual = || {
        // What is not compressed can be changed byte by byte.
        WriterProperties::builder().set_compression(Codec::UNCOMPRESSED)
    };
    let plain = || usual().set_dictionary_enabled(false);
    let properties = [
        usual().build(),
        plain().set_writer_version(WriterVersion::PARQUET_2_0).build(),
        plain().set_encoding(Encoding::PLAIN).set_max_row_group_row_count(Some(2)).build(),
        usual().set_compression(Codec::ZSTD(ZstdLevel::default())).build(),
        usual().set_compression(Codec::SNAPPY).set_max_row_group_row_count(Some(3)).build(),
        usual().set_compression(Codec::LZ4_RAW).build(),
    ];
    let mut files = Vec::new();
    for batch in batches() {
        for properties in &properties {
            let mut file = Vec::new();
            let mut writer =
                ArrowWriter::try_new(&mut file, batch.schema(), Some(properties.clone()))
                    .expect("types that Parquet has");
            writer.write(&batch).expect("memory takes it");
            writer.close().expect("memory takes it");
            files.push(file);
        }
    }
    files
}

fn arrow_files() -> Vec<Vec<u8>> {
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
    let mut files = Vec::new();
    for batch in batches() {
        let schema = batch.schema();
        let mut writer = FileWriter::try_new(Vec::new(), &schema).expect("memory takes it");
        writer.write(&batch).and_then(|()| writer.finish()).expect("memory takes it");
        files.push(writer.into_inner().expect("it is finished"));
        for codec in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
            let options = IpcWriteOptions::default()
                .try_with_compression(codec)
                .expect("the codec is built in");
            let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options)
                .expect("memory takes it");
            writer.write(&batch).and_then(|()| writer.write(&batch)).expect("memory takes it");
            writer.finish().expect("memory takes it");
            files.push(writer.into_inner().expect("it is finished"));
        }
    }
    files
}

/// Deflate streams and whole gzip streams, behind the byte that chooses.
fn gzip_streams() -> Vec<Vec<u8>> {
    let mut streams = Vec::new();
    let texts: Vec<String> =
        CSV.iter().chain(&JSON).map(|text| text.repeat(3)).chain([String::new()]).collect();
    for (text, level) in texts.iter().zip([0, 1, 3, 6, 9].into_iter().cycle()) {
        let level = flate2::Compression::new(level);
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), level);
        deflate.write_all(text.as_bytes()).expect("memory takes it");
        streams.push([vec![0], deflate.finish().expect("memory takes it")].concat());
        let member = compressed(text.as_bytes(), Compression::Gzip);
        streams.push([vec![1], member.clone(), member, vec![0; 3]].concat());
    }
    streams
}

fn packed() -> Vec<Vec<u8>> {
    let codecs = [Compression::Gzip, Compression::Zstd, Compression::Bzip2];
    let mut inputs = Vec::new();
    for codec in codecs {
        for text in [CSV[0], JSON[0]] {
            let once = compressed(text.as_bytes(), codec);
            inputs.push(chosen(&[], &[once.clone(), once].concat()));
        }
        inputs.push(chosen(&[9, 1], &compressed(&[b' '; 5_000], codec)));
    }
    // The same codecs chosen by name, for contents that are packed by the check.
    let at_name = 4;
    for codec in 2..5 {
        let mut choices = [0; LENGTH];
        choices[at_name] = codec;
        inputs.push(chosen(&choices, CSV[0].as_bytes()));
    }
    inputs
}

/// Objects of every format, with columns of many types.
fn objects() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    let types = |place: usize| u8::try_from(place % COLUMN_TYPES.len()).unwrap_or_default();
    for (place, _) in COLUMN_TYPES.iter().enumerate() {
        let (a, b, c) = (types(place), types(place + 5), types(place + 11));
        let csv = [0, 0, 0, 0, 0, a, 0, b, 0, c, 0];
        inputs.push(chosen(&csv, CSV[place % CSV.len()].as_bytes()));
        let json = [1, [0, 1, 2, 3, 0, 0, 0, 0][place % JSON.len()], a, 0, b, 0, c, 0];
        inputs.push(chosen(&json, JSON[place % JSON.len()].as_bytes()));
    }
    for (kind, files) in [(2, parquet_files()), (3, arrow_files())] {
        for (place, file) in files.iter().enumerate() {
            inputs.push(chosen(&[kind, types(place * 3), 0, types(place), 0, 0, 0], file));
        }
    }
    inputs
}

/// A message of every kind.
const NOTIFICATIONS: [&str; 5] = [
    r#"{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"a/b+c%2B.csv"}}}]}"#,
    r#"{"Type":"Notification","TopicArn":"arn","Message":"{\"Records\":[]}"}"#,
    r#"{"detail-type":"Object Created","detail":{"bucket":{"name":"b"},"object":{"key":"k"}}}"#,
    r#"{"bucket":"b","key":"k","source":"s"}"#,
    r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#,
];
