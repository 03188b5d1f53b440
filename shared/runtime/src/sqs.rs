//! An SQS batch and its partial response.
//!
//! Only what the functions use of the event is read, so that a field that AWS
//! (or its stand-in) leaves out does no harm.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A batch of messages as Lambda hands it over.
#[derive(Debug, Clone, Deserialize)]
pub struct SqsEvent {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<SqsMessage>,
}

/// One message.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsMessage {
    /// Identity of the message, the same at each of its deliveries.
    pub message_id: String,
    /// Identity of this delivery.
    #[serde(default)]
    pub receipt_handle: String,
    /// The text.
    pub body: String,
    /// Attributes that SQS sets, such as `ApproximateReceiveCount`.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

impl SqsMessage {
    /// How often the message has been received, this time included; at least 1.
    #[must_use]
    pub fn receive_count(&self) -> u32 {
        self.attributes
            .get("ApproximateReceiveCount")
            .and_then(|count| count.parse().ok())
            .unwrap_or(1)
    }
}

/// Which messages of a batch failed; the others are done and are deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// The failed ones.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// One failed message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// Its message id.
    pub item_identifier: String,
}

impl BatchResponse {
    /// Adds a message that is to be delivered again.
    pub fn fail(&mut self, message_id: &str) {
        self.batch_item_failures.push(BatchItemFailure { item_identifier: message_id.to_owned() });
    }
}
