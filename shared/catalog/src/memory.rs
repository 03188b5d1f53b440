//! The catalog's twin in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use model::Clock;

use crate::plan::{Plan, Proposal, rollback_note};
use crate::{Catalog, CatalogError, PutOutcome, Registered, Snapshot, Stored};

/// A catalog that lives as long as this value.
#[derive(Debug)]
pub struct MemoryCatalog {
    documents: Mutex<Documents>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Documents {
    revision: u64,
    /// Every version of every source, oldest first, never empty.
    versions: BTreeMap<String, Vec<Stored>>,
}

impl Documents {
    fn snapshot(&self) -> Snapshot {
        Snapshot::new(
            self.revision,
            self.versions.values().filter_map(|versions| versions.last().cloned()),
        )
    }

    fn add(&mut self, stored: Stored) {
        self.revision += 1;
        self.versions.entry(stored.source.clone()).or_default().push(stored);
    }
}

impl MemoryCatalog {
    /// An empty catalog.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { documents: Mutex::default(), clock }
    }

    fn documents(&self) -> MutexGuard<'_, Documents> {
        // A panic elsewhere cannot leave a document half written.
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a version unchecked: what another program may have left.
    #[cfg(any(test, feature = "contract"))]
    pub(crate) fn plant(&self, stored: Stored) {
        self.documents().add(stored);
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn revision(&self) -> Result<u64, CatalogError> {
        Ok(self.documents().revision)
    }

    async fn snapshot(&self) -> Result<Arc<Snapshot>, CatalogError> {
        Ok(Arc::new(self.documents().snapshot()))
    }

    async fn get(
        &self,
        source: &str,
        config_version: Option<u64>,
    ) -> Result<Arc<Registered>, CatalogError> {
        let found = match (self.documents().versions.get(source), config_version) {
            (None, None) => return Err(CatalogError::UnknownSource { feed: source.to_owned() }),
            (None, Some(_)) => None,
            (Some(versions), None) => versions.last().cloned(),
            (Some(versions), Some(wanted)) => {
                versions.iter().find(|stored| stored.config_version == wanted).cloned()
            }
        };
        let unknown = || CatalogError::UnknownVersion {
            feed: source.to_owned(),
            config_version: config_version.unwrap_or(0),
        };
        found.ok_or_else(unknown)?.read()
    }

    async fn put(
        &self,
        yaml: &str,
        by: &str,
        note: Option<&str>,
    ) -> Result<PutOutcome, CatalogError> {
        let proposal = Proposal::new(yaml, by, note)?;
        let now_ms = self.clock.now_ms();
        let mut documents = self.documents();
        match proposal.plan(&documents.snapshot(), now_ms)? {
            Plan::Keep(outcome) => Ok(outcome),
            Plan::Write(stored) => {
                let outcome = PutOutcome {
                    source: stored.source.clone(),
                    config_version: stored.config_version,
                    unchanged: false,
                };
                documents.add(stored);
                Ok(outcome)
            }
        }
    }

    async fn history(&self, source: &str) -> Result<Vec<Stored>, CatalogError> {
        match self.documents().versions.get(source) {
            None => Err(CatalogError::UnknownSource { feed: source.to_owned() }),
            Some(versions) => Ok(versions.iter().rev().cloned().collect()),
        }
    }

    async fn rollback(&self, source: &str, to: u64, by: &str) -> Result<PutOutcome, CatalogError> {
        let old = self.get(source, Some(to)).await?;
        self.put(&old.yaml, by, Some(&rollback_note(to))).await
    }
}
