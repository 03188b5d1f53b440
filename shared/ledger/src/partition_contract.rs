//! What every implementation of [`Partitions`] keeps, as tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]
#![allow(clippy::single_range_in_vec_init, reason = "one run of offsets is meant")]

use std::sync::Arc;

use model::Token;

use crate::{LedgerError, PartitionRecord, Partitions, PendingInsert};

/// The rules as tests of an implementation, which `$fixture` makes.
#[macro_export]
macro_rules! partition_contract {
    ($fixture:path) => {
        $crate::partition_contract!($fixture:
            a_record_comes_back_as_it_was_written,
            all_are_written_or_none,
            one_of_sixteen_writers_wins,
            listings_tell_sources_and_debts_apart,
        );
    };
    ($fixture:path: $($rule:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                $crate::partition_contract::$rule($fixture().await).await;
            }
        )+
    };
}

fn record(source: &str, partition: i32) -> PartitionRecord {
    let mut record = PartitionRecord::new(source, "events", partition);
    record.done = vec![3..10];
    let runs = record.runs_of(&[10, 11]);
    record.pending = Some(PendingInsert {
        token: Token::of_runs(source, 1, &runs),
        runs,
        clusters: vec!["main".to_owned()],
        loaded_at_ms: 5,
        config_version: 1,
        until_ms: 9,
    });
    record
}

/// Every field comes back, under the revision that it was written with.
pub async fn a_record_comes_back_as_it_was_written(partitions: Arc<dyn Partitions>) {
    let new = partitions.get("web", "events", 0).await.unwrap();
    assert_eq!(new, PartitionRecord::new("web", "events", 0));
    let mut written = [record("web", 0)];
    partitions.put(&mut written).await.unwrap();
    assert_eq!(written[0].revision, 1);
    assert_eq!(partitions.get("web", "events", 0).await.unwrap(), written[0]);
    written[0].pending = None;
    partitions.put(&mut written).await.unwrap();
    assert_eq!(partitions.get("web", "events", 0).await.unwrap(), written[0]);
}

/// One record that was changed keeps all from being written.
pub async fn all_are_written_or_none(partitions: Arc<dyn Partitions>) {
    let mut both = [record("web", 0), record("web", 1)];
    partitions.put(&mut both).await.unwrap();
    let mut other = [both[1].clone()];
    other[0].done = vec![3..12];
    partitions.put(&mut other).await.unwrap();
    both[0].done = vec![0..1];
    let error = partitions.put(&mut both).await.unwrap_err();
    assert!(matches!(&error, LedgerError::Overtaken { .. }), "{error}");
    assert!(error.to_string().contains("events/0, events/1"), "{error}");
    assert_eq!(partitions.get("web", "events", 0).await.unwrap().done, [3..10]);
    assert_eq!(partitions.get("web", "events", 1).await.unwrap().done, [3..12]);
    both[1] = other[0].clone();
    partitions.put(&mut both).await.unwrap();
    assert_eq!(partitions.get("web", "events", 0).await.unwrap().done, [0..1]);
}

/// Of writers that have read the same, one writes, alone and beside others.
pub async fn one_of_sixteen_writers_wins(partitions: Arc<dyn Partitions>) {
    for partitions_each in [1, 2] {
        let tasks = (0..16).map(|writer| {
            let partitions = partitions.clone();
            tokio::spawn(async move {
                let mut records: Vec<PartitionRecord> = (0..partitions_each)
                    .map(|partition| record("race", partitions_each * 10 + partition))
                    .collect();
                for record in &mut records {
                    record.newest_ms = writer;
                }
                partitions.put(&mut records).await.is_ok()
            })
        });
        let mut won = 0;
        for task in tasks.collect::<Vec<_>>() {
            won += u32::from(task.await.unwrap());
        }
        assert_eq!(won, 1, "with {partitions_each} records at once");
    }
}

/// A source's records, and those that owe something.
pub async fn listings_tell_sources_and_debts_apart(partitions: Arc<dyn Partitions>) {
    let mut owing = record("web", 1);
    let landed = crate::Landed {
        on: vec!["second".to_owned()],
        named: vec!["main".to_owned(), "second".to_owned()],
        ..crate::Landed::default()
    };
    owing.commit(&landed);
    let mut written = [record("web", 0), owing, record("shop", 0)];
    partitions.put(&mut written).await.unwrap();
    let places = |records: &[PartitionRecord]| {
        records.iter().map(|record| record.partition).collect::<Vec<_>>()
    };
    assert_eq!(places(&partitions.list("web", false).await.unwrap()), [0, 1]);
    assert_eq!(places(&partitions.list("web", true).await.unwrap()), [1]);
    let mut paid = [written[1].clone()];
    paid[0].forgive(&["second".to_owned()]);
    partitions.put(&mut paid).await.unwrap();
    assert_eq!(partitions.list("web", true).await.unwrap(), []);
}
