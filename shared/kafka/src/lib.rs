//! Kafka as the platform uses it: a [`Producer`] that returns when the brokers
//! have every record or says why not, and a [`Reader`] by coordinates.
//!
//! - Nothing connects before the first call, and every call ends within the
//!   time that its caller gives, whatever the brokers do.
//! - A call that ends in an error may still have written some of its records:
//!   there is no idempotent producer behind it (`docs/decisions/0012`), so who
//!   sends again must be able to tell a repeat, as an event's id does.

mod admin;
mod brokers;
mod config;
mod environment;
mod error;
mod iam;
mod partitioner;
mod pattern;
mod producer;
mod reader;
mod record;
pub mod spill;
mod tls;

pub use admin::Admin;
pub use config::{
    ClientCertificate, Compression, KafkaConfig, LoginSource, Password, Secret, Security, Tls,
};
pub use environment::BROKERS;
pub use error::KafkaError;
pub use iam::{IamCredentials, iam_token};
pub use partitioner::{murmur2, partition_of_key};
pub use pattern::TopicPattern;
pub use producer::{Position, Producer};
pub use reader::{Fetched, Reader, Topic};
pub use record::{Record, StoredRecord};
