//! What becomes of a batch: decided by pure functions, acted upon by
//! `kafka_source.rs`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kafka_event::{Origin, Polled};
use crate::options::{CutOptions, KafkaSourceOptions};

/// Lambda's limit of what an invocation may carry.
pub const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;
/// So often a batch is tried again when nothing is said of retries, but there
/// is a place for what fails.
const RETRIES_WITH_DESTINATION: i32 = 10;

/// The records of a batch that a response leaves to be tried again, or why it
/// fails them all.
///
/// The form is Lambda's for Kafka, which names partition and offset instead of
/// a message (Lambda Developer Guide, "Configuring error handling controls for
/// Kafka event sources"):
///
/// ```json
/// {"batchItemFailures": [{"itemIdentifier": {"partition": "topic-0", "offset": 100}}]}
/// ```
///
/// A partition that is named is tried again from that offset on, from the
/// lowest when it is named several times; the others are done. No list, or an
/// empty one, is full success. A partition or an offset that is not of the
/// batch, or a response of another shape, fails the batch.
pub fn left(origin: &Origin, batch: &[Polled], response: &[u8]) -> Result<Vec<Polled>, String> {
    if response.iter().all(u8::is_ascii_whitespace) {
        return Ok(vec![]);
    }
    let response: Value = serde_json::from_slice(response)
        .map_err(|error| format!("the response is not JSON: {error}"))?;
    let failures = match response.get("batchItemFailures") {
        None | Some(Value::Null) => return Ok(vec![]),
        Some(Value::Array(failures)) => failures,
        Some(_) => return Err("batchItemFailures is not a list".into()),
    };
    let mut from: BTreeMap<i32, i64> = BTreeMap::new();
    for failure in failures {
        let named = &failure["itemIdentifier"];
        let (partition, offset) = (named["partition"].as_str(), named["offset"].as_i64());
        let found = batch.iter().find(|record| {
            Some(record.stored.offset) == offset
                && partition == Some(&origin.partition_name(record.partition))
        });
        let Some(Polled { partition, stored }) = found else {
            return Err(format!("the itemIdentifier {named} is of no record of the batch"));
        };
        let lowest = from.entry(*partition).or_insert(stored.offset);
        *lowest = stored.offset.min(*lowest);
    }
    let again = |record: &&Polled| {
        from.get(&record.partition).is_some_and(|from| record.stored.offset >= *from)
    };
    Ok(batch.iter().filter(again).cloned().collect())
}

/// Where each partition of a batch goes on when only `left` is not done.
pub fn reached(batch: &[Polled], left: &[Polled]) -> BTreeMap<i32, i64> {
    let mut next = BTreeMap::new();
    for record in batch {
        let behind = record.stored.offset + 1;
        let next = next.entry(record.partition).or_insert(behind);
        *next = behind.max(*next);
    }
    for record in left.iter().rev() {
        next.insert(record.partition, record.stored.offset);
    }
    next
}

/// A batch without the records that are older than the mapping takes, and
/// those.
pub fn by_age(
    options: &KafkaSourceOptions,
    batch: Vec<Polled>,
    now_ms: i64,
) -> (Vec<Polled>, Vec<Polled>) {
    let Some(limit) = options.maximum_record_age_ms else { return (batch, vec![]) };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let age = |record: &Polled| now_ms.saturating_sub(record.stored.record.timestamp_ms);
    batch.into_iter().partition(|record| age(record) <= limit)
}

/// Whether a batch that has failed so often is given up.
pub fn exhausted(options: &KafkaSourceOptions, failures: u32) -> bool {
    let limit =
        options.maximum_retry_attempts.or(options.on_failure.then_some(RETRIES_WITH_DESTINATION));
    // A negative number is for ever.
    limit.and_then(|limit| u32::try_from(limit).ok()).is_some_and(|limit| failures > limit)
}

/// Random numbers that are the same for the same seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The dice of one poller.
    pub fn new(cuts: CutOptions, poller: usize) -> Self {
        Self(cuts.seed ^ (poller as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number from 1 to `limit`; small ones are as likely as large ones.
    pub fn size(&mut self, limit: usize) -> usize {
        let magnitude = 1 << self.below(u64::from(limit.max(1).ilog2()) + 2);
        usize::try_from(1 + self.below(magnitude)).unwrap_or(limit).min(limit.max(1))
    }

    /// True for so many of a hundred.
    pub fn percent(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// A number below `limit` (which is small: the bias does not matter), by
    /// the generator SplitMix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kafka_event::tests::{origin, polled};

    fn batch() -> Vec<Polled> {
        vec![polled(0, 5), polled(0, 6), polled(0, 7), polled(1, 5), polled(1, 6)]
    }

    fn places(records: &[Polled]) -> Vec<(i32, i64)> {
        records.iter().map(|record| (record.partition, record.stored.offset)).collect()
    }

    fn failures(named: &[(&str, i64)]) -> Vec<u8> {
        let failure = |(partition, offset): &(&str, i64)| json!({"itemIdentifier": {"partition": partition, "offset": offset}});
        let failures: Vec<_> = named.iter().map(failure).collect();
        json!({ "batchItemFailures": failures }).to_string().into()
    }

    #[test]
    fn full_success_has_many_forms() {
        for response in ["", "null", "{}", r#"{"batchItemFailures":[]}"#, "\"done\""] {
            assert_eq!(left(&origin(), &batch(), response.as_bytes()).unwrap(), [], "{response}");
        }
    }

    #[test]
    fn a_partition_that_is_named_goes_on_from_the_lowest_offset() {
        let response = failures(&[("events-0", 7), ("events-0", 6)]);
        let left = left(&origin(), &batch(), &response).unwrap();
        assert_eq!(places(&left), [(0, 6), (0, 7)]);
        assert_eq!(reached(&batch(), &left), [(0, 6), (1, 7)].into());
        assert_eq!(reached(&batch(), &[]), [(0, 8), (1, 7)].into());
    }

    #[test]
    fn a_response_that_is_wrong_fails_the_batch() {
        for response in [
            b"{".to_vec(),
            br#"{"batchItemFailures":{}}"#.to_vec(),
            br#"{"batchItemFailures":[{"itemIdentifier":"events-0"}]}"#.to_vec(),
            br#"{"batchItemFailures":[{"itemIdentifier":{"partition":0,"offset":5}}]}"#.to_vec(),
            failures(&[("events-0", 8)]),
            failures(&[("events-2", 5)]),
            failures(&[("events-0", 5), ("", 5)]),
        ] {
            let text = String::from_utf8_lossy(&response).into_owned();
            assert!(left(&origin(), &batch(), &response).is_err(), "{text}");
        }
    }

    #[test]
    fn retries_are_endless_unless_somebody_takes_what_fails() {
        let options = KafkaSourceOptions::default();
        assert!(!exhausted(&options, 1000));
        let options = KafkaSourceOptions { on_failure: true, ..options };
        assert!(!exhausted(&options, 10) && exhausted(&options, 11));
        let options = KafkaSourceOptions { maximum_retry_attempts: Some(-1), ..options };
        assert!(!exhausted(&options, 1000), "for ever, beside a destination");
        let options = KafkaSourceOptions { maximum_retry_attempts: Some(0), ..options };
        assert!(exhausted(&options, 1));
    }

    #[test]
    fn old_records_are_put_aside() {
        let options =
            KafkaSourceOptions { maximum_record_age_ms: Some(1000), ..Default::default() };
        let mut batch = batch();
        batch[1].stored.record.timestamp_ms += 500;
        let now = batch[0].stored.record.timestamp_ms + 1200;
        let (young, old) = by_age(&options, batch.clone(), now);
        assert_eq!((places(&young), old.len()), (vec![(0, 6)], 4));
        assert_eq!(by_age(&KafkaSourceOptions::default(), batch, now).1, []);
    }

    #[test]
    fn the_dice_fall_the_same_way_and_everywhere() {
        let cuts = CutOptions { seed: 7, redelivered_percent: 0 };
        let throw = |mut dice: Dice| (0..2000).map(|_| dice.size(100)).collect::<Vec<_>>();
        let sizes = throw(Dice::new(cuts, 0));
        assert_eq!(sizes, throw(Dice::new(cuts, 0)));
        assert_ne!(sizes, throw(Dice::new(cuts, 1)));
        assert!(sizes.iter().all(|size| (1..=100).contains(size)));
        assert!(sizes.contains(&1) && sizes.contains(&100));
    }
}
