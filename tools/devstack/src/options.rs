//! What a stack consists of. The options can be written to a file: that is
//! how they reach the supervisor's process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Everything that describes one stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The stack's name; two stacks of one root need two names.
    pub name: String,
    /// The folder everything lies under.
    pub root: PathBuf,
    /// Where downloads are kept; `MOTHERLODE_CACHE` comes first, and
    /// `root/cache` is the default.
    pub cache: Option<PathBuf>,
    /// How to start the supervisor.
    pub program: Program,
    /// The `launcher` binary; by default looked for beside the running
    /// program.
    pub launcher: Option<PathBuf>,
    /// The ClickHouse clusters.
    pub clusters: Vec<ClusterOptions>,
    /// Whether S3, SQS, `DynamoDB` and Secrets Manager are wanted.
    pub aws: bool,
    /// The AWS region everything pretends to be in.
    pub region: String,
    /// The S3 buckets.
    pub buckets: Vec<BucketOptions>,
    /// The Lambda functions.
    pub functions: Vec<FunctionOptions>,
    /// The Kafka broker; none when no part of the stack needs one, which saves
    /// about 200 MB and some seconds.
    pub kafka: Option<KafkaOptions>,
    /// Keeps the ClickHouse data of the last run. Off by default: the AWS
    /// stand-in forgets everything when it stops, and tables without the
    /// ledger that knows what is in them are a state no platform can be in.
    pub keep_data: bool,
    /// Shuts down when standard input ends. Set by
    /// [`AttachedStack`](crate::AttachedStack), not by hand.
    pub attached: bool,
}

/// A program that calls [`serve`](crate::serve).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Program {
    /// The program; empty means the one that is running now.
    pub path: PathBuf,
    /// Its arguments; the path of the options file is added as the last one.
    pub args: Vec<String>,
}

/// One ClickHouse cluster of one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterOptions {
    /// The cluster's name.
    pub name: String,
    /// What it is for: ingestion, analytics or adhoc.
    pub role: String,
}

/// One S3 bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketOptions {
    /// The bucket's name.
    pub name: String,
    /// The function whose queue hears of new objects.
    #[serde(default)]
    pub notify: Option<String>,
}

/// One Lambda function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionOptions {
    /// The function's name, and its queue's.
    pub name: String,
    /// The program that speaks the Lambda Runtime API.
    pub binary: PathBuf,
    /// Variables that override what the stack sets.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// After this an invocation is killed.
    pub timeout_seconds: u32,
    /// What the function is told its memory is; not enforced.
    pub memory_mb: u32,
    /// The largest number of instances.
    pub concurrency: usize,
    /// The queue that invokes it, if any.
    #[serde(default)]
    pub queue: Option<QueueOptions>,
    /// The Kafka topics that invoke it.
    #[serde(default)]
    pub kafka: Vec<KafkaSourceOptions>,
    /// Whether an HTTP API stands in front of it.
    #[serde(default)]
    pub http: bool,
    /// Seconds from one scheduled invocation to the next; none without it.
    #[serde(default)]
    pub schedule_seconds: Option<u32>,
}

/// A Kafka cluster of one broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaOptions {
    /// The topics to begin with; others can be made through the control API.
    pub topics: Vec<TopicOptions>,
    /// Opens another listener, where one has to log in with SASL/PLAIN or
    /// SCRAM.
    pub login: bool,
    /// Opens another listener, with TLS and client certificates.
    pub tls: Option<KafkaTls>,
    /// How the broker compresses what it keeps (`compression.type`); as its producers
    /// have done, without.
    #[serde(default)]
    pub compression: Option<String>,
}

/// What a listener with TLS shows and trusts, as PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaTls {
    /// The server's certificate.
    pub certificate: String,
    /// The server's key, PKCS #8.
    pub key: String,
    /// Whose certificates clients must show.
    pub client_authority: String,
}

/// One Kafka topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicOptions {
    /// The topic's name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
}

/// A topic that invokes a function: what Lambda calls an event source mapping
/// for Kafka. The defaults are Lambda's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaSourceOptions {
    /// The topic. A mapping has one; a function may have several mappings.
    pub topic: String,
    /// The largest number of records in one invocation, 1 to 10,000.
    pub batch_size: usize,
    /// How long a batch waits to be filled.
    pub batch_window_ms: u64,
    /// How often a batch is tried again after its first failure; none is for
    /// ever, or 10 times when there is a place for what fails. `-1` is for ever
    /// beside such a place, too, as in Lambda.
    pub maximum_retry_attempts: Option<i32>,
    /// Older records are not given to the function; none takes all.
    pub maximum_record_age_ms: Option<u64>,
    /// After an error the batch is halved, and each half tried by itself.
    pub bisect_on_error: bool,
    /// Whether the response may name where the handled part of the batch ends
    /// (`ReportBatchItemFailures`). Otherwise it is not read.
    pub report_batch_item_failures: bool,
    /// Whether what is given up is told to the queue `FUNCTION-dlq`.
    pub on_failure: bool,
    /// Says `SelfManagedKafka` in the event instead of `aws:kafka`.
    pub self_managed: bool,
    /// So many pollers share the partitions; each has one invocation at a
    /// time.
    pub pollers: usize,
    /// Cuts batches as Lambda never promises not to; for tests.
    pub cuts: Option<CutOptions>,
}

/// Batches at random, the same for the same seed and the same records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutOptions {
    /// Where the random numbers begin.
    pub seed: u64,
    /// Of a hundred batches so many are delivered again after they were
    /// handled, cut anew: what a rebalance does before offsets are committed.
    /// Batches that failed are always cut anew.
    pub redelivered_percent: u8,
}

impl Default for KafkaSourceOptions {
    fn default() -> Self {
        Self {
            topic: String::new(),
            batch_size: 100,
            batch_window_ms: 500,
            maximum_retry_attempts: None,
            maximum_record_age_ms: None,
            bisect_on_error: false,
            report_batch_item_failures: false,
            on_failure: false,
            self_managed: false,
            pollers: 1,
            cuts: None,
        }
    }
}

/// The SQS queue of a function and its event source mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueOptions {
    /// How long a received message stays hidden from other receivers.
    pub visibility_timeout_s: u32,
    /// After so many receives a message goes to the dead-letter queue.
    pub max_receive_count: u32,
    /// The largest number of messages in one invocation.
    pub batch_size: usize,
    /// How long a batch waits to be filled.
    pub batch_window_ms: u64,
    /// Whether it keeps the order within a message group. Its name then ends in
    /// `.fifo`.
    pub fifo: bool,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            visibility_timeout_s: 30,
            max_receive_count: 5,
            batch_size: 10,
            batch_window_ms: 0,
            fifo: false,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        let cluster = |name: &str| ClusterOptions { name: name.into(), role: name.into() };
        Self {
            name: "dev".into(),
            root: ".motherlode".into(),
            cache: None,
            program: Program {
                path: PathBuf::new(),
                args: ["stack", "serve", "--options"].map(String::from).to_vec(),
            },
            launcher: None,
            clusters: vec![cluster("ingestion"), cluster("analytics"), cluster("adhoc")],
            aws: true,
            region: "eu-central-1".into(),
            buckets: vec![BucketOptions { name: "landing".into(), notify: None }],
            functions: vec![],
            kafka: None,
            keep_data: false,
            attached: false,
        }
    }
}

impl FunctionOptions {
    /// A function with a time limit of 30 seconds, 512 MB and two instances.
    pub fn new(name: impl Into<String>, binary: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            binary: binary.into(),
            env: BTreeMap::new(),
            timeout_seconds: 30,
            memory_mb: 512,
            concurrency: 2,
            queue: None,
            kafka: vec![],
            http: false,
            schedule_seconds: None,
        }
    }
}

impl Options {
    /// The stack's own folder.
    pub fn dir(&self) -> PathBuf {
        stack_dir(&self.root, &self.name)
    }

    /// Reads options that [`up`](crate::up) has written.
    ///
    /// # Errors
    /// When the file cannot be read or is not a valid options document.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(Error::io("read", path))?;
        serde_json::from_slice(&text).map_err(Error::json("understand", path))
    }

    /// The same options with absolute paths and every default filled in, so
    /// that they mean the same to another process.
    pub(crate) fn resolved(&self) -> Result<Self> {
        let mut options = self.clone();
        options.root = absolute(&self.root)?;
        options.cache = Some(match std::env::var_os("MOTHERLODE_CACHE") {
            Some(cache) if !cache.is_empty() => absolute(Path::new(&cache))?,
            _ => absolute(self.cache.as_deref().unwrap_or(&options.root.join("cache")))?,
        });
        if options.program.path.as_os_str().is_empty() {
            options.program.path = std::env::current_exe()
                .map_err(Error::io("find", Path::new("the running program")))?;
        }
        options.program.path = absolute(&options.program.path)?;
        options.launcher = Some(match &self.launcher {
            Some(launcher) => absolute(launcher)?,
            None => find_launcher()?,
        });
        for function in &mut options.functions {
            function.binary = absolute(&function.binary)?;
        }
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<()> {
        let wrong = |text: String| Err(Error::Options(text));
        for name in std::iter::once(&self.name)
            .chain(self.clusters.iter().map(|cluster| &cluster.name))
            .chain(self.functions.iter().map(|function| &function.name))
        {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if name.is_empty() || !name.chars().all(plain) {
                return wrong(format!(
                    "the name {name:?} must consist of letters, digits, - and _"
                ));
            }
        }
        for function in &self.functions {
            if function.concurrency == 0 || function.timeout_seconds == 0 {
                return wrong(format!(
                    "{}: concurrency and timeout_seconds must not be 0",
                    function.name
                ));
            }
            if function.schedule_seconds == Some(0) {
                return wrong(format!("{}: schedule_seconds must not be 0", function.name));
            }
            if function.queue.is_some() && !self.aws {
                return wrong(format!("{}: a queue needs `aws: true`", function.name));
            }
            for source in &function.kafka {
                source.check(self).or_else(|why| wrong(format!("{}: {why}", function.name)))?;
            }
            if !function.binary.is_file() {
                return Err(Error::Missing {
                    what: format!(
                        "{}, the program of the function {}",
                        function.binary.display(),
                        function.name
                    ),
                    remedy: format!("build it: cargo build --release -p {}", function.name),
                });
            }
        }
        for notify in self.buckets.iter().filter_map(|bucket| bucket.notify.as_ref()) {
            let queue =
                |function: &FunctionOptions| function.name == *notify && function.queue.is_some();
            if !self.functions.iter().any(queue) {
                return wrong(format!(
                    "a bucket notifies {notify:?}, which is not a function with a queue"
                ));
            }
        }
        Ok(())
    }

    /// The launcher of resolved options.
    pub(crate) fn launcher(&self) -> PathBuf {
        self.launcher.clone().unwrap_or_else(|| "launcher".into())
    }

    /// The cache folder of resolved options.
    pub(crate) fn cache(&self) -> PathBuf {
        self.cache.clone().unwrap_or_else(|| self.root.join("cache"))
    }
}

impl KafkaSourceOptions {
    fn check(&self, options: &Options) -> std::result::Result<(), String> {
        let refuse = |why: &str| Err(format!("the topic {:?}: {why}", self.topic));
        if options.kafka.is_none() {
            return refuse("a stack without `kafka` has no topics");
        }
        if !(1..=10_000).contains(&self.batch_size) {
            return refuse("batch_size must be from 1 to 10,000");
        }
        if self.pollers == 0 {
            return refuse("pollers must not be 0");
        }
        if self.on_failure && !options.aws {
            return refuse("on_failure needs `aws: true`");
        }
        Ok(())
    }
}

/// The folder of the stack `name` under `root`.
pub fn stack_dir(root: &Path, name: &str) -> PathBuf {
    root.join("stacks").join(name)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(Error::io("resolve", path))
}

/// Binaries lie in `target/release`, tests and examples one folder deeper.
fn find_launcher() -> Result<PathBuf> {
    let exe =
        std::env::current_exe().map_err(Error::io("find", Path::new("the running program")))?;
    exe.ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join("launcher"))
        .find(|path| path.is_file())
        .ok_or_else(|| Error::Missing {
            what: format!("the program `launcher`, looked for beside {},", exe.display()),
            remedy: "build it: cargo build --release -p launcher".into(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_the_file() {
        let mut options = Options::default();
        options.functions.push(FunctionOptions {
            queue: Some(QueueOptions::default()),
            ..FunctionOptions::new("mother", "target/release/mother")
        });
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<Options>(&text).unwrap(), options);
    }

    #[test]
    fn contradictions_are_refused() {
        let mut options = Options { name: "a/b".into(), ..Options::default() };
        assert!(options.check().unwrap_err().to_string().contains("a/b"));
        options.name = "dev".into();
        options.buckets[0].notify = Some("nobody".into());
        assert!(options.check().unwrap_err().to_string().contains("nobody"));
        options.buckets.clear();
        let mut sink = FunctionOptions::new("sink", "/bin/false");
        sink.kafka = vec![KafkaSourceOptions { topic: "events".into(), ..Default::default() }];
        options.functions.push(sink);
        assert!(options.check().unwrap_err().to_string().contains("without `kafka`"));
        options.kafka = Some(KafkaOptions::default());
        options.functions[0].kafka[0].batch_size = 10_001;
        assert!(options.check().unwrap_err().to_string().contains("10,000"));
    }
}
