//! Stacks of child processes for tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use devstack::{
    AttachedStack, BucketOptions, ClusterOptions, FunctionOptions, KafkaOptions,
    KafkaSourceOptions, Options, Program, QueueOptions, TopicOptions,
};

/// How a test's stack differs from the usual one.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Name of the stack; one name, one stack at a time.
    pub name: &'static str,
    /// Names of the clusters, each its own role.
    pub clusters: &'static [&'static str],
    /// Seconds that one invocation of the function may take.
    pub timeout_seconds: u32,
    /// Seconds until a message that failed is seen again.
    pub visibility_timeout_s: u32,
    /// After so many receives a message goes to the dead letters.
    pub max_receive_count: u32,
    /// Instances of the function.
    pub concurrency: usize,
    /// Whether the function that pays debts is there, to be invoked.
    pub reconcile: bool,
    /// Seconds from one run of it to the next, if nobody invokes it.
    pub reconcile_seconds: Option<u32>,
    /// The trigger of the function that takes records of Kafka, if it is there, and
    /// so many partitions of its topic.
    pub sink: Option<(KafkaSourceOptions, i32)>,
    /// How the broker compresses what it keeps; as its producers have done, without.
    pub compression: Option<&'static str>,
    /// Instances of the function that takes events over HTTP into the topic of the
    /// trigger, if it is there, with its drain and their places for what Kafka does
    /// not take.
    pub pixel: Option<usize>,
    /// After so many receives a message of the drain goes to its dead letters.
    pub drain_receives: u32,
    /// Variables of the functions beside the stack's own.
    pub env: BTreeMap<String, String>,
}

impl Setup {
    /// One cluster, two instances, short times: failures come quickly.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        let env = [("MOTHERLODE_LEASE_SECONDS", "6"), ("MOTHERLODE_DEADLINE_RESERVE_SECONDS", "1")];
        Self {
            name,
            clusters: &["ingestion"],
            timeout_seconds: 60,
            visibility_timeout_s: 5,
            max_receive_count: 3,
            reconcile: false,
            reconcile_seconds: None,
            sink: None,
            compression: None,
            pixel: None,
            // An outage lasts as long as it lasts.
            drain_receives: 1000,
            concurrency: 2,
            env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        }
    }
}

/// The folder of the built programs, in which this one lies, or one folder
/// below it as tests do.
///
/// # Errors
/// When the running program has no such folder.
pub fn programs() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.parent().context("a program lies in a folder")?;
    let folder = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    Ok(folder.context("a test lies in target/PROFILE/deps")?.to_owned())
}

/// Starts a stack that ends with this process.
///
/// # Errors
/// When a part is missing or does not start; a test then fails, it is not
/// skipped.
pub fn start(setup: &Setup) -> anyhow::Result<AttachedStack> {
    let programs = programs()?;
    let mut mother = FunctionOptions::new("mother", programs.join("mother"));
    mother.timeout_seconds = setup.timeout_seconds;
    mother.concurrency = setup.concurrency;
    mother.env.clone_from(&setup.env);
    mother.queue = Some(QueueOptions {
        visibility_timeout_s: setup.visibility_timeout_s,
        max_receive_count: setup.max_receive_count,
        ..QueueOptions::default()
    });
    let mut functions = vec![mother];
    if setup.reconcile {
        let mut reconcile = FunctionOptions::new("reconcile", programs.join("reconcile"));
        reconcile.timeout_seconds = setup.timeout_seconds;
        reconcile.schedule_seconds = setup.reconcile_seconds;
        reconcile.env.clone_from(&setup.env);
        functions.push(reconcile);
    }
    let mut kafka = None;
    if let Some((trigger, partitions)) = &setup.sink {
        let mut sink = FunctionOptions::new("kafka-sink", programs.join("kafka-sink"));
        sink.timeout_seconds = setup.timeout_seconds;
        sink.concurrency = setup.concurrency;
        sink.env.clone_from(&setup.env);
        sink.kafka = vec![trigger.clone()];
        functions.push(sink);
        let events = TopicOptions { name: trigger.topic.clone(), partitions: *partitions };
        let invalid = TopicOptions { name: format!("{}.invalid", trigger.topic), partitions: 1 };
        kafka = Some(KafkaOptions {
            topics: vec![events, invalid],
            compression: setup.compression.map(str::to_owned),
            ..KafkaOptions::default()
        });
    }
    let mut buckets =
        vec![BucketOptions { name: "landing".to_owned(), notify: Some("mother".to_owned()) }];
    if let Some(instances) = setup.pixel {
        let mut pixel = FunctionOptions::new("pixel", programs.join("pixel"));
        pixel.http = true;
        pixel.concurrency = instances;
        let mut drain = FunctionOptions::new("drain", programs.join("drain"));
        drain.queue = Some(QueueOptions {
            fifo: true,
            visibility_timeout_s: setup.visibility_timeout_s,
            max_receive_count: setup.drain_receives,
            ..QueueOptions::default()
        });
        functions.extend([pixel, drain]);
        buckets.push(BucketOptions { name: devstack::SPILL_BUCKET.to_owned(), notify: None });
    }
    let cluster =
        |name: &&str| ClusterOptions { name: (*name).to_owned(), role: "ingestion".to_owned() };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .context("the workspace's folder")?;
    let program = programs.join("motherlode");
    anyhow::ensure!(
        program.is_file(),
        "{} is not built: run `cargo xtask test`",
        program.display()
    );
    let defaults = Options::default();
    let options = Options {
        name: setup.name.to_owned(),
        root: root.join(".motherlode"),
        program: Program { path: program, ..defaults.program.clone() },
        launcher: Some(programs.join("launcher")),
        clusters: setup.clusters.iter().map(cluster).collect(),
        buckets,
        functions,
        kafka,
        ..defaults
    };
    // A thread and a runtime of its own: the stack outlives the test that
    // happens to start it.
    let started = std::thread::spawn(move || -> anyhow::Result<AttachedStack> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(AttachedStack::start(&options, &|_| ()))?)
    });
    started.join().map_err(|_| anyhow::anyhow!("starting the stack panicked"))?
}
