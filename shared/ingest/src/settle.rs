//! The last step of an object's way: the claim is handed back, with what became of it.

use ledger::{Claim, StepMillis, Totals};
use model::{Disposed, Disposition};
use warehouse::WarehouseError;

use crate::IngestError;
use crate::destination::{Destination, clusters_of, table_name};
use crate::failover::deferral;
use crate::object::{Ingest, Loading, Outcome, Progress, ledger_error};
use crate::report::{Report, Stage};

impl Ingest {
    /// Hands the claim back, whatever happened.
    pub(crate) async fn settle(
        &self,
        loading: &Loading,
        claim: Claim,
        progress: Result<Progress, IngestError>,
    ) -> Result<Outcome, IngestError> {
        let mut report = report(loading, &claim);
        let is_ambiguous = progress.is_err() && self.may_have_landed(loading, &claim).await;
        match progress {
            Ok(Progress::Complete) => {
                let totals = Totals {
                    cluster: report.cluster.clone(),
                    table: report.table.clone(),
                    bytes: loading.object.size,
                    steps: StepMillis::default(),
                };
                let finished = self.ledger.finish(claim, totals);
                let finished = loading.stopwatches.time(Stage::Commit, finished).await;
                report.counts = finished.map_err(|cause| ledger_error(loading, cause))?.counts;
                Ok(Outcome::Loaded(report))
            }
            Ok(Progress::Deadline) => {
                let row = claim.next_row;
                self.pause(loading, claim, None).await?;
                if row > loading.from_row {
                    Ok(Outcome::Paused(report))
                } else {
                    Err(IngestError::NoProgress { object: loading.object.id.to_string(), row })
                }
            }
            Err(error) if error.is_lost_claim() => {
                tracing::warn!(object = %loading.object.id, "another worker has taken the object over");
                Ok(Outcome::Busy { lease_until_ms: self.clock.now_ms() })
            }
            Err(error) if error.needs_time() && deferral(claim.put_offs + 1).is_some() => {
                let after = deferral(claim.put_offs + 1).unwrap_or_default();
                self.pause(loading, claim, Some(&error.chain())).await?;
                Ok(Outcome::Deferred {
                    source: loading.source.document.source.clone(),
                    object: loading.object.id.clone(),
                    after,
                    error: Box::new(error),
                })
            }
            Err(error)
                if (error.disposition() == Disposition::Quarantine || loading.is_last)
                    && !is_ambiguous =>
            {
                let failed = self.ledger.fail(claim, &error.chain()).await;
                failed.map_err(|cause| ledger_error(loading, cause))?;
                Err(error)
            }
            Err(error) => {
                self.pause(loading, claim, Some(&error.chain())).await?;
                Err(error)
            }
        }
    }

    /// Whether the pending chunk may be on a cluster, so that it must not be
    /// forgotten.
    async fn may_have_landed(&self, loading: &Loading, claim: &Claim) -> bool {
        let Some(pending) = &claim.pending else { return false };
        if loading.fate.is_open() || loading.ambiguous.as_ref() == Some(&pending.token) {
            return true;
        }
        let document = &loading.source.document;
        if !loading.fate.was_refused() || !document.table.provenance {
            return false;
        }
        let table = Destination::of(document, &[]).table;
        let rows = pending.bounds.start..pending.bounds.end;
        for cluster in &pending.clusters {
            let landed = self.warehouse.landed(cluster, &table, &loading.object.id, &rows).await;
            match landed {
                Ok(0) => {}
                Err(WarehouseError::Server { kind, .. }) if kind.is_unknown_table() => {}
                Ok(_) | Err(_) => return true,
            }
        }
        false
    }

    async fn pause(
        &self,
        loading: &Loading,
        claim: Claim,
        reason: Option<&str>,
    ) -> Result<(), IngestError> {
        self.ledger.pause(claim, reason).await.map_err(|cause| ledger_error(loading, cause))
    }
}

fn report(loading: &Loading, claim: &Claim) -> Report {
    let document = &loading.source.document;
    Report {
        source: claim.source.clone(),
        id: loading.object.id.clone(),
        object: loading.object.id.to_string(),
        format: document.format.name().to_owned(),
        table: table_name(document),
        cluster: clusters_of(document, claim),
        config_version: claim.config_version,
        counts: claim.counts,
        bytes: loading.object.size,
        steps: loading.stopwatches.read(),
        is_whole: claim.part.is_none(),
        elapsed_ms: u64::try_from(loading.started.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
