//! Kafka is away: events are spilled and drained, or the client is told to come
//! again. Nothing that was answered with 2xx is lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kafka::Record;
use kafka::spill::{Spilled, SpilledRecord};
use serde_json::json;

use crate::lane::{Lane, PARTITIONS, Setup, Spill};

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_outage_are_spilled_and_drained_in_order() {
    let lane = Lane::start(Setup { name: "pixel-outage", spill: Spill::Works }).await;
    let send = async |visitor: u32, number: u32| {
        let event = json!({
            "event": "Step", "messageId": format!("{visitor}-{number:03}"),
            "anonymousId": format!("v{visitor}"), "properties": {"number": number},
        });
        lane.post("/v1/track", &event).await.0
    };
    for visitor in 0..3 {
        assert_eq!(send(visitor, 0).await, 200);
    }
    lane.control.stop_kafka().await.unwrap();
    // More than a message of the queue takes: the bucket has it, the message its name.
    let large = json!({
        "event": "Large", "messageId": "large", "anonymousId": "v9",
        "properties": {"text": "x".repeat(300_000)},
    });
    assert_eq!(lane.post("/v1/track?k=wk_strict_01", &large).await.0, 200);
    let spilled = lane.spilled().await;
    assert!(spilled.len() == 1 && spilled[0].starts_with("spill/"), "{spilled:?}");
    let away = Instant::now();
    for number in 1..20 {
        for visitor in 0..3 {
            assert_eq!(send(visitor, number).await, 200);
        }
    }
    // Only the first one waits for Kafka, and again every few seconds.
    assert!(away.elapsed() < Duration::from_secs(60), "{:?}", away.elapsed());
    lane.control.start_kafka().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(90);
    while lane.ids().await.len() < 60 {
        assert!(Instant::now() < deadline, "{:?}", lane.ids().await);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    while lane.topic("strict", 1).await.concat().is_empty() {
        assert!(Instant::now() < deadline, "{:?}", lane.spilled().await);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let strict = lane.topic("strict", 1).await.concat();
    assert_eq!(strict[0]["properties"], large["properties"], "whole");
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in lane.topic("events", PARTITIONS).await.concat() {
        let visitor = event["anonymousId"].as_str().unwrap().to_owned();
        let numbers = seen.entry(visitor).or_default();
        let number = event["properties"]["number"].as_u64().unwrap();
        // A repeat of an event that Kafka took without a word is no loss.
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    assert_eq!(seen.len(), 3);
    for (visitor, numbers) in seen {
        assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "{visitor}: in the order of arrival");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_never_takes_is_a_dead_letter_at_once_and_nothing_waits_behind_it() {
    let lane = Lane::start(Setup { name: "pixel-hopeless", spill: Spill::Works }).await;
    let record = |id: &str, bytes: usize| {
        let value = json!({"messageId": id, "text": "x".repeat(bytes)});
        SpilledRecord::of(&Record {
            key: Some(b"v1".to_vec()),
            value: Some(value.to_string().into()),
            ..Record::default()
        })
    };
    let of = |records| Spilled { topic: "events".to_owned(), records, object: None };
    // No broker takes two megabytes in one record, and nobody would wait for it.
    let (key, mixed) = ("spill/mixed.json", of(vec![record("a", 1), record("huge", 2_000_000)]));
    lane.put(key, serde_json::to_vec(&mixed).unwrap()).await;
    let named = |key: &str| Spilled { object: Some(key.to_owned()), ..of(vec![]) };
    let text = |spilled: &Spilled| serde_json::to_string(spilled).unwrap();
    let no_base64 = r#"{"topic":"events","records":[{"value":{"base64":"%"},"timestamp_ms":1}]}"#;
    let hopeless = [
        text(&named(key)),
        text(&named("spill/never-was.json")),
        "rubbish".to_owned(),
        no_base64.to_owned(),
    ];
    for body in &hopeless {
        lane.queue_up("v1", body).await;
    }
    lane.queue_up("v1", &text(&of(vec![record("b", 1)]))).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !lane.ids().await.contains(&"b".to_owned()) {
        assert!(Instant::now() < deadline, "{:?}", lane.ids().await);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(lane.ids().await, ["a", "b"], "of the object, the record that Kafka takes");
    let mut letters = lane.dead_letters().await;
    letters.sort();
    let mut expected = hopeless.to_vec();
    expected.sort();
    assert_eq!(letters, expected);
    assert_eq!(lane.spilled().await, [key], "what a letter names is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anything_durable_the_client_is_told_to_come_again() {
    let lane = Lane::start(Setup { name: "pixel-nothing", spill: Spill::Absent }).await;
    lane.control.stop_kafka().await.unwrap();
    let request = lane.request("POST", "/e?k=wk_web_0001").header("content-type", "text/plain");
    let body = json!({"batch": [{"type": "page", "messageId": "late"}]}).to_string();
    let began = Instant::now();
    let answer = lane.send(request.body(body.clone().into()).unwrap()).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"5".parse().unwrap())
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let picture = lane.request("GET", "/p.gif?k=wk_web_0001&d=%7B%22type%22%3A%22page%22%7D");
    let answer = lane.send(picture.body(Default::default()).unwrap()).await;
    assert_eq!(answer.status(), 503);

    lane.control.start_kafka().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let request = lane.request("POST", "/e?k=wk_web_0001").header("content-type", "text/plain");
        if lane.send(request.body(body.clone().into()).unwrap()).await.status() == 200 {
            break;
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(lane.ids().await.contains(&"late".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spill_that_does_not_answer_is_no_reason_to_keep_the_client_waiting() {
    let lane = Lane::start(Setup { name: "pixel-silent", spill: Spill::Silent }).await;
    lane.control.stop_kafka().await.unwrap();
    let began = Instant::now();
    let event = json!({"event": "Step", "messageId": "kept-by-nobody"});
    let request = lane.request("POST", "/v1/track?k=wk_web_0001");
    let request = request.header("content-type", "application/json");
    let answer = lane.send(request.body(event.to_string().into()).unwrap()).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"5".parse().unwrap())
    );
    // Before Lambda ends the invocation, which nobody would get an answer of.
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_does_not_answer_is_no_reason_to_keep_the_client_waiting() {
    let lane = Lane::start(Setup { name: "pixel-deaf", spill: Spill::WithoutDocuments }).await;
    let began = Instant::now();
    let event = json!({"event": "Step", "messageId": "kept-by-nobody"});
    let request = lane.request("POST", "/v1/track?k=wk_web_0001");
    let answer = lane.send(request.body(event.to_string().into()).unwrap()).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"5".parse().unwrap())
    );
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
