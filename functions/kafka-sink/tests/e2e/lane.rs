//! A stack with a topic and the sink, and records for it.

use std::sync::LazyLock;
use std::time::Duration;

use devstack::{AttachedStack, KafkaSourceOptions};
use kafka::{KafkaConfig, Producer, Record};
use ledger::PartitionRecord;
use model::Counts;
use testkit::{Lake, Setup};

/// The topic.
pub const TOPIC: &str = "events";
/// Its partitions.
pub const PARTITIONS: i32 = 3;
const TIME: Duration = Duration::from_secs(30);
/// When records are made. Kafka's retention removes old ones while a test runs.
pub static NOW_MS: LazyLock<i64> = LazyLock::new(|| model::Clock::system().now_ms());

/// A running lane.
pub struct Lane {
    _stack: AttachedStack,
    /// The clients of the stack.
    pub lake: Lake,
    producer: Producer,
}

/// A trigger that is quick to answer.
pub fn trigger() -> KafkaSourceOptions {
    KafkaSourceOptions {
        topic: TOPIC.to_owned(),
        batch_size: 1_000,
        batch_window_ms: 200,
        report_batch_item_failures: true,
        ..KafkaSourceOptions::default()
    }
}

/// A raw table, with a view that counts on it: exactly once has to hold in both.
pub const RAW: &str = "
source: web
version: 1
owner: tests
kind: kafka
stream: { topics: [events] }
table: { database: e2e, name: raw, order_by: [_topic, _partition, _offset] }
";

impl Lane {
    /// Starts a lane with that trigger and these clusters.
    pub async fn start(
        name: &'static str,
        clusters: &'static [&'static str],
        trigger: KafkaSourceOptions,
    ) -> Self {
        Self::start_compressing(name, clusters, trigger, None).await
    }

    /// The same, with a broker that compresses what it keeps.
    pub async fn start_compressing(
        name: &'static str,
        clusters: &'static [&'static str],
        trigger: KafkaSourceOptions,
        compression: Option<&'static str>,
    ) -> Self {
        let setup = Setup {
            compression,
            clusters,
            reconcile: clusters.len() > 1,
            timeout_seconds: 20,
            sink: Some((trigger, PARTITIONS)),
            ..Setup::new(name)
        };
        let stack = tokio::task::spawn_blocking(move || testkit::start(&setup).unwrap());
        let stack = stack.await.unwrap();
        let lake = Lake::of(stack.state()).await.unwrap();
        let brokers = stack.state().kafka.as_ref().unwrap().bootstrap.clone();
        Self { _stack: stack, lake, producer: Producer::new(KafkaConfig::new(&brokers)) }
    }

    /// Sends records.
    pub async fn send(&self, records: Vec<Record>) {
        self.producer.send(TOPIC, &records, TIME).await.unwrap();
    }

    /// Kills an instance that is at work; false when none is.
    pub async fn killed(&self) -> bool {
        self.lake.control.kill_busy("kafka-sink").await.unwrap().is_some()
    }

    /// Creates the raw table and a view on it with a table of its own, on a cluster.
    pub async fn with_view(&self, cluster: &str) {
        for sql in [
            "CREATE DATABASE IF NOT EXISTS e2e",
            "CREATE TABLE e2e.raw (event String CODEC(ZSTD), _topic LowCardinality(String), _partition Int32, \
             _offset Int64, _key String, _timestamp DateTime64(3, 'UTC'), _headers Map(String, String), \
             _config_version UInt32, _loaded_at DateTime64(3, 'UTC')) ENGINE = MergeTree \
             ORDER BY (_topic, _partition, _offset) SETTINGS non_replicated_deduplication_window = 10000",
            "CREATE TABLE e2e.typed (id UInt64, _partition Int32, _offset Int64) ENGINE = MergeTree ORDER BY id \
             SETTINGS non_replicated_deduplication_window = 10000",
            "CREATE MATERIALIZED VIEW e2e.typing TO e2e.typed AS \
             SELECT JSONExtractUInt(event, 'id') AS id, _partition, _offset FROM e2e.raw",
        ] {
            self.lake.query(cluster, sql).await.unwrap();
        }
    }

    /// Waits until the ledger accounts for so many records, and gives their counts.
    pub async fn accounted(&self, records: u64) -> Counts {
        self.lake
            .until(&format!("{records} records to be accounted for"), || async {
                let counts = total(&self.partitions().await);
                Ok((counts.rows_read >= records).then_some(counts))
            })
            .await
            .unwrap()
    }

    /// What the ledger knows of the partitions.
    pub async fn partitions(&self) -> Vec<PartitionRecord> {
        self.lake.ingest.partitions.list("web", false).await.unwrap()
    }

    /// `rows distinct` of a table on a cluster.
    pub async fn rows(&self, cluster: &str, table: &str) -> (u64, u64) {
        let sql = format!(
            "SELECT count() AS rows, uniqExact(_partition, _offset) AS distinct_rows FROM e2e.{table}"
        );
        match self.lake.query(cluster, &sql).await {
            Ok(answer) => {
                let number = |name: &str| answer[0][name].as_u64().unwrap();
                (number("rows"), number("distinct_rows"))
            }
            Err(error) if format!("{error:#}").contains("UNKNOWN_") => (0, 0),
            Err(error) => panic!("{error:#}"),
        }
    }
}

/// The counts of all partitions.
pub fn total(partitions: &[PartitionRecord]) -> Counts {
    let mut total = Counts::default();
    for partition in partitions {
        total += partition.counts;
    }
    total
}

/// A record with an event of that number.
pub fn event(id: u64) -> Record {
    Record {
        key: Some(format!("visitor-{}", id % 97).into_bytes()),
        value: Some(format!(r#"{{"id":{id},"name":"Ünïcode {id}"}}"#).into_bytes()),
        headers: [("source".to_owned(), b"test".to_vec())].into(),
        timestamp_ms: *NOW_MS,
    }
}
