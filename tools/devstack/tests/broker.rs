//! A Kafka broker that is stopped, killed, paused and started again.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of a test fails by panicking, like the test"
)]

mod common;

use std::time::Duration;

use common::{alive, eventually, place, progress};
use devstack::{AttachedStack, KafkaOptions, KafkaSourceOptions, PartState, TopicOptions};
use kafka::{KafkaConfig, Producer, Reader, Record};
use serde_json::Value;

const TIME: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_broker_keeps_its_data_and_dies_with_the_stack() {
    let mut place = place("broker");
    let topics = vec![TopicOptions { name: "t".into(), partitions: 1 }];
    place.options.kafka = Some(KafkaOptions { topics, ..KafkaOptions::default() });
    place.toy(None).kafka =
        vec![KafkaSourceOptions { topic: "t".into(), ..KafkaSourceOptions::default() }];
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    let (state, control) = (stack.state(), stack.control());
    let bootstrap = state.kafka.as_ref().unwrap().bootstrap.clone();
    assert_eq!(state.environment()["MOTHERLODE_KAFKA_BROKERS"], bootstrap);
    // Neither knows of what happens to the broker.
    let producer = Producer::new(KafkaConfig::new(&bootstrap));
    let reader = Reader::new(KafkaConfig::new(&bootstrap));
    let part = async || control.status().await.unwrap().part("kafka").unwrap().clone();
    let send = async |value: &str| {
        let record = Record { value: Some(value.into()), ..Record::default() };
        producer.send("t", &[record], TIME).await.unwrap();
    };
    let values = async || {
        let held = reader.offsets("t", 0, TIME).await.unwrap();
        let records = reader.read("t", 0, held, TIME).await.unwrap();
        let value = |stored: kafka::StoredRecord| stored.record.value.unwrap();
        records
            .into_iter()
            .map(|stored| String::from_utf8(value(stored)).unwrap())
            .collect::<Vec<_>>()
    };

    send("first").await;
    assert_eq!(part().await.state, PartState::Up);
    control.kill_kafka().await.unwrap();
    assert_eq!(part().await.state, PartState::Dead);
    let dead = control.status().await.unwrap();
    assert!(dead.problems[0].contains("kafka"), "{:?}", dead.problems);
    control.start_kafka().await.unwrap();
    assert_eq!(part().await.address, bootstrap);
    assert_eq!(values().await, ["first"]);

    send("second").await;
    control.stop_kafka().await.unwrap();
    assert_eq!(part().await.state, PartState::Dead);
    control.start_kafka().await.unwrap();
    send("third").await;

    control.pause_kafka().await.unwrap();
    assert_eq!(part().await.state, PartState::Paused);
    control.resume_kafka().await.unwrap();
    assert_eq!(part().await.state, PartState::Up);
    assert_eq!(values().await, ["first", "second", "third"]);

    // The trigger has lived through all of it.
    eventually("each was delivered, once", async || {
        let noted = std::fs::read_to_string(place.file("batches")).unwrap_or_default();
        let batches = noted.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let records = batches.flat_map(|batch| batch.as_array().unwrap().clone());
        records.map(|record| record[2].clone()).eq(["first", "second", "third"])
    })
    .await;

    let pid = part().await.pid.unwrap();
    assert!(devstack::render_status(&control.status().await.unwrap()).contains("kafka"));
    drop(stack);
    eventually("the broker is gone", async || !alive(pid)).await;
}
