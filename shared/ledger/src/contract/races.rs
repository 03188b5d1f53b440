//! Sixteen at once.

use super::*;

async fn race(ledger: &Arc<dyn Ledger>, retry_failed: bool) -> Vec<Claim> {
    let tasks: Vec<_> = (0..16)
        .map(|i| {
            let ledger = Arc::clone(ledger);
            let request = ClaimRequest { retry_failed, ..request("a", &format!("owner {i}")) };
            tokio::spawn(async move { ledger.claim(&request).await.unwrap() })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            ClaimOutcome::Claimed(claim) => winners.push(claim),
            ClaimOutcome::Busy { .. } => {}
            other => panic!("neither claimed nor busy: {other:?}"),
        }
    }
    winners
}

/// Sixteen at once ask for an object: when it is new, paused, expired, failed.
pub async fn one_of_sixteen_claims_wins(ledger: Arc<dyn Ledger>, clock: TestClock) {
    let first = race(&ledger, false).await;
    assert_eq!(first.len(), 1, "new");
    ledger.pause(first[0].clone(), None).await.unwrap();
    assert_eq!(race(&ledger, false).await.len(), 1, "paused");
    clock.pass(LEASE);
    let third = race(&ledger, false).await;
    assert_eq!(third.len(), 1, "expired");
    ledger.fail(third[0].clone(), "bad").await.unwrap();
    let fourth = race(&ledger, true).await;
    assert_eq!(fourth.len(), 1, "failed");
    assert_eq!(fourth[0].fence, 4);
}

/// Sixteen generations of owners, each of which believes it still holds the
/// object, commit at once: the last one's commit holds, and only that.
pub async fn one_of_sixteen_takeovers_wins_and_the_loser_cannot_commit(
    ledger: Arc<dyn Ledger>,
    clock: TestClock,
) {
    let mut owners = Vec::new();
    for i in 0..16 {
        let mut claim = claimed(&*ledger, &request("a", &format!("owner {i}"))).await;
        let pending = chunk(&claim, 0);
        ledger.intend(&mut claim, pending).await.unwrap();
        owners.push(claim);
        clock.pass(LEASE);
    }
    let tasks: Vec<_> = owners
        .into_iter()
        .map(|mut claim| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(
                async move { (claim.fence, ledger.commit(&mut claim, ten_rows(10)).await) },
            )
        })
        .collect();
    for task in tasks {
        let (fence, result) = task.await.unwrap();
        if fence == 16 {
            result.unwrap();
        } else {
            assert!(is_lost(result), "fence {fence}");
        }
    }
    assert_eq!(record(&*ledger, "a").await.counts, ten_rows(10).counts);
}
