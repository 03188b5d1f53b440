//! The same records in batches that are cut anew and delivered again, by a
//! function that is killed: none lost, none twice, without FINAL.

use std::time::Duration;

use devstack::CutOptions;

use crate::lane::{Lane, RAW, event, total, trigger};

const RECORDS: u64 = 30_000;

#[tokio::test(flavor = "multi_thread")]
async fn however_batches_are_cut_and_repeated_every_record_is_there_once() {
    let mut trigger = trigger();
    trigger.batch_size = 700;
    trigger.batch_window_ms = 50;
    trigger.pollers = 2;
    trigger.cuts = Some(CutOptions { seed: 7, redelivered_percent: 30 });
    let lane = Lane::start("sink-cuts", &["ingestion"], trigger).await;
    lane.with_view("ingestion").await;
    lane.lake.register(RAW).await.unwrap();
    let mut kills = 0;
    for first in (0..RECORDS).step_by(3_000) {
        lane.send((first..first + 3_000).map(event).collect()).await;
        kills += u32::from(lane.killed().await);
    }
    while kills < 30 && total(&lane.partitions().await).rows_read < RECORDS {
        kills += u32::from(lane.killed().await);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert!(kills > 3, "{kills}: the function was hardly ever killed at its work");
    let counts = lane.accounted(RECORDS).await;
    assert_eq!(counts.rows_read, RECORDS, "{counts:?}");
    assert!(counts.closes(), "{counts:?}");
    assert_eq!(lane.rows("ingestion", "raw").await, (RECORDS, RECORDS));
    assert_eq!(lane.rows("ingestion", "typed").await, (RECORDS, RECORDS));
    let ids = lane.lake.scalar("SELECT toString(uniqExact(id)) FROM e2e.typed").await.unwrap();
    assert_eq!(ids, RECORDS.to_string());
    // All of it once more, from the first record on.
    lane.lake.control.rewind("kafka-sink").await.unwrap();
    let late: Vec<_> = (RECORDS..RECORDS + 100).map(event).collect();
    lane.send(late).await;
    lane.accounted(RECORDS + 100).await;
    assert_eq!(lane.rows("ingestion", "raw").await, (RECORDS + 100, RECORDS + 100));
    assert_eq!(lane.rows("ingestion", "typed").await, (RECORDS + 100, RECORDS + 100));
}
