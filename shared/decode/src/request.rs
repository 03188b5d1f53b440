//! What a caller asks a decoder for.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use model::document::{Compression, Drift, Format};
use model::{BatchPlan, ColumnType};

use crate::DecodeError;

/// One column that is wanted of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRequest {
    /// Where its values stand.
    pub origin: FieldOrigin,
    /// An empty CSV field is an empty text, even where the empty text is a
    /// null marker: for columns that take no NULL but can hold a text.
    pub empty_is_text: bool,
    /// The type that the column may be built as where every value of a batch is
    /// written plainly; its values are then held as [`native::arrow_type`] says.
    /// Text where there is none, and in batches where a value is not plain.
    pub column_type: Option<ColumnType>,
    /// The destination column, for messages.
    pub required_by: String,
    /// The object need not have it, whatever drift says of missing columns.
    pub is_optional: bool,
}

/// Where a value stands in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldOrigin {
    /// A column of the object (a top-level key in JSON), by its exact name.
    Column(String),
    /// Keys and array indices, outermost first; at least one.
    Path(Vec<String>),
}

impl fmt::Display for FieldOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(name) => f.write_str(name),
            Self::Path(segments) => f.write_str(&segments.join(".")),
        }
    }
}

/// The bytes of an object as they lie in the store.
pub enum Input {
    /// From start to end, once.
    Stream(Box<dyn Read + Send>),
    /// Any part at any time.
    Ranges(Arc<dyn RangeRead>),
}

/// An object of which any range can be read.
pub trait RangeRead: Send + Sync {
    /// Size of the object in bytes.
    fn size(&self) -> u64;
    /// Reads exactly the bytes of `range`, which lies within the object.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn read(&self, range: Range<u64>) -> io::Result<Bytes>;
    /// A range that will most likely be read soon, as a whole: where reading takes
    /// time, it can begin.
    fn will_read(&self, _range: Range<u64>) {}
}

/// What to decode, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// Format that the source document names.
    pub format: Format,
    /// Compression that the source document names.
    pub compression: Compression,
    /// Name of the object, for messages and for its extension.
    pub name: String,
    /// The columns of every batch, in this order.
    pub fields: Vec<FieldRequest>,
    /// What unknown and missing columns do.
    pub drift: Drift,
    /// How rows are cut into batches.
    pub plan: BatchPlan,
    /// First row wanted, counted from 0; the rows before are passed over.
    pub start_row: u64,
    /// What an object may cost.
    pub limits: Limits,
}

impl Request {
    /// The error of an object that has none of the columns that are wanted:
    /// whatever drift allows, it is another object than the source describes.
    pub(crate) fn nothing_in_common<'a>(
        &self,
        there: impl IntoIterator<Item = &'a str>,
    ) -> DecodeError {
        const SHOWN: usize = 20;
        let list = |names: Vec<String>| match names.len() {
            0 => "no columns at all".to_owned(),
            _ => format!("`{}`", names.join("`, `")),
        };
        let wanted = self.fields.iter().map(|field| field.origin.to_string());
        DecodeError::NothingInCommon {
            name: self.name.clone(),
            there: list(there.into_iter().take(SHOWN).map(str::to_owned).collect()),
            wanted: list(wanted.take(SHOWN).collect()),
        }
    }
}

/// What an object may cost before it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes after decompression.
    pub max_decoded_bytes: u64,
    /// Most bytes after decompression per byte before it, judged once
    /// [`Limits::RATIO_FROM`] bytes have come out.
    pub max_ratio: u64,
    /// Most bytes of one row of a text format.
    pub max_row_bytes: usize,
}

impl Limits {
    /// Decompressed bytes from which the ratio is judged: below, a small file
    /// of zeros would be taken for an attack.
    pub const RATIO_FROM: u64 = 16 * 1024 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_decoded_bytes: 64 << 30, max_ratio: 1_000, max_row_bytes: 16 << 20 }
    }
}
