//! What a message says: which objects have landed.
//!
//! A message is an S3 notification as it is, wrapped by SNS, or an EventBridge
//! event; or one of our own that goes on with an object after a deadline. Each
//! is told by its fields, not by where it came from.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// An object that a message names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The source, when the caller names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The version that the message is about, when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The number of a part of it, when it is loaded in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
}

/// A message that names no object in a form that is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotificationError {
    /// It is no JSON object.
    #[error("the message is no JSON object: {0}")]
    NotJson(String),
    /// Its fields are those of nothing we know.
    #[error(
        "the message is no S3 notification, SNS envelope, EventBridge event or {{bucket, key, source?}}: {0}"
    )]
    Unknown(String),
    /// The key's percent encoding is broken.
    #[error("the key `{0}` is not percent-encoded UTF-8")]
    Key(String),
}

/// The objects that a message names; none in a test event of S3, and none for
/// anything but a created object.
///
/// # Errors
/// [`NotificationError`] when the message is in no form that is known.
pub fn objects_of(body: &str) -> Result<Vec<Named>, NotificationError> {
    let value: Value = serde_json::from_str(body)
        .map_err(|error| NotificationError::NotJson(error.to_string()))?;
    objects_in(&value, 0)
}

fn objects_in(value: &Value, depth: u8) -> Result<Vec<Named>, NotificationError> {
    let unknown = |why: &str| NotificationError::Unknown(why.to_owned());
    if let Some(records) = value.get("Records") {
        let records = records.as_array().ok_or_else(|| unknown("`Records` is no list"))?;
        let created = records.iter().filter(|record| is_created(record));
        return created.map(of_record).collect();
    }
    if value.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    if let Some(inner) = value.get("Message").and_then(Value::as_str)
        && value.get("TopicArn").is_some()
    {
        // An envelope in an envelope is nobody's setup.
        if depth > 1 {
            return Err(unknown("envelopes are nested too deep"));
        }
        let inner: Value = serde_json::from_str(inner).map_err(|error| {
            NotificationError::NotJson(format!("inside the SNS envelope: {error}"))
        })?;
        return objects_in(&inner, depth + 1);
    }
    if let Some(detail) = value.get("detail") {
        return match value.get("detail-type").and_then(Value::as_str) {
            // EventBridge gives the key as it is.
            Some("Object Created") => {
                let (bucket, key) = bucket_and_key(detail)
                    .ok_or_else(|| unknown("`detail` names no bucket and key"))?;
                Ok(vec![Named {
                    bucket,
                    key,
                    source: None,
                    etag: etag(detail, "etag"),
                    part: None,
                }])
            }
            Some(_) => Ok(Vec::new()),
            None => Err(unknown("`detail-type` is missing")),
        };
    }
    let named: Named =
        serde_json::from_value(value.clone()).map_err(|error| unknown(&error.to_string()))?;
    Ok(vec![named])
}

fn is_created(record: &Value) -> bool {
    // The name is `ObjectCreated:Put` in notifications and has a prefix `s3:`
    // in some stand-ins.
    record
        .get("eventName")
        .and_then(Value::as_str)
        .is_none_or(|name| name.trim_start_matches("s3:").starts_with("ObjectCreated:"))
}

fn of_record(record: &Value) -> Result<Named, NotificationError> {
    let unknown = || NotificationError::Unknown("a record names no bucket and key".to_owned());
    let s3 = record.get("s3").ok_or_else(unknown)?;
    let (bucket, key) = bucket_and_key(s3).ok_or_else(unknown)?;
    Ok(Named { bucket, key: decode_key(&key)?, source: None, etag: etag(s3, "eTag"), part: None })
}

/// The object's etag, which notifications and EventBridge spell differently.
fn etag(value: &Value, name: &str) -> Option<String> {
    let etag = value.get("object")?.get(name)?.as_str()?;
    Some(etag.trim_matches('"').to_owned())
}

fn bucket_and_key(value: &Value) -> Option<(String, String)> {
    let bucket = value.get("bucket")?.get("name")?.as_str()?;
    let key = value.get("object")?.get("key")?.as_str()?;
    Some((bucket.to_owned(), key.to_owned()))
}

/// Decodes a key as notifications spell it: `+` is a space, then percent
/// encoding. S3 leaves `/` alone and stand-ins encode it; both come out right.
fn decode_key(key: &str) -> Result<String, NotificationError> {
    let broken = || NotificationError::Key(key.to_owned());
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high =
                    rest.next().and_then(|c| char::from(c).to_digit(16)).ok_or_else(broken)?;
                let low =
                    rest.next().and_then(|c| char::from(c).to_digit(16)).ok_or_else(broken)?;
                u8::try_from(high * 16 + low).map_err(|_| broken())?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn s3(key: &str, event: &str) -> String {
        format!(
            r#"{{"Records":[{{"eventName":"{event}","s3":{{"bucket":{{"name":"b"}},"object":{{"key":"{key}","eTag":"e","size":1}}}}}}]}}"#
        )
    }

    fn keys(body: &str) -> Vec<String> {
        objects_of(body).unwrap().into_iter().map(|named| named.key).collect()
    }

    #[rstest]
    #[case("a/b+c%2Bd%C3%A4.csv", "a/b c+dä.csv")]
    #[case("a%2Fb.csv", "a/b.csv")]
    #[case("plain.csv", "plain.csv")]
    fn keys_are_decoded(#[case] written: &str, #[case] key: &str) {
        assert_eq!(keys(&s3(written, "ObjectCreated:Put")), [key]);
    }

    #[test]
    fn the_version_is_kept() {
        let of = |body: &str| objects_of(body).unwrap()[0].etag.clone();
        assert_eq!(of(&s3("k", "ObjectCreated:Put")).as_deref(), Some("e"));
        let bridge = serde_json::json!({
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "k", "etag": "\"f\""}},
        });
        assert_eq!(of(&bridge.to_string()).as_deref(), Some("f"));
        assert_eq!(of(r#"{"bucket":"b","key":"k","etag":"g"}"#).as_deref(), Some("g"));
        assert_eq!(of(r#"{"bucket":"b","key":"k"}"#), None);
    }

    #[test]
    fn envelopes_are_opened() {
        let sns = serde_json::json!({
            "Type": "Notification", "TopicArn": "arn", "Message": s3("a+b", "ObjectCreated:Put"),
        });
        assert_eq!(keys(&sns.to_string()), ["a b"]);
        let bridge = serde_json::json!({
            "detail-type": "Object Created", "source": "aws.s3",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "a+b%20c"}},
        });
        assert_eq!(keys(&bridge.to_string()), ["a+b%20c"]);
        assert_eq!(keys(r#"{"bucket":"b","key":"k","source":"s"}"#), ["k"]);
    }

    #[rstest]
    #[case(r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#)]
    #[case(&s3("k", "ObjectRemoved:Delete"))]
    #[case(r#"{"detail-type":"Object Deleted","detail":{}}"#)]
    #[case(r#"{"Records":[]}"#)]
    fn other_events_name_no_object(#[case] body: &str) {
        assert_eq!(objects_of(body).unwrap(), []);
    }

    #[rstest]
    #[case("rubbish", "no JSON object")]
    #[case("{}", "no S3 notification")]
    #[case("[]", "no S3 notification")]
    #[case(r#"{"Records":[{}]}"#, "names no bucket and key")]
    #[case(r#"{"TopicArn":"a","Message":"x"}"#, "inside the SNS envelope")]
    #[case(&s3("%zz", "ObjectCreated:Put"), "not percent-encoded")]
    #[case(&s3("%ff", "ObjectCreated:Put"), "not percent-encoded")]
    fn rubbish_is_named(#[case] body: &str, #[case] message: &str) {
        let error = objects_of(body).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }

    /// The fixtures that the README invokes with name what they should.
    #[rstest]
    #[case("sqs-s3", 1)]
    #[case("sqs-sns", 1)]
    #[case("sqs-eventbridge", 1)]
    #[case("sqs-test-event", 0)]
    fn fixtures_are_understood(#[case] name: &str, #[case] objects: usize) {
        let path = format!("{}/../../test-fixtures/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let batch: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let found = objects_of(batch["Records"][0]["body"].as_str().unwrap()).unwrap();
        assert_eq!(found.len(), objects);
        assert!(found.iter().all(|object| object.key == "airports/airports.csv.gz"));
    }
}
