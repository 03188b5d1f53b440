//! gunzip of our own: the members of a gzip stream (RFC 1952), inflated
//! (RFC 1951) from any reader, with every checksum verified.
//!
//! It exists for speed. On CSV and JSON text it takes little more than half of
//! the CPU time of zlib-rs, in safe Rust and without anything to install: a
//! look-up gives up to two symbols at once, and the hot loop ([`fast`]) has no
//! case that is not common. Whatever it does not know it leaves to
//! [`careful`], which knows every case, one symbol at a time, and is the only
//! one to judge what is wrong. What is accepted is what zlib accepts; the
//! differential tests hold the two against each other.
//!
//! Memory is fixed: the input buffer, the window and the tables, about 300 KiB,
//! whatever the stream says.

mod careful;
mod codes;
mod dynamic;
mod fast;
mod header;
mod input;
mod tables;
#[cfg(test)]
mod tests;
mod window;

use std::io::{self, Read};

use self::codes::Codes;
use self::input::Input;
use self::window::Window;

/// The decompressed content of all members of a gzip stream.
///
/// What was decoded before an error is given out before the error is. After
/// an error the stream stays failed.
pub(super) struct Gunzip<R> {
    input: Input<R>,
    window: Window,
    codes: Codes,
    state: State,
    /// Whether the block that is being read is its member's last one.
    last: bool,
    /// Of the member's content up to now.
    checksum: crc32fast::Hasher,
    /// The same, of its length modulo 2^32.
    length: u32,
}

/// What comes next in the input.
enum State {
    /// The header of a member; only the first one must be there.
    Member,
    /// Another member, or padding, or the end.
    Between,
    Block,
    /// So many bytes of a stored block.
    Stored(usize),
    /// Symbols of a block with codes.
    Symbols,
    /// Checksum and length of the member.
    Trailer,
    End,
    /// An error that waits for the content before it to be given out.
    Failing(io::Error),
    Failed,
}

impl<R: Read> Gunzip<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            input: Input::new(source),
            window: Window::new(),
            codes: Codes::new(),
            state: State::Member,
            last: false,
            checksum: crc32fast::Hasher::new(),
            length: 0,
        }
    }

    /// Fills the window, as far as the stream and the room in it go.
    fn fill(&mut self) -> io::Result<()> {
        self.window.slide();
        let outcome = loop {
            if self.window.is_full() {
                break Ok(());
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.sum_up();
        outcome
    }

    /// Takes one thing from the input. The answer is whether to go on, or to
    /// give out first what there is.
    fn advance(&mut self) -> io::Result<bool> {
        match self.state {
            State::Member => {
                header::skip(&mut self.input)?;
                self.window.clear();
                self.checksum.reset();
                self.length = 0;
                self.state = State::Block;
            }
            State::Between => {
                let more = header::is_next(&mut self.input)?;
                self.state = if more { State::Member } else { State::End };
            }
            State::Block => self.begin_block()?,
            State::Stored(left) => {
                let left = left - careful::stored(&mut self.input, &mut self.window, left)?;
                self.state = if left > 0 { State::Stored(left) } else { self.behind_block() };
            }
            State::Symbols => {
                if self.symbols()? {
                    self.state = self.behind_block();
                }
            }
            State::Trailer => {
                // The checksum needs what is decoded, and the next member a new window.
                self.sum_up();
                self.check_trailer()?;
                self.state = State::Between;
                return Ok(self.window.is_drained());
            }
            State::End => return Ok(false),
            State::Failing(_) | State::Failed => {
                return Err(invalid("the stream has failed before"));
            }
        }
        Ok(true)
    }

    fn begin_block(&mut self) -> io::Result<()> {
        self.last = self.input.take(1)? == 1;
        self.state = match self.input.take(2)? {
            0 => State::Stored(self.stored_length()?),
            1 => {
                self.codes.set_fixed()?;
                State::Symbols
            }
            2 => {
                dynamic::read(&mut self.input, &mut self.codes)?;
                State::Symbols
            }
            _ => return Err(invalid("invalid block type")),
        };
        Ok(())
    }

    fn stored_length(&mut self) -> io::Result<usize> {
        self.input.align();
        let (length, complement) = (self.input.take(16)?, self.input.take(16)?);
        if length != !complement & 0xffff {
            return Err(invalid("invalid stored block lengths"));
        }
        Ok(usize::try_from(length).unwrap_or_default())
    }

    fn behind_block(&self) -> State {
        if self.last { State::Trailer } else { State::Block }
    }

    /// Decodes symbols until the block ends (true) or the window is full.
    fn symbols(&mut self) -> io::Result<bool> {
        while !self.window.is_full() {
            fast::run(&mut self.input, &mut self.window, &self.codes);
            if self.window.is_full() {
                break;
            }
            if careful::step(&mut self.input, &mut self.window, &self.codes)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes new content into account, while it is still in the processor's cache.
    fn sum_up(&mut self) {
        let new = self.window.unsummed();
        self.checksum.update(new);
        // The trailer gives the length modulo 2^32 too.
        #[allow(clippy::cast_possible_truncation)]
        let count = new.len() as u32;
        self.length = self.length.wrapping_add(count);
    }

    fn check_trailer(&mut self) -> io::Result<()> {
        self.input.align();
        let checksum = self.input.take(32)?;
        let length = self.input.take(32)?;
        if checksum != u64::from(self.checksum.clone().finalize()) {
            return Err(invalid("the checksum is wrong"));
        }
        if length != u64::from(self.length) {
            return Err(invalid("the length is wrong"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let count = self.window.give(buf);
            if count > 0 {
                return Ok(count);
            }
            match std::mem::replace(&mut self.state, State::Failed) {
                State::Failing(error) => return Err(error),
                state => self.state = state,
            }
            if matches!(self.state, State::End) {
                return Ok(0);
            }
            if let Err(error) = self.fill() {
                self.state = State::Failing(error);
            }
        }
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
