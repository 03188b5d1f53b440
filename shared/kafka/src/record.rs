//! What goes into a topic and comes out of it.

use std::collections::BTreeMap;

use rskafka::chrono::{DateTime, Utc};

/// A record to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Records of one key go to one partition, in order; one without goes
    /// anywhere.
    pub key: Option<Vec<u8>>,
    /// The content; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Names and values beside the content. One name, one value: the client
    /// library keeps no second one.
    pub headers: BTreeMap<String, Vec<u8>>,
    /// When it was made, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// A record that a topic holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Where it is in its partition.
    pub offset: i64,
    /// What it is.
    pub record: Record,
}

/// Bytes that a record takes beside its key, value and headers, at most.
const OVERHEAD: usize = 64;
/// Bytes that a header takes beside its name and value, at most.
const HEADER_OVERHEAD: usize = 10;

impl Record {
    /// About how large it is before compression; never too little.
    #[must_use]
    pub fn size(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.len() + HEADER_OVERHEAD);
        OVERHEAD + length(&self.key) + length(&self.value) + headers.sum::<usize>()
    }

    /// In the words of the client library.
    pub(crate) fn to_client(&self) -> rskafka::record::Record {
        rskafka::record::Record {
            key: self.key.clone(),
            value: self.value.clone(),
            headers: self.headers.clone(),
            // A moment that the library has no word for is none of Kafka's.
            timestamp: DateTime::<Utc>::from_timestamp_millis(self.timestamp_ms)
                .unwrap_or(DateTime::UNIX_EPOCH),
        }
    }
}

impl From<rskafka::record::RecordAndOffset> for StoredRecord {
    fn from(stored: rskafka::record::RecordAndOffset) -> Self {
        let rskafka::record::Record { key, value, headers, timestamp } = stored.record;
        let timestamp_ms = timestamp.timestamp_millis();
        Self { offset: stored.offset, record: Record { key, value, headers, timestamp_ms } }
    }
}
