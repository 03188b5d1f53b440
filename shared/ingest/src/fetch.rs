//! Fetch: the bytes of an object for decoders, which are synchronous.
//!
//! The decoder runs on a thread of its own. A text format reads a stream that a
//! task fills ahead of it through a bounded channel; Parquet asks for ranges, and
//! says which it will ask for next.

use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::{Buf, Bytes};
use model::ObjectId;
use objects::{ObjectError, ObjectInfo, ObjectReader};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

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
pub(crate) struct FetchFailure(Arc<Mutex<Option<ObjectError>>>);

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
    objects: Arc<dyn ObjectReader>,
    id: ObjectId,
    size: u64,
    runtime: Handle,
    failed: FetchFailure,
    stopwatches: Stopwatches,
    /// Ranges that were begun and not asked for yet, by their start.
    begun: Mutex<HashMap<u64, Begun>>,
}

/// A range on its way.
struct Begun {
    range: Range<u64>,
    bytes: JoinHandle<Result<Bytes, ObjectError>>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.bytes.abort();
    }
}

impl ObjectRanges {
    /// The ranges of an object. Must be called within the runtime.
    pub(crate) fn of(
        objects: Arc<dyn ObjectReader>,
        object: &ObjectInfo,
        failed: FetchFailure,
        stopwatches: Stopwatches,
    ) -> Self {
        Self {
            objects,
            id: object.id.clone(),
            size: object.size,
            runtime: Handle::current(),
            failed,
            stopwatches,
            begun: Mutex::default(),
        }
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<u64, Begun>> {
        // Nothing is done under the lock that could panic in the middle.
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(
    objects: Arc<dyn ObjectReader>,
    id: ObjectId,
    range: Range<u64>,
) -> Result<Bytes, ObjectError> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    objects.read(&id, Some(range)).await?.collect(length).await
}

impl decode::RangeRead for ObjectRanges {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let start = Instant::now();
        let begun = self.begun().remove(&range.start).filter(|begun| begun.range == range);
        let bytes = self.runtime.block_on(async {
            if let Some(mut begun) = begun
                && let Ok(bytes) = (&mut begun.bytes).await
            {
                return bytes;
            }
            fetch(self.objects.clone(), self.id.clone(), range).await
        });
        self.stopwatches.add(Stage::Fetch, start.elapsed());
        bytes.map_err(|error| self.failed.keep(error))
    }

    fn will_read(&self, range: Range<u64>) {
        let bytes = self.runtime.spawn(fetch(self.objects.clone(), self.id.clone(), range.clone()));
        self.begun().insert(range.start, Begun { range, bytes });
    }
}

#[cfg(test)]
mod tests {
    use decode::RangeRead as _;
    use objects::MemoryObjects;

    use super::*;

    const SIZE: usize = 100_000;

    fn stored() -> (MemoryObjects, ObjectId, Bytes) {
        let content: Vec<u8> = (0..SIZE).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (objects, content) = (MemoryObjects::new(), Bytes::from(content));
        let id = objects.put("b", "k", content.clone());
        (objects, id, content)
    }

    /// Runs on a thread of its own, as the decoder does.
    async fn with_ranges<T: Send + 'static>(
        objects: &MemoryObjects,
        id: &ObjectId,
        work: impl FnOnce(&ObjectRanges) -> T + Send + 'static,
    ) -> T {
        let object = ObjectInfo { id: id.clone(), size: SIZE as u64 };
        let objects: Arc<dyn ObjectReader> = Arc::new(objects.clone());
        let ranges =
            ObjectRanges::of(objects, &object, FetchFailure::default(), Stopwatches::default());
        tokio::task::spawn_blocking(move || work(&ranges)).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_announced_is_fetched_once() {
        let (objects, id, content) = stored();
        let read = with_ranges(&objects, &id, |ranges| {
            ranges.will_read(5_000..9_000);
            [ranges.read(0..5_000).unwrap(), ranges.read(5_000..9_000).unwrap()].concat()
        });
        assert_eq!(read.await, content[..9_000]);
        assert_eq!(objects.requests_and_cuts().0, 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_range_than_was_announced_is_read_all_the_same() {
        let (objects, id, content) = stored();
        let read = with_ranges(&objects, &id, |ranges| {
            ranges.will_read(5_000..9_000);
            [ranges.read(5_000..20_000).unwrap(), ranges.read(5_000..9_000).unwrap()].concat()
        });
        assert_eq!(read.await, [&content[5_000..20_000], &content[5_000..9_000]].concat());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_fetched_ahead_fails_when_it_is_asked_for() {
        let (objects, id, _) = stored();
        objects.remove("b", "k");
        let failed = with_ranges(&objects, &id, |ranges| {
            ranges.will_read(0..10);
            (ranges.read(0..10).is_err(), ranges.failed.take())
        });
        assert!(matches!(failed.await, (true, Some(ObjectError::Missing { .. }))));
    }
}
