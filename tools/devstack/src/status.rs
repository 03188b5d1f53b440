//! What the control API says about a running stack.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::state::StackState;

/// A stack at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// What it consists of.
    pub state: StackState,
    /// The servers.
    pub parts: Vec<Part>,
    /// The functions and their instances.
    pub functions: Vec<FunctionStatus>,
    /// The queues, dead-letter queues among them.
    pub queues: Vec<QueueStatus>,
    /// The topics that invoke functions.
    #[serde(default)]
    pub topics: Vec<KafkaSourceStatus>,
    /// Everything that is wrong, in sentences.
    pub problems: Vec<String>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: PartKind,
    /// Its process; none when it has ended.
    pub pid: Option<u32>,
    /// Where it listens.
    pub address: String,
    /// What it is doing.
    pub state: PartState,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// Its log.
    pub log: PathBuf,
}

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// A ClickHouse cluster.
    Cluster,
    /// The AWS stand-in.
    Aws,
    /// The Kafka broker.
    Kafka,
}

/// What a server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// It answers.
    Up,
    /// It was paused.
    Paused,
    /// It runs and does not answer.
    Silent,
    /// Its process has ended.
    Dead,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionStatus {
    /// Its name.
    pub name: String,
    /// The largest number of instances.
    pub concurrency: usize,
    /// Invocations that ended well.
    pub succeeded: u64,
    /// Invocations that did not.
    pub failed: u64,
    /// Its instances.
    pub instances: Vec<InstanceStatus>,
}

/// One instance of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// The number in its log's name.
    pub number: usize,
    /// Its process.
    pub pid: u32,
    /// What it is doing.
    pub state: InstanceState,
    /// How many invocations it has fetched.
    pub fetched: u64,
    /// Its log.
    pub log: PathBuf,
}

/// What an instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// It handles an event.
    Busy,
    /// It waits, warm.
    Idle,
    /// It has ended; the next event starts another in its place.
    Dead,
}

/// One queue, with SQS's approximate counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Whether it is a dead-letter queue.
    pub dead_letters: bool,
    /// Messages that wait.
    pub visible: u64,
    /// Messages that were received and neither deleted nor given back.
    pub in_flight: u64,
}

/// How far a function has come with a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaSourceStatus {
    /// The function.
    pub function: String,
    /// The topic.
    pub topic: String,
    /// The next offset of each partition that is not handled yet.
    pub next: BTreeMap<i32, i64>,
    /// So many records are not handled yet; none when nobody knows.
    pub lag: Option<u64>,
    /// Records that were given up.
    pub discarded: u64,
}

impl Status {
    /// The function of that name.
    pub fn function(&self, name: &str) -> Option<&FunctionStatus> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// The server of that name.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// How far a function has come with a topic.
    pub fn topic(&self, function: &str, topic: &str) -> Option<&KafkaSourceStatus> {
        self.topics.iter().find(|source| source.function == function && source.topic == topic)
    }

    /// The queue of that name; a dead-letter queue is `FUNCTION-dlq`.
    pub fn queue(&self, name: &str) -> Option<&QueueStatus> {
        self.queues.iter().find(|queue| queue.name == name)
    }
}
