//! Which changes of a record are allowed: pure, with the clock passed in.
//!
//! The memory twin is these functions and a map. The DynamoDB ledger says the
//! same in condition expressions and asks here what a refused one meant.

use std::time::Duration;

use model::ChunkBounds;

use crate::extent::{append, is_owing};
use crate::{
    ChunkDone, Claim, ClaimRequest, DebtClaim, Extent, LedgerError, Part, Pending, Record, State,
    Totals,
};

/// What a claim may do with the record that is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Make the record, or take it over with its progress.
    Take,
    /// Begin anew after a failure, with the progress that was made, or from the
    /// first row when the rows were deleted.
    TryAgain,
    /// Another owner holds it until then.
    Busy { lease_until_ms: i64 },
    /// It is done.
    Done,
    /// It failed, and is not to be tried again.
    Failed,
    /// It is loaded in parts.
    Split,
}

/// A write of an owner.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Write<'a> {
    Intend(&'a Pending),
    Commit(&'a ChunkDone),
    Renew,
    Pause(Option<&'a str>),
    Finish(&'a Totals),
    Fail(&'a str),
    Abandon(&'a str),
    Split(&'a [Part]),
}

/// What an owner's write meets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may be done.
    Due,
    /// It has been done: the answer to the first try was lost on its way.
    Already,
}

/// What a claim may do.
pub(crate) fn judge(record: Option<&Record>, request: &ClaimRequest, now_ms: i64) -> Verdict {
    let Some(record) = record else { return Verdict::Take };
    match record.state {
        State::Paused => Verdict::Take,
        State::Loading if record.lease_until_ms <= now_ms => Verdict::Take,
        State::Loading => Verdict::Busy { lease_until_ms: record.lease_until_ms },
        State::Done => Verdict::Done,
        State::Split => Verdict::Split,
        State::Replaced => Verdict::TryAgain,
        // Those of its parts that failed are tried again.
        State::Failed if request.retry_failed && !record.parts.is_empty() => Verdict::Split,
        State::Failed if request.retry_failed => Verdict::TryAgain,
        State::Failed => Verdict::Failed,
    }
}

/// The record after a claim that [`judge`] allowed.
pub(crate) fn claimed(record: Option<&Record>, request: &ClaimRequest, now_ms: i64) -> Record {
    let failed =
        record.is_some_and(|record| matches!(record.state, State::Failed | State::Replaced));
    let before = record.cloned().unwrap_or_else(|| blank(request));
    Record {
        state: State::Loading,
        owner: request.owner.clone(),
        lease_until_ms: lease_end(now_ms, request.lease),
        fence: before.fence + 1,
        // A chunk that may have landed is sent as it was.
        config_version: match (failed, &before.pending) {
            (true, None) => request.config_version,
            _ => before.config_version,
        },
        attempt: if failed { 1 } else { before.attempt + 1 },
        put_offs: if failed { 0 } else { before.put_offs },
        claimed_at_ms: now_ms,
        updated_at_ms: now_ms,
        finished_at_ms: None,
        reason: None,
        ..before
    }
}

fn blank(request: &ClaimRequest) -> Record {
    Record {
        source: request.source.clone(),
        object: request.object.clone(),
        part: request.part,
        parts: Vec::new(),
        state: State::Loading,
        owner: request.owner.clone(),
        lease_until_ms: 0,
        fence: 0,
        again_ms: 0,
        config_version: request.config_version,
        written_version: None,
        next_row: request.part.map_or(0, |part| part.start),
        counts: model::Counts::default(),
        bytes: 0,
        steps: crate::StepMillis::default(),
        pending: None,
        extents: Vec::new(),
        is_owing: false,
        payer: None,
        attempt: 0,
        put_offs: 0,
        claimed_at_ms: 0,
        updated_at_ms: 0,
        finished_at_ms: None,
        duration_ms: 0,
        cluster: None,
        table: None,
        reason: None,
    }
}

/// Whether the owner keeps the order of things, as far as its claim can tell.
pub(crate) fn in_order(claim: &Claim, write: &Write<'_>) -> Result<(), LedgerError> {
    match (write, &claim.pending) {
        (Write::Intend(wanted), Some(found)) if !found.is_continued_by(wanted) => {
            Err(other_pending(claim, wanted, found))
        }
        (Write::Commit(_), None) => Err(nothing_pending(claim)),
        (Write::Commit(done), Some(Pending { bounds: ChunkBounds { end, .. }, .. }))
            if done.next_row < claim.next_row || done.next_row > *end =>
        {
            Err(LedgerError::OutsideChunk {
                feed: claim.source.clone(),
                object: claim.object.clone(),
                from: claim.next_row,
                to: done.next_row,
                end: *end,
            })
        }
        (Write::Finish(_) | Write::Split(_), Some(found)) => Err(still_pending(claim, found)),
        _ => Ok(()),
    }
}

/// What an owner's write meets in the record that is there.
pub(crate) fn standing(
    record: Option<&Record>,
    claim: &Claim,
    write: &Write<'_>,
) -> Result<Standing, LedgerError> {
    let own = record.filter(|record| record.owner == claim.owner && record.fence == claim.fence);
    let Some(record) = own else { return Err(lost(claim)) };
    match (write, record.state) {
        (Write::Pause(_), State::Paused)
        | (Write::Finish(_), State::Done)
        | (Write::Fail(_) | Write::Abandon(_), State::Failed)
        | (Write::Split(_), State::Split) => Ok(Standing::Already),
        (_, State::Paused | State::Done | State::Failed | State::Split | State::Replaced) => {
            Err(lost(claim))
        }
        (Write::Intend(wanted), State::Loading) => match &record.pending {
            Some(found) if found == *wanted || Some(found) == claim.pending.as_ref() => {
                Ok(Standing::Due)
            }
            Some(found) => Err(other_pending(claim, wanted, found)),
            None => Ok(Standing::Due),
        },
        (Write::Commit(done), State::Loading) => match (&record.pending, &claim.pending) {
            (Some(found), Some(own)) if found.token == own.token => Ok(Standing::Due),
            (Some(found), Some(own)) => Err(other_pending(claim, own, found)),
            _ if record.next_row == done.next_row && record.counts == sum(claim, done) => {
                Ok(Standing::Already)
            }
            _ => Err(nothing_pending(claim)),
        },
        (Write::Finish(_) | Write::Split(_), State::Loading) => match &record.pending {
            Some(found) => Err(still_pending(claim, found)),
            None => Ok(Standing::Due),
        },
        (Write::Renew | Write::Pause(_) | Write::Fail(_) | Write::Abandon(_), State::Loading) => {
            Ok(Standing::Due)
        }
    }
}

/// The record after an owner's write.
pub(crate) fn written(record: &Record, claim: &Claim, write: &Write<'_>, now_ms: i64) -> Record {
    let mut after = Record { updated_at_ms: now_ms, ..record.clone() };
    match write {
        Write::Intend(_) | Write::Commit(_) | Write::Renew => {
            let mut moved = claim.clone();
            advance(&mut moved, write, now_ms);
            after.lease_until_ms = moved.lease_until_ms;
            after.written_version = moved.written_version;
            after.next_row = moved.next_row;
            after.counts = moved.counts;
            after.bytes = moved.bytes;
            after.steps = moved.steps;
            after.pending = moved.pending;
            after.extents = moved.extents;
            after.put_offs = moved.put_offs;
            if let Write::Commit(done) = write {
                after.is_owing = is_owing(&after.extents, &done.named);
            }
            return after;
        }
        Write::Pause(reason) => {
            after.state = State::Paused;
            after.reason = reason.map(|reason| bounded(reason).to_owned());
            after.put_offs = put_offs(claim, *reason);
        }
        Write::Finish(totals) => {
            after.state = State::Done;
            after.cluster = Some(totals.cluster.clone());
            after.table = Some(totals.table.clone());
            after.bytes += totals.bytes;
            after.steps += totals.steps;
            after.finished_at_ms = Some(now_ms);
        }
        Write::Fail(reason) | Write::Abandon(reason) => {
            after.state = State::Failed;
            after.reason = Some(bounded(reason).to_owned());
            if matches!(write, Write::Fail(_)) {
                after.pending = None;
            }
            after.finished_at_ms = Some(now_ms);
        }
        Write::Split(parts) => {
            after.state = State::Split;
            after.parts = parts.to_vec();
        }
    }
    after.lease_until_ms = 0;
    after.duration_ms = held(claim, now_ms);
    after
}

/// Moves the claim on after a write that keeps it.
pub(crate) fn advance(claim: &mut Claim, write: &Write<'_>, now_ms: i64) {
    claim.lease_until_ms = lease_end(now_ms, claim.lease);
    match write {
        Write::Intend(pending) => claim.pending = Some((*pending).clone()),
        Write::Commit(done) => {
            claim.written_version = Some(claim.config_version);
            claim.next_row = done.next_row;
            claim.put_offs = 0;
            claim.counts = sum(claim, done);
            claim.bytes += done.bytes;
            claim.steps += done.steps;
            if let Some(pending) = claim.pending.take() {
                append(&mut claim.extents, extent(claim.config_version, &pending, done));
            }
        }
        Write::Renew
        | Write::Pause(_)
        | Write::Finish(_)
        | Write::Fail(_)
        | Write::Abandon(_)
        | Write::Split(_) => {}
    }
}

/// How often an object was given up for a reason since it last made progress,
/// after it is given up once more.
pub(crate) fn put_offs(claim: &Claim, reason: Option<&str>) -> u32 {
    claim.put_offs + u32::from(reason.is_some())
}

/// Whether an object may be begun from its first row. What a payer has sent may
/// come after the rows were deleted, so its time must be over.
pub(crate) fn may_reopen(record: &Record, now_ms: i64) -> bool {
    matches!(record.state, State::Done | State::Failed | State::Replaced)
        && !is_paid_for(record, now_ms)
}

/// Whether an object may be called replaced.
pub(crate) fn may_replace(record: &Record, now_ms: i64) -> bool {
    record.state != State::Loading && !is_paid_for(record, now_ms)
}

fn is_paid_for(record: &Record, now_ms: i64) -> bool {
    record.payer.as_ref().is_some_and(|(_, until_ms)| *until_ms > now_ms)
}

/// An object as if nothing of it had been loaded.
pub(crate) fn anew(record: &Record, now_ms: i64) -> Record {
    let newest = record.extents.iter().map(|extent| extent.loaded_at_ms).max().unwrap_or(0);
    Record {
        state: State::Replaced,
        // Later than every row that it brought, whatever the clocks said.
        again_ms: again_at(now_ms, record.again_ms.max(newest)),
        parts: Vec::new(),
        written_version: None,
        next_row: 0,
        counts: model::Counts::default(),
        bytes: 0,
        steps: crate::StepMillis::default(),
        pending: None,
        extents: Vec::new(),
        is_owing: false,
        attempt: 0,
        put_offs: 0,
        duration_ms: 0,
        cluster: None,
        // A payer of before has nothing to pay any more.
        fence: record.fence + 1,
        payer: None,
        updated_at_ms: now_ms,
        finished_at_ms: None,
        reason: None,
        ..record.clone()
    }
}

/// When an object is begun once more, after all that it brought before.
pub(crate) fn again_at(now_ms: i64, newest_ms: i64) -> i64 {
    now_ms.max(newest_ms + 1)
}

/// Whether a split object is still to be united, or to be called failed.
pub(crate) fn is_split(record: &Record) -> bool {
    record.state == State::Split || (record.state == State::Failed && !record.parts.is_empty())
}

/// A split object whose parts are done.
pub(crate) fn united(
    whole: &Record,
    parts: &[Record],
    totals: &Totals,
    named: &[String],
    now_ms: i64,
) -> Record {
    let mut after = Record {
        state: State::Done,
        counts: model::Counts::default(),
        steps: totals.steps,
        bytes: totals.bytes,
        extents: Vec::new(),
        cluster: Some(totals.cluster.clone()),
        table: Some(totals.table.clone()),
        updated_at_ms: now_ms,
        finished_at_ms: Some(now_ms),
        reason: None,
        // Whoever pays begins anew: the extents are others.
        fence: whole.fence + 1,
        ..whole.clone()
    };
    let mut parts: Vec<&Record> = parts.iter().collect();
    parts.sort_by_key(|record| record.part.map(|part| part.index));
    for part in parts {
        after.counts += part.counts;
        after.steps += part.steps;
        after.duration_ms += part.duration_ms;
        after.next_row = after.next_row.max(part.next_row);
        after.written_version = after.written_version.max(part.written_version);
        for extent in &part.extents {
            append(&mut after.extents, extent.clone());
        }
    }
    after.is_owing = is_owing(&after.extents, named);
    after
}

/// A split object that cannot be loaded, with what its parts have brought.
pub(crate) fn failed_split(
    whole: &Record,
    parts: &[Record],
    named: &[String],
    reason: &str,
    now_ms: i64,
) -> Record {
    Record {
        state: State::Failed,
        reason: Some(bounded(reason).to_owned()),
        cluster: whole.cluster.clone(),
        table: whole.table.clone(),
        ..united(whole, parts, &Totals::default(), named, now_ms)
    }
}

/// Where a committed chunk is.
fn extent(config_version: u64, pending: &Pending, done: &ChunkDone) -> Extent {
    let sent_to = pending.clusters.iter();
    Extent {
        start: pending.bounds.start,
        end: done.next_row,
        inserted: done.counts.rows_inserted,
        config_version,
        loaded_at_ms: pending.loaded_at_ms,
        on: done.on.iter().cloned().collect(),
        maybe: sent_to.filter(|cluster| !done.on.contains(cluster)).cloned().collect(),
    }
}

/// Whether somebody may pay for an object now.
pub(crate) fn may_pay(record: &Record, payer: &str, now_ms: i64) -> bool {
    record.state != State::Loading
        && record.payer.as_ref().is_none_or(|(who, until_ms)| *until_ms <= now_ms || who == payer)
}

/// Whether the payer still is the one, and nobody went on with the object.
pub(crate) fn is_payer(record: &Record, claim: &DebtClaim) -> bool {
    record.fence == claim.record.fence
        && record.state != State::Loading
        && record.payer.as_ref().is_some_and(|(payer, _)| *payer == claim.payer)
}

/// When a lease that begins now ends.
pub(crate) fn lease_end(now_ms: i64, lease: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

/// Milliseconds that owners have held the object, this one included.
pub(crate) fn held(claim: &Claim, now_ms: i64) -> u64 {
    claim.held_before_ms + u64::try_from(now_ms.saturating_sub(claim.claimed_at_ms)).unwrap_or(0)
}

/// The start of a reason: an item of DynamoDB holds 400 KB, a console far less.
pub(crate) fn bounded(reason: &str) -> &str {
    const MAX_REASON_BYTES: usize = 8 * 1024;
    &reason[..reason.floor_char_boundary(MAX_REASON_BYTES)]
}

fn sum(claim: &Claim, done: &ChunkDone) -> model::Counts {
    let mut counts = claim.counts;
    counts += done.counts;
    counts
}

fn lost(claim: &Claim) -> LedgerError {
    LedgerError::LostClaim {
        feed: claim.source.clone(),
        object: claim.object.clone(),
        owner: claim.owner.clone(),
    }
}

pub(crate) fn lost_debts(claim: &DebtClaim) -> LedgerError {
    LedgerError::LostDebts {
        feed: claim.record.source.clone(),
        object: claim.record.object.clone(),
        payer: claim.payer.clone(),
    }
}

fn nothing_pending(claim: &Claim) -> LedgerError {
    LedgerError::NothingPending { feed: claim.source.clone(), object: claim.object.clone() }
}

fn other_pending(claim: &Claim, wanted: &Pending, found: &Pending) -> LedgerError {
    LedgerError::OtherPending {
        feed: claim.source.clone(),
        object: Box::new(claim.object.clone()),
        wanted: wanted.token.clone(),
        found: found.token.clone(),
    }
}

fn still_pending(claim: &Claim, found: &Pending) -> LedgerError {
    LedgerError::StillPending {
        feed: claim.source.clone(),
        object: claim.object.clone(),
        pending: found.token.clone(),
    }
}
