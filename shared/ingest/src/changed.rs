//! A key that was loaded before and has other bytes now: what `changed` of the
//! document says, and objects that are loaded once more.
//!
//! The table is the register of what was loaded of a key (`_object` names each
//! version), and a deletion is made under the claim of the version that stays.

use catalog::Registered;
use ledger::{Claim, LedgerError, State};
use model::ObjectId;
use model::document::Changed;
use warehouse::{TableSpec, WarehouseError};

use crate::destination::Destination;
use crate::object::Loading;
use crate::{Ingest, IngestError};

impl Ingest {
    /// Whether the document leaves an object out, because another version of its
    /// key has rows already.
    pub(crate) async fn is_ignored(
        &self,
        source: &Registered,
        object: &ObjectId,
    ) -> Result<bool, IngestError> {
        let document = &source.document;
        if document.changed != Changed::Ignore {
            return Ok(false);
        }
        let known = self.ledger.get(&document.source, object).await;
        let known = known.map_err(|cause| IngestError::Ledger {
            object: object.to_string(),
            cause: Box::new(cause),
        })?;
        if known.is_some() {
            return Ok(false);
        }
        let table = Destination::of(document, &[]).table;
        let mut last = None;
        // One may lack what another holds.
        for cluster in &document.write.clusters {
            match self.versions(cluster, &table, object).await {
                Ok(versions) if versions.is_empty() => {}
                Ok(_) => return Ok(true),
                Err(error) => last = Some(error),
            }
        }
        last.map_or(Ok(false), Err)
    }

    /// Deletes what an object brought before it was begun once more, on every
    /// cluster that its document names.
    pub(crate) async fn clear(&self, loading: &Loading, claim: &Claim) -> Result<(), IngestError> {
        if claim.again_ms == 0 || claim.next_row > 0 || claim.pending.is_some() {
            return Ok(());
        }
        // A worker that was stopped here for longer than its lease must not delete what
        // its successor has brought meanwhile.
        let (source, object) = (&loading.source, &loading.object.id);
        self.delete_everywhere(source, object, object, Some(claim.again_ms)).await
    }

    /// Deletes the rows of the other versions of a key, now that all rows of this
    /// one are there.
    pub(crate) async fn replace_others(
        &self,
        source: &Registered,
        object: &ObjectId,
    ) -> Result<(), IngestError> {
        let document = &source.document;
        if document.changed != Changed::Replace {
            return Ok(());
        }
        let now = self.version_of(object).await?;
        if now != *object {
            // The newer one may have looked for others before these rows came.
            self.delete_everywhere(source, object, object, None).await?;
            return Err(IngestError::Overwritten { object: object.to_string(), etag: now.etag });
        }
        let table = Destination::of(document, &[]).table;
        let mut others = std::collections::BTreeSet::new();
        for cluster in &document.write.clusters {
            others.extend(self.versions(cluster, &table, object).await?);
        }
        for other in others {
            let reason = format!("its rows were deleted: {object} took their place");
            let replaced = self.ledger.replace(&document.source, &other, &reason).await;
            let is_free = replaced.map_err(|cause| ledger_failed(&other, cause))?;
            let record = self.ledger.get(&document.source, &other).await;
            let record = record.map_err(|cause| ledger_failed(&other, cause))?;
            if !is_free {
                if record.is_some_and(|record| record.state != State::Loading) {
                    // What its payer has sent would come after the deletion.
                    return Err(IngestError::PaidFor {
                        object: object.to_string(),
                        other: other.to_string(),
                    });
                }
                // It deletes its own rows, once it sees that it was overwritten.
                tracing::warn!(%object, %other, "a version that is to be replaced is still being loaded");
                continue;
            }
            // Who was told of its return before it was called replaced took it for
            // loaded; who is told from now on loads it anew.
            if self.version_of(object).await? == other {
                let (object, other) = (object.to_string(), other.to_string());
                return Err(IngestError::CameBack { object, other });
            }
            let before_ms = record.map(|record| record.again_ms);
            self.delete_everywhere(source, object, &other, before_ms).await?;
            tracing::info!(state = "replaced", source = document.source, %object, %other, "object");
        }
        Ok(())
    }

    /// Deletes what an overwritten version has brought, where the document says that
    /// the newer one takes its place: that one may have looked for others before
    /// these rows came.
    pub(crate) async fn delete_overwritten(
        &self,
        source: &Registered,
        before: &ObjectId,
    ) -> Result<(), IngestError> {
        if source.document.changed != Changed::Replace {
            return Ok(());
        }
        self.delete_everywhere(source, before, before, None).await
    }

    /// Notes that what a version has brought was withdrawn, unless somebody holds it.
    pub(crate) async fn note_withdrawn(
        &self,
        source: &Registered,
        before: &ObjectId,
        reason: &str,
    ) -> Result<(), IngestError> {
        let document = &source.document;
        if document.changed != Changed::Replace {
            return Ok(());
        }
        let known = self.ledger.get(&document.source, before).await;
        let known = known.map_err(|cause| ledger_failed(before, cause))?;
        // One that may have sent something is withdrawn once more.
        if known.is_none_or(|record| record.state != State::Failed) {
            return Ok(());
        }
        let replaced = self.ledger.replace(&document.source, before, reason).await;
        replaced.map(drop).map_err(|cause| ledger_failed(before, cause))
    }

    /// The version that a key holds now.
    async fn version_of(&self, object: &ObjectId) -> Result<ObjectId, IngestError> {
        let now = self.objects.head(&object.bucket, &object.key).await;
        let now = now.map_err(|cause| IngestError::Fetch {
            object: object.to_string(),
            cause: Box::new(cause),
        })?;
        Ok(now.id)
    }

    /// Deletes the rows of `which` on behalf of `object`; those that were loaded before
    /// a moment, where one is given.
    async fn delete_everywhere(
        &self,
        source: &Registered,
        object: &ObjectId,
        which: &ObjectId,
        before_ms: Option<i64>,
    ) -> Result<(), IngestError> {
        let table = Destination::of(&source.document, &[]).table;
        for cluster in &source.document.write.clusters {
            let deleted = self.warehouse.delete_object(cluster, &table, which, before_ms).await;
            deleted.map_err(|cause| write_failed(object, cause))?;
        }
        Ok(())
    }

    async fn versions(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
    ) -> Result<Vec<ObjectId>, IngestError> {
        let versions = self.warehouse.other_versions(cluster, table, object).await;
        versions.map_err(|cause| write_failed(object, cause))
    }
}

fn ledger_failed(object: &ObjectId, cause: LedgerError) -> IngestError {
    IngestError::Ledger { object: object.to_string(), cause: Box::new(cause) }
}

fn write_failed(object: &ObjectId, cause: WarehouseError) -> IngestError {
    IngestError::Write { object: object.to_string(), cause: Box::new(cause) }
}
