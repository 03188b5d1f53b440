//! The primary dies while records flow, comes back, and is paid what it lacks.

use std::time::{Duration, Instant};

use crate::lane::{Lane, NOW_MS, PARTITIONS, TOPIC, event, trigger};

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
