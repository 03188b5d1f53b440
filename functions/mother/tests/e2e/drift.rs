//! Drift: what an object has beyond its document, or lacks, and what each
//! policy makes of it, with its event.

use std::fmt::Write as _;

use rstest::rstest;
use serde_json::Value;

use crate::{document, files, shared};

/// The events of a source: kind, field, action, column type.
async fn events(lake: &testkit::Lake, cluster: &str, source: &str) -> Vec<[String; 4]> {
    let sql = format!(
        "SELECT kind, field, action, column_type FROM motherlode.drift WHERE source = '{source}' ORDER BY field"
    );
    let rows = lake.query(cluster, &sql).await.unwrap();
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| ["kind", "field", "action", "column_type"].map(|name| word(row, name)))
        .collect()
}

/// Rows of which some, from the middle of a later chunk on, have more keys.
fn growing(rows: u32) -> String {
    let mut text = String::new();
    for id in 0..rows {
        let more = match id {
            25_000.. => {
                format!(r#","a.b":{id},"tags":["x",null],"when":"2026-01-02","nested":{{"k":[1]}}"#)
            }
            _ => String::new(),
        };
        writeln!(text, r#"{{"id":{id},"name":"n","amount":1{more}}}"#).unwrap();
    }
    text
}

/// The new columns come in the middle of an object of three chunks; a second
/// object finds them there.
#[tokio::test(flavor = "multi_thread")]
async fn new_columns_are_added_before_the_first_row_that_needs_them() {
    let lake = shared().await;
    let more = "drift: { unknown: add }\nwrite: { rows_per_chunk: 10000, clusters: [ingestion, analytics] }";
    lake.register(&document("drift-add", "{ json: { layout: lines } }", more)).await.unwrap();
    for (name, ids) in [("1", 0), ("2", 30_000)] {
        let landed = lake
            .land("drift-add", &format!("drift-add/{name}.jsonl"), growing(30_000).into_bytes())
            .await
            .unwrap();
        let record = lake.done(&landed).await.unwrap();
        assert_eq!((record.counts.rows_written, record.counts.chunks), (30_000, 3), "{ids}");
        assert!(record.counts.closes());
    }
    let found = lake
        .scalar(
            "SELECT toString((count(), uniqExact((_object, _row)), countIf(a_b = id), countIf(tags = ['x', NULL]), \
             countIf(`when` = '2026-01-02'), countIf(nested = '{\"k\":[1]}'), countIf(a_b IS NULL AND empty(tags)))) \
             FROM e2e.drift_add",
        )
        .await
        .unwrap();
    assert_eq!(found, "(60000,60000,10000,10000,10000,10000,50000)");
    let types = "SELECT arrayStringConcat(groupArray(concat(name, ' ', type)), '; ') AS types FROM \
                 (SELECT * FROM system.columns WHERE database = 'e2e' AND table = 'drift_add' \
                 AND name IN ('a_b', 'tags', 'when', 'nested') ORDER BY position)";
    for cluster in ["ingestion", "analytics"] {
        assert_eq!(
            lake.query(cluster, types).await.unwrap()[0]["types"],
            "a_b Nullable(Int64); tags Array(Nullable(String)); when Nullable(Date32); nested Nullable(String)"
        );
    }
    let added = |field: &str, column_type: &str| {
        ["unknown", field, "added", column_type].map(str::to_owned)
    };
    assert_eq!(
        events(&lake, "ingestion", "drift-add").await,
        [
            added("a.b", "Nullable(Int64)"),
            added("nested", "Nullable(String)"),
            added("tags", "Array(Nullable(String))"),
            added("when", "Nullable(Date32)"),
        ]
    );
}

#[rstest]
#[case("add-csv", "{ csv: {} }", files::csv(20_000))]
#[case("add-parquet", "parquet", files::parquet(20_000))]
#[case("add-arrow", "arrow", files::arrow_file(20_000))]
#[tokio::test(flavor = "multi_thread")]
async fn formats_with_a_header_add_columns_too(
    #[case] source: &str,
    #[case] format: &str,
    #[case] bytes: Vec<u8>,
) {
    let lake = shared().await;
    let narrow = document(source, format, "drift: { unknown: add, missing: fail }")
        .replace("  - { name: name, type: Nullable(String) }\n", "")
        .replace("  - { name: amount, type: Float64, default: 0 }\n", "");
    lake.register(&narrow).await.unwrap();
    let landed = lake.land(source, &format!("{source}/x"), bytes).await.unwrap();
    lake.done(&landed).await.unwrap();
    let table = source.replace('-', "_");
    let sums = format!(
        "SELECT toString((count(), countIf(name = concat('name ', toString(id))), sum(amount) = \
         (SELECT sum(number % 100 + 0.5) FROM numbers(20000)))) FROM e2e.{table}"
    );
    assert_eq!(lake.scalar(&sums).await.unwrap(), "(20000,20000,1)");
    let events = events(&lake, "ingestion", source).await;
    assert_eq!(events[0], ["unknown", "amount", "added", "Nullable(Float64)"]);
    assert_eq!(events[1], ["unknown", "name", "added", "Nullable(String)"]);
}

/// Keys that are data do not become columns without end.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_new_columns_fail_the_object() {
    let lake = shared().await;
    let yaml = document("drift-many", "{ json: { layout: lines } }", "drift: { unknown: add }");
    lake.register(&yaml).await.unwrap();
    let text: String = (0..101).map(|id| format!("{{\"id\":{id},\"key{id}\":1}}\n")).collect();
    let landed = lake.land("drift-many", "drift-many/x.jsonl", text.into_bytes()).await.unwrap();
    let record = lake.settled(&landed).await.unwrap();
    assert_eq!(record.state, ledger::State::Failed);
    let reason = record.reason.unwrap();
    assert!(reason.contains("with 101 more, 101 columns of e2e.drift_many"), "{reason}");
    assert_eq!(lake.scalar("SELECT toString(count()) FROM e2e.drift_many").await.unwrap(), "0");
}

#[rstest]
#[case("drift-ignore", "unknown: ignore", 100, [["missing", "amount", "null", ""], ["unknown", "more", "ignored", ""]])]
#[case("drift-quarantine", "unknown: quarantine, missing: quarantine", 0,
    [["missing", "amount", "quarantined", ""], ["unknown", "more", "quarantined", ""]])]
#[tokio::test(flavor = "multi_thread")]
async fn every_policy_leaves_an_event(
    #[values("csv", "jsonl")] format: &str,
    #[case] name: &str,
    #[case] policy: &str,
    #[case] written: u64,
    #[case] expected: [[&str; 4]; 2],
) {
    let lake = shared().await;
    let source = format!("{name}-{format}");
    let (stated, text) = match format {
        "csv" => ("{ csv: {} }", "id,name,more\n1,a,x\n".to_owned() + &"2,b,y\n".repeat(99)),
        _ => ("{ json: { layout: lines } }", "{\"id\":1,\"name\":\"a\",\"more\":1}\n".repeat(100)),
    };
    let more = format!("drift: {{ {policy} }}\nerrors: {{ max_bad_share: 1 }}");
    lake.register(&document(&source, stated, &more)).await.unwrap();
    let landed =
        lake.land(&source, &format!("{source}/x.{format}"), text.into_bytes()).await.unwrap();
    let record = lake.done(&landed).await.unwrap();
    assert_eq!((record.counts.rows_written, record.counts.rows_read), (written, 100));
    assert!(record.counts.closes());
    let events = events(&lake, "ingestion", &source).await;
    // A JSON row is put aside for one reason.
    let expected: Vec<_> = expected
        .iter()
        .filter(|event| !(format == "jsonl" && written == 0 && event[0] == "missing"))
        .map(|event| event.map(str::to_owned))
        .collect();
    assert_eq!(events, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_object_leaves_its_event() {
    let lake = shared().await;
    let yaml = document("drift-fail", "{ csv: {} }", "drift: { unknown: fail }");
    lake.register(&yaml).await.unwrap();
    let text = "id,name,amount,more\n1,a,2,x\n";
    let landed =
        lake.land("drift-fail", "drift-fail/x.csv", text.as_bytes().to_vec()).await.unwrap();
    assert_eq!(lake.settled(&landed).await.unwrap().state, ledger::State::Failed);
    assert_eq!(events(&lake, "ingestion", "drift-fail").await, [["unknown", "more", "failed", ""]]);
}
