//! The header of a gzip member (RFC 1952, 2.3), and what may lie between members.

use std::io::{self, Read};

use super::input::{Input, ended};
use super::invalid;

const HEADER_CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = !((1 << 5) - 1);

/// The longest name or comment; the same bound as flate2's.
const LONGEST: usize = 65_535;

/// Passes over a header: nothing in it is of use here.
pub(super) fn skip<R: Read>(input: &mut Input<R>) -> io::Result<()> {
    let mut header = Header { input, checksum: crc32fast::Hasher::new() };
    let fixed = header.array::<10>()?;
    let [0x1f, 0x8b, 8, flags, ..] = fixed else {
        return Err(invalid("invalid gzip header"));
    };
    if flags & RESERVED != 0 {
        return Err(invalid("unknown flags in the gzip header"));
    }
    if flags & EXTRA != 0 {
        for _ in 0..u16::from_le_bytes(header.array()?) {
            header.byte()?;
        }
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            header.text()?;
        }
    }
    if flags & HEADER_CHECKSUM != 0 {
        let sum = header.checksum.clone().finalize().to_le_bytes();
        if header.array()? != [sum[0], sum[1]] {
            return Err(invalid("the header's checksum is wrong"));
        }
    }
    Ok(())
}

/// Whether another member follows. Zeros behind the last one are padding
/// (tapes and block devices leave them); anything else is not.
pub(super) fn is_next<R: Read>(input: &mut Input<R>) -> io::Result<bool> {
    loop {
        let rest = input.chunk()?;
        match rest.iter().position(|byte| *byte != 0) {
            None if rest.is_empty() => return Ok(false),
            None => {
                let zeros = rest.len();
                input.skip(zeros);
            }
            Some(zeros) if rest[zeros] == 0x1f => {
                input.skip(zeros);
                return Ok(true);
            }
            Some(_) => return Err(invalid("something else follows the last member")),
        }
    }
}

struct Header<'a, R> {
    input: &'a mut Input<R>,
    checksum: crc32fast::Hasher,
}

impl<R: Read> Header<'_, R> {
    fn byte(&mut self) -> io::Result<u8> {
        let chunk = self.input.chunk()?;
        let byte = *chunk.first().ok_or_else(ended)?;
        self.checksum.update(&[byte]);
        self.input.skip(1);
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(bytes)
    }

    /// A text up to its zero.
    fn text(&mut self) -> io::Result<()> {
        for _ in 0..=LONGEST {
            if self.byte()? == 0 {
                return Ok(());
            }
        }
        Err(invalid("a text in the gzip header is too long"))
    }
}
