//! The primary dies while records flow, comes back, and is paid what it lacks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use devstack::KafkaSourceOptions;
use ingest::Delivered;
use ledger::{PartitionRecord, PendingInsert};
use model::{Run, StreamRecord, Token};
use runtime::Deadline;

use crate::lane::{Lane, NOW_MS, PARTITIONS, RAW, TOPIC, event, total, trigger};

const DOCUMENT: &str = "
source: web
version: 1
owner: tests
kind: kafka
stream: { topics: [events] }
table: { database: e2e, name: raw, order_by: [_topic, _partition, _offset] }
write: { clusters: [ingestion, standby] }
";

#[tokio::test(flavor = "multi_thread")]
async fn records_go_to_the_next_cluster_and_both_hold_all_in_the_end() {
    let lane = Lane::start("sink-failover", &["ingestion", "standby"], trigger()).await;
    for cluster in ["ingestion", "standby"] {
        lane.with_view(cluster).await;
    }
    lane.lake.register(DOCUMENT).await.unwrap();
    lane.send((0..5_000).map(event).collect()).await;
    lane.accounted(5_000).await;
    lane.send((5_000..8_000).map(event).collect()).await;
    lane.lake.control.kill_cluster("ingestion").await.unwrap();
    let killed = Instant::now();
    lane.send((8_000..12_000).map(event).collect()).await;
    lane.lake
        .until("rows on the standby", || async {
            Ok((lane.rows("standby", "raw").await.0 > 0).then_some(()))
        })
        .await
        .unwrap();
    assert!(killed.elapsed() < Duration::from_secs(8), "{:?}", killed.elapsed());
    let counts = lane.accounted(12_000).await;
    assert_eq!(counts.rows_read, 12_000);
    assert!(lane.partitions().await.iter().any(ledger::PartitionRecord::is_owing));

    lane.lake.control.start_cluster("ingestion").await.unwrap();
    assert!(lane.lake.ingest.warehouse.wake("ingestion").await);
    // Twice: a second run finds nothing to do.
    let mut written = Vec::new();
    for _ in 0..2 {
        let event = r#"{"detail-type": "Scheduled Event", "source": "aws.events"}"#;
        let answer = lane.lake.control.invoke("reconcile", event).await.unwrap().unwrap();
        let summary: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(summary["failures"], serde_json::json!([]), "{summary}");
        written.push(summary["paid"]["rows_written"].as_u64().unwrap());
    }
    assert!(written[0] > 0 && written[1] == 0, "{written:?}");
    for table in ["raw", "typed"] {
        assert_eq!(lane.rows("ingestion", table).await, (12_000, 12_000), "{table}");
    }
    // It was owed what came before the primary died.
    let standby = lane.rows("standby", "raw").await;
    assert_eq!(standby, (12_000, 12_000));
    assert!(lane.partitions().await.iter().all(|record| !record.is_owing()));
}

/// What Kafka has forgotten is named with where it is; once somebody has copied it,
/// nothing is owed any more.
#[tokio::test(flavor = "multi_thread")]
async fn records_beyond_kafkas_retention_are_named_and_may_be_copied() {
    let lane = Lane::start("sink-forgotten", &["ingestion", "standby"], trigger()).await;
    for cluster in ["ingestion", "standby"] {
        lane.with_view(cluster).await;
    }
    lane.lake.register(DOCUMENT).await.unwrap();
    // A month old: the broker keeps nothing for so long.
    let old = |id| kafka::Record { timestamp_ms: *NOW_MS - 30 * 86_400_000, ..event(id) };
    lane.send((0..300).map(old).collect()).await;
    lane.accounted(300).await;
    let brokers = lane.lake.state.kafka.as_ref().unwrap().bootstrap.clone();
    let reader = kafka::Reader::new(kafka::KafkaConfig::new(&brokers));
    lane.lake
        .until("Kafka to forget them", || async {
            let mut held = 0;
            for partition in 0..PARTITIONS {
                let offsets = reader.offsets(TOPIC, partition, Duration::from_secs(10)).await?;
                held += offsets.end - offsets.start;
            }
            Ok((held == 0).then_some(()))
        })
        .await
        .unwrap();
    let reconcile = async || {
        let event = r#"{"detail-type": "Scheduled Event", "source": "aws.events"}"#;
        let answer = lane.lake.control.invoke("reconcile", event).await.unwrap().unwrap();
        let summary: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        summary["failures"].as_array().unwrap().clone()
    };
    let failures = reconcile().await;
    assert_eq!(failures.len(), usize::try_from(PARTITIONS).unwrap(), "{failures:?}");
    for failure in &failures {
        let text = failure.as_str().unwrap();
        assert!(text.contains("standby") && text.contains("ingestion"), "{text}");
    }
    assert_eq!(lane.rows("standby", "raw").await, (0, 0));
    let ingestion = lane.lake.state.cluster("ingestion").unwrap();
    let copy = format!(
        "INSERT INTO e2e.raw SELECT * FROM remote('{}', e2e.raw, '{}', '{}')",
        ingestion.native, ingestion.user, ingestion.password
    );
    lane.lake.query("standby", &copy).await.unwrap();
    assert_eq!(reconcile().await, Vec::<serde_json::Value>::new());
    assert_eq!(lane.rows("standby", "raw").await, (300, 300));
    assert!(lane.partitions().await.iter().all(|record| !record.is_owing()));
}

/// A function was killed after its INSERT of three partitions had landed on the first
/// cluster. Then one partition alone is delivered again, the first cluster dies, and
/// the others are delivered: no partition's records may come to the second cluster
/// with those of another, to which they are owed.
#[tokio::test(flavor = "multi_thread")]
async fn an_insert_of_several_partitions_is_settled_for_all_of_them() {
    const ROWS: u64 = 300;
    // The function takes another topic: this test is the function.
    let idle = KafkaSourceOptions { topic: "idle".to_owned(), ..trigger() };
    let lane = Lane::start("sink-settled", &["ingestion", "standby"], idle).await;
    for cluster in ["ingestion", "standby"] {
        lane.with_view(cluster).await;
    }
    lane.lake.register(DOCUMENT).await.unwrap();
    let brokers = lane.lake.state.kafka.as_ref().unwrap().bootstrap.clone();
    let config = kafka::KafkaConfig::new(&brokers);
    let time = Duration::from_secs(20);
    kafka::Admin::new(config.clone()).create_topic(TOPIC, PARTITIONS, 1, time).await.unwrap();
    lane.send((0..ROWS).map(event).collect()).await;
    let reader = kafka::Reader::new(config);
    let mut delivered = Vec::new();
    for partition in 0..PARTITIONS {
        let held = reader.offsets(TOPIC, partition, time).await.unwrap();
        let read = reader.read(TOPIC, partition, held, time).await.unwrap();
        let records = read.into_iter().map(|one| StreamRecord {
            topic: Arc::from(TOPIC),
            partition,
            offset: one.offset,
            timestamp_ms: one.record.timestamp_ms,
            key: one.record.key,
            value: one.record.value,
            headers: one.record.headers.into_iter().collect(),
        });
        delivered.push(Delivered { topic: TOPIC.into(), partition, records: records.collect() });
    }
    let ingest = &lane.lake.ingest;
    let take = async |some: &[Delivered]| {
        let taken = ingest.take(some.to_vec(), Deadline::none()).await;
        assert!(taken.refused.is_empty(), "{:?}", taken.refused);
    };
    take(&delivered).await;
    assert_eq!(lane.rows("ingestion", "raw").await, (ROWS, ROWS));
    // As the ledger was before the function could say so.
    let known = lane.partitions().await;
    let runs: Vec<Run> = known
        .iter()
        .map(|record| Run {
            topic: TOPIC.to_owned(),
            partition: record.partition,
            start: record.done[0].start,
            end: record.done[0].end,
        })
        .collect();
    let pending = PendingInsert {
        token: Token::of_runs("web", 1, &runs),
        runs,
        clusters: vec!["ingestion".to_owned()],
        loaded_at_ms: ingest.clock.now_ms(),
        config_version: 1,
        until_ms: ingest.clock.now_ms() + 60_000,
    };
    let before = |record: &PartitionRecord| PartitionRecord {
        revision: record.revision,
        pending: Some(pending.clone()),
        ..PartitionRecord::new("web", TOPIC, record.partition)
    };
    let mut all: Vec<PartitionRecord> = known.iter().map(before).collect();
    ingest.partitions.put(&mut all).await.unwrap();

    take(&delivered[..1]).await;
    lane.lake.control.kill_cluster("ingestion").await.unwrap();
    take(&delivered).await;
    assert_eq!(total(&lane.partitions().await).rows_read, ROWS);
    lane.lake.control.start_cluster("ingestion").await.unwrap();
    assert!(ingest.warehouse.wake("ingestion").await);
    let event = r#"{"detail-type": "Scheduled Event", "source": "aws.events"}"#;
    lane.lake.control.invoke("reconcile", event).await.unwrap().unwrap();
    for cluster in ["ingestion", "standby"] {
        for table in ["raw", "typed"] {
            assert_eq!(lane.rows(cluster, table).await, (ROWS, ROWS), "{table} on {cluster}");
        }
    }
    assert!(lane.partitions().await.iter().all(|record| !record.is_owing()));
}

/// A function died with an INSERT, and only a part of it is delivered again; the rest
/// lies in Kafka as zstd, which nobody here can decode. It is settled all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_insert_whose_records_cannot_be_decoded_is_settled_by_its_offsets() {
    // The function takes another topic: this test is the function.
    let idle = KafkaSourceOptions { topic: "idle".to_owned(), ..trigger() };
    let starting = Lane::start_compressing("sink-undecodable", &["ingestion"], idle, Some("zstd"));
    let lane = starting.await;
    lane.lake.register(RAW).await.unwrap();
    let brokers = lane.lake.state.kafka.as_ref().unwrap().bootstrap.clone();
    let admin = kafka::Admin::new(kafka::KafkaConfig::new(&brokers));
    admin.create_topic(TOPIC, 1, 1, Duration::from_secs(20)).await.unwrap();
    lane.send((0..10).map(event).collect()).await;
    let delivered = |offsets: std::ops::Range<i64>| {
        let records = offsets.map(|offset| {
            let record = event(offset.unsigned_abs());
            StreamRecord {
                topic: Arc::from(TOPIC),
                partition: 0,
                offset,
                timestamp_ms: record.timestamp_ms,
                key: record.key,
                value: record.value,
                headers: record.headers.into_iter().collect(),
            }
        });
        vec![Delivered { topic: TOPIC.into(), partition: 0, records: records.collect() }]
    };
    let ingest = &lane.lake.ingest;
    let take = async |some| {
        let taken = ingest.take(some, Deadline::none()).await;
        assert!(taken.refused.is_empty(), "{:?}", taken.refused);
    };
    take(delivered(0..4)).await;
    let known = lane.partitions().await.remove(0);
    let run = Run { topic: TOPIC.to_owned(), partition: 0, start: 0, end: 10 };
    let pending = PendingInsert {
        token: Token::of_runs("web", 1, std::slice::from_ref(&run)),
        runs: vec![run],
        clusters: vec!["ingestion".to_owned()],
        loaded_at_ms: ingest.clock.now_ms(),
        config_version: 1,
        until_ms: ingest.clock.now_ms() - 1,
    };
    let new = PartitionRecord::new("web", TOPIC, 0);
    let record = PartitionRecord { revision: known.revision, pending: Some(pending), ..new };
    ingest.partitions.put(&mut [record]).await.unwrap();

    take(delivered(2..6)).await;
    let known = lane.partitions().await.remove(0);
    assert!(known.pending.is_none());
    assert_eq!((known.done.len(), known.done.first()), (1, Some(&(0..6))));
    take(delivered(6..10)).await;
    assert_eq!(lane.rows("ingestion", "raw").await, (10, 10));
    assert_eq!(lane.partitions().await[0].counts.rows_read, 10);
}
