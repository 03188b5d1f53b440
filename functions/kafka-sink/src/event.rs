//! The event of an invocation: a batch of Kafka's records, as Lambda's event
//! source mappings for Amazon MSK and self-managed Apache Kafka write it (AWS
//! Lambda Developer Guide, "Using Lambda with Amazon MSK"), and the answer that
//! names what is to be delivered again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ingest::{Delivered, Refused};
use model::StreamRecord;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

/// A batch.
#[derive(Debug, Deserialize)]
pub struct KafkaEvent {
    /// Records by partition, `topic-partition`.
    records: BTreeMap<String, Vec<EventRecord>>,
}

#[derive(Debug, Deserialize)]
struct EventRecord {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: i64,
    #[serde(default)]
    key: Option<Base64>,
    #[serde(default)]
    value: Option<Base64>,
    #[serde(default)]
    headers: Vec<BTreeMap<String, Vec<HeaderByte>>>,
}

/// Bytes that are decoded as they are read: a batch holds megabytes of them.
#[derive(Debug)]
struct Base64(Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Decode;
        impl Visitor<'_> for Decode {
            type Value = Base64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Base64, E> {
                BASE64_STANDARD.decode(text).map(Base64).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Decode)
    }
}

impl KafkaEvent {
    /// The records, by partition and in order of their offsets.
    pub fn into_delivered(self) -> Vec<Delivered> {
        let mut delivered: Vec<Delivered> =
            self.records.into_values().filter_map(partition).collect();
        delivered.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        delivered
    }
}

fn partition(records: Vec<EventRecord>) -> Option<Delivered> {
    let first = records.first()?;
    let (topic, partition): (Arc<str>, i32) = (first.topic.as_str().into(), first.partition);
    let mut records: Vec<StreamRecord> = records
        .into_iter()
        .map(|record| StreamRecord {
            topic: topic.clone(),
            partition,
            offset: record.offset,
            timestamp_ms: record.timestamp,
            key: record.key.map(|bytes| bytes.0),
            value: record.value.map(|bytes| bytes.0),
            headers: record.headers.into_iter().flatten().map(header).collect(),
        })
        .collect();
    records.sort_by_key(|record| record.offset);
    Some(Delivered { topic, partition, records })
}

fn header((name, bytes): (String, Vec<HeaderByte>)) -> (String, Vec<u8>) {
    (name, bytes.into_iter().map(|byte| byte.0).collect())
}

/// A byte of a header, which comes with a sign, as Java has it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "i16")]
struct HeaderByte(u8);

impl TryFrom<i16> for HeaderByte {
    type Error = String;

    fn try_from(number: i16) -> Result<Self, String> {
        let byte = u8::try_from(number).or_else(|_| i8::try_from(number).map(i8::cast_unsigned));
        byte.map(Self).map_err(|_| format!("{number} is no byte of a header"))
    }
}

/// The answer: from which offset on each partition is to be delivered again. The
/// form is that of "Reporting batch item failures" for Kafka in Lambda's guide.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KafkaResponse {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: ItemIdentifier,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct ItemIdentifier {
    partition: String,
    offset: i64,
}

impl KafkaResponse {
    /// Names what was not taken.
    pub fn of(refused: &[Refused]) -> Self {
        let failures = refused.iter().map(|one| ItemFailure {
            item_identifier: ItemIdentifier {
                partition: format!("{}-{}", one.topic, one.partition),
                offset: one.offset,
            },
        });
        Self { batch_item_failures: failures.collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_are_read_as_lambda_writes_them() {
        let event = json!({
            "eventSource": "aws:kafka",
            "bootstrapServers": "b-1:9098",
            "records": {
                "events-1": [
                    {"topic": "events", "partition": 1, "offset": 8, "timestamp": 1_545_084_650_988_i64,
                     "timestampType": "CREATE_TIME", "key": null, "value": null, "headers": []},
                    {"topic": "events", "partition": 1, "offset": 7, "timestamp": 1_545_084_650_987_i64,
                     "timestampType": "CREATE_TIME", "key": "aw==", "value": "eyJhIjoxfQ==",
                     "headers": [{"h": [104, -1]}, {"h": [255]}]},
                ],
                "events-0": [],
            },
        });
        let event: KafkaEvent = serde_json::from_value(event).unwrap();
        let delivered = event.into_delivered();
        assert_eq!(delivered.len(), 1);
        let [first, second] = delivered[0].records.as_slice() else { panic!() };
        assert_eq!((first.offset, second.offset), (7, 8));
        assert_eq!(first.key.as_deref(), Some(b"k".as_slice()));
        assert_eq!(first.value.as_deref(), Some(br#"{"a":1}"#.as_slice()));
        assert_eq!(first.headers, [("h".to_owned(), vec![104, 255]), ("h".to_owned(), vec![255])]);
        assert_eq!((&second.key, &second.value), (&None, &None));
    }

    #[test]
    fn the_answer_has_lambdas_form() {
        let refused = Refused {
            topic: "events".into(),
            partition: 3,
            offset: 17,
            error: Arc::new(ingest::IngestError::NoTopic { topic: "events".to_owned() }),
        };
        assert_eq!(
            serde_json::to_value(KafkaResponse::of(&[refused])).unwrap(),
            json!({"batchItemFailures": [{"itemIdentifier": {"partition": "events-3", "offset": 17}}]})
        );
        assert_eq!(
            serde_json::to_value(KafkaResponse::of(&[])).unwrap(),
            json!({"batchItemFailures": []})
        );
    }
}
