//! What has been decoded: the 32 KiB that matches may point back into, and
//! what has not been given out yet.

/// Positions in the window are below this, a power of two so that a mask
/// proves to the compiler what the loops' conditions say.
pub(super) const SPAN: usize = 1 << 17;
/// Bytes that a copy in whole words may write behind its end.
const OVERRUN: usize = 64;
/// Bytes of a window.
pub(super) const SIZE: usize = SPAN + OVERRUN;
/// From here on the window is full: two literals, the longest match and more
/// still fit behind it, so that no symbol is ever decoded by half.
pub(super) const FULL: usize = SPAN - 512;
/// The furthest that a match reaches back.
const HISTORY: usize = 32 * 1024;

/// The window; see the file's head.
pub(super) struct Window {
    bytes: Box<[u8]>,
    /// The end of what is decoded.
    pub(super) end: usize,
    given: usize,
    summed: usize,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; SIZE].into_boxed_slice(), end: 0, given: 0, summed: 0 }
    }

    /// Forgets everything: another member begins.
    pub(super) fn clear(&mut self) {
        (self.end, self.given, self.summed) = (0, 0, 0);
    }

    pub(super) fn is_full(&self) -> bool {
        self.end >= FULL
    }

    pub(super) fn is_drained(&self) -> bool {
        self.given == self.end
    }

    /// Makes room once everything is given out, and keeps what matches may need.
    pub(super) fn slide(&mut self) {
        if self.is_full() && self.is_drained() {
            self.bytes.copy_within(self.end - HISTORY..self.end, 0);
            (self.end, self.given, self.summed) = (HISTORY, HISTORY, HISTORY);
        }
    }

    /// Copies out what fits.
    pub(super) fn give(&mut self, buf: &mut [u8]) -> usize {
        let ready = &self.bytes[self.given..self.end];
        let count = ready.len().min(buf.len());
        buf[..count].copy_from_slice(&ready[..count]);
        self.given += count;
        count
    }

    /// What no checksum has seen yet; it counts as seen from now on.
    pub(super) fn unsummed(&mut self) -> &[u8] {
        let start = std::mem::replace(&mut self.summed, self.end);
        &self.bytes[start..self.end]
    }

    /// Everything, for the loop that writes by position.
    pub(super) fn bytes(&mut self) -> Option<&mut [u8; SIZE]> {
        self.bytes.first_chunk_mut()
    }

    /// Room for bytes as they are; what is written is added with `end`.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..SPAN]
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.bytes[self.end] = byte;
        self.end += 1;
    }

    /// Repeats `length` bytes from `distance` back; whether there are so many.
    pub(super) fn repeat(&mut self, length: usize, distance: usize) -> bool {
        if distance > self.end || distance == 0 {
            return false;
        }
        for at in self.end..self.end + length {
            self.bytes[at] = self.bytes[at - distance];
        }
        self.end += length;
        true
    }
}
