//! Why an object was not loaded.

use catalog::CatalogError;
use decode::DecodeError;
use kafka::KafkaError;
use ledger::LedgerError;
use model::{Disposed, Disposition};
use objects::ObjectError;
use thiserror::Error;
use transform::MapError;
use warehouse::WarehouseError;

/// Why an object was not loaded, with what is to be done about it.
#[derive(Debug, Error)]
pub enum IngestError {
    /// Its source document could not be found.
    #[error("finding the source of s3://{bucket}/{key}")]
    Source {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// Why.
        #[source]
        cause: Box<CatalogError>,
    },
    /// The source documents could not be read.
    #[error("reading the source documents")]
    Catalog {
        /// Why.
        #[source]
        cause: Box<CatalogError>,
    },
    /// Its bytes could not be fetched.
    #[error("fetching {object}")]
    Fetch {
        /// The object.
        object: String,
        /// Why.
        #[source]
        cause: Box<ObjectError>,
    },
    /// Its bytes are not what the document says.
    #[error("decoding {object}")]
    Decode {
        /// The object.
        object: String,
        /// Why.
        #[source]
        cause: Box<DecodeError>,
    },
    /// Its rows could not be mapped, and the document says that the object fails then.
    #[error("transforming {object}")]
    Transform {
        /// The object.
        object: String,
        /// Why.
        #[source]
        cause: Box<MapError>,
    },
    /// Too many of its rows are bad.
    #[error(
        "{bad} of {read} rows are bad, {tolerated} are tolerated; the first is row {row}{place}: {reason}"
    )]
    TooManyBadRows {
        /// Bad rows so far.
        bad: u64,
        /// Rows read so far.
        read: u64,
        /// What the document tolerates, in words.
        tolerated: String,
        /// Ordinal of the first bad row of this chunk.
        row: u64,
        /// Its column, in words.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its rows could not be written.
    #[error("writing {object}")]
    Write {
        /// The object.
        object: String,
        /// Why.
        #[source]
        cause: Box<WarehouseError>,
    },
    /// The ledger could not be read or written.
    #[error("keeping the ledger of {object}")]
    Ledger {
        /// The object.
        object: String,
        /// Why.
        #[source]
        cause: Box<LedgerError>,
    },
    /// The ledger says that this delivery's object failed before.
    #[error("{object} failed before: {reason}")]
    FailedBefore {
        /// The object.
        object: String,
        /// Why it failed.
        reason: String,
    },
    /// The document was changed after a failure in a way that does not fit the
    /// rows that are there already.
    #[error(
        "{object}: {rows} of its rows were written to {table} by version {before} of the document, and version \
         {now} changed `{field}`, so that the rest would not go with them; put a version with the old `{field}`, \
         or delete the rows whose `_object` is this one and load the file under another name"
    )]
    Discontinued {
        /// The object.
        object: String,
        /// Source rows that are accounted for.
        rows: u64,
        /// The version that wrote them.
        before: u64,
        /// The version that was to go on.
        now: u64,
        /// Where they are.
        table: String,
        /// What was changed.
        field: &'static str,
    },
    /// It has more unknown columns than are added.
    #[error(
        "{object}: with {new} more, {there} columns of {table} would come from drift, and {most} are added at most;          such keys are mostly data: read what holds them into a Map or a JSON column, or set `drift.unknown: ignore`"
    )]
    TooManyColumns {
        /// The object.
        object: String,
        /// How many columns of the object are new.
        new: usize,
        /// How many there would be.
        there: usize,
        /// The destination.
        table: String,
        /// The limit.
        most: usize,
    },
    /// A cluster lacks rows of an object that cannot be read again.
    #[error(
        "{object}: cluster `{cluster}` lacks rows of it, and {problem}; copy the rows of {table} whose `_object` is \
         this one from cluster {on}"
    )]
    Gone {
        /// The object.
        object: String,
        /// The cluster that lacks rows.
        cluster: String,
        /// The clusters that hold rows of it.
        on: String,
        /// The destination.
        table: String,
        /// What became of the object.
        problem: String,
    },
    /// A cluster holds rows of an object more than once, or some of a chunk only.
    #[error(
        "{object}: cluster `{cluster}` holds {there} rows of the source rows {start} to {end} in {table}, and {expected} \
         are right: a part of them had landed, and the table has forgotten the token since; delete them there \
         (`ALTER TABLE … DELETE WHERE _object = … AND _row >= … AND _row < …`) and try again"
    )]
    WrongCount {
        /// The object.
        object: String,
        /// The cluster.
        cluster: String,
        /// The destination.
        table: String,
        /// Rows that are there.
        there: u64,
        /// Rows that should be.
        expected: u64,
        /// First source row.
        start: u64,
        /// The one behind the last.
        end: u64,
    },
    /// A message names a part of an object that is not split so.
    #[error(
        "{object}: the ledger knows of no part {part} of it; if its record was removed, send the object without a part"
    )]
    NoPart {
        /// The object.
        object: String,
        /// The number of the part.
        part: u32,
    },
    /// A message names a part of a version that is no more.
    #[error(
        "{object}: the message is about part {part} of the version with etag {before}, which was overwritten before \
         the part was loaded; the new version is an object of its own"
    )]
    PartOverwritten {
        /// The object as it is.
        object: String,
        /// The number of the part.
        part: u32,
        /// The etag that it had.
        before: String,
    },
    /// Its key was overwritten while it was loaded, and the document says that the
    /// newest version replaces the others.
    #[error(
        "{object} was overwritten while it was loaded (its etag is {etag} now): its rows were deleted, and the new \
         version is loaded by its own message"
    )]
    Overwritten {
        /// The object.
        object: String,
        /// The etag that the key has now.
        etag: String,
    },
    /// Another version of the key is to be replaced, and somebody pays what it owes.
    #[error(
        "{object} takes the place of {other}, whose debts are being paid right now: its rows are deleted once that \
         is over"
    )]
    PaidFor {
        /// The object.
        object: String,
        /// The version that it replaces.
        other: String,
    },
    /// A version that was to be replaced is what the key holds again.
    #[error(
        "{object} was to take the place of {other}, and the key holds that one again: it is loaded anew by the next \
         delivery of this message"
    )]
    CameBack {
        /// The object.
        object: String,
        /// The version that is there again.
        other: String,
    },
    /// No source takes the records of a topic.
    #[error(
        "no enabled source takes the records of topic `{topic}`: put a document of kind `kafka` that names it in \
         `stream.topics`, or leave the topic out of the trigger"
    )]
    NoTopic {
        /// The topic.
        topic: String,
    },
    /// Records could not be read from Kafka once more.
    #[error("reading {run} once more")]
    Records {
        /// The records.
        run: String,
        /// Why.
        #[source]
        cause: Box<KafkaError>,
    },
    /// An INSERT of another function may be under way, and cannot be sent again here.
    #[error(
        "{batch} may be under way in another function until {until_ms} ms since 1970, and cannot be sent \
         again here: {reason}; the same records can be taken later"
    )]
    Unsettled {
        /// The records.
        batch: String,
        /// When that function is surely gone.
        until_ms: i64,
        /// Why it cannot be sent again.
        reason: String,
    },
    /// A server has refused an INSERT whose rows are in its table all the same.
    #[error(
        "{batch}: cluster `{cluster}` refuses the INSERT, and {there} of its records are in {table}: a view on the table \
         refuses what the table has taken; mend the view, or drop it, and the same INSERT is sent again by itself"
    )]
    ViewRefuses {
        /// The records.
        batch: String,
        /// The cluster.
        cluster: String,
        /// Records that are in the table.
        there: usize,
        /// The table.
        table: String,
        /// What the server says.
        #[source]
        cause: Box<Self>,
    },
    /// A cluster lacks records that Kafka has no more.
    #[error(
        "cluster `{cluster}` lacks records of {run}, and they cannot be had from Kafka any more: {reason}; copy the rows of {table} \
         with these offsets from cluster {on}, and run reconcile again"
    )]
    BeyondRetention {
        /// The records.
        run: String,
        /// The cluster.
        cluster: String,
        /// The destination.
        table: String,
        /// The clusters that hold them.
        on: String,
        /// What Kafka says.
        reason: String,
    },
    /// Records are nowhere any more.
    #[error(
        "{lost} records of {run} were never taken, and Kafka has them no more: its first is at offset {earliest} now; \
         keep the topic for longer than a repair takes (`retention.ms`)"
    )]
    Lost {
        /// The records.
        run: String,
        /// How many.
        lost: u64,
        /// The first offset that the partition still has.
        earliest: i64,
    },
    /// Records are to be read from Kafka, and nobody says where it is.
    #[error("{run} is to be read from Kafka, and MOTHERLODE_KAFKA_BROKERS is not set")]
    NoBrokers {
        /// The records.
        run: String,
    },
    /// The invocation's time was over before the INSERT was done.
    #[error(
        "{batch}: the time of the invocation was over before its INSERT was done; raise the function's timeout, or \
         lower the trigger's batch size"
    )]
    NoTime {
        /// The records.
        batch: String,
    },
    /// One chunk does not fit into the time of one invocation.
    #[error(
        "{object}: no chunk could be finished from row {row} on within one invocation; \
         lower write.rows_per_chunk or raise the function's timeout"
    )]
    NoProgress {
        /// The object.
        object: String,
        /// The row at which the object stands.
        row: u64,
    },
    /// The thread that decodes ended without a word.
    #[error("the decoding thread of {object} ended early: {reason}")]
    Thread {
        /// The object.
        object: String,
        /// What is known.
        reason: String,
    },
}

impl Disposed for IngestError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Source { cause, .. } | Self::Catalog { cause } => cause.disposition(),
            Self::Fetch { cause, .. } => cause.disposition(),
            Self::Decode { cause, .. } => cause.disposition(),
            Self::Transform { cause, .. } => cause.disposition(),
            Self::Write { cause, .. } => cause.disposition(),
            Self::Ledger { cause, .. } => cause.disposition(),
            Self::TooManyBadRows { .. }
            | Self::FailedBefore { .. }
            | Self::Discontinued { .. }
            | Self::NoPart { .. }
            | Self::Overwritten { .. }
            | Self::PartOverwritten { .. }
            | Self::TooManyColumns { .. } => Disposition::Quarantine,
            Self::NoProgress { .. } | Self::Gone { .. } | Self::WrongCount { .. } => {
                Disposition::Fatal
            }
            Self::NoTopic { .. }
            | Self::BeyondRetention { .. }
            | Self::Lost { .. }
            | Self::NoBrokers { .. } => Disposition::Fatal,
            Self::Records { cause, .. } => cause.disposition(),
            Self::Thread { .. }
            | Self::Unsettled { .. }
            | Self::ViewRefuses { .. }
            | Self::NoTime { .. }
            | Self::PaidFor { .. }
            | Self::CameBack { .. } => Disposition::Retry,
        }
    }
}

impl IngestError {
    /// The error and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    /// Whether something that is away or overloaded needs time and nothing else.
    #[must_use]
    pub fn needs_time(&self) -> bool {
        match self {
            Self::Write { cause, .. } => cause.needs_time(),
            Self::Fetch { cause, .. } => cause.disposition() == Disposition::Retry,
            Self::PaidFor { .. } => true,
            _ => false,
        }
    }

    /// Whether another function has changed what is known of the partitions.
    #[must_use]
    pub fn is_overtaken(&self) -> bool {
        matches!(self, Self::Ledger { cause, .. } if matches!(**cause, LedgerError::Overtaken { .. }))
    }

    /// Whether the key holds another version by now.
    #[must_use]
    pub fn is_overwritten(&self) -> bool {
        match self {
            Self::Overwritten { .. } => true,
            Self::Fetch { cause, .. } => matches!(**cause, objects::ObjectError::Changed { .. }),
            _ => false,
        }
    }

    /// Whether another worker has taken the object over.
    #[must_use]
    pub fn is_lost_claim(&self) -> bool {
        matches!(self, Self::Ledger { cause, .. } if matches!(**cause, LedgerError::LostClaim { .. }))
    }
}
