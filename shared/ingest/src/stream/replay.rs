//! Replay of quarantined records, after their document was corrected.
//!
//! A record that is to be tried again is owed to its cluster, by the version of the
//! document that is to map it: it is read from Kafka, looked for, and sent as any
//! debt is. So a second replay changes nothing, and what a killed one has left over
//! is paid by `reconcile`.

use std::sync::Arc;

use catalog::Registered;
use model::Run;
use runtime::Deadline;
use warehouse::quarantine::Place;

use super::partition_error;
use crate::destination::Destination;
use crate::replay::Replayed;
use crate::{Ingest, IngestError};

/// Records that are owed at once: the ledger's item has room for so many runs.
const AT_ONCE: usize = 200;

impl Ingest {
    /// Replays the quarantined records of a partition on a cluster.
    ///
    /// # Errors
    /// [`IngestError`]; also when Kafka does not have the records any more. What was
    /// written before stays, and the next replay finds it.
    pub async fn replay_partition(
        &self,
        source: &Arc<Registered>,
        topic: &str,
        partition: i32,
        cluster: &str,
        deadline: Deadline,
    ) -> Result<Replayed, IngestError> {
        let name = &source.document.source;
        let place = Place::partition(topic, partition).name;
        let record = self.partitions.get(name, topic, partition).await;
        let mut record = record.map_err(|cause| partition_error(topic, partition, cause))?;
        let table = Destination::of(&source.document, &[]).table;
        let failed = |cause| IngestError::Write { object: place.clone(), cause: Box::new(cause) };
        self.warehouse.prepare(cluster, &table).await.map_err(failed)?;
        // What the cluster lacks comes first: among it may be records that are bad there.
        self.pay_cluster(source, &mut record, cluster, deadline, &mut |_| ()).await?;
        let mut replayed =
            Replayed { object: place.clone(), cluster: cluster.to_owned(), ..Replayed::default() };
        let mut from = 0;
        loop {
            let rows = self.quarantined_rows(name, &place, cluster, from).await?;
            let Some(last) = rows.last().copied() else { break };
            from = last + 1;
            replayed.quarantined += rows.len() as u64;
            let offsets: Vec<i64> = rows.iter().map(|row| row.cast_signed()).collect();
            // What the cluster has is not read again: most of it, after the first replay.
            let run = Run {
                topic: topic.to_owned(),
                partition,
                start: offsets[0],
                end: last.cast_signed() + 1,
            };
            let there = self.warehouse.landed_offsets(cluster, &table, &run).await;
            let there = there.map_err(failed)?;
            let wanted: Vec<i64> =
                offsets.iter().copied().filter(|at| !there.contains(at)).collect();
            replayed.there += (offsets.len() - wanted.len()) as u64;
            for some in wanted.chunks(AT_ONCE) {
                record = self
                    .replay_some(source, record, some, cluster, deadline, &mut replayed)
                    .await?;
            }
        }
        Ok(replayed)
    }

    async fn replay_some(
        &self,
        source: &Arc<Registered>,
        record: ledger::PartitionRecord,
        offsets: &[i64],
        cluster: &str,
        deadline: Deadline,
        replayed: &mut Replayed,
    ) -> Result<ledger::PartitionRecord, IngestError> {
        let (version, now_ms) = (source.config_version, self.clock.now_ms());
        let named = &source.document.write.clusters;
        let mut owed = Vec::new();
        let owe = |record: &mut ledger::PartitionRecord| {
            owed = record.owe_again(offsets, cluster, named, version, now_ms);
        };
        let mut record = self.amend(record, owe).await?;
        // The others come with what is owed already, or with their INSERT.
        replayed.waiting += (offsets.len() - owed.len()) as u64;
        let mut tell = |counts: model::Counts| {
            replayed.written += counts.rows_written;
            replayed.filtered += counts.rows_filtered;
            replayed.bad += counts.rows_quarantined;
        };
        match self.pay_cluster(source, &mut record, cluster, deadline, &mut tell).await {
            Ok(true) => Ok(record),
            Ok(false) => {
                let batch = format!("a replay of kafka://{}/{}", record.topic, record.partition);
                Err(IngestError::NoTime { batch })
            }
            Err(error @ IngestError::BeyondRetention { .. }) => {
                // Nobody can pay it: it stays in the quarantine alone.
                let forget = |record: &mut ledger::PartitionRecord| {
                    record.forget(&owed, cluster, version, now_ms);
                };
                self.amend(record, forget).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}
