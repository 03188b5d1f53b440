//! Failback of a stream: what a cluster lacks of a partition is read again from
//! Kafka and written to it.
//!
//! Safe to run twice and safe to kill: before records are sent, the debt says so
//! and holds their token; whoever comes next sends the same once more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use catalog::Registered;
use futures::FutureExt as _;
use ledger::{LedgerError, PartitionRecord, SentInsert, StreamDebt};
use model::document::Kind;
use model::{Counts, Run, Token};
use runtime::Deadline;
use warehouse::TableSpec;

use super::land::{Planned, Sending, map};
use super::{StreamReport, is_of_the_data, partition_error};
use crate::destination::{Destination, table_name};
use crate::failback::{Scope, Watch};
use crate::reconcile::{Debt, Paid, Settlement};
use crate::{Ingest, IngestError};

/// Most offsets that are paid at once where nothing was sent before: a block.
const PIECE: i64 = 50_000;
/// Bytes of the records that are paid at once, about.
const PIECE_BYTES: usize = 32 * 1024 * 1024;
/// So many compressed bytes of them are looked at, to tell how many records that is.
const LOOK_BYTES: usize = 1024 * 1024;
/// The longest that is looked.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// What the records of a partition owe to the clusters that its source names.
/// Rows are counted as offsets: an upper bound.
#[must_use]
pub(crate) fn debts_of_partition(record: &PartitionRecord, named: &[String]) -> Vec<Debt> {
    let owed = |cluster: &String| {
        let owed: Vec<&StreamDebt> =
            record.debts.iter().filter(|debt| !debt.on.contains(cluster)).collect();
        let first = owed.first()?;
        let on = first.on.iter().filter(|on| owed.iter().all(|debt| debt.on.contains(*on)));
        let count = |debts: &mut dyn Iterator<Item = &&StreamDebt>| -> u64 {
            debts.map(|debt| (debt.end - debt.start).unsigned_abs()).sum()
        };
        Some(Debt {
            source: record.source.clone(),
            object: format!("kafka://{}/{}", record.topic, record.partition),
            cluster: cluster.clone(),
            rows: count(&mut owed.iter()),
            ambiguous_rows: count(&mut owed.iter().filter(|debt| debt.maybe.contains(cluster))),
            on: on.cloned().collect(),
        })
    };
    named.iter().filter_map(owed).collect()
}

impl Ingest {
    /// The partitions of a source of which a cluster lacks records; with `all`,
    /// also those of which an INSERT is pending whose function is gone.
    pub(crate) async fn owing_partitions(
        &self,
        source: &Registered,
        scope: &Scope,
    ) -> Result<Vec<PartitionRecord>, IngestError> {
        if source.document.kind != Kind::Kafka {
            return Ok(Vec::new());
        }
        let name = &source.document.source;
        let listed = self.partitions.list(name, !scope.all).await;
        let listed = listed.map_err(|cause| IngestError::Ledger {
            object: format!("source {name}"),
            cause: Box::new(cause),
        })?;
        let now_ms = self.clock.now_ms();
        let is_meant = |record: &PartitionRecord| {
            record.is_owing()
                || record.pending.as_ref().is_some_and(|pending| pending.until_ms < now_ms)
        };
        Ok(listed.into_iter().filter(is_meant).collect())
    }

    /// Pays what a partition owes to the clusters that its source names now.
    pub(crate) async fn pay_partition(
        &self,
        source: &Arc<Registered>,
        record: PartitionRecord,
        deadline: Deadline,
        watch: &dyn Watch,
    ) -> Result<Settlement, IngestError> {
        let named = &source.document.write.clusters;
        let mut paid = Paid::default();
        let mut record = self.settle_stale(source, record, deadline).await?;
        let mut failed = None;
        for cluster in named {
            let mut tell = |some: Counts| {
                paid.chunks_written += some.chunks;
                paid.rows_written += some.rows_inserted;
                watch.paid(cluster, paid);
            };
            match self.pay_cluster(source, &mut record, cluster, deadline, &mut tell).await {
                Ok(true) => {}
                Ok(false) => return Ok(Settlement::Interrupted(paid)),
                // The other clusters are paid all the same.
                Err(error @ (IngestError::Write { .. } | IngestError::BeyondRetention { .. })) => {
                    failed = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match failed {
            Some(error) => Err(error),
            None => {
                // The document may name fewer clusters than when it was noted.
                self.amend(record, |record| record.forgive(named)).await?;
                Ok(Settlement::Even(paid))
            }
        }
    }

    /// Pays all that a partition owes to one cluster, and tells of every debt what was
    /// written of it. False when the time was over before.
    pub(super) async fn pay_cluster(
        &self,
        source: &Arc<Registered>,
        record: &mut PartitionRecord,
        cluster: &str,
        deadline: Deadline,
        tell: &mut (dyn FnMut(Counts) + Send),
    ) -> Result<bool, IngestError> {
        let named = &source.document.write.clusters;
        while let Some((before, mut debt)) = self.begin_payment(record, cluster).await? {
            *record = before;
            let offsets = debt.start..debt.end;
            if self.stands_alone(source, record, &debt, cluster).await? {
                let part = |record: &mut PartitionRecord| record.part(&offsets, cluster);
                *record = self.amend(record.clone(), part).await?;
                debt.apart.insert(cluster.to_owned());
            }
            if deadline.is_within(Duration::from_secs(1)) {
                return Ok(false);
            }
            let paying = self.pay_all_of(source, record, &debt, cluster, deadline);
            let written = paying.boxed().await?;
            *record =
                self.amend(record.clone(), |record| record.pay(&offsets, cluster, named)).await?;
            tell(written);
        }
        Ok(true)
    }

    /// Lands what is pending of a function that is surely gone.
    async fn settle_stale(
        &self,
        source: &Arc<Registered>,
        record: PartitionRecord,
        deadline: Deadline,
    ) -> Result<PartitionRecord, IngestError> {
        let now_ms = self.clock.now_ms();
        if record.pending.as_ref().is_none_or(|pending| pending.until_ms >= now_ms) {
            return Ok(record);
        }
        let (topic, partition) = (record.topic.clone(), record.partition);
        let mut held = vec![record];
        let mut report = StreamReport::new(source, &[]);
        let settling = self.settle_pending(source, &[], &mut held, deadline, &mut report);
        settling.boxed().await?;
        let record = self.partitions.get(&source.document.source, &topic, partition).await;
        record.map_err(|cause| partition_error(&topic, partition, cause))
    }

    /// Whether the INSERT that a debt was a part of is not on a cluster, and other
    /// records of it are: somebody has paid those alone, and the whole of it must not
    /// be sent there any more.
    async fn stands_alone(
        &self,
        source: &Arc<Registered>,
        record: &PartitionRecord,
        debt: &StreamDebt,
        cluster: &str,
    ) -> Result<bool, IngestError> {
        let Some(sent) = debt.sent.as_ref().filter(|_| !debt.apart.contains(cluster)) else {
            return Ok(false);
        };
        let is_own = |run: &&Run| {
            run.is_of(&record.topic, record.partition) && run.offsets() == (debt.start..debt.end)
        };
        let (own, others): (Vec<&Run>, Vec<&Run>) = sent.runs.iter().partition(is_own);
        if own.is_empty() || others.is_empty() {
            return Ok(false);
        }
        let source = self.frozen(source, debt.config_version).await?;
        let table = Destination::of(&source.document, &[]).table;
        let is_there = async |runs: Vec<&Run>| {
            let runs: Vec<Run> = runs.into_iter().cloned().collect();
            let there = self.there(cluster, &table, &runs).await;
            there.map(|there| !there.is_empty()).map_err(|cause| IngestError::Write {
                object: format!("kafka://{}/{}", record.topic, record.partition),
                cause: Box::new(cause),
            })
        };
        Ok(!is_there(own).await? && is_there(others).await?)
    }

    /// Notes that the first debt to a cluster is being paid; none when there is
    /// none.
    async fn begin_payment(
        &self,
        record: &PartitionRecord,
        cluster: &str,
    ) -> Result<Option<(PartitionRecord, StreamDebt)>, IngestError> {
        let most = self.piece(record, cluster).await;
        let mut begun = None;
        let after = self
            .amend(record.clone(), |record| {
                let at = record.begin_payment(cluster, most);
                begun = at.and_then(|at| record.debts.get(at).cloned());
            })
            .await?;
        Ok(begun.map(|debt| (after, debt)))
    }

    /// So many offsets of the first debt to a cluster are paid at once: their records
    /// are held in memory.
    async fn piece(&self, record: &PartitionRecord, cluster: &str) -> i64 {
        let debt = record.debts.iter().find(|debt| !debt.on.contains(cluster));
        let (Some(debt), Some(reader)) = (debt, &self.records) else { return PIECE };
        let (from, wait) = (debt.start, Duration::ZERO);
        let looked =
            reader.fetch(&record.topic, record.partition, from, LOOK_BYTES, wait, LOOK_LIMIT).await;
        // Whoever reads them to pay them says what is wrong.
        looked.map_or(PIECE, |looked| {
            let bytes = looked.records.iter().map(|one| one.record.size()).sum();
            piece_of(looked.records.len(), bytes)
        })
    }

    /// Writes the records of a debt to a cluster. Where the server refuses them for
    /// what they hold, the halves are tried by themselves, until the record is found
    /// that goes to the quarantine there.
    async fn pay_all_of(
        &self,
        source: &Arc<Registered>,
        record: &PartitionRecord,
        debt: &StreamDebt,
        cluster: &str,
        deadline: Deadline,
    ) -> Result<Counts, IngestError> {
        let (mut counts, mut waiting) = (Counts::default(), vec![debt.clone()]);
        while let Some(piece) = waiting.pop() {
            let pay =
                |is_hopeless| self.pay_debt(source, record, &piece, cluster, deadline, is_hopeless);
            match pay(false).boxed().await {
                Ok(some) => counts += some,
                Err(error) if !is_of_the_data(&error) => return Err(error),
                Err(error) if piece.end - piece.start == 1 => {
                    tracing::warn!(error = error.chain(), "the server refuses a record");
                    counts += pay(true).boxed().await?;
                }
                Err(_) => {
                    let middle = piece.start + (piece.end - piece.start) / 2;
                    let half = |start, end| StreamDebt {
                        start,
                        end,
                        sent: None,
                        apart: BTreeSet::new(),
                        ..piece.clone()
                    };
                    waiting.extend([half(middle, piece.end), half(piece.start, middle)]);
                }
            }
        }
        Ok(counts)
    }

    /// Writes the records of a debt to a cluster: so many rows at most.
    async fn pay_debt(
        &self,
        source: &Arc<Registered>,
        record: &PartitionRecord,
        debt: &StreamDebt,
        cluster: &str,
        deadline: Deadline,
        is_hopeless: bool,
    ) -> Result<Counts, IngestError> {
        let own = Run {
            topic: record.topic.clone(),
            partition: record.partition,
            start: debt.start,
            end: debt.end,
        };
        let alone = SentInsert {
            token: Token::of_runs(&record.source, debt.config_version, std::slice::from_ref(&own)),
            runs: vec![own.clone()],
        };
        let (SentInsert { runs, token }, is_looked_for) = match &debt.sent {
            _ if debt.apart.contains(cluster) => {
                (SentInsert { token: alone.token.companion("owed"), ..alone }, false)
            }
            Some(sent) => (sent.clone(), false),
            None => (SentInsert { token: alone.token.companion("late"), ..alone }, true),
        };
        let source = self.frozen(source, debt.config_version).await?;
        let table = Destination::of(&source.document, &[]).table;
        let records = match self.records_of(&runs, &[], deadline).await? {
            Ok(records) => records,
            Err(_) if self.was_copied(debt, &own, cluster, &table).await => {
                return Ok(Counts::default());
            }
            Err(reason) => {
                return Err(IngestError::BeyondRetention {
                    run: own.to_string(),
                    cluster: cluster.to_owned(),
                    table: table_name(&source.document),
                    on: debt.on.iter().cloned().collect::<Vec<_>>().join(", "),
                    reason,
                });
            }
        };
        let planned = Planned {
            runs,
            token,
            config_version: debt.config_version,
            loaded_at_ms: debt.loaded_at_ms,
            sent_to: vec![cluster.to_owned()],
            is_looked_for,
            is_hopeless,
            until_ms: 0,
        };
        let mapped = map(&source, &planned, &records).await?;
        let sending = Sending {
            source: &source,
            planned: &planned,
            table: &table,
            records: &records,
            mapped: &mapped,
        };
        let failed = |cause| IngestError::Write { object: own.to_string(), cause: Box::new(cause) };
        self.warehouse.prepare(cluster, &table).await.map_err(failed)?;
        self.send(&sending, cluster).await.map_err(failed)?;
        Ok(sending.counts(|_| true))
    }

    /// Whether a cluster holds the same of a debt as one that has all of it: somebody
    /// has copied what Kafka has forgotten.
    async fn was_copied(
        &self,
        debt: &StreamDebt,
        own: &Run,
        cluster: &str,
        table: &TableSpec,
    ) -> bool {
        let runs = std::slice::from_ref(own);
        let Ok(here) = self.there(cluster, table, runs).await else { return false };
        for on in &debt.on {
            if let Ok(there) = self.there(on, table, runs).await {
                return here == there;
            }
        }
        false
    }

    /// Changes what is known of a partition, whoever else changes it meanwhile.
    pub(super) async fn amend(
        &self,
        record: PartitionRecord,
        mut change: impl FnMut(&mut PartitionRecord),
    ) -> Result<PartitionRecord, IngestError> {
        let mut record = record;
        loop {
            let mut after = [record.clone()];
            change(&mut after[0]);
            if after[0] == record {
                return Ok(record);
            }
            match self.partitions.put(&mut after).await {
                Ok(()) => {
                    let [after] = after;
                    return Ok(after);
                }
                Err(LedgerError::Overtaken { .. }) => {
                    let (topic, partition) = (record.topic.clone(), record.partition);
                    let read = self.partitions.get(&record.source, &topic, partition).await;
                    record = read.map_err(|cause| partition_error(&topic, partition, cause))?;
                }
                Err(cause) => return Err(partition_error(&record.topic, record.partition, cause)),
            }
        }
    }
}

/// Records of about [`PIECE_BYTES`], where so many have so many bytes.
fn piece_of(records: usize, bytes: usize) -> i64 {
    if records == 0 {
        // A gap, or marks of a transaction.
        return PIECE;
    }
    let fitting = records.saturating_mul(PIECE_BYTES) / bytes.max(1);
    i64::try_from(fitting).unwrap_or(PIECE).clamp(1, PIECE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_records_are_paid_by_fewer_at_once() {
        assert_eq!(piece_of(1_000, 1_000 * 200), PIECE);
        assert_eq!(piece_of(100, 100 * 32 * 1024), 1_024);
        assert_eq!(piece_of(1, 64 * 1024 * 1024), 1);
        assert_eq!(piece_of(0, 0), PIECE);
    }
}
