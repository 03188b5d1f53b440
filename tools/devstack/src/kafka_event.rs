//! The JSON that Lambda makes of Kafka records: the event of an invocation, and
//! the letter about records that were given up.
//!
//! Documented in AWS's Lambda Developer Guide under "Using Lambda with Amazon
//! MSK" (the event) and "Capturing discarded batches for Amazon MSK and
//! self-managed Apache Kafka event sources" (the letter).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use kafka::StoredRecord;
use serde_json::{Map, Value, json};

/// A record on its way to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    /// Its partition.
    pub partition: i32,
    /// The record and its offset.
    pub stored: StoredRecord,
}

/// What the records of one mapping have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The brokers.
    pub bootstrap: String,
    /// The region that the stack says it is in.
    pub region: String,
    /// Whether the cluster passes for one outside of AWS.
    pub self_managed: bool,
}

/// Why records were given up, in Lambda's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The function failed too often.
    RetryAttemptsExhausted,
    /// They were too old.
    RecordAgeExceeded,
}

/// Bytes of JSON that a record takes beside its content, about.
const FRAME: usize = 200;

impl Origin {
    /// The event that holds these records.
    pub fn event(&self, records: &[Polled]) -> Value {
        let mut partitions: Map<String, Value> = Map::new();
        for record in records {
            let partition = partitions.entry(self.partition_name(record.partition));
            if let Value::Array(list) = partition.or_insert_with(|| json!([])) {
                list.push(self.record(record));
            }
        }
        let mut event = json!({
            "eventSource": "aws:kafka",
            "eventSourceArn": self.arn(),
            "bootstrapServers": self.bootstrap,
            "records": partitions,
        });
        if self.self_managed
            && let Value::Object(event) = &mut event
        {
            event.insert("eventSource".into(), "SelfManagedKafka".into());
            event.remove("eventSourceArn");
        }
        event
    }

    /// About how many bytes of an event a record takes.
    pub fn event_bytes(&self, record: &Polled) -> usize {
        let kafka::Record { key, value, headers, .. } = &record.stored.record;
        let base64 = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len).div_ceil(3) * 4;
        // A byte of a header is a number of up to four characters and a comma.
        let headers: usize = headers.iter().map(|(name, value)| name.len() + 5 * value.len()).sum();
        FRAME + self.topic.len() + base64(key) + base64(value) + headers
    }

    /// A partition as events and responses name it.
    pub fn partition_name(&self, partition: i32) -> String {
        format!("{}-{partition}", self.topic)
    }

    /// The letter about records that were given up, of which there is at
    /// least one. The records themselves are not in it, only where they are.
    pub fn letter(
        &self,
        records: &[Polled],
        function_arn: &str,
        condition: Condition,
        invocations: u32,
        now_ms: i64,
    ) -> Value {
        let mut places: Map<String, Value> = Map::new();
        for record in records {
            let StoredRecord { offset, record: content } = &record.stored;
            let (offset, moment) = (offset.to_string(), timestamp(content.timestamp_ms));
            let place = places.entry(self.partition_name(record.partition)).or_insert_with(
                || json!({"firstRecordOffset": offset, "firstRecordTimestamp": moment}),
            );
            place["lastRecordOffset"] = offset.into();
            place["lastRecordTimestamp"] = moment.into();
        }
        let response = match condition {
            Condition::RecordAgeExceeded => Value::Null,
            Condition::RetryAttemptsExhausted => json!({
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            }),
        };
        json!({
            "requestContext": {
                "requestId": uuid::Uuid::new_v4().to_string(),
                "functionArn": function_arn,
                "condition": format!("{condition:?}"),
                "approximateInvokeCount": invocations,
            },
            "responseContext": response,
            "version": "1.0",
            "timestamp": timestamp(now_ms),
            "KafkaBatchInfo": {
                "batchSize": records.len(),
                "eventSourceArn": self.arn(),
                "bootstrapServers": self.bootstrap,
                "payloadSize": records.iter().map(|record| self.event_bytes(record)).sum::<usize>(),
                "recordsInfo": places,
            },
        })
    }

    fn record(&self, Polled { partition, stored }: &Polled) -> Value {
        let kafka::Record { key, value, headers, timestamp_ms } = &stored.record;
        let base64 =
            |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| BASE64_STANDARD.encode(bytes));
        // Lambda's poller is written in Java, whose bytes have a sign.
        let signed =
            |value: &Vec<u8>| value.iter().map(|byte| byte.cast_signed()).collect::<Vec<i8>>();
        let headers = headers.iter().map(|(name, value)| json!({ (name): signed(value) }));
        json!({
            "topic": self.topic,
            "partition": partition,
            "offset": stored.offset,
            "timestamp": timestamp_ms,
            "timestampType": "CREATE_TIME",
            "key": base64(key),
            "value": base64(value),
            "headers": headers.collect::<Vec<_>>(),
        })
    }

    fn arn(&self) -> String {
        format!("arn:aws:kafka:{}:123456789012:cluster/motherlode/local", self.region)
    }
}

/// A moment as AWS writes it.
fn timestamp(ms: i64) -> String {
    let moment = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default();
    moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
pub mod tests {
    use kafka::Record;

    use super::*;

    pub fn origin() -> Origin {
        Origin {
            topic: "events".into(),
            bootstrap: "127.0.0.1:9092".into(),
            region: "eu-central-1".into(),
            self_managed: false,
        }
    }

    pub fn polled(partition: i32, offset: i64) -> Polled {
        let record = Record {
            key: Some(b"k".to_vec()),
            value: None,
            headers: [("h".to_owned(), vec![1, 255])].into(),
            timestamp_ms: 1_767_323_045_678,
        };
        Polled { partition, stored: StoredRecord { offset, record } }
    }

    #[test]
    fn the_event_has_lambdas_shape() {
        let event = origin().event(&[polled(0, 5), polled(1, 7)]);
        assert_eq!(
            event["records"]["events-1"],
            json!([{
                "topic": "events",
                "partition": 1,
                "offset": 7,
                "timestamp": 1_767_323_045_678_i64,
                "timestampType": "CREATE_TIME",
                "key": "aw==",
                "value": null,
                "headers": [{"h": [1, -1]}],
            }])
        );
        assert_eq!(event["eventSource"], "aws:kafka");
        let outside = Origin { self_managed: true, ..origin() }.event(&[polled(0, 5)]);
        assert_eq!(outside["eventSource"], "SelfManagedKafka");
        assert_eq!(outside.get("eventSourceArn"), None);
    }

    #[test]
    fn the_size_of_an_event_is_never_underestimated() {
        let records: Vec<_> = (0..50).map(|offset| polled(0, offset)).collect();
        let estimate: usize = records.iter().map(|record| origin().event_bytes(record)).sum();
        let real = origin().event(&records).to_string().len();
        assert!(real <= estimate + FRAME && estimate < real * 3, "{real} of {estimate}");
    }

    #[test]
    fn the_letter_says_where_the_records_are() {
        let records = [polled(0, 5), polled(0, 6), polled(1, 7)];
        let letter = origin().letter(&records, "arn", Condition::RetryAttemptsExhausted, 3, 0);
        assert_eq!(letter["requestContext"]["condition"], "RetryAttemptsExhausted");
        assert_eq!(letter["requestContext"]["approximateInvokeCount"], 3);
        assert_eq!(letter["timestamp"], "1970-01-01T00:00:00.000Z");
        let info = &letter["KafkaBatchInfo"];
        assert_eq!(info["batchSize"], 3);
        assert_eq!(
            info["recordsInfo"]["events-0"],
            json!({
                "firstRecordOffset": "5",
                "lastRecordOffset": "6",
                "firstRecordTimestamp": "2026-01-02T03:04:05.678Z",
                "lastRecordTimestamp": "2026-01-02T03:04:05.678Z",
            })
        );
        let old = origin().letter(&records, "arn", Condition::RecordAgeExceeded, 0, 0);
        assert_eq!(old["responseContext"], Value::Null);
    }
}
