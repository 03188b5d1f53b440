//! What every catalog must do: the tests that the DynamoDB catalog, its twin and
//! the cache over either share. Each takes an empty catalog.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this module is test code, compiled for tests only"
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use model::document::SourceDocument;
use model::{Disposed, Disposition, RouteError};

use crate::{CachedCatalog, Catalog, CatalogError, DynamoCatalog, Entry, MemoryCatalog, Stored};

/// What the clock of these tests shows, in milliseconds since 1970.
pub const NOW_MS: i64 = 1_795_363_200_123;

/// A catalog into which a test can write what a newer program would leave.
#[async_trait]
pub trait Plant: Catalog {
    /// Writes a version unchecked.
    async fn plant(&self, stored: Stored);
}

#[async_trait]
impl Plant for MemoryCatalog {
    async fn plant(&self, stored: Stored) {
        MemoryCatalog::plant(self, stored);
    }
}

#[async_trait]
impl Plant for DynamoCatalog {
    async fn plant(&self, stored: Stored) {
        DynamoCatalog::plant(self, &stored).await.unwrap();
    }
}

#[async_trait]
impl<C: Plant> Plant for CachedCatalog<C> {
    async fn plant(&self, stored: Stored) {
        self.inner().plant(stored).await;
        self.forget_time().await;
    }
}

/// Makes one `#[tokio::test]` of each rule of the contract. The argument is an
/// async function that gives an empty `Arc<dyn Plant>`.
#[macro_export]
macro_rules! catalog_contract {
    ($fixture:path) => {
        $crate::catalog_contract!($fixture:
            a_document_is_put_and_found,
            an_identical_document_is_not_written,
            every_version_is_kept,
            a_rollback_is_a_new_version,
            invalid_documents_are_refused,
            a_document_too_large_for_an_item_is_refused,
            two_sources_cannot_claim_the_same_objects,
            a_stream_is_found_by_its_topic_and_by_its_key,
            an_object_finds_its_source,
            a_disabled_source_keeps_its_objects_from_others,
            a_broken_document_stands_for_itself_alone,
            concurrent_puts_are_all_kept,
            concurrent_twins_do_not_both_get_in,
        );
    };
    ($fixture:path: $($rule:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                $crate::contract::$rule($fixture().await).await;
            }
        )+
    };
}

/// A small document.
#[must_use]
pub fn yaml(source: &str, prefix: &str) -> String {
    format!(
        "# the feed of {source}\nsource: {source}\nversion: 1\nowner: data@example.com\nmatch: {{prefix: {prefix}}}\n\
         format: parquet\ncolumns:\n  - {{name: id, type: UInt64}}\ntable: {{database: d, name: t}}\n"
    )
}

fn disabled(source: &str, prefix: &str) -> String {
    format!("{}enabled: false\n", yaml(source, prefix))
}

fn failed<T: std::fmt::Debug>(result: Result<T, CatalogError>) -> CatalogError {
    match result {
        Err(error) => error,
        Ok(value) => panic!("not refused: {value:?}"),
    }
}

async fn routed(catalog: &dyn Plant, key: &str) -> Result<String, CatalogError> {
    let (registered, _) = catalog.snapshot().await.unwrap().route("bucket", key)?;
    Ok(registered.document.source.clone())
}

/// A document comes back as it was given, with who, when and why.
pub async fn a_document_is_put_and_found(catalog: Arc<dyn Plant>) {
    assert_eq!(catalog.revision().await.unwrap(), 0);
    assert_eq!(catalog.snapshot().await.unwrap().entries().count(), 0);
    let error = failed(catalog.get("orders", None).await);
    assert!(matches!(error, CatalogError::UnknownSource { .. }), "{error}");

    let text = yaml("orders", "orders/");
    let outcome = catalog.put(&text, "anna", Some("first")).await.unwrap();
    assert_eq!(
        (outcome.source.as_str(), outcome.config_version, outcome.unchanged),
        ("orders", 1, false)
    );
    for version in [None, Some(1)] {
        let found = catalog.get("orders", version).await.unwrap();
        assert_eq!(found.document, SourceDocument::from_yaml(&text).unwrap());
        assert_eq!((found.yaml.as_str(), found.put_by.as_str()), (text.as_str(), "anna"));
        assert_eq!(
            (found.config_version, found.put_at_ms, found.note.as_deref()),
            (1, NOW_MS, Some("first"))
        );
    }
    assert_eq!(
        catalog.snapshot().await.unwrap().get("orders").unwrap(),
        catalog.get("orders", None).await.unwrap()
    );
    let error = failed(catalog.get("orders", Some(2)).await);
    assert!(matches!(error, CatalogError::UnknownVersion { config_version: 2, .. }), "{error}");
}

/// Other comments and another order of fields say the same.
pub async fn an_identical_document_is_not_written(catalog: Arc<dyn Plant>) {
    let text = yaml("orders", "orders/");
    catalog.put(&text, "anna", None).await.unwrap();
    let revision = catalog.revision().await.unwrap();
    let same = format!("# another comment\nenabled: true\n{text}");
    let outcome = catalog.put(&same, "bert", None).await.unwrap();
    assert_eq!((outcome.config_version, outcome.unchanged), (1, true));
    assert_eq!(catalog.revision().await.unwrap(), revision);
    assert_eq!(catalog.get("orders", None).await.unwrap().put_by, "anna");
    assert_eq!(catalog.history("orders").await.unwrap().len(), 1);
}

/// The history has every version as it was written, the newest first.
pub async fn every_version_is_kept(catalog: Arc<dyn Plant>) {
    for i in 1..=11 {
        let text = yaml("orders", &format!("orders/{i}/"));
        let outcome = catalog.put(&text, "anna", Some(&format!("note {i}"))).await.unwrap();
        assert_eq!(outcome.config_version, i);
        assert_eq!(catalog.revision().await.unwrap(), i);
    }
    catalog.put(&yaml("order", "other/"), "anna", None).await.unwrap();
    let history = catalog.history("orders").await.unwrap();
    let versions: Vec<u64> = history.iter().map(|stored| stored.config_version).collect();
    assert_eq!(versions, (1..=11).rev().collect::<Vec<_>>());
    assert_eq!(history[9].yaml, yaml("orders", "orders/2/"));
    assert_eq!(history[9].note.as_deref(), Some("note 2"));
    let old = catalog.get("orders", Some(2)).await.unwrap();
    assert_eq!(old.document.matching.prefix.as_deref(), Some("orders/2/"));
    let error = failed(catalog.history("nobody").await);
    assert!(matches!(error, CatalogError::UnknownSource { .. }), "{error}");
}

/// Going back adds a version and loses none.
pub async fn a_rollback_is_a_new_version(catalog: Arc<dyn Plant>) {
    catalog.put(&yaml("orders", "one/"), "anna", None).await.unwrap();
    catalog.put(&yaml("orders", "two/"), "anna", None).await.unwrap();
    let outcome = catalog.rollback("orders", 1, "bert").await.unwrap();
    assert_eq!((outcome.config_version, outcome.unchanged), (3, false));
    let now = catalog.get("orders", None).await.unwrap();
    assert_eq!(now.yaml, yaml("orders", "one/"));
    assert_eq!((now.put_by.as_str(), now.note.as_deref()), ("bert", Some("rollback to version 1")));
    assert_eq!(catalog.history("orders").await.unwrap().len(), 3);
    assert!(catalog.rollback("orders", 3, "bert").await.unwrap().unchanged);
    let error = failed(catalog.rollback("orders", 9, "bert").await);
    assert!(matches!(error, CatalogError::UnknownVersion { config_version: 9, .. }), "{error}");
}

/// A refused document changes nothing, and every problem has its path.
pub async fn invalid_documents_are_refused(catalog: Arc<dyn Plant>) {
    catalog.put(&yaml("orders", "orders/"), "anna", None).await.unwrap();
    let bad = yaml("orders", "orders/").replace("UInt64", "Int").replace("name: t}", "name: t-t}");
    let error = failed(catalog.put(&bad, "anna", None).await);
    let text = error.to_string();
    assert!(text.contains("columns[0].type: ") && text.contains("table.name: "), "{text}");
    assert_eq!(error.disposition(), Disposition::Quarantine);
    assert_eq!(catalog.get("orders", None).await.unwrap().config_version, 1);
}

/// DynamoDB's limit is named before DynamoDB is asked.
pub async fn a_document_too_large_for_an_item_is_refused(catalog: Arc<dyn Plant>) {
    let fits = format!("{}# {}\n", yaml("orders", "orders/"), "x".repeat(340 * 1024));
    catalog.put(&fits, "anna", None).await.unwrap();
    let large = format!("{}# {}\n", yaml("returns", "returns/"), "x".repeat(350 * 1024));
    let error = failed(catalog.put(&large, "anna", None).await);
    assert!(matches!(error, CatalogError::TooLarge { limit: 358_400, .. }), "{error}");
}

fn stream(name: &str, topics: &str, pixel: &str) -> String {
    format!(
        "source: {name}\nversion: 1\nowner: web\nkind: kafka\n\
         stream: {{ topics: [{topics}]{pixel} }}\n\
         table: {{ database: d, name: {name} }}\n"
    )
}

/// A record belongs to the source that names its topic before one with a pattern;
/// no object does, whatever its key; no two sources share a topic or a key.
pub async fn a_stream_is_found_by_its_topic_and_by_its_key(catalog: Arc<dyn Plant>) {
    catalog
        .put(&stream("web", "events", ", pixel: { keys: [wk_web_01] }"), "anna", None)
        .await
        .unwrap();
    let pixel = ", pixel: { keys: [wk_shop_1], topic: shop.web, invalid_topic: refused }";
    catalog.put(&stream("shop", "\"shop.*\"", pixel), "anna", None).await.unwrap();
    catalog.put(&stream("rest", "\"*\"", ""), "anna", None).await.unwrap();
    catalog.put(&yaml("orders", "orders/"), "anna", None).await.unwrap();
    let snapshot = catalog.snapshot().await.unwrap();
    let of_topic = |topic: &str| {
        snapshot.for_topic(topic).map(|registered| registered.document.source.clone())
    };
    assert_eq!(of_topic("events").as_deref(), Some("web"));
    assert_eq!(of_topic("shop.orders").as_deref(), Some("shop"));
    assert_eq!(of_topic("other").as_deref(), Some("rest"));
    let of_key = |key: &str| snapshot.for_key(key).map(|found| found.document.source.clone());
    assert_eq!(of_key("wk_shop_1").as_deref(), Some("shop"));
    assert_eq!(of_key("wk_nobody"), None);
    assert_eq!(routed(&*catalog, "orders/1").await.unwrap(), "orders");
    assert!(routed(&*catalog, "elsewhere").await.is_err(), "a stream takes no objects");

    let pixel = ", pixel: { keys: [wk_late_1] }";
    let error = failed(catalog.put(&stream("late", "events", pixel), "anna", None).await);
    assert!(
        error.to_string().contains("topic `events` is the same as that of source web"),
        "{error}"
    );
    let pixel = ", pixel: { keys: [wk_web_01] }";
    let error = failed(catalog.put(&stream("late", "late", pixel), "anna", None).await);
    assert!(error.to_string().contains("write key `wk_web_01`"), "{error}");
}

/// The same `match` twice would make every object ambiguous.
pub async fn two_sources_cannot_claim_the_same_objects(catalog: Arc<dyn Plant>) {
    catalog.put(&yaml("orders", "orders/"), "anna", None).await.unwrap();
    let error = failed(catalog.put(&yaml("sales", "orders/"), "anna", None).await);
    let CatalogError::SameMatch { feed, other, .. } = &error else { panic!("{error}") };
    assert_eq!((feed.as_str(), other.as_str()), ("sales", "orders"));

    // A disabled source does not count, neither as the new one nor as the other.
    catalog.put(&disabled("sales", "orders/"), "anna", None).await.unwrap();
    assert_eq!(routed(&*catalog, "orders/1").await.unwrap(), "orders");
    catalog.put(&disabled("orders", "orders/"), "anna", None).await.unwrap();
    catalog.put(&yaml("sales", "orders/"), "anna", None).await.unwrap();
    assert_eq!(routed(&*catalog, "orders/1").await.unwrap(), "sales");
}

/// The most specific pattern wins, and a change is seen.
pub async fn an_object_finds_its_source(catalog: Arc<dyn Plant>) {
    catalog.put(&yaml("wide", "a/"), "anna", None).await.unwrap();
    let glob = yaml("narrow", "x").replace("{prefix: x}", "{glob: 'a/b/dt={dt}/*'}");
    catalog.put(&glob, "anna", None).await.unwrap();
    let snapshot = catalog.snapshot().await.unwrap();
    let (found, captures) = snapshot.route("bucket", "a/b/dt=2026-01-01/x").unwrap();
    assert_eq!(found.document.source, "narrow");
    assert_eq!(captures["dt"], "2026-01-01");
    assert_eq!(routed(&*catalog, "a/b/x").await.unwrap(), "wide");

    let error = failed(routed(&*catalog, "z").await);
    assert!(matches!(error, CatalogError::Route(RouteError::NoSource { .. })), "{error}");
    assert_eq!(error.disposition(), Disposition::Quarantine);
    catalog.put(&yaml("other", "z"), "anna", None).await.unwrap();
    assert_eq!(routed(&*catalog, "z").await.unwrap(), "other");
    let equal = yaml("equal", "x").replace("{prefix: x}", "{glob: 'z**'}");
    catalog.put(&equal, "anna", None).await.unwrap();
    let error = failed(routed(&*catalog, "z").await);
    assert!(matches!(error, CatalogError::Route(RouteError::Ambiguous { .. })), "{error}");
}

/// The objects of a switched-off source do not land in a wider one.
pub async fn a_disabled_source_keeps_its_objects_from_others(catalog: Arc<dyn Plant>) {
    catalog.put(&yaml("wide", "a/"), "anna", None).await.unwrap();
    catalog.put(&disabled("narrow", "a/b/"), "anna", None).await.unwrap();
    assert_eq!(routed(&*catalog, "a/c").await.unwrap(), "wide");
    let error = failed(routed(&*catalog, "a/b/c").await);
    assert!(matches!(&error, CatalogError::Disabled { feed, .. } if feed == "narrow"), "{error}");
    assert_eq!(error.disposition(), Disposition::Quarantine);
    assert!(!catalog.get("narrow", None).await.unwrap().document.enabled);
}

/// A document of a newer program yields its error to those who ask for it.
pub async fn a_broken_document_stands_for_itself_alone(catalog: Arc<dyn Plant>) {
    catalog.put(&yaml("orders", "orders/"), "anna", None).await.unwrap();
    let document =
        SourceDocument::from_yaml(&yaml("future", "future/")).unwrap().to_json().unwrap();
    let newer = document.replace(r#""version":1"#, r#""version":2,"dreams":true"#);
    catalog
        .plant(Stored {
            source: "future".into(),
            document: newer,
            yaml: "dreams: true".into(),
            config_version: 1,
            put_at_ms: NOW_MS,
            put_by: "anna".into(),
            note: None,
        })
        .await;
    assert_eq!(routed(&*catalog, "orders/1").await.unwrap(), "orders");
    let errors = [
        failed(routed(&*catalog, "future/1").await),
        failed(catalog.get("future", None).await),
        failed(catalog.get("future", Some(1)).await),
        failed(catalog.rollback("future", 1, "anna").await),
    ];
    for error in errors {
        assert!(matches!(&error, CatalogError::Broken { feed, .. } if feed == "future"), "{error}");
        assert!(error.to_string().contains("dreams"), "{error}");
        assert_eq!(error.disposition(), Disposition::Fatal);
    }
    let snapshot = catalog.snapshot().await.unwrap();
    let broken: Vec<_> = snapshot
        .entries()
        .filter(|(_, entry)| matches!(entry, Entry::Broken { .. }))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(broken, ["future"]);
    assert_eq!(catalog.history("future").await.unwrap()[0].yaml, "dreams: true");

    let outcome = catalog.put(&yaml("future", "future/"), "anna", None).await.unwrap();
    assert_eq!(outcome.config_version, 2, "a document that can be read mends it");
    assert_eq!(routed(&*catalog, "future/1").await.unwrap(), "future");
}

/// Puts that meet are done one after the other; none is lost.
pub async fn concurrent_puts_are_all_kept(catalog: Arc<dyn Plant>) {
    let tasks: Vec<_> = (0..4)
        .map(|i| {
            let catalog = Arc::clone(&catalog);
            let text = yaml("orders", &format!("orders/{i}/"));
            tokio::spawn(
                async move { catalog.put(&text, "anna", None).await.unwrap().config_version },
            )
        })
        .collect();
    let mut versions = BTreeSet::new();
    for task in tasks {
        versions.insert(task.await.unwrap());
    }
    assert_eq!(versions, (1..=4).collect());
    assert_eq!(catalog.history("orders").await.unwrap().len(), 4);
    assert_eq!(catalog.revision().await.unwrap(), 4);
}

/// The check for the same `match` holds when both come at once.
pub async fn concurrent_twins_do_not_both_get_in(catalog: Arc<dyn Plant>) {
    let tasks: Vec<_> = (0..4)
        .map(|i| {
            let catalog = Arc::clone(&catalog);
            let text = yaml(&format!("orders-{i}"), "orders/");
            tokio::spawn(async move { catalog.put(&text, "anna", None).await })
        })
        .collect();
    let mut put = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => put += 1,
            Err(error) => assert!(matches!(error, CatalogError::SameMatch { .. }), "{error}"),
        }
    }
    assert_eq!(put, 1);
}
