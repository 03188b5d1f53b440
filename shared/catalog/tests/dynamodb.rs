//! The catalog in DynamoDB keeps the contract, alone and behind the cache, and
//! says what is wrong with a table.
//!
//! Needs a DynamoDB: `MOTHERLODE_TEST_AWS` holds the URL of an endpoint. It must
//! do transactions one at a time, which moto by itself does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use catalog::contract::{NOW_MS, Plant, yaml};
use catalog::{Catalog, DynamoCatalog};
use model::{Clock, Disposed, Disposition};

fn client() -> Client {
    let url = std::env::var("MOTHERLODE_TEST_AWS")
        .expect("set MOTHERLODE_TEST_AWS to the URL of a DynamoDB endpoint, such as moto's; these tests do not run without one");
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url);
    Client::from_conf(config.build())
}

fn unique_name() -> String {
    format!("sources-{}", uuid::Uuid::new_v4())
}

async fn empty() -> DynamoCatalog {
    let (client, name) = (client(), unique_name());
    catalog::create_table(&client, &name).await.unwrap();
    DynamoCatalog::new(client, name, Clock::new(|| NOW_MS))
}

async fn fixture() -> Arc<dyn Plant> {
    Arc::new(empty().await)
}

catalog::catalog_contract!(fixture);

mod cached {
    use super::*;
    use catalog::CachedCatalog;
    use std::time::Duration;

    async fn fixture() -> Arc<dyn Plant> {
        let clock = Clock::new(|| NOW_MS);
        Arc::new(CachedCatalog::new(empty().await, Duration::from_secs(15), clock))
    }

    catalog::catalog_contract!(fixture);
}

#[tokio::test]
async fn snapshots_go_on_over_pages() {
    let catalog = empty().await;
    // One page of DynamoDB holds 1 MB; these make 2 MB.
    for i in 0..10 {
        let text =
            format!("{}# {}\n", yaml(&format!("s{i}"), &format!("s{i}/")), "x".repeat(200 * 1024));
        catalog.put(&text, "anna", None).await.unwrap();
    }
    assert_eq!(catalog.snapshot().await.unwrap().entries().count(), 10);
}

#[tokio::test]
async fn a_missing_table_is_fatal_and_names_its_variable() {
    let name = unique_name();
    let catalog = DynamoCatalog::new(client(), &name, Clock::new(|| NOW_MS));
    let errors = [
        catalog.snapshot().await.unwrap_err(),
        catalog.get("orders", None).await.unwrap_err(),
        catalog.put(&yaml("orders", "orders/"), "anna", None).await.unwrap_err(),
        catalog.history("orders").await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.disposition(), Disposition::Fatal);
        let text = error.to_string();
        assert!(text.contains(&name) && text.contains("MOTHERLODE_SOURCES_TABLE"), "{text}");
    }
}
