//! What every ledger must do: the tests that the DynamoDB ledger and its twin
//! share. Each takes an empty ledger and the clock that it runs on.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this module is test code, compiled for tests only"
)]

mod again;
mod claims;
mod debts;
mod listings;
mod parts;
mod races;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model::{ChunkBounds, Clock, Counts, Disposed, Disposition, ObjectId, Token};

use crate::{
    ChunkDone, Claim, ClaimOutcome, ClaimRequest, Extent, Ledger, LedgerError, ListQuery, Part,
    Pending, Record, State, StepMillis, Totals,
};

pub use self::again::*;
pub use self::claims::*;
pub use self::debts::*;
pub use self::listings::*;
pub use self::parts::*;
pub use self::races::*;

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
