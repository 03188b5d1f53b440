//! The compressed bytes, and the bits taken from them.
//!
//! Bits are kept as in RFC 1951: the first one is the lowest. The buffer is
//! our own so that the hot loop sees one slice and bits can be put back.

use std::io::{self, Read};

use super::invalid;

/// Bytes asked of the source at a time.
const BUFFER: usize = 128 * 1024;

/// The input of the decoder.
pub(super) struct Input<R> {
    source: R,
    buffer: Box<[u8]>,
    /// The next byte that is not among the bits.
    pub(super) at: usize,
    end: usize,
    /// The next bits. Above `count` they are zero or what comes next.
    pub(super) bits: u64,
    /// How many bits count.
    pub(super) count: u32,
}

impl<R: Read> Input<R> {
    pub(super) fn new(source: R) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self { source, buffer, at: 0, end: 0, bits: 0, count: 0 }
    }

    /// All bytes that are there, the ones before `at` too.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.end]
    }

    /// Makes at least so many bits count (up to 56), or all that the stream has left.
    pub(super) fn want(&mut self, wanted: u32) -> io::Result<()> {
        while self.count < wanted {
            if self.at == self.end && !self.more()? {
                // Bits that do not count might be leftovers: none at the end.
                break;
            }
            // What comes next is only there already as the same bits.
            self.bits |= u64::from(self.buffer[self.at]) << self.count;
            self.at += 1;
            self.count += 8;
        }
        Ok(())
    }

    /// The next bits (up to 32) as a number.
    pub(super) fn take(&mut self, count: u32) -> io::Result<u64> {
        self.want(count)?;
        if self.count < count {
            return Err(ended());
        }
        let value = self.bits & ((1 << count) - 1);
        self.drop(count);
        Ok(value)
    }

    /// Passes over bits that count.
    pub(super) fn drop(&mut self, count: u32) {
        self.bits >>= count;
        self.count -= count;
    }

    /// Passes over the rest of a byte.
    pub(super) fn align(&mut self) {
        self.drop(self.count % 8);
    }

    /// The next whole bytes, as many as there are in the buffer: none at the
    /// end of the stream. Only when aligned; `skip` takes them.
    pub(super) fn chunk(&mut self) -> io::Result<&[u8]> {
        self.put_back();
        if self.at == self.end {
            self.more()?;
        }
        Ok(&self.buffer[self.at..self.end])
    }

    /// Passes over bytes of a chunk.
    pub(super) fn skip(&mut self, count: usize) {
        self.at += count;
    }

    /// Turns whole bytes among the bits into bytes again. The bits came from
    /// this buffer: it only moves on in `more`, when nothing else is left in it,
    /// and keeps the bytes of the bits.
    fn put_back(&mut self) {
        self.at -= (self.count / 8) as usize;
        self.count %= 8;
        self.bits &= (1 << self.count) - 1;
    }

    /// Reads on; false at the end of the stream.
    fn more(&mut self) -> io::Result<bool> {
        // The bytes of the bits stay in front (there are at most seven).
        let kept = (self.count / 8) as usize;
        self.buffer.copy_within(self.end - kept..self.end, 0);
        (self.at, self.end) = (kept, kept);
        loop {
            match self.source.read(&mut self.buffer[kept..]) {
                Ok(0) => return Ok(false),
                Ok(count) if count > self.buffer.len() - kept => {
                    return Err(invalid("the source gave more than was asked"));
                }
                Ok(count) => {
                    self.end += count;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The stream breaks off.
pub(super) fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the stream breaks off")
}
