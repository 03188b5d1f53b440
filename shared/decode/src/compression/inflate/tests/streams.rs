//! gzip streams that no compressor writes: every kind of block with codes of
//! every shape, most of them right, some of them not.

use std::ops::Range;

/// Numbers that look random (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn within(&mut self, range: Range<usize>) -> usize {
        range.start + (self.next() as usize) % (range.end - range.start)
    }

    /// True once in so many times.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.within(0..times) == 0
    }

    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Bits written as RFC 1951 packs them.
#[derive(Default)]
pub(super) struct Bits {
    pub(super) bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    pub(super) fn put(&mut self, value: usize, count: usize) {
        for bit in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((value >> bit & 1) as u8) << (self.used % 8);
            self.used += 1;
        }
    }

    /// A word of a code, whose highest bit comes first.
    fn put_word(&mut self, (word, length): (usize, usize)) {
        for bit in (0..length).rev() {
            self.put(word >> bit & 1, 1);
        }
    }

    fn align(&mut self) {
        self.used = self.bytes.len() * 8;
    }
}

/// The words of a code by symbol, given their lengths; as in RFC 1951, 3.2.2.
fn words(lengths: &[usize]) -> Vec<(usize, usize)> {
    let mut counts = [0; 17];
    lengths.iter().for_each(|length| counts[*length] += 1);
    counts[0] = 0;
    let mut next = [0; 17];
    for length in 1..17 {
        next[length] = (next[length - 1] + counts[length - 1]) << 1;
    }
    let word = |length: &usize| {
        next[*length] += 1;
        (next[*length] - 1, *length)
    };
    lengths.iter().map(word).collect()
}

/// Lengths of a complete code for `used` of `symbols` symbols, `needed` among them.
fn lengths(
    random: &mut Random,
    symbols: usize,
    used: usize,
    longest: usize,
    needed: &[usize],
) -> Vec<usize> {
    let used = used.max(needed.len()).min(symbols);
    let mut lengths = vec![0; symbols];
    if used == 0 {
        return lengths;
    }
    let mut leaves = vec![0_usize];
    let deep = random.once_in(2);
    while leaves.len() < used {
        let mut at = random.within(0..leaves.len());
        if deep && !random.once_in(4) {
            at = leaves.len() - 1;
        }
        if leaves[at] == longest {
            let open = leaves.iter().position(|leaf| *leaf < longest);
            at = open.unwrap();
        }
        leaves[at] += 1;
        let depth = leaves[at];
        leaves.push(depth);
    }
    if leaves == [0] {
        leaves = vec![1];
    }
    let mut chosen = needed.to_vec();
    while chosen.len() < used {
        let symbol = random.within(0..symbols);
        if !chosen.contains(&symbol) {
            chosen.push(symbol);
        }
    }
    for (symbol, leaf) in chosen.into_iter().zip(leaves) {
        lengths[symbol] = leaf;
    }
    lengths
}

const BASES: [usize; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];

/// A deflate stream of some blocks.
pub(super) fn deflate(random: &mut Random) -> Vec<u8> {
    let mut bits = Bits::default();
    let mut produced = 0;
    for left in (0..random.within(1..5)).rev() {
        let last = left == 0 && !random.once_in(50);
        bits.put(usize::from(last), 1);
        match random.within(0..40) {
            0 => bits.put(3, 2),
            1..8 => stored(random, &mut bits, &mut produced),
            8..16 => {
                bits.put(1, 2);
                let mut lengths = vec![8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                symbols(random, &mut bits, &lengths, &[5; 32], &mut produced);
            }
            _ => dynamic(random, &mut bits, &mut produced),
        }
    }
    bits.bytes
}

fn stored(random: &mut Random, bits: &mut Bits, produced: &mut usize) {
    bits.put(0, 2);
    // Whatever is in the rest of the byte.
    bits.put(random.within(0..256), (8 - bits.used % 8) % 8);
    let length = if random.once_in(4) { random.within(0..65536) } else { random.within(0..300) };
    let complement = if random.once_in(50) { random.within(0..65536) } else { !length & 0xffff };
    bits.put(length, 16);
    bits.put(complement, 16);
    bits.bytes.extend(random.bytes(length));
    bits.align();
    *produced += length;
}

fn dynamic(random: &mut Random, bits: &mut Bits, produced: &mut usize) {
    bits.put(2, 2);
    // Seldom more symbols than there are.
    let beyond = if random.once_in(40) { 2 } else { 0 };
    let literal_count = random.within(257..287 + beyond);
    let distance_count = random.within(1..31 + beyond);
    let used = random.within(1..literal_count + 1);
    let needed: &[usize] = if random.once_in(60) { &[] } else { &[256] };
    let mut literals = lengths(random, literal_count, used, 15, needed);
    let used = random.within(0..distance_count + 1);
    let mut distances = lengths(random, distance_count, used, 15, &[]);
    if random.once_in(30) {
        let at = random.within(0..literals.len());
        literals[at] = random.within(0..16);
    }
    if random.once_in(30) {
        let at = random.within(0..distances.len());
        distances[at] = random.within(0..16);
    }
    bits.put(literal_count - 257, 5);
    bits.put(distance_count - 1, 5);
    code_lengths(random, bits, &[literals.clone(), distances.clone()].concat());
    symbols(random, bits, &literals, &distances, produced);
}

/// Writes code lengths and the code that they are written in.
fn code_lengths(random: &mut Random, bits: &mut Bits, all: &[usize]) {
    let mut items: Vec<(usize, usize, usize)> = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let run = all[at..].iter().take_while(|length| **length == all[at]).count();
        let item = match all[at] {
            0 if run >= 11 && !random.once_in(4) => (18, run.min(138) - 11, 7),
            0 if run >= 3 && !random.once_in(4) => (17, run.min(10) - 3, 3),
            length if at > 0 && all[at - 1] == length && run >= 3 && !random.once_in(4) => {
                (16, run.min(6) - 3, 2)
            }
            length => (length, 0, 0),
        };
        at += match item.0 {
            16 | 17 => item.1 + 3,
            18 => item.1 + 11,
            _ => 1,
        };
        items.push(item);
    }
    if random.once_in(40) {
        let at = random.within(0..items.len() + 1);
        items.insert(at, [(16, 1, 2), (17, 7, 3), (18, 100, 7)][random.within(0..3)]);
    }
    let mut needed: Vec<usize> = items.iter().map(|item| item.0).collect();
    needed.sort_unstable();
    needed.dedup();
    let used = random.within(needed.len().max(2)..20);
    let mut code = lengths(random, 19, used, 7, &needed);
    if random.once_in(30) {
        let at = random.within(0..19);
        code[at] = random.within(0..8);
    }
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let count = 19 - ORDER.iter().rev().take_while(|symbol| code[**symbol] == 0).count();
    let count = count.max(4);
    bits.put(count - 4, 4);
    for symbol in &ORDER[..count] {
        bits.put(code[*symbol], 3);
    }
    let words = words(&code);
    for (symbol, extra, extra_bits) in items {
        bits.put_word(words[symbol]);
        bits.put(extra, extra_bits);
    }
}

/// Writes literals, matches and mostly the end of a block.
fn symbols(
    random: &mut Random,
    bits: &mut Bits,
    literals: &[usize],
    distances: &[usize],
    produced: &mut usize,
) {
    let (literal_words, distance_words) = (words(literals), words(distances));
    let has_word = |words: &[(usize, usize)]| -> Vec<usize> {
        (0..words.len()).filter(|symbol| words[*symbol].1 > 0).collect()
    };
    let (literal_symbols, distance_symbols) = (has_word(&literal_words), has_word(&distance_words));
    let count = match random.within(0..20) {
        0 => random.within(0..40_000),
        1..10 => random.within(0..2_000),
        _ => random.within(0..50),
    };
    let careless = random.once_in(10);
    for _ in 0..count {
        let Some(symbol) = literal_symbols.get(random.within(0..literal_symbols.len().max(1)))
        else {
            break;
        };
        if *symbol < 256 {
            bits.put_word(literal_words[*symbol]);
            *produced += 1;
        } else if *symbol > 256 {
            let fitting: Vec<usize> = distance_symbols
                .iter()
                .copied()
                .filter(|at| careless || BASES.get(*at).is_some_and(|base| base <= produced))
                .collect();
            let careful_end = *symbol > 285 && !careless;
            if fitting.is_empty() || careful_end {
                continue;
            }
            let distance = fitting[random.within(0..fitting.len())];
            bits.put_word(literal_words[*symbol]);
            let extra = if *symbol < 265 || *symbol >= 285 { 0 } else { (*symbol - 261) / 4 };
            bits.put(random.next() as usize, extra);
            bits.put_word(distance_words[distance]);
            let extra = (distance.max(2) - 2) / 2;
            let base = BASES.get(distance).copied().unwrap_or_default();
            let span = if careless { 1 << extra } else { (*produced - base + 1).min(1 << extra) };
            bits.put(random.within(0..span), extra);
            *produced += 3;
        }
    }
    // Seldom the block is left open.
    if let Some(end) = literal_words.get(256).filter(|end| end.1 > 0 && !random.once_in(100)) {
        bits.put_word(*end);
    }
}
