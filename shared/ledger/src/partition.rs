//! What has been written of a partition of Kafka: which offsets are accounted
//! for, which INSERT may have landed, and which records a cluster lacks.
//!
//! Lambda cuts the batches, not we, and a retry, a bisection or a partial failure
//! cuts them again differently. So one record per source and partition holds
//! runs of offsets, not batches. Everything here is pure; every change is written
//! under the condition that nobody changed the record since it was read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use model::{Counts, Run, Token};
use serde::{Deserialize, Serialize};

/// Runs that are kept apart. Where a partition has more, because its offsets have
/// holes between batches again and again (transactions leave such), the first
/// hole is taken for one that holds no record.
const MOST_RUNS: usize = 64;

/// About so many bytes of debts are kept each by itself, with the INSERT that is
/// remembered to be sent again: an item of DynamoDB holds 400 KB. Older ones are looked
/// for record by record, so that neighbours become one.
const MOST_APART: usize = 200_000;

/// What has been written of one partition for one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRecord {
    /// The source.
    pub source: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Rises with every change; 0 when nothing has been written yet.
    #[serde(skip)]
    pub revision: u64,
    /// Offsets of the records that are accounted for: runs in order, apart.
    #[serde(default)]
    pub done: Vec<Range<i64>>,
    /// The INSERT that may have landed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingInsert>,
    /// Records that a cluster lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub debts: Vec<StreamDebt>,
    /// What became of the records that are accounted for; `chunks` counts INSERTs.
    #[serde(default)]
    pub counts: Counts,
    /// When the newest record of them was made, in milliseconds since 1970.
    #[serde(default)]
    pub newest_ms: i64,
    /// When it was last changed, in milliseconds since 1970.
    #[serde(default)]
    pub updated_at_ms: i64,
}

/// An INSERT that is being sent, or was when its function died. It is sent again
/// as it was: the same records, under the same token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingInsert {
    /// All of its records, also those of other partitions, in order.
    pub runs: Vec<Run>,
    /// Its token.
    pub token: Token,
    /// The clusters it was sent to and may be on; never none.
    pub clusters: Vec<String>,
    /// What its rows say in `_loaded_at`, in milliseconds since 1970.
    pub loaded_at_ms: i64,
    /// Version of the source document that maps its records.
    pub config_version: u64,
    /// Until when, in milliseconds since 1970, the function that sent it may live.
    pub until_ms: i64,
}

/// A run of records that not every cluster that the source names is known to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDebt {
    /// First offset.
    pub start: i64,
    /// The one behind the last.
    pub end: i64,
    /// Version of the source document that mapped its records.
    pub config_version: u64,
    /// What its rows say in `_loaded_at`.
    pub loaded_at_ms: i64,
    /// Clusters that have said that they hold it.
    pub on: BTreeSet<String>,
    /// Clusters that may hold it: it was sent to them, and no answer is known.
    pub maybe: BTreeSet<String>,
    /// The INSERT that was sent to them. Where it is not known any more, the
    /// clusters must be asked for each record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<SentInsert>,
    /// Clusters of them that it is sent to by itself, without the other records of
    /// `sent`: its bounds are fixed then, for its token is theirs.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub apart: BTreeSet<String>,
    /// Clusters of `maybe` that somebody has begun to pay it to, as it is: what is on
    /// its way has a token of just these records, so they stay together and alone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub begun: BTreeSet<String>,
}

/// An INSERT, so that it can be sent once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentInsert {
    /// All of its records.
    pub runs: Vec<Run>,
    /// Its token.
    pub token: Token,
}

/// What an INSERT has brought of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Landed {
    /// What became of the records.
    pub counts: Counts,
    /// Clusters that have said that they hold them.
    pub on: Vec<String>,
    /// Clusters that are to hold them.
    pub named: Vec<String>,
    /// When the newest of them was made.
    pub newest_ms: i64,
}

impl PendingInsert {
    /// Whether this INSERT is what is pending of a partition.
    #[must_use]
    pub fn is_of(&self, record: &PartitionRecord) -> bool {
        record.pending.as_ref().is_some_and(|pending| pending.token == self.token)
    }
}

impl StreamDebt {
    /// Whether somebody may be sending it under a token of its own bounds.
    fn is_on_its_way(&self) -> bool {
        !self.apart.is_empty() || !self.begun.is_empty()
    }

    /// Whether both can be one debt, but for the clusters that may hold them.
    fn is_neighbour(&self, next: &Self) -> bool {
        self.end == next.start
            && [self, next].iter().all(|debt| debt.sent.is_none() && !debt.is_on_its_way())
            && self.on == next.on
            && self.config_version == next.config_version
    }

    /// Bytes that it takes in the item, about.
    fn weight(&self) -> usize {
        let names = [&self.on, &self.maybe, &self.apart, &self.begun];
        let names: usize = names.into_iter().flatten().map(|name| name.len() + 3).sum();
        let sent = self.sent.as_ref().map_or(0, |sent| {
            let runs = sent.runs.iter().map(|run| run.topic.len() + 80);
            sent.token.as_str().len() + 40 + runs.sum::<usize>()
        });
        140 + names + sent
    }
}

impl PartitionRecord {
    /// A partition of which nothing has been written.
    #[must_use]
    pub fn new(source: &str, topic: &str, partition: i32) -> Self {
        let (source, topic) = (source.to_owned(), topic.to_owned());
        Self { source, topic, partition, ..Self::default() }
    }

    /// Whether the record at an offset is accounted for.
    #[must_use]
    pub fn is_done(&self, offset: i64) -> bool {
        let behind = self.done.partition_point(|run| run.start <= offset);
        behind > 0 && self.done[behind - 1].contains(&offset)
    }

    /// The offset behind the last that is accounted for; none before the first.
    #[must_use]
    pub fn next_offset(&self) -> Option<i64> {
        self.done.last().map(|run| run.end)
    }

    /// Runs of offsets between those that are accounted for: records that nobody
    /// brought, or offsets that hold none.
    pub fn holes(&self) -> impl Iterator<Item = Range<i64>> {
        self.done.windows(2).map(|two| two[0].end..two[1].start)
    }

    /// The runs that these offsets, in order, make: offsets that follow each other
    /// in a batch are one, also where some between them hold no record, unless
    /// something between them is accounted for already.
    #[must_use]
    pub fn runs_of(&self, offsets: &[i64]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for &offset in offsets {
            match runs.last_mut() {
                Some(run) if !self.touches(&(run.end..offset)) => run.end = offset + 1,
                _ => runs.push(Run {
                    topic: self.topic.clone(),
                    partition: self.partition,
                    start: offset,
                    end: offset + 1,
                }),
            }
        }
        runs
    }

    fn touches(&self, offsets: &Range<i64>) -> bool {
        self.done.iter().any(|run| run.start < offsets.end && offsets.start < run.end)
    }

    /// Notes that the runs of the pending INSERT that are of this partition have
    /// landed. Gives the holes that are taken for ones that hold no record.
    pub fn commit(&mut self, landed: &Landed) -> Vec<Range<i64>> {
        let Some(pending) = self.pending.take() else { return Vec::new() };
        let of_this = |run: &&Run| run.is_of(&self.topic, self.partition);
        let runs: Vec<Run> = pending.runs.iter().filter(of_this).cloned().collect();
        let on: BTreeSet<String> = landed.on.iter().cloned().collect();
        let maybe: BTreeSet<String> =
            pending.clusters.iter().filter(|sent| !on.contains(*sent)).cloned().collect();
        let is_owed = landed.named.iter().any(|cluster| !on.contains(cluster));
        for run in runs {
            self.note_done(run.offsets());
            if !is_owed {
                continue;
            }
            let sent = SentInsert { runs: pending.runs.clone(), token: pending.token.clone() };
            self.owe(StreamDebt {
                start: run.start,
                end: run.end,
                config_version: pending.config_version,
                loaded_at_ms: pending.loaded_at_ms,
                on: on.clone(),
                sent: (!maybe.is_empty()).then_some(sent),
                maybe: maybe.clone(),
                apart: BTreeSet::new(),
                begun: BTreeSet::new(),
            });
        }
        self.counts += landed.counts;
        self.newest_ms = self.newest_ms.max(landed.newest_ms);
        self.closed()
    }

    /// Notes which offsets of the pending INSERT were found, on which clusters, and
    /// gives the INSERT up: the other offsets are as new.
    pub fn resolve(&mut self, found: &BTreeMap<i64, BTreeSet<String>>, named: &[String]) {
        let Some(pending) = self.pending.take() else { return };
        for (&offset, on) in found {
            if self.is_done(offset) {
                continue;
            }
            self.note_done(offset..offset + 1);
            self.counts.rows_read += 1;
            self.counts.rows_written += 1;
            self.counts.rows_inserted += 1;
            if named.iter().any(|cluster| !on.contains(cluster)) {
                self.owe(StreamDebt {
                    start: offset,
                    end: offset + 1,
                    config_version: pending.config_version,
                    loaded_at_ms: pending.loaded_at_ms,
                    on: on.clone(),
                    maybe: BTreeSet::new(),
                    sent: None,
                    apart: BTreeSet::new(),
                    begun: BTreeSet::new(),
                });
            }
        }
    }

    fn note_done(&mut self, run: Range<i64>) {
        let at = self.done.partition_point(|done| done.end < run.start);
        let mut merged = run;
        while let Some(next) = self.done.get(at).filter(|next| next.start <= merged.end) {
            merged = merged.start.min(next.start)..merged.end.max(next.end);
            self.done.remove(at);
        }
        self.done.insert(at, merged);
    }

    /// Closes the first holes where there are too many.
    fn closed(&mut self) -> Vec<Range<i64>> {
        let mut closed = Vec::new();
        while self.done.len() > MOST_RUNS {
            let hole = self.done[0].end..self.done[1].start;
            self.note_done(hole.clone());
            closed.push(hole);
        }
        closed
    }

    /// Adds a debt; those that follow each other and are alike become one, unless
    /// an INSERT of them must be sent again as it was.
    fn owe(&mut self, debt: StreamDebt) {
        match self.debts.last_mut() {
            Some(last) if last.is_neighbour(&debt) && last.maybe == debt.maybe => {
                last.end = debt.end;
            }
            _ => self.debts.push(debt),
        }
        let mut bytes = 0;
        let fits = |debt: &&StreamDebt| {
            bytes += debt.weight();
            bytes <= MOST_APART
        };
        let kept = self.debts.iter().rev().take_while(fits).count();
        self.merge(self.debts.len() - kept);
    }

    /// Forgets the INSERTs of the first debts, and makes one of those that follow each
    /// other. Where a cluster may hold some of its records, it is asked for each of
    /// them: so it may be said of all. What somebody has begun to pay stays as it is.
    fn merge(&mut self, first: usize) {
        let kept = self.debts.split_off(first);
        let mut merged: Vec<StreamDebt> = Vec::new();
        for mut debt in std::mem::take(&mut self.debts) {
            if !debt.is_on_its_way() {
                debt.sent = None;
            }
            match merged.last_mut() {
                Some(last) if last.is_neighbour(&debt) => {
                    last.end = debt.end;
                    last.maybe.extend(debt.maybe);
                }
                _ => merged.push(debt),
            }
        }
        merged.extend(kept);
        self.debts = merged;
    }

    /// Notes that a cluster is to be given records that it did not take, by another
    /// version of the document: those at these offsets, in order, that are accounted for
    /// and not owed to it already. It is asked for each before it is sent, because
    /// somebody else may have been faster. Gives the offsets.
    pub fn owe_again(
        &mut self,
        offsets: &[i64],
        cluster: &str,
        named: &[String],
        config_version: u64,
        now_ms: i64,
    ) -> Vec<i64> {
        let is_meant = |offset: &i64| self.is_done(*offset) && !self.is_owed(*offset, cluster);
        let meant: Vec<i64> = offsets.iter().copied().filter(is_meant).collect();
        let on: BTreeSet<String> =
            named.iter().filter(|name| name.as_str() != cluster).cloned().collect();
        for &start in &meant {
            self.owe(StreamDebt {
                start,
                end: start + 1,
                config_version,
                loaded_at_ms: now_ms,
                on: on.clone(),
                maybe: BTreeSet::from([cluster.to_owned()]),
                sent: None,
                apart: BTreeSet::new(),
                begun: BTreeSet::new(),
            });
        }
        meant
    }

    /// Whether a cluster is still to be given the record at an offset.
    #[must_use]
    pub fn is_owed(&self, offset: i64, cluster: &str) -> bool {
        let is_of = |debt: &StreamDebt| (debt.start..debt.end).contains(&offset);
        self.debts.iter().any(|debt| is_of(debt) && !debt.on.contains(cluster))
    }

    /// Takes back what [`PartitionRecord::owe_again`] has noted and nobody has paid.
    pub fn forget(&mut self, offsets: &[i64], cluster: &str, config_version: u64, now_ms: i64) {
        self.debts.retain(|debt| {
            debt.config_version != config_version
                || debt.loaded_at_ms != now_ms
                || debt.on.contains(cluster)
                || !offsets.contains(&debt.start)
        });
    }

    /// Whether a cluster lacks some of its records.
    #[must_use]
    pub fn is_owing(&self) -> bool {
        !self.debts.is_empty()
    }

    /// Cuts the first debt to a cluster so that at most `most` offsets are paid at
    /// once, unless an INSERT of them is sent again as it was, and notes that they are
    /// on their way: by themselves, if they never were sent there. Gives the debt's
    /// place.
    pub fn begin_payment(&mut self, cluster: &str, most: i64) -> Option<usize> {
        let at = self.debts.iter().position(|debt| !debt.on.contains(cluster))?;
        let debt = &mut self.debts[at];
        if debt.sent.is_none() && !debt.is_on_its_way() && debt.end - debt.start > most {
            let rest = StreamDebt { start: debt.start + most, ..debt.clone() };
            debt.end = rest.start;
            self.debts.insert(at + 1, rest);
        }
        let debt = &mut self.debts[at];
        if debt.maybe.insert(cluster.to_owned()) {
            debt.apart.insert(cluster.to_owned());
        } else if !debt.apart.contains(cluster) {
            debt.begun.insert(cluster.to_owned());
        }
        Some(at)
    }

    /// Notes that the records of a debt are sent to a cluster by themselves from now
    /// on: the INSERT that they were a part of is not there.
    pub fn part(&mut self, offsets: &Range<i64>, cluster: &str) {
        for debt in &mut self.debts {
            if debt.start == offsets.start && debt.end == offsets.end {
                debt.apart.insert(cluster.to_owned());
            }
        }
    }

    /// Notes that a cluster has the records of a debt, if it is still owed.
    pub fn pay(&mut self, offsets: &Range<i64>, cluster: &str, named: &[String]) {
        for debt in &mut self.debts {
            if debt.start == offsets.start && debt.end == offsets.end {
                debt.on.insert(cluster.to_owned());
                debt.maybe.remove(cluster);
                debt.apart.remove(cluster);
                debt.begun.remove(cluster);
            }
        }
        self.forgive(named);
    }

    /// Forgets debts to clusters that the source names no more.
    pub fn forgive(&mut self, named: &[String]) {
        self.debts.retain(|debt| named.iter().any(|cluster| !debt.on.contains(cluster)));
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one run of offsets is meant")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> PartitionRecord {
        PartitionRecord::new("web", "events", 3)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn pend(record: &mut PartitionRecord, offsets: &[i64], clusters: &[&str]) {
        let runs = record.runs_of(offsets);
        record.pending = Some(PendingInsert {
            token: Token::of_runs("web", 1, &runs),
            runs,
            clusters: names(clusters),
            loaded_at_ms: 7,
            config_version: 1,
            until_ms: 0,
        });
    }

    fn landed(rows: u64, on: &[&str], named: &[&str]) -> Landed {
        let counts = Counts {
            rows_read: rows,
            rows_written: rows,
            rows_inserted: rows,
            chunks: 1,
            ..Counts::default()
        };
        Landed { counts, on: names(on), named: names(named), newest_ms: 5 }
    }

    #[test]
    fn what_is_done_is_known_and_holes_stay_open() {
        let mut record = record();
        pend(&mut record, &[10, 11, 13], &["a"]);
        assert_eq!(record.pending.as_ref().unwrap().runs[0].offsets(), 10..14);
        record.commit(&landed(3, &["a"], &["a"]));
        pend(&mut record, &[20, 21], &["a"]);
        record.commit(&landed(2, &["a"], &["a"]));
        assert_eq!(record.done, [10..14, 20..22]);
        assert_eq!(record.holes().collect::<Vec<_>>(), [14..20]);
        assert!(record.is_done(12) && !record.is_done(9) && !record.is_done(14));
        assert_eq!(record.next_offset(), Some(22));
        // A batch around something that is done is cut there.
        let runs = record.runs_of(&[8, 9, 15, 16, 30]);
        let offsets: Vec<_> = runs.iter().map(Run::offsets).collect();
        assert_eq!(offsets, [8..10, 15..17, 30..31]);
        assert!(!record.is_owing());
        assert_eq!(record.counts.rows_read, 5);
    }

    #[test]
    fn what_is_replayed_is_owed_once_more_and_once_only() {
        let mut record = record();
        let named = names(&["a", "b"]);
        pend(&mut record, &(0..10).collect::<Vec<_>>(), &["a", "b"]);
        record.commit(&landed(10, &["a", "b"], &["a", "b"]));
        assert_eq!(record.owe_again(&[3, 4, 8, 12], "a", &named, 2, 9), [3, 4, 8]);
        let owed = |record: &PartitionRecord| -> Vec<Range<i64>> {
            record.debts.iter().map(|debt| debt.start..debt.end).collect()
        };
        assert_eq!(owed(&record), [3..5, 8..9]);
        assert!(record.is_owed(4, "a") && !record.is_owed(4, "b") && !record.is_owed(5, "a"));
        // Another replay at the same time adds only what is new.
        assert_eq!(record.owe_again(&[4, 5], "a", &named, 3, 9), [5]);
        // It is looked for before it is sent, so no token is noted.
        assert_eq!(record.begin_payment("a", 100), Some(0));
        assert!(record.debts[0].sent.is_none());
        record.pay(&(3..5), "a", &named);
        assert_eq!(owed(&record), [8..9, 5..6]);
        record.forget(&[8], "a", 2, 9);
        assert_eq!(owed(&record), [5..6]);
    }

    #[test]
    fn debts_are_noted_cut_and_paid() {
        let mut record = record();
        pend(&mut record, &(0..10).collect::<Vec<_>>(), &["a", "b"]);
        record.commit(&landed(10, &["b"], &["a", "b"]));
        let first = record.debts[0].clone();
        assert!(first.maybe.contains("a") && first.sent.is_some(), "{first:?}");
        for start in [10, 20] {
            pend(&mut record, &(start..start + 10).collect::<Vec<_>>(), &["b"]);
            record.commit(&landed(10, &["b"], &["a", "b"]));
        }
        assert_eq!(record.debts.len(), 2, "{:?}", record.debts);
        assert_eq!((record.debts[1].start, record.debts[1].end), (10, 30));
        // The first is sent as it was.
        assert_eq!(record.begin_payment("a", 5), Some(0));
        let begun = names(&["a"]).into_iter().collect();
        assert_eq!(record.debts[0], StreamDebt { begun, ..first });
        record.pay(&(0..10), "a", &names(&["a", "b"]));
        // The others in pieces.
        for start in [10, 15, 20, 25] {
            let at = record.begin_payment("a", 5).unwrap();
            let debt = record.debts[at].clone();
            assert_eq!((debt.start, debt.end), (start, start + 5));
            assert!(debt.maybe.contains("a"));
            // Whoever begins once more sends the same.
            let again = record.begin_payment("a", 3).unwrap();
            assert_eq!(record.debts[again], debt);
            record.pay(&(start..start + 5), "a", &names(&["a", "b"]));
        }
        assert!(!record.is_owing());
        assert_eq!(record.begin_payment("a", 5), None);
    }

    fn bytes(record: &PartitionRecord) -> usize {
        serde_json::to_string(record).unwrap().len()
    }

    /// A primary that answers pings and refuses INSERTs: each of them may be there.
    #[test]
    fn a_sick_primary_does_not_fill_the_record_and_is_paid_to_the_end() {
        let named = names(&["primary", "second"]);
        let mut record = record();
        for insert in 0..5_000 {
            let offsets: Vec<i64> = (insert * 100..insert * 100 + 100).collect();
            // Now and then it is left alone for a while.
            let both = ["primary", "second"];
            let sent_to = if insert % 7 == 0 { &both[1..] } else { &both[..] };
            pend(&mut record, &offsets, sent_to);
            record.commit(&landed(100, &["second"], &["primary", "second"]));
            let is_looked_at = insert % 100 == 99;
            assert!(!is_looked_at || bytes(&record) < 300_000, "after {insert}");
        }
        assert!(record.debts.last().unwrap().sent.is_some(), "the newest are sent as they were");
        let mut next = 0;
        while let Some(at) = record.begin_payment("primary", 1_000) {
            let debt = record.debts[at].clone();
            assert_eq!(debt.start, next, "in order, and each once");
            assert!(debt.end - debt.start <= 1_000, "{debt:?}");
            assert!(debt.maybe.contains("primary") || debt.apart.contains("primary"));
            next = debt.end;
            record.pay(&(debt.start..debt.end), "primary", &named);
        }
        assert_eq!(next, 500_000);
        assert!(!record.is_owing());
    }

    /// A token is of its bounds: what is on its way under it stays as it is.
    #[test]
    fn what_somebody_has_begun_to_pay_is_neither_cut_nor_merged() {
        let named = names(&["a", "b"]);
        let mut record = record();
        let insert = |record: &mut PartitionRecord, number: i64| {
            let offsets: Vec<i64> = (number * 10..number * 10 + 10).collect();
            pend(record, &offsets, &["a", "b"]);
            record.commit(&landed(10, &["b"], &["a", "b"]));
        };
        for number in 0..2_000 {
            insert(&mut record, number);
        }
        let at = record.begin_payment("a", 25).unwrap();
        let begun = record.debts[at].clone();
        assert_eq!((begun.start, begun.end, &begun.sent), (0, 25, &None));
        for number in 2_000..4_000 {
            insert(&mut record, number);
        }
        // Another function begins, with another measure.
        assert_eq!(record.begin_payment("a", 10), Some(0));
        assert_eq!(record.debts[0], begun);
        record.pay(&(0..25), "a", &named);
        assert_eq!(record.debts[0].start, 25);
    }

    #[test]
    fn what_was_found_is_done_and_the_rest_is_new() {
        let mut record = record();
        pend(&mut record, &(0..6).collect::<Vec<_>>(), &["a"]);
        let on: BTreeSet<String> = names(&["a"]).into_iter().collect();
        let found = [0, 1, 4].map(|offset| (offset, on.clone())).into();
        record.resolve(&found, &names(&["a", "b"]));
        assert_eq!(record.done, [0..2, 4..5]);
        assert_eq!(record.pending, None);
        assert_eq!(record.counts.rows_read, 3);
        let owed: Vec<_> = record.debts.iter().map(|debt| debt.start..debt.end).collect();
        assert_eq!(owed, [0..2, 4..5]);
    }

    #[test]
    fn holes_do_not_become_endless() {
        let mut record = record();
        let mut closed = Vec::new();
        for batch in 0..200 {
            pend(&mut record, &[batch * 10, batch * 10 + 8], &["a"]);
            closed.extend(record.commit(&landed(2, &["a"], &["a"])));
        }
        assert_eq!(record.done.len(), MOST_RUNS);
        assert_eq!(closed.len(), 200 - MOST_RUNS);
        assert_eq!(closed[0], 9..10);
    }

    proptest! {
        /// Whatever way batches are cut and repeated, every offset is new once.
        #[test]
        fn every_offset_is_new_once(cuts in prop::collection::vec((0_i64..100, 1_i64..30), 1..60)) {
            let mut record = record();
            let mut seen = BTreeSet::new();
            for (start, length) in cuts {
                let new: Vec<i64> =
                    (start..start + length).filter(|offset| !record.is_done(*offset)).collect();
                let runs = record.runs_of(&new);
                for run in &runs {
                    prop_assert!(run.offsets().all(|offset| !record.is_done(offset)));
                }
                for offset in &new {
                    prop_assert!(seen.insert(*offset), "{offset} twice");
                }
                pend(&mut record, &new, &["a"]);
                record.commit(&landed(new.len() as u64, &["a"], &["a"]));
                prop_assert!(record.done.windows(2).all(|two| two[0].end < two[1].start));
            }
            prop_assert_eq!(record.counts.rows_read, seen.len() as u64);
        }
    }
}
