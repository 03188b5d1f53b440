//! Rubbish of every kind: what lands, what is put aside, what fails, and what
//! is said about it.

use ledger::State;
use rstest::rstest;
use serde_json::json;
use testkit::Lake;

use crate::{document, files, shared};

async fn count(lake: &Lake, table: &str) -> String {
    lake.scalar(&format!("SELECT count() FROM e2e.{table}")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_go_to_the_quarantine_with_all_that_is_needed_to_mend_them() {
    let lake = shared().await;
    let yaml = document("bad-rows", "{ csv: {} }", "errors: { max_bad_share: 0.5 }");
    lake.register(&yaml).await.unwrap();
    let text = "id,name,amount\n1,one,1.5\nx2,two,2.5\n3,three\n,four,4.5\n5,five,much\n6,\"s\nix\",6.5\n-7,seven,7\n8,eight,8\n9,nine,9\n10,ten,10\n";
    let landed = lake.land("bad-rows", "bad-rows/x.csv", text).await.unwrap();
    let record = lake.done(&landed).await.unwrap();
    let counts = record.counts;
    assert_eq!((counts.rows_read, counts.rows_written, counts.rows_quarantined), (10, 5, 5));
    let rows = lake
        .query(
            "ingestion",
            "SELECT toUInt32(row) AS row, column, column_type, reason, raw, bucket, key, etag, \
             toUInt32(config_version) AS version FROM motherlode.quarantine WHERE source = 'bad-rows' ORDER BY row",
        )
        .await
        .unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row["row"].clone(), row["column"].clone(), row["raw"].clone()))
        .collect();
    let expected = [
        (json!(1), json!("id"), json!("x2,two,2.5")),
        (json!(2), json!(""), json!("3,three")),
        (json!(3), json!("id"), json!(",four,4.5")),
        (json!(4), json!("amount"), json!("5,five,much")),
        (json!(6), json!("id"), json!("-7,seven,7")),
    ];
    assert_eq!(found, expected);
    assert_eq!(rows[0]["column_type"], "UInt32");
    assert!(rows[0]["reason"].as_str().unwrap().contains("x2"), "{}", rows[0]["reason"]);
    assert_eq!((&rows[0]["key"], &rows[0]["version"]), (&json!("bad-rows/x.csv"), &json!(1)));
    assert_eq!(rows[0]["etag"], landed.id.etag);
    assert_eq!(
        lake.scalar("SELECT arrayStringConcat(groupArray(toString(id)), ',') FROM (SELECT id FROM e2e.bad_rows ORDER BY id)")
            .await
            .unwrap(),
        "1,6,8,9,10"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_bad_rows_fail_the_object_and_nothing_lands() {
    let lake = shared().await;
    lake.register(&document("bad-share", "{ csv: {} }", "errors: { max_bad_share: 0.1 }"))
        .await
        .unwrap();
    let text = "id,name,amount\n1,a,1\nx,b,2\n3,c,3\n4,d,4\ny,e,5\n";
    let landed = lake.land("bad-share", "bad-share/x.csv", text).await.unwrap();
    let record = lake.settled(&landed).await.unwrap();
    assert_eq!(record.state, State::Failed);
    let reason = record.reason.unwrap();
    for words in ["2 of 5 rows are bad", "10 % are tolerated", "row 1, column id"] {
        assert!(reason.contains(words), "{reason}");
    }
    lake.dead_letter(&encoded("bad-share/x.csv")).await.unwrap();
    assert_eq!(count(&lake, "bad_share").await, "0");
}

#[rstest]
#[case("bad-gzip", "{ csv: {} }", "x.csv.gz", truncated(), "cut off")]
#[case("bad-bomb", "{ json: { layout: lines } }", "x.jsonl.gz", bomb(), "longer than")]
#[case(
    "bad-ratio",
    "{ json: { layout: lines } }",
    "x.jsonl.zst",
    repetition(),
    "decompression bomb"
)]
#[case("bad-extension", "{ csv: {} }", "x.csv", files::parquet(10), "Parquet")]
#[case("bad-parquet", "parquet", "x.parquet", files::csv(10), "Parquet")]
#[case("bad-array", "{ json: { layout: array } }", "x.json", b"[{\"id\":1},{\"id\":2".to_vec(), "end")]
#[case("bad-lines", "{ json: { layout: lines } }", "x.json", files::json_array(3), "array")]
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_decoded_fails_with_the_reason(
    #[case] source: &str,
    #[case] format: &str,
    #[case] name: &str,
    #[case] bytes: Vec<u8>,
    #[case] words: &str,
) {
    let lake = shared().await;
    lake.register(&document(source, format, "")).await.unwrap();
    let key = format!("{source}/{name}");
    let landed = lake.land(source, &key, bytes).await.unwrap();
    let record = lake.settled(&landed).await.unwrap();
    assert_eq!(record.state, State::Failed);
    let reason = record.reason.unwrap();
    assert!(reason.to_lowercase().contains(&words.to_lowercase()), "{reason}");
    assert!(reason.contains(&key), "{reason}");
    assert_eq!(count(&lake, &source.replace('-', "_")).await, "0");
    lake.dead_letter(&encoded(&key)).await.unwrap();
}

#[rstest]
#[case("empty-csv", "{ csv: {} }", "x.csv")]
#[case("empty-json", "{ json: { layout: lines } }", "x.json")]
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_done_with_no_rows(
    #[case] source: &str,
    #[case] format: &str,
    #[case] name: &str,
) {
    let lake = shared().await;
    lake.register(&document(source, format, "")).await.unwrap();
    let landed = lake.land(source, &format!("{source}/{name}"), "").await.unwrap();
    let record = lake.done(&landed).await.unwrap();
    assert_eq!((record.counts.rows_read, record.counts.chunks), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_no_source_ends_in_the_dead_letters() {
    let lake = shared().await;
    lake.land("nobody", "nobody-knows/x.csv", files::csv(1)).await.unwrap();
    lake.dead_letter("nobody-knows").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_that_nobody_may_create_waits_in_the_dead_letters() {
    let lake = shared().await;
    let yaml = document("bad-table", "{ csv: {} }", "")
        .replace("order_by: [id]", "order_by: [id], create: never");
    lake.register(&yaml).await.unwrap();
    let landed = lake.land("bad-table", "bad-table/x.csv", files::csv(3)).await.unwrap();
    lake.dead_letter(&encoded("bad-table/x.csv")).await.unwrap();
    let record = lake.ingest.ledger.get(&landed.source, &landed.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.next_row), (State::Failed, 0));
    assert!(record.reason.unwrap().contains("it is missing; create it"));
    lake.query(
        "ingestion",
        "CREATE TABLE e2e.bad_table (id UInt32, name Nullable(String), amount Float64, _object String, _row UInt64, \
         _config_version UInt64, _loaded_at DateTime64(3)) ENGINE = MergeTree ORDER BY id \
         SETTINGS non_replicated_deduplication_window = 100",
    )
    .await
    .unwrap();
    lake.send(r#"{"bucket":"landing","key":"bad-table/x.csv"}"#).await.unwrap();
    lake.replayed(&landed).await.unwrap();
    assert_eq!(count(&lake, "bad_table").await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_document_stops_its_own_source_alone() {
    let lake = shared().await;
    lake.register(&document("bad-document", "{ csv: {} }", "")).await.unwrap();
    lake.break_document("bad-document").await.unwrap();
    lake.register(&document("bad-neighbour", "{ csv: {} }", "")).await.unwrap();
    // Asked until a warm function has seen the change: the neighbour is new.
    let neighbour = lake.land("bad-neighbour", "bad-neighbour/x.csv", files::csv(2)).await.unwrap();
    // A warm function may have read the document before it was broken: it takes
    // objects until it looks again.
    let landing = async {
        for n in 0.. {
            let key = format!("bad-document/{n}.csv");
            lake.land("bad-document", &key, files::csv(2)).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        }
    };
    let folder = encoded("bad-document/");
    tokio::select! {
        found = lake.dead_letter(&folder) => drop(found.unwrap()),
        () = landing => unreachable!("it lands objects for ever"),
    }
    if lake.ingest.ledger.get("bad-neighbour", &neighbour.id).await.unwrap().is_none() {
        lake.send(r#"{"bucket":"landing","key":"bad-neighbour/x.csv"}"#).await.unwrap();
    }
    lake.done(&neighbour).await.unwrap();
    assert_eq!(count(&lake, "bad_neighbour").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_object_never_fails_its_neighbours() {
    let lake = shared().await;
    lake.register(&document("bad-one", "{ csv: {} }", "")).await.unwrap();
    let good = files::gzip(&files::csv(100));
    let bad = &good[..good.len() / 2];
    let mut landed = Vec::new();
    for n in 0..9 {
        let bytes = if n == 4 { bad.to_vec() } else { good.clone() };
        landed.push(lake.land("bad-one", &format!("bad-one/{n}.csv.gz"), bytes).await.unwrap());
    }
    for (n, object) in landed.iter().enumerate() {
        let record = lake.settled(object).await.unwrap();
        assert_eq!(record.state, if n == 4 { State::Failed } else { State::Done }, "{n}");
    }
    assert_eq!(count(&lake, "bad_one").await, "800");
}

/// An object fails after a chunk has landed, and its document is mended: the
/// rest goes on only where it belongs with what is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_mended_document_goes_on_where_the_old_one_stopped_or_not_at_all() {
    let lake = shared().await;
    let first = document("bad-mended", "{ csv: {} }", "write: { rows_per_chunk: 1000 }");
    let text: String = std::iter::once("id,name,amount\n".to_owned())
        .chain((0..3_000).map(|id| match id {
            2_500 => "2500,x,much\n".to_owned(),
            id => format!("{id},x,1\n"),
        }))
        .collect();
    let elsewhere = first.replace("name: bad_mended", "name: bad_mended_elsewhere");
    let tolerant = format!("{first}errors: {{ max_bad_rows: 1, max_bad_share: 1 }}\n");
    assert_ne!(first, elsewhere);
    lake.register(&format!("{first}errors: {{ max_bad_rows: 0 }}\n")).await.unwrap();
    let landed = lake.land("bad-mended", "bad-mended/x.csv", text).await.unwrap();
    let record = lake.settled(&landed).await.unwrap();
    assert_eq!(
        (record.state, record.next_row, record.written_version),
        (State::Failed, 2_000, Some(1))
    );

    let again = async || {
        lake.ingest.catalog.recheck().await.unwrap();
        let notice = ingest::Notice {
            bucket: landed.id.bucket.clone(),
            key: landed.id.key.clone(),
            source: None,
            etag: None,
            part: None,
            retry_failed: true,
            is_last: false,
        };
        lake.ingest.load(&notice, runtime::Deadline::none()).await
    };
    lake.register(&elsewhere).await.unwrap();
    let error = again().await.unwrap_err().chain();
    for words in ["2000 of its rows", "e2e.bad_mended", "version 1", "changed `table`"] {
        assert!(error.contains(words), "{error}");
    }
    lake.register(&tolerant).await.unwrap();
    again().await.unwrap();
    let record = lake.done(&landed).await.unwrap();
    assert_eq!(
        (record.counts.rows_read, record.counts.rows_written, record.counts.rows_quarantined),
        (3_000, 2_999, 1)
    );
    assert_eq!(
        lake.scalar(
            "SELECT concat(toString(count()), ' ', toString(uniqExact(_row))) FROM e2e.bad_mended"
        )
        .await
        .unwrap(),
        "2999 2999"
    );
}

/// A key as the AWS stand-in spells it in a notification.
fn encoded(key: &str) -> String {
    key.replace('/', "%2F")
}

fn truncated() -> Vec<u8> {
    let whole = files::gzip(&files::csv(50_000));
    whole[..whole.len() * 2 / 3].to_vec()
}

/// A gigabyte of one row in a few megabytes.
/// 64 MiB of blank lines in some kilobytes: more than any gzip could hold.
fn repetition() -> Vec<u8> {
    files::zstd(&b"\n".repeat(64 << 20))
}

fn bomb() -> Vec<u8> {
    let megabyte = vec![b'x'; 1 << 20];
    let member = files::gzip(&megabyte);
    member.repeat(1_024)
}
