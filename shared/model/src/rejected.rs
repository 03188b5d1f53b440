//! A row that cannot be loaded, with everything that is needed to mend it.

/// A source row that goes to the quarantine instead of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Ordinal of the row within its object, from 0.
    pub row: u64,
    /// Destination column whose value was refused; empty when the row as a
    /// whole could not be decoded.
    pub column: String,
    /// ClickHouse type of that column; empty with an empty `column`.
    pub column_type: String,
    /// Why, in words that name the value and what would be right.
    pub reason: String,
    /// The row as it stands in the object (for binary formats: as JSON).
    pub raw: Vec<u8>,
}
