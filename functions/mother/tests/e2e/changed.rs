//! Keys that get other bytes, objects that are loaded once more, and chunks whose
//! token is forgotten.

use ingest::{Notice, Outcome};
use ledger::{ChunkDone, ClaimOutcome, ClaimRequest, Pending, State};
use model::{ChunkBounds, Counts, Token};
use runtime::Deadline;
use testkit::{Lake, Landed};

use crate::{document, files, shared};

/// Rows of a table by etag, as `etag rows`, in the order of their numbers.
async fn by_version(lake: &Lake, table: &str) -> Vec<(String, u64)> {
    let sql = format!(
        "SELECT splitByChar('@', toString(_object))[-1] AS etag, count() AS rows FROM e2e.{table} \
         GROUP BY etag ORDER BY rows"
    );
    let rows = lake.query("ingestion", &sql).await.unwrap();
    let one = |row: &serde_json::Value| {
        (row["etag"].as_str().unwrap().to_owned(), row["rows"].as_u64().unwrap())
    };
    rows.iter().map(one).collect()
}

fn notice(landed: &Landed) -> Notice {
    Notice {
        bucket: landed.id.bucket.clone(),
        key: landed.id.key.clone(),
        source: Some(landed.source.clone()),
        etag: None,
        part: None,
        retry_failed: true,
        is_last: false,
    }
}

async fn load(lake: &Lake, landed: &Landed) -> Result<Outcome, ingest::IngestError> {
    lake.ingest.catalog.recheck().await.unwrap();
    lake.ingest.load(&notice(landed), Deadline::none()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_takes_the_place_of_what_was_loaded_of_it() {
    let lake = shared().await;
    let more =
        "changed: replace\nwrite: { rows_per_chunk: 1000, clusters: [ingestion, analytics] }";
    lake.register(&document("chg-replace", "{ csv: {} }", more)).await.unwrap();
    let neighbour = lake.land("chg-replace", "chg-replace/a.csv@old", files::csv(7)).await.unwrap();
    let first = lake.land("chg-replace", "chg-replace/a.csv", files::csv(2_500)).await.unwrap();
    lake.done(&neighbour).await.unwrap();
    lake.done(&first).await.unwrap();
    let second = lake.land("chg-replace", "chg-replace/a.csv", files::csv(30)).await.unwrap();
    let done = lake.done(&second).await.unwrap();
    lake.drained().await.unwrap();
    assert_eq!(
        by_version(&lake, "chg_replace").await,
        [(neighbour.id.etag.clone(), 7), (second.id.etag.clone(), 30)]
    );
    let old = lake.ingest.ledger.get("chg-replace", &first.id).await.unwrap().unwrap();
    assert_eq!((old.state, old.is_owing), (State::Replaced, false));
    assert!(old.reason.unwrap().contains(&second.id.etag), "it says what took its place");
    // It went to one of two clusters and is owed to the other; the old one is not.
    assert!(done.is_owing);
    let owed = lake.ingest.ledger.owing("chg-replace", 10).await.unwrap();
    assert!(owed.iter().all(|record| record.object != first.id), "{owed:?}");
    // Back to the bytes of before: they are loaded again, under tokens of their own.
    let third = lake.land("chg-replace", "chg-replace/a.csv", files::csv(2_500)).await.unwrap();
    assert_eq!(third.id, first.id);
    lake.replayed(&third).await.unwrap();
    lake.drained().await.unwrap();
    assert_eq!(
        by_version(&lake, "chg_replace").await,
        [(neighbour.id.etag, 7), (first.id.etag, 2_500)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_is_left_out_or_added_as_the_document_says() {
    let lake = shared().await;
    lake.register(&document("chg-ignore", "{ csv: {} }", "changed: ignore")).await.unwrap();
    lake.register(&document("chg-append", "{ csv: {} }", "")).await.unwrap();
    for source in ["chg-ignore", "chg-append"] {
        let key = format!("{source}/a.csv");
        let first = lake.land(source, &key, files::csv(20)).await.unwrap();
        lake.done(&first).await.unwrap();
        let second = lake.land(source, &key, files::csv(30)).await.unwrap();
        let outcome = load(&lake, &second).await.unwrap();
        assert_eq!(matches!(outcome, Outcome::Ignored(_)), source == "chg-ignore", "{outcome:?}");
        lake.drained().await.unwrap();
    }
    let count = |table: &str| {
        let sql = format!("SELECT count() FROM e2e.{table}");
        let lake = &lake;
        async move { lake.scalar(&sql).await.unwrap() }
    };
    assert_eq!((count("chg_ignore").await, count("chg_append").await), ("20".into(), "50".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loaded_object_is_loaded_once_more_with_the_document_as_it_is_now() {
    let lake = shared().await;
    let more = "write: { rows_per_chunk: 1000 }";
    let yaml = document("chg-again", "{ csv: {} }", more);
    lake.register(&yaml).await.unwrap();
    let landed = lake.land("chg-again", "chg-again/a.csv", files::csv(2_500)).await.unwrap();
    lake.done(&landed).await.unwrap();
    // With the same document, whose tokens the table remembers, and with another.
    for round in [1, 2] {
        if round == 2 {
            let halved =
                format!("{yaml}transform:\n  - filter: {{ column: id, op: lt, value: 1000 }}\n");
            lake.register(&halved).await.unwrap();
        }
        let open = lake.ingest.ledger.reopen("chg-again", &landed.id).await.unwrap().unwrap();
        assert_eq!(open.state, State::Replaced);
        let outcome = load(&lake, &landed).await.unwrap();
        let Outcome::Loaded(report) = outcome else { panic!("{outcome:?}") };
        let rows = if round == 1 { 2_500 } else { 1_000 };
        assert_eq!(report.counts.rows_inserted, rows);
        let shape =
            "SELECT concat(toString(count()), ' ', toString(uniqExact(_row))) FROM e2e.chg_again";
        assert_eq!(lake.scalar(shape).await.unwrap(), format!("{rows} {rows}"));
        assert!(matches!(load(&lake, &landed).await.unwrap(), Outcome::AlreadyLoaded(_)));
    }
}

/// A chunk landed, its answer was lost, and nobody came back until its token was
/// forgotten: it is found by its rows and not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_whose_token_is_forgotten_is_found_by_its_rows() {
    let lake = shared().await;
    let yaml = document("chg-late", "{ csv: {} }", "write: { rows_per_chunk: 1000 }");
    let yaml = yaml.replace("order_by: [id]", "order_by: [id], deduplication_window: 1");
    let version = lake.register(&yaml).await.unwrap();
    let model = lake.land("chg-late", "chg-late/a.csv", files::csv(2_500)).await.unwrap();
    lake.done(&model).await.unwrap();
    // The same bytes beside the prefix: nothing tells the function of them.
    let landed = lake.land("chg-late", "elsewhere/late.csv", files::csv(2_500)).await.unwrap();
    let request = ClaimRequest {
        source: "chg-late".to_owned(),
        object: landed.id.clone(),
        part: None,
        config_version: version,
        owner: "the dead one".to_owned(),
        lease: std::time::Duration::from_secs(60),
        retry_failed: false,
    };
    let ledger = &lake.ingest.ledger;
    let ClaimOutcome::Claimed(mut claim) = ledger.claim(&request).await.unwrap() else { panic!() };
    let pending = |start: u64| {
        let bounds = ChunkBounds { start, end: start + 1_000 };
        let token = Token::of_chunk("chg-late", &landed.id, version, &bounds);
        Pending { bounds, token, clusters: vec!["ingestion".to_owned()], loaded_at_ms: 1 }
    };
    let put = |rows: &str| {
        let sql = format!(
            "INSERT INTO e2e.chg_late SELECT * REPLACE('{}' AS _object) \
             FROM (SELECT * FROM e2e.chg_late WHERE _object = '{}' AND {rows})",
            landed.id, model.id
        );
        let lake = &lake;
        async move { lake.query("ingestion", &sql).await.unwrap() }
    };
    ledger.intend(&mut claim, pending(0)).await.unwrap();
    put("_row < 1000").await;
    let done = ChunkDone {
        next_row: 1_000,
        counts: Counts {
            rows_read: 1_000,
            rows_written: 1_000,
            rows_inserted: 1_000,
            chunks: 1,
            ..Counts::default()
        },
        on: vec!["ingestion".to_owned()],
        named: vec!["ingestion".to_owned()],
        ..ChunkDone::default()
    };
    ledger.commit(&mut claim, done).await.unwrap();
    // Only a part of the second chunk is there: it touched several partitions.
    ledger.intend(&mut claim, pending(1_000)).await.unwrap();
    put("_row >= 1000 AND _row < 1600").await;
    ledger.pause(claim, None).await.unwrap();
    let error = load(&lake, &landed).await.unwrap_err().chain();
    assert!(error.contains("holds 600 rows of the source rows 1000 to 2000"), "{error}");
    put("_row >= 1600 AND _row < 2000").await;
    let outcome = load(&lake, &landed).await.unwrap();
    let Outcome::Loaded(report) = outcome else { panic!("{outcome:?}") };
    assert_eq!((report.counts.rows_inserted, report.counts.chunks), (2_500, 3));
    let shape = format!(
        "SELECT concat(toString(count()), ' ', toString(uniqExact(_row))) FROM e2e.chg_late WHERE _object = '{}'",
        landed.id
    );
    assert_eq!(lake.scalar(&shape).await.unwrap(), "2500 2500");
}
