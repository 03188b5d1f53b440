//! What is kept of a record, what a bad one becomes, and who answers for a topic
//! that nobody takes.

use kafka::Record;

use crate::lane::{Lane, NOW_MS, RAW, event, trigger};

fn value(text: &[u8]) -> Record {
    Record { value: Some(text.to_vec()), timestamp_ms: *NOW_MS, ..Record::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_kept_with_its_place_and_a_bad_one_is_put_aside() {
    let lane = Lane::start("sink-records", &["ingestion"], trigger()).await;
    // Nobody takes the topic yet: the records wait in Kafka.
    lane.send((0..10).map(event).collect()).await;
    lane.lake.register(RAW).await.unwrap();
    lane.accounted(10).await;
    let bad = [
        Record { value: None, ..event(0) },
        value(b""),
        value(b"no json"),
        value(b"[1, 2]"),
        value(b"{\"a\": "),
        value(b"{\"a\": \"\xff\"}"),
    ];
    let number = bad.len() as u64;
    lane.send(bad.into_iter().chain([value(b"{\"id\": 11,\n \"pretty\": true}")]).collect()).await;
    let counts = lane.accounted(11 + number).await;
    assert!(counts.closes(), "{counts:?}");
    assert_eq!((counts.rows_written, counts.rows_quarantined), (11, number));
    let kept = "SELECT event, _topic, _key, toUnixTimestamp64Milli(_timestamp) AS at, _headers, _config_version \
                FROM e2e.raw WHERE JSONExtractUInt(event, 'id') = 3";
    let kept = lane.lake.query("ingestion", kept).await.unwrap();
    assert_eq!(kept[0]["event"], r#"{"id":3,"name":"Ünïcode 3"}"#);
    assert_eq!(kept[0]["_topic"], "events");
    assert_eq!(kept[0]["_key"], "visitor-3");
    assert_eq!(kept[0]["at"], *NOW_MS);
    assert_eq!(kept[0]["_headers"]["source"], "test");
    assert_eq!(kept[0]["_config_version"], 1);
    let pretty = "SELECT event FROM e2e.raw WHERE event LIKE '%pretty%'";
    let pretty = lane.lake.query("ingestion", pretty).await.unwrap();
    assert_eq!(pretty[0]["event"], "{\"id\": 11,\n \"pretty\": true}", "as it came");
    let aside = "SELECT bucket, key, object, row, reason, hex(raw) AS raw FROM motherlode.quarantine \
                 WHERE source = 'web' ORDER BY reason";
    let aside = lane.lake.query("ingestion", aside).await.unwrap();
    assert_eq!(aside.len() as u64, number, "{aside:?}");
    for row in &aside {
        assert_eq!(row["bucket"], "events");
        let partition = row["key"].as_str().unwrap();
        assert_eq!(row["object"].as_str().unwrap(), format!("kafka://events/{partition}"));
    }
    let reasons: Vec<&str> = aside.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    for expected in ["no value", "no JSON object", "no UTF-8", "malformed JSON:"] {
        assert!(reasons.iter().any(|reason| reason.contains(expected)), "{expected}: {reasons:?}");
    }
    assert!(aside.iter().any(|row| row["raw"] == "7B2261223A2022FF227D"), "{aside:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_typed_in_one_pass_and_their_bad_values_put_aside() {
    let lane = Lane::start("sink-typed", &["ingestion"], trigger()).await;
    let document = "
source: web
version: 1
owner: tests
kind: kafka
stream: { topics: ['ev*'], event: json }
columns:
  - { name: id, type: UInt32, required: true }
  - { name: title, type: LowCardinality(String), from: { path: context.page.title } }
  - { name: tags, type: Array(String), default: '[]' }
  - { name: at, type: \"DateTime64(3, 'UTC')\", from: time }
transform:
  - { filter: { column: title, op: ne, value: drop } }
table: { database: e2e, name: typed_events, order_by: [id] }
";
    lane.lake.register(document).await.unwrap();
    let of = |id: &str, title: &str| {
        value(
            format!(
                r#"{{"id":{id},"context":{{"page":{{"title":"{title}"}}}},"tags":["a","b"],
                "time":"2026-01-02T03:04:05.678Z","more":{{"deep":[1,{{"x":null}}]}}}}"#
            )
            .as_bytes(),
        )
    };
    let mut records: Vec<_> = (0..50).map(|id| of(&id.to_string(), "Home")).collect();
    records.push(of("-1", "Home"));
    records.push(of("51", "drop"));
    records.push(value(b"{\"nothing\": \"in common\"}"));
    lane.send(records).await;
    let counts = lane.accounted(53).await;
    assert!(counts.closes(), "{counts:?}");
    assert_eq!(
        (counts.rows_written, counts.rows_filtered, counts.rows_quarantined),
        (50, 1, 2),
        "{counts:?}"
    );
    let row = "SELECT id, title, tags, toString(at) AS at, event.more.deep AS deep, count() OVER () AS rows \
               FROM e2e.typed_events ORDER BY id LIMIT 1";
    let row = &lane.lake.query("ingestion", row).await.unwrap()[0];
    assert_eq!((&row["id"], &row["title"]), (&0.into(), &"Home".into()));
    assert_eq!(row["tags"], serde_json::json!(["a", "b"]));
    assert_eq!((&row["at"], &row["rows"]), (&"2026-01-02 03:04:05.678".into(), &50.into()));
    let aside = "SELECT column, column_type, reason FROM motherlode.quarantine ORDER BY reason";
    let aside = lane.lake.query("ingestion", aside).await.unwrap();
    assert!(
        aside.iter().all(|row| row["column"] == "id" && row["column_type"] == "UInt32"),
        "{aside:?}"
    );
    // What no column reads is told once a day, with the record that showed it first.
    let drift = "SELECT source, kind, field, action, bucket, toUInt32(key) < 3 AS is_partition, row FROM motherlode.drift \
                 ORDER BY field";
    let drift = lane.lake.query("ingestion", drift).await.unwrap();
    let fields: Vec<_> = drift.iter().map(|event| event["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["more", "nothing"], "{drift:?}");
    for event in &drift {
        let told = ["source", "kind", "action", "bucket"].map(|name| event[name].as_str().unwrap());
        assert_eq!(told, ["web", "unknown", "ignored", "events"]);
        assert!(event["is_partition"] == 1 && !event["row"].is_null(), "{event}");
    }
}

/// A server takes so many partitions of a table in one INSERT: a batch of more, such as
/// years of days after an outage, is no reason to hold its partition up.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_more_partitions_than_an_insert_may_have_is_halved() {
    let trigger =
        devstack::KafkaSourceOptions { batch_size: 10_000, batch_window_ms: 3_000, ..trigger() };
    let lane = Lane::start("sink-partitions", &["ingestion"], trigger).await;
    let document = "
source: web
version: 1
owner: tests
kind: kafka
stream: { topics: [events] }
columns:
  - { name: id, type: UInt32, required: true }
table: { database: e2e, name: many, order_by: [id], partition_by: id }
";
    lane.lake.register(document).await.unwrap();
    lane.send((0..1_500).map(event).collect()).await;
    let counts = lane.accounted(1_500).await;
    assert_eq!((counts.rows_written, counts.rows_quarantined), (1_500, 0), "{counts:?}");
    assert_eq!(lane.rows("ingestion", "many").await, (1_500, 1_500));
    lane.lake.query("ingestion", "SYSTEM FLUSH LOGS").await.unwrap();
    let refusals = "SELECT toString(count()) FROM system.query_log WHERE query_kind = 'Insert' \
                    AND exception_code = 252";
    assert_ne!(lane.lake.scalar(refusals).await.unwrap(), "0", "one INSERT had all of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_a_view_refuses_are_there_once_and_in_its_target_when_it_is_mended() {
    let lane = Lane::start("sink-view", &["ingestion"], trigger()).await;
    lane.lake.register(RAW).await.unwrap();
    lane.with_view("ingestion").await;
    let query = async |sql: &str| lane.lake.query("ingestion", sql).await.unwrap();
    query("DROP VIEW e2e.typing").await;
    query(
        "CREATE MATERIALIZED VIEW e2e.typing TO e2e.typed AS SELECT JSONExtractUInt(event, 'id') \
         + throwIf(JSONExtractUInt(event, 'id') = 7, 'no seven', 395::Int16) AS id, _partition, _offset \
         FROM e2e.raw SETTINGS allow_custom_error_code_in_throwif = 1",
    )
    .await;
    lane.send((0..60).map(event).collect()).await;
    // Each try of the INSERT with the seventh is refused, once the table has its rows.
    let refusals = "SELECT toString(count()) FROM system.query_log WHERE query_kind = 'Insert' \
                    AND exception_code = 395 AND type = 'ExceptionWhileProcessing'";
    lane.lake
        .until("the INSERT to be refused again and again", || async {
            query("SYSTEM FLUSH LOGS").await;
            let times: u64 = lane.lake.scalar(refusals).await?.parse()?;
            Ok((times >= 4).then_some(()))
        })
        .await
        .unwrap();
    let (rows, distinct) = lane.rows("ingestion", "raw").await;
    assert_eq!(rows, distinct, "however often it is tried");
    query("DROP VIEW e2e.typing").await;
    query(
        "CREATE MATERIALIZED VIEW e2e.typing TO e2e.typed AS \
         SELECT JSONExtractUInt(event, 'id') AS id, _partition, _offset FROM e2e.raw",
    )
    .await;
    let counts = lane.accounted(60).await;
    assert_eq!((counts.rows_written, counts.rows_quarantined), (60, 0), "{counts:?}");
    for table in ["raw", "typed"] {
        assert_eq!(lane.rows("ingestion", table).await, (60, 60), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_is_replayed_once_when_its_document_was_corrected() {
    let lane = Lane::start("sink-replay", &["ingestion", "analytics"], trigger()).await;
    let document = |field: &str| {
        format!(
            "
source: web
version: 1
owner: tests
kind: kafka
stream: {{ topics: [events], event: string }}
columns:
  - {{ name: id, type: UInt32, required: true }}
  - {{ name: amount, type: UInt32, from: {field}, required: true }}
table: {{ database: e2e, name: replayed, order_by: [id] }}
write: {{ clusters: [ingestion, analytics], mode: mirror }}
"
        )
    };
    lane.lake.register(&document("amount")).await.unwrap();
    // Somebody has renamed the field.
    let record = |id: i64| {
        let field = if id < 26 { "amount" } else { "sum" };
        value(format!(r#"{{"id":{id},"{field}":{}}}"#, id * 10).as_bytes())
    };
    lane.send((0..40).map(record).collect()).await;
    lane.send(vec![value(b"no json")]).await;
    let counts = lane.accounted(41).await;
    assert_eq!((counts.rows_written, counts.rows_quarantined), (26, 15), "{counts:?}");

    lane.lake.register(&document("sum")).await.unwrap();
    let ingest = &lane.lake.ingest;
    let source = ingest.catalog.get("web", None).await.unwrap();
    let replay = async |cluster: &str| {
        let mut all = (0, 0, 0, 0);
        for object in ingest.quarantined_objects("web", cluster).await.unwrap() {
            let partition = object.key.parse().unwrap();
            let deadline = runtime::Deadline::none();
            let replaying =
                ingest.replay_partition(&source, &object.bucket, partition, cluster, deadline);
            let one = replaying.await.unwrap();
            all = (all.0 + one.written, all.1 + one.bad, all.2 + one.there, all.3 + one.waiting);
        }
        all
    };
    let rows = async |cluster: &str| {
        let sql = "SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(_partition, _offset)) AS records, \
                   toUInt32(sum(amount)) AS amount FROM e2e.replayed";
        let row = lane.lake.query(cluster, sql).await.unwrap().remove(0);
        ["rows", "records", "amount"].map(|name| row[name].as_u64().unwrap())
    };
    assert_eq!(rows("analytics").await, [26, 26, 3250]);
    // Two at the same time, then once more.
    tokio::join!(replay("ingestion"), replay("ingestion"));
    assert_eq!(rows("ingestion").await, [40, 40, 7800]);
    assert_eq!(rows("analytics").await, [26, 26, 3250]);
    for cluster in ["ingestion", "analytics"] {
        replay(cluster).await;
        assert_eq!(replay(cluster).await, (0, 1, 14, 0), "{cluster}");
        assert_eq!(rows(cluster).await, [40, 40, 7800], "{cluster}");
    }
    let known = lane.partitions().await;
    assert!(known.iter().all(|record| record.debts.is_empty()), "{known:?}");
}
