//! Why an object cannot be decoded, and what is to be done about it.

use std::fmt;
use std::io;

use arrow::error::ArrowError;
use model::{Disposed, Disposition};
use thiserror::Error;

/// Where in an object something is wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Row, counted from 0.
    pub row: Option<u64>,
    /// Byte of the decompressed content, counted from 0.
    pub byte: Option<u64>,
}

impl Place {
    /// A byte of the decompressed content.
    #[must_use]
    pub fn byte(byte: u64) -> Self {
        Self { row: None, byte: Some(byte) }
    }

    /// A row.
    #[must_use]
    pub fn row(row: u64) -> Self {
        Self { row: Some(row), byte: None }
    }

    /// The same place with its row.
    #[must_use]
    pub fn in_row(self, row: u64) -> Self {
        Self { row: Some(row), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.row, self.byte) {
            (Some(row), Some(byte)) => write!(f, " at row {row}, byte {byte}"),
            (Some(row), None) => write!(f, " at row {row}"),
            (None, Some(byte)) => write!(f, " at byte {byte}"),
            (None, None) => Ok(()),
        }
    }
}

/// Why an object cannot be decoded. Every variant names the object.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The store broke off; the object itself may be fine.
    #[error("{name}: cannot be read")]
    Unreadable {
        /// The object.
        name: String,
        /// What the store says.
        #[source]
        source: io::Error,
    },
    /// The caller gave a stream where ranges are needed, or the reverse.
    #[error(
        "{name}: a {format} object was opened with the wrong kind of input; ask `needs_ranges` first"
    )]
    WrongInput {
        /// The object.
        name: String,
        /// Format of the request.
        format: &'static str,
    },
    /// The source names a compression that the bytes contradict.
    #[error(
        "{name}: the source says compression `{stated}`; the content is {found}; correct `compression`, or set it to `auto`"
    )]
    WrongCompression {
        /// The object.
        name: String,
        /// What the source document says.
        stated: &'static str,
        /// What the bytes say.
        found: &'static str,
    },
    /// The source names a format that the bytes contradict.
    #[error(
        "{name}: this is {found}; the source says {stated}; correct `format`, or route the object to another source"
    )]
    WrongFormat {
        /// The object.
        name: String,
        /// What the source document says.
        stated: &'static str,
        /// What the bytes say.
        found: &'static str,
    },
    /// The compressed stream is damaged.
    #[error(
        "{name}: the {compression} stream is damaged near compressed byte {byte}: {reason}; upload the object anew"
    )]
    Corrupt {
        /// The object.
        name: String,
        /// Compression.
        compression: &'static str,
        /// Compressed bytes read so far.
        byte: u64,
        /// What the decompressor says.
        reason: String,
    },
    /// The compressed stream breaks off.
    #[error(
        "{name}: the {compression} stream is cut off after {byte} compressed bytes; upload the object anew"
    )]
    Truncated {
        /// The object.
        name: String,
        /// Compression.
        compression: &'static str,
        /// Compressed bytes read.
        byte: u64,
    },
    /// The content expands beyond reason.
    #[error(
        "{name}: {decoded} bytes have come out of {read}, more than {limit} to 1; this looks like a decompression bomb"
    )]
    Ratio {
        /// The object.
        name: String,
        /// Compressed bytes read.
        read: u64,
        /// Bytes after decompression.
        decoded: u64,
        /// The limit.
        limit: u64,
    },
    /// The content is larger than allowed.
    #[error("{name}: has more than {limit} bytes after decompression; split the object")]
    TooLarge {
        /// The object.
        name: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// One row is larger than allowed.
    #[error("{name}: a row is longer than {limit} bytes{place}; {hint}")]
    RowTooLong {
        /// The object.
        name: String,
        /// Where the row begins.
        place: Place,
        /// The limit in bytes.
        limit: usize,
        /// What usually is behind it.
        hint: &'static str,
    },
    /// The content breaks the rules of its format, so that its rows cannot be
    /// told apart any more.
    #[error("{name}: malformed {format}{place}: {reason}")]
    Malformed {
        /// The object.
        name: String,
        /// Format of the request.
        format: &'static str,
        /// Where.
        place: Place,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// `drift.missing: fail`, and the object lacks a column.
    #[error(
        "{name}: has no `{origin}`, which column `{column}` reads{place}; correct `columns`, or set `drift.missing` to `null` or `quarantine`"
    )]
    MissingField {
        /// The object.
        name: String,
        /// The field that is missing.
        origin: String,
        /// The destination column.
        column: String,
        /// Where.
        place: Place,
    },
    /// None of the columns that are wanted is there. Rows of NULL alone would be
    /// all that is left of the object.
    #[error(
        "{name}: none of the columns that the source reads is there: it has {there}, and {wanted} are wanted; correct `columns`, `format` (delimiter, header) or `match`"
    )]
    NothingInCommon {
        /// The object.
        name: String,
        /// What it has, in words.
        there: String,
        /// What the source reads, in words.
        wanted: String,
    },
    /// `drift.unknown: fail`, and the object has a column that nothing reads.
    #[error(
        "{name}: has a column `{field}` that the source does not know{place}; add it to `columns`, or set `drift.unknown` to `add`, `ignore` or `quarantine`"
    )]
    UnknownField {
        /// The object.
        name: String,
        /// The unknown column.
        field: String,
        /// Where.
        place: Place,
    },
    /// `drift.unknown: add`, and the object has columns that nothing reads: the
    /// request is to be made anew with them.
    #[error("{name}: has columns that are not requested: `{}`", .fields.join("`, `"))]
    NewFields {
        /// The object.
        name: String,
        /// The columns, in the order in which they were met.
        fields: Vec<String>,
        /// The first row of the batch that has them.
        row: u64,
    },
    /// Arrow refuses what was decoded.
    #[error("{name}: cannot be made into Arrow batches")]
    Batch {
        /// The object.
        name: String,
        /// What Arrow says.
        #[source]
        source: ArrowError,
    },
    /// The object uses something that this program cannot read.
    #[error("{name}: {what} is not supported")]
    Unsupported {
        /// The object.
        name: String,
        /// What.
        what: String,
    },
    /// The source document cannot be carried out; validation should have told.
    #[error("{name}: `{field}` of the source document is wrong: {reason}")]
    BadOption {
        /// The object.
        name: String,
        /// The field of the document.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Disposed for DecodeError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Unreadable { .. } => Disposition::Retry,
            Self::WrongInput { .. } | Self::BadOption { .. } | Self::NewFields { .. } => {
                Disposition::Fatal
            }
            _ => Disposition::Quarantine,
        }
    }
}

impl DecodeError {
    /// What a failed read means. Readers of this crate carry their own errors
    /// through `io::Error`; any other comes from the store.
    pub(crate) fn from_io(name: &str, error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(source) => Self::Unreadable { name: name.to_owned(), source },
        }
    }
}

impl DecodeError {
    /// The same error with the row it was met in, where it says a place.
    pub(crate) fn in_row(mut self, row: u64) -> Self {
        if let Self::RowTooLong { place, .. } | Self::Malformed { place, .. } = &mut self {
            place.row = Some(row);
        }
        self
    }
}

impl From<DecodeError> for io::Error {
    fn from(error: DecodeError) -> Self {
        Self::other(error)
    }
}
