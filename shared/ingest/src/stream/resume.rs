//! Resume: the INSERT that another function had begun is sent again as it was.
//!
//! It is settled for all of its partitions at once, also for those of which nothing
//! was delivered: its token stands for all of its records. Settled for one alone, and
//! sent to another cluster for the next, it would bring there what is owed to it.
//!
//! Its token makes that harmless as long as the tables remember it, also while
//! that function lives. What of it was not delivered again is read from Kafka.
//! Only where Kafka has it no more, or nobody here can decode it, is the INSERT given
//! up: then its records are looked for, and what is not there is as new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use catalog::Registered;
use futures::FutureExt as _;
use kafka::KafkaError;
use ledger::{PartitionRecord, PendingInsert};
use model::{Run, StreamRecord};
use runtime::Deadline;

use super::land::{Planned, batch_name, ledger_error, put_back, takes_part};
use super::{Delivered, StreamReport, partition_error};
use crate::destination::Destination;
use crate::{Ingest, IngestError};

/// The longest that one run is read for.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// Records, or why Kafka cannot give them and never will.
type Read = Result<Vec<StreamRecord>, String>;

impl Ingest {
    /// Lands, or settles otherwise, what is pending of the partitions.
    pub(crate) async fn settle_pending(
        &self,
        source: &Arc<Registered>,
        delivered: &[Delivered],
        held: &mut Vec<PartitionRecord>,
        deadline: Deadline,
        report: &mut StreamReport,
    ) -> Result<(), IngestError> {
        let own = held.len();
        while let Some(pending) = held.iter().find_map(|record| record.pending.clone()) {
            self.hold_all(source, &pending, held).await?;
            if held.iter().any(|record| pending.is_of(record)) {
                let frozen = self.frozen(source, pending.config_version).await?;
                match self.records_of(&pending.runs, delivered, deadline).await? {
                    Ok(records) => {
                        let planned = planned(&pending);
                        let landing =
                            self.land(&frozen, &planned, &records, held, deadline, report);
                        // Boxed: the way of an INSERT is deep.
                        landing.boxed().await?;
                    }
                    Err(reason) => self.give_up(&frozen, &pending, held, reason).await?,
                }
            }
            held.truncate(own);
        }
        Ok(())
    }

    /// Holds the other partitions of an INSERT, too, behind those that are held.
    async fn hold_all(
        &self,
        source: &Registered,
        pending: &PendingInsert,
        held: &mut Vec<PartitionRecord>,
    ) -> Result<(), IngestError> {
        for run in &pending.runs {
            if !held.iter().any(|record| run.is_of(&record.topic, record.partition)) {
                held.push(self.known(&source.document.source, &run.topic, run.partition).await?);
            }
        }
        let is_of_another =
            |record: &PartitionRecord| takes_part(&pending.runs, record) && !pending.is_of(record);
        if held.iter().any(is_of_another) {
            // It was settled since the first of them was read.
            self.read_anew(&pending.runs, held).await?;
        }
        Ok(())
    }

    /// Reads the partitions of some runs once more.
    pub(crate) async fn read_anew(
        &self,
        runs: &[Run],
        held: &mut [PartitionRecord],
    ) -> Result<(), IngestError> {
        for record in held.iter_mut().filter(|record| takes_part(runs, record)) {
            *record = self.known(&record.source, &record.topic, record.partition).await?;
        }
        Ok(())
    }

    /// What the ledger knows of a partition.
    pub(crate) async fn known(
        &self,
        source: &str,
        topic: &str,
        partition: i32,
    ) -> Result<PartitionRecord, IngestError> {
        let record = self.partitions.get(source, topic, partition).await;
        record.map_err(|cause| partition_error(topic, partition, cause))
    }

    /// A version of a source's document.
    pub(crate) async fn frozen(
        &self,
        source: &Arc<Registered>,
        version: u64,
    ) -> Result<Arc<Registered>, IngestError> {
        if source.config_version == version {
            return Ok(source.clone());
        }
        let frozen = self.catalog.get(&source.document.source, Some(version)).await;
        frozen.map_err(|cause| IngestError::Catalog { cause: Box::new(cause) })
    }

    /// The records of some runs: those that were delivered, the others from Kafka.
    pub(crate) async fn records_of(
        &self,
        runs: &[Run],
        delivered: &[Delivered],
        deadline: Deadline,
    ) -> Result<Read, IngestError> {
        let mut records = Vec::new();
        for run in runs {
            if let Some(there) = delivered.iter().find_map(|some| within(some, run)) {
                records.extend(there);
                continue;
            }
            match self.read_again(run, deadline).await? {
                Ok(read) => records.extend(read),
                Err(reason) => return Ok(Err(reason)),
            }
        }
        Ok(Ok(records))
    }

    async fn read_again(&self, run: &Run, deadline: Deadline) -> Result<Read, IngestError> {
        let Some(reader) = &self.records else {
            return Ok(Err("MOTHERLODE_KAFKA_BROKERS is not set".to_owned()));
        };
        let time = deadline.left().min(READ_LIMIT);
        match reader.read(&run.topic, run.partition, run.offsets(), time).await {
            Ok(read) => Ok(Ok(read.into_iter().map(|one| record_of(run, one)).collect())),
            Err(error @ (KafkaError::BeforeRetention { .. } | KafkaError::Undecodable { .. })) => {
                Ok(Err(error.to_string()))
            }
            Err(cause) => {
                Err(IngestError::Records { run: run.to_string(), cause: Box::new(cause) })
            }
        }
    }

    /// Gives an INSERT up whose records cannot be had: those that it has brought
    /// are accounted for, the others are as new.
    async fn give_up(
        &self,
        source: &Arc<Registered>,
        pending: &PendingInsert,
        held: &mut [PartitionRecord],
        reason: String,
    ) -> Result<(), IngestError> {
        let batch = batch_name(&pending.runs);
        if self.clock.now_ms() < pending.until_ms {
            return Err(IngestError::Unsettled { batch, until_ms: pending.until_ms, reason });
        }
        let table = Destination::of(&source.document, &[]).table;
        let named = &source.document.write.clusters;
        let mut after: Vec<PartitionRecord> =
            held.iter().filter(|record| pending.is_of(record)).cloned().collect();
        for record in &mut after {
            let runs: Vec<Run> = pending
                .runs
                .iter()
                .filter(|run| run.is_of(&record.topic, record.partition))
                .cloned()
                .collect();
            let mut found: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
            for cluster in &pending.clusters {
                let there = self.there(cluster, &table, &runs).await;
                let there = there.map_err(|cause| IngestError::Write {
                    object: batch.clone(),
                    cause: Box::new(cause),
                })?;
                for (_, _, offset) in there {
                    found.entry(offset).or_default().insert(cluster.clone());
                }
            }
            tracing::warn!(
                batch,
                topic = record.topic,
                partition = record.partition,
                reason,
                found = found.len(),
                "an INSERT of another function is given up: \
                what it has brought is accounted for, the rest is as new"
            );
            record.resolve(&found, named);
        }
        let put = self.partitions.put(&mut after).await;
        put.map_err(|cause| ledger_error(&pending.runs, cause))?;
        put_back(held, after);
        Ok(())
    }
}

pub(crate) fn planned(pending: &PendingInsert) -> Planned {
    Planned {
        runs: pending.runs.clone(),
        token: pending.token.clone(),
        config_version: pending.config_version,
        loaded_at_ms: pending.loaded_at_ms,
        sent_to: pending.clusters.clone(),
        is_looked_for: false,
        is_hopeless: false,
        until_ms: pending.until_ms,
    }
}

/// The records of a run, if all of them were delivered.
fn within(delivered: &Delivered, run: &Run) -> Option<Vec<StreamRecord>> {
    let (first, last) = (delivered.records.first()?, delivered.records.last()?);
    if !run.is_of(&delivered.topic, delivered.partition)
        || first.offset > run.start
        || last.offset + 1 < run.end
    {
        return None;
    }
    let is_in = |record: &&StreamRecord| run.offsets().contains(&record.offset);
    Some(delivered.records.iter().filter(is_in).cloned().collect())
}

pub(crate) fn record_of(run: &Run, stored: kafka::StoredRecord) -> StreamRecord {
    let kafka::StoredRecord { offset, record } = stored;
    StreamRecord {
        topic: Arc::from(run.topic.as_str()),
        partition: run.partition,
        offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key,
        value: record.value,
        headers: record.headers.into_iter().collect(),
    }
}
