//! The ledger's twin in memory: the transitions and a map, nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::{Clock, ObjectId};

use crate::transition::{
    Standing, Verdict, Write, advance, anew, bounded, claimed, failed_split, in_order, is_payer,
    is_split, judge, lease_end, lost_debts, may_pay, may_reopen, may_replace, standing, united,
    written,
};
use crate::{
    ChunkDone, Claim, ClaimOutcome, ClaimRequest, DebtClaim, Extent, Ledger, LedgerError,
    ListQuery, Part, Pending, Record, Totals, is_owing,
};

/// Source, object and the number of the part.
type Key = (String, ObjectId, Option<u32>);
type Records = BTreeMap<Key, Record>;

/// A ledger that lives as long as this value: for `load --local` and tests.
#[derive(Debug)]
pub struct MemoryLedger {
    records: Mutex<Records>,
    clock: Clock,
}

impl MemoryLedger {
    /// An empty ledger.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { records: Mutex::default(), clock }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // A panic elsewhere cannot leave a record half written.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, claim: &Claim, write: &Write<'_>) -> Result<(Record, i64), LedgerError> {
        in_order(claim, write)?;
        let now_ms = self.clock.now_ms();
        let part = claim.part.map(|part| part.index);
        let key = (claim.source.clone(), claim.object.clone(), part);
        let mut records = self.records();
        let standing = standing(records.get(&key), claim, write)?;
        match (records.get_mut(&key), standing) {
            (Some(record), Standing::Due) => {
                *record = written(record, claim, write, now_ms);
                Ok((record.clone(), now_ms))
            }
            (Some(record), Standing::Already) => Ok((record.clone(), now_ms)),
            (None, _) => Err(LedgerError::Contended { feed: key.0, object: key.1 }),
        }
    }

    fn keep(&self, claim: &mut Claim, write: &Write<'_>) -> Result<(), LedgerError> {
        let (_, now_ms) = self.write(claim, write)?;
        advance(claim, write, now_ms);
        Ok(())
    }
}

fn whole_of(record: &Record) -> Key {
    (record.source.clone(), record.object.clone(), None)
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, LedgerError> {
        let now_ms = self.clock.now_ms();
        let part = request.part.map(|part| part.index);
        let key = (request.source.clone(), request.object.clone(), part);
        let mut records = self.records();
        let found = records.get(&key);
        Ok(match (judge(found, request, now_ms), found) {
            (Verdict::Busy { lease_until_ms }, _) => ClaimOutcome::Busy { lease_until_ms },
            (Verdict::Done, Some(record)) => ClaimOutcome::Done(record.clone()),
            (Verdict::Failed, Some(record)) => ClaimOutcome::Failed(record.clone()),
            (Verdict::Split, Some(record)) => ClaimOutcome::Split(record.clone()),
            (
                Verdict::Take
                | Verdict::TryAgain
                | Verdict::Done
                | Verdict::Failed
                | Verdict::Split,
                _,
            ) => {
                let record = claimed(found, request, now_ms);
                let claim = record.claim(request.lease);
                records.insert(key, record);
                ClaimOutcome::Claimed(claim)
            }
        })
    }

    async fn intend(&self, claim: &mut Claim, pending: Pending) -> Result<(), LedgerError> {
        self.keep(claim, &Write::Intend(&pending))
    }

    async fn commit(&self, claim: &mut Claim, done: ChunkDone) -> Result<(), LedgerError> {
        self.keep(claim, &Write::Commit(&done))
    }

    async fn renew(&self, claim: &mut Claim) -> Result<(), LedgerError> {
        self.keep(claim, &Write::Renew)
    }

    async fn pause(&self, claim: Claim, reason: Option<&str>) -> Result<(), LedgerError> {
        self.write(&claim, &Write::Pause(reason)).map(|_| ())
    }

    async fn finish(&self, claim: Claim, totals: Totals) -> Result<Record, LedgerError> {
        self.write(&claim, &Write::Finish(&totals)).map(|(record, _)| record)
    }

    async fn fail(&self, claim: Claim, reason: &str) -> Result<Record, LedgerError> {
        self.write(&claim, &Write::Fail(reason)).map(|(record, _)| record)
    }

    async fn abandon(&self, claim: Claim, reason: &str) -> Result<Record, LedgerError> {
        self.write(&claim, &Write::Abandon(reason)).map(|(record, _)| record)
    }

    async fn split(&self, claim: Claim, parts: &[Part]) -> Result<Record, LedgerError> {
        self.write(&claim, &Write::Split(parts)).map(|(record, _)| record)
    }

    async fn parts(&self, whole: &Record) -> Result<Vec<Record>, LedgerError> {
        let records = self.records();
        let key = |part: &Part| (whole.source.clone(), whole.object.clone(), Some(part.index));
        Ok(whole.parts.iter().filter_map(|part| records.get(&key(part)).cloned()).collect())
    }

    async fn unite(
        &self,
        whole: &Record,
        parts: &[Record],
        totals: Totals,
        named: &[String],
    ) -> Result<Record, LedgerError> {
        let now_ms = self.clock.now_ms();
        let mut records = self.records();
        let Some(record) = records.get_mut(&whole_of(whole)) else { return Ok(whole.clone()) };
        if is_split(record) {
            *record = united(record, parts, &totals, named, now_ms);
        }
        Ok(record.clone())
    }

    async fn fail_split(
        &self,
        whole: &Record,
        parts: &[Record],
        named: &[String],
        reason: &str,
    ) -> Result<(), LedgerError> {
        let now_ms = self.clock.now_ms();
        if let Some(record) = self.records().get_mut(&whole_of(whole))
            && is_split(record)
        {
            *record = failed_split(record, parts, named, reason, now_ms);
        }
        Ok(())
    }

    async fn reopen(&self, source: &str, object: &ObjectId) -> Result<Option<Record>, LedgerError> {
        let now_ms = self.clock.now_ms();
        let mut records = self.records();
        let found = records.get_mut(&(source.to_owned(), object.clone(), None));
        Ok(found.filter(|record| may_reopen(record, now_ms)).map(|record| {
            *record = anew(record, now_ms);
            record.clone()
        }))
    }

    async fn replace(
        &self,
        source: &str,
        object: &ObjectId,
        reason: &str,
    ) -> Result<bool, LedgerError> {
        let now_ms = self.clock.now_ms();
        let mut records = self.records();
        let Some(record) = records.get_mut(&(source.to_owned(), object.clone(), None)) else {
            return Ok(true);
        };
        if !may_replace(record, now_ms) {
            return Ok(false);
        }
        let reason = Some(bounded(reason).to_owned());
        *record = Record { reason, ..anew(record, now_ms) };
        Ok(true)
    }

    async fn get(&self, source: &str, object: &ObjectId) -> Result<Option<Record>, LedgerError> {
        Ok(self.records().get(&(source.to_owned(), object.clone(), None)).cloned())
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Record>, LedgerError> {
        let mut found: Vec<Record> = self
            .records()
            .values()
            .filter(|record| record.part.is_none())
            .filter(|record| query.source.as_ref().is_none_or(|source| *source == record.source))
            .filter(|record| query.state.is_none_or(|state| state == record.state))
            .cloned()
            .collect();
        found.sort_by_key(|record| std::cmp::Reverse(record.updated_at_ms));
        found.truncate(query.limit);
        Ok(found)
    }

    async fn owing(&self, source: &str, limit: usize) -> Result<Vec<Record>, LedgerError> {
        let mut found: Vec<Record> = self
            .records()
            .values()
            .filter(|record| record.source == source && record.is_owing && record.part.is_none())
            .cloned()
            .collect();
        found.sort_by_key(|record| record.updated_at_ms);
        found.truncate(limit);
        Ok(found)
    }

    async fn claim_debts(
        &self,
        source: &str,
        object: &ObjectId,
        payer: &str,
        lease: Duration,
    ) -> Result<Option<DebtClaim>, LedgerError> {
        let now_ms = self.clock.now_ms();
        let mut records = self.records();
        let found = records.get_mut(&(source.to_owned(), object.clone(), None));
        let Some(record) = found.filter(|record| may_pay(record, payer, now_ms)) else {
            return Ok(None);
        };
        record.payer = Some((payer.to_owned(), lease_end(now_ms, lease)));
        Ok(Some(DebtClaim { payer: payer.to_owned(), lease, record: record.clone() }))
    }

    async fn pay(
        &self,
        claim: &mut DebtClaim,
        extents: Vec<Extent>,
        named: &[String],
    ) -> Result<(), LedgerError> {
        let now_ms = self.clock.now_ms();
        let mut records = self.records();
        let found = records.get_mut(&whole_of(&claim.record));
        let record = found.filter(|record| is_payer(record, claim));
        let record = record.ok_or_else(|| lost_debts(claim))?;
        record.is_owing = is_owing(&extents, named);
        record.extents = extents;
        record.payer = Some((claim.payer.clone(), lease_end(now_ms, claim.lease)));
        record.updated_at_ms = now_ms;
        claim.record = record.clone();
        Ok(())
    }

    async fn release_debts(&self, claim: DebtClaim) -> Result<(), LedgerError> {
        let mut records = self.records();
        let found = records.get_mut(&whole_of(&claim.record));
        if let Some(record) = found.filter(|record| is_payer(record, &claim)) {
            record.payer = None;
        }
        Ok(())
    }
}
