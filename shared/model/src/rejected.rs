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
    /// Why, in words that name the value and what would be right; then what is wrong
    /// with other columns of the row.
    pub reason: String,
    /// The row as it stands in the object (for binary formats: as JSON).
    pub raw: Vec<u8>,
}

/// Where the reason of another column begins.
const ANOTHER: &str = "; and column `";

impl RejectedRow {
    /// Adds what is wrong with another column of the row.
    pub fn add(&mut self, column: &str, reason: &str) {
        self.reason.push_str(&format!("{ANOTHER}{column}`: {reason}"));
    }

    /// What is wrong with [`RejectedRow::column`] alone.
    #[must_use]
    pub fn own_reason(&self) -> &str {
        self.reason.split_once(ANOTHER).map_or(&self.reason, |(own, _)| own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_the_first_column_is_found_again() {
        let mut row = RejectedRow {
            row: 0,
            column: "a".to_owned(),
            column_type: "Int8".to_owned(),
            reason: "`x` is no Int8".to_owned(),
            raw: Vec::new(),
        };
        assert_eq!(row.own_reason(), row.reason);
        row.add("b", "NULL in a column that takes none");
        assert_eq!(row.reason, "`x` is no Int8; and column `b`: NULL in a column that takes none");
        assert_eq!(row.own_reason(), "`x` is no Int8");
    }
}
