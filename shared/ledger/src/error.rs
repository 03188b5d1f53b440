//! What can go wrong with the ledger.

use dynamo::Fault;
use model::{Disposed, Disposition, ObjectId, Token};
use thiserror::Error;

/// What can go wrong with the ledger.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Another owner has taken the object over (or it was removed): this
    /// worker must stop at once and write nothing more.
    #[error(
        "source {feed}: {owner} no longer holds the claim on {object}; its lease ran out and another took over. Stop here; the other goes on"
    )]
    LostClaim {
        /// The source.
        feed: String,
        /// The object.
        object: ObjectId,
        /// Who held the claim.
        owner: String,
    },
    /// A chunk is to be sent while another one is pending.
    #[error(
        "source {feed}: chunk {wanted} of {object} cannot begin: {found} is pending; replay or commit that first"
    )]
    OtherPending {
        /// The source.
        feed: String,
        /// The object.
        object: Box<ObjectId>,
        /// The chunk that was to begin.
        wanted: Token,
        /// The chunk that is pending.
        found: Token,
    },
    /// A commit without an intention.
    #[error(
        "source {feed}: nothing of {object} is pending, so nothing can be committed; intend comes first"
    )]
    NothingPending {
        /// The source.
        feed: String,
        /// The object.
        object: ObjectId,
    },
    /// A commit whose progress does not lie within its chunk.
    #[error(
        "source {feed}: {object} cannot go from row {from} to row {to}; the pending chunk ends at {end}"
    )]
    OutsideChunk {
        /// The source.
        feed: String,
        /// The object.
        object: ObjectId,
        /// First row that was not committed.
        from: u64,
        /// Where the progress was to move.
        to: u64,
        /// End of the pending chunk.
        end: u64,
    },
    /// The object was to be finished with a chunk pending.
    #[error(
        "source {feed}: {object} cannot be finished: chunk {pending} is pending; commit it first"
    )]
    StillPending {
        /// The source.
        feed: String,
        /// The object.
        object: ObjectId,
        /// The pending chunk.
        pending: Token,
    },
    /// Somebody else pays what an object owes, or a worker goes on with it.
    #[error(
        "source {feed}: {payer} no longer pays what {object} owes: another pays, or a worker goes on with the object. Stop here; what was written is found by the next payer"
    )]
    LostDebts {
        /// The source.
        feed: String,
        /// The object.
        object: ObjectId,
        /// Who paid.
        payer: String,
    },
    /// Claims of the same object changed it faster than it could be read.
    #[error(
        "source {feed}: {object} changed hands too often while it was being claimed; the same call can succeed later"
    )]
    Contended {
        /// The source.
        feed: String,
        /// The object.
        object: ObjectId,
    },
    /// The record of a partition was changed since it was read.
    #[error(
        "source {feed}: another function has changed what is known of {partitions}; the same records can be taken later"
    )]
    Overtaken {
        /// The source.
        feed: String,
        /// The partitions, as `topic/partition`.
        partitions: String,
    },
    /// The table cannot be used.
    #[error(transparent)]
    Table(#[from] Fault),
}

impl Disposed for LedgerError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::LostClaim { .. }
            | Self::LostDebts { .. }
            | Self::Contended { .. }
            | Self::Overtaken { .. } => Disposition::Retry,
            Self::OtherPending { .. }
            | Self::NothingPending { .. }
            | Self::OutsideChunk { .. }
            | Self::StillPending { .. } => Disposition::Fatal,
            Self::Table(fault) => fault.disposition(),
        }
    }
}
