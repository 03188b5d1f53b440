//! The steps that are done on decoded columns, in order.
//!
//! Anything beyond them is SQL, in the document's `select`: no expression
//! language of our own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Keeps the rows for which the condition holds; the others are counted as
    /// filtered.
    Filter(Filter),
    /// Makes one row of each element of an array column. A row with an empty
    /// array is counted as filtered.
    Explode(Explode),
    /// Makes a column of each field of a named tuple column, in its place.
    Flatten(Flatten),
    /// Replaces texts by the hexadecimal SHA-256 of salt and text.
    Hash(Hash),
    /// Replaces characters of texts by a mask.
    Mask(Mask),
    /// Removes white space around the texts of these columns.
    Trim(Vec<String>),
    /// Replaces texts by others.
    Map(MapValues),
    /// Leaves these columns out of the table.
    Drop(Vec<String>),
}

/// Keeps the rows for which the condition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The column that is looked at.
    pub column: String,
    /// The comparison. NULL fulfils only `is_null`.
    pub op: FilterOp,
    /// What the value is compared with: a list for `in` and `not_in`, nothing
    /// for `is_null` and `not_null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FilterOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// One of a list.
    In,
    /// None of a list.
    NotIn,
    /// NULL.
    IsNull,
    /// Not NULL.
    NotNull,
}

/// Makes one row of each element of an array column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Explode {
    /// The array column; it becomes a column of the element type.
    pub column: String,
    /// Name of a `UInt32` column for the element's position, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

/// Makes a column of each field of a named tuple column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flatten {
    /// The tuple column.
    pub column: String,
    /// Put before each field's name; the column's name and `_` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// Replaces texts by the hexadecimal SHA-256 of salt and text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hash {
    /// Text columns.
    pub columns: Vec<String>,
    /// Put before each text. Without one, guessable values can be found by trying.
    #[serde(default)]
    pub salt: String,
}

/// Replaces characters of texts by a mask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// Text columns.
    pub columns: Vec<String>,
    /// Characters to keep at the start.
    #[serde(default)]
    pub keep_first: usize,
    /// Characters to keep at the end.
    #[serde(default)]
    pub keep_last: usize,
}

/// Replaces texts by others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MapValues {
    /// A text column.
    pub column: String,
    /// The text to find and the text to put.
    pub values: BTreeMap<String, String>,
    /// What a text that is not listed becomes; it stays as it is when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
}
