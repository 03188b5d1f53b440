//! Where events are safe: Kafka with every replica in sync, else the spill queue,
//! with S3 for what is too large for it. A request is answered with 2xx only
//! after one of them has said that it has everything.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use kafka::spill::{Spilled, SpilledRecord};
use kafka::{KafkaError, Producer, Record, murmur2};
use model::{Clock, Disposition};
use tokio::time::Instant;

/// How long Kafka has to acknowledge.
const KAFKA_TIME: Duration = Duration::from_secs(3);
/// How long it is left alone after it did not: events are spilled at once.
const REST_MS: i64 = 5_000;
/// Most bytes of a message of SQS, less what stands around the text.
const MESSAGE_BYTES: usize = 240 * 1024;
/// Message groups: events of one visitor stay in order, others do not wait.
const GROUPS: i32 = 64;

/// Records for one topic.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The topic.
    pub topic: String,
    /// The records, in order.
    pub records: Vec<Record>,
}

/// Where events are put.
pub struct Durable {
    /// The brokers.
    pub kafka: Producer,
    /// The spill queue, a FIFO queue; none where Kafka alone must do.
    pub queue: Option<(aws_sdk_sqs::Client, String)>,
    /// The bucket for what is too large for the queue.
    pub bucket: Option<(aws_sdk_s3::Client, String)>,
    /// What time it is.
    pub clock: Clock,
    /// Until when Kafka is left alone, in milliseconds since 1970.
    pub rests_until_ms: AtomicI64,
}

/// How events were kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Kafka has them.
    Kafka,
    /// They will be put into Kafka later.
    Spilled,
}

impl Durable {
    /// Keeps every record, or says that it cannot.
    ///
    /// # Errors
    /// When neither Kafka nor the spill has said that it has all of them. Some may
    /// be there all the same: whoever sends again sends the same ids.
    pub async fn keep(&self, batches: Vec<Batch>, end: Instant) -> anyhow::Result<Kept> {
        let mut kept = Kept::Kafka;
        // What follows in a topic must not overtake what was spilled of it.
        let mut spilled: Option<String> = None;
        for batch in batches {
            if spilled.as_ref() != Some(&batch.topic)
                && self.rests_until_ms.load(Ordering::Relaxed) <= self.clock.now_ms()
            {
                // Half of the time that is left is for the spill.
                let left = end.saturating_duration_since(Instant::now());
                let time = KAFKA_TIME.min(left / 2);
                match self.kafka.send(&batch.topic, &batch.records, time).await {
                    Ok(_) => continue,
                    Err(error) => {
                        tracing::error!(topic = batch.topic, %error, "Kafka did not acknowledge: events are spilled");
                        if is_outage(&error) {
                            let until_ms = self.clock.now_ms() + REST_MS;
                            self.rests_until_ms.store(until_ms, Ordering::Relaxed);
                        }
                    }
                }
            }
            // A client that waits for its deadline is never told to come again.
            let put = tokio::time::timeout_at(end, self.spill(&batch)).await;
            put.context("the spill did not answer in time")??;
            kept = Kept::Spilled;
            spilled = Some(batch.topic);
        }
        Ok(kept)
    }

    /// Keeps a text that no broker would take, in the bucket, for as long as its
    /// lifecycle keeps it: where it is.
    ///
    /// # Errors
    /// When there is no bucket, or it does not say in time that it has it.
    pub async fn keep_whole(
        &self,
        folder: &str,
        text: Vec<u8>,
        end: Instant,
    ) -> anyhow::Result<String> {
        let (client, bucket) = self.bucket.as_ref().context(
            "it is too large for Kafka, and MOTHERLODE_SPILL_BUCKET is not set to keep it in",
        )?;
        let key = format!("{folder}/{}.json", uuid::Uuid::now_v7());
        let put = client.put_object().bucket(bucket).key(&key).body(text.into()).send();
        let put = tokio::time::timeout_at(end, put).await;
        let place = format!("s3://{bucket}/{key}");
        put.with_context(|| format!("{place}: no answer in time"))?
            .with_context(|| format!("putting {place}"))?;
        Ok(place)
    }

    /// Puts records into the spill queue, in messages of one group each.
    async fn spill(&self, batch: &Batch) -> anyhow::Result<()> {
        let mut messages: Vec<(i32, usize, Vec<SpilledRecord>)> = Vec::new();
        for record in &batch.records {
            let group = record.key.as_deref().map_or(0, |key| murmur2(key).rem_euclid(GROUPS));
            let record = SpilledRecord::of(record);
            let bytes = record.size();
            match messages.iter_mut().rfind(|(of, ..)| *of == group) {
                Some((_, filled, records)) if *filled + bytes <= MESSAGE_BYTES => {
                    *filled += bytes;
                    records.push(record);
                }
                _ => messages.push((group, bytes, vec![record])),
            }
        }
        for (group, bytes, records) in messages {
            let spilled = Spilled { topic: batch.topic.clone(), records, object: None };
            let spilled =
                if bytes > MESSAGE_BYTES { self.put_aside(spilled).await? } else { spilled };
            self.send(group, &spilled).await?;
        }
        Ok(())
    }

    /// Puts what is too large for a message into the bucket; the message then
    /// names it.
    async fn put_aside(&self, spilled: Spilled) -> anyhow::Result<Spilled> {
        let (client, bucket) = self.bucket.as_ref().context(
            "an event is too large for the spill queue, and MOTHERLODE_SPILL_BUCKET is not set",
        )?;
        let key = format!("spill/{}.json", uuid::Uuid::now_v7());
        let body = serde_json::to_vec(&spilled)?.into();
        let put = client.put_object().bucket(bucket).key(&key).body(body).send().await;
        put.with_context(|| format!("putting s3://{bucket}/{key}"))?;
        Ok(Spilled { topic: spilled.topic, records: Vec::new(), object: Some(key) })
    }

    async fn send(&self, group: i32, spilled: &Spilled) -> anyhow::Result<()> {
        let (client, url) = self
            .queue
            .as_ref()
            .context("there is no spill queue: MOTHERLODE_SPILL_QUEUE_URL is not set")?;
        let message = client
            .send_message()
            .queue_url(url)
            .message_group_id(format!("{}-{group}", spilled.topic))
            .message_deduplication_id(uuid::Uuid::new_v4().to_string())
            .message_body(spilled.to_text()?);
        message.send().await.with_context(|| format!("sending to {url}"))?;
        Ok(())
    }
}

/// Whether nobody's events would be acknowledged now, and not only those of one topic.
fn is_outage(error: &KafkaError) -> bool {
    match error {
        KafkaError::TooLarge { .. }
        | KafkaError::NoTopic { .. }
        | KafkaError::NoPartition { .. }
        | KafkaError::Denied { .. } => false,
        // What is wrong with these records, or this topic, is not wrong with the others.
        KafkaError::Refused { disposition, .. } => *disposition == Disposition::Retry,
        _ => true,
    }
}
