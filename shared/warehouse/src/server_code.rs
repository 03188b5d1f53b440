//! What a server's error code means: the one table of it.
//!
//! A code becomes an integer once (in `error.rs`) and a [`ServerKind`] here; the
//! kind decides what is to be done and what somebody can do about it.

use std::fmt;

use model::Disposition;

use crate::error::Reaction;

/// What a server error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerKind {
    /// The table has too many active parts: merges must catch up.
    TooManyParts,
    /// One INSERT would touch more partitions than a server accepts.
    TooManyPartitions,
    /// Memory, threads or connections are short, or quotas used up.
    Overloaded,
    /// A time limit on the server's side.
    Timeout,
    /// The server could not talk to another server or its storage.
    Network,
    /// Keeper or the replication is not healthy.
    Replication,
    /// The table takes no writes for now, or the disk has no room for them.
    ReadOnlyTable,
    /// The body ended before the data did: our connection was cut.
    CutBody,
    /// The query was cancelled, or another one runs with the same name.
    Interrupted,
    /// User or password is wrong.
    Authentication,
    /// User and password are right and were replaced since: read them again.
    StaleCredentials,
    /// The user may not do this.
    AccessDenied,
    /// There is no such table.
    UnknownTable,
    /// Table or column were there when `prepare` looked, and are not any more.
    StaleTable,
    /// There is no such database.
    UnknownDatabase,
    /// There is no such column (any more).
    UnknownColumn,
    /// SQL of the source document, or ours, is wrong.
    Sql,
    /// A setting the server does not know, or does not let the user change.
    Setting,
    /// A value does not fit its column.
    Data,
    /// The answer is larger than was allowed.
    TooLarge,
    /// A code that is not in the table.
    Unknown,
}

impl ServerKind {
    /// The kind of a code. `message` matters for the one code that ClickHouse
    /// gives to two different situations.
    #[must_use]
    pub fn of(code: u32, message: &str) -> Self {
        match code {
            252 if message.contains("partitions for single INSERT block") => {
                Self::TooManyPartitions
            }
            252 => Self::TooManyParts,
            173 | 201 | 202 | 203 | 241 | 439 | 692 | 700 | 745 => Self::Overloaded,
            159 | 160 | 718 => Self::Timeout,
            209 | 210 | 279 | 425 | 499 | 519 | 1000 => Self::Network,
            225 | 244 | 254 | 285 | 286 | 289 | 319 | 342 | 415 | 416 | 529 | 568 | 659 | 999 => {
                Self::Replication
            }
            242 | 243 => Self::ReadOnlyTable,
            33 => Self::CutBody,
            // 57, 82, 218, 473: somebody else creates or drops at the same time.
            57 | 82 | 216 | 218 | 236 | 394 | 473 | 677 | 695 | 696 | 722 | 735 => {
                Self::Interrupted
            }
            192..=195 | 516 => Self::Authentication,
            164 | 291 | 497 => Self::AccessDenied,
            60 => Self::UnknownTable,
            81 => Self::UnknownDatabase,
            8 | 10 | 16 | 47 => Self::UnknownColumn,
            20 | 36 | 42 | 43 | 44 | 46 | 48 | 50 | 62 | 63 | 73 | 80 | 179 | 184 | 336 | 344
            | 352 | 450 | 456 | 457 | 636 | 703 => Self::Sql,
            115 | 452 => Self::Setting,
            6 | 9 | 25 | 26 | 27 | 38 | 41 | 53 | 69 | 70 | 72 | 117 | 128 | 130 | 131 | 153
            | 190 | 321 | 349 | 376 | 386 | 395 | 407 | 427 | 469 | 645 | 675 | 676 | 691 => {
                Self::Data
            }
            158 | 307 | 396 => Self::TooLarge,
            _ => Self::Unknown,
        }
    }

    /// What is to be done about it.
    #[must_use]
    pub fn disposition(self) -> Disposition {
        match self {
            Self::TooManyParts
            | Self::Overloaded
            | Self::Timeout
            | Self::Network
            | Self::Replication
            | Self::ReadOnlyTable
            | Self::CutBody
            | Self::Interrupted
            | Self::StaleCredentials
            | Self::StaleTable
            // A code nobody has met yet is given a few tries and then ends among
            // the dead letters with its text; losing data is never the answer.
            | Self::Unknown => Disposition::Retry,
            Self::Data => Disposition::Quarantine,
            Self::TooManyPartitions
            | Self::Authentication
            | Self::AccessDenied
            | Self::UnknownTable
            | Self::UnknownDatabase
            | Self::UnknownColumn
            | Self::Sql
            | Self::Setting
            | Self::TooLarge => Disposition::Fatal,
        }
    }

    /// Whether the table, or its database, is not there.
    #[must_use]
    pub fn is_unknown_table(self) -> bool {
        matches!(self, Self::UnknownTable | Self::UnknownDatabase)
    }

    /// What a writer does about it.
    #[must_use]
    pub fn reaction(self) -> Reaction {
        match self {
            Self::TooManyParts | Self::Overloaded | Self::Timeout => Reaction::SlowDown,
            Self::Network
            | Self::CutBody
            | Self::Interrupted
            | Self::StaleCredentials
            | Self::StaleTable
            | Self::Unknown => Reaction::RetryHere,
            // What is wrong with this cluster may be right on the next.
            Self::Replication
            | Self::ReadOnlyTable
            | Self::Authentication
            | Self::AccessDenied
            | Self::UnknownTable
            | Self::UnknownDatabase
            | Self::UnknownColumn => Reaction::FailOver,
            Self::Data => Reaction::Quarantine,
            Self::TooManyPartitions | Self::Sql | Self::Setting | Self::TooLarge => Reaction::Fatal,
        }
    }

    /// Whether the server needs time and nothing else.
    #[must_use]
    pub fn needs_time(self) -> bool {
        matches!(
            self,
            Self::TooManyParts
                | Self::Overloaded
                | Self::Timeout
                | Self::Network
                | Self::Replication
                | Self::ReadOnlyTable
        )
    }

    /// What somebody can do about it: the end of the message.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::TooManyParts => {
                "merges must catch up; larger chunks (write.rows_per_chunk) make fewer parts"
            }
            Self::TooManyPartitions => {
                "make table.partition_by coarser, or write.rows_per_chunk smaller"
            }
            Self::Overloaded
            | Self::Timeout
            | Self::Network
            | Self::CutBody
            | Self::Interrupted => "it is tried again",
            Self::Replication => "look at the replicas and Keeper; it is tried again",
            Self::ReadOnlyTable => "the table takes no writes for now; it is tried again",
            Self::Authentication => "put the right user and password into the cluster's secret",
            Self::StaleCredentials => {
                "the credentials worked before; they are read anew at the next try"
            }
            Self::StaleTable => "it was there before; it is looked at again at the next try",
            Self::AccessDenied => "grant it to the user of the cluster's secret",
            Self::UnknownTable => {
                "create the table, or set table.create: auto in the source document"
            }
            Self::UnknownDatabase => {
                "create the database, or set table.create: auto in the source document"
            }
            Self::UnknownColumn => {
                "add the column to the table, or mend `select` or the name in the source document"
            }
            Self::Sql => {
                "mend the SQL in the source document (select, engine, partition_by, order_by, ttl)"
            }
            Self::Setting => {
                "use ClickHouse 24.8 or later, and let the user change settings (readonly 0 or 2)"
            }
            Self::Data => {
                "a value does not fit its column: mend the type in the source document, or the file"
            }
            Self::TooLarge => "ask for less, with LIMIT or a narrower condition",
            Self::Unknown => "the code is not classified; it is tried again",
        }
    }
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyParts => "too many parts",
            Self::TooManyPartitions => "too many partitions",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout on the server",
            Self::Network => "network of the server",
            Self::Replication => "replication",
            Self::ReadOnlyTable => "table is read-only",
            Self::CutBody => "cut body",
            Self::Interrupted => "interrupted",
            Self::Authentication => "authentication",
            Self::StaleCredentials => "stale credentials",
            Self::AccessDenied => "access denied",
            Self::UnknownTable => "unknown table",
            Self::StaleTable => "table has changed",
            Self::UnknownDatabase => "unknown database",
            Self::UnknownColumn => "unknown column",
            Self::Sql => "SQL",
            Self::Setting => "setting",
            Self::Data => "data",
            Self::TooLarge => "answer too large",
            Self::Unknown => "unclassified",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Disposition::{Fatal, Quarantine, Retry};
    use rstest::rstest;

    #[rstest]
    #[case(&[159, 160, 202, 203, 209, 210, 225, 241, 242, 243, 252, 319, 425, 745, 999, 33, 57, 12_345], Retry)]
    #[case(&[60, 81, 516, 192, 193, 194, 195, 497, 164, 16, 47, 62, 46, 115], Fatal)]
    #[case(&[6, 27, 38, 41, 53, 70, 72, 117, 131, 349, 386, 469, 407, 691], Quarantine)]
    fn every_code_has_its_disposition(#[case] codes: &[u32], #[case] expected: Disposition) {
        for code in codes {
            assert_eq!(ServerKind::of(*code, "").disposition(), expected, "{code}");
        }
    }

    #[test]
    fn too_many_partitions_is_not_too_many_parts() {
        let message = "Too many partitions for single INSERT block (more than 100).";
        assert_eq!(ServerKind::of(252, message).disposition(), Fatal);
        assert_eq!(ServerKind::of(252, "Too many parts (3001 with …)").disposition(), Retry);
    }
}
