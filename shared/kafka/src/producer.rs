//! Sending: the call returns when the brokers have everything.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use rskafka::client::partition::Compression as ClientCompression;

use crate::brokers::{Brokers, Budget};
use crate::config::{Compression, KafkaConfig};
use crate::error::KafkaError;
use crate::partitioner::partition_of_key;
use crate::record::Record;

/// So many records without a key go to one partition before it is another's
/// turn: few large batches instead of many small ones.
const KEYLESS_RUN: usize = 256;

/// Sends records.
#[derive(Debug)]
pub struct Producer {
    brokers: Brokers,
    /// Whose turn it is to take records without a key.
    turn: AtomicUsize,
}

/// Where a record has come to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The partition.
    pub partition: i32,
    /// The offset in it.
    pub offset: i64,
}

impl Producer {
    /// A producer that connects when it first sends.
    #[must_use]
    pub fn new(config: KafkaConfig) -> Self {
        // Producers that start together should not all begin at one partition.
        let start = std::process::id() as usize;
        Self { brokers: Brokers::new(config), turn: AtomicUsize::new(start) }
    }

    /// Sends records and returns when the leaders and all replicas in sync
    /// have every one of them: where each lies, in the order given.
    ///
    /// Records of one key keep their order. After an error some may have been
    /// written all the same.
    ///
    /// # Errors
    /// When a record is too large (none is sent then), the topic is not there,
    /// the brokers refuse, or do not acknowledge everything in `time`.
    pub async fn send(
        &self,
        topic: &str,
        records: &[Record],
        time: Duration,
    ) -> Result<Vec<Position>, KafkaError> {
        self.check_sizes(topic, records)?;
        if records.is_empty() {
            return Ok(vec![]);
        }
        let budget = Budget::new(time);
        let partitions = self.brokers.partitions(topic, budget).await?;
        let shares = self.shares(records, &partitions);
        let sent = shares.into_iter().map(|(partition, indexes)| {
            self.send_share(topic, partition, records, indexes, budget)
        });
        let mut positions = vec![Position { partition: 0, offset: 0 }; records.len()];
        for (index, position) in try_join_all(sent).await?.into_iter().flatten() {
            positions[index] = position;
        }
        Ok(positions)
    }

    fn check_sizes(&self, topic: &str, records: &[Record]) -> Result<(), KafkaError> {
        let limit = self.brokers.config.max_batch_bytes;
        let sizes = records.iter().map(Record::size).enumerate();
        match sizes.into_iter().find(|(_, bytes)| *bytes > limit) {
            Some((index, bytes)) => {
                Err(KafkaError::TooLarge { topic: topic.to_owned(), index, bytes, limit })
            }
            None => Ok(()),
        }
    }

    /// Which records go to which partition, by their index.
    fn shares(&self, records: &[Record], partitions: &[i32]) -> BTreeMap<i32, Vec<usize>> {
        let mut shares: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        let mut keyless = 0;
        let mut turn = 0;
        for (index, record) in records.iter().enumerate() {
            let partition = match &record.key {
                Some(key) => {
                    partition_of_key(key, i32::try_from(partitions.len()).unwrap_or(i32::MAX))
                }
                None => {
                    if keyless % KEYLESS_RUN == 0 {
                        turn = self.turn.fetch_add(1, Ordering::Relaxed);
                    }
                    keyless += 1;
                    partitions[turn % partitions.len()]
                }
            };
            shares.entry(partition).or_default().push(index);
        }
        shares
    }

    /// Sends the records of one partition, one batch after the other.
    async fn send_share(
        &self,
        topic: &str,
        partition: i32,
        records: &[Record],
        indexes: Vec<usize>,
        budget: Budget,
    ) -> Result<Vec<(usize, Position)>, KafkaError> {
        let what = format!("send to `{topic}`, partition {partition}");
        let compression = match self.brokers.config.compression {
            Compression::None => ClientCompression::NoCompression,
            Compression::Lz4 => ClientCompression::Lz4,
        };
        let mut sent = Vec::with_capacity(indexes.len());
        for batch in batches(records, &indexes, self.brokers.config.max_batch_bytes) {
            let offsets = self.brokers.call(&what, budget, |link| async move {
                let leader = link.leader(topic, partition).await?;
                let batch = batch.iter().map(|index| records[*index].to_client()).collect();
                leader.produce(batch, compression).await
            });
            let offsets = offsets.await?;
            let positions = offsets.into_iter().map(|offset| Position { partition, offset });
            sent.extend(batch.iter().copied().zip(positions));
        }
        Ok(sent)
    }
}

/// Runs of records that fit into one batch each.
fn batches<'a>(
    records: &'a [Record],
    mut indexes: &'a [usize],
    limit: usize,
) -> impl Iterator<Item = &'a [usize]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = indexes.iter().take_while(|index| {
            bytes += records[**index].size();
            bytes <= limit
        });
        // A record that is too large has been refused before.
        let count = fitting.count().max(1).min(indexes.len());
        let (batch, rest) = indexes.split_at(count);
        indexes = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(bytes: usize, key: Option<&str>) -> Record {
        Record {
            key: key.map(|key| key.as_bytes().to_vec()),
            value: Some(vec![0; bytes]),
            ..Record::default()
        }
    }

    #[test]
    fn a_batch_holds_what_fits_and_none_is_lost() {
        let records: Vec<_> = [100, 100, 800, 100].map(|bytes| record(bytes, None)).into();
        let found: Vec<_> = batches(&records, &[0, 1, 2, 3], 1000).map(<[usize]>::to_vec).collect();
        assert_eq!(found, [vec![0, 1], vec![2], vec![3]]);
        assert_eq!(batches(&records, &[], 1000).count(), 0);
    }

    #[test]
    fn a_key_stays_with_its_partition_and_records_without_one_spread() {
        let producer = Producer::new(KafkaConfig::new("nowhere:1"));
        let keyed: Vec<_> = ["a", "b", "a"].map(|key| record(1, Some(key))).into();
        for (partition, indexes) in producer.shares(&keyed, &[0, 1, 2]) {
            for index in indexes {
                let key = keyed[index].key.as_deref().unwrap();
                assert_eq!(partition, partition_of_key(key, 3));
            }
        }
        let keyless = vec![record(1, None); 3 * KEYLESS_RUN];
        let shares = producer.shares(&keyless, &[0, 1, 2]);
        assert_eq!(shares.values().map(Vec::len).collect::<Vec<_>>(), [KEYLESS_RUN; 3]);
    }

    #[tokio::test]
    async fn a_record_that_is_too_large_is_named_before_anything_connects() {
        let producer = Producer::new(KafkaConfig::new("nowhere:1"));
        let records = [record(1, None), record(2_000_000, None)];
        let error = producer.send("t", &records, Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(error, KafkaError::TooLarge { index: 1, .. }), "{error}");
    }
}
