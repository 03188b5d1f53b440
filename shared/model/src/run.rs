//! Runs of Kafka's records: what an INSERT of the sink brings.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The records of a partition from one offset up to another. Offsets that hold no
/// record (a transaction's mark, or what compaction removed) are in it all the
/// same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Run {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// First offset.
    pub start: i64,
    /// The one behind the last.
    pub end: i64,
}

impl Run {
    /// Its offsets.
    #[must_use]
    pub fn offsets(&self) -> Range<i64> {
        self.start..self.end
    }

    /// Whether it is of this partition.
    #[must_use]
    pub fn is_of(&self, topic: &str, partition: i32) -> bool {
        self.topic == topic && self.partition == partition
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka://{}/{}@{}..{}", self.topic, self.partition, self.start, self.end)
    }
}

/// A record of Kafka with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// When it was made, or came to the broker, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The content; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Names and values beside the content, in their order; a name may come twice.
    pub headers: Vec<(String, Vec<u8>)>,
}
