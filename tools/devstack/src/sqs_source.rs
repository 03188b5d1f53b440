//! The event source mapping between a queue and its function, which Lambda
//! runs in AWS: receive, invoke, delete what was handled.
//!
//! One loop receives and up to `concurrency` batches are handled beside each
//! other. The stand-in answers one long poll by looking again and again, so a
//! poller per instance would only cost processor time.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::error::{Error, Result, chain};
use crate::function::Function;
use crate::options::QueueOptions;
use crate::resources::queue_arn;

/// The largest number that SQS gives, or deletes, at once.
const SQS_BATCH: usize = 10;
/// How long a receive waits for the first message.
const LONG_POLL: Duration = Duration::from_secs(2);
/// The pause after a receive that failed.
const PAUSE: Duration = Duration::from_millis(500);

/// A queue and the function it invokes.
#[derive(Debug)]
pub struct SqsSource {
    /// A client of the queue's service.
    pub client: Client,
    /// The queue.
    pub queue_url: String,
    /// The region it says it is in.
    pub region: String,
    /// Batch size and window.
    pub queue: QueueOptions,
    /// The function.
    pub function: Arc<Function>,
}

impl SqsSource {
    /// Polls until the future is dropped.
    pub async fn run(self) {
        let source = Arc::new(self);
        let room = Arc::new(Semaphore::new(source.function.options.concurrency));
        let mut batches = JoinSet::new();
        // The semaphore is never closed, so this ends only when dropped.
        while let Ok(room) = room.clone().acquire_owned().await {
            while batches.try_join_next().is_some() {}
            let messages = source.batch().await;
            if messages.is_empty() {
                continue;
            }
            let source = source.clone();
            batches.spawn(async move {
                source.handle(&messages).await;
                drop(room);
            });
        }
    }

    /// Collects messages until there are enough or the window closes.
    async fn batch(&self) -> Vec<Message> {
        let mut messages: Vec<Message> = self.receive(self.queue.batch_size, LONG_POLL).await;
        let window = Instant::now() + Duration::from_millis(self.queue.batch_window_ms);
        while !messages.is_empty() && messages.len() < self.queue.batch_size {
            let left = window.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let more = self.receive(self.queue.batch_size - messages.len(), Duration::ZERO).await;
            if more.is_empty() {
                // Whole seconds are all that a long poll knows, and windows
                // are shorter, so the waiting is ours.
                tokio::time::sleep(left.min(Duration::from_millis(50))).await;
            }
            messages.extend(more);
        }
        messages
    }

    async fn receive(&self, wanted: usize, wait: Duration) -> Vec<Message> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(i32::try_from(wanted.clamp(1, SQS_BATCH)).unwrap_or(1))
            .wait_time_seconds(i32::try_from(wait.as_secs()).unwrap_or(0))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await;
        match received {
            Ok(received) => received.messages.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(queue = self.queue_url, error = %chain(&error), "receive failed");
                tokio::time::sleep(PAUSE).await;
                vec![]
            }
        }
    }

    /// Invokes the function and deletes what it has handled. What is not
    /// deleted comes back after the visibility timeout.
    async fn handle(&self, messages: &[Message]) {
        let arn = queue_arn(&self.region, &self.function.options.name);
        let event = event(messages, &arn, &self.region);
        // A failed invocation is logged by the function, and nothing is deleted.
        let Ok(response) = self.function.invoke(event.to_string().into()).await else { return };
        let handled = match handled(messages, &response) {
            Ok(handled) => handled,
            Err(reason) => {
                tracing::warn!(function = self.function.options.name, reason, "whole batch failed");
                return;
            }
        };
        for chunk in handled.chunks(SQS_BATCH) {
            if let Err(error) = self.delete(chunk).await {
                tracing::warn!(queue = self.queue_url, error = %chain(&error), "delete failed");
            }
        }
    }

    async fn delete(&self, messages: &[&Message]) -> Result<()> {
        let mut left: Vec<_> = messages
            .iter()
            .enumerate()
            .filter_map(|(number, message)| {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(number.to_string())
                    .receipt_handle(message.receipt_handle()?);
                entry.build().ok()
            })
            .collect();
        // Whole requests are retried by the client, single entries here.
        for _ in 0..3 {
            let answer = self
                .client
                .delete_message_batch()
                .queue_url(&self.queue_url)
                .set_entries(Some(left.clone()))
                .send()
                .await
                .map_err(Error::aws("delete messages"))?;
            let failed: HashSet<&str> = answer.failed().iter().map(|entry| entry.id()).collect();
            left.retain(|entry| failed.contains(entry.id()));
            if left.is_empty() {
                return Ok(());
            }
        }
        // A message that came back meanwhile has another receipt by now.
        tracing::warn!(queue = self.queue_url, count = left.len(), "messages could not be deleted");
        Ok(())
    }
}

/// The messages that a response lets us delete, or why it fails them all.
///
/// The rules are Lambda's: an empty response or an empty list of failures is
/// full success; an identifier that is empty or of no message of the batch,
/// or a response of another shape, fails the batch.
fn handled<'a>(
    messages: &'a [Message],
    response: &[u8],
) -> std::result::Result<Vec<&'a Message>, String> {
    let all = || messages.iter().collect();
    if response.iter().all(u8::is_ascii_whitespace) {
        return Ok(all());
    }
    let response: Value = serde_json::from_slice(response)
        .map_err(|error| format!("the response is not JSON: {error}"))?;
    let failures = match response.get("batchItemFailures") {
        None | Some(Value::Null) => return Ok(all()),
        Some(Value::Array(failures)) => failures,
        Some(_) => return Err("batchItemFailures is not a list".into()),
    };
    let mut failed = HashSet::new();
    for failure in failures {
        match failure.get("itemIdentifier").and_then(Value::as_str) {
            Some(id) if messages.iter().any(|message| message.message_id() == Some(id)) => {
                failed.insert(id)
            }
            other => {
                return Err(format!("the itemIdentifier {other:?} is of no message of the batch"));
            }
        };
    }
    Ok(messages
        .iter()
        .filter(|message| !message.message_id().is_some_and(|id| failed.contains(id)))
        .collect())
}

/// The event as Lambda makes it of a batch.
fn event(messages: &[Message], arn: &str, region: &str) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| {
            let attributes: BTreeMap<&str, &String> = message
                .attributes()
                .map(|attributes| {
                    attributes.iter().map(|(key, value)| (key.as_str(), value)).collect()
                })
                .unwrap_or_default();
            let custom: BTreeMap<&String, Value> = message
                .message_attributes()
                .map(|attributes| {
                    attributes.iter().map(|(key, value)| (key, attribute(value))).collect()
                })
                .unwrap_or_default();
            json!({
                "messageId": message.message_id(),
                "receiptHandle": message.receipt_handle(),
                "body": message.body(),
                "attributes": attributes,
                "messageAttributes": custom,
                "md5OfBody": message.md5_of_body(),
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": region,
            })
        })
        .collect();
    json!({ "Records": records })
}

fn attribute(value: &MessageAttributeValue) -> Value {
    json!({
        "dataType": value.data_type(),
        "stringValue": value.string_value(),
        "stringListValues": [],
        "binaryListValues": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> Vec<Message> {
        ["a", "b"].map(|id| Message::builder().message_id(id).body("x").build()).to_vec()
    }

    fn left(response: &str) -> std::result::Result<Vec<String>, String> {
        let messages = messages();
        let handled = handled(&messages, response.as_bytes())?;
        Ok(handled.iter().filter_map(|message| message.message_id()).map(String::from).collect())
    }

    #[test]
    fn full_success_has_many_forms() {
        for response in [
            "",
            "null",
            "{}",
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
            "\"done\"",
        ] {
            assert_eq!(left(response).unwrap(), ["a", "b"], "{response}");
        }
    }

    #[test]
    fn only_the_named_messages_fail() {
        assert_eq!(left(r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#).unwrap(), ["b"]);
    }

    #[test]
    fn a_response_that_is_wrong_fails_the_batch() {
        for response in [
            "{",
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{}]}"#,
        ] {
            assert!(left(response).is_err(), "{response}");
        }
    }

    #[test]
    fn the_event_has_lambdas_shape() {
        let event = event(&messages(), "arn:aws:sqs:r:1:q", "r");
        assert_eq!(event["Records"][1]["messageId"], "b");
        assert_eq!(event["Records"][0]["eventSource"], "aws:sqs");
        assert_eq!(event["Records"][0]["messageAttributes"], json!({}));
    }
}
