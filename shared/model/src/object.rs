//! An object: one version of one S3 key.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One version of one S3 key. The same key with other bytes has another etag
/// and is another object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectId {
    /// Name of the bucket.
    pub bucket: String,
    /// The key, decoded (as `GetObject` takes it, not as a notification spells it).
    pub key: String,
    /// The entity tag without its quotes.
    pub etag: String,
}

impl fmt::Display for ObjectId {
    /// `s3://bucket/key@etag`: the value of the provenance column `_object`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}@{}", self.bucket, self.key, self.etag)
    }
}
