//! Files that tests land: rows `id, name, amount` in every format.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch, StringArray, UInt32Array};

/// `id,name,amount` with a header.
pub fn csv(rows: u32) -> Vec<u8> {
    let mut text = String::from("id,name,amount\n");
    for id in 0..rows {
        writeln!(text, "{id},name {id},{}.5", id % 100).unwrap();
    }
    text.into_bytes()
}

/// One object a line.
pub fn json_lines(rows: u32) -> Vec<u8> {
    (0..rows).fold(String::new(), |text, id| text + &json_row(id) + "\n").into_bytes()
}

/// One array.
pub fn json_array(rows: u32) -> Vec<u8> {
    let rows: Vec<_> = (0..rows).map(json_row).collect();
    format!("[{}]", rows.join(",\n")).into_bytes()
}

/// A document with the array at `result.items`.
pub fn json_document(rows: u32) -> Vec<u8> {
    let array = String::from_utf8(json_array(rows)).unwrap();
    format!(r#"{{"status":"ok","result":{{"count":{rows},"items":{array}}},"more":[1]}}"#)
        .into_bytes()
}

fn json_row(id: u32) -> String {
    format!(r#"{{"id":{id},"name":"name {id}","amount":{}.5}}"#, id % 100)
}

fn batch(rows: u32) -> RecordBatch {
    let names: Vec<_> = (0..rows).map(|id| format!("name {id}")).collect();
    RecordBatch::try_from_iter([
        ("id", Arc::new(UInt32Array::from_iter_values(0..rows)) as _),
        ("name", Arc::new(StringArray::from(names)) as _),
        (
            "amount",
            Arc::new(Float64Array::from_iter_values((0..rows).map(|id| f64::from(id % 100) + 0.5)))
                as _,
        ),
    ])
    .unwrap()
}

/// Parquet with several row groups.
pub fn parquet(rows: u32) -> Vec<u8> {
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(10_000))
        .build();
    let batch = batch(rows);
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Arrow IPC, the file format.
pub fn arrow_file(rows: u32) -> Vec<u8> {
    let batch = batch(rows);
    let mut writer = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// gzip, one member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// gzip of two members.
pub fn gzip_members(bytes: &[u8]) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    [gzip(first), gzip(second)].concat()
}

/// Zstandard.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// bzip2.
pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}
