//! The accounting of one object: rows read = written + filtered + quarantined.

use serde::{Deserialize, Serialize};

/// Row counts of an object, or of a part of it.
///
/// A row that a step explodes into several is counted by what became of the
/// source row: `rows_written` counts source rows of which at least one row was
/// written; the number of rows in the table is `rows_inserted`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Source rows decoded or rejected by the decoder.
    pub rows_read: u64,
    /// Source rows that reached the table.
    pub rows_written: u64,
    /// Source rows that a `filter` step (or an empty array in `explode`) dropped.
    pub rows_filtered: u64,
    /// Source rows that went to the quarantine table.
    pub rows_quarantined: u64,
    /// Rows that were inserted; more than `rows_written` when a step explodes.
    pub rows_inserted: u64,
    /// Chunks that were committed.
    pub chunks: u64,
}

impl Counts {
    /// Whether every row that was read is accounted for.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.rows_read == self.rows_written + self.rows_filtered + self.rows_quarantined
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rows_read += other.rows_read;
        self.rows_written += other.rows_written;
        self.rows_filtered += other.rows_filtered;
        self.rows_quarantined += other.rows_quarantined;
        self.rows_inserted += other.rows_inserted;
        self.chunks += other.chunks;
    }
}
