//! `state.json`: what a running stack tells everybody else, and the
//! environment that follows from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The bucket for events that are too large for the spill queue, in stacks that
/// have it.
pub const SPILL_BUCKET: &str = "spill";
/// The `DynamoDB` table that knows what was loaded.
pub const LEDGER_TABLE: &str = "motherlode-ledger";
/// The `DynamoDB` table of source documents.
pub const SOURCES_TABLE: &str = "motherlode-sources";
/// The ClickHouse user that every cluster has, and its database.
pub const CLICKHOUSE_USER: &str = "motherlode";

/// What a stack consists of while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StackState {
    /// Tells this run from any other.
    pub instance: String,
    /// The stack's name.
    pub name: String,
    /// The stack's folder.
    pub dir: PathBuf,
    /// The supervisor's process.
    pub pid: u32,
    /// How far it has come.
    pub phase: Phase,
    /// The control API, `127.0.0.1:PORT`.
    pub control: String,
    /// The AWS stand-in, if there is one.
    pub aws: Option<AwsState>,
    /// The ClickHouse clusters.
    pub clusters: Vec<ClusterState>,
    /// The Kafka broker, if there is one.
    #[serde(default)]
    pub kafka: Option<KafkaState>,
    /// The functions.
    pub functions: Vec<FunctionState>,
    /// The S3 buckets.
    pub buckets: Vec<String>,
}

/// How far a stack has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is starting; the text says what it is doing.
    Starting(String),
    /// Everything answers.
    Ready,
    /// It gave up.
    Failed(String),
}

/// How to reach the AWS stand-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsState {
    /// `http://127.0.0.1:PORT`, for every service.
    pub endpoint: String,
    /// The region.
    pub region: String,
}

/// How to reach one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    /// The cluster's name.
    pub name: String,
    /// What it is for.
    pub role: String,
    /// The HTTP interface, `http://127.0.0.1:PORT`.
    pub http: String,
    /// The native interface, `127.0.0.1:PORT`.
    pub native: String,
    /// The user.
    pub user: String,
    /// The password: random, for this run, on loopback only.
    pub password: String,
    /// The name of the secret that holds both.
    pub secret: String,
    /// The password of the users that functions have, as random.
    #[serde(default)]
    pub function_password: String,
}

/// The users of functions, and what they are granted. pixel and drain have none.
pub const FUNCTION_USERS: [(&str, &str); 2] = [
    ("motherlode_loader", include_str!("../../../infra/clickhouse/access/002_grants_loader.sql")),
    ("motherlode_sink", include_str!("../../../infra/clickhouse/access/004_grants_sink.sql")),
];

impl ClusterState {
    /// The name of the secret of a function's user.
    #[must_use]
    pub fn secret_of(&self, user: &str) -> String {
        format!("{}/{user}", self.secret)
    }
}

/// The user of a function.
#[must_use]
pub fn user_of(function: &str) -> &'static str {
    match function {
        "kafka-sink" => FUNCTION_USERS[1].0,
        _ => FUNCTION_USERS[0].0,
    }
}

/// How to reach the Kafka broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaState {
    /// The listener that anybody may use, `127.0.0.1:PORT`.
    pub bootstrap: String,
    /// The listener that asks for a login, if there is one.
    pub login: Option<KafkaLogin>,
    /// The listener that asks for a client certificate, if there is one.
    pub tls: Option<String>,
}

/// A user that the broker knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaLogin {
    /// The listener, `127.0.0.1:PORT`, in the clear.
    pub bootstrap: String,
    /// The user.
    pub user: String,
    /// The password: random, for this run, on loopback only.
    pub password: String,
}

/// One function and its queues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionState {
    /// The function's name.
    pub name: String,
    /// The queue that invokes it.
    pub queue_url: Option<String>,
    /// Where its messages end that nobody could handle.
    pub dlq_url: Option<String>,
    /// Address of the HTTP API in front of it.
    #[serde(default)]
    pub url: Option<String>,
}

impl FunctionState {
    /// A function that nothing invokes.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), queue_url: None, dlq_url: None, url: None }
    }
}

impl StackState {
    /// Reads the state of the stack in `dir`; none when it was never up.
    ///
    /// # Errors
    /// When the file is there but cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = path(dir);
        match std::fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map(Some).map_err(Error::json("understand", &path))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// Replaces the file in one step, so that a reader never sees half of it.
    pub(crate) fn write(&self) -> Result<()> {
        let path = path(&self.dir);
        let text = serde_json::to_vec_pretty(self).map_err(Error::json("write", &path))?;
        replace(&path, &text)
    }

    /// Removes what a stack that is not up must not leave: the addresses and
    /// passwords of servers that are gone.
    pub(crate) fn remove(dir: &Path) -> Result<()> {
        for path in [path(dir), env_path(dir)] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The cluster of that name.
    pub fn cluster(&self, name: &str) -> Option<&ClusterState> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }

    /// The function of that name.
    pub fn function(&self, name: &str) -> Option<&FunctionState> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// The variables with which any AWS client and any function finds this
    /// stack.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        let mut set = |key: &str, value: String| env.insert(key.to_owned(), value);
        if let Some(aws) = &self.aws {
            set("AWS_REGION", aws.region.clone());
            set("AWS_DEFAULT_REGION", aws.region.clone());
            set("AWS_ACCESS_KEY_ID", "motherlode".into());
            set("AWS_SECRET_ACCESS_KEY", "motherlode".into());
            set("AWS_ENDPOINT_URL", aws.endpoint.clone());
            set("MOTHERLODE_S3_PATH_STYLE", "true".into());
            set("MOTHERLODE_LEDGER_TABLE", LEDGER_TABLE.into());
            set("MOTHERLODE_SOURCES_TABLE", SOURCES_TABLE.into());
        }
        if let Some(mother) = self.function("mother") {
            // For an operator; a function is told its own queue.
            for (key, url) in [
                ("MOTHERLODE_QUEUE_URL", &mother.queue_url),
                ("MOTHERLODE_DLQ_URL", &mother.dlq_url),
            ] {
                if let Some(url) = url {
                    set(key, url.clone());
                }
            }
        }
        let drain = self.function("drain");
        if let Some(url) = drain.and_then(|drain| drain.queue_url.clone()) {
            set("MOTHERLODE_SPILL_QUEUE_URL", url);
        }
        if let Some(url) = drain.and_then(|drain| drain.dlq_url.clone()) {
            set("MOTHERLODE_SPILL_DLQ_URL", url);
        }
        if let Some(url) = self.function("kafka-sink").and_then(|sink| sink.dlq_url.clone()) {
            set("MOTHERLODE_KAFKA_DLQ_URL", url);
        }
        if self.buckets.iter().any(|bucket| bucket == SPILL_BUCKET) {
            set("MOTHERLODE_SPILL_BUCKET", SPILL_BUCKET.into());
        }
        if let Some(kafka) = &self.kafka {
            set("MOTHERLODE_KAFKA_BROKERS", kafka.bootstrap.clone());
        }
        // Lambda is not the stand-in's: functions are invoked through us.
        set("AWS_ENDPOINT_URL_LAMBDA", format!("http://{}", self.control));
        set("MOTHERLODE_CLUSTERS", self.clusters_json(|cluster| cluster.secret.clone()));
        env
    }

    /// `MOTHERLODE_CLUSTERS` for a function, with the secrets of its own user.
    #[must_use]
    pub fn clusters_of(&self, function: &str) -> String {
        self.clusters_json(|cluster| cluster.secret_of(user_of(function)))
    }

    fn clusters_json(&self, secret: impl Fn(&ClusterState) -> String) -> String {
        let clusters: Vec<_> = self
            .clusters
            .iter()
            .map(|cluster| {
                serde_json::json!({
                    "name": cluster.name,
                    "role": cluster.role,
                    "nodes": [cluster.http],
                    "secret": secret(cluster),
                })
            })
            .collect();
        serde_json::Value::from(clusters).to_string()
    }

    /// The file with [`environment`](Self::environment) as `KEY=VALUE` lines,
    /// quoted where a shell needs it.
    pub fn env_file(&self) -> PathBuf {
        env_path(&self.dir)
    }

    pub(crate) fn write_env_file(&self) -> Result<()> {
        let lines: String = self
            .environment()
            .iter()
            .map(|(key, value)| format!("{key}={}\n", quoted(value)))
            .collect();
        replace(&self.env_file(), lines.as_bytes())
    }
}

/// No value of ours holds a single quote.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if value.chars().all(plain) { value.into() } else { format!("'{value}'") }
}

fn env_path(dir: &Path) -> PathBuf {
    dir.join("env")
}

fn path(dir: &Path) -> PathBuf {
    dir.join("state.json")
}

/// Writes beside the file and renames. The files hold passwords, so only the
/// owner may read them.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let new = path.with_extension(format!("new-{}", std::process::id()));
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(Error::io("write", path))
}
