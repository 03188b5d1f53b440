//! Large Parquet objects, loaded in parts by several invocations at once.

use ledger::{ListQuery, State};
use testkit::{Lake, Setup};

use crate::{connect, document, files};

async fn stack(name: &'static str, split_bytes: usize) -> (devstack::AttachedStack, Lake) {
    let mut setup = Setup { concurrency: 2, ..Setup::new(name) };
    setup.env.insert("MOTHERLODE_SPLIT_BYTES".to_owned(), split_bytes.to_string());
    let stack = tokio::task::spawn_blocking(move || testkit::start(&setup)).await.unwrap().unwrap();
    let lake = connect(stack.state()).await;
    (stack, lake)
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_loaded_side_by_side_and_the_object_is_done_with_the_last() {
    let file = files::parquet(500_000);
    let (_stack, lake) = stack("mother-parts", file.len() / 5).await;
    // Chunks and row groups do not fall together.
    let yaml = document("prt-five", "parquet", "write: { rows_per_chunk: 7000 }");
    lake.register(&yaml).await.unwrap();
    let landed = lake.land("prt-five", "prt-five/x.parquet", file).await.unwrap();
    let record = |of: State| {
        let lake = &lake;
        let landed = &landed;
        async move {
            let record = lake.ingest.ledger.get(&landed.source, &landed.id).await?;
            Ok(record.filter(|record| record.state == of))
        }
    };
    let whole = lake.until("the object to be split", || record(State::Split)).await.unwrap();
    assert!(whole.parts.len() >= 4, "{:?}", whole.parts);
    for pair in whole.parts.windows(2) {
        assert_eq!(pair[0].end, pair[1].start);
        assert_eq!(pair[1].start % 7_000, 0, "a part begins with a chunk");
    }
    // Two at a time, and one of them is killed.
    lake.until("two parts under way", || async {
        let parts = lake.ingest.ledger.parts(&whole).await?;
        let begun = parts.iter().filter(|part| part.next_row > part.part.unwrap().start).count();
        Ok((begun >= 2).then_some(()))
    })
    .await
    .unwrap();
    lake.control.kill_busy("mother").await.unwrap();
    // The event comes again meanwhile.
    let event = serde_json::json!({"bucket": "landing", "key": landed.id.key}).to_string();
    lake.send(&event).await.unwrap();
    let done = lake.done(&landed).await.unwrap();
    lake.drained().await.unwrap();
    assert_eq!((done.counts.rows_read, done.counts.rows_written), (500_000, 500_000));
    assert_eq!((done.counts.chunks, done.next_row), (72, 500_000));
    assert!(!done.is_owing);
    let shape = "SELECT concat(toString(count()), ' ', toString(uniqExact(_row)), ' ', toString(sum(id))) \
                 FROM e2e.prt_five";
    assert_eq!(lake.scalar(shape).await.unwrap(), "500000 500000 124999750000");
    let query = ListQuery { source: Some("prt-five".to_owned()), state: None, limit: 100 };
    assert_eq!(lake.ingest.ledger.list(&query).await.unwrap().len(), 1, "one object, one record");
    let source = lake.ingest.catalog.get("prt-five", None).await.unwrap();
    let accounts = lake.ingest.accounts(&source, true).await.unwrap();
    assert_eq!((accounts.leaks.len(), accounts.checked), (0, 1), "{accounts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_fails_with_the_part_that_cannot_be_read() {
    let mut file = files::parquet(200_000);
    // The middle of the twelfth row group of twenty.
    let (from, length) = (file.len() / 100 * 56, file.len() / 40);
    file[from..from + length].fill(0xff);
    let (_stack, lake) = stack("mother-bad-part", file.len() / 4).await;
    lake.register(&document("prt-bad", "parquet", "write: { rows_per_chunk: 10000 }"))
        .await
        .unwrap();
    let landed = lake.land("prt-bad", "prt-bad/x.parquet", file).await.unwrap();
    let record = lake.settled(&landed).await.unwrap();
    lake.drained().await.unwrap();
    assert_eq!(record.state, State::Failed);
    let reason = record.reason.unwrap();
    assert!(reason.starts_with("part 1 (source rows 60000 to 120000): "), "{reason}");
    // The other parts are in, and so is the bad one up to where it breaks.
    let others = "SELECT count() FROM e2e.prt_bad WHERE _row < 60000 OR _row >= 120000";
    assert_eq!(lake.scalar(others).await.unwrap(), "140000");
    let letter = lake.dead_letter("prt-bad/x.parquet").await.unwrap();
    assert!(letter.contains(r#""part":1"#), "{letter}");
}

/// The chunks of the new document do not end where the part does.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_tried_again_with_other_chunks_leaves_its_neighbour_alone() {
    let file = files::parquet(200_000);
    let (_stack, lake) = stack("mother-part-again", file.len() / 4).await;
    let more = "write: { rows_per_chunk: 10000 }\nerrors: { max_bad_rows: 0 }";
    let strict = document("prt-again", "parquet", more)
        .replace("type: UInt32, required: true", "type: UInt16, required: true");
    lake.register(&strict).await.unwrap();
    let landed = lake.land("prt-again", "prt-again/x.parquet", file).await.unwrap();
    let record = lake.settled(&landed).await.unwrap();
    lake.drained().await.unwrap();
    assert_eq!(record.state, State::Failed);
    lake.query("ingestion", "DROP TABLE IF EXISTS e2e.prt_again SYNC").await.unwrap();
    let mended = document("prt-again", "parquet", "write: { rows_per_chunk: 7000 }");
    lake.register(&mended).await.unwrap();
    let event = serde_json::json!({"bucket": "landing", "key": landed.id.key}).to_string();
    lake.send(&event).await.unwrap();
    lake.replayed(&landed).await.unwrap();
    let shape = "SELECT concat(toString(count()), ' ', toString(uniqExact(_row)), ' ', toString(max(_row))) \
                 FROM e2e.prt_again WHERE _row >= 60000";
    assert_eq!(lake.scalar(shape).await.unwrap(), "140000 140000 199999");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_go_to_the_next_cluster_and_their_debts_are_those_of_the_object() {
    let file = files::parquet(200_000);
    let mut setup = Setup { clusters: &["ingestion", "standby"], ..Setup::new("mother-parts-owe") };
    setup.env.insert("MOTHERLODE_SPLIT_BYTES".to_owned(), (file.len() / 4).to_string());
    let stack = tokio::task::spawn_blocking(move || testkit::start(&setup)).await.unwrap().unwrap();
    let lake = connect(stack.state()).await;
    let write = "write: { rows_per_chunk: 10000, clusters: [ingestion, standby] }";
    lake.register(&document("prt-owe", "parquet", write)).await.unwrap();
    lake.control.kill_cluster("ingestion").await.unwrap();
    let landed = lake.land("prt-owe", "prt-owe/x.parquet", file).await.unwrap();
    let record = lake.done(&landed).await.unwrap();
    assert!(record.is_owing && record.parts.len() >= 3, "{record:?}");
    lake.control.start_cluster("ingestion").await.unwrap();
    assert!(lake.ingest.warehouse.wake("ingestion").await);
    let (scope, none) = (ingest::Scope::default(), runtime::Deadline::none());
    let summary = lake.ingest.reconcile(&scope, none, &Silent).await.unwrap();
    assert_eq!((summary.paid.rows_written, summary.is_even()), (200_000, true), "{summary:?}");
    let shape = "SELECT concat(toString(count()), ' ', toString(uniqExact(_row))) AS shape FROM e2e.prt_owe";
    for cluster in ["ingestion", "standby"] {
        let found = lake.query(cluster, shape).await.unwrap();
        assert_eq!(found[0]["shape"], "200000 200000", "{cluster}");
    }
}

struct Silent;

impl ingest::Watch for Silent {
    fn begin(&self, _debts: &[ingest::Debt]) {}
    fn paid(&self, _cluster: &str, _paid: ingest::Paid) {}
}
