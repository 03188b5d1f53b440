//! The event source mapping between a topic and its function, which Lambda
//! runs in AWS: read, invoke, and go on behind what was handled.
//!
//! A poller reads its partitions into one queue each, takes batches from them
//! and handles one batch at a time: until it is done, or given up, none of its
//! partitions goes on. How far each has come is held here and written to the
//! stack's folder for people to see; Lambda keeps it in a consumer group.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client as Sqs;
use futures::future::join_all;
use kafka::{KafkaError, Reader, TopicPattern};
use model::Clock;

use crate::error::{Error, Result, chain};
use crate::function::Function;
use crate::kafka_batch::{Dice, PAYLOAD_LIMIT, by_age, exhausted, left, reached};
use crate::kafka_event::{Condition, Origin, Polled};
use crate::locked;
use crate::options::KafkaSourceOptions;
use crate::state::replace;
use crate::status::KafkaSourceStatus;

/// How long one question to the broker may take.
const ASK_LIMIT: Duration = Duration::from_secs(10);
/// The same for a status, which is asked for when a broker is away, too.
const STATUS_LIMIT: Duration = Duration::from_secs(1);
/// So many bytes of a partition are read ahead.
const READ_AHEAD: usize = 1024 * 1024;
/// The pause after a round that has brought nothing.
const IDLE: Duration = Duration::from_millis(50);
/// The pause after a question that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// The pauses before a batch is tried again.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(2);
/// How often new partitions are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A topic and the function it invokes.
#[derive(Debug)]
pub struct KafkaSource {
    /// How it was asked for.
    pub options: KafkaSourceOptions,
    /// What its events say of where they are from.
    pub origin: Origin,
    /// The function.
    pub function: Arc<Function>,
    /// A reader of its own: a pause of the broker must not tear at others.
    pub reader: Reader,
    /// The queue that hears of what is given up.
    pub destination: Option<(Sqs, String)>,
    /// The file that shows how far each partition has come.
    pub file: PathBuf,
    /// How far it has come.
    pub progress: Progress,
}

/// How far a mapping has come, and what was asked of it meanwhile.
#[derive(Debug, Default)]
pub struct Progress {
    /// The next offset of each partition that is not handled yet.
    next: Mutex<BTreeMap<i32, i64>>,
    /// How often all of it was taken back.
    rewinds: AtomicU64,
    /// So many batches are delivered twice.
    twice: AtomicU32,
    /// Records that were given up.
    discarded: AtomicU64,
}

/// What a poller has read and not delivered.
#[derive(Debug, Default)]
struct ReadAhead {
    rewinds: u64,
    looked: Option<Instant>,
    /// The partitions that are this poller's: what was read of each, and where
    /// to go on reading.
    partitions: BTreeMap<i32, (VecDeque<Polled>, i64)>,
}

impl KafkaSource {
    /// Polls until the future is dropped.
    pub async fn run(self: Arc<Self>) {
        let pollers = (0..self.options.pollers).map(|number| self.poll(number));
        join_all(pollers).await;
    }

    /// Has every record delivered again, from the first that there is.
    pub fn rewind(&self) {
        // Both at once, or a batch that is done meanwhile would undo it.
        let mut next = locked(&self.progress.next);
        next.clear();
        self.progress.rewinds.fetch_add(1, Ordering::SeqCst);
    }

    /// Has the next batch that is handled delivered a second time.
    pub fn deliver_twice(&self) {
        self.progress.twice.fetch_add(1, Ordering::SeqCst);
    }

    /// How far it has come.
    pub async fn status(&self) -> KafkaSourceStatus {
        let next = locked(&self.progress.next).clone();
        let topic = &self.origin.topic;
        let asked = next.iter().map(|(partition, next)| async move {
            let held = self.reader.offsets(topic, *partition, STATUS_LIMIT).await.ok()?;
            u64::try_from(held.end - next).ok()
        });
        let behind: Option<Vec<u64>> = join_all(asked).await.into_iter().collect();
        KafkaSourceStatus {
            function: self.function.options.name.clone(),
            topic: topic.clone(),
            // Before the first look nobody knows how much there is.
            lag: behind.filter(|behind| !behind.is_empty()).map(|behind| behind.iter().sum()),
            next,
            discarded: self.progress.discarded.load(Ordering::Relaxed),
        }
    }

    async fn poll(&self, number: usize) {
        let mut ahead = ReadAhead::default();
        let mut dice = self.options.cuts.map(|cuts| Dice::new(cuts, number));
        loop {
            if let Err(error) = self.look(number, &mut ahead).await {
                tracing::warn!(topic = self.origin.topic, error = %chain(&error), "poll failed");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let batch = self.batch(&mut ahead, dice.as_mut()).await;
            if batch.is_empty() {
                continue;
            }
            let done = self.handle(batch, ahead.rewinds, dice.as_mut()).await;
            if !done {
                // Read anew from where the partitions are, and cut anew.
                ahead = ReadAhead::default();
            }
        }
    }

    /// Finds the poller's partitions and where to read on, after the start,
    /// after a rewind, and now and then.
    async fn look(&self, number: usize, ahead: &mut ReadAhead) -> Result<()> {
        let rewinds = self.progress.rewinds.load(Ordering::SeqCst);
        if ahead.rewinds != rewinds {
            *ahead = ReadAhead { rewinds, ..ReadAhead::default() };
        }
        if ahead.looked.is_some_and(|looked| looked.elapsed() < LOOK_AGAIN) {
            return Ok(());
        }
        let Ok(topic) = self.origin.topic.parse::<TopicPattern>();
        let found = self.reader.topics(&topic, ASK_LIMIT).await?;
        let Some(topic) = found.first() else {
            tokio::time::sleep(PAUSE).await;
            return Ok(());
        };
        let mine = topic.partitions.iter().enumerate();
        for (_, partition) in mine.filter(|(index, _)| index % self.options.pollers == number) {
            if ahead.partitions.contains_key(partition) {
                continue;
            }
            let known = locked(&self.progress.next).get(partition).copied();
            let from = match known {
                Some(from) => from,
                // What Lambda calls TRIM_HORIZON.
                None => self.reader.offsets(&topic.name, *partition, ASK_LIMIT).await?.start,
            };
            locked(&self.progress.next).entry(*partition).or_insert(from);
            ahead.partitions.insert(*partition, (VecDeque::new(), from));
        }
        ahead.looked = Some(Instant::now());
        Ok(())
    }

    /// Collects records until there are enough or the window closes, which
    /// opens with the first.
    async fn batch(&self, ahead: &mut ReadAhead, mut dice: Option<&mut Dice>) -> Vec<Polled> {
        let wanted = match dice.as_mut() {
            Some(dice) => dice.size(self.options.batch_size),
            None => self.options.batch_size,
        };
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut closes = None;
        loop {
            let brought = self.read_ahead(ahead).await;
            while batch.len() < wanted {
                let share = match dice.as_mut() {
                    Some(dice) => dice.size(wanted),
                    None => wanted.div_ceil(ahead.partitions.len().max(1)),
                };
                let before = batch.len();
                for (queue, _) in ahead.partitions.values_mut() {
                    for _ in 0..share.min(wanted - batch.len()) {
                        let Some(record) = queue.front() else { break };
                        let size = self.origin.event_bytes(record);
                        if !batch.is_empty() && bytes + size > PAYLOAD_LIMIT {
                            return in_order(batch);
                        }
                        bytes += size;
                        batch.extend(queue.pop_front());
                    }
                }
                if batch.len() == before {
                    break;
                }
            }
            let window = Duration::from_millis(self.options.batch_window_ms);
            let closes = *closes.get_or_insert_with(|| Instant::now() + window);
            if batch.len() >= wanted || Instant::now() >= closes {
                return in_order(batch);
            }
            if batch.is_empty() && !brought {
                tokio::time::sleep(IDLE).await;
                return batch;
            }
            if !brought {
                let left = closes.saturating_duration_since(Instant::now());
                tokio::time::sleep(IDLE.min(left)).await;
            }
        }
    }

    /// Reads on where the queue of a partition is empty; whether there was
    /// anything.
    async fn read_ahead(&self, ahead: &mut ReadAhead) -> bool {
        let topic = &self.origin.topic;
        let empty = ahead.partitions.iter_mut().filter(|(_, (queue, _))| queue.is_empty());
        let reads = empty.map(|(partition, (queue, from))| async move {
            let (now, at_once) = (*from, Duration::ZERO);
            let read =
                self.reader.fetch(topic, *partition, now, READ_AHEAD, at_once, ASK_LIMIT).await;
            match read {
                Ok(fetched) => {
                    let partition = *partition;
                    let polled = fetched.records.into_iter();
                    queue.extend(polled.map(|stored| Polled { partition, stored }));
                    *from = fetched.next;
                }
                // Gone, or the topic was made anew: what is there counts.
                Err(KafkaError::BeforeRetention { earliest: start, .. })
                | Err(KafkaError::NotYetThere { latest: start, .. }) => {
                    tracing::warn!(topic, partition, from, start, "offset out of range");
                    *from = start;
                }
                Err(error) => {
                    tracing::warn!(topic, partition, error = %chain(&error), "read failed");
                    tokio::time::sleep(PAUSE).await;
                }
            }
            *from != now
        });
        join_all(reads).await.into_iter().any(|brought| brought)
    }

    /// Delivers a batch until all of it is handled or given up; false when it
    /// is to be read and cut anew.
    async fn handle(&self, batch: Vec<Polled>, rewinds: u64, mut dice: Option<&mut Dice>) -> bool {
        let mut waiting = vec![(batch, 0)];
        let mut pause = FIRST_RETRY;
        while let Some((batch, failures)) = waiting.pop() {
            let (batch, old) = by_age(&self.options, batch, Clock::system().now_ms());
            self.give_up(&old, Condition::RecordAgeExceeded, failures).await;
            if batch.is_empty() {
                self.advance(reached(&old, &[]), rewinds);
                continue;
            }
            let left = self.invoke(&batch).await;
            let redelivered = |dice: &mut Dice| {
                self.options.cuts.is_some_and(|cuts| dice.percent(cuts.redelivered_percent))
            };
            if left.is_empty() && dice.as_mut().is_some_and(|dice| redelivered(dice)) {
                return false;
            }
            let old = old.into_iter();
            self.advance(
                reached(&old.chain(batch.iter().cloned()).collect::<Vec<_>>(), &left),
                rewinds,
            );
            if left.is_empty() {
                if self.asked_twice() {
                    waiting.push((batch, failures));
                }
                continue;
            }
            if dice.is_some() || self.progress.rewinds.load(Ordering::SeqCst) != rewinds {
                return false;
            }
            if self.options.bisect_on_error && left.len() > 1 {
                // Halving does not count as trying again.
                let (first, second) = left.split_at(left.len() / 2);
                waiting.push((second.to_vec(), 0));
                waiting.push((first.to_vec(), 0));
                continue;
            }
            // What got further is a new batch, and begins anew.
            let failures = if left.len() < batch.len() { 1 } else { failures + 1 };
            if exhausted(&self.options, failures) {
                self.give_up(&left, Condition::RetryAttemptsExhausted, failures).await;
                self.advance(reached(&left, &[]), rewinds);
            } else {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_RETRY);
                waiting.push((left, failures));
            }
        }
        true
    }

    /// Invokes the function; what it leaves to be tried again.
    async fn invoke(&self, batch: &[Polled]) -> Vec<Polled> {
        let event = self.origin.event(batch).to_string();
        // A failed invocation is logged by the function.
        let Ok(response) = self.function.invoke(event.into()).await else { return batch.to_vec() };
        if !self.options.report_batch_item_failures {
            return vec![];
        }
        left(&self.origin, batch, &response).unwrap_or_else(|reason| {
            let function = &self.function.options.name;
            tracing::warn!(function, reason, "whole batch failed");
            batch.to_vec()
        })
    }

    /// Lets partitions go on behind what is settled, unless all was taken
    /// back meanwhile.
    fn advance(&self, reached: BTreeMap<i32, i64>, rewinds: u64) {
        let mut next = locked(&self.progress.next);
        if self.progress.rewinds.load(Ordering::SeqCst) != rewinds {
            return;
        }
        next.extend(reached);
        let shown = serde_json::to_vec_pretty(&*next).unwrap_or_default();
        if let Err(error) = replace(&self.file, &shown) {
            tracing::warn!(error = %chain(&error), "offsets could not be written");
        }
    }

    fn asked_twice(&self) -> bool {
        let less = |count: u32| count.checked_sub(1);
        self.progress.twice.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }

    /// Tells the destination of records that are given up. Until it has heard,
    /// nothing goes on.
    async fn give_up(&self, records: &[Polled], condition: Condition, invocations: u32) {
        if records.is_empty() {
            return;
        }
        let (function, count) = (&self.function.options.name, records.len());
        tracing::warn!(function, count, ?condition, "records given up");
        self.progress.discarded.fetch_add(count as u64, Ordering::Relaxed);
        let Some((sqs, queue)) = &self.destination else { return };
        let now = Clock::system().now_ms();
        let arn = self.function.arn();
        let letter = self.origin.letter(records, arn, condition, invocations, now).to_string();
        loop {
            let sent = sqs.send_message().queue_url(queue).message_body(&letter).send().await;
            match sent.map_err(Error::aws("send a letter")) {
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(queue, error = %chain(&error), "letter not sent");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Partition by partition, as an event lists them.
fn in_order(mut batch: Vec<Polled>) -> Vec<Polled> {
    batch.sort_by_key(|record| record.partition);
    batch
}
