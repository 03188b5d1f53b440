//! Finds the bytes that give delimited text its shape, 64 bytes at a time: the
//! comparison of a block is a loop that compilers turn into vector
//! instructions, and every hit costs the same few instructions.

use super::dialect::Dialect;

/// Bytes that are looked at together.
const BLOCK: usize = 64;
/// Moves the lowest bits of eight bytes side by side into the highest byte.
const GATHER: u64 = 0x0102_0408_1020_4080;

/// Where the delimiters, line ends, quotes and escapes of a piece of text stand.
pub(super) struct Marks {
    delimiter: u8,
    quote: u8,
    escape: u8,
    /// The first `count` are places; behind them there is room for a block.
    places: Vec<u32>,
    count: usize,
}

impl Marks {
    pub(super) fn new(dialect: &Dialect) -> Self {
        let delimiter = dialect.delimiter;
        Self {
            delimiter,
            // A character that the dialect lacks is one that is looked for anyway.
            quote: dialect.quote.unwrap_or(delimiter),
            escape: dialect.escape.unwrap_or(delimiter),
            places: Vec::new(),
            count: 0,
        }
    }

    /// The places, in order.
    pub(super) fn places(&self) -> &[u32] {
        &self.places[..self.count]
    }

    /// Forgets the first places and moves the others towards the start.
    pub(super) fn shift(&mut self, used: usize, by: u32) {
        self.places.copy_within(used..self.count, 0);
        self.count -= used;
        for place in &mut self.places[..self.count] {
            *place -= by;
        }
    }

    /// Finds the marks of the text from `from` on, in place of those before.
    /// The text is shorter than 4 GiB.
    #[expect(clippy::cast_possible_truncation, reason = "the text is shorter than 4 GiB")]
    pub(super) fn find(&mut self, text: &[u8], from: usize) {
        self.count = 0;
        let (blocks, rest) = text[from..].as_chunks::<BLOCK>();
        let mut at = from as u32;
        for block in blocks {
            self.add(at, self.hits(block));
            at += BLOCK as u32;
        }
        if !rest.is_empty() {
            let mut block = [0; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            let within = (1 << rest.len()) - 1;
            self.add(at, self.hits(&block) & within);
        }
    }

    /// One bit for each byte of the block, the lowest for the first.
    #[inline]
    fn hits(&self, block: &[u8; BLOCK]) -> u64 {
        let mut hits = [0_u8; BLOCK];
        for (hit, byte) in hits.iter_mut().zip(block) {
            *hit = u8::from(*byte == self.delimiter)
                | u8::from(*byte == b'\n')
                | u8::from(*byte == b'\r')
                | u8::from(*byte == self.quote)
                | u8::from(*byte == self.escape);
        }
        let mut bits = 0;
        for (i, eight) in hits.as_chunks::<8>().0.iter().enumerate() {
            bits |= (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56) << (8 * i);
        }
        bits
    }

    /// Notes a place for each bit. More are written than there are bits, always
    /// eight at a time, so that no branch depends on the single bit.
    #[inline]
    fn add(&mut self, at: u32, mut bits: u64) {
        if self.places.len() < self.count + BLOCK {
            self.places.resize(2 * self.places.len() + 64 * BLOCK, 0);
        }
        let count = bits.count_ones() as usize;
        let room = &mut self.places[self.count..][..BLOCK];
        for eight in room.as_chunks_mut::<8>().0.iter_mut().take(count.div_ceil(8)) {
            for place in eight {
                *place = at + bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
            }
        }
        self.count += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_mark_is_found(
            text in prop::collection::vec(prop::sample::select(b"ab,;\"\\\r\n\0\xff".to_vec()), 0..300),
            from in 0_usize..70,
            quote in any::<bool>(),
            escape in any::<bool>(),
        ) {
            prop_assume!(from <= text.len());
            let dialect = Dialect {
                delimiter: b';',
                quote: quote.then_some(b'"'),
                escape: escape.then_some(b'\\'),
                comment: None,
            };
            let mut marks = Marks::new(&dialect);
            marks.find(&text, from);
            let is_mark = |byte: u8| matches!(byte, b';' | b'\r' | b'\n')
                || (quote && byte == b'"')
                || (escape && byte == b'\\');
            let expected: Vec<_> = (from..text.len()).filter(|at| is_mark(text[*at])).collect();
            let found: Vec<_> = marks.places().iter().map(|at| *at as usize).collect();
            prop_assert_eq!(&found, &expected);

            let used = expected.len() / 2;
            marks.shift(used, u32::try_from(from).unwrap());
            let moved: Vec<_> = marks.places().iter().map(|at| *at as usize + from).collect();
            prop_assert_eq!(&moved, &expected[used..]);
        }
    }
}
