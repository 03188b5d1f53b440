//! Why an object cannot be mapped at all. A single bad row is no error here:
//! it is a `model::RejectedRow`.

use arrow::error::ArrowError;
use model::{Disposed, Disposition};
use thiserror::Error;

/// Why an object cannot be mapped.
#[derive(Debug, Error)]
pub enum MapError {
    /// The document's column or step cannot be carried out.
    #[error("{path}: {problem}")]
    Document {
        /// Field of the document, such as `columns[2].default`.
        path: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A part of the key does not fit the column it goes into.
    #[error(
        "capture `{capture}` of the object's key does not fit column `{column}`: {reason}; rename the object, or change the column's type"
    )]
    Capture {
        /// Name of the capture in `match.glob`.
        capture: String,
        /// The destination column.
        column: String,
        /// What does not fit, with the value.
        reason: String,
    },
    /// A bad value in a column with `on_error: fail`.
    #[error(
        "row {row}, column `{column}` ({column_type}): {reason}; the column says `on_error: fail`, so the object fails"
    )]
    Value {
        /// Ordinal of the row within its object, from 0.
        row: u64,
        /// The destination column.
        column: String,
        /// Its ClickHouse type.
        column_type: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// A batch does not have the columns that the mapper asked for.
    #[error(
        "the batch has {found} columns and {rows} row numbers for {batch_rows} rows; {expected} columns were asked for"
    )]
    Batch {
        /// Columns of the batch.
        found: usize,
        /// Columns that were asked for.
        expected: usize,
        /// Row numbers that came with the batch.
        rows: usize,
        /// Rows of the batch.
        batch_rows: usize,
    },
    /// Arrow refused an operation on a whole column.
    #[error("column `{column}` cannot be converted")]
    Arrow {
        /// The destination column.
        column: String,
        /// What Arrow says.
        #[source]
        source: ArrowError,
    },
}

impl MapError {
    /// Puts the column's name to an Arrow error.
    pub(crate) fn arrow(column: &str) -> impl FnOnce(ArrowError) -> Self + use<> {
        let column = column.to_owned();
        move |source| Self::Arrow { column, source }
    }
}

impl Disposed for MapError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Document { .. } | Self::Batch { .. } => Disposition::Fatal,
            Self::Capture { .. } | Self::Value { .. } | Self::Arrow { .. } => {
                Disposition::Quarantine
            }
        }
    }
}
