//! The hot loop: symbols that are not rare, while input and room are plenty.
//!
//! It never judges. At anything out of the ordinary it stops before the symbol
//! in question, with input and window as if it had not been looked at.

// The parts of an entry are masked to what their types hold.
#![allow(clippy::cast_possible_truncation)]

use std::io::Read;

use super::codes::Codes;
use super::input::Input;
use super::tables::{DISTANCE_BITS, LITERAL_BITS, MATCH, RARE};
use super::window::{FULL, SIZE, SPAN, Window};

/// Decodes symbols up to the first that is not for this loop.
pub(super) fn run<R: Read>(input: &mut Input<R>, window: &mut Window, codes: &Codes) {
    let literals = &codes.fast_literals.entries;
    let distances = &codes.fast_distances.entries;
    let mut end = window.end;
    let Some(out) = window.bytes() else { return };
    let (mut at, mut bits, mut count) = (input.at, input.bits, input.count);
    let bytes = input.bytes();

    while end < FULL {
        // At least 56 bits count from here on; above them are bits of the
        // byte at `at`, which come again with it.
        let Some(word) = bytes.get(at..at + 8).and_then(|bytes| bytes.first_chunk()) else {
            break;
        };
        bits |= u64::from_le_bytes(*word) << (count & 63);
        at += 7 - (count as usize >> 3 & 7);
        count |= 56;

        let mut entry = literals[low(bits, LITERAL_BITS)];
        let mut start = end;
        write4(out, start, entry >> 32);
        start += literal_count(entry);
        if entry & (MATCH | RARE) == 0 {
            // Literals alone took at most 11 bits: a match still fits into what counts.
            bits >>= entry & 63;
            count -= (entry & 63) as u32;
            end = start;
            entry = literals[low(bits, LITERAL_BITS)];
            write4(out, start, entry >> 32);
            start += literal_count(entry);
            if entry & (MATCH | RARE) == 0 {
                bits >>= entry & 63;
                count -= (entry & 63) as u32;
                end = start;
                continue;
            }
        }
        if entry & RARE != 0 {
            break;
        }
        // Nothing is taken before the distance is known to be right.
        let own = bits >> (entry >> 8 & 63) & (entry >> 25 & 31);
        let length = ((entry >> 16 & 511) + own) as usize;
        let after = bits >> (entry & 63);
        let offset = distances[low(after, DISTANCE_BITS)];
        let own = after >> (offset >> 8 & 63) & (offset >> 16 & 0x1fff);
        let distance = ((offset >> 32) + own) as usize;
        // Rare ones are 0.
        if distance.wrapping_sub(1) >= start {
            break;
        }
        bits = after >> (offset & 63);
        count -= ((entry & 63) + (offset & 63)) as u32;
        end = start + length;
        copy(out, start, distance, end);
    }

    // Bits that do not count are read again.
    input.bits = bits;
    input.count = count;
    input.at = at;
    window.end = end;
}

#[inline(always)]
fn low(bits: u64, count: usize) -> usize {
    bits as usize & ((1 << count) - 1)
}

#[inline(always)]
fn literal_count(entry: u64) -> usize {
    (entry >> 30 & 3) as usize
}

/// Writes four bytes, of which those that are no literals will be written over.
#[inline(always)]
fn write4(out: &mut [u8; SIZE], at: usize, bytes: u64) {
    let at = at & (SPAN - 1);
    out[at..at + 4].copy_from_slice(&(bytes as u32).to_le_bytes());
}

#[inline(always)]
fn copy16(out: &mut [u8; SIZE], from: usize, to: usize) {
    let (from, to) = (from & (SPAN - 1), to & (SPAN - 1));
    let mut chunk = [0; 16];
    chunk.copy_from_slice(&out[from..from + 16]);
    out[to..to + 16].copy_from_slice(&chunk);
}

/// Repeats what is `distance` back, from `start` to `end` and a little beyond.
#[inline(always)]
fn copy(out: &mut [u8; SIZE], start: usize, distance: usize, end: usize) {
    let (mut from, mut to) = (start - distance, start);
    if distance < 16 {
        return copy_near(out, start, distance, end);
    }
    // Two steps without a question: most matches are done with that.
    copy16(out, from, to);
    (from, to) = (from + 16, to + 16);
    copy16(out, from, to);
    while to + 16 < end {
        (from, to) = (from + 16, to + 16);
        copy16(out, from, to);
    }
}

#[cold]
#[inline(never)]
fn copy_near(out: &mut [u8; SIZE], start: usize, distance: usize, end: usize) {
    if distance == 1 {
        let byte = out[start - 1];
        out[start..end].fill(byte);
        return;
    }
    for to in start..end {
        out[to] = out[to - distance];
    }
}
