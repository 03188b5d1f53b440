//! Fetch: the bytes of an object for decoders, which are synchronous.
//!
//! The decoder runs on a thread of its own. A text format reads a stream that a
//! task fills ahead of it through a bounded channel; Parquet asks for ranges and
//! waits for each.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, Bytes};
use model::ObjectId;
use objects::{ObjectError, ObjectReader};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::report::{Stage, Stopwatches};

/// Parts of the body that may wait for the decoder.
const READ_AHEAD: usize = 16;

/// The whole object as a stream.
pub(crate) struct ObjectStream {
    parts: mpsc::Receiver<Result<Bytes, ObjectError>>,
    current: Bytes,
    failed: FetchFailure,
    stopwatches: Stopwatches,
}

/// Where a fetch error is kept, so that it is not flattened into an
/// `io::Error` on its way through the decoder.
#[derive(Debug, Clone, Default)]
pub(crate) struct FetchFailure(Arc<std::sync::Mutex<Option<ObjectError>>>);

impl FetchFailure {
    fn keep(&self, error: ObjectError) -> io::Error {
        let text = error.to_string();
        if let Ok(mut kept) = self.0.lock() {
            kept.get_or_insert(error);
        }
        io::Error::other(text)
    }

    /// The error that ended the fetch, if one did.
    pub(crate) fn take(&self) -> Option<ObjectError> {
        self.0.lock().ok().and_then(|mut kept| kept.take())
    }
}

impl ObjectStream {
    /// Begins to fetch. Must be called within the runtime.
    pub(crate) fn start(
        objects: Arc<dyn ObjectReader>,
        id: ObjectId,
        failed: FetchFailure,
        stopwatches: Stopwatches,
    ) -> Self {
        let (sender, parts) = mpsc::channel(READ_AHEAD);
        tokio::spawn(async move {
            let mut body = match objects.read(&id, None).await {
                Ok(body) => body,
                Err(error) => {
                    // The reader may have gone: nobody is left to tell.
                    drop(sender.send(Err(error)).await);
                    return;
                }
            };
            while let Some(part) = body.next().await {
                let is_last = part.is_err();
                if sender.send(part).await.is_err() || is_last {
                    return;
                }
            }
        });
        Self { parts, current: Bytes::new(), failed, stopwatches }
    }
}

impl Read for ObjectStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            let start = Instant::now();
            let part = self.parts.blocking_recv();
            self.stopwatches.add(Stage::Fetch, start.elapsed());
            match part {
                None => return Ok(0),
                Some(Ok(bytes)) => self.current = bytes,
                Some(Err(error)) => return Err(self.failed.keep(error)),
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// The object as ranges.
pub(crate) struct ObjectRanges {
    pub(crate) objects: Arc<dyn ObjectReader>,
    pub(crate) id: ObjectId,
    pub(crate) size: u64,
    pub(crate) runtime: Handle,
    pub(crate) failed: FetchFailure,
    pub(crate) stopwatches: Stopwatches,
}

impl decode::RangeRead for ObjectRanges {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let start = Instant::now();
        let length = range.end.saturating_sub(range.start);
        let bytes = self.runtime.block_on(async {
            let body = self.objects.read(&self.id, Some(range)).await?;
            body.collect(usize::try_from(length).unwrap_or(usize::MAX)).await
        });
        self.stopwatches.add(Stage::Fetch, start.elapsed());
        bytes.map_err(|error| self.failed.keep(error))
    }
}
