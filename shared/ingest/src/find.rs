//! The first step of an object's way: its source, and what the bucket says of it.

use std::sync::Arc;

use catalog::{Catalog, CatalogError, Registered, Snapshot};
use model::document::SourceDocument;
use model::{Captures, Pattern};
use objects::ObjectInfo;

use crate::IngestError;
use crate::object::{Ingest, Notice};

impl Ingest {
    pub(crate) async fn find_source(
        &self,
        notice: &Notice,
    ) -> Result<(Arc<Registered>, Captures), IngestError> {
        let failed = |cause| source_error(notice, cause);
        let snapshot = self.catalog.snapshot().await.map_err(failed)?;
        match look_up(&snapshot, notice) {
            // The document may have been put, or mended, a moment ago.
            Err(_) => {
                let snapshot = self.catalog.recheck().await.map_err(failed)?;
                look_up(&snapshot, notice).map_err(failed)
            }
            found => found.map_err(failed),
        }
    }

    /// The source that a notice belongs to, if that can be said.
    pub async fn source_of(&self, notice: &Notice) -> Option<String> {
        let (source, _) = self.find_source(notice).await.ok()?;
        Some(source.document.source.clone())
    }

    pub(crate) async fn find_object(&self, notice: &Notice) -> Result<ObjectInfo, IngestError> {
        self.objects.head(&notice.bucket, &notice.key).await.map_err(|cause| IngestError::Fetch {
            object: format!("s3://{}/{}", notice.bucket, notice.key),
            cause: Box::new(cause),
        })
    }
}

pub(crate) fn source_error(notice: &Notice, cause: CatalogError) -> IngestError {
    IngestError::Source {
        bucket: notice.bucket.clone(),
        key: notice.key.clone(),
        cause: Box::new(cause),
    }
}

fn look_up(
    snapshot: &Snapshot,
    notice: &Notice,
) -> Result<(Arc<Registered>, Captures), CatalogError> {
    let Some(name) = &notice.source else { return snapshot.route(&notice.bucket, &notice.key) };
    let source = snapshot.get(name)?;
    let captures = captures_of(&source.document, &notice.bucket, &notice.key).unwrap_or_default();
    Ok((source, captures))
}

pub(crate) fn captures_of(document: &SourceDocument, bucket: &str, key: &str) -> Option<Captures> {
    // Whoever names the source may load from anywhere: only the key counts.
    let bucket = document.matching.bucket.as_deref().unwrap_or(bucket);
    Pattern::new(&document.matching).ok()?.matches(bucket, key)
}
