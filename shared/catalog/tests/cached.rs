//! What the cache spares, when it sees a change, and what it does in trouble.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use catalog::contract::{NOW_MS, Plant, yaml};
use catalog::{
    CachedCatalog, Catalog, CatalogError, MemoryCatalog, PutOutcome, Registered, Snapshot, Stored,
};
use model::Clock;

const TTL: Duration = Duration::from_secs(15);

async fn fixture() -> Arc<dyn Plant> {
    let clock = Clock::new(|| NOW_MS);
    Arc::new(CachedCatalog::new(MemoryCatalog::new(clock.clone()), TTL, clock))
}

catalog::catalog_contract!(fixture);

/// A catalog that counts what it is asked and can be cut off.
struct Watched {
    inner: MemoryCatalog,
    revisions: AtomicU64,
    snapshots: AtomicU64,
    versions: AtomicU64,
    cut_off: AtomicBool,
    silent: AtomicBool,
}

impl Watched {
    async fn count(&self, counter: &AtomicU64) -> Result<(), CatalogError> {
        counter.fetch_add(1, Ordering::SeqCst);
        if self.silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.cut_off.load(Ordering::SeqCst) {
            // Any error will do: the cache does not look into it.
            return Err(CatalogError::Contended { feed: "cut off".into(), tries: 0 });
        }
        Ok(())
    }

    /// Revisions, snapshots and versions that were read.
    fn counts(&self) -> (u64, u64, u64) {
        let of = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        (of(&self.revisions), of(&self.snapshots), of(&self.versions))
    }
}

#[async_trait]
impl Catalog for Watched {
    async fn revision(&self) -> Result<u64, CatalogError> {
        self.count(&self.revisions).await?;
        self.inner.revision().await
    }

    async fn snapshot(&self) -> Result<Arc<Snapshot>, CatalogError> {
        self.count(&self.snapshots).await?;
        // Those who ask at the same time get their chance to come in between.
        tokio::task::yield_now().await;
        self.inner.snapshot().await
    }

    async fn get(
        &self,
        source: &str,
        config_version: Option<u64>,
    ) -> Result<Arc<Registered>, CatalogError> {
        self.count(&self.versions).await?;
        self.inner.get(source, config_version).await
    }

    async fn put(
        &self,
        yaml: &str,
        by: &str,
        note: Option<&str>,
    ) -> Result<PutOutcome, CatalogError> {
        self.inner.put(yaml, by, note).await
    }

    async fn history(&self, source: &str) -> Result<Vec<Stored>, CatalogError> {
        self.inner.history(source).await
    }

    async fn rollback(&self, source: &str, to: u64, by: &str) -> Result<PutOutcome, CatalogError> {
        self.inner.rollback(source, to, by).await
    }
}

struct Bench {
    watched: Arc<Watched>,
    cached: Arc<CachedCatalog<Arc<Watched>>>,
    now_ms: Arc<AtomicI64>,
}

impl Bench {
    async fn new() -> Self {
        let now_ms = Arc::new(AtomicI64::new(NOW_MS));
        let shown = Arc::clone(&now_ms);
        let clock = Clock::new(move || shown.load(Ordering::SeqCst));
        let watched = Arc::new(Watched {
            inner: MemoryCatalog::new(clock.clone()),
            revisions: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            versions: AtomicU64::new(0),
            cut_off: AtomicBool::new(false),
            silent: AtomicBool::new(false),
        });
        watched.put(&yaml("orders", "one/"), "anna", None).await.unwrap();
        let cached = Arc::new(CachedCatalog::new(Arc::clone(&watched), TTL, clock));
        Self { watched, cached, now_ms }
    }

    fn pass(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    async fn version(&self) -> u64 {
        self.cached.get("orders", None).await.unwrap().config_version
    }
}

#[tokio::test]
async fn a_warm_function_reads_one_small_item_per_time_to_live() {
    let bench = Bench::new().await;
    for _ in 0..10 {
        assert_eq!(bench.version().await, 1);
    }
    assert_eq!(bench.watched.counts(), (0, 1, 0));
    for _ in 0..3 {
        bench.pass(15);
        bench.version().await;
        bench.version().await;
    }
    assert_eq!(bench.watched.counts(), (3, 1, 0));
}

#[tokio::test]
async fn a_change_elsewhere_is_seen_after_the_time_to_live() {
    let bench = Bench::new().await;
    bench.version().await;
    bench.watched.put(&yaml("orders", "two/"), "bert", None).await.unwrap();
    bench.pass(14);
    assert_eq!(bench.version().await, 1);
    bench.pass(1);
    assert_eq!(bench.version().await, 2);
    bench.cached.put(&yaml("orders", "three/"), "anna", None).await.unwrap();
    assert_eq!(bench.version().await, 3, "a change through the cache is seen at once");
}

/// A table that takes requests and answers none: whoever waits is answered all the same.
#[tokio::test]
async fn a_silent_catalog_keeps_nobody_waiting() {
    let patience = Duration::from_millis(50);
    let Bench { watched, now_ms, .. } = Bench::new().await;
    let clock = {
        let now_ms = Arc::clone(&now_ms);
        Clock::new(move || now_ms.load(Ordering::SeqCst))
    };
    let cached = CachedCatalog::new(Arc::clone(&watched), TTL, clock).with_patience(patience);
    watched.silent.store(true, Ordering::SeqCst);
    let error = cached.snapshot().await.unwrap_err();
    assert!(matches!(error, CatalogError::Silent { .. }), "{error}");
    watched.silent.store(false, Ordering::SeqCst);
    cached.snapshot().await.unwrap();
    watched.silent.store(true, Ordering::SeqCst);
    now_ms.fetch_add(15_000, Ordering::SeqCst);
    let asked = watched.counts();
    for _ in 0..3 {
        assert_eq!(cached.snapshot().await.unwrap().revision(), 1, "the one at hand");
    }
    assert_eq!(watched.counts().0, asked.0 + 1, "it is not asked again at once");
    now_ms.fetch_add(600_000, Ordering::SeqCst);
    assert!(cached.snapshot().await.is_err(), "a long trouble is noticed");
}

#[tokio::test]
async fn those_who_ask_together_share_a_refresh() {
    let bench = Bench::new().await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let cached = Arc::clone(&bench.cached);
            tokio::spawn(async move { cached.snapshot().await.unwrap().revision() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 1);
    }
    assert_eq!(bench.watched.counts(), (0, 1, 0));
}

#[tokio::test]
async fn trouble_is_outlived_for_ten_minutes() {
    let bench = Bench::new().await;
    bench.version().await;
    bench.watched.cut_off.store(true, Ordering::SeqCst);
    bench.pass(15);
    bench.version().await;
    bench.version().await;
    assert_eq!(bench.watched.counts().0, 1, "an absent catalog is not asked at every call");
    bench.pass(570);
    bench.version().await;
    bench.pass(15);
    assert!(bench.cached.get("orders", None).await.is_err(), "after ten minutes the trouble shows");
    bench.watched.cut_off.store(false, Ordering::SeqCst);
    assert_eq!(bench.version().await, 1);
}

#[tokio::test]
async fn a_cold_function_shows_the_trouble_at_once() {
    let bench = Bench::new().await;
    bench.watched.cut_off.store(true, Ordering::SeqCst);
    assert!(bench.cached.snapshot().await.is_err());
}

#[tokio::test]
async fn old_versions_are_read_once_and_bounded() {
    let bench = Bench::new().await;
    for i in 2..=41 {
        bench.watched.put(&yaml("orders", &format!("p{i}/")), "anna", None).await.unwrap();
    }
    bench.version().await;
    let get = async |version: u64| {
        bench.cached.get("orders", Some(version)).await.unwrap().config_version
    };
    assert_eq!(get(41).await, 41);
    assert_eq!(bench.watched.counts().2, 0, "the current version is at hand");
    for version in (1..=40).chain(9..=40) {
        assert_eq!(get(version).await, version);
    }
    assert_eq!(bench.watched.counts().2, 40, "32 versions are kept");
    get(1).await;
    assert_eq!(bench.watched.counts().2, 41);
}
