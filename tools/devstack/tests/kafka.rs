//! From a Kafka topic to the function and back: one broker, and for each
//! behaviour of the trigger a function with a topic of its own name.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of a test fails by panicking, like the test"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Place, eventually, example, place, progress};
use devstack::{
    AttachedStack, Control, CutOptions, FunctionOptions, KafkaOptions, KafkaSourceOptions,
    TopicOptions,
};
use kafka::{KafkaConfig, Producer, Record};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

const PARTITIONS: i32 = 3;
const TIME: Duration = Duration::from_secs(20);

/// The one stack of this file, and the folder it lies in.
struct Shared {
    place: Place,
    stack: AttachedStack,
}

/// A function, its topic, and what it has seen.
struct Toy {
    name: &'static str,
    shared: &'static Shared,
}

/// One delivery: partition, offset and value of each record.
type Batch = Vec<(i64, i64, String)>;

async fn toy(name: &'static str) -> Toy {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    // The stack outlives the runtime of the test that happens to start it.
    let start = || async {
        tokio::task::spawn_blocking(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(start())
        })
        .await
        .unwrap()
    };
    Toy { name, shared: SHARED.get_or_init(start).await }
}

async fn start() -> Shared {
    let mut place = place("kafka");
    let quick = KafkaSourceOptions { batch_window_ms: 200, ..Default::default() };
    let mut topics = vec![];
    for (name, source) in [
        ("shape", quick.clone()),
        (
            "large",
            KafkaSourceOptions { batch_size: 10_000, batch_window_ms: 3000, ..quick.clone() },
        ),
        ("same", quick.clone()),
        ("unread", quick.clone()),
        ("partial", KafkaSourceOptions { report_batch_item_failures: true, ..quick.clone() }),
        (
            "exhaust",
            KafkaSourceOptions {
                maximum_retry_attempts: Some(2),
                on_failure: true,
                ..quick.clone()
            },
        ),
        (
            "bisect",
            KafkaSourceOptions {
                maximum_retry_attempts: Some(0),
                bisect_on_error: true,
                on_failure: true,
                ..quick.clone()
            },
        ),
        (
            "age",
            KafkaSourceOptions {
                maximum_record_age_ms: Some(3_600_000),
                on_failure: true,
                self_managed: true,
                ..quick.clone()
            },
        ),
        ("twice", quick.clone()),
        ("rewind", quick.clone()),
        (
            "cuts",
            KafkaSourceOptions {
                batch_window_ms: 0,
                cuts: Some(CutOptions { seed: 26, redelivered_percent: 40 }),
                ..quick.clone()
            },
        ),
        ("split", KafkaSourceOptions { pollers: 3, ..quick.clone() }),
        ("late", quick.clone()),
    ] {
        let dir = place.file(name);
        std::fs::create_dir(&dir).unwrap();
        let mut toy = FunctionOptions::new(name, example("toy"));
        toy.env.insert("TOY_DIR".into(), dir.to_string_lossy().into_owned());
        toy.concurrency = source.pollers;
        toy.kafka = vec![KafkaSourceOptions { topic: name.into(), ..source }];
        place.options.functions.push(toy);
        if name != "late" {
            topics.push(TopicOptions { name: name.into(), partitions: PARTITIONS });
        }
    }
    place.options.aws = true;
    place.options.kafka = Some(KafkaOptions { topics, ..KafkaOptions::default() });
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    Shared { place, stack }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// A record of a key, so that those of one key are in one partition.
fn record(key: &str, value: &str) -> Record {
    let (key, value) = (Some(key.as_bytes().to_vec()), Some(value.as_bytes().to_vec()));
    Record { key, value, timestamp_ms: now_ms(), ..Record::default() }
}

impl Toy {
    fn control(&self) -> Control {
        self.shared.stack.control()
    }

    async fn send(&self, records: &[Record]) {
        let bootstrap = &self.shared.stack.state().kafka.as_ref().unwrap().bootstrap;
        let producer = Producer::new(KafkaConfig::new(bootstrap));
        producer.send(self.name, records, TIME).await.unwrap();
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.shared.place.file(self.name).join(name)
    }

    fn batches(&self) -> Vec<Batch> {
        let noted = std::fs::read_to_string(self.file("batches")).unwrap_or_default();
        noted.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The values of each delivery.
    fn values(&self) -> Vec<Vec<String>> {
        let values = |batch: Batch| batch.into_iter().map(|(_, _, value)| value).collect();
        self.batches().into_iter().map(values).collect()
    }

    async fn caught_up(&self) {
        eventually("the topic is handled", async || {
            let status = self.control().status().await.unwrap();
            let topic = status.topic(self.name, self.name).unwrap();
            topic.lag == Some(0)
        })
        .await;
    }

    /// The letters about what was given up, until there are so many.
    async fn letters(&self, count: usize) -> Vec<Value> {
        let state = self.shared.stack.state();
        let queue = state.function(self.name).unwrap().dlq_url.clone().unwrap();
        let sqs = state.sqs().unwrap();
        let mut letters = vec![];
        while letters.len() < count {
            let received = sqs.receive_message().queue_url(&queue).wait_time_seconds(5);
            for message in received.send().await.unwrap().messages() {
                letters.push(serde_json::from_str(message.body().unwrap()).unwrap());
            }
        }
        letters
    }
}

#[tokio::test]
async fn a_batch_mixes_partitions_and_has_lambdas_shape() {
    let toy = toy("shape").await;
    let mut first = record("a", "ok");
    first.headers = [("id".to_owned(), vec![0x31, 0xff])].into();
    let empty = Record { key: None, value: None, ..record("", "") };
    let more = ["b", "c", "d", "e"].map(|key| record(key, "ok"));
    toy.send(&[vec![first.clone(), empty], more.to_vec()].concat()).await;
    toy.caught_up().await;
    let [batch] = toy.batches().try_into().unwrap();
    let partitions: BTreeSet<i64> = batch.iter().map(|(partition, _, _)| *partition).collect();
    assert!(batch.len() == 6 && partitions.len() > 1, "{batch:?}");

    let event: Value = serde_json::from_slice(&std::fs::read(toy.file("event")).unwrap()).unwrap();
    assert_eq!(event["eventSource"], "aws:kafka");
    let state = toy.shared.stack.state();
    assert_eq!(event["bootstrapServers"], state.kafka.as_ref().unwrap().bootstrap);
    let records = event["records"].as_object().unwrap();
    let (name, list) = records
        .iter()
        .find(|(_, list)| list.as_array().unwrap().iter().any(|record| record["key"] == "YQ=="))
        .unwrap();
    let found = list.as_array().unwrap().iter().find(|record| record["key"] == "YQ==").unwrap();
    assert_eq!(name, &format!("shape-{}", found["partition"]));
    assert_eq!(
        *found,
        json!({
            "topic": "shape",
            "partition": found["partition"].as_i64().unwrap(),
            "offset": found["offset"].as_i64().unwrap(),
            "timestamp": first.timestamp_ms,
            "timestampType": "CREATE_TIME",
            "key": "YQ==",
            "value": "b2s=",
            "headers": [{"id": [0x31, -1]}],
        })
    );
    let tombstones = records.values().flat_map(|list| list.as_array().unwrap());
    assert_eq!(tombstones.filter(|record| record["value"].is_null()).count(), 1);
}

#[tokio::test]
async fn an_invocation_carries_at_most_six_megabytes() {
    let toy = toy("large").await;
    let value = format!("ok {}", "x".repeat(900_000));
    let records: Vec<_> = (0..12).map(|number| record(&number.to_string(), &value)).collect();
    toy.send(&records).await;
    toy.caught_up().await;
    let sizes: Vec<usize> = toy.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 12, "{sizes:?}");
    // 900,000 bytes are 1.2 MB in base64.
    assert!(sizes.iter().all(|size| *size <= 5) && sizes.contains(&5), "{sizes:?}");
}

#[tokio::test]
async fn a_failed_batch_is_delivered_again_as_it_was() {
    let toy = toy("same").await;
    toy.send(&["a", "b", "c"].map(|key| record(key, "until mended"))).await;
    eventually("it was tried three times", async || toy.batches().len() >= 3).await;
    // What comes later has to wait.
    toy.send(&[record("d", "ok")]).await;
    std::fs::write(toy.file("mended"), "").unwrap();
    toy.caught_up().await;
    let batches = toy.batches();
    let tries = batches.iter().filter(|batch| batch[0].2 == "until mended").count();
    // The third can be the one that finds it mended.
    assert!(tries >= 3 && batches[..tries].iter().all(|batch| *batch == batches[0]), "{batches:?}");
    assert_eq!(batches[tries..].concat().len(), 1, "{batches:?}");
}

#[tokio::test]
async fn a_response_is_not_read_unless_the_mapping_says_so() {
    let toy = toy("unread").await;
    toy.send(&[record("a", "fail"), record("a", "ok")]).await;
    toy.caught_up().await;
    assert_eq!(toy.values(), [["fail", "ok"]]);
}

#[tokio::test]
async fn a_partition_goes_on_from_the_offset_that_the_response_names() {
    let toy = toy("partial").await;
    // Of one key, so of one partition; the others must not come again.
    let poison = [record("a", "1"), record("a", "until mended"), record("a", "3")];
    let others = ["b", "c", "d", "e", "f"].map(|key| record(key, "other"));
    std::fs::write(toy.file("mended"), "").unwrap();
    toy.send(&[poison.to_vec(), others.to_vec()].concat()).await;
    toy.caught_up().await;
    assert_eq!(toy.batches().len(), 1);

    toy.send(&[record("a", "4"), record("a", "fail"), record("a", "6"), record("b", "7")]).await;
    eventually("it was tried three times", async || toy.batches().len() >= 4).await;
    let again = &toy.values()[2..];
    assert!(again.iter().all(|values| *values == ["fail", "6"]), "{again:?}");
    let status = toy.control().status().await.unwrap();
    assert_eq!(status.topic("partial", "partial").unwrap().lag, Some(2));
}

#[tokio::test]
async fn what_fails_too_often_is_given_up_and_told() {
    let toy = toy("exhaust").await;
    toy.send(&[record("a", "error"), record("a", "ok")]).await;
    toy.caught_up().await;
    toy.send(&[record("a", "ok")]).await;
    toy.caught_up().await;
    assert_eq!(
        toy.values(),
        [vec!["error", "ok"], vec!["error", "ok"], vec!["error", "ok"], vec!["ok"]]
    );
    let letter = &toy.letters(1).await[0];
    assert_eq!(letter["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(letter["requestContext"]["approximateInvokeCount"], 3);
    let places = letter["KafkaBatchInfo"]["recordsInfo"].as_object().unwrap();
    let place = places.values().next().unwrap();
    assert_eq!(
        (&place["firstRecordOffset"], &place["lastRecordOffset"]),
        (&json!("0"), &json!("1"))
    );
    assert_eq!(
        toy.control().status().await.unwrap().topic("exhaust", "exhaust").unwrap().discarded,
        2
    );
}

#[tokio::test]
async fn halving_finds_the_one_record_that_fails() {
    let toy = toy("bisect").await;
    let values = ["0", "1", "2", "3", "error", "5", "6", "7"];
    toy.send(&values.map(|value| record("a", value))).await;
    toy.caught_up().await;
    let letter = &toy.letters(1).await[0];
    let info = &letter["KafkaBatchInfo"];
    assert_eq!(info["batchSize"], 1);
    let places = info["recordsInfo"].as_object().unwrap();
    assert_eq!(places.values().next().unwrap()["firstRecordOffset"], "4");
    let handled: Vec<_> =
        toy.values().into_iter().filter(|batch| !batch.contains(&"error".into())).collect();
    assert_eq!(handled.concat(), ["0", "1", "2", "3", "5", "6", "7"]);
}

#[tokio::test]
async fn old_records_are_given_up_without_being_delivered() {
    let toy = toy("age").await;
    let old = Record { timestamp_ms: now_ms() - 7_200_000, ..record("a", "old") };
    toy.send(&[old, record("a", "young")]).await;
    toy.caught_up().await;
    assert_eq!(toy.values(), [["young"]]);
    let letter = &toy.letters(1).await[0];
    assert_eq!(letter["requestContext"]["condition"], "RecordAgeExceeded");
    let event = std::fs::read_to_string(toy.file("event")).unwrap();
    assert!(event.contains(r#""eventSource":"SelfManagedKafka""#), "{event}");
}

#[tokio::test]
async fn a_batch_can_be_delivered_twice_on_purpose() {
    let toy = toy("twice").await;
    toy.control().deliver_twice("twice").await.unwrap();
    toy.send(&[record("a", "1"), record("a", "2")]).await;
    toy.caught_up().await;
    toy.send(&[record("a", "3")]).await;
    toy.caught_up().await;
    assert_eq!(toy.values(), [vec!["1", "2"], vec!["1", "2"], vec!["3"]]);
}

#[tokio::test]
async fn everything_can_be_delivered_again_from_the_beginning() {
    let toy = toy("rewind").await;
    toy.send(&["a", "b", "c", "d"].map(|key| record(key, key))).await;
    toy.caught_up().await;
    toy.control().rewind("rewind").await.unwrap();
    eventually("all came twice", async || toy.batches().concat().len() == 8).await;
    toy.caught_up().await;
    let mut seen = toy.batches().concat();
    seen.sort();
    assert!(seen.chunks(2).all(|twice| twice[0] == twice[1]), "{seen:?}");
}

#[tokio::test]
async fn random_cuts_deliver_everything_and_much_of_it_again_otherwise_cut() {
    let toy = toy("cuts").await;
    let records: Vec<_> =
        (0..600).map(|number| record(&format!("k{}", number % 20), &number.to_string())).collect();
    toy.send(&records).await;
    toy.caught_up().await;
    let batches = toy.batches();
    let mut times: BTreeMap<(i64, i64), usize> = BTreeMap::new();
    for (partition, offset, _) in batches.concat() {
        *times.entry((partition, offset)).or_default() += 1;
    }
    assert_eq!(times.len(), 600, "every record came");
    assert!(times.values().any(|times| *times > 1), "some came again");
    let sizes: BTreeSet<usize> = batches.iter().map(Vec::len).collect();
    assert!(sizes.len() > 5, "{sizes:?}");
    // Whatever the cuts, a partition never jumps ahead of what was not
    // delivered before.
    let mut reached: BTreeMap<i64, i64> = BTreeMap::new();
    for (partition, offset, _) in batches.concat() {
        let next = reached.entry(partition).or_default();
        assert!(offset <= *next, "partition {partition} jumps from {next} to {offset}");
        *next = (offset + 1).max(*next);
    }
}

#[tokio::test]
async fn pollers_that_share_the_partitions_do_not_wait_for_each_other() {
    let toy = toy("split").await;
    // One partition is stuck; the keys say which.
    let stuck = kafka::partition_of_key(b"a", PARTITIONS);
    toy.send(&[record("a", "wait go")]).await;
    let free: Vec<_> = ["b", "c", "d", "e", "f", "g"]
        .into_iter()
        .filter(|key| kafka::partition_of_key(key.as_bytes(), PARTITIONS) != stuck)
        .map(|key| record(key, key))
        .collect();
    assert!(!free.is_empty());
    toy.send(&free).await;
    eventually("only the stuck one is left", async || {
        let status = toy.control().status().await.unwrap();
        status.topic("split", "split").unwrap().lag == Some(1)
    })
    .await;
    std::fs::write(toy.file("go"), "").unwrap();
    toy.caught_up().await;
    let mixed = |batch: &Batch| batch.iter().any(|(partition, _, _)| *partition != batch[0].0);
    assert!(!toy.batches().iter().any(mixed), "each poller has one partition of the three");
}

#[tokio::test]
async fn a_topic_may_be_made_later() {
    let toy = toy("late").await;
    toy.control().create_topic("late", 2).await.unwrap();
    toy.control().create_topic("late", 2).await.unwrap();
    toy.send(&[record("a", "1")]).await;
    eventually("it is delivered", async || toy.batches().len() == 1).await;
    let shown = toy.shared.stack.state().dir.join("kafka").join("offsets-late-late.json");
    eventually("and noted", async || shown.exists()).await;
}
