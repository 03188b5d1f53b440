//! The port: what the rest of Motherlode knows about where bytes come from.

use std::ops::Range;

use async_trait::async_trait;
use model::ObjectId;

use crate::{Body, ObjectError};

/// What an object is at the moment of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Bucket, key and the etag of the current version.
    pub id: ObjectId,
    /// Bytes as stored, that is compressed where the object is.
    pub size: u64,
}

/// Where objects are read.
#[async_trait]
pub trait ObjectReader: Send + Sync {
    /// The current version of a key.
    ///
    /// # Errors
    /// [`ObjectError::Missing`] when there is none; see [`ObjectError`] for the rest.
    async fn head(&self, bucket: &str, key: &str) -> Result<ObjectInfo, ObjectError>;

    /// The bytes of exactly the version that `id` names: the whole object, or a
    /// range of it. A range that goes past the end stops at the end.
    ///
    /// # Errors
    /// [`ObjectError::Changed`] when the key holds another version by now,
    /// [`ObjectError::OutOfRange`] when the range starts at or behind the end.
    async fn read(&self, id: &ObjectId, range: Option<Range<u64>>) -> Result<Body, ObjectError>;
}
