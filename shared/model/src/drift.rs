//! Drift: an object whose columns are not those of its source document.

use std::fmt;

/// A difference between the columns of an object and those of its document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Drift {
    /// Which side lacks the column.
    pub kind: DriftKind,
    /// The column of the object (in JSON a key, or the path of the document).
    pub field: String,
    /// What was done about it.
    pub action: DriftAction,
    /// The first row of the object that shows it, where rows differ: in JSON.
    pub row: Option<u64>,
}

/// Which side lacks a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DriftKind {
    /// The document: nothing reads the object's column.
    Unknown,
    /// The object: a column of the document has nothing to read.
    Missing,
}

/// What was done about drift, as `drift` of the document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DriftAction {
    /// The column was left out.
    Ignored,
    /// The column was added to the table, and is loaded.
    Added,
    /// The missing column counted as NULL.
    Null,
    /// The rows went to the quarantine.
    Quarantined,
    /// The object failed.
    Failed,
}

impl DriftKind {
    /// The word in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Missing => "missing",
        }
    }
}

impl DriftAction {
    /// The word in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Added => "added",
            Self::Null => "null",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for DriftKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for DriftAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
