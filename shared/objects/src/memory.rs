//! The memory twin: objects in a map, with cuts that a test scripts.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use model::ObjectId;
use sha2::{Digest, Sha256};

use crate::body::{Segment, Segments, clip};
use crate::error::Cause;
use crate::{Body, ObjectError, ObjectInfo, ObjectReader};

/// Bytes of one piece of a body: small, so that tests see several.
const PIECE: usize = 1024;

/// Objects in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryObjects {
    shelf: Arc<Shelf>,
}

impl MemoryObjects {
    /// No objects yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an object there, in place of one with the same key.
    pub fn put(&self, bucket: &str, key: &str, content: impl Into<Bytes>) -> ObjectId {
        let content = content.into();
        let etag = Sha256::digest(&content)
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        let id = ObjectId { bucket: bucket.to_owned(), key: key.to_owned(), etag: etag.clone() };
        self.shelf.lock().objects.insert((bucket.to_owned(), key.to_owned()), (etag, content));
        id
    }

    /// Takes an object away.
    pub fn remove(&self, bucket: &str, key: &str) {
        self.shelf.lock().objects.remove(&(bucket.to_owned(), key.to_owned()));
    }

    /// Scripts a cut: the next request (after those scripted before) breaks
    /// after this many bytes.
    pub fn cut_after(&self, bytes: usize) {
        self.shelf.lock().cuts.push_back(bytes);
    }

    /// How many requests for bodies there were, and how many scripted cuts are
    /// still to come.
    #[must_use]
    pub fn requests_and_cuts(&self) -> (usize, usize) {
        let state = self.shelf.lock();
        (state.requests, state.cuts.len())
    }
}

#[async_trait]
impl ObjectReader for MemoryObjects {
    async fn head(&self, bucket: &str, key: &str) -> Result<ObjectInfo, ObjectError> {
        let (etag, content) = self.shelf.find(bucket, key)?;
        let id = ObjectId { bucket: bucket.to_owned(), key: key.to_owned(), etag };
        Ok(ObjectInfo { id, size: content.len() as u64 })
    }

    async fn read(&self, id: &ObjectId, range: Option<Range<u64>>) -> Result<Body, ObjectError> {
        Body::open(self.shelf.clone(), id, range).await
    }
}

#[derive(Debug, Default)]
struct Shelf(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    objects: HashMap<(String, String), (String, Bytes)>,
    cuts: VecDeque<usize>,
    requests: usize,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, bucket: &str, key: &str) -> Result<(String, Bytes), ObjectError> {
        let found = self.lock().objects.get(&(bucket.to_owned(), key.to_owned())).cloned();
        found.ok_or_else(|| ObjectError::Missing { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

#[async_trait]
impl Segments for Shelf {
    async fn open(&self, id: &ObjectId, range: Option<Range<u64>>) -> Result<Segment, ObjectError> {
        let (etag, content) = self.find(&id.bucket, &id.key)?;
        if etag != id.etag {
            return Err(ObjectError::Changed { object: id.clone() });
        }
        let range = clip(id, range, content.len() as u64)?;
        // Both ends lie within `content`, whose length is a usize.
        let within = |at: u64| usize::try_from(at).unwrap_or(content.len());
        let mut left = content.slice(within(range.start)..within(range.end));
        let cut = {
            let mut state = self.lock();
            state.requests += 1;
            state.cuts.pop_front()
        };
        if let Some(cut) = cut {
            left.truncate(cut);
        }
        let mut pieces: Vec<Result<Bytes, Cause>> = Vec::new();
        while !left.is_empty() {
            pieces.push(Ok(left.split_to(left.len().min(PIECE))));
        }
        if cut.is_some() {
            pieces.push(Err("a scripted cut".into()));
        }
        Ok(Segment { range, stream: futures::stream::iter(pieces).boxed() })
    }
}
