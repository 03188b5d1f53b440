//! The producer and the reader against a real broker.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails by panicking, like the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use devstack::{AttachedStack, KafkaOptions, KafkaTls, Options, Program, TopicOptions};
use kafka::{
    Admin, Compression, KafkaConfig, KafkaError, LoginSource, Password, Position, Producer, Reader,
    Record, Secret, Security, Tls, TopicPattern,
};
use model::{Disposed as _, Disposition};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::sync::OnceCell;

const TIME: Duration = Duration::from_secs(20);

/// A stack of a broker and nothing else.
async fn start(name: &'static str, topics: &[(&str, i32)], tls: Option<KafkaTls>) -> AttachedStack {
    start_with(name, topics, KafkaOptions { tls, ..KafkaOptions::default() }).await
}

async fn start_with(
    name: &'static str,
    topics: &[(&str, i32)],
    kafka: KafkaOptions,
) -> AttachedStack {
    let topic = |(name, partitions): &(&str, i32)| TopicOptions {
        name: (*name).to_owned(),
        partitions: *partitions,
    };
    let programs = testkit::programs().unwrap();
    let defaults = Options::default();
    let options = Options {
        name: name.into(),
        root: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.motherlode"),
        program: Program { path: programs.join("motherlode"), ..defaults.program.clone() },
        launcher: Some(programs.join("launcher")),
        clusters: vec![],
        aws: false,
        buckets: vec![],
        kafka: Some(KafkaOptions {
            topics: topics.iter().map(topic).collect(),
            login: true,
            ..kafka
        }),
        ..defaults
    };
    // The stack outlives the runtime of the test that happens to start it.
    let start = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(AttachedStack::start(&options, &|_| ())).unwrap()
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

/// The broker that the tests share which do not harm it.
async fn shared() -> &'static AttachedStack {
    static STACK: OnceCell<AttachedStack> = OnceCell::const_new();
    let topics = [
        ("whole", 3),
        ("keys", 7),
        ("sizes", 1),
        ("ranges", 1),
        ("login", 1),
        ("listed.a", 1),
        ("listed.b", 2),
        ("new", 1),
    ];
    let tls = KafkaTls {
        certificate: authority().certificate.clone(),
        key: authority().key.clone(),
        client_authority: authority().root.clone(),
    };
    STACK.get_or_init(|| start("kafka-client", &topics, Some(tls))).await
}

/// Certificates that are good for these tests: an authority's, and one that it
/// has given to 127.0.0.1, which the broker and the client both show.
struct Certificates {
    root: String,
    certificate: String,
    key: String,
}

fn authority() -> &'static Certificates {
    static CERTIFICATES: OnceLock<Certificates> = OnceLock::new();
    CERTIFICATES.get_or_init(|| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().unwrap();
        let root = params.self_signed(&root_key).unwrap().pem();
        let issuer = Issuer::new(params, root_key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = leaf.signed_by(&key, &issuer).unwrap().pem();
        Certificates { root, certificate, key: key.serialize_pem() }
    })
}

fn config(stack: &AttachedStack) -> KafkaConfig {
    KafkaConfig::new(&stack.state().kafka.as_ref().unwrap().bootstrap)
}

fn record(key: Option<&str>, value: &str) -> Record {
    Record {
        key: key.map(|key| key.as_bytes().to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: BTreeMap::new(),
        timestamp_ms: 1_767_323_045_678,
    }
}

#[tokio::test]
async fn what_is_sent_is_read_as_it_was() {
    let config = config(shared().await);
    let mut full = record(Some("k"), "value");
    full.headers = [("id".to_owned(), vec![0, 255]), ("empty".to_owned(), vec![])].into();
    let records = [
        full,
        record(None, "no key"),
        Record { value: None, ..record(Some("k"), "") },
        Record { key: Some(vec![]), value: Some(vec![]), ..Record::default() },
        record(Some("k"), &"long ".repeat(20_000)),
    ];
    for compression in [Compression::Lz4, Compression::None] {
        let producer = Producer::new(KafkaConfig { compression, ..config.clone() });
        let positions = producer.send("whole", &records, TIME).await.unwrap();
        let reader = Reader::new(config.clone());
        for (record, Position { partition, offset }) in records.iter().zip(&positions) {
            let range = *offset..offset + 1;
            let read = reader.read("whole", *partition, range, TIME).await.unwrap();
            assert_eq!((read.len(), &read[0].record), (1, record));
        }
        let of_key: Vec<_> = [0, 2, 4].map(|index| positions[index]).to_vec();
        assert!(of_key.is_sorted() && of_key[0].partition == of_key[2].partition, "{of_key:?}");
    }
    assert_eq!(Producer::new(config).send("whole", &[], TIME).await.unwrap(), []);
}

#[tokio::test]
async fn keys_lie_where_kafkas_own_clients_put_them() {
    let config = config(shared().await);
    let keys: Vec<String> = (0..500).map(|number| format!("user-{number}")).collect();
    let records: Vec<_> = keys.iter().map(|key| record(Some(key), key)).collect();
    let positions = Producer::new(config).send("keys", &records, TIME).await.unwrap();
    for (key, position) in keys.iter().zip(&positions) {
        assert_eq!(position.partition, kafka::partition_of_key(key.as_bytes(), 7));
    }
    let used: BTreeSet<i32> = positions.iter().map(|position| position.partition).collect();
    assert_eq!(used.len(), 7);
}

#[tokio::test]
async fn a_call_larger_than_a_batch_arrives_whole_and_a_record_larger_than_one_is_refused() {
    let config = config(shared().await);
    let producer = Producer::new(KafkaConfig { compression: Compression::None, ..config.clone() });
    let value = "x".repeat(200_000);
    let records: Vec<_> = (0..30).map(|_| record(None, &value)).collect();
    let positions = producer.send("sizes", &records, TIME).await.unwrap();
    let first = positions[0].offset;
    let offsets: Vec<_> = positions.iter().map(|position| position.offset).collect();
    assert_eq!(offsets, (first..first + 30).collect::<Vec<_>>());
    let reader = Reader::new(config.clone());
    assert_eq!(reader.read("sizes", 0, first..first + 30, TIME).await.unwrap().len(), 30);

    let large = record(None, &"x".repeat(1_100_000));
    let error = producer.send("sizes", std::slice::from_ref(&large), TIME).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Quarantine);
    let text = error.to_string();
    assert!(
        text.contains("sizes") && text.contains("1100064") && text.contains("1000000"),
        "{text}"
    );
    // What the broker says when the limit of the client is higher than its own.
    let max_batch_bytes = 5_000_000;
    let config = KafkaConfig { compression: Compression::None, max_batch_bytes, ..config };
    let error = Producer::new(config).send("sizes", &[large], TIME).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Quarantine);
    assert!(error.to_string().contains("MessageTooLarge"), "{error}");
}

#[tokio::test]
async fn a_range_tells_what_retention_has_taken_from_what_is_not_there_yet() {
    let config = config(shared().await);
    let records: Vec<_> = (0..10).map(|number| record(None, &number.to_string())).collect();
    Producer::new(config.clone()).send("ranges", &records, TIME).await.unwrap();
    let reader = Reader::new(config.clone());
    assert_eq!(reader.offsets("ranges", 0, TIME).await.unwrap(), 0..10);
    let read = reader.read("ranges", 0, 2..5, TIME).await.unwrap();
    assert_eq!(read.iter().map(|record| record.offset).collect::<Vec<_>>(), [2, 3, 4]);

    let early = reader.read("ranges", 0, 8..12, TIME).await.unwrap_err();
    assert!(matches!(early, KafkaError::NotYetThere { offset: 10, latest: 10, .. }), "{early}");
    assert_eq!(early.disposition(), Disposition::Retry);
    let far = reader.read("ranges", 0, 50..51, TIME).await.unwrap_err();
    assert!(matches!(far, KafkaError::NotYetThere { offset: 50, latest: 10, .. }), "{far}");

    Admin::new(config).delete_records("ranges", 0, 4, TIME).await.unwrap();
    assert_eq!(reader.offsets("ranges", 0, TIME).await.unwrap(), 4..10);
    let gone = reader.read("ranges", 0, 2..6, TIME).await.unwrap_err();
    assert!(matches!(gone, KafkaError::BeforeRetention { offset: 2, earliest: 4, .. }), "{gone}");
    assert_eq!(gone.disposition(), Disposition::Quarantine);
    assert_eq!(reader.read("ranges", 0, 4..6, TIME).await.unwrap().len(), 2);

    let fetched = reader.fetch("ranges", 0, 10, 1000, Duration::ZERO, TIME).await.unwrap();
    assert_eq!((fetched.records.len(), fetched.next), (0, 10));
}

/// Somebody else's producers, or the topic itself, compress as this client cannot.
#[tokio::test]
async fn records_that_cannot_be_decoded_are_said_to_be_so_at_once() {
    let zstd = KafkaOptions { compression: Some("zstd".to_owned()), ..KafkaOptions::default() };
    let stack = start_with("kafka-zstd", &[("foreign", 1)], zstd).await;
    let records: Vec<_> = (0..10).map(|number| record(None, &number.to_string())).collect();
    Producer::new(config(&stack)).send("foreign", &records, TIME).await.unwrap();
    let reader = Reader::new(config(&stack));
    assert_eq!(reader.offsets("foreign", 0, TIME).await.unwrap(), 0..10);
    let error = reader.read("foreign", 0, 2..5, TIME).await.unwrap_err();
    assert!(matches!(error, KafkaError::Undecodable { .. }), "{error}");
    assert!(error.to_string().contains("Zstd"), "{error}");
    assert_eq!(error.disposition(), Disposition::Quarantine);
}

#[tokio::test]
async fn topics_are_found_by_name_and_by_pattern() {
    let config = config(shared().await);
    let reader = Reader::new(config.clone());
    let names = async |pattern: &str| {
        let pattern: TopicPattern = pattern.parse().unwrap();
        let topics = reader.topics(&pattern, TIME).await.unwrap();
        topics.into_iter().map(|topic| (topic.name, topic.partitions)).collect::<Vec<_>>()
    };
    let (a, b) = (("listed.a".to_owned(), vec![0]), ("listed.b".to_owned(), vec![0, 1]));
    assert_eq!(names("listed.*").await, [a.clone(), b]);
    assert_eq!(names("listed.a").await, [a]);
    assert_eq!(names("listed").await, []);

    let producer = Producer::new(config.clone());
    let absent = producer.send("absent", &[record(None, "1")], TIME).await.unwrap_err();
    assert!(matches!(absent, KafkaError::NoTopic { .. }), "{absent}");
    assert_eq!(absent.disposition(), Disposition::Fatal);
    let absent = reader.read("listed.b", 2, 0..1, TIME).await.unwrap_err();
    assert!(matches!(absent, KafkaError::NoPartition { partition: 2, .. }), "{absent}");

    // A topic that is made later is found by the producer that missed it.
    let admin = Admin::new(config);
    assert!(admin.create_topic("absent", 1, 1, TIME).await.unwrap());
    assert!(!admin.create_topic("absent", 1, 1, TIME).await.unwrap());
    producer.send("absent", &[record(None, "1")], TIME).await.unwrap();
}

#[tokio::test]
async fn who_logs_in_is_let_in_and_a_wrong_password_is_said_at_once() {
    let stack = shared().await;
    let login = stack.state().kafka.as_ref().unwrap().login.clone().unwrap();
    let config = KafkaConfig::new(&login.bootstrap);
    let password =
        |password: &str| Password { username: login.user.clone(), password: Secret::new(password) };
    let ways: [fn(Password) -> Security; 3] = [
        |password| Security::Plain(password, None),
        |password| Security::ScramSha256(password, None),
        |password| Security::ScramSha512(password, None),
    ];
    for way in ways {
        let producer = Producer::new(config.clone().with_security(way(password(&login.password))));
        producer.send("login", &[record(None, "1")], TIME).await.unwrap();

        let wrong = config.clone().with_security(way(password("wrong")));
        let start = Instant::now();
        let error = Producer::new(wrong).send("login", &[record(None, "1")], TIME).await;
        let error = error.unwrap_err();
        assert!(matches!(error, KafkaError::Denied { .. }), "{error}");
        assert_eq!(error.disposition(), Disposition::Fatal);
        assert!(start.elapsed() < TIME, "it is not tried until the time is over");
    }
}

/// What a function's variables and its secret say, with the secret in Secrets Manager.
#[tokio::test]
async fn the_variables_of_a_function_and_its_secret_open_the_door() {
    let stack = shared().await;
    let brokers = stack.state().kafka.as_ref().unwrap().tls.clone().unwrap();
    let endpoint = std::env::var("MOTHERLODE_TEST_AWS")
        .expect("set MOTHERLODE_TEST_AWS to the URL of an endpoint of AWS, such as moto's; `cargo xtask test` does");
    let Certificates { root, certificate, key } = authority();
    let name = format!("kafka-{}", std::process::id());
    let of = |more: &[(&str, &str)]| {
        let base = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_ACCESS_KEY_ID", "motherlode"),
            ("AWS_SECRET_ACCESS_KEY", "motherlode"),
            ("MOTHERLODE_KAFKA_BROKERS", &brokers),
        ];
        let all = base.iter().chain(more);
        runtime::Environment::of(all.map(|(name, value)| (*name, *value)))
    };
    let read = async |environment: runtime::Environment| {
        let config = runtime::aws::configuration_for(&environment).await;
        KafkaConfig::from_environment(&environment, &config)
    };
    // The secret is read for the first connection.
    let refused = async |environment: runtime::Environment| {
        let producer = Producer::new(read(environment).await.unwrap().unwrap());
        producer.send("login", &[record(None, "1")], TIME).await.unwrap_err().to_string()
    };
    let kind = ("MOTHERLODE_KAFKA_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH");
    let secret = ("MOTHERLODE_KAFKA_SECRET", name.as_str());
    let trusted = ("MOTHERLODE_KAFKA_CA", root.as_str());

    let without = read(of(&[kind, trusted])).await.unwrap_err().to_string();
    assert!(without.contains("MOTHERLODE_KAFKA_SECRET"), "{without}");
    let missing = refused(of(&[kind, trusted, secret])).await;
    assert!(missing.contains(&name) && missing.contains("cannot be read"), "{missing}");

    let client = runtime::aws::secrets(&runtime::aws::configuration_for(&of(&[])).await);
    let text = serde_json::json!({"certificate": certificate, "privateKey": key}).to_string();
    client.create_secret().name(&name).secret_string(text).send().await.unwrap();
    let config = read(of(&[kind, trusted, secret])).await.unwrap().unwrap();
    let producer = Producer::new(config);
    producer.send("login", &[record(None, "by its variables")], TIME).await.unwrap();

    client.put_secret_value().secret_id(&name).secret_string("hunter2").send().await.unwrap();
    let damaged = refused(of(&[kind, trusted, secret])).await;
    assert!(damaged.contains("certificate and privateKey"), "{damaged}");
    assert!(!damaged.contains("hunter2"), "no secret in a message");
}

#[tokio::test]
async fn a_login_that_is_refused_is_read_again() {
    #[derive(Debug)]
    struct Rotating(std::sync::Mutex<Security>);
    #[async_trait::async_trait]
    impl LoginSource for Rotating {
        async fn read(&self) -> Result<Security, KafkaError> {
            Ok(self.0.lock().unwrap().clone())
        }
    }
    let stack = shared().await;
    let login = stack.state().kafka.as_ref().unwrap().login.clone().unwrap();
    let as_user = |password: &str| {
        let (username, password) = (login.user.clone(), Secret::new(password));
        Security::ScramSha512(Password { username, password }, None)
    };
    let source = std::sync::Arc::new(Rotating(std::sync::Mutex::new(as_user("wrong"))));
    let config = KafkaConfig {
        login: Some(source.clone()),
        ..KafkaConfig::new(&login.bootstrap).with_security(as_user("wrong"))
    };
    let producer = Producer::new(config);
    let send = async || producer.send("login", &[record(None, "rotated")], TIME).await;
    let refused = send().await.unwrap_err();
    assert!(matches!(refused, KafkaError::Denied { .. }), "{refused}");
    *source.0.lock().unwrap() = as_user(&login.password);
    // The same producer; it may not ask for the secret again within a second.
    let started = std::time::Instant::now();
    while let Err(error) = send().await {
        assert!(started.elapsed() < TIME, "{error}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_certificate_opens_the_door_and_nobody_else_is_trusted() {
    let stack = shared().await;
    let config = KafkaConfig::new(stack.state().kafka.as_ref().unwrap().tls.as_ref().unwrap());
    let Certificates { root, certificate, key } = authority();
    let secret = serde_json::json!({"certificate": certificate, "privateKey": key}).to_string();
    let kind = "CLIENT_CERTIFICATE_TLS_AUTH";
    let send = async |security: Security, time: Duration| {
        let producer = Producer::new(config.clone().with_security(security));
        producer.send("login", &[record(None, "1")], time).await
    };
    let shown = Security::of_secret(kind, &secret, Some(root.clone())).unwrap();
    send(shown, TIME).await.unwrap();

    let short = Duration::from_secs(2);
    let nothing_shown = Security::Tls(Tls { roots: Some(root.clone()), client: None });
    let error = send(nothing_shown, short).await.unwrap_err();
    assert!(error.to_string().contains("ertificate"), "{error}");
    // The system trusts many, and not the authority of this test.
    let stranger = rcgen::generate_simple_self_signed([]).unwrap().cert.pem();
    let not_trusted = Security::of_secret(kind, &secret, Some(stranger)).unwrap();
    let error = send(not_trusted, short).await.unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    let error = send(Security::Plaintext, short).await.unwrap_err();
    assert!(matches!(error, KafkaError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_broker_that_is_away_costs_the_time_given_and_no_producer() {
    let stack = start("kafka-away", &[("t", 2)], None).await;
    let control = stack.control();
    let producer = Producer::new(config(&stack));
    let reader = Reader::new(config(&stack));
    let records = ["a", "b", "c", "d"].map(|key| record(Some(key), key));
    producer.send("t", &records, TIME).await.unwrap();
    let given = Duration::from_secs(2);
    // Generous: the machine may be busy, and without a limit it would be minutes.
    let limit = given + Duration::from_secs(10);

    // Silent: it has the connections and says nothing.
    control.pause_kafka().await.unwrap();
    let start = Instant::now();
    let error = producer.send("t", &records, given).await.unwrap_err();
    assert!(matches!(error, KafkaError::Unreachable { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry);
    assert!((given..limit).contains(&start.elapsed()), "{:?}", start.elapsed());
    let error = reader.read("t", 0, 0..1, given).await.unwrap_err();
    assert!(matches!(error, KafkaError::Unreachable { .. }), "{error}");
    control.resume_kafka().await.unwrap();
    producer.send("t", &records, TIME).await.unwrap();

    // Dead: nobody listens any more.
    control.kill_kafka().await.unwrap();
    let start = Instant::now();
    let error = producer.send("t", &records, given).await.unwrap_err();
    assert!((given..limit).contains(&start.elapsed()), "{:?}", start.elapsed());
    let text = error.to_string();
    assert!(text.contains("within 2s") && text.contains("refused"), "{text}");

    // Back, while somebody waits for it.
    let (sent, started) =
        tokio::join!(producer.send("t", &records, Duration::from_secs(60)), control.start_kafka());
    started.unwrap();
    sent.unwrap();
    let held = reader.offsets("t", 0, TIME).await.unwrap();
    assert!(!reader.read("t", 0, held, TIME).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_broker_that_never_was_is_unreachable() {
    let given = Duration::from_millis(300);
    let producer = Producer::new(KafkaConfig::new("127.0.0.1:1"));
    let error = producer.send("t", &[record(None, "1")], given).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1 within 300ms"), "{error}");
}
