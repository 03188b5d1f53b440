//! The events of drift: a table on each cluster, so that a query tells which
//! objects and records brought other columns than their source document, and what
//! was done.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array};
use arrow::datatypes::Schema;
use model::document::{Create, OutputColumn};
use model::{ColumnType, Drift};

use crate::port::TableSpec;
pub use crate::quarantine::{DATABASE, Place};

/// Name of the table of events.
pub const TABLE: &str = "drift";

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// One event: the first object, or partition, of a day that showed the drift.
#[derive(Debug, Clone)]
pub struct DriftEvent<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// The object, or the partition.
    pub place: &'a Place<'a>,
    /// Version of the source document.
    pub config_version: u64,
    /// What was found, and done.
    pub drift: &'a Drift,
    /// The column of the table and its type; empty where there is none.
    pub column: Option<&'a OutputColumn>,
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
}

impl DriftEvent<'_> {
    /// The day of the event, counted from 1970.
    #[must_use]
    pub fn day(&self) -> u64 {
        u64::try_from(self.at_ms / DAY_MS).unwrap_or(0)
    }
}

/// Events as a batch of [`table`].
///
/// # Errors
/// Arrow's, which cannot happen with these columns.
pub fn batch(events: &[DriftEvent<'_>]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let text = |of: &dyn Fn(&DriftEvent<'_>) -> String| {
        Arc::new(StringArray::from_iter_values(events.iter().map(of))) as ArrayRef
    };
    let numbers = |of: &dyn Fn(&DriftEvent<'_>) -> Option<u64>| {
        Arc::new(UInt64Array::from_iter(events.iter().map(of))) as ArrayRef
    };
    let times = TimestampMillisecondArray::from_iter_values(events.iter().map(|event| event.at_ms));
    let arrays = vec![
        text(&|event| event.source.to_owned()),
        text(&|event| event.drift.kind.name().to_owned()),
        text(&|event| event.drift.field.clone()),
        text(&|event| event.drift.action.name().to_owned()),
        text(&|event| event.column.map(|column| column.name.clone()).unwrap_or_default()),
        text(&|event| {
            event.column.map(|column| column.column_type.to_string()).unwrap_or_default()
        }),
        text(&|event| event.place.bucket.to_owned()),
        text(&|event| event.place.key.clone()),
        text(&|event| event.place.etag.to_owned()),
        numbers(&|event| event.drift.row),
        numbers(&|event| Some(event.config_version)),
        Arc::new(times.with_timezone("UTC")),
    ];
    let fields = columns().into_iter();
    let fields = fields.map(|column| native::arrow_field(&column.name, &column.column_type));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays)
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
        order_by: ["source", "at"].map(str::to_owned).to_vec(),
        ttl: None,
        create: Create::Auto,
        deduplication_window: 10_000,
    }
}

fn columns() -> Vec<OutputColumn> {
    let low = || ColumnType::LowCardinality(Box::new(ColumnType::String));
    [
        ("source", low()),
        ("kind", low()),
        ("field", ColumnType::String),
        ("action", low()),
        ("column", ColumnType::String),
        ("column_type", ColumnType::String),
        ("bucket", low()),
        ("key", ColumnType::String),
        ("etag", ColumnType::String),
        ("row", ColumnType::Nullable(Box::new(ColumnType::UInt(64)))),
        ("config_version", ColumnType::UInt(64)),
        ("at", ColumnType::DateTime64(3, Some("UTC".to_owned()))),
    ]
    .map(|(name, column_type)| OutputColumn { name: name.to_owned(), column_type })
    .to_vec()
}
