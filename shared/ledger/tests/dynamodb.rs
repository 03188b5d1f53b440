//! The ledger in DynamoDB keeps the contract, does in random histories what its
//! twin does, and says what is wrong with a table.
//!
//! Needs a DynamoDB: `MOTHERLODE_TEST_AWS` holds the URL of an endpoint. It must
//! do conditional writes one at a time, which moto by itself does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod script;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use ledger::contract::{TestClock, object, request};
use ledger::{DynamoLedger, Ledger, ListQuery, MemoryLedger};
use model::{Disposed, Disposition};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

fn client_of(url: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url);
    Client::from_conf(config.build())
}

fn client() -> Client {
    let url = std::env::var("MOTHERLODE_TEST_AWS")
        .expect("set MOTHERLODE_TEST_AWS to the URL of a DynamoDB endpoint, such as moto's; these tests do not run without one");
    client_of(&url)
}

fn unique_name() -> String {
    format!("ledger-{}", uuid::Uuid::new_v4())
}

async fn fixture() -> (Arc<dyn Ledger>, TestClock) {
    let (client, name) = (client(), unique_name());
    ledger::create_table(&client, &name).await.unwrap();
    let clock = TestClock::default();
    (Arc::new(DynamoLedger::new(client, name, clock.clock())), clock)
}

ledger::ledger_contract!(fixture);

mod partitions {
    use std::sync::Arc;

    use ledger::contract::TestClock;
    use ledger::{DynamoPartitions, Partitions};

    async fn fixture() -> Arc<dyn Partitions> {
        let (client, name) = (super::client(), super::unique_name());
        ledger::create_table(&client, &name).await.unwrap();
        Arc::new(DynamoPartitions::new(client, name, TestClock::default().clock()))
    }

    ledger::partition_contract!(fixture);
}

#[tokio::test]
async fn histories_are_the_same_as_in_the_twin() {
    let (real, clock) = fixture().await;
    let mut runner = TestRunner::deterministic();
    for case in 0..20 {
        let ops = script::history().new_tree(&mut runner).unwrap().current();
        let twin_clock = TestClock::default();
        twin_clock.pass(std::time::Duration::from_millis(
            u64::try_from(clock.now_ms() - twin_clock.now_ms()).unwrap(),
        ));
        let twin = MemoryLedger::new(twin_clock.clock());
        let key = format!("case {case}");
        let expected = script::run(&twin, &twin_clock, &key, &ops).await;
        let told = script::run(&*real, &clock, &key, &ops).await;
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn listings_go_on_over_pages() {
    let (ledger, clock) = fixture().await;
    // One page of DynamoDB holds 1 MB; these reasons, cut to 8 KB, make 1.2 MB.
    for i in 0..150 {
        clock.pass(std::time::Duration::from_millis(1));
        let outcome = ledger.claim(&request(&format!("k{i}"), "one")).await.unwrap();
        let ledger::ClaimOutcome::Claimed(claim) = outcome else {
            panic!("not claimed: {outcome:?}")
        };
        ledger.fail(claim, &"x".repeat(10_000)).await.unwrap();
    }
    for source in [Some("orders".to_owned()), None] {
        for state in [Some(ledger::State::Failed), None] {
            let found = ledger
                .list(&ListQuery { source: source.clone(), state, limit: 140 })
                .await
                .unwrap();
            assert_eq!(found.len(), 140);
            assert_eq!(
                (found[0].object.key.as_str(), found[139].object.key.as_str()),
                ("k149", "k10")
            );
        }
    }
}

#[tokio::test]
async fn a_missing_table_is_fatal_and_names_its_variable() {
    let clock = TestClock::default();
    let name = unique_name();
    let ledger = DynamoLedger::new(client(), &name, clock.clock());
    let errors = [
        ledger.claim(&request("a", "one")).await.unwrap_err(),
        ledger.get("orders", &object("a")).await.unwrap_err(),
        ledger.list(&ListQuery { limit: 1, ..ListQuery::default() }).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.disposition(), Disposition::Fatal);
        let text = error.to_string();
        assert!(text.contains(&name) && text.contains("MOTHERLODE_LEDGER_TABLE"), "{text}");
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_tried_later() {
    // Bound and dropped: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = client_of(&format!("http://127.0.0.1:{port}"));
    let ledger = DynamoLedger::new(client, "any", TestClock::default().clock());
    let error = ledger.claim(&request("a", "one")).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry, "{error}");
}
