//! Records that a trigger has given up are taken from Kafka once more.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ledger::PartitionRecord;
use model::Run;
use runtime::Deadline;

use super::resume::record_of;
use super::{Delivered, Taken};
use crate::{Ingest, IngestError};

/// Offsets that are read and taken at once: as many as a batch of Lambda's may hold.
const PIECE: i64 = 10_000;
/// The longest that a piece is worked at: an INSERT that was cut off holds its partition
/// until then.
const PIECE_LIMIT: Duration = Duration::from_secs(10 * 60);
/// The longest that a piece is read for.
const READ_LIMIT: Duration = Duration::from_secs(60);

impl Ingest {
    /// How many records of a run are not accounted for: they are in no table and in
    /// no quarantine.
    ///
    /// # Errors
    /// [`IngestError`] when no source takes the topic, or the ledger does not answer.
    pub async fn missing(&self, run: &Run) -> Result<u64, IngestError> {
        let source = self.source_of_topic(&run.topic).await?;
        let known = self.known(&source.document.source, &run.topic, run.partition).await?;
        Ok(missing(&known, run.offsets()))
    }

    /// Takes a run of records as if they were delivered again: what is accounted for
    /// is dropped, the rest is written. It ends at the first that is refused.
    ///
    /// # Errors
    /// [`IngestError::Records`] when Kafka cannot be read, or has not so many records;
    /// [`IngestError::Lost`] when it has some no more that were never taken: what it
    /// has of the others was taken all the same.
    pub async fn take_again(&self, run: &Run, deadline: Deadline) -> Result<Taken, IngestError> {
        let failed = |cause| IngestError::Records { run: run.to_string(), cause: Box::new(cause) };
        let Some(reader) = &self.records else {
            return Err(IngestError::NoBrokers { run: run.to_string() });
        };
        let source = self.source_of_topic(&run.topic).await?;
        let time = || deadline.left().min(READ_LIMIT);
        let held = reader.offsets(&run.topic, run.partition, time()).await.map_err(failed)?;
        let known = self.known(&source.document.source, &run.topic, run.partition).await?;
        let lost = missing(&known, run.start..run.end.min(held.start));
        let mut taken = Taken::default();
        let mut next = run.start.max(held.start);
        while next < run.end && taken.refused.is_empty() {
            let piece = next..run.end.min(next + PIECE);
            next = piece.end;
            let read = reader.read(&run.topic, run.partition, piece, time()).await;
            let records: Vec<_> =
                read.map_err(failed)?.into_iter().map(|one| record_of(run, one)).collect();
            // A compacted topic has fewer than it has offsets.
            if records.is_empty() {
                continue;
            }
            let topic: Arc<str> = run.topic.as_str().into();
            let delivered = Delivered { topic, partition: run.partition, records };
            let deadline = Deadline::after(deadline.left().min(PIECE_LIMIT));
            let some = self.take(vec![delivered], deadline).await;
            taken.reports.extend(some.reports);
            taken.refused.extend(some.refused);
        }
        if lost > 0 && taken.refused.is_empty() {
            return Err(IngestError::Lost { run: run.to_string(), lost, earliest: held.start });
        }
        Ok(taken)
    }
}

/// So many of the offsets are not accounted for.
fn missing(record: &PartitionRecord, offsets: Range<i64>) -> u64 {
    let length = |range: &Range<i64>| u64::try_from(range.end - range.start).unwrap_or(0);
    let done = record.done.iter();
    let there =
        done.map(|done| length(&(done.start.max(offsets.start)..done.end.min(offsets.end))));
    length(&offsets) - there.sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accounted_for_is_not_missing() {
        let mut record = PartitionRecord::new("web", "events", 0);
        record.done = vec![0..10, 20..30];
        assert_eq!(missing(&record, 5..25), 10);
        assert_eq!(missing(&record, 10..20), 10);
        assert_eq!(missing(&record, 0..10), 0);
        assert_eq!(missing(&record, 40..45), 5);
        // A run that begins behind the first that is there.
        let (start, first) = (9, 3);
        assert_eq!(missing(&record, start..first), 0);
    }
}
