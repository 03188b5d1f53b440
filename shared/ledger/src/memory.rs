//! The ledger's twin in memory: the transitions and a map, nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::{Clock, ObjectId};

use crate::transition::{
    Standing, Verdict, Write, advance, claimed, in_order, is_payer, judge, lease_end, lost_debts,
    may_pay, standing, written,
};
use crate::{
    ChunkDone, Claim, ClaimOutcome, ClaimRequest, DebtClaim, Extent, Ledger, LedgerError,
    ListQuery, Pending, Record, Totals, is_owing,
};

type Records = BTreeMap<(String, ObjectId), Record>;

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
        let key = (claim.source.clone(), claim.object.clone());
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

#[async_trait]
impl Ledger for MemoryLedger {
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, LedgerError> {
        let now_ms = self.clock.now_ms();
        let key = (request.source.clone(), request.object.clone());
        let mut records = self.records();
        let found = records.get(&key);
        Ok(match (judge(found, request, now_ms), found) {
            (Verdict::Busy { lease_until_ms }, _) => ClaimOutcome::Busy { lease_until_ms },
            (Verdict::Done, Some(record)) => ClaimOutcome::Done(record.clone()),
            (Verdict::Failed, Some(record)) => ClaimOutcome::Failed(record.clone()),
            (Verdict::Take | Verdict::TryAgain | Verdict::Done | Verdict::Failed, _) => {
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

    async fn get(&self, source: &str, object: &ObjectId) -> Result<Option<Record>, LedgerError> {
        Ok(self.records().get(&(source.to_owned(), object.clone())).cloned())
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Record>, LedgerError> {
        let mut found: Vec<Record> = self
            .records()
            .values()
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
            .filter(|record| record.source == source && record.is_owing)
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
        let found = records.get_mut(&(source.to_owned(), object.clone()));
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
        let found = records.get_mut(&(claim.record.source.clone(), claim.record.object.clone()));
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
        let found = records.get_mut(&(claim.record.source.clone(), claim.record.object.clone()));
        if let Some(record) = found.filter(|record| is_payer(record, &claim)) {
            record.payer = None;
        }
        Ok(())
    }
}
