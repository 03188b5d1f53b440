//! What can go wrong with Kafka: the one file that classifies.
//!
//! The client library retries within itself or wraps what it gave up on; here
//! its errors become a kind and a disposition, once.

use std::time::Duration;

use model::{Disposed, Disposition};
use rskafka::client::error::{Error as ClientError, ProtocolError};
use rskafka::{BackoffError, ConnectionError};
use thiserror::Error;

/// Why something could not be done with Kafka.
#[derive(Debug, Error)]
pub enum KafkaError {
    /// The configuration cannot be used.
    #[error("Kafka is set up wrongly: {problem}")]
    Settings {
        /// What is wrong and what mends it.
        problem: String,
    },
    /// A record that no broker would take.
    #[error(
        "record {index} for topic `{topic}` has {bytes} bytes, the limit is {limit}: send less, or \
         raise max.message.bytes of the topic and the limit of the client"
    )]
    TooLarge {
        /// The topic.
        topic: String,
        /// The record's place in the call.
        index: usize,
        /// Its size.
        bytes: usize,
        /// The largest size.
        limit: usize,
    },
    /// The brokers know no such topic.
    #[error("{brokers}: there is no topic `{topic}`: create it, or correct its name")]
    NoTopic {
        /// The topic.
        topic: String,
        /// Who was asked.
        brokers: String,
    },
    /// The topic has fewer partitions.
    #[error("{brokers}: topic `{topic}` has no partition {partition}")]
    NoPartition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Who was asked.
        brokers: String,
    },
    /// The brokers do not let us in, or not do this.
    #[error("{what}: {brokers} refuse: {reason}; check the credentials and the rights of the user")]
    Denied {
        /// What was tried.
        what: String,
        /// Who was asked.
        brokers: String,
        /// What they say.
        reason: String,
    },
    /// A broker refused for another reason.
    #[error("{what}: {brokers} refuse: {reason}")]
    Refused {
        /// What was tried.
        what: String,
        /// Who was asked.
        brokers: String,
        /// What they say.
        reason: String,
        /// Whether the same can succeed later.
        disposition: Disposition,
    },
    /// Nobody answered in the time that there was.
    #[error("{what}: no answer from {brokers} within {timeout:?}{}", after(.cause.as_deref()))]
    Unreachable {
        /// What was tried.
        what: String,
        /// Who was asked.
        brokers: String,
        /// The time that there was.
        timeout: Duration,
        /// The last failure before that.
        cause: Option<String>,
    },
    /// The records were removed by the topic's retention.
    #[error(
        "topic `{topic}`, partition {partition}: offset {offset} is before the retention, which \
         begins at {earliest}: what was there cannot be read again"
    )]
    BeforeRetention {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What was asked for.
        offset: i64,
        /// The first offset that is left.
        earliest: i64,
    },
    /// The records are compressed in a way that this client does not know.
    #[error(
        "{what}: {brokers} answer with records that cannot be decoded here: {reason}; compress \
         with gzip, snappy or lz4 (compression.type of the topic, or of its producers)"
    )]
    Undecodable {
        /// What was tried.
        what: String,
        /// Who was asked.
        brokers: String,
        /// What the client library says.
        reason: String,
    },
    /// The records are not written yet.
    #[error(
        "topic `{topic}`, partition {partition}: offset {offset} is not there yet, the next to be \
         written is {latest}: is this the cluster that the coordinates are of?"
    )]
    NotYetThere {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What was asked for.
        offset: i64,
        /// The next offset that will be written.
        latest: i64,
    },
}

impl Disposed for KafkaError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::TooLarge { .. } | Self::BeforeRetention { .. } | Self::Undecodable { .. } => {
                Disposition::Quarantine
            }
            Self::Unreachable { .. } | Self::NotYetThere { .. } => Disposition::Retry,
            Self::Refused { disposition, .. } => *disposition,
            Self::Settings { .. }
            | Self::NoTopic { .. }
            | Self::NoPartition { .. }
            | Self::Denied { .. } => Disposition::Fatal,
        }
    }
}

/// What a failed attempt means for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The connections are of no use any more.
    Reconnect,
    /// Another attempt over the same connections can succeed.
    Again,
    /// No attempt will succeed, for this reason.
    Denied,
    /// No attempt will succeed: nobody here can read the answer.
    Undecodable,
    /// No attempt will succeed, with this disposition.
    Final(Disposition),
}

/// What a failure of the client library means.
pub(crate) fn verdict(error: &ClientError) -> Verdict {
    use ProtocolError as P;
    match error {
        ClientError::RetryFailed(BackoffError::DeadlineExceded { source, .. }) => {
            match source.downcast_ref::<ClientError>() {
                Some(error) => verdict(error),
                None => of_text(&source.to_string()),
            }
        }
        ClientError::Connection(error) => of_connection(error),
        ClientError::ServerError { protocol_error, .. } => match protocol_error {
            // What is known of the topics is of no use either.
            P::UnknownTopicOrPartition => Verdict::Reconnect,
            P::TopicAuthorizationFailed
            | P::GroupAuthorizationFailed
            | P::ClusterAuthorizationFailed
            | P::SaslAuthenticationFailed => Verdict::Denied,
            P::MessageTooLarge | P::RecordListTooLarge | P::InvalidRecord | P::InvalidTimestamp => {
                Verdict::Final(Disposition::Quarantine)
            }
            P::OffsetOutOfRange
            | P::InvalidTopicException
            | P::InvalidRequiredAcks
            | P::InvalidConfig
            | P::InvalidPartitions
            | P::InvalidReplicationFactor
            | P::InvalidRequest
            | P::UnsupportedVersion
            | P::UnsupportedForMessageFormat
            | P::TopicAlreadyExists
            | P::PolicyViolation => Verdict::Final(Disposition::Fatal),
            // Leaders that change, replicas that are missing, brokers that
            // start: what Kafka's own clients try again too.
            _ => Verdict::Again,
        },
        // Requests that broke off, answers that make no sense.
        other => of_text(&other.to_string()),
    }
}

/// Whether a failure is the broker's answer that the offset is not there.
pub(crate) fn is_out_of_range(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. }
    )
}

/// Whether a failure is the broker's answer that the topic is there already.
pub(crate) fn is_already_there(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::ServerError { protocol_error: ProtocolError::TopicAlreadyExists, .. }
    )
}

fn of_connection(error: &ConnectionError) -> Verdict {
    match error {
        ConnectionError::RetryFailed(BackoffError::DeadlineExceded { source, .. }) => {
            of_text(&source.to_string())
        }
        other => of_text(&other.to_string()),
    }
}

/// The library keeps the failures of several brokers as one text, so what they
/// said about a login can only be read there; nor has it a kind for a compression that
/// it does not know.
fn of_text(text: &str) -> Verdict {
    if ["Unimplemented compression", "Invalid compression type"].iter().any(|it| text.contains(it))
    {
        return Verdict::Undecodable;
    }
    let denied = ["SaslAuthenticationFailed", "unsupported sasl mechanism", "Invalid SASL config"];
    let denied = denied.iter().any(|said| text.contains(said));
    if denied { Verdict::Denied } else { Verdict::Reconnect }
}

fn after(cause: Option<&str>) -> String {
    cause.map(|cause| format!(" (before that: {cause})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn unreachable(cause: Option<&str>) -> KafkaError {
        KafkaError::Unreachable {
            what: "send to `events`".into(),
            brokers: "a:9092".into(),
            timeout: Duration::from_secs(2),
            cause: cause.map(str::to_owned),
        }
    }

    #[test]
    fn who_did_not_answer_is_named_and_why() {
        assert_eq!(
            unreachable(Some("refused")).to_string(),
            "send to `events`: no answer from a:9092 within 2s (before that: refused)"
        );
        assert_eq!(unreachable(None).disposition(), Disposition::Retry);
    }

    #[rstest]
    #[case("Sasl handshake failed: API error: SaslAuthenticationFailed", Verdict::Denied)]
    #[case("Sasl handshake failed: unsupported sasl mechanism", Verdict::Denied)]
    #[case(
        "Request error: Cannot read versioned data: Read error: Malformed data: Unimplemented compression: Zstd",
        Verdict::Undecodable
    )]
    #[case("Connection refused (os error 111)", Verdict::Reconnect)]
    fn what_cannot_succeed_is_not_tried_again(#[case] text: &str, #[case] expected: Verdict) {
        assert_eq!(of_text(text), expected);
    }
}
