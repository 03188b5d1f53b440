//! Every format in every compression lands, each row once, each saying where
//! it came from.

use rstest::rstest;

use crate::{document, files, shared};

const ROWS: u32 = 25_000;

#[rstest]
#[case("fmt-csv", "{ csv: {} }", files::csv(ROWS), "x.csv")]
#[case("fmt-csv-gz", "{ csv: {} }", files::gzip(&files::csv(ROWS)), "x.csv.gz")]
#[case("fmt-csv-members", "{ csv: {} }", files::gzip_members(&files::csv(ROWS)), "x.csv.gz")]
#[case("fmt-csv-plain-gz", "{ csv: {} }", files::csv(ROWS), "not-really.csv.gz")]
#[case("fmt-csv-zst", "{ csv: {} }", files::zstd(&files::csv(ROWS)), "x.csv.zst")]
#[case("fmt-csv-bz2", "{ csv: {} }", files::bzip2(&files::csv(ROWS)), "no-extension")]
#[case("fmt-jsonl", "{ json: { layout: lines } }", files::json_lines(ROWS), "x.jsonl")]
#[case("fmt-jsonl-gz", "{ json: { layout: lines } }", files::gzip(&files::json_lines(ROWS)), "x.jsonl.gz")]
#[case("fmt-array", "{ json: { layout: array } }", files::json_array(ROWS), "x.json")]
#[case(
    "fmt-document",
    "{ json: { layout: document, path: result.items } }",
    files::json_document(ROWS),
    "x.json"
)]
#[case("fmt-parquet", "parquet", files::parquet(ROWS), "x.parquet")]
#[case("fmt-arrow", "arrow", files::arrow_file(ROWS), "x.arrow")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_lands(
    #[case] source: &str,
    #[case] format: &str,
    #[case] bytes: Vec<u8>,
    #[case] name: &str,
) {
    let lake = shared().await;
    lake.register(&document(source, format, "write: { rows_per_chunk: 10000 }")).await.unwrap();
    let landed = lake.land(source, &format!("{source}/{name}"), bytes).await.unwrap();
    let record = lake.done(&landed).await.unwrap();
    assert_eq!(
        (record.counts.rows_read, record.counts.rows_written),
        (u64::from(ROWS), u64::from(ROWS))
    );
    assert_eq!(record.counts.chunks, 3);
    assert!(record.counts.closes());
    let table = format!("e2e.{}", source.replace('-', "_"));
    let sums = "concat(toString(count()), ' ', toString(uniqExact(id)), ' ', toString(sum(id)), ' ', \
                toString(countIf(name = concat('name ', toString(id)))), ' ', toString(sum(amount)))";
    let expected = format!(
        "SELECT concat('{ROWS} {ROWS} ', toString(sum(number)), ' {ROWS} ', toString(sum(number % 100 + 0.5))) \
         FROM numbers({ROWS})"
    );
    assert_eq!(
        lake.scalar(&format!("SELECT {sums} FROM {table}")).await.unwrap(),
        lake.scalar(&expected).await.unwrap()
    );
    let provenance = lake
        .query(
            "ingestion",
            &format!(
                "SELECT countIf(_row = id) AS in_place, uniqExact(_object) AS objects, any(_object) AS object, \
                 min(_config_version) AS version, min(_loaded_at) > now() - 600 AS fresh FROM {table}"
            ),
        )
        .await
        .unwrap();
    assert_eq!(provenance[0]["object"], landed.id.to_string());
    assert_eq!(provenance[0]["in_place"].to_string().trim_matches('"'), ROWS.to_string());
    assert_eq!(provenance[0]["objects"].to_string().trim_matches('"'), "1");
    assert_eq!(provenance[0]["version"].to_string().trim_matches('"'), "1");
    assert_eq!(provenance[0]["fresh"].to_string(), "1");
}
