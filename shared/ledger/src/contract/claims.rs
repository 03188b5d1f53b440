//! Claims: who works at an object, and what he may do.

use super::*;

/// The whole way of an object, and everything its record then says.
pub async fn an_object_goes_from_claim_to_done(ledger: Arc<dyn Ledger>, clock: TestClock) {
    assert_eq!(ledger.get("orders", &object("a")).await.unwrap(), None);
    let began = clock.now_ms();
    let mut claim = claimed(&*ledger, &request("a", "one")).await;
    assert_eq!(
        (claim.next_row, claim.attempt, claim.config_version, claim.pending.clone()),
        (0, 1, 1, None)
    );
    assert_eq!(claim.lease_until_ms, began + 60_000);
    assert_eq!(record(&*ledger, "a").await.state, State::Loading);

    for start in [0, 10] {
        clock.pass(Duration::from_secs(50));
        let pending = chunk(&claim, start);
        ledger.intend(&mut claim, pending.clone()).await.unwrap();
        assert_eq!(record(&*ledger, "a").await.pending, Some(pending));
        assert_eq!(claim.lease_until_ms, clock.now_ms() + 60_000, "an intention renews the lease");
        clock.pass(Duration::from_secs(50));
        ledger.commit(&mut claim, ten_rows(start + 10)).await.unwrap();
        assert_eq!(
            record(&*ledger, "a").await.lease_until_ms,
            clock.now_ms() + 60_000,
            "so does a commit"
        );
    }
    clock.pass(Duration::from_millis(250));
    let done = ledger.finish(claim, totals()).await.unwrap();
    let ten = ten_rows(0);
    let mut counts = ten.counts;
    counts += ten.counts;
    let mut steps = ten.steps;
    steps += ten.steps;
    steps.commit += 1;
    let expected = Record {
        source: "orders".into(),
        object: object("a"),
        part: None,
        parts: Vec::new(),
        state: State::Done,
        owner: "one".into(),
        lease_until_ms: 0,
        fence: 1,
        again_ms: 0,
        config_version: 1,
        written_version: Some(1),
        next_row: 20,
        counts,
        bytes: 207,
        steps,
        pending: None,
        extents: vec![Extent {
            start: 0,
            end: 20,
            inserted: 16,
            config_version: 1,
            loaded_at_ms: 1_700_000_000_000,
            on: ["ingestion".to_owned()].into(),
            maybe: [].into(),
        }],
        is_owing: false,
        payer: None,
        attempt: 1,
        put_offs: 0,
        claimed_at_ms: began,
        updated_at_ms: began + 200_250,
        finished_at_ms: Some(began + 200_250),
        duration_ms: 200_250,
        cluster: Some("ingestion".into()),
        table: Some("shop.orders".into()),
        reason: None,
    };
    assert!(counts.closes());
    assert_eq!(done, expected);
    assert_eq!(record(&*ledger, "a").await, expected);
    assert_eq!(ledger.claim(&request("a", "two")).await.unwrap(), ClaimOutcome::Done(expected));
}

/// A lease protects, and ends.
pub async fn a_held_object_is_busy_and_a_free_one_is_taken_over(
    ledger: Arc<dyn Ledger>,
    clock: TestClock,
) {
    let mut claim = claimed(&*ledger, &request("a", "one")).await;
    let busy = ClaimOutcome::Busy { lease_until_ms: claim.lease_until_ms };
    assert_eq!(ledger.claim(&request("a", "two")).await.unwrap(), busy);
    assert_eq!(
        ledger.claim(&request("a", "one")).await.unwrap(),
        busy,
        "two deliveries may share an owner"
    );

    clock.pass(LEASE - Duration::from_millis(1));
    ledger.renew(&mut claim).await.unwrap();
    clock.pass(LEASE - Duration::from_millis(1));
    assert!(matches!(ledger.claim(&request("a", "two")).await.unwrap(), ClaimOutcome::Busy { .. }));
    clock.pass(Duration::from_millis(1));
    let second = claimed(&*ledger, &request("a", "two")).await;
    assert!(second.fence > claim.fence);
    assert_eq!(second.attempt, 2);
}

/// What was frozen stays frozen, and what was begun is replayed.
pub async fn a_takeover_keeps_progress_pending_chunk_and_version(
    ledger: Arc<dyn Ledger>,
    clock: TestClock,
) {
    let mut first = claimed(&*ledger, &request("a", "one")).await;
    begin(&*ledger, &mut first, 0).await;
    ledger.commit(&mut first, ten_rows(10)).await.unwrap();
    let begun = chunk(&first, 10);
    ledger.intend(&mut first, begun.clone()).await.unwrap();
    clock.pass(LEASE);

    let newer = ClaimRequest { config_version: 9, ..request("a", "two") };
    let mut second = claimed(&*ledger, &newer).await;
    assert_eq!(second.config_version, 1);
    assert_eq!(second.next_row, 10);
    assert_eq!(second.counts, ten_rows(10).counts);
    assert_eq!((second.bytes, second.steps), (100, ten_rows(10).steps));
    assert_eq!(second.pending, Some(begun.clone()));
    assert_eq!(
        second.pending.as_ref().unwrap().token,
        chunk(&second, 10).token,
        "the token can be derived again"
    );

    ledger.intend(&mut second, begun).await.unwrap();
    ledger.commit(&mut second, ten_rows(20)).await.unwrap();
    let done = ledger.finish(second, totals()).await.unwrap();
    assert_eq!((done.next_row, done.counts.chunks, done.fence, done.config_version), (20, 2, 2, 1));
}

/// After a takeover none of the old owner's writes holds, also under its name.
pub async fn a_loser_can_write_nothing(ledger: Arc<dyn Ledger>, clock: TestClock) {
    for next_owner in ["two", "one"] {
        let key = format!("key of {next_owner}");
        let mut first = claimed(&*ledger, &request(&key, "one")).await;
        begin(&*ledger, &mut first, 0).await;
        clock.pass(LEASE);
        let mut second = claimed(&*ledger, &request(&key, next_owner)).await;
        let before = record(&*ledger, &key).await;

        let unchanged = first.clone();
        assert!(is_lost(ledger.renew(&mut first).await));
        assert!(is_lost(ledger.intend(&mut first, chunk(&unchanged, 0)).await));
        assert!(is_lost(ledger.commit(&mut first, ten_rows(10)).await));
        assert_eq!(first, unchanged, "a refused write leaves the claim as it was");
        assert!(is_lost(ledger.pause(first.clone(), None).await));
        assert!(is_lost(ledger.fail(first.clone(), "no").await));
        first.pending = None;
        assert!(is_lost(ledger.finish(first, totals()).await));
        assert_eq!(record(&*ledger, &key).await, before);

        ledger.commit(&mut second, ten_rows(10)).await.unwrap();
        ledger.finish(second, totals()).await.unwrap();
        let mut late = unchanged.clone();
        assert!(
            is_lost(ledger.commit(&mut late, ten_rows(10)).await),
            "also once the object is done"
        );
    }
}

/// A failure stays until somebody asks for another try, which keeps the
/// committed chunks and takes the newer document.
pub async fn a_failed_object_waits_for_a_retry(ledger: Arc<dyn Ledger>, clock: TestClock) {
    let mut claim = claimed(&*ledger, &request("a", "one")).await;
    begin(&*ledger, &mut claim, 0).await;
    ledger.commit(&mut claim, ten_rows(10)).await.unwrap();
    begin(&*ledger, &mut claim, 10).await;
    clock.pass(Duration::from_secs(1));
    let failed = ledger.fail(claim.clone(), "too many bad rows").await.unwrap();
    assert_eq!(failed.state, State::Failed);
    assert_eq!(failed.reason.as_deref(), Some("too many bad rows"));
    assert_eq!((failed.pending.clone(), failed.next_row, failed.duration_ms), (None, 10, 1_000));
    assert_eq!(failed.finished_at_ms, Some(clock.now_ms()));
    assert_eq!(ledger.claim(&request("a", "two")).await.unwrap(), ClaimOutcome::Failed(failed));

    let again = ClaimRequest { config_version: 2, retry_failed: true, ..request("a", "two") };
    let second = claimed(&*ledger, &again).await;
    assert_eq!((second.config_version, second.next_row, second.attempt), (2, 10, 1));
    assert_eq!((second.pending.clone(), second.counts), (None, ten_rows(10).counts));
    let open = record(&*ledger, "a").await;
    assert_eq!((open.reason, open.finished_at_ms), (None, None));
    assert!(is_lost(ledger.renew(&mut claim).await));
    assert!(matches!(ledger.claim(&again).await.unwrap(), ClaimOutcome::Busy { .. }));

    let long = "ä".repeat(300_000);
    let failed = ledger.fail(second, &long).await.unwrap();
    assert!(
        long.starts_with(failed.reason.as_deref().unwrap()),
        "a long reason is cut, not refused"
    );
}

/// The same chunk may be noted again; another may not, nor the same elsewhere.
pub async fn intentions_are_idempotent_and_exclusive(ledger: Arc<dyn Ledger>, _clock: TestClock) {
    let mut claim = claimed(&*ledger, &request("a", "one")).await;
    let blank = claim.clone();
    let pending = chunk(&claim, 0);
    ledger.intend(&mut claim, pending.clone()).await.unwrap();
    ledger.intend(&mut claim, pending.clone()).await.unwrap();
    // As after an answer that was lost: the claim does not know of the chunk.
    let mut forgetful = blank.clone();
    ledger.intend(&mut forgetful, pending.clone()).await.unwrap();

    let elsewhere = Pending { clusters: vec!["adhoc".into()], ..pending.clone() };
    for other in [chunk(&claim, 10), elsewhere] {
        for known in [&claim, &blank] {
            let error = ledger.intend(&mut known.clone(), other.clone()).await.unwrap_err();
            assert!(matches!(error, LedgerError::OtherPending { .. }), "{error}");
            assert_eq!(error.disposition(), Disposition::Fatal);
        }
    }
    for known in [claim.clone(), blank] {
        let error = ledger.finish(known, totals()).await.unwrap_err();
        assert!(matches!(error, LedgerError::StillPending { .. }), "{error}");
    }
    assert_eq!(record(&*ledger, "a").await.pending, Some(pending));
}

/// Progress moves only past the chunk that is pending.
pub async fn commits_need_their_intention(ledger: Arc<dyn Ledger>, _clock: TestClock) {
    let mut claim = claimed(&*ledger, &request("a", "one")).await;
    let error = ledger.commit(&mut claim, ten_rows(10)).await.unwrap_err();
    assert!(matches!(error, LedgerError::NothingPending { .. }), "{error}");

    begin(&*ledger, &mut claim, 0).await;
    let error = ledger.commit(&mut claim, ten_rows(11)).await.unwrap_err();
    assert!(matches!(error, LedgerError::OutsideChunk { .. }), "{error}");
    let mut other = claim.clone();
    other.pending = Some(chunk(&claim, 10));
    let error = ledger.commit(&mut other, ten_rows(20)).await.unwrap_err();
    assert!(matches!(error, LedgerError::OtherPending { .. }), "{error}");
    assert_eq!(record(&*ledger, "a").await.next_row, 0);

    let before = claim.clone();
    ledger.commit(&mut claim, ten_rows(10)).await.unwrap();
    // The SDK repeats a call whose answer was lost; the second try is no error
    // and counts nothing twice.
    let mut repeated = before.clone();
    ledger.commit(&mut repeated, ten_rows(10)).await.unwrap();
    assert_eq!(repeated, claim);
    assert_eq!(record(&*ledger, "a").await.counts, ten_rows(10).counts);
    let error = ledger.commit(&mut before.clone(), ten_rows(9)).await.unwrap_err();
    assert!(matches!(error, LedgerError::NothingPending { .. }), "{error}");

    begin(&*ledger, &mut claim, 10).await;
    let error = ledger.commit(&mut claim, ten_rows(9)).await.unwrap_err();
    assert!(
        matches!(error, LedgerError::OutsideChunk { .. }),
        "progress never moves back: {error}"
    );
}

/// A pause gives the lease up and keeps everything else.
pub async fn a_paused_object_is_free_at_once(ledger: Arc<dyn Ledger>, clock: TestClock) {
    let mut first = claimed(&*ledger, &request("a", "one")).await;
    begin(&*ledger, &mut first, 0).await;
    clock.pass(Duration::from_secs(5));
    ledger.pause(first.clone(), Some("the cluster is away")).await.unwrap();
    ledger.pause(first.clone(), Some("the cluster is away")).await.unwrap();
    let paused = record(&*ledger, "a").await;
    assert_eq!(
        (paused.state, paused.lease_until_ms, paused.duration_ms),
        (State::Paused, 0, 5_000)
    );
    assert_eq!(paused.reason.as_deref(), Some("the cluster is away"));
    assert!(is_lost(ledger.commit(&mut first, ten_rows(10)).await));

    clock.pass(Duration::from_secs(3_600));
    let mut second = claimed(&*ledger, &request("a", "two")).await;
    assert_eq!(
        (second.pending.clone(), second.attempt, second.held_before_ms),
        (Some(chunk(&first, 0)), 2, 5_000)
    );
    ledger.commit(&mut second, ten_rows(10)).await.unwrap();
    clock.pass(Duration::from_secs(2));
    let done = ledger.finish(second.clone(), totals()).await.unwrap();
    assert_eq!(done.duration_ms, 7_000, "the hour between the owners does not count");
    assert_eq!(ledger.finish(second, totals()).await.unwrap(), done, "as after a lost answer");
}
