//! What has been claimed, written and finished.
//!
//! One record per source and object. A worker claims the object, notes each
//! chunk before it is sent (intend), moves on after it has landed (commit), and
//! finishes, fails or pauses the object. Every write after the claim holds only
//! while the worker is still the owner under the same fence, so that a worker
//! whose lease was taken over can change nothing any more. [`DynamoLedger`] is
//! the real one, [`MemoryLedger`] its twin; both pass the same contract.

mod change;
mod dynamodb;
mod error;
mod extent;
mod item;
mod list;
mod memory;
mod outages;
mod partition;
mod partitions;
mod record;
mod table;
mod transition;

#[cfg(any(test, feature = "contract"))]
pub mod contract;
#[cfg(any(test, feature = "contract"))]
pub mod partition_contract;

use std::time::Duration;

use async_trait::async_trait;
use model::ObjectId;

pub use dynamodb::DynamoLedger;
pub use error::LedgerError;
pub use extent::{Extent, is_owing, paid};
pub use memory::MemoryLedger;
pub use outages::{NodeOutage, Outages};
pub use partition::{Landed, PartitionRecord, PendingInsert, SentInsert, StreamDebt};
pub use partitions::{DynamoPartitions, MOST_AT_ONCE, MemoryPartitions, Partitions};
pub use record::{
    ChunkDone, Claim, ClaimOutcome, ClaimRequest, DebtClaim, ListQuery, Part, Pending, Record,
    State, StepMillis, Totals,
};
pub use table::{BY_DEBT, BY_SOURCE, VARIABLE, create_table};

/// What was loaded, and who is loading what.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Takes the object for an owner, unless another one holds it, it is done,
    /// or it failed and is not to be tried again.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used. That somebody else has
    /// the object is an outcome, not an error.
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, LedgerError>;

    /// Notes the chunk that is about to be sent, and renews the lease. Noting
    /// the same chunk again changes nothing; it may be noted again with more
    /// clusters behind those it was sent to.
    ///
    /// # Errors
    /// [`LedgerError::LostClaim`] when another owner took over;
    /// [`LedgerError::OtherPending`] when another chunk is still pending.
    async fn intend(&self, claim: &mut Claim, pending: Pending) -> Result<(), LedgerError>;

    /// Moves the progress past the pending chunk, and renews the lease.
    ///
    /// # Errors
    /// [`LedgerError::LostClaim`] when another owner took over;
    /// [`LedgerError::NothingPending`] and [`LedgerError::OutsideChunk`] when the
    /// caller does not keep the order of things.
    async fn commit(&self, claim: &mut Claim, done: ChunkDone) -> Result<(), LedgerError>;

    /// Renews the lease.
    ///
    /// # Errors
    /// [`LedgerError::LostClaim`] when another owner took over.
    async fn renew(&self, claim: &mut Claim) -> Result<(), LedgerError>;

    /// Gives the object up for the next owner to go on with: progress and a
    /// pending chunk are kept. `reason` is what stood in the way, for whoever
    /// looks at the record; nothing at a deadline.
    ///
    /// # Errors
    /// [`LedgerError::LostClaim`] when another owner took over.
    async fn pause(&self, claim: Claim, reason: Option<&str>) -> Result<(), LedgerError>;

    /// Notes that the whole object has landed.
    ///
    /// # Errors
    /// [`LedgerError::LostClaim`] when another owner took over;
    /// [`LedgerError::StillPending`] when a chunk is not committed.
    async fn finish(&self, claim: Claim, totals: Totals) -> Result<Record, LedgerError>;

    /// Notes that the object cannot be loaded, and why. What was committed
    /// stays; a pending chunk is forgotten, so call this only once it is known
    /// not to have landed, or to be sent never again.
    ///
    /// # Errors
    /// [`LedgerError::LostClaim`] when another owner took over.
    async fn fail(&self, claim: Claim, reason: &str) -> Result<Record, LedgerError>;

    /// Notes that nobody can go on with the object, because its bytes are gone. A
    /// pending chunk stays in the record: it may have landed.
    ///
    /// # Errors
    /// [`LedgerError::LostClaim`] when another owner took over.
    async fn abandon(&self, claim: Claim, reason: &str) -> Result<Record, LedgerError>;

    /// Gives the object up to be loaded in parts, each claimed by itself. Nothing
    /// of it may have been sent yet.
    ///
    /// # Errors
    /// [`LedgerError::LostClaim`] when another owner took over.
    async fn split(&self, claim: Claim, parts: &[Part]) -> Result<Record, LedgerError>;

    /// The records of the parts of a split object, as far as there are any yet.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn parts(&self, whole: &Record) -> Result<Vec<Record>, LedgerError>;

    /// Notes that a split object is done, with what its parts brought. They must
    /// all be given, and be done. `named` are the clusters that are to hold its
    /// rows. Uniting again changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn unite(
        &self,
        whole: &Record,
        parts: &[Record],
        totals: Totals,
        named: &[String],
    ) -> Result<Record, LedgerError>;

    /// Notes that a split object cannot be loaded, and why, and what its parts
    /// have brought and owe all the same. They stay as they are: they may be tried
    /// again, and be united.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn fail_split(
        &self,
        whole: &Record,
        parts: &[Record],
        named: &[String],
        reason: &str,
    ) -> Result<(), LedgerError>;

    /// Lets an object that is done, failed or replaced be loaded once more from
    /// its first row, with the document as it is then: the next claim begins it.
    /// None when there is no such object, or somebody is loading it or paying what
    /// it owes.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn reopen(&self, source: &str, object: &ObjectId) -> Result<Option<Record>, LedgerError>;

    /// Notes that the rows of an object were deleted because another version of
    /// its key took their place: it owes nothing any more. False when somebody
    /// is loading it or paying what it owes; true also when there is no such
    /// object.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn replace(
        &self,
        source: &str,
        object: &ObjectId,
        reason: &str,
    ) -> Result<bool, LedgerError>;

    /// The record of one object, if there is one.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn get(&self, source: &str, object: &ObjectId) -> Result<Option<Record>, LedgerError>;

    /// Records, the last changed first.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn list(&self, query: &ListQuery) -> Result<Vec<Record>, LedgerError>;

    /// Records of a source that a cluster lacks rows of, the longest unchanged
    /// first; at most `limit`.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn owing(&self, source: &str, limit: usize) -> Result<Vec<Record>, LedgerError>;

    /// Takes the right to pay what an object owes. None when there is no such
    /// object, it is being loaded, or is being paid for by somebody else.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn claim_debts(
        &self,
        source: &str,
        object: &ObjectId,
        payer: &str,
        lease: Duration,
    ) -> Result<Option<DebtClaim>, LedgerError>;

    /// Notes where the rows are after a payment, and renews the right. `named`
    /// are the clusters that are to hold them.
    ///
    /// # Errors
    /// [`LedgerError::LostDebts`] when somebody else pays now, or a worker goes
    /// on with the object.
    async fn pay(
        &self,
        claim: &mut DebtClaim,
        extents: Vec<Extent>,
        named: &[String],
    ) -> Result<(), LedgerError>;

    /// Gives the right to pay back.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used. That the right was lost
    /// before is none.
    async fn release_debts(&self, claim: DebtClaim) -> Result<(), LedgerError>;
}
