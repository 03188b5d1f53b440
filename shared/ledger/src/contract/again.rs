//! Objects that are begun once more, and those that are given up.

use super::*;

/// An object that was loaded can be begun from its first row, with other tokens;
/// so can one whose rows were deleted because another version took their place.
pub async fn an_object_can_be_begun_once_more(ledger: Arc<dyn Ledger>, clock: TestClock) {
    assert_eq!(ledger.reopen("orders", &object("a")).await.unwrap(), None);
    assert!(ledger.replace("orders", &object("a"), "nothing there").await.unwrap());
    let mut claim = claimed(&*ledger, &request("a", "one")).await;
    assert_eq!(ledger.reopen("orders", &object("a")).await.unwrap(), None, "it is being loaded");
    assert!(!ledger.replace("orders", &object("a"), "too early").await.unwrap());
    landed(&*ledger, &mut claim, &["ingestion"], &["ingestion"]).await;
    ledger.finish(claim, totals()).await.unwrap();

    clock.pass(Duration::from_secs(5));
    let open = ledger.reopen("orders", &object("a")).await.unwrap().unwrap();
    assert_eq!((open.state, open.next_row, open.counts), (State::Replaced, 0, Counts::default()));
    assert_eq!((open.again_ms, &open.extents[..]), (clock.now_ms(), &[][..]));
    let newer = ClaimRequest { config_version: 2, ..request("a", "two") };
    let mut claim = claimed(&*ledger, &newer).await;
    assert_eq!((claim.config_version, claim.next_row, claim.attempt), (2, 0, 1));
    assert_eq!((claim.again_ms, claim.fence, claim.pending.clone()), (open.again_ms, 3, None));
    assert_eq!((claim.written_version, &claim.extents[..]), (None, &[][..]));
    landed(&*ledger, &mut claim, &["ingestion"], &["ingestion"]).await;
    let done = ledger.finish(claim, totals()).await.unwrap();
    assert_eq!((done.state, done.counts), (State::Done, ten_rows(10).counts));

    // Within the same millisecond, it is later all the same.
    assert!(ledger.replace("orders", &object("a"), "replaced by b").await.unwrap());
    let replaced = record(&*ledger, "a").await;
    assert_eq!(
        (replaced.state, replaced.reason.as_deref(), replaced.is_owing),
        (State::Replaced, Some("replaced by b"), false)
    );
    assert!(replaced.again_ms > open.again_ms);
    let third = claimed(&*ledger, &request("a", "three")).await;
    assert!(third.again_ms >= replaced.again_ms);
    assert_eq!((third.next_row, third.attempt), (0, 1));
}

/// What a payer has sent may come after the rows were deleted: so nothing is deleted
/// before its time is over, and it can note nothing afterwards.
pub async fn what_is_being_paid_for_is_not_begun_once_more(
    ledger: Arc<dyn Ledger>,
    clock: TestClock,
) {
    for key in ["reopened", "replaced"] {
        let mut claim = claimed(&*ledger, &request(key, "one")).await;
        landed(&*ledger, &mut claim, &["ingestion"], &["ingestion"]).await;
        ledger.finish(claim, totals()).await.unwrap();
        let id = object(key);
        let payer = ledger.claim_debts("orders", &id, "payer", LEASE).await.unwrap();
        let mut payer = payer.unwrap();
        clock.pass(LEASE - Duration::from_millis(1));
        assert_eq!(ledger.reopen("orders", &id).await.unwrap(), None);
        assert!(!ledger.replace("orders", &id, "too early").await.unwrap());
        clock.pass(Duration::from_millis(1));
        if key == "reopened" {
            assert!(ledger.reopen("orders", &id).await.unwrap().is_some());
        } else {
            assert!(ledger.replace("orders", &id, "late enough").await.unwrap());
        }
        let extents = payer.record.extents.clone();
        let paid = ledger.pay(&mut payer, extents, &["ingestion".to_owned()]).await;
        assert!(matches!(paid, Err(LedgerError::LostDebts { .. })), "{paid:?}");
        let after = record(&*ledger, key).await;
        assert_eq!((after.state, &after.extents[..]), (State::Replaced, &[][..]));
        // The next one is free to pay, should there be something.
        assert!(ledger.claim_debts("orders", &id, "other", LEASE).await.unwrap().is_some());
    }
}

/// Nobody can go on with it; should its bytes come back, the chunk is sent as it
/// was.
pub async fn an_abandoned_object_keeps_the_chunk_that_may_have_landed(
    ledger: Arc<dyn Ledger>,
    _clock: TestClock,
) {
    let mut claim = claimed(&*ledger, &request("a", "one")).await;
    begin(&*ledger, &mut claim, 0).await;
    let pending = claim.pending.clone();
    let record = ledger.abandon(claim, "its bytes are gone").await.unwrap();
    assert_eq!((record.state, &record.pending), (State::Failed, &pending));
    assert_eq!(record.reason.as_deref(), Some("its bytes are gone"));
    let newer = ClaimRequest { config_version: 2, retry_failed: true, ..request("a", "two") };
    let again = claimed(&*ledger, &newer).await;
    assert_eq!((again.config_version, again.pending.clone()), (1, pending));
    ledger.fail(again, "it is known not to have landed").await.unwrap();
    let again = claimed(&*ledger, &ClaimRequest { owner: "three".into(), ..newer }).await;
    assert_eq!((again.config_version, again.pending), (2, None));
}
