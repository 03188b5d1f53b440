//! Reading by coordinates: for replay, for lag, and for whoever polls.

use std::ops::Range;
use std::time::Duration;

use rskafka::client::partition::OffsetAt;

use crate::brokers::{Brokers, Budget};
use crate::config::KafkaConfig;
use crate::error::{KafkaError, is_out_of_range};
use crate::pattern::TopicPattern;
use crate::record::StoredRecord;

/// So many bytes are asked for at once when a range is read.
const PIECE: usize = 4 * 1024 * 1024;
/// How long the broker may wait for records that are said to be there.
const WAIT: Duration = Duration::from_millis(500);

/// Reads records.
#[derive(Debug)]
pub struct Reader {
    brokers: Brokers,
}

/// A topic and its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its partitions, in order.
    pub partitions: Vec<i32>,
}

/// What one fetch has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The records, in order.
    pub records: Vec<StoredRecord>,
    /// Where to go on. Not always behind the last record: a transaction leaves
    /// marks that take an offset and are no records.
    pub next: i64,
}

impl Reader {
    /// A reader that connects when it first reads.
    #[must_use]
    pub fn new(config: KafkaConfig) -> Self {
        Self { brokers: Brokers::new(config) }
    }

    /// The topics that a pattern means, by name; none when there are none.
    /// Kafka's internal ones are left out.
    ///
    /// # Errors
    /// When no broker answers in `time`, or they refuse.
    pub async fn topics(
        &self,
        pattern: &TopicPattern,
        time: Duration,
    ) -> Result<Vec<Topic>, KafkaError> {
        let listed = self
            .brokers
            .call("list the topics", Budget::new(time), async |link| link.topics(true).await);
        let listed = listed.await?;
        let meant = listed.iter().filter(|(name, _)| pattern.matches(name));
        Ok(meant
            .map(|(name, partitions)| Topic { name: name.clone(), partitions: partitions.clone() })
            .collect())
    }

    /// The offsets that a partition holds: from the first that retention has
    /// left to the next that will be written.
    ///
    /// # Errors
    /// When the partition is not there, or no broker answers in `time`.
    pub async fn offsets(
        &self,
        topic: &str,
        partition: i32,
        time: Duration,
    ) -> Result<Range<i64>, KafkaError> {
        let budget = Budget::new(time);
        self.check(topic, partition, budget).await?;
        self.held(topic, partition, budget).await
    }

    /// Some records from an offset on, as they come: at most about `max_bytes`
    /// of them, and none when there are none within `wait`.
    ///
    /// # Errors
    /// When the offset is before the retention or behind the end, the
    /// partition is not there, or no broker answers in `time`.
    pub async fn fetch(
        &self,
        topic: &str,
        partition: i32,
        from: i64,
        max_bytes: usize,
        wait: Duration,
        time: Duration,
    ) -> Result<Fetched, KafkaError> {
        let budget = Budget::new(time);
        self.check(topic, partition, budget).await?;
        self.fetch_some(topic, partition, from, max_bytes, wait, budget).await
    }

    /// All records of a range of offsets. Offsets that hold no record, because
    /// the topic is compacted or they were a transaction's mark, are passed
    /// over.
    ///
    /// # Errors
    /// [`KafkaError::BeforeRetention`] when the range begins before what is
    /// left, [`KafkaError::NotYetThere`] when it ends behind what is written;
    /// otherwise as [`fetch`](Self::fetch).
    pub async fn read(
        &self,
        topic: &str,
        partition: i32,
        offsets: Range<i64>,
        time: Duration,
    ) -> Result<Vec<StoredRecord>, KafkaError> {
        let budget = Budget::new(time);
        self.check(topic, partition, budget).await?;
        let mut records = Vec::new();
        let mut next = offsets.start;
        while next < offsets.end {
            let fetched = self.fetch_some(topic, partition, next, PIECE, WAIT, budget).await?;
            if fetched.next == next {
                let latest = self.held(topic, partition, budget).await?.end;
                if latest <= next {
                    let topic = topic.to_owned();
                    return Err(KafkaError::NotYetThere { topic, partition, offset: next, latest });
                }
            }
            next = fetched.next;
            let wanted = fetched.records.into_iter();
            records.extend(wanted.filter(|record| offsets.contains(&record.offset)));
        }
        Ok(records)
    }

    async fn check(&self, topic: &str, partition: i32, budget: Budget) -> Result<(), KafkaError> {
        let partitions = self.brokers.partitions(topic, budget).await?;
        if partitions.contains(&partition) {
            return Ok(());
        }
        let (topic, brokers) = (topic.to_owned(), self.brokers.config.brokers());
        Err(KafkaError::NoPartition { topic, partition, brokers })
    }

    async fn held(
        &self,
        topic: &str,
        partition: i32,
        budget: Budget,
    ) -> Result<Range<i64>, KafkaError> {
        let what = format!("ask for the offsets of `{topic}`, partition {partition}");
        let held = self.brokers.call(&what, budget, |link| async move {
            let leader = link.leader(topic, partition).await?;
            Ok(leader.get_offset(OffsetAt::Earliest).await?
                ..leader.get_offset(OffsetAt::Latest).await?)
        });
        held.await
    }

    async fn fetch_some(
        &self,
        topic: &str,
        partition: i32,
        from: i64,
        max_bytes: usize,
        wait: Duration,
        budget: Budget,
    ) -> Result<Fetched, KafkaError> {
        let what = format!("read `{topic}`, partition {partition}, from offset {from}");
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let fetch = async |most: i32| {
            let fetched = self.brokers.call(&what, budget, |link| async move {
                let leader = link.leader(topic, partition).await?;
                match leader.fetch_records(from, 1..most, wait_ms).await {
                    Ok(fetched) => Ok(Some(fetched)),
                    Err(error) if is_out_of_range(&error) => Ok(None),
                    Err(error) => Err(error),
                }
            });
            fetched.await
        };
        let fetched = match fetch(i32::try_from(max_bytes).unwrap_or(i32::MAX).max(2)).await {
            // It may be a batch further on: so few bytes are one batch, whatever its size.
            Err(KafkaError::Undecodable { .. }) => fetch(2).await,
            fetched => fetched,
        };
        let Some((records, high_watermark)) = fetched? else {
            let Range { start: earliest, end: latest } =
                self.held(topic, partition, budget).await?;
            let (topic, offset) = (topic.to_owned(), from);
            return Err(if from < earliest {
                KafkaError::BeforeRetention { topic, partition, offset, earliest }
            } else {
                KafkaError::NotYetThere { topic, partition, offset, latest }
            });
        };
        let records: Vec<_> = records.into_iter().map(StoredRecord::from).collect();
        let next = match records.last() {
            Some(last) => last.offset + 1,
            // Something is there and it is no record: a mark, or a gap. But
            // what an open transaction holds back comes later.
            None if from < high_watermark
                && from < self.held(topic, partition, budget).await?.end =>
            {
                from + 1
            }
            None => from,
        };
        Ok(Fetched { records, next })
    }
}
