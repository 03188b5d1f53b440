//! The primary dies while records flow, comes back, and is paid what it lacks.

use std::time::{Duration, Instant};

use crate::lane::{Lane, event, trigger};

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
