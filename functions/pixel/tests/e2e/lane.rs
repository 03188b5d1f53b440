//! A stack with the pixel, the drain and Kafka, and a client of the HTTP API.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use catalog::{Catalog as _, DynamoCatalog};
use devstack::{
    AttachedStack, BucketOptions, Control, FunctionOptions, KafkaOptions, Options, Program,
    QueueOptions, TopicOptions,
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kafka::{KafkaConfig, Reader};
use model::Clock;
use runtime::Environment;
use serde_json::Value;

/// Partitions of the topic of events.
pub const PARTITIONS: i32 = 3;
/// How long one question may take.
const TIME: Duration = Duration::from_secs(20);

/// A running lane.
pub struct Lane {
    _stack: AttachedStack,
    /// Takes connections, and never reads from them.
    _silent: TcpListener,
    /// The stack's control API.
    pub control: Control,
    address: String,
    brokers: String,
    environment: Environment,
}

/// How a lane differs from the usual one.
#[derive(Clone, Copy)]
pub struct Setup {
    /// Name of the stack.
    pub name: &'static str,
    /// What there is beside Kafka.
    pub spill: Spill,
}

/// The spill queue and its drain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Spill {
    /// There is none.
    Absent,
    /// They work.
    Works,
    /// The pixel's calls reach it, and are never answered.
    Silent,
    /// They work, and the table of the source documents never answers the pixel.
    WithoutDocuments,
}

/// Registers a source document, as an operator does.
async fn register(state: &devstack::StackState, yaml: &str) {
    let environment = Environment::of(state.environment());
    let config = runtime::aws::configuration_for(&environment).await;
    let client = runtime::aws::dynamodb(&config);
    let catalog = DynamoCatalog::new(client, devstack::SOURCES_TABLE, Clock::system());
    catalog.put(yaml, "test", None).await.unwrap();
}

impl Lane {
    /// Starts a lane whose source `web` has the write key `wk_web_0001`, and `strict`
    /// the key `wk_strict_01`.
    pub async fn start(setup: Setup) -> Self {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = options(setup, &silent);
        let stack = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(AttachedStack::start(&options, &|_| ())).unwrap()
        });
        let stack = stack.await.unwrap();
        let state = stack.state();
        let url = state.function("pixel").unwrap().url.clone().unwrap();
        register(state, DOCUMENT).await;
        register(state, STRICT).await;
        Self {
            control: Control::new(state),
            address: url.trim_start_matches("http://").to_owned(),
            brokers: state.kafka.as_ref().unwrap().bootstrap.clone(),
            environment: Environment::of(state.environment()),
            _stack: stack,
            _silent: silent,
        }
    }

    /// Sends a request and reads the answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let stream = tokio::net::TcpStream::connect(&self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        connection.abort();
        Response::from_parts(head, body)
    }

    /// A request to the API.
    pub fn request(&self, method: &str, path: &str) -> hyper::http::request::Builder {
        Request::builder().method(method).uri(path).header("host", &self.address)
    }

    /// Sends JSON with the key of `web` and gives status and answer.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.request("POST", path).header("authorization", "Basic d2tfd2ViXzAwMDE6");
        let request = request.header("content-type", "application/json");
        let answer = self.send(request.body(body.to_string().into()).unwrap()).await;
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    /// Everything in a topic, by partition and in order.
    pub async fn topic(&self, topic: &str, partitions: i32) -> Vec<Vec<Value>> {
        let reader = Reader::new(KafkaConfig::new(&self.brokers));
        let mut all = Vec::new();
        for partition in 0..partitions {
            let held = reader.offsets(topic, partition, TIME).await.unwrap();
            let records = reader.read(topic, partition, held, TIME).await.unwrap();
            let values = records.into_iter().map(|stored| stored.record.value.unwrap());
            all.push(values.map(|value| serde_json::from_slice(&value).unwrap()).collect());
        }
        all
    }

    /// An object of the spill bucket, by its address.
    pub async fn object(&self, address: &str) -> Value {
        let config = runtime::aws::configuration_for(&self.environment).await;
        let (bucket, key) = address.strip_prefix("s3://").unwrap().split_once('/').unwrap();
        let client = runtime::aws::s3(&config, &self.environment);
        let object = client.get_object().bucket(bucket).key(key).send().await.unwrap();
        serde_json::from_slice(&object.body.collect().await.unwrap().into_bytes()).unwrap()
    }

    /// Puts an object into the spill bucket.
    pub async fn put(&self, key: &str, body: Vec<u8>) {
        let config = runtime::aws::configuration_for(&self.environment).await;
        let client = runtime::aws::s3(&config, &self.environment);
        let put = client.put_object().bucket(devstack::SPILL_BUCKET).key(key).body(body.into());
        put.send().await.unwrap();
    }

    /// Sends a message to the spill queue.
    pub async fn queue_up(&self, group: &str, body: &str) {
        let config = runtime::aws::configuration_for(&self.environment).await;
        let queue = self.environment.get("MOTHERLODE_SPILL_QUEUE_URL").unwrap();
        let sent = runtime::aws::sqs(&config).send_message().queue_url(queue).message_body(body);
        let sent = sent.message_group_id(group);
        sent.message_deduplication_id(uuid::Uuid::new_v4().to_string()).send().await.unwrap();
    }

    /// The dead letters of the drain: each is received, and none is deleted.
    pub async fn dead_letters(&self) -> Vec<String> {
        let config = runtime::aws::configuration_for(&self.environment).await;
        let queue = self.environment.get("MOTHERLODE_SPILL_DLQ_URL").unwrap();
        let receive = runtime::aws::sqs(&config).receive_message().queue_url(queue);
        let received = receive.max_number_of_messages(10).send().await.unwrap();
        received.messages().iter().map(|letter| letter.body().unwrap().to_owned()).collect()
    }

    /// The keys of the spill bucket.
    pub async fn spilled(&self) -> Vec<String> {
        let config = runtime::aws::configuration_for(&self.environment).await;
        let client = runtime::aws::s3(&config, &self.environment);
        let listed = client.list_objects_v2().bucket(devstack::SPILL_BUCKET).send().await.unwrap();
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    /// The events in the topic of `web`, by their ids, sorted.
    pub async fn ids(&self) -> Vec<String> {
        self.ids_in("events", PARTITIONS).await
    }

    /// The events in a topic, by their ids, sorted.
    pub async fn ids_in(&self, topic: &str, partitions: i32) -> Vec<String> {
        let events = self.topic(topic, partitions).await.into_iter().flatten();
        let mut ids: Vec<String> =
            events.map(|event| event["messageId"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    }
}

const DOCUMENT: &str = "
source: web
version: 1
owner: tests
kind: kafka
stream:
  topics: [events]
  pixel:
    keys: [wk_web_0001]
    max_event_bytes: 2000
    cookie: { name: mid, same_site: none }
    schemas:
      Priced: { type: object, required: [properties], properties: { properties: { type: object, required: [price] } } }
table: { database: clickstream, name: raw_events, order_by: [_topic, _partition, _offset] }
";

/// Takes large events, of few.
const STRICT: &str = "
source: strict
version: 1
owner: tests
kind: kafka
stream:
  topics: [strict]
  pixel:
    keys: [wk_strict_01]
    max_event_bytes: 400000
    bots: drop
    do_not_track: drop
    origins: ['https://shop.example']
table: { database: clickstream, name: strict_events, order_by: [_topic, _partition, _offset] }
";

fn options(setup: Setup, silent: &TcpListener) -> Options {
    let programs = testkit::programs().unwrap();
    let mut pixel = FunctionOptions::new("pixel", programs.join("pixel"));
    pixel.http = true;
    pixel.concurrency = 2;
    let unanswered = match setup.spill {
        Spill::Silent => Some("AWS_ENDPOINT_URL_SQS"),
        Spill::WithoutDocuments => Some("AWS_ENDPOINT_URL_DYNAMODB"),
        Spill::Absent | Spill::Works => None,
    };
    if let Some(variable) = unanswered {
        let address = format!("http://{}", silent.local_addr().unwrap());
        pixel.env.insert(variable.to_owned(), address);
    }
    let mut functions = vec![pixel];
    let mut buckets = vec![];
    if setup.spill != Spill::Absent {
        let mut drain = FunctionOptions::new("drain", programs.join("drain"));
        drain.queue = Some(QueueOptions {
            fifo: true,
            visibility_timeout_s: 2,
            max_receive_count: 1000,
            ..QueueOptions::default()
        });
        functions.push(drain);
        buckets.push(BucketOptions { name: devstack::SPILL_BUCKET.to_owned(), notify: None });
    }
    let topic = |name: &str, partitions| TopicOptions { name: name.to_owned(), partitions };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let defaults = Options::default();
    Options {
        name: setup.name.to_owned(),
        root: root.join(".motherlode"),
        program: Program { path: programs.join("motherlode"), ..defaults.program.clone() },
        launcher: Some(programs.join("launcher")),
        clusters: vec![],
        buckets,
        functions,
        kafka: Some(KafkaOptions {
            topics: vec![
                topic("events", PARTITIONS),
                topic("events.invalid", 1),
                topic("strict", 1),
            ],
            ..KafkaOptions::default()
        }),
        ..defaults
    }
}
