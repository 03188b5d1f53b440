//! The columns of a source: type, origin, and what a bad value does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One column that is decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Name of the column in the table.
    pub name: String,
    /// ClickHouse type, such as `LowCardinality(String)`. Texts of a `DateTime` or
    /// `DateTime64` without a zone of their own are UTC, whichever zone the type names,
    /// unless `timestamp.zone` says another.
    #[serde(rename = "type")]
    pub column_type: String,
    /// Where the value comes from; the field of the same name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<From>,
    /// A row without the value is bad, even where the type is Nullable.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// The value of a row that has none, or whose value is bad under
    /// `on_error: default`: text, a number or a boolean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// How texts become dates and times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// What a bad value does: one that does not fit the type, or NULL where the
    /// type takes none and no default is given.
    #[serde(default, deserialize_with = "null_is_a_word")]
    #[schemars(with = "Option<BadValue>")]
    pub on_error: BadValue,
}

impl Column {
    /// Where the value comes from, with the shorthand written out.
    #[must_use]
    pub fn origin(&self) -> FromSpec {
        match &self.from {
            None => FromSpec::Column(self.name.clone()),
            Some(From::Path(path)) => FromSpec::Path(path.clone()),
            Some(From::Spec(spec)) => spec.clone(),
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "must be a path as text, or one of {column: NAME}, {path: PATH}, {capture: NAME}, {constant: VALUE}"
)]
pub enum From {
    /// Shorthand for `{path: …}`: a field, or in JSON a dotted path to one.
    Path(String),
    /// Written out.
    Spec(FromSpec),
}

/// Where a value comes from, written out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FromSpec {
    /// A column of the object (a top-level key in JSON), by its exact name.
    Column(String),
    /// A path of keys and array indices separated by dots: `geometry.coordinates.0`.
    Path(String),
    /// A capture of `match.glob`.
    Capture(String),
    /// The same value in every row: text, a number or a boolean.
    Constant(serde_json::Value),
}

/// How texts (and numbers) become dates and times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// Formats that are tried in order, in the notation of `strftime`, or
    /// `unix`, `unix_ms`, `unix_us`, `unix_ns` for numbers since 1970. ISO 8601
    /// when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<String>,
    /// Zone of texts that name none, such as `Europe/Berlin`; UTC when absent. The zone
    /// in a column's type is how its moments are shown, not how texts are read, which
    /// is where ClickHouse itself does otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// What a bad value does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BadValue {
    /// The row goes to the quarantine.
    #[default]
    Quarantine,
    /// The value becomes NULL; the type must be Nullable.
    Null,
    /// The value becomes the column's `default`.
    Default,
    /// The whole object fails.
    Fail,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// `on_error: null` is YAML's null unless it is quoted; both mean the word.
fn null_is_a_word<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BadValue, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(BadValue::Null))
}
