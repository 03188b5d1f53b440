//! Local files as objects, for `motherlode load --local` and dry runs.

use std::collections::HashMap;
use std::io::{self, Read, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use model::ObjectId;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::body::{Segment, Segments, clip};
use crate::error::Cause;
use crate::{Body, ObjectError, ObjectInfo, ObjectReader};

/// The bucket of every local file.
pub const LOCAL_BUCKET: &str = "local";

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// Reads local files. The key is the path as the caller wrote it; the etag is
/// derived from the content, so that the same file loaded twice is one object.
#[derive(Debug, Clone, Default)]
pub struct FileObjects {
    files: Arc<Files>,
}

impl FileObjects {
    /// Reads paths relative to the current directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl ObjectReader for FileObjects {
    async fn head(&self, bucket: &str, key: &str) -> Result<ObjectInfo, ObjectError> {
        let seen =
            self.files.look(key).await.map_err(|error| file_error("looking up", key, error))?;
        let id = ObjectId { bucket: bucket.to_owned(), key: key.to_owned(), etag: seen.etag };
        Ok(ObjectInfo { id, size: seen.size })
    }

    async fn read(&self, id: &ObjectId, range: Option<Range<u64>>) -> Result<Body, ObjectError> {
        Body::open(self.files.clone(), id, range).await
    }
}

/// What a file was when it was last hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    size: u64,
    modified: Option<SystemTime>,
    etag: String,
}

#[derive(Debug, Default)]
struct Files {
    /// Hashing a large file for every range that is read would cost more than
    /// the reading: a file is hashed again only when size or time changed.
    seen: Mutex<HashMap<PathBuf, Seen>>,
}

impl Files {
    async fn look(&self, key: &str) -> io::Result<Seen> {
        let path = PathBuf::from(key);
        let metadata = tokio::fs::metadata(&path).await?;
        if metadata.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder; name its files",
            ));
        }
        let (size, modified) = (metadata.len(), metadata.modified().ok());
        if let Some(seen) = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&path)
            && seen.size == size
            && seen.modified == modified
        {
            return Ok(seen.clone());
        }
        let hashed = path.clone();
        let etag = tokio::task::spawn_blocking(move || hash(&hashed))
            .await
            .map_err(io::Error::other)??;
        let seen = Seen { size, modified, etag };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(path, seen.clone());
        Ok(seen)
    }
}

#[async_trait]
impl Segments for Files {
    async fn open(&self, id: &ObjectId, range: Option<Range<u64>>) -> Result<Segment, ObjectError> {
        let failed = |error| file_error("reading", &id.key, error);
        let seen = self.look(&id.key).await.map_err(failed)?;
        if seen.etag != id.etag {
            return Err(ObjectError::Changed { object: id.clone() });
        }
        let range = clip(id, range, seen.size)?;
        let mut file = tokio::fs::File::open(&id.key).await.map_err(failed)?;
        file.seek(SeekFrom::Start(range.start)).await.map_err(failed)?;
        let limited = file.take(range.end.saturating_sub(range.start));
        Ok(Segment { range, stream: futures::stream::unfold(limited, piece).boxed() })
    }
}

async fn piece(
    mut file: tokio::io::Take<tokio::fs::File>,
) -> Option<(Result<Bytes, Cause>, tokio::io::Take<tokio::fs::File>)> {
    let mut buffer = BytesMut::with_capacity(PIECE);
    match file.read_buf(&mut buffer).await {
        Ok(0) => None,
        Ok(_) => Some((Ok(buffer.freeze()), file)),
        Err(error) => Some((Err(error.into()), file)),
    }
}

/// The first 128 bits of the content's SHA-256, as hexadecimal digits.
fn hash(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; PIECE];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            length => hash.update(&buffer[..length]),
        }
    }
    Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

fn file_error(what: &'static str, key: &str, error: io::Error) -> ObjectError {
    let (bucket, key) = (LOCAL_BUCKET.to_owned(), key.to_owned());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => {
            ObjectError::Missing { bucket, key }
        }
        io::ErrorKind::PermissionDenied => ObjectError::Denied {
            bucket,
            key,
            permission: "read permission",
            reason: error.to_string(),
        },
        _ => ObjectError::Unavailable { what, bucket, key, source: error.into() },
    }
}
