//! 12: records of Kafka in batches that are cut at random and delivered again,
//! while the sink is killed, answers of the first cluster are lost, and the first
//! cluster dies. Each cluster holds every record once, in the raw table and in the
//! target of a view on it, without FINAL.

use std::time::Duration;

use anyhow::Context as _;
use devstack::{CutOptions, KafkaSourceOptions};
use kafka::{KafkaConfig, Producer, Record};
use testkit::Setup;

use crate::arena::{Arena, DATABASE};
use crate::proxy::fault::{Act, On, Rule};
use crate::run::Run;

const CLUSTERS: &[&str] = &["first", "second"];
const TOPIC: &str = "chaos";
const PARTITIONS: i32 = 4;
/// Records that are sent at once.
const AT_ONCE: u64 = 2_000;
/// How long the broker may take for them.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// Sends records, breaks what takes them, and judges.
pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    let records: u64 = run.pick(400_000, 30_000);
    let seed = run.dice.roll();
    let trigger = KafkaSourceOptions {
        topic: TOPIC.to_owned(),
        batch_size: 1_500,
        batch_window_ms: 50,
        report_batch_item_failures: true,
        pollers: 2,
        cuts: Some(CutOptions { seed, redelivered_percent: 25 }),
        ..KafkaSourceOptions::default()
    };
    let setup = Setup {
        clusters: CLUSTERS,
        timeout_seconds: 20,
        sink: Some((trigger, PARTITIONS)),
        ..run.setup()
    };
    let mut arena = Arena::start(run, setup).await?;
    arena.lake.patience = Duration::from_secs(run.pick(1_200, 180));
    for cluster in CLUSTERS {
        for sql in tables() {
            arena.lake.query(cluster, &sql).await?;
        }
    }
    arena.lake.register(&document()).await?;
    let lost = Rule::always("answers lost after the commit", On::Insert, Act::LoseAnswer)
        .with_chance(run.pick(0.05, 0.1));
    arena.clickhouse().set_rules(vec![lost.clone()]);
    send_and_break(run, &arena, records).await?;
    arena
        .lake
        .until("every record to be accounted for", || async {
            Ok((accounted(&arena).await?.rows_read >= records).then_some(()))
        })
        .await?;
    Arena::note(run, arena.clickhouse(), &[lost]);
    let repeated = repeated(&arena)?;
    run.injected("records delivered again", repeated);
    run.check(repeated > 0, || "no record was delivered twice".to_owned());
    arena.clickhouse().set_rules(Vec::new());
    arena.motherlode(&["reconcile", "--all"]).await?;
    judge(run, &arena, records).await
}

/// Sends all records; kills the sink again and again, and the first cluster once.
async fn send_and_break(run: &mut Run, arena: &Arena, records: u64) -> anyhow::Result<()> {
    let state = arena.lake.state.kafka.as_ref().context("the stack has Kafka")?;
    let producer = Producer::new(KafkaConfig::new(&state.bootstrap));
    let dies = run.dice.below(records / AT_ONCE / 2);
    let lives = dies + run.pick(20, 3);
    let mut kills = 0;
    for batch in 0..records / AT_ONCE {
        let ids = batch * AT_ONCE..(batch + 1) * AT_ONCE;
        // Kafka's retention removes what is old.
        let now_ms = arena.lake.ingest.clock.now_ms();
        let some: Vec<Record> = ids.map(|id| record(id, now_ms)).collect();
        producer.send(TOPIC, &some, SEND_LIMIT).await?;
        if batch == dies {
            arena.lake.control.kill_cluster("first").await?;
            run.injected("clusters killed", 1);
        }
        if batch == lives {
            arena.lake.control.start_cluster("first").await?;
        }
        if run.dice.happens(0.4) {
            tokio::time::sleep(run.dice.time(Duration::ZERO..Duration::from_millis(400))).await;
            kills += u64::from(arena.lake.control.kill_busy("kafka-sink").await?.is_some());
        }
    }
    run.injected("sinks killed at their work", kills);
    if records / AT_ONCE <= lives {
        arena.lake.control.start_cluster("first").await?;
    }
    Ok(())
}

/// Records that the sink was given and had accounted for, by what it has written into
/// its log.
fn repeated(arena: &Arena) -> anyhow::Result<u64> {
    let mut repeated = 0;
    for entry in std::fs::read_dir(arena.lake.state.dir.join("logs"))? {
        let path = entry?.path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("kafka-sink")) {
            continue;
        }
        for line in std::fs::read_to_string(&path)?.lines() {
            // A line may be cut where the function was killed.
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            if line["state"] == "taken" {
                repeated += line["repeated"].as_u64().unwrap_or_default();
            }
        }
    }
    Ok(repeated)
}

async fn judge(run: &mut Run, arena: &Arena, records: u64) -> anyhow::Result<()> {
    let counts = accounted(arena).await?;
    run.check(counts.closes() && counts.rows_written == records, || {
        format!("the accounts do not close: {counts:?} of {records} records")
    });
    run.figure("rows", records);
    for cluster in CLUSTERS {
        for table in ["stream", "stream_typed"] {
            let sql = format!(
                "SELECT concat(toString(count()), ' ', toString(uniqExact(id)), ' ', \
                 toString(uniqExact(_partition, _offset))) AS found FROM {DATABASE}.{table}"
            );
            let sql = match table {
                "stream" => sql.replace("uniqExact(id)", "uniqExact(JSONExtractUInt(event, 'id'))"),
                _ => sql,
            };
            let found = arena.lake.query(cluster, &sql).await?;
            let found = found[0]["found"].as_str().unwrap_or_default().to_owned();
            run.check(found == format!("{records} {records} {records}"), || {
                format!("{table} on {cluster} has {found} rows, events and places")
            });
        }
    }
    let owing = arena.lake.ingest.partitions.list("stream", true).await?;
    run.check(owing.is_empty(), || format!("something is still owed: {owing:?}"));
    Ok(())
}

async fn accounted(arena: &Arena) -> anyhow::Result<model::Counts> {
    let mut total = model::Counts::default();
    for record in arena.lake.ingest.partitions.list("stream", false).await? {
        total += record.counts;
    }
    Ok(total)
}

fn record(id: u64, timestamp_ms: i64) -> Record {
    Record {
        key: Some(format!("visitor-{}", id % 1_009).into_bytes()),
        value: Some(
            format!(r#"{{"id":{id},"event":"Product Viewed","path":"/p/{}"}}"#, id % 77)
                .into_bytes(),
        ),
        timestamp_ms,
        ..Record::default()
    }
}

fn document() -> String {
    format!(
        "source: stream\nversion: 1\nowner: chaos\nkind: kafka\nstream: {{ topics: [{TOPIC}] }}\n\
         table: {{ database: {DATABASE}, name: stream, order_by: [_topic, _partition, _offset], create: never }}\n\
         write: {{ clusters: [first, second] }}\n"
    )
}

fn tables() -> [String; 4] {
    let remembering = "SETTINGS non_replicated_deduplication_window = 10000";
    [
        format!("CREATE DATABASE IF NOT EXISTS {DATABASE}"),
        format!(
            "CREATE TABLE {DATABASE}.stream (event String CODEC(ZSTD), _topic LowCardinality(String), _partition Int32, \
             _offset Int64, _key String, _timestamp DateTime64(3, 'UTC'), _headers Map(String, String), \
             _config_version UInt32, _loaded_at DateTime64(3, 'UTC')) ENGINE = MergeTree \
             ORDER BY (_topic, _partition, _offset) {remembering}"
        ),
        format!(
            "CREATE TABLE {DATABASE}.stream_typed (id UInt64, _partition Int32, _offset Int64) ENGINE = MergeTree \
             ORDER BY id {remembering}"
        ),
        format!(
            "CREATE MATERIALIZED VIEW {DATABASE}.stream_typing TO {DATABASE}.stream_typed AS \
             SELECT JSONExtractUInt(event, 'id') AS id, _partition, _offset FROM {DATABASE}.stream"
        ),
    ]
}
