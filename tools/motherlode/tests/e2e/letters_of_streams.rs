//! `dlq --of spill` and `--of kafka`: what the drain and the sink gave up is listed,
//! and taken once its cause is mended.

use std::time::{Duration, Instant};

use devstack::KafkaSourceOptions;
use kafka::spill::{Spilled, SpilledRecord};
use kafka::{Admin, KafkaConfig, Producer, Reader, Record};
use serde_json::{Value, json};
use testkit::{Lake, Setup};

use crate::answer;

const TIME: Duration = Duration::from_secs(30);

/// Asks until there are dead letters.
async fn letters(lake: &Lake, arguments: &[&str], number: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let listed = answer(lake, arguments).await;
        let listed = listed.as_array().unwrap().clone();
        if listed.len() >= number {
            return listed;
        }
        assert!(Instant::now() < deadline, "{arguments:?}: {listed:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn record(number: u32) -> Record {
    Record {
        value: Some(json!({"id": number}).to_string().into_bytes()),
        timestamp_ms: model::Clock::system().now_ms(),
        ..Record::default()
    }
}

const DOCUMENT: &str = "
source: web
version: 1
owner: tests
kind: kafka
stream: { topics: [events] }
table: { database: commands, name: web_raw, order_by: [_topic, _partition, _offset] }
";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stream_gave_up_is_listed_and_taken_once_its_cause_is_mended() {
    let trigger = KafkaSourceOptions {
        topic: "events".to_owned(),
        batch_window_ms: 200,
        report_batch_item_failures: true,
        maximum_retry_attempts: Some(0),
        on_failure: true,
        ..KafkaSourceOptions::default()
    };
    let setup = Setup {
        sink: Some((trigger, 2)),
        pixel: Some(1),
        drain_receives: 1,
        visibility_timeout_s: 2,
        ..Setup::new("letters-of-streams")
    };
    let stack = tokio::task::spawn_blocking(move || testkit::start(&setup).unwrap()).await.unwrap();
    let lake = Lake::of(stack.state()).await.unwrap();
    let config = KafkaConfig::new(&stack.state().kafka.as_ref().unwrap().bootstrap);
    let producer = Producer::new(config.clone());

    // No document takes the topic, and Lambda is told not to try again.
    producer.send("events", &(0..20).map(record).collect::<Vec<_>>(), TIME).await.unwrap();
    let of_kafka = ["dlq", "list", "--of", "kafka"];
    let waiting = async |lake: &Lake| {
        let partitions = Reader::new(config.clone());
        let mut records = 0;
        for partition in 0..2 {
            records += partitions.offsets("events", partition, TIME).await.unwrap().end;
        }
        let listed = letters(lake, &of_kafka, 1).await;
        let names: Vec<String> = listed
            .iter()
            .flat_map(|letter| letter["names"].as_array().unwrap())
            .map(|name| name.as_str().unwrap().rsplit_once('@').unwrap().1.to_owned())
            .collect();
        let told: i64 = names
            .iter()
            .map(|run| {
                let (start, end) = run.split_once("..").unwrap();
                end.parse::<i64>().unwrap() - start.parse::<i64>().unwrap()
            })
            .sum();
        (records == told).then_some(listed)
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let listed = loop {
        if let Some(listed) = waiting(&lake).await {
            break listed;
        }
        assert!(Instant::now() < deadline, "not every record is told of");
    };
    let reason = listed[0]["reason"].as_str().unwrap();
    assert!(reason.contains("RetryAttemptsExhausted") && reason.contains("`events`"), "{reason}");
    // Still nobody takes them: they stay, and the command says so.
    let refused = crate::motherlode(&lake, &["dlq", "replay", "--of", "kafka"]).await;
    assert!(!refused.is_success && refused.said.contains("dead letters stay"), "{}", refused.said);

    lake.register(DOCUMENT).await.unwrap();
    let listed = letters(&lake, &of_kafka, 1).await;
    assert!(listed[0]["reason"].as_str().unwrap().contains("are in no table"), "{listed:?}");
    assert_eq!(answer(&lake, &["dlq", "list", "--of", "kafka", "--topic", "x"]).await, json!([]));
    // Retention was quicker than the repair: one record is lost, and that is said.
    let first = listed[0]["names"][0].as_str().unwrap();
    let (place, run) = first.rsplit_once('@').unwrap();
    let partition = place.rsplit_once('/').unwrap().1.parse().unwrap();
    let start: i64 = run.split_once("..").unwrap().0.parse().unwrap();
    let admin = Admin::new(config.clone());
    admin.delete_records("events", partition, start + 1, TIME).await.unwrap();
    let settled = crate::motherlode(&lake, &["dlq", "replay", "--of", "kafka"]).await;
    assert!(!settled.is_success && settled.said.contains("1 records of"), "{}", settled.said);
    let rows = "SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(JSONExtractUInt(event, 'id'))) AS ids \
                FROM commands.web_raw";
    let rows = lake.query("ingestion", rows).await.unwrap();
    assert_eq!((&rows[0]["rows"], &rows[0]["ids"]), (&json!(19), &json!(19)));
    let stays = answer(&lake, &of_kafka).await;
    assert_eq!(stays.as_array().unwrap().len(), 1, "{stays}");
    assert!(stays[0]["reason"].as_str().unwrap().contains("1 of kafka://events/"), "{stays}");

    spilled(&lake, &config).await;
}

/// Events that the pixel has spilled for a topic that is not there.
async fn spilled(lake: &Lake, config: &KafkaConfig) {
    let spilled = Spilled {
        topic: "orders".to_owned(),
        records: (0..3).map(|number| SpilledRecord::of(&record(number))).collect(),
        object: None,
    };
    let queue = lake.state.function("drain").unwrap().queue_url.clone().unwrap();
    for body in [serde_json::to_string(&spilled).unwrap(), "rubbish".to_owned()] {
        let send = lake.sqs.send_message().queue_url(&queue).message_group_id(&body[..5]);
        let send = send.message_deduplication_id(&body[..5]).message_body(body);
        send.send().await.unwrap();
    }
    let listed = letters(lake, &["dlq", "list", "--of", "spill"], 2).await;
    let reason =
        |word: &str| listed.iter().any(|letter| letter["reason"].as_str().unwrap().contains(word));
    assert!(reason("3 events; ") && reason("none of the spill queue"), "{listed:?}");
    assert!(reason("`orders`"), "{listed:?}");
    Admin::new(config.clone()).create_topic("orders", 1, 1, TIME).await.unwrap();
    let only = ["dlq", "list", "--of", "spill", "--topic", "orders"];
    let known = letters(lake, &only, 1).await;
    assert!(known[0]["reason"].as_str().unwrap().contains("has the topic now"), "{known:?}");
    answer(lake, &["dlq", "replay", "--of", "spill", "--topic", "orders"]).await;
    let reader = Reader::new(config.clone());
    let deadline = Instant::now() + Duration::from_secs(60);
    while reader.offsets("orders", 0, TIME).await.unwrap().end < 3 {
        assert!(Instant::now() < deadline, "the drain has put nothing into Kafka");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(answer(lake, &only).await, json!([]));
    // What nobody understands stays, and is seen, until somebody deletes it.
    let all = ["dlq", "drop", "--of", "spill", "--yes"];
    let (of_spill, shown, done) = (["dlq", "list", "--of", "spill"], &all[..4], &all);
    letters(lake, &of_spill, 1).await;
    for (arguments, left) in [(shown, 1), (&done[..], 0)] {
        let named = answer(lake, arguments).await;
        assert_eq!(named.as_array().unwrap().len(), 1, "{named}");
        assert_eq!(answer(lake, &of_spill).await.as_array().unwrap().len(), left);
    }
}
