//! What a warm function needs of the catalog: a snapshot that is at most a time
//! to live behind, for the price of one small read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::Clock;
use tokio::sync::Mutex;

use crate::{Catalog, CatalogError, PutOutcome, Registered, Snapshot, Stored};

/// How long a snapshot is used while the catalog cannot be read: objects go on
/// loading through a short trouble of the table, and a long one is noticed.
const MAX_STALE: Duration = Duration::from_secs(10 * 60);

/// Old versions that are kept: those that unfinished objects were begun with.
const MAX_VERSIONS: usize = 32;

/// A catalog that remembers.
#[derive(Debug)]
pub struct CachedCatalog<C> {
    inner: C,
    clock: Clock,
    ttl: Duration,
    /// How long a refresh may take.
    patience: Option<Duration>,
    /// Locked during a refresh, so that those who ask meanwhile share it.
    held: Mutex<Option<Held>>,
    /// Versions never change: the newest read is last.
    versions: Mutex<VecDeque<(String, Arc<Registered>)>>,
}

#[derive(Debug, Clone)]
struct Held {
    snapshot: Arc<Snapshot>,
    /// When the catalog last said that this is how it is.
    confirmed_at_ms: i64,
    /// When it was last asked, with or without an answer.
    asked_at_ms: i64,
}

impl<C: Catalog> CachedCatalog<C> {
    /// A cache over `inner` that asks for changes when `ttl` has passed since it
    /// last asked.
    #[must_use]
    pub fn new(inner: C, ttl: Duration, clock: Clock) -> Self {
        let (held, versions) = (Mutex::default(), Mutex::default());
        Self { inner, clock, ttl, patience: None, held, versions }
    }

    /// The same for whoever answers somebody that waits: a refresh that takes longer
    /// has failed.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    async fn refresh_in_time(&self, held: Option<&Held>) -> Result<Arc<Snapshot>, CatalogError> {
        let Some(patience) = self.patience else { return self.refresh(held).await };
        let refreshed = tokio::time::timeout(patience, self.refresh(held)).await;
        refreshed.unwrap_or(Err(CatalogError::Silent { patience }))
    }

    async fn refresh(&self, held: Option<&Held>) -> Result<Arc<Snapshot>, CatalogError> {
        if let Some(held) = held
            && self.inner.revision().await? == held.snapshot.revision()
        {
            return Ok(Arc::clone(&held.snapshot));
        }
        self.inner.snapshot().await
    }

    /// The next call asks the catalog, whatever the time.
    pub(crate) async fn forget_time(&self) {
        if let Some(held) = &mut *self.held.lock().await {
            held.asked_at_ms = i64::MIN;
        }
    }

    async fn remembered(&self, source: &str, config_version: u64) -> Option<Arc<Registered>> {
        if let Some(held) = &*self.held.lock().await
            && let Ok(current) = held.snapshot.get(source)
            && current.config_version == config_version
        {
            return Some(current);
        }
        let versions = self.versions.lock().await;
        versions
            .iter()
            .find(|(name, registered)| {
                name == source && registered.config_version == config_version
            })
            .map(|(_, registered)| Arc::clone(registered))
    }

    /// The cached catalog.
    #[cfg(any(test, feature = "contract"))]
    pub(crate) fn inner(&self) -> &C {
        &self.inner
    }
}

#[async_trait]
impl<C: Catalog> Catalog for CachedCatalog<C> {
    async fn revision(&self) -> Result<u64, CatalogError> {
        self.inner.revision().await
    }

    async fn snapshot(&self) -> Result<Arc<Snapshot>, CatalogError> {
        let mut held = self.held.lock().await;
        let now_ms = self.clock.now_ms();
        if let Some(held) = &*held
            && is_within(held.asked_at_ms, self.ttl, now_ms)
        {
            return Ok(Arc::clone(&held.snapshot));
        }
        match (self.refresh_in_time(held.as_ref()).await, &mut *held) {
            (Ok(snapshot), held) => {
                *held = Some(Held {
                    snapshot: Arc::clone(&snapshot),
                    confirmed_at_ms: now_ms,
                    asked_at_ms: now_ms,
                });
                Ok(snapshot)
            }
            (Err(error), Some(held)) if is_within(held.confirmed_at_ms, MAX_STALE, now_ms) => {
                held.asked_at_ms = now_ms;
                tracing::warn!(
                    error = %error,
                    revision = held.snapshot.revision(),
                    age_ms = now_ms.saturating_sub(held.confirmed_at_ms),
                    "source documents could not be refreshed, going on with those at hand"
                );
                Ok(Arc::clone(&held.snapshot))
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn recheck(&self) -> Result<Arc<Snapshot>, CatalogError> {
        self.forget_time().await;
        self.snapshot().await
    }

    async fn get(
        &self,
        source: &str,
        config_version: Option<u64>,
    ) -> Result<Arc<Registered>, CatalogError> {
        let Some(wanted) = config_version else { return self.snapshot().await?.get(source) };
        if let Some(known) = self.remembered(source, wanted).await {
            return Ok(known);
        }
        let read = self.inner.get(source, config_version).await?;
        let mut versions = self.versions.lock().await;
        if versions.len() >= MAX_VERSIONS {
            versions.pop_front();
        }
        versions.push_back((source.to_owned(), Arc::clone(&read)));
        Ok(read)
    }

    async fn put(
        &self,
        yaml: &str,
        by: &str,
        note: Option<&str>,
    ) -> Result<PutOutcome, CatalogError> {
        let outcome = self.inner.put(yaml, by, note).await;
        self.forget_time().await;
        outcome
    }

    async fn history(&self, source: &str) -> Result<Vec<Stored>, CatalogError> {
        self.inner.history(source).await
    }

    async fn rollback(&self, source: &str, to: u64, by: &str) -> Result<PutOutcome, CatalogError> {
        let outcome = self.inner.rollback(source, to, by).await;
        self.forget_time().await;
        outcome
    }
}

/// Whether less than `span` has passed since `then_ms`.
fn is_within(then_ms: i64, span: Duration, now_ms: i64) -> bool {
    let passed = u128::try_from(now_ms.saturating_sub(then_ms)).unwrap_or(0);
    passed < span.as_millis()
}
