//! Objects in parts.

use super::*;

const PARTS: [Part; 2] =
    [Part { index: 0, start: 0, end: 10 }, Part { index: 1, start: 10, end: 25 }];

async fn split(ledger: &dyn Ledger) -> Record {
    let claim = claimed(ledger, &request("a", "one")).await;
    ledger.split(claim, &PARTS).await.unwrap()
}

async fn load_part(ledger: &dyn Ledger, index: usize) -> Record {
    let part = Some(PARTS[index]);
    let asked = ClaimRequest { part, ..request("a", &format!("part {index}")) };
    let mut claim = claimed(ledger, &asked).await;
    assert_eq!((claim.part, claim.next_row), (part, PARTS[index].start));
    begin(ledger, &mut claim, PARTS[index].start).await;
    let named = vec!["ingestion".to_owned(), "standby".to_owned()];
    let done = ChunkDone { named, ..ten_rows(PARTS[index].start + 10) };
    ledger.commit(&mut claim, done).await.unwrap();
    ledger.finish(claim, totals()).await.unwrap()
}

/// A split object is claimed no more; its parts are records of their own that no
/// listing shows, and together they make it done.
pub async fn a_split_object_is_done_when_its_parts_are(ledger: Arc<dyn Ledger>, clock: TestClock) {
    let whole = split(&*ledger).await;
    assert_eq!((whole.state, &whole.parts[..]), (State::Split, &PARTS[..]));
    let ClaimOutcome::Split(found) = ledger.claim(&request("a", "two")).await.unwrap() else {
        panic!("a split object was claimed");
    };
    assert_eq!(found, whole);
    assert_eq!(ledger.parts(&whole).await.unwrap(), []);
    clock.pass(Duration::from_secs(1));
    // The second one is done first.
    let second = load_part(&*ledger, 1).await;
    assert_eq!(ledger.parts(&whole).await.unwrap(), std::slice::from_ref(&second));
    let first = load_part(&*ledger, 0).await;
    let again = ClaimRequest { part: Some(PARTS[0]), ..request("a", "late") };
    assert!(matches!(ledger.claim(&again).await.unwrap(), ClaimOutcome::Done(_)));
    let parts = ledger.parts(&whole).await.unwrap();
    assert_eq!(parts, [first, second]);
    let all = ListQuery { source: None, state: None, limit: 9 };
    assert_eq!(ledger.list(&all).await.unwrap().len(), 1, "parts are shown with their object");
    assert_eq!(ledger.owing("orders", 9).await.unwrap(), [], "and owe nothing by themselves");

    let named = vec!["ingestion".to_owned(), "standby".to_owned()];
    let done = ledger.unite(&whole, &parts, totals(), &named).await.unwrap();
    assert_eq!(done.state, State::Done);
    assert_eq!(done.counts.rows_read, 2 * ten_rows(0).counts.rows_read);
    assert_eq!((done.next_row, done.extents.len()), (20, 1));
    assert_eq!(done.table, Some(totals().table));
    assert!(done.is_owing, "the standby lacks them");
    assert_eq!(ledger.unite(&whole, &parts, totals(), &named).await.unwrap(), done);
    assert_eq!(ledger.get("orders", &object("a")).await.unwrap().unwrap(), done);
    assert_eq!(ledger.owing("orders", 9).await.unwrap(), std::slice::from_ref(&done));
    ledger.fail_split(&whole, &parts, &named, "too late").await.unwrap();
    assert_eq!(ledger.get("orders", &object("a")).await.unwrap().unwrap(), done);
    assert!(matches!(ledger.claim(&request("a", "three")).await.unwrap(), ClaimOutcome::Done(_)));
}

/// When a part fails, so does the object, until the part was tried again.
pub async fn a_split_object_fails_with_a_part_and_is_mended_by_it(
    ledger: Arc<dyn Ledger>,
    _clock: TestClock,
) {
    let whole = split(&*ledger).await;
    load_part(&*ledger, 0).await;
    let asked = ClaimRequest { part: Some(PARTS[1]), ..request("a", "bad") };
    let claim = claimed(&*ledger, &asked).await;
    ledger.fail(claim, "a bad page").await.unwrap();
    let parts = ledger.parts(&whole).await.unwrap();
    let named = vec!["ingestion".to_owned(), "standby".to_owned()];
    ledger.fail_split(&whole, &parts, &named, "part 1: a bad page").await.unwrap();
    let failed = record(&*ledger, "a").await;
    assert_eq!((failed.counts, failed.extents.len()), (ten_rows(0).counts, 1), "what landed");
    assert_eq!(ledger.owing("orders", 9).await.unwrap(), std::slice::from_ref(&failed));
    // Whoever pays it is told when it is united.
    let payer = ledger.claim_debts("orders", &object("a"), "payer", LEASE).await.unwrap();
    let mut payer = payer.unwrap();
    assert_eq!(
        (failed.state, failed.reason.as_deref()),
        (State::Failed, Some("part 1: a bad page"))
    );
    assert!(matches!(
        ledger.claim(&request("a", "redelivery")).await.unwrap(),
        ClaimOutcome::Failed(_)
    ));
    let again = ClaimRequest { retry_failed: true, ..request("a", "again") };
    let ClaimOutcome::Split(found) = ledger.claim(&again).await.unwrap() else {
        panic!("its parts are to be tried again");
    };
    assert_eq!(found.parts, PARTS);
    let asked = ClaimRequest { retry_failed: true, ..asked };
    let mut claim = claimed(&*ledger, &asked).await;
    begin(&*ledger, &mut claim, 10).await;
    ledger.commit(&mut claim, ten_rows(20)).await.unwrap();
    ledger.finish(claim, totals()).await.unwrap();
    let parts = ledger.parts(&whole).await.unwrap();
    let done = ledger.unite(&found, &parts, totals(), &["ingestion".to_owned()]).await.unwrap();
    assert_eq!((done.state, done.reason, done.is_owing), (State::Done, None, false));
    let extents = payer.record.extents.clone();
    let paid = ledger.pay(&mut payer, extents, &named).await;
    assert!(matches!(paid, Err(LedgerError::LostDebts { .. })), "{paid:?}");
}
