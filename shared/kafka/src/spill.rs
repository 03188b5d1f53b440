//! Records that Kafka did not take in time, on their way back to it: what the
//! pixel writes into the spill queue and the drain reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::Record;

/// A message of the spill queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spilled {
    /// The topic of its records.
    pub topic: String,
    /// The records, in the order of their arrival.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<SpilledRecord>,
    /// The key of an object of the spill bucket that holds the message instead,
    /// because it is too large for the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

impl Spilled {
    /// The body of its message.
    ///
    /// # Errors
    /// Never: it is made of texts and numbers.
    pub fn to_text(&self) -> serde_json::Result<String> {
        text_of(self)
    }
}

/// As JSON of which SQS takes every character: it takes those of XML 1.0
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>),
/// and of what JSON leaves as it is, two are none of them.
fn text_of(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string(value)?;
    if !text.contains(['\u{fffe}', '\u{ffff}']) {
        return Ok(text);
    }
    // They can only stand within a text of JSON.
    Ok(text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"))
}

/// A record in a message: bytes as text where they are text, else as base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpilledRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Text>,
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    headers: std::collections::BTreeMap<String, Text>,
    timestamp_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Text {
    Utf8(String),
    Base64(String),
}

impl Text {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Utf8(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    fn bytes(self) -> Result<Vec<u8>, base64::DecodeError> {
        match self {
            Self::Utf8(text) => Ok(text.into_bytes()),
            Self::Base64(text) => STANDARD.decode(text),
        }
    }
}

impl SpilledRecord {
    /// A record as a message holds it.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let headers = record.headers.iter();
        Self {
            key: record.key.as_deref().map(Text::of),
            value: record.value.as_deref().map(Text::of),
            headers: headers.map(|(name, value)| (name.clone(), Text::of(value))).collect(),
            timestamp_ms: record.timestamp_ms,
        }
    }

    /// Bytes that it takes in a message: JSON within JSON, escaped.
    #[must_use]
    pub fn size(&self) -> usize {
        text_of(self).map_or(usize::MAX - 1, |text| text.len()) + 1
    }

    /// The record.
    ///
    /// # Errors
    /// When somebody else wrote the message.
    pub fn into_record(self) -> Result<Record, base64::DecodeError> {
        let mut headers = std::collections::BTreeMap::new();
        for (name, value) in self.headers {
            headers.insert(name, value.bytes()?);
        }
        Ok(Record {
            key: self.key.map(Text::bytes).transpose()?,
            value: self.value.map(Text::bytes).transpose()?,
            headers,
            timestamp_ms: self.timestamp_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let record = Record {
            key: Some(b"visitor".to_vec()),
            value: Some(vec![0xff, 0xfe, b'{']),
            headers: [("h".to_owned(), b"\"x\"".to_vec())].into(),
            timestamp_ms: 7,
        };
        for record in [record, Record::default()] {
            let spilled = SpilledRecord::of(&record);
            let text = serde_json::to_string(&spilled).unwrap();
            assert!(spilled.size() > text.len());
            let read: SpilledRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(read.into_record().unwrap(), record);
        }
    }

    /// Legal in JSON, and in no message of SQS.
    #[test]
    fn a_message_has_only_characters_that_its_queue_takes() {
        let value = "{\"name\":\"a\u{fffe}b\u{ffff}\"}";
        let record = Record { value: Some(value.as_bytes().to_vec()), ..Record::default() };
        let records = vec![SpilledRecord::of(&record)];
        let size = records[0].size();
        let spilled = Spilled { topic: "events".to_owned(), records, object: None };
        let text = spilled.to_text().unwrap();
        assert!(text.contains(r"a\ufffeb\uffff"), "{text}");
        assert!(!text.contains(['\u{fffe}', '\u{ffff}']), "{text}");
        assert!(size > value.len() + 2 * 3, "{size}");
        let read: Spilled = serde_json::from_str(&text).unwrap();
        assert_eq!(read, spilled);
        let mut records = read.records;
        assert_eq!(records.remove(0).into_record().unwrap(), record);
    }
}
