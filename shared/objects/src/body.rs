//! A body that streams, and takes itself up again where it was cut.
//!
//! A cut connection in the middle of a large object is ordinary. The read is
//! resumed with a range from the first byte that was not delivered; the etag
//! pins it to the same version, so that the bytes fit together.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use model::ObjectId;

use crate::ObjectError;
use crate::error::Cause;

/// How often one body is taken up again before it is given back to the queue.
const RESUMES: u32 = 3;

/// One answer of a store: the bytes of `range` of one version of an object.
pub(crate) struct Segment {
    /// The bytes that the answer promises, within the object.
    pub range: Range<u64>,
    /// They, as they come. An error, or an early end, is a cut.
    pub stream: BoxStream<'static, Result<Bytes, Cause>>,
}

/// What a store does for a body: one request.
#[async_trait]
pub(crate) trait Segments: Send + Sync {
    /// Asks for a range (the whole object when `None`) of exactly this version.
    async fn open(&self, id: &ObjectId, range: Option<Range<u64>>) -> Result<Segment, ObjectError>;
}

/// The part of an object of `size` bytes that a range names, as S3 cuts it.
pub(crate) fn clip(
    id: &ObjectId,
    range: Option<Range<u64>>,
    size: u64,
) -> Result<Range<u64>, ObjectError> {
    match range {
        None => Ok(0..size),
        Some(range) if range.start >= size => {
            Err(ObjectError::OutOfRange { object: id.clone(), start: range.start })
        }
        Some(range) => Ok(range.start..range.end.min(size)),
    }
}

/// The bytes of an object, or of a range of it, in order.
pub struct Body {
    store: Arc<dyn Segments>,
    id: ObjectId,
    segment: Segment,
    resumes: u32,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("id", &self.id)
            .field("left", &self.segment.range)
            .finish_non_exhaustive()
    }
}

impl Body {
    /// Opens the body: the first request is made here.
    pub(crate) async fn open(
        store: Arc<dyn Segments>,
        id: &ObjectId,
        range: Option<Range<u64>>,
    ) -> Result<Self, ObjectError> {
        let segment = match range {
            // No store can be asked for no bytes.
            Some(range) if range.is_empty() => Segment {
                range: range.start..range.start,
                stream: futures::stream::empty().boxed(),
            },
            range => store.open(id, range).await?,
        };
        Ok(Self { store, id: id.clone(), segment, resumes: 0 })
    }

    /// How many bytes are still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.segment.range.end.saturating_sub(self.segment.range.start)
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`ObjectError::Cut`] when resuming did not help, or what the resumed
    /// request answered. Nothing comes after an error.
    pub async fn next(&mut self) -> Option<Result<Bytes, ObjectError>> {
        loop {
            let cause: Cause = match self.segment.stream.next().await {
                Some(Ok(piece)) if piece.is_empty() => continue,
                Some(Ok(piece)) => match self.accept(piece.len()) {
                    Ok(()) => return Some(Ok(piece)),
                    Err(cause) => cause,
                },
                None if self.remaining() == 0 => return None,
                None => "the connection ended before the body did".into(),
                Some(Err(cause)) => cause,
            };
            if let Err(error) = self.resume(cause).await {
                // Whoever asks again must not be told that the body is complete.
                self.segment.stream = futures::stream::empty().boxed();
                self.resumes = RESUMES;
                return Some(Err(error));
            }
        }
    }

    /// The rest of the body in one piece.
    ///
    /// # Errors
    /// [`ObjectError::TooLarge`] when there is more than `limit` bytes of it,
    /// and what [`Body::next`] gives.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, ObjectError> {
        if self.remaining() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(ObjectError::TooLarge { object: self.id, limit });
        }
        let mut all = BytesMut::with_capacity(usize::try_from(self.remaining()).unwrap_or(0));
        while let Some(piece) = self.next().await {
            all.extend_from_slice(&piece?);
        }
        Ok(all.freeze())
    }

    /// Notes that bytes were delivered; more than were promised is as bad as fewer.
    fn accept(&mut self, length: usize) -> Result<(), Cause> {
        let start = u64::try_from(length)
            .ok()
            .and_then(|length| self.segment.range.start.checked_add(length));
        match start {
            Some(start) if start <= self.segment.range.end => {
                self.segment.range.start = start;
                Ok(())
            }
            _ => Err(format!("{length} bytes came where {} were left", self.remaining()).into()),
        }
    }

    /// Asks for what is left.
    async fn resume(&mut self, cause: Cause) -> Result<(), ObjectError> {
        let Range { start: at, end } = self.segment.range;
        if self.resumes == RESUMES {
            return Err(ObjectError::Cut {
                object: self.id.clone(),
                at,
                resumes: self.resumes,
                source: cause,
            });
        }
        self.resumes += 1;
        tracing::debug!(object = %self.id, at, resume = self.resumes, %cause, "body was cut");
        if at == end {
            // Everything was delivered; only the end of the answer was lost.
            self.segment.stream = futures::stream::empty().boxed();
            return Ok(());
        }
        self.segment = self.store.open(&self.id, Some(at..end)).await?;
        if self.segment.range == (at..end) {
            return Ok(());
        }
        let got = std::mem::replace(&mut self.segment.range, at..end);
        let source =
            format!("bytes {at}..{end} were asked for, {}..{} were answered", got.start, got.end)
                .into();
        Err(ObjectError::Cut { object: self.id.clone(), at, resumes: self.resumes, source })
    }
}
