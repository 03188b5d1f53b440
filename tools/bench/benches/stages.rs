//! Micro-benchmarks of the stages that rows go through in this process: gunzip,
//! each decoder, the mapper, the Native encoder. The values are those of the
//! benchmark as a whole (`src/data.rs`). Run them with
//! `cargo bench --workspace --profile release --bench stages [-- FILTER]`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be made fails")]

#[expect(dead_code, reason = "large and wide files are for `cargo xtask bench`")]
#[path = "../src/data.rs"]
mod data;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use decode::{DecodedBatch, FieldOrigin, FieldRequest, Input, Limits, RangeRead, Request};
use model::BatchPlan;
use model::document::{Compression, SourceDocument};
use native::BlockEncoder;
use transform::Mapper;

/// One batch as the loader cuts them.
const ROWS: usize = 32_768;
/// Where the data module is told to write.
type Writer = fn(&std::path::Path, usize) -> anyhow::Result<()>;

criterion_group!(benches, gunzip, decoders, mapper, encoder);
criterion_main!(benches);

/// Bytes of text for each second.
fn gunzip(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gunzip");
    for (name, write) in [("csv", data::csv_gz as Writer), ("json", data::jsonl_gz)] {
        let packed = written(write);
        let request = gzip_request();
        group.throughput(Throughput::Bytes(unpacked(&packed, &request).len() as u64));
        group.bench_function(name, |bench| bench.iter(|| unpacked(&packed, &request)));
    }
    group.finish();
}

/// Bytes of the object (texts are not compressed) for each second, once as
/// texts alone and once into typed columns.
fn decoders(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (format, content) in objects() {
        group.throughput(Throughput::Bytes(content.len() as u64));
        for (kind, typed) in [("texts", false), ("typed", true)] {
            let is_text = matches!(format, "csv" | "json");
            if !is_text && !typed {
                continue;
            }
            let request = request(format, typed);
            let name = if is_text { format!("{format} {kind}") } else { format.to_owned() };
            group.bench_function(name, |bench| bench.iter(|| decoded(&content, &request)));
        }
    }
    group.finish();
}

/// Rows for each second, from texts and from typed columns.
fn mapper(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("map");
    let mapper = Mapper::new(&document("csv"), &BTreeMap::new()).expect("a plan");
    for (name, typed) in [("texts", false), ("typed", true)] {
        let batches = decoded(&csv(), &request("csv", typed));
        group.throughput(Throughput::Elements(rows_of(&batches)));
        group.bench_function(name, |bench| {
            bench.iter(|| batches.iter().for_each(|batch| drop(black_box(mapped(&mapper, batch)))))
        });
    }
    group.finish();
}

/// Rows for each second.
fn encoder(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("native");
    let document = document("csv");
    let mapper = Mapper::new(&document, &BTreeMap::new()).expect("a plan");
    let batches = decoded(&csv(), &request("csv", true));
    let encoder = BlockEncoder::new(
        document.output_columns().into_iter().map(|column| (column.name, column.column_type)),
    );
    let mapped: Vec<RecordBatch> = batches.iter().map(|batch| mapped(&mapper, batch)).collect();
    group.throughput(Throughput::Elements(rows_of(&batches)));
    group.bench_function("encode", |bench| {
        bench.iter_batched_ref(
            Vec::new,
            |out| mapped.iter().for_each(|batch| encoder.encode(batch, out).expect("it fits")),
            BatchSize::LargeInput,
        )
    });
    group.finish();
}

fn rows_of(batches: &[DecodedBatch]) -> u64 {
    batches.iter().map(|batch| batch.rows.end - batch.rows.start).sum()
}

fn mapped(mapper: &Mapper, batch: &DecodedBatch) -> RecordBatch {
    let mapped = mapper
        .apply(&batch.batch, &batch.row_numbers, &|row| batch.raw.get(row))
        .expect("rows that can be mapped");
    assert!(mapped.rejected.is_empty(), "{:?}", mapped.rejected.first());
    mapped.batch
}

/// Every batch of an object.
fn decoded(content: &Bytes, request: &Request) -> Vec<DecodedBatch> {
    let input = if decode::needs_ranges(&request.format) {
        Input::Ranges(Arc::new(Memory(content.clone())))
    } else {
        Input::Stream(Box::new(Cursor::new(content.clone())))
    };
    let mut decoder = decode::open(input, request.clone()).expect("an object that opens");
    let mut batches = Vec::new();
    while let Some(batch) = decoder.next_batch().expect("a whole object") {
        assert!(batch.rejected.is_empty(), "{:?}", batch.rejected.first());
        batches.push(batch);
    }
    assert_eq!(rows_of(&batches), ROWS as u64);
    batches
}

fn request(format: &str, typed: bool) -> Request {
    let document = document(format);
    let field = |column: model::document::OutputColumn| FieldRequest {
        origin: FieldOrigin::Column(column.name.clone()),
        empty_is_text: false,
        column_type: typed.then_some(column.column_type),
        required_by: column.name,
        is_optional: false,
    };
    Request {
        format: document.format.clone(),
        compression: Compression::None,
        name: "memory".to_owned(),
        fields: document.output_columns().into_iter().map(field).collect(),
        drift: document.drift,
        plan: BatchPlan::for_chunks(document.write.rows_per_chunk),
        start_row: 0,
        limits: Limits::default(),
    }
}

fn document(format: &str) -> SourceDocument {
    let format = if matches!(format, "csv" | "json") {
        format!("{{{format}: {{}}}}")
    } else {
        format.to_owned()
    };
    let column = |(name, column_type)| format!("  - {{name: {name}, type: \"{column_type}\"}}\n");
    let columns: String = data::COLUMNS.into_iter().map(column).collect();
    let yaml = format!(
        "source: bench\nversion: 1\nowner: bench\nmatch: {{prefix: bench/}}\nformat: {format}\n\
         table: {{database: d, name: t}}\ncolumns:\n{columns}"
    );
    SourceDocument::from_yaml(&yaml).expect("a valid document")
}

/// The same rows in every format.
fn objects() -> [(&'static str, Bytes); 4] {
    [
        ("csv", csv()),
        ("json", unpacked(&written(data::jsonl_gz), &gzip_request()).into()),
        ("parquet", written(data::parquet)),
        ("arrow", arrow_stream()),
    ]
}

fn csv() -> Bytes {
    unpacked(&written(data::csv_gz), &gzip_request()).into()
}

fn gzip_request() -> Request {
    Request { compression: Compression::Gzip, ..request("csv", false) }
}

fn arrow_stream() -> Bytes {
    let mut batches = data::batches(ROWS).map(|batch| batch.expect("a batch"));
    let first = batches.next().expect("there are rows");
    let mut writer = StreamWriter::try_new(Vec::new(), &first.schema()).expect("memory takes it");
    for batch in [first].into_iter().chain(batches) {
        writer.write(&batch).expect("memory takes it");
    }
    writer.into_inner().expect("memory takes it").into()
}

/// What the data module writes into a file.
fn written(write: Writer) -> Bytes {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("object");
    write(&file, ROWS).expect("a file");
    std::fs::read(file).expect("it was written").into()
}

fn unpacked(packed: &Bytes, request: &Request) -> Vec<u8> {
    let stream = Box::new(Cursor::new(packed.clone()));
    let mut content = Vec::new();
    let mut stream = decode::decompressed(stream, request).expect("a gzip stream");
    stream.read_to_end(&mut content).expect("a whole stream");
    content
}

/// An object in memory, read by ranges.
struct Memory(Bytes);

impl RangeRead for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let place = |at| usize::try_from(at).map_err(io::Error::other);
        Ok(self.0.slice(place(range.start)?..place(range.end)?))
    }
}
