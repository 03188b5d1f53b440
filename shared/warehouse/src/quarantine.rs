//! The quarantine: one table per cluster for the rows that could not be loaded,
//! each with its place, the reason and the row as it stands in the object.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use model::document::{Create, OutputColumn};
use model::{ColumnType, ObjectId, RejectedRow, Token};

use crate::port::TableSpec;

/// Database of the quarantine table.
pub const DATABASE: &str = "motherlode";
/// Name of the quarantine table.
pub const TABLE: &str = "quarantine";

/// The objects of `{source:String}` that have rows in the quarantine: at most
/// `{limit:UInt32}` of those behind `{after:String}`.
pub const OBJECTS: &str = "
SELECT object, any(bucket) AS bucket, any(key) AS key, any(etag) AS etag
FROM motherlode.quarantine
WHERE source = {source:String} AND object > {after:String}
GROUP BY object
ORDER BY object
LIMIT {limit:UInt32}";

/// Numbers of the quarantined rows of one object, in order, each once: at most
/// `{limit:UInt32}` from `{from:UInt64}` on.
pub const ROWS: &str = "
SELECT DISTINCT row
FROM motherlode.quarantine
WHERE source = {source:String} AND object = {object:String} AND row >= {from:UInt64}
ORDER BY row
LIMIT {limit:UInt32}";

/// How many rows of each of `{objects:String}` (in hexadecimal, with commas
/// between) are in the quarantine, each once.
pub const COUNTS: &str = "
SELECT object, uniqExact(row) AS rows
FROM motherlode.quarantine
WHERE has(arrayMap(name -> unhex(name), splitByChar(',', {objects:String})), object)
GROUP BY object";

/// How many rows of `{object:String}` of `{source:String}` committed chunks have put
/// there: source rows from `{starts}` up to `{ends}`, by a document's `{versions}`. A
/// chunk that failed, or was begun once more, has left its bad rows, too.
pub const COUNT_COMMITTED: &str = "
SELECT uniqExact(row) AS rows
FROM motherlode.quarantine
WHERE source = {source:String} AND object = {object:String}
  AND arrayExists((version, start, end) -> config_version = version AND row >= start AND row < end,
      {versions:Array(UInt64)}, {starts:Array(UInt64)}, {ends:Array(UInt64)})";

/// Rows of one batch: raw rows may be long.
const BATCH_ROWS: usize = 8_192;

/// Whose rows they are.
#[derive(Debug, Clone)]
pub struct Quarantined<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// What the rows stand in.
    pub place: Place<'a>,
    /// The configuration that refused them.
    pub config_version: u64,
    /// The token of their chunk: a chunk's rows are quarantined by an INSERT
    /// with the token `chunk.companion("quarantine")`.
    pub chunk: &'a Token,
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
}

/// What rows stand in: an object of S3, or a partition of Kafka.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The bucket; the topic.
    pub bucket: &'a str,
    /// The key; the partition.
    pub key: String,
    /// The etag; nothing.
    pub etag: &'a str,
    /// All of it: `s3://bucket/key@etag`, `kafka://topic/partition`.
    pub name: String,
}

impl<'a> From<&'a ObjectId> for Place<'a> {
    fn from(object: &'a ObjectId) -> Self {
        let ObjectId { bucket, key, etag } = object;
        Self { bucket, key: key.clone(), etag, name: object.to_string() }
    }
}

impl<'a> Place<'a> {
    /// A partition, whose rows are known by their offsets.
    #[must_use]
    pub fn partition(topic: &'a str, partition: i32) -> Self {
        let name = format!("kafka://{topic}/{partition}");
        Self { bucket: topic, key: partition.to_string(), etag: "", name }
    }
}

/// The table, created like any other by [`crate::Warehouse::prepare`].
#[must_use]
pub fn table() -> TableSpec {
    TableSpec {
        database: DATABASE.to_owned(),
        name: TABLE.to_owned(),
        columns: columns(),
        select: None,
        engine: "MergeTree".to_owned(),
        partition_by: Some("toYYYYMM(at)".to_owned()),
        order_by: ["source", "at", "object", "row"].map(str::to_owned).to_vec(),
        ttl: None,
        create: Create::Auto,
        deduplication_window: 10_000,
    }
}

fn columns() -> Vec<OutputColumn> {
    let low = || ColumnType::LowCardinality(Box::new(ColumnType::String));
    let text = || ColumnType::String;
    [
        ("source", low()),
        ("bucket", low()),
        ("key", text()),
        ("etag", text()),
        ("object", text()),
        ("row", ColumnType::UInt(64)),
        ("column", low()),
        ("column_type", low()),
        ("reason", text()),
        ("raw", text()),
        ("config_version", ColumnType::UInt(64)),
        ("token", text()),
        ("at", ColumnType::DateTime64(3, Some("UTC".to_owned()))),
    ]
    .map(|(name, column_type)| OutputColumn { name: name.to_owned(), column_type })
    .to_vec()
}

/// The Arrow schema of the batches: as [`native::arrow_type`] says, but for the
/// raw bytes, which need not be text.
fn schema() -> SchemaRef {
    let field = |column: OutputColumn| match column.name.as_str() {
        "raw" => Field::new("raw", DataType::Binary, false),
        name => native::arrow_field(name, &column.column_type),
    };
    Arc::new(Schema::new(columns().into_iter().map(field).collect::<Vec<_>>()))
}

/// The rows as batches of one INSERT, cut the same way every time.
///
/// # Errors
/// Arrow's, which cannot happen with these columns short of 2 GB in one batch.
pub fn batches(
    of: &Quarantined<'_>,
    rows: &[RejectedRow],
) -> Result<Vec<RecordBatch>, arrow::error::ArrowError> {
    rows.chunks(BATCH_ROWS).map(|rows| batch(of, rows)).collect()
}

fn batch(
    of: &Quarantined<'_>,
    rows: &[RejectedRow],
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let same =
        |text: &str| Arc::new(StringArray::from_iter_values(rows.iter().map(|_| text))) as ArrayRef;
    let own = |text: fn(&RejectedRow) -> &str| {
        Arc::new(StringArray::from_iter_values(rows.iter().map(text))) as ArrayRef
    };
    let columns: Vec<ArrayRef> = vec![
        same(of.source),
        same(of.place.bucket),
        same(&of.place.key),
        same(of.place.etag),
        same(&of.place.name),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.row))),
        own(|row| &row.column),
        own(|row| &row.column_type),
        own(|row| &row.reason),
        Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| &row.raw))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|_| of.config_version))),
        same(of.chunk.as_str()),
        Arc::new(
            TimestampMillisecondArray::from_iter_values(rows.iter().map(|_| of.at_ms))
                .with_timezone("UTC"),
        ),
    ];
    RecordBatch::try_new(schema(), columns)
}
