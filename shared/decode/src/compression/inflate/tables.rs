//! Tables for the hot loop: from the next bits to what is to be done.
//!
//! An entry is one number of 64 bits, laid out so that its parts come out by
//! a shift and a mask. What is rare (long words, the end of a block, words
//! that do not exist) is only marked, for the careful path to see to.

use super::codes::{Code, DISTANCES, LITERALS};

/// Bits that the table of literals and lengths is looked up by.
pub(super) const LITERAL_BITS: usize = 11;
/// Bits that the table of distances is looked up by.
pub(super) const DISTANCE_BITS: usize = 9;

/// By length symbol from 257 (RFC 1951, 3.2.5): the shortest length, and how
/// many bits are added to it.
pub(super) const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// The same by distance symbol.
pub(super) const OFFSETS: [(u16, u8); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];

// An entry of the table of literals:
//
//   bits  0..8   how many bits it takes in all
//   bits  8..16  how many of them come before the length's own bits
//   bits 16..25  the length without its own bits, 0 when there is no match
//   bits 25..30  a mask for the length's own bits
//   bits 30..32  how many literals there are
//   bits 32..56  the literals
//   bit  62      a match follows the literals
//   bit  63      not for the hot loop

/// A match follows the literals.
pub(super) const MATCH: u64 = 1 << 62;
/// Not for the hot loop.
pub(super) const RARE: u64 = 1 << 63;

const fn low_mask(bits: u8) -> u64 {
    (1 << bits) - 1
}

/// Entries by symbol, for words of no bits; those without one are rare.
const LITERAL_ENTRIES: [u64; LITERALS] = {
    let mut entries = [RARE; LITERALS];
    let mut symbol = 0;
    while symbol < 256 {
        entries[symbol] = (symbol as u64) << 32 | 1 << 30;
        symbol += 1;
    }
    let mut at = 0;
    while at < LENGTHS.len() {
        let (base, extra) = LENGTHS[at];
        entries[257 + at] = MATCH | low_mask(extra) << 25 | (base as u64) << 16 | extra as u64;
        at += 1;
    }
    entries
};

// An entry of the table of distances: bits 0..8 and 8..16 as above, 16..29 a
// mask for the distance's own bits, 32..48 the distance without them, 0 when
// it is not for the hot loop.

const DISTANCE_ENTRIES: [u64; DISTANCES] = {
    let mut entries = [0; DISTANCES];
    let mut at = 0;
    while at < OFFSETS.len() {
        let (base, extra) = OFFSETS[at];
        entries[at] = (base as u64) << 32 | low_mask(extra) << 16 | extra as u64;
        at += 1;
    }
    entries
};

/// Up to two symbols by the next bits.
pub(super) struct Literals {
    pub(super) entries: [u64; 1 << LITERAL_BITS],
    single: [u64; 1 << LITERAL_BITS],
}

/// A distance by the next bits.
pub(super) struct Distances {
    pub(super) entries: [u64; 1 << DISTANCE_BITS],
}

impl Default for Literals {
    fn default() -> Self {
        Self { entries: [RARE; 1 << LITERAL_BITS], single: [RARE; 1 << LITERAL_BITS] }
    }
}

impl Default for Distances {
    fn default() -> Self {
        Self { entries: [0; 1 << DISTANCE_BITS] }
    }
}

/// A word of so many bits, in both places that count them.
fn word_bits(length: usize) -> u64 {
    (length | length << 8) as u64
}

impl Literals {
    pub(super) fn build(&mut self, code: &Code) {
        self.single.fill(RARE);
        for (symbol, word, length) in code.words() {
            if length > LITERAL_BITS {
                break;
            }
            let mut entry = LITERAL_ENTRIES[usize::from(symbol)];
            if entry & RARE == 0 {
                entry += word_bits(length);
            }
            for place in self.single[word..].iter_mut().step_by(1 << length) {
                *place = entry;
            }
        }
        self.entries.copy_from_slice(&self.single);
        for (symbol, word, length) in code.words() {
            if length >= LITERAL_BITS {
                break;
            }
            if symbol >= 256 {
                continue;
            }
            let left = LITERAL_BITS - length;
            let first = word_bits(length) | 1 << 30;
            let literal = u64::from(symbol) << 32;
            let places = self.entries[word..].iter_mut().step_by(1 << length);
            for (place, second) in places.zip(&self.single) {
                let fits = second & RARE == 0 && (second >> 8 & 0xff) <= left as u64;
                let literals = (second & 0xff << 32) << 8 | literal;
                let joined = ((second & !(0xff << 32)) + first) | literals;
                *place = if fits { joined } else { *place };
            }
        }
    }
}

impl Distances {
    pub(super) fn build(&mut self, code: &Code) {
        self.entries.fill(0);
        for (symbol, word, length) in code.words() {
            if length > DISTANCE_BITS {
                break;
            }
            let mut entry = DISTANCE_ENTRIES[usize::from(symbol)];
            if entry > 0 {
                entry += word_bits(length);
            }
            for place in self.entries[word..].iter_mut().step_by(1 << length) {
                *place = entry;
            }
        }
    }
}
