//! What can go wrong with an object, and what is to be done about it.

use model::{Disposed, Disposition, ObjectId};
use thiserror::Error;

/// The cause below an [`ObjectError`], as its library reports it.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an object cannot be read.
#[derive(Debug, Error)]
pub enum ObjectError {
    /// The key holds another version by now.
    #[error(
        "{object} was overwritten while it was waiting or being read: the new version brings its own event"
    )]
    Changed {
        /// The version that was asked for.
        object: ObjectId,
    },
    /// There is no such key (any more).
    #[error("s3://{bucket}/{key} does not exist (any more)")]
    Missing {
        /// Name of the bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// The object lies in an archive tier and cannot be read without a restore.
    #[error("s3://{bucket}/{key} is archived ({code}): restore it, then load it again")]
    Archived {
        /// Name of the bucket.
        bucket: String,
        /// The key.
        key: String,
        /// What S3 calls the state.
        code: String,
    },
    /// This process may not read the object.
    #[error(
        "reading s3://{bucket}/{key} is denied ({reason}): grant {permission} on the bucket (and kms:Decrypt where \
         it is encrypted with a key of its own)"
    )]
    Denied {
        /// Name of the bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The permission that is missing.
        permission: &'static str,
        /// What was answered.
        reason: String,
    },
    /// A range was asked for that starts at or behind the end.
    #[error("{object} ends before byte {start}")]
    OutOfRange {
        /// The object.
        object: ObjectId,
        /// First byte of the range.
        start: u64,
    },
    /// More bytes than the caller is ready to hold.
    #[error("{object} is larger than the {limit} bytes that are read at once")]
    TooLarge {
        /// The object.
        object: ObjectId,
        /// The limit in bytes.
        limit: usize,
    },
    /// The body stopped in the middle, and went on stopping when it was resumed.
    #[error("the body of {object} was cut after byte {at}, {resumes} resumed reads included")]
    Cut {
        /// The object.
        object: ObjectId,
        /// Bytes from the object's start that were delivered.
        at: u64,
        /// How many times the read was taken up again.
        resumes: u32,
        /// What the last cut looked like.
        #[source]
        source: Cause,
    },
    /// Throttled, unreachable, or an error on the other side.
    #[error("{what} s3://{bucket}/{key} failed for now")]
    Unavailable {
        /// What was tried: `reading`, `looking up`.
        what: &'static str,
        /// Name of the bucket.
        bucket: String,
        /// The key.
        key: String,
        /// What was answered.
        #[source]
        source: Cause,
    },
}

impl Disposed for ObjectError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Changed { .. }
            | Self::Missing { .. }
            | Self::Archived { .. }
            | Self::OutOfRange { .. }
            | Self::TooLarge { .. } => Disposition::Quarantine,
            Self::Denied { .. } => Disposition::Fatal,
            Self::Cut { .. } | Self::Unavailable { .. } => Disposition::Retry,
        }
    }
}
