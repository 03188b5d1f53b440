//! Where a scenario happens: a stack of its own, and proxies between the
//! function and everything it talks to.

use std::ops::Range;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use devstack::AttachedStack;
use futures::{StreamExt as _, TryStreamExt as _};
use ledger::{ListQuery, Record, State};
use model::document::SourceDocument;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use testkit::{Lake, Setup};
use warehouse::TableSpec;

use crate::proxy::Proxy;
use crate::proxy::fault::Rule;
use crate::rows::{COLUMNS, Rows};
use crate::run::Run;

/// Database of every table.
pub const DATABASE: &str = "chaos";

/// A running stack with its proxies.
pub struct Arena {
    /// What a test does with a stack; it talks to the servers directly.
    pub lake: Lake,
    /// Proxies in front of the nodes of the clusters, in their order.
    pub clusters: Vec<Proxy>,
    /// The proxy in front of AWS.
    pub aws: Proxy,
    /// Where files are kept that ClickHouse reads for the oracle.
    folder: tempfile::TempDir,
    _stack: AttachedStack,
}

/// A source, its table, and the materialized view on it.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Name of the source, and the prefix of its objects.
    pub source: &'static str,
    /// `format:` of the document.
    pub format: &'static str,
    /// Rows of a chunk.
    pub rows_per_chunk: u64,
    /// The clusters, in order.
    pub clusters: &'static [&'static str],
    /// More lines of the document.
    pub more: &'static str,
}

impl Feed {
    /// A source of CSV.
    #[must_use]
    pub fn csv(source: &'static str, rows_per_chunk: u64) -> Self {
        Self { source, format: "{ csv: {} }", rows_per_chunk, clusters: &["ingestion"], more: "" }
    }

    /// Its table.
    #[must_use]
    pub fn table(&self) -> String {
        self.source.replace('-', "_")
    }

    /// Its source document.
    #[must_use]
    pub fn document(&self) -> String {
        let columns: String = COLUMNS
            .iter()
            .map(|(name, kind)| {
                format!("  - {{ name: {name}, type: \"{kind}\", required: true }}\n")
            })
            .collect();
        format!(
            "source: {source}\nversion: 1\nowner: chaos\nmatch: {{ prefix: {source}/ }}\nformat: {}\n\
             columns:\n{columns}table: {{ database: {DATABASE}, name: {}, order_by: [id] }}\n\
             write: {{ rows_per_chunk: {}, clusters: [{}] }}\n{}\n",
            self.format,
            self.table(),
            self.rows_per_chunk,
            self.clusters.join(", "),
            self.more,
            source = self.source,
        )
    }
}

impl Arena {
    /// Starts the proxies and the stack, with the function behind the proxies.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(run: &mut Run, setup: Setup) -> anyhow::Result<Self> {
        let mut clusters = Vec::new();
        for _ in setup.clusters {
            clusters.push(Proxy::start(run.dice.fork()).await?);
        }
        let aws = Proxy::start(run.dice.fork()).await?;
        let list: Vec<_> = setup
            .clusters
            .iter()
            .zip(&clusters)
            .map(|(name, proxy)| {
                json!({
                    "name": name,
                    "role": "ingestion",
                    "nodes": [proxy.url()],
                    // The user of production, who may no more than it needs.
                    "secret": format!("motherlode/clickhouse/{name}/{}", devstack::user_of("mother")),
                })
            })
            .collect();
        let mut env = setup.env.clone();
        env.insert("MOTHERLODE_CLUSTERS".to_owned(), json!(list).to_string());
        env.insert("AWS_ENDPOINT_URL".to_owned(), aws.url());
        let setup = Setup { env, ..setup };
        let stack = tokio::task::spawn_blocking(move || testkit::start(&setup)).await??;
        for (proxy, cluster) in clusters.iter().zip(&stack.state().clusters) {
            proxy.stands_for(&cluster.http)?;
        }
        let endpoint = stack.state().aws.as_ref().context("the stack has AWS")?.endpoint.clone();
        aws.stands_for(&endpoint)?;
        let mut lake = Lake::of(stack.state()).await?;
        lake.patience = Duration::from_secs(900);
        for cluster in &stack.state().clusters {
            let sql = format!("CREATE DATABASE IF NOT EXISTS {DATABASE}");
            lake.query(&cluster.name, &sql).await?;
        }
        Ok(Self { lake, clusters, aws, folder: tempfile::tempdir()?, _stack: stack })
    }

    /// The proxy in front of the first cluster.
    #[must_use]
    pub fn clickhouse(&self) -> &Proxy {
        &self.clusters[0]
    }

    /// Registers a source, and makes its table and a materialized view on it,
    /// whose target remembers tokens, too.
    ///
    /// # Errors
    /// When the document is not valid or a server refuses.
    pub async fn feed(&self, feed: &Feed) -> anyhow::Result<()> {
        let yaml = feed.document();
        let document = SourceDocument::from_yaml(&yaml)?;
        let spec = TableSpec::of(&document, transform::provenance_columns());
        let table = feed.table();
        let columns: String =
            COLUMNS.iter().map(|(name, kind)| format!(", {name} {kind}")).collect();
        let names = COLUMNS.map(|(name, _)| name).join(", ");
        for cluster in feed.clusters {
            self.lake.ingest.warehouse.prepare(cluster, &spec).await?;
            for sql in [
                format!(
                    "CREATE TABLE {DATABASE}.{table}_seen (_object String, _row UInt64{columns}) ENGINE = MergeTree \
                     ORDER BY id SETTINGS non_replicated_deduplication_window = 10000"
                ),
                format!(
                    "CREATE MATERIALIZED VIEW {DATABASE}.{table}_view TO {DATABASE}.{table}_seen AS \
                     SELECT toString(_object) AS _object, _row, {names} FROM {DATABASE}.{table}"
                ),
            ] {
                self.lake.query(cluster, &sql).await?;
            }
        }
        self.lake.register(&yaml).await?;
        Ok(())
    }

    /// Runs the operator's command line on the stack and gives what it prints.
    ///
    /// # Errors
    /// When it does not end well, with what it says.
    pub async fn motherlode(&self, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        let mut command = tokio::process::Command::new(testkit::programs()?.join("motherlode"));
        let root = self.lake.state.dir.ancestors().nth(2).context("a stack lies under a root")?;
        command.arg("--root").arg(root).args(["--stack", &self.lake.state.name]).args(arguments);
        let done = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
        anyhow::ensure!(
            done.status.success(),
            "`motherlode {}` ended with {}: {}",
            arguments.join(" "),
            done.status,
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(done.stdout)
    }

    /// Keeps a file for the oracle and gives its path; the folder may be read
    /// as a whole by a pattern.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes)?;
        Ok(path)
    }

    /// Lands files of so many rows each, several at a time, and keeps each for
    /// the oracle; gives the pattern of the kept ones.
    ///
    /// # Errors
    /// When S3 refuses one.
    pub async fn land_many(
        &self,
        feed: &Feed,
        rows: Rows,
        objects: Range<u64>,
        rows_each: u64,
    ) -> anyhow::Result<PathBuf> {
        let source = feed.source;
        futures::stream::iter(objects)
            .map(|object| async move {
                let text = rows.csv(object * rows_each..(object + 1) * rows_each);
                let name = format!("{source}-{object:05}.csv");
                self.keep(&name, &text)?;
                self.lake.land(source, &format!("{source}/{name}"), text).await
            })
            .buffer_unordered(8)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        Ok(self.folder.path().join(format!("{source}-*.csv")))
    }

    /// Waits until nothing is in the queue any more and so many objects of a
    /// source are done.
    ///
    /// # Errors
    /// When that does not come in time; when one fails.
    pub async fn loaded(&self, source: &str, objects: u64) -> anyhow::Result<()> {
        tokio::select! {
            drained = self.lake.drained() => drained?,
            died = self.died() => bail!("{}", died?),
        }
        self.done(source, objects).await
    }

    /// Waits until the last server, which no scenario breaks while it waits, has
    /// died all the same: nobody need wait any longer then.
    async fn died(&self) -> anyhow::Result<String> {
        let last = self.lake.state.clusters.last().context("a stack has a cluster")?;
        loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let status = self.lake.control.status().await?;
            let part = status.part(&last.name).context("the cluster is a part")?;
            if part.state == devstack::PartState::Dead {
                return Ok(format!("the server has died: see {}", part.log.display()));
            }
        }
    }

    /// All records of a source.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn records(&self, source: &str) -> anyhow::Result<Vec<Record>> {
        let query = ListQuery { source: Some(source.to_owned()), state: None, limit: 1_000_000 };
        Ok(self.lake.ingest.ledger.list(&query).await?)
    }

    /// Waits until so many objects of a source are done.
    ///
    /// # Errors
    /// When they are not in time; when one fails.
    async fn done(&self, source: &str, objects: u64) -> anyhow::Result<()> {
        self.lake
            .until(&format!("{objects} objects of {source} to be done"), || async {
                let records = self.records(source).await?;
                let of = |state| records.iter().filter(move |record| record.state == state);
                if let Some(failed) = of(State::Failed).next() {
                    let reason = failed.reason.clone().unwrap_or_default();
                    bail!("{} failed: {reason}", failed.object);
                }
                Ok((of(State::Done).count() as u64 >= objects).then_some(()))
            })
            .await
    }

    /// The process of the instance that holds a record, while it lives.
    ///
    /// # Errors
    /// When the stack does not answer.
    pub async fn owner_pid(&self, record: &Record) -> anyhow::Result<Option<u32>> {
        let status = self.lake.control.status().await?;
        let mother = status.function("mother").context("no function mother")?;
        // An owner is `mother-NUMBER/…`, after the log stream of its instance.
        let number = record.owner.split('/').next().and_then(|name| name.rsplit('-').next());
        let number: Option<usize> = number.and_then(|number| number.parse().ok());
        let instance = mother.instances.iter().find(|instance| Some(instance.number) == number);
        Ok(instance
            .filter(|instance| instance.state == devstack::InstanceState::Busy)
            .map(|instance| instance.pid))
    }

    /// Messages among the dead letters.
    ///
    /// # Errors
    /// When the stack does not answer.
    pub async fn dead_letters(&self) -> anyhow::Result<u64> {
        let status = self.lake.control.status().await?;
        Ok(status.queue("mother-dlq").context("mother has dead letters")?.visible)
    }

    /// Notes what the rules of a proxy did.
    pub fn note(run: &mut Run, proxy: &Proxy, rules: &[Rule]) {
        for rule in rules {
            run.injected(rule.name, proxy.count(rule.name));
        }
    }

    /// Invocations that did not end well.
    ///
    /// # Errors
    /// When the stack does not answer.
    pub async fn failed_invocations(&self) -> anyhow::Result<u64> {
        let status = self.lake.control.status().await?;
        Ok(status.function("mother").context("no function mother")?.failed)
    }

    /// Where the stack says what became of invocations.
    #[must_use]
    pub fn supervisor_log(&self) -> PathBuf {
        self.lake.state.dir.join("supervisor.log")
    }

    /// How often a text stands in the logs of the function.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub async fn logged(&self, text: &str) -> anyhow::Result<u64> {
        let status = self.lake.control.status().await?;
        let mother = status.function("mother").context("no function mother")?;
        let mut found = 0;
        for instance in &mother.instances {
            found += std::fs::read_to_string(&instance.log)?.matches(text).count() as u64;
        }
        Ok(found)
    }

    /// The number that a query on the first cluster gives.
    ///
    /// # Errors
    /// What the server says; when it is no number.
    pub async fn number(&self, sql: &str) -> anyhow::Result<u64> {
        let text = self.lake.scalar(sql).await?;
        text.parse().with_context(|| format!("`{sql}` gives `{text}`"))
    }
}

/// Sends a signal to a process; false when it has gone.
pub fn signal(pid: u32, signal: Signal) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
}
