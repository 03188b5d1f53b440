//! Random histories of one object: operations of several owners, some of them
//! long dead, and what must hold after each.

use std::time::Duration;

use ledger::contract::{TestClock, chunk, object, request, ten_rows};
use ledger::{Claim, ClaimOutcome, ClaimRequest, Ledger, LedgerError, Record, State, Totals};
use proptest::prelude::*;

/// Owners of a history; each keeps its claim also after it has lost it.
const OWNERS: usize = 3;

#[derive(Debug, Clone)]
pub enum Op {
    Claim { owner: usize, version: u64, retry_failed: bool },
    Intend { owner: usize },
    IntendAhead { owner: usize },
    Commit { owner: usize, rows: u64 },
    Renew { owner: usize },
    Pause { owner: usize },
    Finish { owner: usize },
    Fail { owner: usize },
    Pass { seconds: u64 },
}

pub fn history() -> impl Strategy<Value = Vec<Op>> {
    let owner = 0..OWNERS;
    let op = prop_oneof![
        4 => (owner.clone(), 1..5_u64, any::<bool>())
            .prop_map(|(owner, version, retry_failed)| Op::Claim { owner, version, retry_failed }),
        6 => owner.clone().prop_map(|owner| Op::Intend { owner }),
        1 => owner.clone().prop_map(|owner| Op::IntendAhead { owner }),
        6 => (owner.clone(), 0..12_u64).prop_map(|(owner, rows)| Op::Commit { owner, rows }),
        1 => owner.clone().prop_map(|owner| Op::Renew { owner }),
        1 => owner.clone().prop_map(|owner| Op::Pause { owner }),
        1 => owner.clone().prop_map(|owner| Op::Finish { owner }),
        1 => owner.prop_map(|owner| Op::Fail { owner }),
        2 => (1..70_u64).prop_map(|seconds| Op::Pass { seconds }),
    ];
    proptest::collection::vec(op, 1..60)
}

/// Does the operations, checks the invariants after each, and tells what came of
/// every one of them.
pub async fn run(ledger: &dyn Ledger, clock: &TestClock, key: &str, ops: &[Op]) -> Vec<String> {
    let mut owners: [Option<Claim>; OWNERS] = [const { None }; OWNERS];
    let mut told = Vec::new();
    let mut commits = 0;
    let mut before: Option<Record> = None;
    for op in ops {
        let outcome = act(ledger, clock, key, &mut owners, op).await;
        let after = ledger.get("orders", &object(key)).await.unwrap();
        let committed = matches!(op, Op::Commit { .. }) && outcome == "ok";
        commits += u64::from(committed);
        if committed {
            let before = before.as_ref().expect("a commit follows a claim");
            assert_eq!(before.state, State::Loading, "only a held object moves");
            assert!(before.pending.is_some(), "only a pending chunk is committed");
        }
        if let Some(after) = &after {
            invariants(before.as_ref(), after, commits);
        }
        told.push(format!("{op:?}: {outcome}"));
        before = after;
    }
    told.push(format!("{before:?}"));
    told
}

fn invariants(before: Option<&Record>, after: &Record, commits: u64) {
    assert!(after.counts.closes(), "the accounting closes");
    assert_eq!(after.counts.chunks, commits, "every commit counts once");
    assert!(after.pending.is_none() || matches!(after.state, State::Loading | State::Paused));
    assert_eq!(
        after.lease_until_ms > 0,
        after.state == State::Loading,
        "a lease belongs to an owner"
    );
    let Some(before) = before else { return };
    assert!(after.next_row >= before.next_row, "progress never moves back");
    assert!(
        after.fence >= before.fence && after.fence - before.fence <= 1,
        "fences rise one by one"
    );
    if before.state == State::Done {
        assert_eq!(before, after, "done is done");
    }
    if after.fence == before.fence {
        assert_eq!(after.owner, before.owner, "an owner changes only by a claim");
    }
    if before.state != State::Failed {
        assert_eq!(after.config_version, before.config_version, "the version is frozen");
    }
    if let (Some(old), Some(new)) = (&before.pending, &after.pending) {
        assert_eq!(old, new, "a pending chunk is committed or forgotten before the next begins");
    }
}

async fn act(
    ledger: &dyn Ledger,
    clock: &TestClock,
    key: &str,
    owners: &mut [Option<Claim>; OWNERS],
    op: &Op,
) -> String {
    if let Op::Pass { seconds } = op {
        clock.pass(Duration::from_secs(*seconds));
        return "ok".to_owned();
    }
    if let Op::Claim { owner, version, retry_failed } = op {
        let asked = ClaimRequest {
            config_version: *version,
            retry_failed: *retry_failed,
            ..request(key, &format!("owner {owner}"))
        };
        let outcome = ledger.claim(&asked).await.unwrap();
        if let ClaimOutcome::Claimed(claim) = &outcome {
            owners[*owner] = Some(claim.clone());
        }
        return format!("{outcome:?}");
    }
    let (Op::Intend { owner }
    | Op::IntendAhead { owner }
    | Op::Commit { owner, .. }
    | Op::Renew { owner }
    | Op::Pause { owner }
    | Op::Finish { owner }
    | Op::Fail { owner }) = op
    else {
        unreachable!("claims and time are done above")
    };
    let Some(claim) = &mut owners[*owner] else { return "no claim".to_owned() };
    let totals =
        Totals { cluster: "ingestion".into(), table: "shop.orders".into(), ..Totals::default() };
    let result: Result<(), LedgerError> = match op {
        Op::Intend { .. } => {
            let pending = claim.pending.clone().unwrap_or_else(|| chunk(claim, claim.next_row));
            ledger.intend(claim, pending).await
        }
        Op::IntendAhead { .. } => {
            let pending = chunk(claim, claim.next_row + 3);
            ledger.intend(claim, pending).await
        }
        Op::Commit { rows, .. } => {
            let done = ten_rows(claim.next_row + rows);
            ledger.commit(claim, done).await
        }
        Op::Renew { .. } => ledger.renew(claim).await,
        Op::Pause { .. } => ledger.pause(claim.clone(), None).await,
        Op::Finish { .. } => ledger.finish(claim.clone(), totals).await.map(|_| ()),
        _ => ledger.fail(claim.clone(), "bad").await.map(|_| ()),
    };
    match result {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.to_string(),
    }
}
