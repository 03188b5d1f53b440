//! Parts of a large object in memory, so that its pages are read with few
//! requests and bounded memory.
//!
//! A Parquet reader goes through every column chunk from front to back, but
//! through many of them in turns. So each column keeps a window of its own that
//! only moves forward; row groups that are small enough are fetched whole,
//! several at a time, because a request costs more than the bytes it brings. What
//! comes after a window is on its way while the window is decoded.

use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use crate::RangeRead;

/// Memory for the windows of all columns together, and as much for those that come
/// after them.
const WINDOWS_BYTES: u64 = 16 * 1024 * 1024;
/// Smallest window: below, requests cost more than memory.
const MIN_WINDOW: u64 = 128 * 1024;
/// Largest window: above, fewer requests do not show.
const MAX_WINDOW: u64 = 4 * 1024 * 1024;
/// Neighbouring row groups are fetched by one read up to this many bytes. Two
/// such runs are in memory at a time, and the next is on its way.
const RUN_BYTES: u64 = 8 * 1024 * 1024;
/// Slots of the runs, in front of those of the columns.
const RUN_SLOTS: usize = 2;

/// A column chunk: where it lies, and of which leaf column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Its bytes within the object.
    pub(crate) range: Range<u64>,
    /// Place of the leaf column in the file's schema.
    pub(crate) leaf: usize,
}

/// A part of the object that is read from front to back, and the slot that
/// keeps its window.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Track {
    range: Range<u64>,
    slot: usize,
    /// Bytes of a window.
    window: u64,
    /// The window is all of the track, wherever it is entered.
    at_once: bool,
}

/// The windows of one object.
pub(crate) struct Windows {
    ranges: Arc<dyn RangeRead>,
    tracks: Vec<Track>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    slots: HashMap<usize, Window>,
    failure: Option<io::Error>,
}

struct Window {
    start: u64,
    bytes: Bytes,
}

impl Window {
    fn end(&self) -> u64 {
        self.start + length(&self.bytes)
    }

    /// What the window holds from `offset` on, when it holds that place or
    /// ends there.
    fn from(&self, offset: u64) -> Option<Bytes> {
        let skip = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        (skip <= self.bytes.len()).then(|| self.bytes.slice(skip..))
    }
}

impl Windows {
    /// Windows over the column chunks that will be read, by row groups in the
    /// order of the file.
    pub(crate) fn new(ranges: Arc<dyn RangeRead>, groups: &[Vec<Chunk>]) -> Self {
        Self { ranges, tracks: tracks(groups), state: Mutex::default() }
    }

    /// The whole object is in memory already.
    pub(crate) fn whole(ranges: Arc<dyn RangeRead>, bytes: Bytes) -> Self {
        let size = length(&bytes);
        let slots = HashMap::from([(0, Window { start: 0, bytes })]);
        let state = State { slots, ..State::default() };
        Self {
            ranges,
            tracks: vec![Track { range: 0..size, slot: 0, window: size, at_once: true }],
            state: Mutex::new(state),
        }
    }

    /// Size of the object in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.ranges.size()
    }

    /// Exactly `count` bytes from `offset` on.
    ///
    /// # Errors
    /// When they lie outside the object, or the store fails; the store's error
    /// is kept for [`Windows::take_failure`].
    pub(crate) fn read(&self, offset: u64, count: u64) -> io::Result<Bytes> {
        let mut bytes = self.ahead(offset, count)?;
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        if bytes.len() < wanted {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "{count} bytes are claimed at byte {offset} of an object of {} bytes",
                    self.size()
                ),
            ));
        }
        bytes.truncate(wanted);
        Ok(bytes)
    }

    /// What is in memory from `offset` on, but at least `count` bytes unless
    /// the object ends before.
    pub(crate) fn ahead(&self, offset: u64, count: u64) -> io::Result<Bytes> {
        let end = offset.saturating_add(count).min(self.size());
        if offset >= end {
            return Ok(Bytes::new());
        }
        let mut state = self.state();
        let Some(track) = self.track(offset) else { return self.fetch(&mut state, offset..end) };
        let held =
            state.slots.get(&track.slot).filter(|window| track.range.contains(&window.start));
        let (head, from) = match held {
            None if track.at_once => (Bytes::new(), track.range.start),
            None => (Bytes::new(), offset),
            // A look back, to a dictionary that was passed over, must not move
            // the window back.
            Some(window) if offset < window.start => return self.fetch(&mut state, offset..end),
            Some(window) => match window.from(offset) {
                Some(head) => (head, window.end()),
                None => (Bytes::new(), offset),
            },
        };
        if length(&head) >= end - offset {
            return Ok(head);
        }
        let until = from.saturating_add(track.window).min(track.range.end).max(end);
        let fetched = self.fetch(&mut state, from..until)?;
        if let Some(next) = self.after(track, until) {
            self.ranges.will_read(next);
        }
        let window = if head.is_empty() {
            Window { start: from, bytes: fetched }
        } else {
            let mut joined = BytesMut::with_capacity(head.len() + fetched.len());
            joined.extend_from_slice(&head);
            joined.extend_from_slice(&fetched);
            Window { start: offset, bytes: joined.freeze() }
        };
        let ahead = window.from(offset).unwrap_or_default();
        state.slots.insert(track.slot, window);
        Ok(ahead)
    }

    /// The store's error behind the last failed read, once.
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.state().failure.take()
    }

    fn track(&self, offset: u64) -> Option<&Track> {
        let after = self.tracks.partition_point(|track| track.range.start <= offset);
        self.tracks.get(after.checked_sub(1)?).filter(|track| offset < track.range.end)
    }

    /// What will be read once a track is read up to a place.
    fn after(&self, track: &Track, until: u64) -> Option<Range<u64>> {
        if track.at_once {
            let after = self.tracks.partition_point(|one| one.range.start < track.range.end);
            return self
                .tracks
                .get(after)
                .filter(|next| next.at_once)
                .map(|next| next.range.clone());
        }
        // So many columns that their windows take all the memory there is.
        if track.window <= MIN_WINDOW {
            return None;
        }
        let next = until..until.saturating_add(track.window).min(track.range.end);
        (!next.is_empty()).then_some(next)
    }

    fn fetch(&self, state: &mut State, range: Range<u64>) -> io::Result<Bytes> {
        let failed = match exactly(self.ranges.as_ref(), range) {
            Ok(bytes) => return Ok(bytes),
            Err(error) => error,
        };
        let told = io::Error::new(failed.kind(), failed.to_string());
        state.failure = Some(failed);
        Err(told)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A window is put in its place in one step: a panic leaves none broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Small row groups together, each column of a large one by itself.
fn tracks(groups: &[Vec<Chunk>]) -> Vec<Track> {
    let columns = groups.iter().map(Vec::len).max().unwrap_or(0);
    let window = (WINDOWS_BYTES / u64::try_from(columns.max(1)).unwrap_or(u64::MAX))
        .clamp(MIN_WINDOW, MAX_WINDOW);
    let mut tracks: Vec<Track> = Vec::new();
    let mut runs = 0;
    // The run that may still grow: its range, and the bytes of it that are read.
    let mut open: Option<(Range<u64>, u64)> = None;
    let mut close = |open: &mut Option<(Range<u64>, u64)>, tracks: &mut Vec<Track>| {
        if let Some((range, _)) = open.take() {
            tracks.push(Track {
                window: range.end - range.start,
                range,
                slot: runs % RUN_SLOTS,
                at_once: true,
            });
            runs += 1;
        }
    };
    for chunks in groups {
        let Some(span) = span(chunks) else { continue };
        let read: u64 = chunks.iter().map(|chunk| chunk.range.end - chunk.range.start).sum();
        if let Some((range, bytes)) = &open {
            let joined = range.start.min(span.start)..range.end.max(span.end);
            if span.start >= range.end && worth(&joined, bytes + read) {
                open = Some((joined, bytes + read));
                continue;
            }
        }
        close(&mut open, &mut tracks);
        if worth(&span, read) {
            open = Some((span, read));
        } else {
            tracks.extend(chunks.iter().map(|chunk| Track {
                range: chunk.range.clone(),
                slot: RUN_SLOTS + chunk.leaf,
                window,
                at_once: false,
            }));
        }
    }
    close(&mut open, &mut tracks);
    tracks.sort_by_key(|track| track.range.start);
    tracks
}

/// Whether a range is read at once: small enough, and at least half of it wanted.
fn worth(range: &Range<u64>, wanted: u64) -> bool {
    let bytes = range.end - range.start;
    bytes <= RUN_BYTES && bytes <= wanted.saturating_mul(2)
}

fn span(chunks: &[Chunk]) -> Option<Range<u64>> {
    let start = chunks.iter().map(|chunk| chunk.range.start).min()?;
    let end = chunks.iter().map(|chunk| chunk.range.end).max()?;
    (start < end).then_some(start..end)
}

/// The bytes of a range, all of them.
///
/// # Errors
/// When the store fails or gives another number of bytes.
pub(crate) fn exactly(ranges: &dyn RangeRead, range: Range<u64>) -> io::Result<Bytes> {
    let wanted = range.end - range.start;
    let bytes = ranges.read(range)?;
    if length(&bytes) == wanted {
        return Ok(bytes);
    }
    let short = format!("the store gave {} bytes where {wanted} were asked for", bytes.len());
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, short))
}

/// An object from front to back, of which the next part is on its way.
pub(crate) struct FrontToBack {
    ranges: Arc<dyn RangeRead>,
    at: u64,
    part: Bytes,
}

impl FrontToBack {
    pub(crate) fn new(ranges: Arc<dyn RangeRead>) -> Self {
        Self { ranges, at: 0, part: Bytes::new() }
    }

    fn part_at(&self, start: u64) -> Range<u64> {
        start..start.saturating_add(MAX_WINDOW).min(self.ranges.size())
    }
}

impl Read for FrontToBack {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let range = self.part_at(self.at);
        if self.part.is_empty() && !range.is_empty() && !buffer.is_empty() {
            self.part = exactly(self.ranges.as_ref(), range.clone())?;
            self.at = range.end;
            let next = self.part_at(self.at);
            if !next.is_empty() {
                self.ranges.will_read(next);
            }
        }
        let count = buffer.len().min(self.part.len());
        let (taken, into) = (self.part.split_to(count), buffer.split_at_mut(count).0);
        into.copy_from_slice(&taken);
        Ok(count)
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::test_support::Counted;

    const MIB: u64 = 1024 * 1024;

    fn chunk(leaf: usize, range: Range<u64>) -> Chunk {
        Chunk { range, leaf }
    }

    #[test]
    fn small_row_groups_are_fetched_together() {
        let group =
            |at: u64| vec![chunk(0, at..at + 2 * MIB), chunk(1, at + 2 * MIB..at + 3 * MIB)];
        let found = tracks(&[group(0), group(3 * MIB), group(6 * MIB), group(9 * MIB)]);
        let ranges: Vec<_> = found.iter().map(|track| (track.range.clone(), track.slot)).collect();
        assert_eq!(ranges, [(0..6 * MIB, 0), (6 * MIB..12 * MIB, 1)]);
    }

    #[test]
    fn large_and_thin_row_groups_are_read_by_columns() {
        let large = vec![chunk(0, 0..12 * MIB), chunk(1, 12 * MIB..24 * MIB)];
        let found = tracks(&[large]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].window, found[0].slot, found[1].slot), (MAX_WINDOW, 2, 3));
        // Two columns far apart: what lies between is not wanted.
        let thin = vec![chunk(0, 0..MIB), chunk(9, 7 * MIB..8 * MIB)];
        assert_eq!(tracks(&[thin]).len(), 2);
    }

    #[test]
    fn many_columns_share_the_memory() {
        let wide: Vec<_> = (0..100)
            .map(|leaf| {
                chunk(
                    leaf,
                    u64::try_from(leaf).unwrap() * MIB..u64::try_from(leaf + 1).unwrap() * MIB,
                )
            })
            .collect();
        assert_eq!(tracks(&[wide])[0].window, WINDOWS_BYTES / 100);
    }

    #[test]
    fn a_window_moves_forward_and_looks_back_without_moving() {
        let object = Arc::new(Counted::of(40 * 1024 * 1024));
        let windows = Windows::new(
            object.clone(),
            &[vec![chunk(0, 0..20 * MIB), chunk(1, 20 * MIB..40 * MIB)]],
        );
        for at in (0..20 * MIB).step_by(512 * 1024) {
            for column in [0, 20 * MIB] {
                assert_eq!(
                    windows.read(column + at, 512 * 1024).unwrap(),
                    object.expected(column + at, 512 * 1024)
                );
            }
        }
        assert_eq!((object.reads(), object.largest()), (10, MAX_WINDOW));
        assert_eq!(object.unannounced(), 2, "all but the first of each column");
        assert_eq!(windows.read(100, 50).unwrap(), object.expected(100, 50));
        assert_eq!((object.reads(), object.largest()), (11, MAX_WINDOW));
        windows.read(20 * MIB - 10, 10).unwrap();
        assert_eq!(object.reads(), 11);
    }

    #[test]
    fn the_next_run_is_on_its_way() {
        let object = Arc::new(Counted::of(40 * 1024 * 1024));
        let group =
            |at: u64| vec![chunk(0, at..at + 4 * MIB), chunk(1, at + 4 * MIB..at + 8 * MIB)];
        let windows = Windows::new(object.clone(), &[0, 8, 16, 24, 32].map(|at| group(at * MIB)));
        for at in (0..40).map(|at| at * MIB) {
            assert_eq!(windows.read(at, MIB).unwrap(), object.expected(at, MIB));
        }
        assert_eq!((object.reads(), object.largest(), object.unannounced()), (5, 8 * MIB, 1));
    }

    #[test]
    fn the_error_of_the_store_is_kept() {
        let object = Arc::new(Counted::of(100));
        object.fail_from(1);
        let windows = Windows::new(object, &[vec![chunk(0, 0..50)]]);
        assert!(windows.read(0, 10).is_ok());
        assert!(windows.read(90, 20).is_err(), "beyond the end: the object's fault");
        windows.take_failure();
        assert!(windows.read(60, 1).is_err());
        assert_eq!(windows.take_failure().unwrap().kind(), io::ErrorKind::ConnectionReset);
        assert!(windows.take_failure().is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_right(
            bounds in prop::collection::vec(0_u64..3_000_000, 0..12),
            reads in prop::collection::vec((0_u64..3_100_000, 0_u64..400_000), 1..40),
        ) {
            let object = Arc::new(Counted::of(3_000_000));
            let mut bounds = bounds;
            bounds.sort_unstable();
            let chunks: Vec<_> = bounds.chunks_exact(2).enumerate().map(|(leaf, pair)| chunk(leaf, pair[0]..pair[1])).collect();
            let windows = Windows::new(object.clone(), &chunks.chunks(2).map(<[Chunk]>::to_vec).collect::<Vec<_>>());
            for (offset, count) in reads {
                match windows.read(offset, count) {
                    Ok(bytes) => prop_assert_eq!(bytes, object.expected(offset, count)),
                    Err(_) => prop_assert!(offset + count > 3_000_000),
                }
            }
        }
    }
}
