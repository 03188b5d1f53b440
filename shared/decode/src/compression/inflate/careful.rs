//! One symbol at a time, in every case: the ends of the input, long words, the
//! end of a block, and everything that is wrong.

use std::io::{self, Read};

use super::codes::{Code, Codes, END_OF_BLOCK, Word};
use super::input::{Input, ended};
use super::invalid;
use super::tables::{LENGTHS, OFFSETS};
use super::window::Window;

/// The most bits that a match takes: two words of 15, and 5 and 13 bits of
/// their own.
const MATCH_BITS: u32 = 48;

/// Decodes one literal, match or end of the block (true).
pub(super) fn step<R: Read>(
    input: &mut Input<R>,
    window: &mut Window,
    codes: &Codes,
) -> io::Result<bool> {
    input.want(MATCH_BITS)?;
    let symbol = symbol(input, &codes.literals, "invalid literal or length")?;
    if let Ok(literal) = u8::try_from(symbol) {
        window.push(literal);
        return Ok(false);
    }
    if symbol == END_OF_BLOCK {
        return Ok(true);
    }
    let length = LENGTHS
        .get(usize::from(symbol - END_OF_BLOCK - 1))
        .ok_or_else(|| invalid("invalid literal or length"))?;
    let length = valued(input, *length)?;
    let distance = usize::from(self::symbol(input, &codes.distances, "invalid distance")?);
    let distance = OFFSETS.get(distance).ok_or_else(|| invalid("invalid distance"))?;
    let distance = valued(input, *distance)?;
    if !window.repeat(length, distance) {
        return Err(invalid("a distance reaches too far back"));
    }
    Ok(false)
}

/// Copies bytes of a stored block; how many.
pub(super) fn stored<R: Read>(
    input: &mut Input<R>,
    window: &mut Window,
    left: usize,
) -> io::Result<usize> {
    if left == 0 {
        return Ok(0);
    }
    let chunk = input.chunk()?;
    if chunk.is_empty() {
        return Err(ended());
    }
    let room = window.room();
    let count = left.min(chunk.len()).min(room.len());
    room[..count].copy_from_slice(&chunk[..count]);
    window.end += count;
    input.skip(count);
    Ok(count)
}

fn symbol<R: Read>(input: &mut Input<R>, code: &Code, wrong: &'static str) -> io::Result<u16> {
    match code.decode(input.bits) {
        Word::Symbol(symbol, length) if length <= input.count => {
            input.drop(length);
            Ok(symbol)
        }
        Word::Unused if input.count > 0 => Err(invalid(wrong)),
        _ => Err(ended()),
    }
}

/// A length or distance with its own bits.
fn valued<R: Read>(input: &mut Input<R>, (base, extra): (u16, u8)) -> io::Result<usize> {
    let value = input.take(u32::from(extra))?;
    Ok(usize::from(base) + usize::try_from(value).unwrap_or_default())
}
