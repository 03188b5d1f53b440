//! Tables: created as the document says, checked before anything is inserted.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use model::document::Create;
use model::{Disposed, Disposition, ObjectId, RejectedRow};
use rstest::rstest;
use warehouse::{Select, Warehouse, WarehouseError, quarantine};

use crate::support::{BATCH, CLUSTER, Database, batch, columns, load, token};

#[tokio::test]
async fn a_table_is_created_as_the_document_says() {
    let database = Database::new("created").await;
    let mut table = database.events();
    table.database = format!("{}_new", database.name);
    table.name = "odd `name` 'ü'".into();
    table.columns =
        columns(&[("k", "UInt64"), ("a b`c", "Nullable(String)"), ("at", "DateTime64(3, 'UTC')")]);
    table.engine = "ReplacingMergeTree(at)".into();
    table.partition_by = Some("toYYYYMM(at)".into());
    table.order_by = vec!["k".into(), "toDate(at)".into()];
    table.ttl = Some("toDateTime(at) + INTERVAL 10 YEAR".into());
    for _ in 0..2 {
        database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    }
    let sql = format!(
        "SELECT engine, partition_key, sorting_key, \
         extract(engine_full, 'TTL (.*) SETTINGS'), extract(engine_full, 'deduplication_window = (\\\\d+)') \
         FROM system.tables WHERE database = '{}'",
        table.database
    );
    assert_eq!(
        database.ask(&sql).await,
        "ReplacingMergeTree\ttoYYYYMM(at)\tk, toDate(at)\ttoDateTime(at) + toIntervalYear(10)\t1000"
    );
    database.run(&format!("DROP DATABASE {}", table.database)).await;
    database.drop().await;
}

/// More or fewer rows than come in would make the accounting a lie.
#[tokio::test]
async fn a_select_that_does_not_go_row_by_row_is_refused() {
    let database = Database::new("row_by_row").await;
    let mut table = database.events();
    for (expressions, step) in [
        ("k, arrayJoin([1, 2]) AS x", Some("arrayJoin")),
        ("TOP 1 k", Some("Limit")),
        ("DISTINCT k", Some("Distinct")),
        ("sum(k) AS k", Some("Aggregating")),
        ("k, row_number() OVER () AS n", Some("Window")),
        (
            "k IN (SELECT number FROM numbers(3)) AS is_small, (SELECT max(number) FROM numbers(5)) AS most",
            None,
        ),
        ("k, arrayMap(x -> x + 1, [k]) AS ks, '__arrayJoin' AS word", None),
    ] {
        table.select = Some(Select { expressions: expressions.into(), passed: vec![] });
        table.order_by = vec![];
        table.name = format!("t{}", expressions.len());
        let prepared = database.warehouse.prepare(CLUSTER, &table).await;
        match (prepared, step) {
            (Ok(()), None) => {}
            (Err(error), Some(step)) => {
                assert!(error.to_string().contains(&format!("the step `{step}`")), "{error}");
            }
            (prepared, _) => panic!("{expressions}: {prepared:?}"),
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn with_select_the_table_has_the_columns_of_the_sql() {
    let database = Database::new("select").await;
    let mut table = database.events();
    table.columns.extend(columns(&[("_row", "UInt64")]));
    table.select = Some(Select {
        expressions: "k * 2 AS twice, toDate('2026-01-01') + k % 7 AS day, s".into(),
        passed: vec!["_row".into()],
    });
    table.order_by = vec!["twice".into()];
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    let sql = format!(
        "SELECT name, type FROM system.columns WHERE database = '{}' ORDER BY position",
        database.name
    );
    assert_eq!(database.ask(&sql).await, "twice\tUInt64\nday\tDate\ns\tString\n_row\tUInt64");

    let keys: ArrayRef = Arc::new(UInt64Array::from(vec![1, 2]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let rows: ArrayRef = Arc::new(UInt64Array::from(vec![10, 11]));
    let batch =
        RecordBatch::try_from_iter([("k", keys), ("s", texts), ("_row", rows)]).expect("a batch");
    load(&database.warehouse, &table, token(1), std::slice::from_ref(&batch)).await.expect("load");
    // Another process has not prepared it and asks for the names itself.
    let other = Database::new("select_other").await;
    load(&other.warehouse, &table, token(2), &[batch]).await.expect("load");
    let sql = format!(
        "SELECT twice, day, s, _row, count() FROM {}.events GROUP BY ALL ORDER BY ALL",
        database.name
    );
    assert_eq!(database.ask(&sql).await, "2\t2026-01-02\tx\t10\t2\n4\t2026-01-03\ty\t11\t2");

    table.select = Some(Select { expressions: "nothing_like_it".into(), passed: vec![] });
    let error = database.warehouse.prepare(CLUSTER, &table).await.expect_err("no such column");
    assert_eq!(
        (error.server_code(), error.disposition()),
        (Some(47), Disposition::Fatal),
        "{error}"
    );
    other.drop().await;
    database.drop().await;
}

/// The statement at the end of a message that says what to run.
fn remedy(error: &WarehouseError) -> String {
    let text = error.to_string();
    let at = text.rfind("ALTER TABLE").unwrap_or_else(|| panic!("no statement in: {text}"));
    text[at..].to_owned()
}

#[rstest]
#[case::no_window("k UInt64, s String", "")]
#[case::no_column("k UInt64", "SETTINGS non_replicated_deduplication_window = 5")]
#[case::narrow_column(
    "k UInt64, s FixedString(3)",
    "SETTINGS non_replicated_deduplication_window = 5"
)]
#[case::other_column("k UInt64, s Int32", "SETTINGS non_replicated_deduplication_window = 5")]
#[tokio::test]
async fn a_table_that_does_not_fit_is_refused_with_the_remedy(
    #[case] there: &str,
    #[case] settings: &str,
) {
    let tag: String =
        there.chars().filter(char::is_ascii_alphanumeric).chain(settings.chars().take(1)).collect();
    let database = Database::new(&format!("misfit_{tag}")).await;
    let name = &database.name;
    database
        .run(&format!(
            "CREATE TABLE {name}.events ({there}) ENGINE = MergeTree ORDER BY k {settings}"
        ))
        .await;
    let table = database.events();
    let prepared = database.warehouse.prepare(CLUSTER, &table).await;
    if there.contains("FixedString") {
        // Texts that are too long are refused by the server, loudly.
        prepared.expect("it may hold the texts");
    } else {
        let error = prepared.expect_err("a misfit");
        assert_eq!(error.disposition(), Disposition::Fatal, "{error}");
        database.run(&remedy(&error)).await;
        database.warehouse.prepare(CLUSTER, &table).await.expect("mended");
        for _ in 0..2 {
            load(&database.warehouse, &table, token(1), &[batch(0)]).await.expect("load");
        }
        assert_eq!(database.rows("events").await, (BATCH, BATCH));
    }
    database.drop().await;
}

#[tokio::test]
async fn a_table_that_somebody_else_creates_is_waited_for() {
    let database = Database::new("never").await;
    let mut table = database.events();
    table.create = Create::Never;
    let error = database.warehouse.prepare(CLUSTER, &table).await.expect_err("missing");
    assert!(error.to_string().contains("table.create: auto"), "{error}");
    assert_eq!(error.disposition(), Disposition::Fatal);
    database.drop().await;
}

#[tokio::test]
async fn a_table_that_was_dropped_is_made_anew() {
    let database = Database::new("again").await;
    let table = database.events();
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    database.run(&format!("DROP TABLE {}.events", database.name)).await;
    let batches: Vec<_> = (0..20).map(batch).collect();
    let error = load(&database.warehouse, &table, token(1), &batches).await.expect_err("no table");
    assert_eq!(
        (error.server_code(), error.disposition()),
        (Some(60), Disposition::Retry),
        "{error}"
    );
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    load(&database.warehouse, &table, token(1), &batches).await.expect("load");
    assert_eq!(database.rows("events").await, (20 * BATCH, 20 * BATCH));
    database.drop().await;
}

#[tokio::test]
async fn quarantined_rows_say_where_they_come_from() {
    let database = Database::new("quarantine").await;
    let mut table = quarantine::table();
    table.database = database.name.clone();
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    let object = ObjectId { bucket: "b".into(), key: "k/ü".into(), etag: "e".into() };
    let rows = [RejectedRow {
        row: u64::MAX,
        column: "price".into(),
        column_type: "Int32".into(),
        reason: "`x` is no number".into(),
        raw: b"a\xff\0,x".to_vec(),
    }];
    let of = quarantine::Quarantined {
        source: "s",
        place: (&object).into(),
        config_version: 3,
        chunk: &token(1),
        at_ms: 1_700_000_000_123,
    };
    let batches = quarantine::batches(&of, &rows).expect("batches");
    for _ in 0..2 {
        let companion = token(1).companion("quarantine");
        load(&database.warehouse, &table, companion, &batches).await.expect("load");
    }
    let sql = format!(
        "SELECT source, bucket, key, etag, object, row, column, column_type, reason, hex(raw), config_version, \
         token = '{}', at FROM {}.quarantine",
        token(1),
        database.name
    );
    assert_eq!(
        database.ask(&sql).await,
        "s\tb\tk/ü\te\ts3://b/k/ü@e\t18446744073709551615\tprice\tInt32\t`x` is no number\t61FF002C78\t3\t1\t\
         2023-11-14 22:13:20.123"
    );
    database.drop().await;
}

#[tokio::test]
async fn a_query_gives_rows_as_json() {
    let database = Database::new("query").await;
    let sql = "SELECT {a:UInt64} AS a, {b:String} AS b, [1.5, nan] AS c, toDecimal64(0.1, 3) AS d";
    let params = [("a", u64::MAX.to_string()), ("b", "it's\t\\ ?".to_owned())];
    let rows = database.warehouse.query(CLUSTER, sql, &params).await.expect("query");
    assert_eq!(
        serde_json::to_string(&rows).expect("JSON"),
        r#"[{"a":18446744073709551615,"b":"it's\t\\ ?","c":[1.5,"nan"],"d":"0.1"}]"#
    );
    let error = database
        .warehouse
        .query(CLUSTER, "SELECT * FROM numbers(10001)", &[])
        .await
        .expect_err("too many");
    assert_eq!(error.server_code(), Some(396), "{error}");
    let error = database
        .warehouse
        .query_raw(CLUSTER, "SELECT repeat('x', 5000)", "TSV", 1000)
        .await
        .expect_err("long");
    assert_eq!(error.server_code(), Some(396), "{error}");
    database.drop().await;
}
