//! The local stack: ClickHouse clusters, AWS and the functions as ordinary
//! processes on loopback, for the demo, the command line and end-to-end tests.
//!
//! One supervisor process runs a stack: [`serve`] is its whole life. [`up`]
//! starts it in the background, and [`AttachedStack`] starts one that ends
//! with the process that asked for it, even when that is killed.
//!
//! Invariants:
//! - A stack is up exactly while its lock file is locked, and the kernel
//!   unlocks it when the supervisor dies. Process ids in files prove nothing.
//! - Children are started on the supervisor's main thread, and die with it.
//! - Everything listens on 127.0.0.1 only.

mod aws;
mod broker;
mod child;
mod clickhouse;
mod client;
mod control;
mod error;
mod function;
mod gateway;
mod http;
mod instance;
mod java;
mod kafka_batch;
mod kafka_event;
mod kafka_source;
mod lock;
mod moto;
mod options;
mod ports;
mod process;
mod render;
mod resources;
mod runtime_api;
mod schedule;
mod setup;
mod sqs_source;
mod state;
mod status;
mod supervisor;
mod template;
mod up;

pub use client::Control;
pub use error::{Error, Result};
pub use instance::FunctionError;
pub use java::Java;
pub use options::{
    BucketOptions, ClusterOptions, CutOptions, FunctionOptions, KafkaOptions, KafkaSourceOptions,
    KafkaTls, Options, Program, QueueOptions, TopicOptions, stack_dir,
};
pub use render::render_status;
pub use setup::{
    CHDB_VERSION, Engine, KAFKA_VERSION, MOTO_VERSION, Progress, Tools, ensure as set_up,
};
pub use state::{
    AwsState, CLICKHOUSE_USER, ClusterState, FUNCTION_USERS, FunctionState, KafkaLogin, KafkaState,
    LEDGER_TABLE, Phase, SOURCES_TABLE, SPILL_BUCKET, StackState, user_of,
};
pub use status::{
    FunctionStatus, InstanceState, InstanceStatus, KafkaSourceStatus, Part, PartKind, PartState,
    QueueStatus, Status,
};
pub use supervisor::serve;
pub use up::{AttachedStack, down, status, up};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the supervisor and the functions log unless `RUST_LOG` says otherwise.
/// The client library of Kafka tells of every connection, and of errors that
/// come to us anyway.
const LOGGED: &str = "info,rskafka=off";

/// The content of a mutex. A panic elsewhere must not become one here: no
/// critical section of ours leaves anything half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
