//! Clusters: where a chunk was sent, and what a cluster is owed.

use super::*;

/// What is pending keeps its clusters, and gets more behind them.
pub async fn a_chunk_may_be_sent_to_one_more_cluster(ledger: Arc<dyn Ledger>, _clock: TestClock) {
    let mut claim = claimed(&*ledger, &request("a", "one")).await;
    let first = chunk(&claim, 0);
    ledger.intend(&mut claim, first.clone()).await.unwrap();
    let before = claim.clone();
    let both = Pending { clusters: vec!["ingestion".into(), "adhoc".into()], ..first.clone() };
    ledger.intend(&mut claim, both.clone()).await.unwrap();
    // As after an answer that was lost.
    ledger.intend(&mut before.clone(), both.clone()).await.unwrap();
    assert_eq!(record(&*ledger, "a").await.pending.as_ref(), Some(&both));
    for other in [
        first.clone(),
        Pending { loaded_at_ms: 1, ..both.clone() },
        Pending { clusters: vec!["adhoc".into(), "ingestion".into()], ..both.clone() },
    ] {
        let error = ledger.intend(&mut claim, other).await.unwrap_err();
        assert!(matches!(error, LedgerError::OtherPending { .. }), "{error}");
    }
    ledger.pause(claim, None).await.unwrap();
    let second = claimed(&*ledger, &request("a", "two")).await;
    assert_eq!(second.pending, Some(both));
}

/// Rows are owed to every cluster that is named and has not said that it holds
/// them; what is paid chunk by chunk is not owed any more.
pub async fn what_a_cluster_lacks_is_owed_until_it_is_paid(
    ledger: Arc<dyn Ledger>,
    clock: TestClock,
) {
    let named = ["ingestion".to_owned(), "adhoc".to_owned()];
    let mut whole = claimed(&*ledger, &request("whole", "one")).await;
    landed(&*ledger, &mut whole, &["ingestion", "adhoc"], &["ingestion", "adhoc"]).await;
    ledger.finish(whole, totals()).await.unwrap();
    let mut claim = claimed(&*ledger, &request("a", "one")).await;
    landed(&*ledger, &mut claim, &["ingestion", "adhoc"], &["ingestion", "adhoc"]).await;
    landed(&*ledger, &mut claim, &["ingestion", "adhoc"], &["adhoc"]).await;
    landed(&*ledger, &mut claim, &["adhoc"], &["adhoc"]).await;
    landed(&*ledger, &mut claim, &["adhoc"], &["adhoc"]).await;
    assert_eq!(claim.extents.len(), 3);
    assert_eq!(claim.extents[1].maybe.iter().collect::<Vec<_>>(), ["ingestion"]);
    let id = object("a");
    let pay = || ledger.claim_debts("orders", &id, "payer", LEASE);
    assert!(pay().await.unwrap().is_none(), "it is being loaded");
    ledger.finish(claim.clone(), totals()).await.unwrap();
    assert!(ledger.claim_debts("orders", &object("none"), "p", LEASE).await.unwrap().is_none());

    let owing = ledger.owing("orders", 10).await.unwrap();
    assert_eq!(owing.iter().map(|record| record.object.key.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(owing[0].extents, claim.extents);
    assert!(ledger.owing("returns", 10).await.unwrap().is_empty());
    let mut debts = pay().await.unwrap().unwrap();
    for (rows, left) in [(10..20, true), (20..30, true), (30..40, false)] {
        clock.pass(Duration::from_secs(1));
        let extents = crate::paid(&debts.record.extents, "ingestion", &rows, 8);
        ledger.pay(&mut debts, extents, &named).await.unwrap();
        assert_eq!(debts.record.is_owing, left, "{rows:?}");
    }
    ledger.release_debts(debts).await.unwrap();
    let after = record(&*ledger, "a").await;
    assert_eq!((after.extents.len(), after.is_owing, after.payer), (1, false, None));
    assert_eq!((after.extents[0].rows(), after.extents[0].inserted), (0..40, 32));
    assert_eq!((after.state, after.counts), (State::Done, claim.counts));
    assert!(ledger.owing("orders", 10).await.unwrap().is_empty());
}

/// Two do not pay at once; whoever goes on with the object ends a payment.
pub async fn one_pays_and_a_worker_comes_first(ledger: Arc<dyn Ledger>, clock: TestClock) {
    let id = object("a");
    let mut claim = claimed(&*ledger, &request("a", "one")).await;
    landed(&*ledger, &mut claim, &["ingestion"], &["ingestion"]).await;
    ledger.pause(claim, None).await.unwrap();
    let pay = |payer| ledger.claim_debts("orders", &id, payer, LEASE);
    let mut first = pay("first").await.unwrap().unwrap();
    assert!(pay("second").await.unwrap().is_none());
    clock.pass(LEASE);
    let mut second = pay("second").await.unwrap().unwrap();
    let extents = second.record.extents.clone();
    let error = ledger.pay(&mut first, extents.clone(), &[]).await.unwrap_err();
    assert!(matches!(error, LedgerError::LostDebts { .. }), "{error}");
    ledger.release_debts(first).await.unwrap();
    assert_eq!(record(&*ledger, "a").await.payer.unwrap().0, "second");

    let mut worker = claimed(&*ledger, &request("a", "two")).await;
    assert_eq!(worker.extents, extents);
    landed(&*ledger, &mut worker, &["ingestion"], &["ingestion"]).await;
    ledger.pause(worker, None).await.unwrap();
    let error = ledger.pay(&mut second, extents, &[]).await.unwrap_err();
    assert!(matches!(error, LedgerError::LostDebts { .. }), "{error}");
    let after = record(&*ledger, "a").await;
    assert_eq!((after.extents[0].rows(), after.is_owing), (0..20, true));
}
