//! Why a column cannot be written.

use thiserror::Error;

/// Why a column cannot be written. Each is a fault of the stage before: the
/// mapper gives only what its document's columns take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NativeError {
    /// A batch has another number of columns than the block.
    #[error("a batch of {found} columns came for a block of {expected}")]
    Columns {
        /// Columns of the batch.
        found: usize,
        /// Columns of the block.
        expected: usize,
    },
    /// The values are held in another way than the type wants.
    #[error("column `{column}`: {found} is not how a {expected} is held")]
    Type {
        /// The column.
        column: String,
        /// Arrow type of the values.
        found: String,
        /// ClickHouse type of the column.
        expected: String,
    },
    /// NULL where the type takes none.
    #[error("column `{column}`: NULL in a {column_type}")]
    Null {
        /// The column.
        column: String,
        /// ClickHouse type of the column or of the part of it.
        column_type: String,
    },
    /// A value that the type does not hold.
    #[error("column `{column}`: {value} is out of the range of {column_type}")]
    Range {
        /// The column.
        column: String,
        /// The value.
        value: String,
        /// ClickHouse type of the column or of the part of it.
        column_type: String,
    },
}
