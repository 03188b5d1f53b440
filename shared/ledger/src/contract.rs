//! What every ledger must do: the tests that the DynamoDB ledger and its twin
//! share. Each takes an empty ledger and the clock that it runs on.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this module is test code, compiled for tests only"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model::{ChunkBounds, Clock, Counts, Disposed, Disposition, ObjectId, Token};

use crate::{
    ChunkDone, Claim, ClaimOutcome, ClaimRequest, Extent, Ledger, LedgerError, ListQuery, Part,
    Pending, Record, State, StepMillis, Totals,
};

/// How long the claims of these tests hold.
pub const LEASE: Duration = Duration::from_secs(60);

/// A clock that stands still until it is moved.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl Default for TestClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_795_363_200_000)))
    }
}

impl TestClock {
    /// The clock as the ledger takes it.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let now_ms = Arc::clone(&self.0);
        Clock::new(move || now_ms.load(Ordering::SeqCst))
    }

    /// The time it shows.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Moves it on.
    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// Makes one `#[tokio::test]` of each rule of the contract. The argument is an
/// async function that gives `(Arc<dyn Ledger>, TestClock)`, empty and new.
#[macro_export]
macro_rules! ledger_contract {
    ($fixture:path) => {
        $crate::ledger_contract!($fixture:
            an_object_goes_from_claim_to_done,
            a_held_object_is_busy_and_a_free_one_is_taken_over,
            a_takeover_keeps_progress_pending_chunk_and_version,
            a_loser_can_write_nothing,
            a_failed_object_waits_for_a_retry,
            intentions_are_idempotent_and_exclusive,
            commits_need_their_intention,
            a_paused_object_is_free_at_once,
            a_chunk_may_be_sent_to_one_more_cluster,
            what_a_cluster_lacks_is_owed_until_it_is_paid,
            one_pays_and_a_worker_comes_first,
            a_split_object_is_done_when_its_parts_are,
            a_split_object_fails_with_a_part_and_is_mended_by_it,
            an_object_can_be_begun_once_more,
            what_is_being_paid_for_is_not_begun_once_more,
            an_abandoned_object_keeps_the_chunk_that_may_have_landed,
            put_offs_are_counted_until_there_is_progress,
            any_key_is_its_own_object,
            listings_are_newest_first,
            one_of_sixteen_claims_wins,
            one_of_sixteen_takeovers_wins_and_the_loser_cannot_commit,
        );
    };
    ($fixture:path: $($rule:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                let (ledger, clock) = $fixture().await;
                $crate::contract::$rule(ledger, clock).await;
            }
        )+
    };
}

/// An object of that key.
#[must_use]
pub fn object(key: &str) -> ObjectId {
    ObjectId { bucket: "bucket".into(), key: key.into(), etag: "etag".into() }
}

/// A request by that owner.
#[must_use]
pub fn request(key: &str, owner: &str) -> ClaimRequest {
    ClaimRequest {
        source: "orders".into(),
        object: object(key),
        part: None,
        config_version: 1,
        owner: owner.into(),
        lease: LEASE,
        retry_failed: false,
    }
}

/// The chunk of ten rows that begins at `start`.
#[must_use]
pub fn chunk(claim: &Claim, start: u64) -> Pending {
    let bounds = ChunkBounds { start, end: start + 10 };
    Pending {
        bounds,
        token: Token::of_chunk(&claim.source, &claim.object, claim.config_version, &bounds),
        clusters: vec!["ingestion".into()],
        loaded_at_ms: 1_700_000_000_000,
    }
}

/// What a whole chunk of ten rows adds.
#[must_use]
pub fn ten_rows(next_row: u64) -> ChunkDone {
    ChunkDone {
        next_row,
        counts: Counts {
            rows_read: 10,
            rows_written: 7,
            rows_filtered: 2,
            rows_quarantined: 1,
            rows_inserted: 8,
            chunks: 1,
        },
        bytes: 100,
        steps: StepMillis { fetch: 1, decode: 2, transform: 3, write: 4, commit: 5 },
        on: vec!["ingestion".into()],
        named: vec!["ingestion".into()],
    }
}

async fn claimed(ledger: &dyn Ledger, request: &ClaimRequest) -> Claim {
    match ledger.claim(request).await.unwrap() {
        ClaimOutcome::Claimed(claim) => claim,
        other => panic!("not claimed: {other:?}"),
    }
}

async fn begin(ledger: &dyn Ledger, claim: &mut Claim, start: u64) {
    let pending = chunk(claim, start);
    ledger.intend(claim, pending).await.unwrap();
}

async fn record(ledger: &dyn Ledger, key: &str) -> Record {
    ledger.get("orders", &object(key)).await.unwrap().unwrap()
}

fn is_lost<T: std::fmt::Debug>(result: Result<T, LedgerError>) -> bool {
    matches!(&result, Err(error @ LedgerError::LostClaim { .. }) if error.disposition() == Disposition::Retry)
}

fn totals() -> Totals {
    Totals {
        cluster: "ingestion".into(),
        table: "shop.orders".into(),
        bytes: 7,
        steps: StepMillis { commit: 1, ..StepMillis::default() },
    }
}

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

/// Commits a chunk of ten rows that was sent to some clusters and is on others.
async fn landed(ledger: &dyn Ledger, claim: &mut Claim, sent_to: &[&str], on: &[&str]) {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let start = claim.next_row;
    let pending = Pending { clusters: names(sent_to), ..chunk(claim, start) };
    ledger.intend(claim, pending).await.unwrap();
    let named = names(&["ingestion", "adhoc"]);
    let done = ChunkDone { on: names(on), named, ..ten_rows(start + 10) };
    ledger.commit(claim, done).await.unwrap();
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

/// Claims are many, for many reasons; what counts is how often something stood in
/// the way of the next step.
pub async fn put_offs_are_counted_until_there_is_progress(
    ledger: Arc<dyn Ledger>,
    _clock: TestClock,
) {
    for expected in 0..3 {
        let claim = claimed(&*ledger, &request("a", &format!("owner {expected}"))).await;
        assert_eq!(claim.put_offs, expected);
        ledger.pause(claim, Some("the cluster is away")).await.unwrap();
        let claim = claimed(&*ledger, &request("a", &format!("deadline {expected}"))).await;
        ledger.pause(claim, None).await.unwrap();
    }
    let mut claim = claimed(&*ledger, &request("a", "progress")).await;
    assert_eq!((claim.put_offs, claim.attempt), (3, 7));
    begin(&*ledger, &mut claim, 0).await;
    ledger.commit(&mut claim, ten_rows(10)).await.unwrap();
    assert_eq!(claim.put_offs, 0);
    ledger.pause(claim, Some("the cluster is away")).await.unwrap();
    assert_eq!(claimed(&*ledger, &request("a", "last")).await.put_offs, 1);
}

/// Nothing in a key can make two objects one.
pub async fn any_key_is_its_own_object(ledger: Arc<dyn Ledger>, _clock: TestClock) {
    let (hashes, marks, wide) = ("#".repeat(1_024), "%".repeat(1_024), "ü".repeat(512));
    let keys =
        ["a#b", "a%23b", "a", "b#etag", " ", "a/b?c=1&d=+", "Ⅷ/😀\"\\\n", &hashes, &marks, &wide];
    for key in keys {
        let claim = claimed(&*ledger, &request(key, key)).await;
        assert_eq!(claim.fence, 1, "{key}");
    }
    for key in keys {
        let found = record(&*ledger, key).await;
        assert_eq!((found.object, found.owner.as_str()), (object(key), key));
    }
    let other = ClaimRequest { source: "returns".into(), ..request("a", "x") };
    assert_eq!(claimed(&*ledger, &other).await.fence, 1, "two sources may read one object");
    let mut version = request("a", "x");
    version.object.etag = "other".into();
    assert_eq!(claimed(&*ledger, &version).await.fence, 1, "other bytes are another object");
}

/// By source and over all sources, in a state, limited.
pub async fn listings_are_newest_first(ledger: Arc<dyn Ledger>, clock: TestClock) {
    for i in 0..12 {
        clock.pass(Duration::from_millis(10));
        let source = if i % 3 == 0 { "returns" } else { "orders" };
        let claim = claimed(
            &*ledger,
            &ClaimRequest { source: source.into(), ..request(&format!("k{i}"), "one") },
        )
        .await;
        if i % 2 == 0 {
            ledger.fail(claim, "bad").await.unwrap();
        }
    }
    let keys = async |source: Option<&str>, state: Option<State>, limit: usize| -> Vec<String> {
        let query = ListQuery { source: source.map(str::to_owned), state, limit };
        ledger.list(&query).await.unwrap().into_iter().map(|record| record.object.key).collect()
    };
    assert_eq!(keys(Some("orders"), None, 3).await, ["k11", "k10", "k8"]);
    assert_eq!(keys(Some("returns"), None, 100).await, ["k9", "k6", "k3", "k0"]);
    assert_eq!(keys(Some("orders"), Some(State::Failed), 2).await, ["k10", "k8"]);
    assert_eq!(keys(Some("orders"), Some(State::Done), 2).await, Vec::<String>::new());
    assert_eq!(keys(None, None, 4).await, ["k11", "k10", "k9", "k8"]);
    assert_eq!(keys(None, Some(State::Failed), 100).await, ["k10", "k8", "k6", "k4", "k2", "k0"]);
    assert_eq!(keys(Some("nobody"), None, 100).await, Vec::<String>::new());
    assert_eq!(keys(None, None, 0).await, Vec::<String>::new());
}

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
