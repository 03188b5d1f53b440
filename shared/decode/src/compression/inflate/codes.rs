//! Huffman codes from the lengths of their words (RFC 1951, 3.2.2), and the
//! look-up of one word in every case: long, unused, cut off.

use std::io;

use super::invalid;
use super::tables::{Distances, Literals};

/// The longest word.
pub(super) const LONGEST: usize = 15;
/// Literals, the end of a block, lengths; two of the fixed code are unused.
pub(super) const LITERALS: usize = 288;
/// Distances; two of the fixed code are unused.
pub(super) const DISTANCES: usize = 32;
/// The literal alphabet's symbol for the end of a block.
pub(super) const END_OF_BLOCK: u16 = 256;

/// The codes of a block: as they are, and as tables for the hot loop.
pub(super) struct Codes {
    pub(super) literals: Code,
    pub(super) distances: Code,
    pub(super) fast_literals: Box<Literals>,
    pub(super) fast_distances: Box<Distances>,
    /// The tables are those of the fixed codes already.
    fixed: bool,
}

impl Codes {
    pub(super) fn new() -> Self {
        Self {
            literals: Code::default(),
            distances: Code::default(),
            fast_literals: Box::default(),
            fast_distances: Box::default(),
            fixed: false,
        }
    }

    /// The codes of RFC 1951, 3.2.6.
    pub(super) fn set_fixed(&mut self) -> io::Result<()> {
        if !self.fixed {
            let mut literals = [8; LITERALS];
            literals[144..256].fill(9);
            literals[256..280].fill(7);
            self.set(&literals, &[5; DISTANCES])?;
            self.fixed = true;
        }
        Ok(())
    }

    /// The codes with words of these lengths.
    pub(super) fn set(&mut self, literals: &[u8], distances: &[u8]) -> io::Result<()> {
        self.fixed = false;
        self.literals = Code::new(literals, Incomplete::OneWord)
            .ok_or_else(|| invalid("invalid literal and length code"))?;
        self.distances = Code::new(distances, Incomplete::OneWord)
            .ok_or_else(|| invalid("invalid distance code"))?;
        self.fast_literals.build(&self.literals);
        self.fast_distances.build(&self.distances);
        Ok(())
    }
}

/// Which codes may leave words unused. zlib takes one without any words
/// everywhere, as long as nothing is to be decoded with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incomplete {
    Refused,
    /// One word of one bit may stand alone.
    OneWord,
}

/// A canonical Huffman code.
#[derive(Debug)]
pub(super) struct Code {
    /// The symbols that have words, in the order of their words.
    symbols: [u16; LITERALS],
    /// How many words there are of each length.
    counts: [u16; LONGEST + 1],
    /// By length: the first word that is longer or unused, as the highest of 16 bits.
    ends: [u32; LONGEST + 1],
    /// By length: what to add to a word for its place among the symbols.
    places: [u16; LONGEST + 1],
}

impl Default for Code {
    fn default() -> Self {
        Self {
            symbols: [0; LITERALS],
            counts: [0; LONGEST + 1],
            ends: [0; LONGEST + 1],
            places: [0; LONGEST + 1],
        }
    }
}

/// What the next bits are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A symbol and its bits.
    Symbol(u16, u32),
    /// No word begins like this; known from the first bit.
    Unused,
}

impl Code {
    /// The code whose symbols have words of these lengths (0: none), unless
    /// there are too many words or too few.
    pub(super) fn new(lengths: &[u8], incomplete: Incomplete) -> Option<Self> {
        let mut code = Self::default();
        for length in lengths {
            *code.counts.get_mut(usize::from(*length))? += 1;
        }
        code.counts[0] = 0;
        let (mut word, mut place) = (0_u32, 0_u16);
        let mut starts = [0_u16; LONGEST + 1];
        for (length, start) in starts.iter_mut().enumerate().skip(1) {
            let count = code.counts[length];
            *start = place;
            word <<= 1;
            code.places[length] = place.wrapping_sub(u16::try_from(word).ok()?);
            word += u32::from(count);
            place += count;
            // Over-subscribed: more words than there are bits for.
            if word > 1 << length {
                return None;
            }
            code.ends[length] = word << (16 - length);
        }
        let complete = word == 1 << LONGEST;
        let one_word = place == 1 && code.counts[1] == 1 && incomplete == Incomplete::OneWord;
        if !complete && place > 0 && !one_word {
            return None;
        }
        for (symbol, length) in (0_u16..).zip(lengths) {
            if *length > 0 {
                let start = &mut starts[usize::from(*length)];
                *code.symbols.get_mut(usize::from(*start))? = symbol;
                *start += 1;
            }
        }
        Some(code)
    }

    /// What the next bits are, if enough of them count.
    pub(super) fn decode(&self, bits: u64) -> Word {
        // The first bit of a word is its highest one.
        #[allow(clippy::cast_possible_truncation)]
        let next = u32::from((bits as u16).reverse_bits());
        for length in 1..=LONGEST {
            if next < self.ends[length] {
                // Fits: `next` has 16 bits.
                #[allow(clippy::cast_possible_truncation)]
                let word = (next >> (16 - length)) as u16;
                let place = usize::from(word.wrapping_add(self.places[length]));
                #[allow(clippy::cast_possible_truncation)]
                return match self.symbols.get(place) {
                    Some(symbol) => Word::Symbol(*symbol, length as u32),
                    None => Word::Unused,
                };
            }
        }
        Word::Unused
    }

    /// Every symbol with its word, first bit lowest, and the word's length.
    pub(super) fn words(&self) -> impl Iterator<Item = (u16, usize, usize)> {
        let (mut word, mut left, mut length) = (0_u16, 0, 0);
        let used = self.counts.iter().map(|count| usize::from(*count)).sum();
        self.symbols.iter().take(used).map(move |symbol| {
            while left == 0 && length < LONGEST {
                length += 1;
                word <<= 1;
                left = self.counts[length];
            }
            let reversed = usize::from(word.reverse_bits() >> (16 - length));
            word = word.wrapping_add(1);
            left -= 1;
            (*symbol, reversed, length)
        })
    }
}
