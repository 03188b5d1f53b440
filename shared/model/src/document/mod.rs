//! The source document, version 1: what one feed is and where it lands.
//!
//! Written as YAML, stored in DynamoDB, read by every function. Unknown fields
//! are refused; every error names the field path and says what would be right.

mod columns;
mod format;
mod load;
mod output;
mod steps;
mod stream;
mod validate;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use columns::{BadValue, Column, From, FromSpec, Timestamp};
pub use format::{Compression, Csv, Encoding, Format, Json, JsonLayout, RaggedRows};
pub use load::{DocumentError, Problem};
pub use output::OutputColumn;
pub use steps::{Explode, Filter, FilterOp, Flatten, Hash, MapValues, Mask, Step};
pub use stream::{Address, Cookie, EventColumn, Keep, Kind, Pixel, SameSite, Stream};

/// One feed with one owner, one schema and one destination table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceDocument {
    /// Name of the source: lower-case letters, digits, `-` and `_`, at most 64.
    pub source: String,
    /// Version of this document format. Always 1.
    pub version: u32,
    /// Who is asked when something is wrong with the feed.
    pub owner: String,
    /// A disabled source loads nothing; its objects wait in the queue's dead letters.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Kind::is_files")]
    pub kind: Kind,
    /// Which objects belong to the source. Of kind `files` alone.
    #[serde(default, rename = "match", skip_serializing_if = "Match::is_empty")]
    pub matching: Match,
    /// How the objects are written. Of kind `files` alone.
    #[serde(default = "json_lines")]
    pub format: Format,
    /// Which records belong to the source. Of kind `kafka` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// How the objects are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// The columns that are decoded, in the order of the table. A source of kind
    /// `kafka` may have none.
    #[serde(default)]
    pub columns: Vec<Column>,
    /// Steps done on the decoded columns, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transform: Vec<Step>,
    /// A list of ClickHouse SQL expressions over the columns, run by the server
    /// (`INSERT INTO t SELECT <select> FROM input(…)`). One row in, one row out:
    /// rows are filtered by a `filter` step, so that the accounting closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<String>,
    /// What an unknown or a missing column does.
    #[serde(default)]
    pub drift: Drift,
    /// What happens when a key that was loaded before has other bytes.
    #[serde(default, skip_serializing_if = "Changed::is_append")]
    pub changed: Changed,
    /// Where the rows land.
    pub table: Table,
    /// How they are written.
    #[serde(default)]
    pub write: Write,
    /// What is tolerated.
    #[serde(default)]
    pub errors: Errors,
}

/// Which objects belong to a source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Only objects of this bucket; any bucket when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// The key begins with this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The key ends with this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// The whole key, where `*` stands for anything but `/`, `**` for anything
    /// and `{name}` for a capture without `/` that columns can use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glob: Option<String>,
}

impl Match {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What an unknown or a missing column does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// A column of the object that no column of the document reads.
    #[serde(default)]
    pub unknown: UnknownColumn,
    /// A column of the document that the object (or the row) does not have.
    #[serde(default, deserialize_with = "null_is_a_word")]
    #[schemars(with = "Option<MissingColumn>")]
    pub missing: MissingColumn,
}

/// What an unknown column does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownColumn {
    /// It is left out.
    #[default]
    Ignore,
    /// It is added to the table, on every cluster that the document names, with
    /// a type that its first values fit and that takes NULL, and is loaded.
    Add,
    /// The rows that have it go to the quarantine.
    Quarantine,
    /// The object fails.
    Fail,
}

/// What a missing column does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingColumn {
    /// It counts as NULL: a `required` column then makes its row bad.
    #[default]
    Null,
    /// The rows that lack it go to the quarantine.
    Quarantine,
    /// The object fails.
    Fail,
}

/// What happens when a key that was loaded before has other bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// It is another object: its rows are added.
    #[default]
    Append,
    /// Its rows are added, and once all of them are there, on every cluster that
    /// the document names, those of the key's other versions are deleted from the
    /// table. The targets of materialized views keep theirs.
    Replace,
    /// It is not loaded.
    Ignore,
}

impl Changed {
    fn is_append(&self) -> bool {
        *self == Self::Append
    }

    /// The word in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Replace => "replace",
            Self::Ignore => "ignore",
        }
    }
}

/// Where the rows land.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Database, created with the table.
    pub database: String,
    /// Name of the table.
    pub name: String,
    /// Engine, as in `ENGINE = …`.
    #[serde(default = "merge_tree")]
    pub engine: String,
    /// SQL expression of `PARTITION BY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by: Option<String>,
    /// SQL expressions of `ORDER BY`; in load order (`tuple()`) when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order_by: Vec<String>,
    /// SQL expression of `TTL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Whether the table is created when it is missing.
    #[serde(default)]
    pub create: Create,
    /// How many of the newest inserted blocks the table remembers, so that a
    /// repeated INSERT with the same token is dropped.
    #[serde(default = "window")]
    pub deduplication_window: u64,
    /// Whether `_object`, `_row`, `_config_version` and `_loaded_at` are written.
    #[serde(default = "yes")]
    pub provenance: bool,
}

/// Whether the table is created when it is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Create {
    /// It is created from the document on every cluster that is written to.
    #[default]
    Auto,
    /// Somebody else creates it; objects wait in the queue until it is there.
    Never,
}

/// How the rows are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Source rows of one chunk, that is of one INSERT.
    #[serde(default = "rows_per_chunk")]
    pub rows_per_chunk: u64,
    /// Clusters that hold the rows, in the order of failover.
    #[serde(default = "ingestion")]
    pub clusters: Vec<String>,
    /// How many of them a chunk is written to at once.
    #[serde(default, skip_serializing_if = "WriteMode::is_failover")]
    pub mode: WriteMode,
}

/// How many of its clusters a chunk is written to at once. What one of them
/// lacks in either mode is owed to it, and `reconcile` writes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// To the first that is well; the others get it from `reconcile`.
    #[default]
    Failover,
    /// To all that are well.
    Mirror,
}

impl WriteMode {
    fn is_failover(&self) -> bool {
        *self == Self::Failover
    }
}

/// What is tolerated before an object fails.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// Most bad rows of an object; no limit by number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bad_rows: Option<u64>,
    /// Largest share of bad rows of an object, 0 to 1, judged at the end of
    /// each chunk over all rows read so far.
    #[serde(default = "bad_share")]
    pub max_bad_share: f64,
    /// Tries of one INSERT within one invocation before the object is given
    /// back to the queue.
    #[serde(default = "attempts")]
    pub retries: u32,
}

impl Default for Write {
    fn default() -> Self {
        Self { rows_per_chunk: rows_per_chunk(), clusters: ingestion(), mode: WriteMode::default() }
    }
}

impl Default for Errors {
    fn default() -> Self {
        Self { max_bad_rows: None, max_bad_share: bad_share(), retries: attempts() }
    }
}

fn yes() -> bool {
    true
}
/// How the values of records are written.
fn json_lines() -> Format {
    Format::Json(Json::default())
}
fn merge_tree() -> String {
    "MergeTree".to_owned()
}
fn window() -> u64 {
    10_000
}
fn rows_per_chunk() -> u64 {
    524_288
}
fn ingestion() -> Vec<String> {
    vec!["ingestion".to_owned()]
}
fn bad_share() -> f64 {
    0.1
}
fn attempts() -> u32 {
    3
}

/// `missing: null` is YAML's null unless it is quoted; both mean the word.
fn null_is_a_word<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<MissingColumn, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(MissingColumn::Null))
}
