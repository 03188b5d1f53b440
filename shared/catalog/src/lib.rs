//! Source documents: stored with their history, and found for an object.
//!
//! [`DynamoCatalog`] keeps them in DynamoDB, [`MemoryCatalog`] is its twin, and
//! [`CachedCatalog`] holds what a warm function needs: a change is seen within
//! its time to live, at the price of reading one small item.

mod cached;
mod dynamodb;
mod error;
mod item;
mod memory;
mod plan;
mod snapshot;
mod stored;
mod table;

#[cfg(any(test, feature = "contract"))]
pub mod contract;

use std::sync::Arc;

use async_trait::async_trait;

pub use cached::CachedCatalog;
pub use dynamodb::DynamoCatalog;
pub use error::CatalogError;
pub use memory::MemoryCatalog;
pub use snapshot::{Entry, Snapshot};
pub use stored::{PutOutcome, Registered, Stored};
pub use table::{VARIABLE, create_table};

/// The source documents.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// A number that rises with every change of any document.
    ///
    /// # Errors
    /// [`CatalogError::Table`] when the catalog cannot be used.
    async fn revision(&self) -> Result<u64, CatalogError>;

    /// The current document of every source.
    ///
    /// # Errors
    /// [`CatalogError::Table`] when the catalog cannot be used. A document that
    /// cannot be read is in the snapshot, with its error.
    async fn snapshot(&self) -> Result<Arc<Snapshot>, CatalogError>;

    /// As [`Catalog::snapshot`], but never older than the call: for an object
    /// that no source seems to match, whose source may just have been put.
    ///
    /// # Errors
    /// As [`Catalog::snapshot`].
    async fn recheck(&self) -> Result<Arc<Snapshot>, CatalogError> {
        self.snapshot().await
    }

    /// The document of a source: the current one, or that of a version.
    ///
    /// # Errors
    /// [`CatalogError::UnknownSource`], [`CatalogError::UnknownVersion`], or
    /// [`CatalogError::Broken`] when it is there and cannot be read.
    async fn get(
        &self,
        source: &str,
        config_version: Option<u64>,
    ) -> Result<Arc<Registered>, CatalogError>;

    /// Validates a document and makes it the current one of its source.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`] with every problem, [`CatalogError::SameMatch`],
    /// [`CatalogError::TooLarge`].
    async fn put(
        &self,
        yaml: &str,
        by: &str,
        note: Option<&str>,
    ) -> Result<PutOutcome, CatalogError>;

    /// Every version of a source's document as it was written, newest first.
    ///
    /// # Errors
    /// [`CatalogError::UnknownSource`] when there is none.
    async fn history(&self, source: &str) -> Result<Vec<Stored>, CatalogError>;

    /// Makes an old document the current one again, as a new version.
    ///
    /// # Errors
    /// As [`Catalog::put`], and [`CatalogError::UnknownVersion`].
    async fn rollback(&self, source: &str, to: u64, by: &str) -> Result<PutOutcome, CatalogError>;
}

#[async_trait]
impl<C: Catalog + ?Sized> Catalog for Arc<C> {
    async fn revision(&self) -> Result<u64, CatalogError> {
        (**self).revision().await
    }

    async fn snapshot(&self) -> Result<Arc<Snapshot>, CatalogError> {
        (**self).snapshot().await
    }

    async fn recheck(&self) -> Result<Arc<Snapshot>, CatalogError> {
        (**self).recheck().await
    }

    async fn get(
        &self,
        source: &str,
        config_version: Option<u64>,
    ) -> Result<Arc<Registered>, CatalogError> {
        (**self).get(source, config_version).await
    }

    async fn put(
        &self,
        yaml: &str,
        by: &str,
        note: Option<&str>,
    ) -> Result<PutOutcome, CatalogError> {
        (**self).put(yaml, by, note).await
    }

    async fn history(&self, source: &str) -> Result<Vec<Stored>, CatalogError> {
        (**self).history(source).await
    }

    async fn rollback(&self, source: &str, to: u64, by: &str) -> Result<PutOutcome, CatalogError> {
        (**self).rollback(source, to, by).await
    }
}
