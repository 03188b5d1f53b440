//! The whole lane: a page in headless Chromium with the tracker, and a server with
//! Segment's own SDK, through the pixel, Kafka and the sink into the tables of
//! `infra/clickhouse/clickstream`. Each event is there once, and the funnel knows
//! the visitor.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking, like the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use devstack::{
    AttachedStack, ClusterOptions, Control, FunctionOptions, KafkaOptions, KafkaSourceOptions,
    Options, Program, StackState, TopicOptions,
};
use serde_json::Value;
use testkit::Lake;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const KEY: &str = "wk_shop_0001";
const DOCUMENT: &str = "
source: web
version: 1
owner: tests
kind: kafka
stream:
  topics: [events]
  pixel: { keys: [wk_shop_0001] }
table: { database: clickstream, name: raw_events, order_by: [_topic, _partition, _offset], create: never }
";

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_in_a_page_is_in_the_funnel_each_event_once() {
    let stack = tokio::task::spawn_blocking(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(AttachedStack::start(&options(), &|_| ())).unwrap()
    });
    let stack = stack.await.unwrap();
    let lake = Lake::of(stack.state()).await.unwrap();
    for sql in tables() {
        lake.query("ingestion", &sql).await.unwrap();
    }
    lake.register(DOCUMENT).await.unwrap();
    let pixel = stack.state().function("pixel").unwrap().url.clone().unwrap();
    let control = outages(stack.state()).await;
    let (pixel, control) = (pixel.as_str(), control.as_str());
    let visited =
        script("visit.mjs", &["--pixel", pixel, "--key", KEY, "--control", control]).await;
    let served = script("segment.mjs", &["--pixel", pixel, "--key", KEY]).await;
    let sent: BTreeSet<String> = ids(&visited).chain(ids(&served)).collect();
    assert!(sent.len() > 30, "{sent:?}");

    let found = "SELECT event_id FROM clickstream.events_current";
    let found = lake
        .until("every event to be in the table", || async {
            let rows = lake.query("ingestion", found).await?;
            Ok((rows.len() >= sent.len()).then_some(rows))
        })
        .await
        .unwrap();
    let found: Vec<String> =
        found.iter().map(|row| row["event_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), sent);
    assert_eq!(found.len(), sent.len(), "an event is there twice");
    let raw = "SELECT toString(count() - uniqExact(_partition, _offset)) AS twice FROM clickstream.raw_events";
    assert_eq!(lake.query("ingestion", raw).await.unwrap()[0]["twice"], "0");
    let times = "SELECT name, visitor_id, toString(time) AS time, toString(original_time) AS original_time, \
                 toString(received_at) AS received_at FROM clickstream.events_current WHERE browser = 'Chrome' \
                 ORDER BY original_time";
    let times = lake.query("ingestion", times).await.unwrap();
    let funnel = "SELECT name, visitors FROM clickstream.funnel(steps = ['Product Viewed', 'Product Added', \
                  'Checkout Started', 'Order Completed'], window = 3600, from = '2020-01-01 00:00:00', \
                  to = '2100-01-01 00:00:00', breakdown = 'browser') WHERE breakdown = 'Chrome' ORDER BY step";
    let funnel = lake.query("ingestion", funnel).await.unwrap();
    let steps: Vec<_> =
        funnel.iter().map(|row| (row["name"].as_str().unwrap(), &row["visitors"])).collect();
    let one = Value::from(1);
    assert_eq!(
        steps,
        [
            ("Product Viewed", &one),
            ("Product Added", &one),
            ("Checkout Started", &one),
            ("Order Completed", &one)
        ],
        "{times:#?}"
    );
}

fn ids(said: &Value) -> impl Iterator<Item = String> {
    said["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["messageId"].as_str().unwrap().to_owned())
}

/// Runs a script of the tracker's and reads what it says must arrive.
async fn script(name: &str, arguments: &[&str]) -> Value {
    let folder = root().join("functions/pixel/tracker/e2e");
    let mut command = Command::new("node");
    command.arg(folder.join(name)).args(arguments).current_dir(&folder);
    let said = tokio::task::spawn_blocking(move || {
        if !folder.join("node_modules").is_dir() {
            let mut install = Command::new("npm");
            install.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder);
            assert!(install.status().unwrap().success(), "npm ci in {}", folder.display());
        }
        command.output().unwrap()
    });
    let said = said.await.unwrap();
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{name}: {error}");
    serde_json::from_slice(&said.stdout).unwrap()
}

/// Listens for `POST {"down": true}` and `{"down": false}`: Kafka goes away, and
/// with it everything durable, and comes back.
async fn outages(state: &StackState) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let control = Control::new(state);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut piece = [0; 1024];
                let read = stream.read(&mut piece).await.unwrap();
                request.extend_from_slice(&piece[..read]);
            }
            match String::from_utf8_lossy(&request).contains("true") {
                true => control.stop_kafka().await.unwrap(),
                false => control.start_kafka().await.unwrap(),
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    });
    url
}

/// The statements that make the tables and views.
fn tables() -> Vec<String> {
    let folder = root().join("infra/clickhouse/clickstream");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

fn options() -> Options {
    let programs = testkit::programs().unwrap();
    let mut pixel = FunctionOptions::new("pixel", programs.join("pixel"));
    pixel.http = true;
    pixel.concurrency = 2;
    let mut sink = FunctionOptions::new("kafka-sink", programs.join("kafka-sink"));
    sink.kafka = vec![KafkaSourceOptions {
        topic: "events".to_owned(),
        batch_window_ms: 200,
        report_batch_item_failures: true,
        ..KafkaSourceOptions::default()
    }];
    let topic = |name: &str, partitions| TopicOptions { name: name.to_owned(), partitions };
    let defaults = Options::default();
    Options {
        name: "clickstream-e2e".to_owned(),
        root: root().join(".motherlode"),
        program: Program { path: programs.join("motherlode"), ..defaults.program.clone() },
        launcher: Some(programs.join("launcher")),
        clusters: vec![ClusterOptions {
            name: "ingestion".to_owned(),
            role: "ingestion".to_owned(),
        }],
        buckets: vec![],
        functions: vec![pixel, sink],
        kafka: Some(KafkaOptions {
            topics: vec![topic("events", 3), topic("events.invalid", 1)],
            ..KafkaOptions::default()
        }),
        ..defaults
    }
}
