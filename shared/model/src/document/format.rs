//! How the objects of a source are written and compressed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Format of the objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC, file or stream.
    Arrow,
    /// Delimited text; TSV is CSV with `delimiter: "\t"`.
    Csv(Csv),
    /// JSON: lines, an array, or a document with an array inside.
    Json(Json),
}

impl Format {
    /// The word for the format in logs and tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Csv(csv) if csv.delimiter == "\t" => "tsv",
            Self::Csv(_) => "csv",
            Self::Json(_) => "json",
        }
    }
}

/// Delimited text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// One ASCII character between fields.
    #[serde(default = "comma")]
    pub delimiter: String,
    /// One ASCII character around fields, or an empty text for none.
    #[serde(default = "double_quote")]
    pub quote: String,
    /// One ASCII character that escapes a quote, and itself, within quotes. Doubled quotes are always understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<String>,
    /// Whether the first row names the columns.
    #[serde(default = "yes")]
    pub header: bool,
    /// Names of the columns, in order, when there is no header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Fields, unquoted unless `quoted_nulls` is set, that mean NULL. An empty field is NULL unless `[]` is given, and so is an
    /// empty line of an object of one column.
    #[serde(default = "empty_is_null")]
    pub nulls: Vec<String>,
    /// Whether quoted fields can mean NULL, too: for writers that quote every field.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quoted_nulls: bool,
    /// One ASCII character that begins a comment line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Lines to skip before the header or the first row.
    #[serde(default)]
    pub skip_lines: u32,
    /// Encoding of the text.
    #[serde(default)]
    pub encoding: Encoding,
    /// What a row with more or fewer fields than columns does.
    #[serde(default)]
    pub ragged: RaggedRows,
}

impl Default for Csv {
    fn default() -> Self {
        Self {
            delimiter: comma(),
            quote: double_quote(),
            escape: None,
            header: true,
            names: Vec::new(),
            nulls: empty_is_null(),
            quoted_nulls: false,
            comment: None,
            skip_lines: 0,
            encoding: Encoding::default(),
            ragged: RaggedRows::default(),
        }
    }
}

/// Encoding of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark.
    #[default]
    Utf8,
    /// ISO 8859-1.
    Latin1,
    /// UTF-16; its byte-order mark says which byte of a character comes first.
    Utf16,
}

/// What a row with more or fewer fields than there are columns does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RaggedRows {
    /// It goes to the quarantine.
    #[default]
    Quarantine,
    /// Missing fields are NULL; surplus fields still go to the quarantine.
    Pad,
}

/// JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Json {
    /// How the rows lie in the text.
    #[serde(default)]
    pub layout: JsonLayout,
    /// With `layout: document`: the path to the array, such as `features` or
    /// `result.items`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// How the rows lie in a JSON text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JsonLayout {
    /// One value a line.
    #[default]
    Lines,
    /// One array whose elements are the rows.
    Array,
    /// One document with the array of rows at `path`.
    Document,
}

/// Compression of the objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// By the first bytes of the object, then by its name.
    #[default]
    Auto,
    /// Not compressed.
    None,
    /// gzip, of one or several members.
    Gzip,
    /// Zstandard.
    Zstd,
    /// bzip2.
    Bzip2,
}

fn comma() -> String {
    ",".to_owned()
}
fn double_quote() -> String {
    "\"".to_owned()
}
fn empty_is_null() -> Vec<String> {
    vec![String::new()]
}
fn yes() -> bool {
    true
}
