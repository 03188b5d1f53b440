//! Which clusters a chunk goes to, and what becomes of a load when one of them
//! fails: again here, on to the next, or back to the queue.

use std::collections::BTreeSet;
use std::time::Duration;

use model::document::{SourceDocument, WriteMode};
use model::{Disposed, Disposition};
use warehouse::Reaction;

use crate::{Ingest, IngestError};

/// Tries on one cluster before the next is taken, where there is one.
const TRIES_HERE: u32 = 3;

/// What a load has tried since it last made progress.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    /// Clusters that this load has left.
    given_up: BTreeSet<String>,
    /// Failures on the cluster of the last try.
    here: u32,
    /// Failures that count against the document's `errors.retries`.
    counted: u32,
    /// Whether the server has refused the rows once.
    refused: bool,
    /// Where the object stood at the last failure.
    row: u64,
}

/// What is to be done after a failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again after this time.
    Again(Duration),
    /// Leave it to the queue.
    GiveUp,
}

impl Tries {
    /// What is to be done after a failure at a row, of a load that `clusters`
    /// may take.
    pub(crate) fn after(
        &mut self,
        error: &IngestError,
        row: u64,
        clusters: &[String],
        retries: u32,
    ) -> Next {
        if row > self.row {
            *self = Self { row, given_up: std::mem::take(&mut self.given_up), ..Self::default() };
        }
        if error.is_lost_claim() {
            return Next::GiveUp;
        }
        let IngestError::Write { cause, .. } = error else {
            return match error.disposition() {
                Disposition::Retry => self.count(retries, Duration::from_millis(200)),
                Disposition::Quarantine | Disposition::Fatal => Next::GiveUp,
            };
        };
        match cause.reaction() {
            // A table that had another column for a moment was in order again when it
            // was looked at: rows are to blame when they are refused twice.
            Reaction::Quarantine if !self.refused => {
                self.refused = true;
                Next::Again(backoff(0, Duration::from_millis(50)))
            }
            Reaction::Quarantine | Reaction::Fatal => Next::GiveUp,
            Reaction::SlowDown => self.count(retries, Duration::from_millis(500)),
            Reaction::RetryHere => {
                self.here += 1;
                if self.here < TRIES_HERE {
                    return Next::Again(backoff(self.here, Duration::from_millis(50)));
                }
                self.leave(error, cause.cluster(), clusters, retries)
            }
            Reaction::FailOver => self.leave(error, cause.cluster(), clusters, retries),
        }
    }

    /// Leaves a cluster out of the next tries.
    pub(crate) fn leave_out(&mut self, cluster: &str) {
        self.given_up.insert(cluster.to_owned());
    }

    /// Goes on to the next cluster; where there is none, begins anew with all.
    fn leave(
        &mut self,
        error: &IngestError,
        failed: Option<&str>,
        clusters: &[String],
        retries: u32,
    ) -> Next {
        self.here = 0;
        self.given_up.extend(failed.map(str::to_owned));
        if clusters.iter().any(|cluster| !self.given_up.contains(cluster)) {
            return Next::Again(Duration::ZERO);
        }
        self.given_up.clear();
        match error.disposition() {
            Disposition::Retry => self.count(retries, Duration::from_millis(200)),
            Disposition::Quarantine | Disposition::Fatal => Next::GiveUp,
        }
    }

    fn count(&mut self, retries: u32, base: Duration) -> Next {
        self.counted += 1;
        match self.counted < retries {
            true => Next::Again(backoff(self.counted, base)),
            false => Next::GiveUp,
        }
    }
}

impl Ingest {
    /// The clusters that the next chunk is written to: those that it may be on
    /// already come first, because only they can tell.
    pub(crate) async fn targets(
        &self,
        document: &SourceDocument,
        sent_to: &[String],
        tries: &Tries,
    ) -> Vec<String> {
        let all = candidates(document, sent_to);
        let mut left: Vec<String> =
            all.iter().filter(|cluster| !tries.given_up.contains(*cluster)).cloned().collect();
        if left.is_empty() {
            left = all;
        }
        let mut up = Vec::new();
        for cluster in &left {
            // The only one is asked in any case: its answer is the reason.
            if left.len() == 1 || self.warehouse.is_up(cluster).await {
                up.push(cluster.clone());
                if document.write.mode == WriteMode::Failover {
                    break;
                }
            }
        }
        if up.is_empty() {
            left.truncate(1);
            return left;
        }
        up
    }
}

/// All clusters that a chunk may be written to, in order.
pub(crate) fn candidates(document: &SourceDocument, sent_to: &[String]) -> Vec<String> {
    let mut all = sent_to.to_vec();
    for cluster in &document.write.clusters {
        if !all.contains(cluster) {
            all.push(cluster.clone());
        }
    }
    all
}

/// The base, doubled with each attempt, up to 5 s, plus up to half of it by
/// chance: workers that failed together do not come back together.
fn backoff(attempt: u32, base: Duration) -> Duration {
    let base = base.saturating_mul(1 << attempt.min(6)).min(Duration::from_secs(5));
    let chance = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
    base.mul_f64(1.0 + chance / 2.0)
}

/// Most times that an object is put off until its clusters are well: about a
/// day. Beyond, it goes the way of every failure.
const MOST_DEFERRALS: u32 = 300;

/// When an object is looked at again whose clusters need time; nothing when it
/// has been put off long enough. 2 s, doubled each time, up to 5 minutes.
pub(crate) fn deferral(attempt: u32) -> Option<Duration> {
    let wait =
        Duration::from_secs(1).saturating_mul(1 << attempt.min(9)).min(Duration::from_secs(300));
    (attempt < MOST_DEFERRALS).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use warehouse::{Attempt, ServerKind, WarehouseError};

    fn down(cluster: &str) -> IngestError {
        write_error(WarehouseError::Down { cluster: cluster.to_owned(), until_ms: 0 })
    }

    fn write_error(cause: WarehouseError) -> IngestError {
        IngestError::Write { object: "o".to_owned(), cause: Box::new(cause) }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_dead_cluster_is_left_at_once_and_the_last_one_is_waited_for() {
        let both = names(&["a", "b"]);
        let mut tries = Tries::default();
        assert_eq!(tries.after(&down("a"), 0, &both, 3), Next::Again(Duration::ZERO));
        assert!(tries.given_up.contains("a"));
        let Next::Again(wait) = tries.after(&down("b"), 0, &both, 3) else { panic!() };
        assert!(wait >= Duration::from_millis(400), "{wait:?}");
        assert!(tries.given_up.is_empty(), "all are tried anew");
        assert_eq!(tries.after(&down("a"), 0, &both, 3), Next::Again(Duration::ZERO));
        let Next::Again(_) = tries.after(&down("b"), 0, &both, 3) else { panic!() };
        tries.after(&down("a"), 0, &both, 3);
        assert_eq!(tries.after(&down("b"), 0, &both, 3), Next::GiveUp);
    }

    #[test]
    fn progress_begins_the_count_anew() {
        let both = names(&["a", "b"]);
        let mut tries = Tries::default();
        for row in [0, 10, 20] {
            assert_eq!(tries.after(&down("a"), row, &both, 2), Next::Again(Duration::ZERO));
            assert!(matches!(tries.after(&down("b"), row, &both, 2), Next::Again(_)));
        }
        tries.after(&down("a"), 20, &both, 2);
        assert_eq!(tries.after(&down("b"), 20, &both, 2), Next::GiveUp);
    }

    #[test]
    fn rows_are_to_blame_when_they_are_refused_twice() {
        let refused = || {
            let attempt = Attempt {
                what: "insert".to_owned(),
                cluster: "a".to_owned(),
                node: "http://a".to_owned(),
            };
            let (kind, message) = (ServerKind::Data, "TYPE_MISMATCH".to_owned());
            write_error(WarehouseError::Server { attempt, code: 53, kind, message })
        };
        let mut tries = Tries::default();
        for row in [0, 10] {
            let Next::Again(_) = tries.after(&refused(), row, &names(&["a"]), 3) else { panic!() };
        }
        assert_eq!(tries.after(&refused(), 10, &names(&["a"]), 3), Next::GiveUp);
    }

    #[test]
    fn what_no_other_cluster_mends_is_given_up() {
        let error = WarehouseError::UnknownCluster { cluster: "x".into(), known: "a".into() };
        assert_eq!(
            Tries::default().after(&write_error(error), 0, &names(&["a", "b"]), 3),
            Next::GiveUp
        );
    }

    #[test]
    fn an_object_is_put_off_for_a_day_and_not_for_ever() {
        assert_eq!(deferral(1), Some(Duration::from_secs(2)));
        assert_eq!(deferral(2), Some(Duration::from_secs(4)));
        assert_eq!(deferral(299), Some(Duration::from_secs(300)));
        assert_eq!(deferral(300), None);
    }
}
