//! The words of the ledger: what is asked of it and what it remembers.

use std::time::Duration;

use model::{ChunkBounds, Counts, ObjectId, Token};
use serde::{Deserialize, Serialize};

use crate::Extent;

/// How far an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// An owner holds it; or held it and died, once the lease is over.
    Loading,
    /// Its owner gave it up at a chunk boundary; the next one goes on.
    Paused,
    /// Every row is accounted for.
    Done,
    /// It is loaded in parts, each with a record of its own.
    Split,
    /// Its rows were deleted: another version of its key took their place.
    Replaced,
    /// It cannot be loaded; the reason is in the record.
    Failed,
}

impl State {
    /// The word in items, logs and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Split => "split",
            Self::Replaced => "replaced",
            Self::Failed => "failed",
        }
    }

    /// The state that a word names.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Loading, Self::Paused, Self::Done, Self::Split, Self::Replaced, Self::Failed]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// Milliseconds that the five steps took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepMillis {
    /// Waiting for bytes of the object.
    pub fetch: u64,
    /// Decoding, decompression included.
    pub decode: u64,
    /// Casting columns and doing the document's steps.
    pub transform: u64,
    /// Writing to the cluster.
    pub write: u64,
    /// Writing to the ledger.
    pub commit: u64,
}

impl std::ops::AddAssign for StepMillis {
    fn add_assign(&mut self, other: Self) {
        self.fetch += other.fetch;
        self.decode += other.decode;
        self.transform += other.transform;
        self.write += other.write;
        self.commit += other.commit;
    }
}

/// A chunk that is being sent, or was being sent when its owner died. The next
/// owner replays exactly this chunk, with this token, on the clusters it was
/// sent to as long as one of them can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Source rows of the chunk.
    pub bounds: ChunkBounds,
    /// Deduplication token of its INSERT.
    pub token: Token,
    /// The clusters it was sent to and may be on; never none. A chunk is pinned
    /// to them; another is added only when none of them answers.
    pub clusters: Vec<String>,
    /// What its rows say in `_loaded_at`, in milliseconds since 1970. A replay
    /// writes the same: a table partitioned by it would otherwise put the rows
    /// of a replay after midnight, token or no token, into another partition.
    pub loaded_at_ms: i64,
}

impl Pending {
    /// Whether `next` is the same chunk, sent to the same clusters and perhaps
    /// to more.
    #[must_use]
    pub fn is_continued_by(&self, next: &Self) -> bool {
        let is_same = Self { clusters: Vec::new(), ..self.clone() }
            == Self { clusters: Vec::new(), ..next.clone() };
        is_same && next.clusters.starts_with(&self.clusters)
    }
}

/// A run of source rows of a large object that is loaded by itself, beside the
/// others. It begins and ends where chunks do: whether an object is split changes
/// none of its chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number, from 0.
    pub index: u32,
    /// Source rows, from this one.
    pub start: u64,
    /// Up to this one, exclusive.
    pub end: u64,
}

/// Asks for an object, or for a part of one.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The source whose rows the object holds.
    pub source: String,
    /// The object.
    pub object: ObjectId,
    /// The part that is asked for; the whole object otherwise.
    pub part: Option<Part>,
    /// The version of the source document to freeze, should this be the first
    /// claim, or the first after a failure.
    pub config_version: u64,
    /// Who asks; differs for every invocation.
    pub owner: String,
    /// How long the claim holds without a renewal. It must be longer than the
    /// longest silence of a live owner, that is than the INSERT of one chunk.
    pub lease: Duration,
    /// Whether an object that failed is tried again.
    pub retry_failed: bool,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The object is the requester's.
    Claimed(Claim),
    /// Another owner has it.
    Busy {
        /// When its lease ends, in milliseconds since 1970.
        lease_until_ms: i64,
    },
    /// It is done; there is nothing to do.
    Done(Record),
    /// It failed, and the request did not ask to try again.
    Failed(Record),
    /// It is loaded in parts; the record names them.
    Split(Record),
}

/// The right to load an object. Whoever holds it hands it back through
/// `finish`, `fail` or `pause`, or loses it when the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The source.
    pub source: String,
    /// The object.
    pub object: ObjectId,
    /// The part that is held, when it is not the whole object.
    pub part: Option<Part>,
    /// Who holds the claim.
    pub owner: String,
    /// Rises with every claim of the object; a write under an older fence fails.
    pub fence: u64,
    /// How long the claim holds after each write.
    pub lease: Duration,
    /// When the lease ends, in milliseconds since 1970.
    pub lease_until_ms: i64,
    /// When the object was begun once more from its first row, in milliseconds
    /// since 1970; 0 when it never was. Part of its tokens, and earlier than
    /// every `_loaded_at` since.
    pub again_ms: i64,
    /// Version of the source document that the object is loaded with: frozen by
    /// its first claim, and by the first after a failure.
    pub config_version: u64,
    /// Version that the newest committed chunk was written with, if there is
    /// one: another than `config_version` right after a failure.
    pub written_version: Option<u64>,
    /// First source row that is not committed.
    pub next_row: u64,
    /// Rows of the committed chunks.
    pub counts: Counts,
    /// Bytes read for the committed chunks, as noted by `commit`.
    pub bytes: u64,
    /// Milliseconds spent on the committed chunks.
    pub steps: StepMillis,
    /// The chunk that a former owner had begun; it comes first.
    pub pending: Option<Pending>,
    /// Where the committed chunks are.
    pub extents: Vec<Extent>,
    /// Which try this is: claims since the object was new, or last failed.
    pub attempt: u32,
    /// How often it was given up for a reason since it last made progress.
    pub put_offs: u32,
    /// When this claim was made, in milliseconds since 1970.
    pub claimed_at_ms: i64,
    /// Milliseconds that former owners held the object, but for those that died.
    pub held_before_ms: u64,
}

/// What one committed chunk adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkDone {
    /// First source row after the chunk.
    pub next_row: u64,
    /// Rows of this chunk (`chunks` is 1).
    pub counts: Counts,
    /// Bytes of the object that were read since the last commit.
    pub bytes: u64,
    /// Milliseconds that were spent since the last commit.
    pub steps: StepMillis,
    /// Clusters that have said that they hold it.
    pub on: Vec<String>,
    /// Clusters that are to hold it.
    pub named: Vec<String>,
}

/// What is noted when an object is done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// The cluster that the rows are on.
    pub cluster: String,
    /// The destination table, as `database.name`.
    pub table: String,
    /// Bytes that were read since the last commit.
    pub bytes: u64,
    /// Milliseconds that were spent since the last commit.
    pub steps: StepMillis,
}

/// What the ledger remembers about an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The source.
    pub source: String,
    /// The object.
    pub object: ObjectId,
    /// The part of it that this record is about, when it is not about all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The parts that it is loaded in, when it is split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// How far it is.
    pub state: State,
    /// Who holds it, or held it last.
    pub owner: String,
    /// When the lease ends; 0 when nobody holds the object.
    pub lease_until_ms: i64,
    /// Number of claims so far.
    pub fence: u64,
    /// When it was begun once more from its first row; 0 when it never was.
    #[serde(default)]
    pub again_ms: i64,
    /// Version of the source document that it is loaded with.
    pub config_version: u64,
    /// Version that the newest committed chunk was written with.
    #[serde(default)]
    pub written_version: Option<u64>,
    /// First source row that is not committed.
    pub next_row: u64,
    /// Rows of the committed chunks.
    pub counts: Counts,
    /// Bytes of the object that were read.
    pub bytes: u64,
    /// Milliseconds of the five steps.
    pub steps: StepMillis,
    /// A chunk that may or may not have landed.
    pub pending: Option<Pending>,
    /// Where the committed chunks are.
    #[serde(default)]
    pub extents: Vec<Extent>,
    /// Whether a cluster that its source names lacks some of them.
    #[serde(default)]
    pub is_owing: bool,
    /// Who pays what it owes, until when in milliseconds since 1970.
    #[serde(default)]
    pub payer: Option<(String, i64)>,
    /// Claims since the object was new, or last failed.
    pub attempt: u32,
    /// How often it was given up for a reason since it last made progress.
    #[serde(default)]
    pub put_offs: u32,
    /// When the last claim was made.
    pub claimed_at_ms: i64,
    /// When the record was last changed.
    pub updated_at_ms: i64,
    /// When it was done or failed.
    pub finished_at_ms: Option<i64>,
    /// Milliseconds that owners held it, but for those that died.
    pub duration_ms: u64,
    /// The cluster that the rows are on, once it is done.
    pub cluster: Option<String>,
    /// The destination table, once it is done.
    pub table: Option<String>,
    /// Why it failed, or what stood in the way when it was last given up.
    pub reason: Option<String>,
}

impl Record {
    /// The claim of this record's owner.
    pub(crate) fn claim(&self, lease: Duration) -> Claim {
        Claim {
            source: self.source.clone(),
            object: self.object.clone(),
            part: self.part,
            owner: self.owner.clone(),
            fence: self.fence,
            lease,
            lease_until_ms: self.lease_until_ms,
            again_ms: self.again_ms,
            config_version: self.config_version,
            written_version: self.written_version,
            next_row: self.next_row,
            counts: self.counts,
            bytes: self.bytes,
            steps: self.steps,
            pending: self.pending.clone(),
            extents: self.extents.clone(),
            attempt: self.attempt,
            put_offs: self.put_offs,
            claimed_at_ms: self.claimed_at_ms,
            held_before_ms: self.duration_ms,
        }
    }
}

/// The right to pay what an object owes. It does not keep a worker from going on
/// with the object: then the next payment fails, and is made anew later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebtClaim {
    /// Who pays; differs for every try.
    pub payer: String,
    /// How long the claim holds after each payment.
    pub lease: Duration,
    /// The object as it is.
    pub record: Record,
}

/// Which records to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only this source's.
    pub source: Option<String>,
    /// Only those in this state.
    pub state: Option<State>,
    /// At most this many.
    pub limit: usize,
}
