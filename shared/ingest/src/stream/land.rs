//! Intend, write, commit: one INSERT of records, on each cluster it goes to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use catalog::Registered;
use futures::future::join_all;
use ledger::{Landed, LedgerError, PartitionRecord, PendingInsert};
use model::{Counts, RejectedRow, Run, StreamRecord, Token};
use runtime::Deadline;
use warehouse::quarantine::{Place, Quarantined};
use warehouse::{TableSpec, WarehouseError};

use super::map::{MappedRecords, RecordMapper};
use super::{StreamReport, is_of_the_data};
use crate::destination::{Destination, table_name};
use crate::failover::{Next, Tries, candidates};
use crate::quarantine::put_aside;
use crate::{Ingest, IngestError};

/// Clocks differ, and a function that is killed at its deadline may be so a moment
/// late.
const GRACE: Duration = Duration::from_secs(10);

/// An INSERT of records, before it is sent or before it is sent again.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) runs: Vec<Run>,
    pub(crate) token: Token,
    pub(crate) config_version: u64,
    pub(crate) loaded_at_ms: i64,
    /// Clusters it was sent to and may be on; none when it is new.
    pub(crate) sent_to: Vec<String>,
    /// Its records must be looked for where it was sent to, whatever is remembered.
    pub(crate) is_looked_for: bool,
    /// The server has refused its one record, which goes to the quarantine then.
    pub(crate) is_hopeless: bool,
    /// Until when another function may be sending it, in milliseconds since 1970; 0 of
    /// one that this function has begun.
    pub(crate) until_ms: i64,
}

/// An INSERT on its way to a cluster.
pub(crate) struct Sending<'a> {
    pub(crate) source: &'a Registered,
    pub(crate) planned: &'a Planned,
    pub(crate) table: &'a TableSpec,
    pub(crate) records: &'a [StreamRecord],
    pub(crate) mapped: &'a MappedRecords,
}

impl Sending<'_> {
    /// What becomes of those records that `is_meant`.
    pub(crate) fn counts(&self, is_meant: impl Fn(&StreamRecord) -> bool) -> Counts {
        let mut counts = self.mapped.counts(self.records, is_meant);
        if self.planned.is_hopeless {
            counts.rows_quarantined = counts.rows_read;
            (counts.rows_filtered, counts.rows_written, counts.rows_inserted) = (0, 0, 0);
        }
        counts
    }
}

impl Ingest {
    /// Lands an INSERT and notes it for its partitions, all of which are held.
    pub(crate) async fn land(
        &self,
        source: &Arc<Registered>,
        planned: &Planned,
        records: &[StreamRecord],
        held: &mut [PartitionRecord],
        deadline: Deadline,
        report: &mut StreamReport,
    ) -> Result<(), IngestError> {
        let table = Destination::of(&source.document, &[]).table;
        let mapped = map(source, planned, records).await?;
        let sending = Sending { source, planned, table: &table, records, mapped: &mapped };
        let mut sent_to = planned.sent_to.clone();
        let mut tries = Tries::default();
        let mut refused = BTreeSet::new();
        let on = loop {
            let error = match self.try_once(&sending, &mut sent_to, held, &tries, deadline).await {
                Ok(on) => break on,
                Err(error) => error,
            };
            if let Some(cluster) = refusing(&error) {
                refused.insert(cluster.to_owned());
                if sent_to.iter().all(|sent| refused.contains(sent)) {
                    let error = self.unless_there(&sending, &sent_to, error).await?;
                    self.withdraw(planned, held).await?;
                    return Err(error);
                }
                tries.leave_out(cluster);
                continue;
            }
            let clusters = candidates(&source.document, &sent_to);
            let retries = source.document.errors.retries;
            let Next::Again(wait) = tries.after(&error, 0, &clusters, retries) else {
                return Err(error);
            };
            if deadline.is_within(wait * 4) {
                return Err(error);
            }
            tracing::warn!(
                batch = batch_name(&planned.runs),
                ?wait,
                error = error.chain(),
                "trying again"
            );
            tokio::time::sleep(wait).await;
        };
        self.tell_drift(&sending, &on).await?;
        self.commit_all(&sending, &on, held, report).await
    }

    /// Writes the events of drift, before the INSERT is settled: they may come twice,
    /// and are not lost.
    async fn tell_drift(&self, sending: &Sending<'_>, on: &[String]) -> Result<(), IngestError> {
        let Some(cluster) = on.first() else { return Ok(()) };
        let by_partition = sending.mapped.drift_by_partition(sending.records);
        for ((topic, partition), drift) in by_partition {
            let place = Place::partition(topic, partition);
            let told = self.tell_of(sending.source, &place, cluster, &drift, &[]).await;
            told.map_err(|cause| IngestError::Write {
                object: place.name.clone(),
                cause: Box::new(cause),
            })?;
        }
        Ok(())
    }

    /// Hands an error back of an INSERT that every cluster has refused, and that is
    /// nowhere: its records may then be sent in other INSERTs. A view may have refused
    /// what its table had taken, and another function may have been luckier: then it
    /// stays as it is, and is sent again.
    async fn unless_there(
        &self,
        sending: &Sending<'_>,
        sent_to: &[String],
        error: IngestError,
    ) -> Result<IngestError, IngestError> {
        let Sending { planned, table, .. } = sending;
        let batch = batch_name(&planned.runs);
        if self.clock.now_ms() < planned.until_ms {
            let reason = error.chain();
            return Err(IngestError::Unsettled { batch, until_ms: planned.until_ms, reason });
        }
        for cluster in sent_to {
            let there = self.there(cluster, table, &planned.runs).await;
            let there = there.map_err(|cause| IngestError::Write {
                object: batch.clone(),
                cause: Box::new(cause),
            })?;
            if !there.is_empty() {
                return Err(IngestError::ViewRefuses {
                    batch,
                    cluster: cluster.clone(),
                    there: there.len(),
                    table: table_name(&sending.source.document),
                    cause: Box::new(error),
                });
            }
        }
        Ok(error)
    }

    /// One try: the clusters that have taken it.
    async fn try_once(
        &self,
        sending: &Sending<'_>,
        sent_to: &mut Vec<String>,
        held: &mut [PartitionRecord],
        tries: &Tries,
        deadline: Deadline,
    ) -> Result<Vec<String>, IngestError> {
        let name = batch_name(&sending.planned.runs);
        let document = &sending.source.document;
        let targets = self.targets(document, sent_to, tries).await;
        let targets = self.prepared(sending, targets, &name).await?;
        self.intend_all(sending, sent_to, &targets, held, deadline).await?;
        let work = targets.iter().map(|cluster| async move {
            let written = tokio::time::timeout(deadline.left(), self.send(sending, cluster)).await;
            (cluster, written)
        });
        let (mut on, mut last) = (Vec::new(), None);
        for (cluster, written) in join_all(work).await {
            match written {
                Ok(Ok(())) => on.push(cluster.clone()),
                Ok(Err(cause)) => {
                    tracing::warn!(batch = name, cluster, %cause, "an INSERT failed");
                    last =
                        Some(IngestError::Write { object: name.clone(), cause: Box::new(cause) });
                }
                Err(_) => last = Some(IngestError::NoTime { batch: name.clone() }),
            }
        }
        match last {
            Some(error) if on.is_empty() || is_of_the_data(&error) => Err(error),
            _ => Ok(on),
        }
    }

    /// The targets whose table takes the rows; fails when none does.
    async fn prepared(
        &self,
        sending: &Sending<'_>,
        targets: Vec<String>,
        name: &str,
    ) -> Result<Vec<String>, IngestError> {
        let prepare = targets.into_iter().map(|cluster| async move {
            let prepared = self.warehouse.prepare(&cluster, sending.table).await;
            (cluster, prepared)
        });
        let (mut fitting, mut last) = (Vec::new(), None);
        for (cluster, prepared) in join_all(prepare).await {
            match prepared {
                Ok(()) => fitting.push(cluster),
                Err(cause) => last = Some((cluster, cause)),
            }
        }
        match last {
            Some((_, cause)) if fitting.is_empty() => {
                Err(IngestError::Write { object: name.to_owned(), cause: Box::new(cause) })
            }
            Some((cluster, cause)) => {
                tracing::warn!(batch = name, cluster, %cause, "rows are owed to a mirror");
                Ok(fitting)
            }
            None => Ok(fitting),
        }
    }

    /// Notes the INSERT for all of the partitions at once, before it is sent: a
    /// token stands for all of its records or for none.
    async fn intend_all(
        &self,
        sending: &Sending<'_>,
        sent_to: &mut Vec<String>,
        targets: &[String],
        held: &mut [PartitionRecord],
        deadline: Deadline,
    ) -> Result<(), IngestError> {
        let planned = sending.planned;
        let new: Vec<String> =
            targets.iter().filter(|cluster| !sent_to.contains(cluster)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let is_new = sent_to.is_empty();
        let is_meant = |record: &PartitionRecord| match is_new {
            true => record.pending.is_none(),
            false => is_pending(planned, record),
        };
        let mut changed = changed(planned, held, is_meant);
        let all = held.iter().filter(|record| takes_part(&planned.runs, record)).count();
        // Another INSERT is pending of one of them, or this one was settled by others.
        if changed.is_empty() || (is_new && changed.len() < all) {
            let cause = LedgerError::Overtaken {
                feed: sending.source.document.source.clone(),
                partitions: batch_name(&planned.runs),
            };
            return Err(ledger_error(&planned.runs, cause));
        }
        let mut clusters = sent_to.clone();
        clusters.extend(new);
        let lives = i64::try_from((deadline.left() + GRACE).as_millis()).unwrap_or(i64::MAX);
        let pending = PendingInsert {
            runs: planned.runs.clone(),
            token: planned.token.clone(),
            clusters: clusters.clone(),
            loaded_at_ms: planned.loaded_at_ms,
            config_version: planned.config_version,
            until_ms: self.clock.now_ms().saturating_add(lives),
        };
        changed.iter_mut().for_each(|record| record.pending = Some(pending.clone()));
        let put = self.partitions.put(&mut changed).await;
        put.map_err(|cause| ledger_error(&planned.runs, cause))?;
        put_back(held, changed);
        *sent_to = clusters;
        Ok(())
    }

    /// Takes back the intention of an INSERT that is known to be nowhere.
    async fn withdraw(
        &self,
        planned: &Planned,
        held: &mut [PartitionRecord],
    ) -> Result<(), IngestError> {
        let mut changed = changed(planned, held, |record| is_pending(planned, record));
        changed.iter_mut().for_each(|record| record.pending = None);
        let put = self.partitions.put(&mut changed).await;
        put.map_err(|cause| ledger_error(&planned.runs, cause))?;
        put_back(held, changed);
        Ok(())
    }

    /// Writes the rows, and the bad records, to one cluster. What may be there
    /// already, and is not surely remembered, is looked for first.
    pub(crate) async fn send(
        &self,
        sending: &Sending<'_>,
        cluster: &str,
    ) -> Result<(), WarehouseError> {
        let Sending { planned, table, mapped, .. } = sending;
        let mut token = planned.token.clone();
        let mut there = BTreeSet::new();
        if planned.sent_to.iter().any(|sent| sent == cluster)
            && (planned.is_looked_for
                || !self.warehouse.remembers(cluster, table, planned.loaded_at_ms).await?)
        {
            there = self.there(cluster, table, &planned.runs).await?;
            if !there.is_empty() {
                tracing::warn!(
                    batch = batch_name(&planned.runs),
                    cluster,
                    records = there.len(),
                    "records of an earlier try were found, and their token is forgotten: they are not sent again"
                );
                token = token.companion("rest");
            }
        }
        if planned.is_hopeless {
            let refused = sending.records.iter().enumerate().map(|(at, record)| {
                let reason = "the server refuses the row; its log says why";
                (at, super::map::whole(record, reason.to_owned()))
            });
            return self.put_records_aside(sending, cluster, &refused.collect::<Vec<_>>()).await;
        }
        self.put_records_aside(sending, cluster, &mapped.rejected).await?;
        let mut insert = None;
        for (batch, rows) in &mapped.batches {
            let missing = missing(sending, batch, rows, &there)?;
            if missing.num_rows() == 0 {
                continue;
            }
            let open = match &mut insert {
                Some(open) => open,
                none => {
                    none.insert(self.warehouse.insert(cluster, table.insert(token.clone())).await?)
                }
            };
            open.write(&missing).await?;
        }
        match insert {
            Some(insert) => insert.finish().await,
            None => Ok(()),
        }
    }

    /// Offsets of some runs that a cluster has.
    pub(crate) async fn there(
        &self,
        cluster: &str,
        table: &TableSpec,
        runs: &[Run],
    ) -> Result<BTreeSet<(String, i32, i64)>, WarehouseError> {
        let mut there = BTreeSet::new();
        for run in runs {
            let offsets = self.warehouse.landed_offsets(cluster, table, run).await?;
            there.extend(offsets.into_iter().map(|at| (run.topic.clone(), run.partition, at)));
        }
        Ok(there)
    }

    /// Puts bad records into the quarantine of a cluster, by partition.
    async fn put_records_aside(
        &self,
        sending: &Sending<'_>,
        cluster: &str,
        rejected: &[(usize, RejectedRow)],
    ) -> Result<(), WarehouseError> {
        let planned = sending.planned;
        for run in &planned.runs {
            let is_in = |record: &StreamRecord| {
                run.is_of(&record.topic, record.partition) && run.offsets().contains(&record.offset)
            };
            let rows: Vec<RejectedRow> = rejected
                .iter()
                .filter(|(at, _)| is_in(&sending.records[*at]))
                .map(|(_, row)| row.clone())
                .collect();
            if rows.is_empty() {
                continue;
            }
            let of = Quarantined {
                source: &sending.source.document.source,
                place: Place::partition(&run.topic, run.partition),
                config_version: planned.config_version,
                chunk: &planned.token,
                at_ms: planned.loaded_at_ms,
            };
            let token = planned
                .token
                .companion(&format!("quarantine-{}-{}-{}", run.topic, run.partition, run.start));
            put_aside(&*self.warehouse, cluster, &of, token, &rows).await?;
        }
        Ok(())
    }

    /// Moves the partitions past the INSERT, all of them at once: it is pending for
    /// each of them, or for none.
    async fn commit_all(
        &self,
        sending: &Sending<'_>,
        on: &[String],
        held: &mut [PartitionRecord],
        report: &mut StreamReport,
    ) -> Result<(), IngestError> {
        let planned = sending.planned;
        loop {
            let mut after = changed(planned, held, |record| is_pending(planned, record));
            if after.is_empty() {
                // Another function has sent the same INSERT, and was faster.
                break;
            }
            let (mut counts, mut newest_ms) = (Counts::default(), 0);
            for record in &mut after {
                let landed = landed(sending, on, record);
                counts += landed.counts;
                newest_ms = newest_ms.max(landed.newest_ms);
                for hole in record.commit(&landed) {
                    tracing::warn!(
                        topic = record.topic,
                        partition = record.partition,
                        ?hole,
                        "offsets that nobody has brought are given up: \
                        the partition has too many holes"
                    );
                }
            }
            match self.partitions.put(&mut after).await {
                Ok(()) => {
                    put_back(held, after);
                    report.counts += counts;
                    report.newest_ms = report.newest_ms.max(newest_ms);
                    break;
                }
                // A debt may have been paid meanwhile.
                Err(LedgerError::Overtaken { .. }) => self.read_anew(&planned.runs, held).await?,
                Err(cause) => return Err(ledger_error(&planned.runs, cause)),
            }
        }
        let new = on.iter().filter(|cluster| !report.clusters.contains(cluster));
        let new: Vec<String> = new.cloned().collect();
        report.clusters.extend(new);
        Ok(())
    }
}

/// What an INSERT has brought of one partition.
fn landed(sending: &Sending<'_>, on: &[String], record: &PartitionRecord) -> Landed {
    let is_of =
        |one: &StreamRecord| *one.topic == *record.topic && one.partition == record.partition;
    let own = sending.records.iter().filter(|one| is_of(one));
    Landed {
        counts: sending.counts(is_of),
        on: on.to_vec(),
        named: sending.source.document.write.clusters.clone(),
        newest_ms: own.map(|one| one.timestamp_ms).max().unwrap_or(0),
    }
}

/// The cluster that has refused rows for what they hold.
fn refusing(error: &IngestError) -> Option<&str> {
    match error {
        IngestError::Write { cause, .. } if is_of_the_data(error) => cause.cluster(),
        _ => None,
    }
}

/// Maps on a thread of its own: the runtime's has other things to do.
pub(crate) async fn map(
    source: &Arc<Registered>,
    planned: &Planned,
    records: &[StreamRecord],
) -> Result<MappedRecords, IngestError> {
    let document = Arc::new(source.document.clone());
    let mapper = RecordMapper::new(document, planned.config_version, planned.loaded_at_ms)?;
    tokio::task::block_in_place(|| mapper.map(records))
}

pub(crate) fn takes_part(runs: &[Run], record: &PartitionRecord) -> bool {
    runs.iter().any(|run| run.is_of(&record.topic, record.partition))
}

/// Whether an INSERT is what is pending of a partition.
fn is_pending(planned: &Planned, record: &PartitionRecord) -> bool {
    record.pending.as_ref().is_some_and(|pending| pending.token == planned.token)
}

/// Those of the partitions of an INSERT that are meant, to be changed.
fn changed(
    planned: &Planned,
    held: &[PartitionRecord],
    is_meant: impl Fn(&PartitionRecord) -> bool,
) -> Vec<PartitionRecord> {
    let of_all = held.iter().filter(|record| takes_part(&planned.runs, record));
    of_all.filter(|record| is_meant(record)).cloned().collect()
}

pub(crate) fn put_back(held: &mut [PartitionRecord], changed: Vec<PartitionRecord>) {
    for after in changed {
        let same = |record: &&mut PartitionRecord| {
            record.topic == after.topic && record.partition == after.partition
        };
        if let Some(record) = held.iter_mut().find(same) {
            *record = after;
        }
    }
}

/// The rows of a batch whose records are not there.
fn missing(
    sending: &Sending<'_>,
    batch: &RecordBatch,
    rows: &[usize],
    there: &BTreeSet<(String, i32, i64)>,
) -> Result<RecordBatch, WarehouseError> {
    if there.is_empty() {
        return Ok(batch.clone());
    }
    let is_missing = rows.iter().map(|at| {
        let StreamRecord { topic, partition, offset, .. } = &sending.records[*at];
        Some(!there.contains(&(topic.to_string(), *partition, *offset)))
    });
    filter_record_batch(batch, &is_missing.collect::<BooleanArray>()).map_err(|source| {
        WarehouseError::Encode { table: sending.table.name.clone(), source: source.into() }
    })
}

/// A batch in words.
pub(crate) fn batch_name(runs: &[Run]) -> String {
    match runs {
        [] => "no records".to_owned(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

pub(crate) fn ledger_error(runs: &[Run], cause: LedgerError) -> IngestError {
    IngestError::Ledger { object: batch_name(runs), cause: Box::new(cause) }
}
