//! Exactly once: redelivery, a killed function, the deadline.

use futures::future::join_all;
use serde_json::json;
use testkit::{Lake, Setup};

use crate::{connect, document, files, shared};

/// Rows, distinct rows, first and last row of a table.
async fn shape(lake: &Lake, table: &str) -> String {
    lake.scalar(&format!(
        "SELECT concat(toString(count()), ' ', toString(uniqExact(_row)), ' ', toString(min(_row)), ' ', \
         toString(max(_row))) FROM e2e.{table}"
    ))
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_deliveries_at_once_load_once() {
    let lake = shared().await;
    lake.register(&document("dlv-ten", "{ csv: {} }", "write: { rows_per_chunk: 20000 }"))
        .await
        .unwrap();
    let landed =
        lake.land("dlv-ten", "dlv-ten/x.csv.gz", files::gzip(&files::csv(100_000))).await.unwrap();
    let message = json!({"bucket": "landing", "key": "dlv-ten/x.csv.gz"}).to_string();
    for sent in join_all((0..10).map(|_| lake.send(&message))).await {
        sent.unwrap();
    }
    let record = lake.done(&landed).await.unwrap();
    lake.drained().await.unwrap();
    assert_eq!(shape(&lake, "dlv_ten").await, "100000 100000 0 99999");
    let after = lake.done(&landed).await.unwrap();
    assert_eq!(after.counts, record.counts);
    assert_eq!(after.counts.chunks, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_function_loses_and_duplicates_nothing() {
    let stack = tokio::task::spawn_blocking(|| {
        testkit::start(&Setup { concurrency: 1, ..Setup::new("mother-kill") })
    });
    let stack = stack.await.unwrap().unwrap();
    let lake = connect(stack.state()).await;
    lake.register(&document("dlv-kill", "{ csv: {} }", "write: { rows_per_chunk: 10000 }"))
        .await
        .unwrap();
    let landed = lake.land("dlv-kill", "dlv-kill/x.csv", files::csv(1_000_000)).await.unwrap();
    // Twice, each time after another owner has made some progress.
    let (mut row, mut fence) = (0, 0);
    for _ in 0..2 {
        (row, fence) = lake
            .until("progress", || async {
                let record = lake.ingest.ledger.get(&landed.source, &landed.id).await?;
                Ok(record
                    .map(|record| (record.next_row, record.fence))
                    .filter(|(next, owner)| *next > row && *owner > fence))
            })
            .await
            .unwrap();
        let killed = lake
            .until("a busy instance", || async { Ok(lake.control.kill_busy("mother").await?) })
            .await;
        assert!(killed.unwrap() > 0);
    }
    let record = lake.done(&landed).await.unwrap();
    assert!(record.fence >= 3, "three owners at least: {}", record.fence);
    assert_eq!(shape(&lake, "dlv_kill").await, "1000000 1000000 0 999999");
    assert_eq!((record.counts.rows_read, record.counts.chunks), (1_000_000, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_on_in_a_new_invocation_at_the_deadline() {
    let setup = Setup { timeout_seconds: 3, ..Setup::new("mother-deadline") };
    let stack = tokio::task::spawn_blocking(move || testkit::start(&setup)).await.unwrap().unwrap();
    let lake = connect(stack.state()).await;
    lake.register(&document("dlv-deadline", "parquet", "write: { rows_per_chunk: 10000 }"))
        .await
        .unwrap();
    let landed = lake
        .land("dlv-deadline", "dlv-deadline/x.parquet", files::parquet(2_000_000))
        .await
        .unwrap();
    let record = lake.done(&landed).await.unwrap();
    lake.drained().await.unwrap();
    assert_eq!(shape(&lake, "dlv_deadline").await, "2000000 2000000 0 1999999");
    assert_eq!((record.counts.rows_read, record.counts.chunks), (2_000_000, 200));
    assert!(record.fence >= 2, "one invocation was enough: the test is too small");
    let status = lake.control.status().await.unwrap();
    let dead = status.queues.iter().find(|queue| queue.dead_letters).map(|queue| queue.visible);
    assert_eq!(dead, Some(0), "a long object wears out no tries");
}

/// A batch of which the first two messages use up the invocation: the others are
/// not begun, lose no try, and the batch is answered before the deadline.
#[tokio::test(flavor = "multi_thread")]
async fn messages_whose_turn_does_not_come_are_given_another_invocation() {
    let setup = Setup { timeout_seconds: 4, concurrency: 1, ..Setup::new("mother-late") };
    let stack = tokio::task::spawn_blocking(move || testkit::start(&setup)).await.unwrap().unwrap();
    let lake = connect(stack.state()).await;
    // No notification names these: the invocation below is the first to hear of them.
    let yaml =
        document("dlv-late", "{ csv: {} }", "").replace("prefix: dlv-late/", "prefix: never/");
    lake.register(&yaml).await.unwrap();
    let mut landed = Vec::new();
    for number in 0..10 {
        let key = format!("unmatched/{number}.csv");
        landed.push(lake.land("dlv-late", &key, files::csv(10)).await.unwrap());
    }
    lake.query("ingestion", "CREATE DATABASE e2e").await.unwrap();
    let records: Vec<_> = landed
        .iter()
        .enumerate()
        .map(|(number, landed)| {
            let body = json!({"bucket": "landing", "key": landed.id.key, "source": "dlv-late"});
            json!({
                "messageId": number.to_string(), "receiptHandle": "none", "body": body.to_string(),
                "attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs",
            })
        })
        .collect();
    lake.control.pause_cluster("ingestion").await.unwrap();
    let answer =
        lake.control.invoke("mother", json!({"Records": records}).to_string()).await.unwrap();
    lake.control.resume_cluster("ingestion").await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.unwrap()).unwrap();
    assert_eq!(
        answer,
        json!({"batchItemFailures": [{"itemIdentifier": "0"}, {"itemIdentifier": "1"}]})
    );
    for landed in &landed[2..] {
        lake.done(landed).await.unwrap();
    }
    assert_eq!(lake.scalar("SELECT count() FROM e2e.dlv_late").await.unwrap(), "80");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_overwritten_in_the_middle_is_closed_with_the_reason() {
    let stack = tokio::task::spawn_blocking(|| {
        testkit::start(&Setup { concurrency: 1, ..Setup::new("mother-overwritten") })
    });
    let stack = stack.await.unwrap().unwrap();
    let lake = connect(stack.state()).await;
    lake.register(&document("dlv-over", "{ csv: {} }", "write: { rows_per_chunk: 5000 }"))
        .await
        .unwrap();
    let first = lake.land("dlv-over", "dlv-over/x.csv", files::csv(1_000_000)).await.unwrap();
    lake.until("progress", || async {
        let record = lake.ingest.ledger.get(&first.source, &first.id).await?;
        Ok(record.filter(|record| record.next_row >= 20_000).map(|_| ()))
    })
    .await
    .unwrap();
    lake.control.kill_busy("mother").await.unwrap();
    let second = lake.land("dlv-over", "dlv-over/x.csv", files::csv(10)).await.unwrap();
    lake.done(&second).await.unwrap();
    let closed = lake.settled(&first).await.unwrap();
    assert_eq!(closed.state, ledger::State::Failed);
    let reason = closed.reason.unwrap();
    assert!(reason.contains("overwritten") && reason.contains("e2e.dlv_over"), "{reason}");
    let counts = format!(
        "SELECT concat(toString(countIf(_object = '{}')), ' ', toString(countIf(_object = '{}'))) FROM e2e.dlv_over",
        second.id, first.id
    );
    let shape = lake.scalar(&counts).await.unwrap();
    let (new, old) = shape.split_once(' ').unwrap();
    assert_eq!(new, "10");
    // A chunk that was under way when it was closed may have landed besides.
    let old: u64 = old.parse().unwrap();
    assert!(old == closed.next_row || old == closed.next_row + 5_000, "{old} {}", closed.next_row);
}
