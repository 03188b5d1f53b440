//! The codes that a block brings with it (RFC 1951, 3.2.7).

use std::io::{self, Read};

use super::codes::{Code, Codes, END_OF_BLOCK, Incomplete, Word};
use super::input::{Input, ended};
use super::invalid;

/// The order in which the lengths of the code for code lengths come.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Reads the codes of a block.
pub(super) fn read<R: Read>(input: &mut Input<R>, codes: &mut Codes) -> io::Result<()> {
    let literals = small(input, 5)? + 257;
    let distances = small(input, 5)? + 1;
    let described = small(input, 4)? + 4;
    if literals > 286 || distances > 30 {
        return Err(invalid("too many length or distance symbols"));
    }
    let mut lengths = [0_u8; 19];
    for place in ORDER.iter().take(described) {
        lengths[*place] = u8::try_from(input.take(3)?).unwrap_or_default();
    }
    let code = Code::new(&lengths, Incomplete::Refused)
        .ok_or_else(|| invalid("invalid code of code lengths"))?;
    let mut lengths = [0_u8; 286 + 30];
    let lengths = &mut lengths[..literals + distances];
    fill(input, &code, lengths)?;
    let (literals, distances) = lengths.split_at(literals);
    if literals[usize::from(END_OF_BLOCK)] == 0 {
        return Err(invalid("no code for the end of the block"));
    }
    codes.set(literals, distances)
}

/// Reads code lengths: each by itself, or as repeats.
fn fill<R: Read>(input: &mut Input<R>, code: &Code, lengths: &mut [u8]) -> io::Result<()> {
    let mut at = 0;
    while at < lengths.len() {
        input.want(7)?;
        let symbol = match code.decode(input.bits) {
            Word::Symbol(_, length) if length > input.count => return Err(ended()),
            Word::Symbol(symbol, length) => {
                input.drop(length);
                symbol
            }
            // Only a code without words has unused ones here. zlib reads zeros
            // from it, which make no valid block in the end.
            Word::Unused => {
                input.take(1)?;
                0
            }
        };
        let (value, count) = match symbol {
            0..=15 => (u8::try_from(symbol).unwrap_or_default(), 1),
            16 => {
                let count = 3 + small(input, 2)?;
                let Some(before) = at.checked_sub(1) else {
                    return Err(invalid("nothing to repeat among the code lengths"));
                };
                (lengths[before], count)
            }
            17 => (0, 3 + small(input, 3)?),
            _ => (0, 11 + small(input, 7)?),
        };
        lengths
            .get_mut(at..at + count)
            .ok_or_else(|| invalid("too many code lengths"))?
            .fill(value);
        at += count;
    }
    Ok(())
}

fn small<R: Read>(input: &mut Input<R>, bits: u32) -> io::Result<usize> {
    Ok(usize::try_from(input.take(bits)?).unwrap_or_default())
}
