//! Quarantined rows, after their document was corrected.

use runtime::Deadline;

use crate::{document, shared};

const TEXT: &str = "id,name,amount\n1,a,1.5\n2,b,free\n3,c,2.5\n4,d,n/a\n5,e,3.5\n";

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_are_replayed_once_when_their_document_is_corrected() {
    let lake = shared().await;
    let lenient = "errors: { max_bad_share: 1 }";
    lake.register(&document("rpl-one", "{ csv: {} }", lenient)).await.unwrap();
    let landed = lake.land("rpl-one", "rpl-one/a.csv", TEXT).await.unwrap();
    let record = lake.done(&landed).await.unwrap();
    assert_eq!((record.counts.rows_written, record.counts.rows_quarantined), (3, 2));
    let objects = lake.ingest.quarantined_objects("rpl-one", "ingestion").await.unwrap();
    assert_eq!(objects, std::slice::from_ref(&landed.id));

    // What is wrong stays wrong: nothing is written.
    let replay = async || {
        let source = lake.ingest.catalog.get("rpl-one", None).await.unwrap();
        let done = lake.ingest.replay(&source, &landed.id, "ingestion", Deadline::none()).await;
        let done = done.unwrap().expect("nobody else is at it");
        (done.quarantined, done.there, done.written, done.bad)
    };
    assert_eq!(replay().await, (2, 0, 0, 2));

    // One of the two words now means something.
    let corrected = document("rpl-one", "{ csv: {} }", lenient)
        .replace("type: Float64, default: 0", "type: Float64, from: { column: amount }, default: 0")
        .replace("{ csv: {} }", "{ csv: { nulls: [n/a] } }");
    let error = lake.register(&corrected).await.map(|_| ());
    error.unwrap();
    let source = lake.ingest.catalog.get("rpl-one", None).await.unwrap();
    let refused =
        lake.ingest.replay(&source, &landed.id, "ingestion", Deadline::none()).await.unwrap_err();
    assert!(refused.chain().contains("`format`"), "rows may be counted otherwise: {refused}");

    let corrected = document("rpl-one", "{ csv: {} }", lenient)
        .replace("type: Float64, default: 0", "type: Float64, default: 0, on_error: default");
    lake.register(&corrected).await.unwrap();
    assert_eq!(replay().await, (2, 0, 2, 0));
    assert_eq!(replay().await, (2, 2, 0, 0), "a second replay changes nothing");
    let sums = "SELECT concat(toString(count()), ' ', toString(uniqExact(_row)), ' ', toString(sum(amount))) \
                FROM e2e.rpl_one";
    assert_eq!(lake.scalar(sums).await.unwrap(), "5 5 7.5");
    let versions = "SELECT arrayStringConcat(groupArray(toString(_config_version)), ',') FROM \
                    (SELECT _config_version FROM e2e.rpl_one ORDER BY _row)";
    assert_eq!(lake.scalar(versions).await.unwrap(), "1,3,1,3,1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_was_killed_goes_on_where_it_stood() {
    let lake = shared().await;
    let lenient = "errors: { max_bad_share: 1 }";
    lake.register(&document("rpl-half", "{ csv: {} }", lenient)).await.unwrap();
    let landed = lake.land("rpl-half", "rpl-half/a.csv", TEXT).await.unwrap();
    lake.done(&landed).await.unwrap();
    let corrected = document("rpl-half", "{ csv: {} }", lenient)
        .replace("type: Float64, default: 0", "type: Float64, default: 0, on_error: default");
    lake.register(&corrected).await.unwrap();
    let source = lake.ingest.catalog.get("rpl-half", None).await.unwrap();
    // As if one of the two rows had come before the end.
    let row = format!(
        "INSERT INTO e2e.rpl_half (id, name, amount, _object, _row, _config_version) \
         VALUES (2, 'b', 0, '{}', 1, 2)",
        landed.id
    );
    lake.query("ingestion", &row).await.unwrap();
    let done = lake.ingest.replay(&source, &landed.id, "ingestion", Deadline::none()).await;
    let done = done.unwrap().unwrap();
    assert_eq!((done.quarantined, done.there, done.written), (2, 1, 1));
    let shape =
        "SELECT concat(toString(count()), ' ', toString(uniqExact(_row))) FROM e2e.rpl_half";
    assert_eq!(lake.scalar(shape).await.unwrap(), "5 5");
}

/// The quarantine is written in portions while a chunk is read: one that fails in the
/// end has left bad rows that are no committed chunk's.
#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_of_an_object_that_failed_come_with_its_next_try_and_once() {
    let lake = shared().await;
    lake.register(&document("rpl-failed", "{ csv: {} }", "")).await.unwrap();
    let mut text = String::from("id,name,amount\n");
    for id in 0..30_000 {
        text.push_str(&format!("{id},n,{}\n", if id % 2 == 0 { "free" } else { "1.5" }));
    }
    let landed = lake.land("rpl-failed", "rpl-failed/a.csv", text).await.unwrap();
    let record = lake.settled(&landed).await.unwrap();
    assert_eq!((record.state, record.next_row), (ledger::State::Failed, 0));
    let corrected = document("rpl-failed", "{ csv: {} }", "")
        .replace("type: Float64, default: 0", "type: Float64, default: 0, on_error: default");
    lake.register(&corrected).await.unwrap();
    let replay = async || {
        let source = lake.ingest.catalog.get("rpl-failed", None).await.unwrap();
        let done = lake.ingest.replay(&source, &landed.id, "ingestion", Deadline::none()).await;
        let done = done.unwrap().expect("nobody else is at it");
        (done.quarantined, done.waiting, done.there, done.written)
    };
    assert_eq!(replay().await, (15_000, 15_000, 0, 0));
    let event = serde_json::json!({"bucket": "landing", "key": landed.id.key}).to_string();
    lake.send(&event).await.unwrap();
    lake.replayed(&landed).await.unwrap();
    assert_eq!(replay().await, (15_000, 0, 15_000, 0));
    let shape =
        "SELECT concat(toString(count()), ' ', toString(uniqExact(_row))) FROM e2e.rpl_failed";
    assert_eq!(lake.scalar(shape).await.unwrap(), "30000 30000");
    let source = lake.ingest.catalog.get("rpl-failed", None).await.unwrap();
    let accounts = lake.ingest.accounts(&source, true).await.unwrap();
    assert_eq!((accounts.leaks, accounts.unchecked), (vec![], vec![]));
}

/// A view can refuse rows that its table has taken by then.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_view_refuses_are_there_once_when_it_is_mended() {
    let lake = shared().await;
    lake.register(&document("rpl-view", "{ csv: {} }", "")).await.unwrap();
    let first = lake.land("rpl-view", "rpl-view/first.csv", "id,name,amount\n1,a,1\n").await;
    lake.done(&first.unwrap()).await.unwrap();
    for sql in [
        "CREATE TABLE e2e.rpl_view_seen (id UInt32) ENGINE = MergeTree ORDER BY id \
         SETTINGS non_replicated_deduplication_window = 10000",
        "CREATE MATERIALIZED VIEW e2e.rpl_view_view TO e2e.rpl_view_seen AS \
         SELECT id + throwIf(id = 7, 'no seven', 395::Int16) AS id FROM e2e.rpl_view \
         SETTINGS allow_custom_error_code_in_throwif = 1",
    ] {
        lake.query("ingestion", sql).await.unwrap();
    }
    let text = "id,name,amount\n6,a,1\n7,b,1\n8,c,1\n";
    let landed = lake.land("rpl-view", "rpl-view/second.csv", text).await.unwrap();
    lake.dead_letter("second.csv").await.unwrap();
    for sql in [
        "DROP VIEW e2e.rpl_view_view",
        "CREATE MATERIALIZED VIEW e2e.rpl_view_view TO e2e.rpl_view_seen AS SELECT id FROM e2e.rpl_view",
    ] {
        lake.query("ingestion", sql).await.unwrap();
    }
    // Another version of the document has other tokens.
    let more = "errors: { max_bad_share: 0.5 }";
    lake.register(&document("rpl-view", "{ csv: {} }", more)).await.unwrap();
    let event = serde_json::json!({"bucket": "landing", "key": landed.id.key}).to_string();
    lake.send(&event).await.unwrap();
    lake.replayed(&landed).await.unwrap();
    for (table, rows) in [("rpl_view", "4 4"), ("rpl_view_seen", "3 3")] {
        let shape = format!(
            "SELECT concat(toString(count()), ' ', toString(uniqExact(id))) FROM e2e.{table}"
        );
        assert_eq!(lake.scalar(&shape).await.unwrap(), rows, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_leak_of_one_row_is_found() {
    let lake = shared().await;
    let lenient = "errors: { max_bad_share: 1 }";
    lake.register(&document("rpl-leak", "{ csv: {} }", lenient)).await.unwrap();
    let landed = lake.land("rpl-leak", "rpl-leak/it's.csv", TEXT).await.unwrap();
    lake.done(&landed).await.unwrap();
    let leaks = async || {
        let source = lake.ingest.catalog.get("rpl-leak", None).await.unwrap();
        let accounts = lake.ingest.accounts(&source, true).await.unwrap();
        assert!(accounts.unchecked.is_empty(), "{:?}", accounts.unchecked);
        assert_eq!((accounts.hours.len(), accounts.checked), (1, 1));
        let hour = &accounts.hours[0];
        assert_eq!((hour.done, hour.counts.rows_read, hour.unaccounted), (1, 5, 0));
        let found = accounts.leaks.into_iter();
        found.map(|leak| (leak.what, leak.expected, leak.found)).collect::<Vec<_>>()
    };
    assert_eq!(leaks().await, []);
    // A replay is no leak.
    let corrected = document("rpl-leak", "{ csv: {} }", lenient)
        .replace("type: Float64, default: 0", "type: Float64, default: 0, on_error: default");
    lake.register(&corrected).await.unwrap();
    let source = lake.ingest.catalog.get("rpl-leak", None).await.unwrap();
    lake.ingest.replay(&source, &landed.id, "ingestion", Deadline::none()).await.unwrap();
    assert_eq!(leaks().await, []);
    lake.query("ingestion", "DELETE FROM e2e.rpl_leak WHERE _row = 2").await.unwrap();
    assert_eq!(leaks().await, [("rows in the table", 3, 2)]);
    lake.query(
        "ingestion",
        "INSERT INTO e2e.rpl_leak SELECT * FROM e2e.rpl_leak WHERE _row IN (0, 4)",
    )
    .await
    .unwrap();
    assert_eq!(leaks().await, [("rows in the table", 3, 4)]);
    // Begun once more by the document as it is now: what was bad is no longer.
    lake.ingest.ledger.reopen("rpl-leak", &landed.id).await.unwrap().unwrap();
    let event = serde_json::json!({"bucket": "landing", "key": landed.id.key}).to_string();
    lake.send(&event).await.unwrap();
    lake.replayed(&landed).await.unwrap();
    assert_eq!(leaks().await, []);
}
