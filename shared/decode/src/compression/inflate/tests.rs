//! Our gunzip against zlib-rs: the same content, the same refusals.

// Seeds and sums are cut to size.
#![allow(clippy::cast_possible_truncation)]

mod compare;
mod streams;

use std::io::{self, Read, Write};

use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;

use self::compare::{compare, inflated};
use self::streams::{Bits, Random, deflate};
use super::Gunzip;

fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// A member with a header of any kind, mostly right, around a deflate stream.
fn member(random: &mut Random, body: &[u8]) -> Vec<u8> {
    let flags = if random.once_in(3) { random.within(0..32) as u8 } else { 0 };
    let mut bytes = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 255];
    if flags & 4 != 0 {
        let count = random.within(0..2_000);
        bytes.extend((count as u16).to_le_bytes());
        bytes.extend(random.bytes(count));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let count = if random.once_in(50) {
                random.within(65_534..65_538)
            } else {
                random.within(0..300)
            };
            bytes.extend(vec![b'n'; count]);
            bytes.push(0);
        }
    }
    if flags & 2 != 0 {
        let sum = checksum(&bytes) as u16 ^ u16::from(random.once_in(30));
        bytes.extend(sum.to_le_bytes());
    }
    let (content, _) = inflated(body);
    bytes.extend_from_slice(body);
    bytes.extend((checksum(&content) ^ u32::from(random.once_in(60))).to_le_bytes());
    let length = content.len() as u32;
    bytes.extend(length.wrapping_add(u32::from(random.once_in(60))).to_le_bytes());
    bytes
}

fn compressed(content: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Content of many kinds: text, few symbols, runs, repeats near and far, noise.
fn content(random: &mut Random) -> Vec<u8> {
    let mut content = Vec::new();
    for _ in 0..random.within(0..8) {
        let most = if random.once_in(8) { 150_000 } else { 3_000 };
        let count = random.within(0..most);
        match random.within(0..6) {
            0 => content.extend(random.bytes(count)),
            1 => content.extend(vec![random.next() as u8; count]),
            2 => content.extend((0..count).map(|_| b"ab\n"[random.within(0..3)])),
            3 => {
                while content.len() < count {
                    let (a, b) = (random.within(0..1_000), random.within(0..100_000_000));
                    content
                        .extend(format!("{a},2024-01-{:02},{b},,true,\"x {a}\"\n", a % 31).bytes());
                }
            }
            4 => {
                let period = random.within(1..40);
                let piece = random.bytes(period);
                content.extend(piece.iter().cycle().take(count));
            }
            _ => {
                let start = random.within(0..content.len() + 1);
                let end = (start + count).min(content.len());
                content.extend_from_within(start..end);
            }
        }
    }
    content
}

/// Some bytes changed, left out, put in or cut off.
fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.within(1..4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.within(0..bytes.len());
        match random.within(0..8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, random.next() as u8),
            3 => bytes[at] = random.next() as u8,
            _ => bytes[at] ^= 1 << random.within(0..8),
        }
    }
}

/// A whole stream of any kind, from a seed.
fn stream(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..[1, 1, 1, 2, 3][random.within(0..5)] {
        let body = match random.within(0..10) {
            0 => {
                let count = random.within(0..60);
                random.bytes(count)
            }
            1..4 => {
                let level = random.within(0..10) as u32;
                let mut all = compressed(&content(random), level);
                all.truncate(all.len() - 8);
                all.split_off(10)
            }
            _ => deflate(random),
        };
        bytes.extend(member(random, &body));
        if random.once_in(5) {
            bytes.extend(vec![0; random.within(0..20)]);
        }
        if random.once_in(30) {
            bytes.extend(random.bytes(3));
        }
    }
    if random.once_in(3) {
        damage(random, &mut bytes);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_stream_is_judged_as_zlib_judges_it(seed: u64) {
        let mut random = Random(seed);
        let bytes = stream(&mut random);
        compare(&bytes, &mut random);
    }

    #[test]
    fn what_is_compressed_comes_back(
        pieces in vec((vec(any::<u8>(), 0..40), 1_usize..3_000), 0..8),
        level in 0_u32..10,
        seed: u64,
    ) {
        let content: Vec<u8> =
            pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
        let (found, error) = compare(&compressed(&content, level), &mut Random(seed));
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert!(found == content);
    }
}

/// So many random streams as `GUNZIP_CASES` says, from `GUNZIP_SEED` on.
#[test]
#[ignore = "as long as one likes"]
fn many_streams_are_judged_as_zlib_judges_them() {
    let number = |name: &str, default| {
        std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (first, cases) = (number("GUNZIP_SEED", 0), number("GUNZIP_CASES", 100_000_u64));
    let (mut right, mut broken_off, mut wrong) = (0, 0, std::collections::BTreeMap::new());
    for seed in first..first + cases {
        let mut random = Random(seed);
        let bytes = stream(&mut random);
        let outcome = std::panic::catch_unwind(|| compare(&bytes, &mut Random(seed)));
        let Ok((_, error)) = outcome else { panic!("seed {seed}, see above") };
        match error {
            None => right += 1,
            Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => broken_off += 1,
            Some(error) => *wrong.entry(error.to_string()).or_insert(0) += 1,
        }
    }
    println!("{right} right, {broken_off} broken off, wrong: {wrong:#?}");
}

/// Every byte of a stream that uses everything is damaged once, and every end is cut.
#[test]
fn damage_anywhere_is_judged_as_zlib_judges_it() {
    let text = b"id,name,price\n1,apple,0.50\n2,pear,0.75\n3,apple,0.50\n".repeat(40);
    let bytes = [compressed(&text, 6), compressed(&text[..40], 0)].concat();
    let mut random = Random(1);
    for at in 0..bytes.len() {
        compare(&bytes[..at], &mut random);
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            compare(&damaged, &mut random);
        }
    }
}

/// A deflate stream from values and their numbers of bits.
fn packed(parts: &[(usize, usize)]) -> Vec<u8> {
    let mut bits = Bits::default();
    parts.iter().for_each(|(value, count)| bits.put(*value, *count));
    bits.bytes
}

#[rstest]
#[case::type_3("invalid block type", packed(&[(1, 1), (3, 2)]))]
#[case::stored_lengths("invalid stored block lengths", vec![1, 1, 0, 0, 0])]
#[case::too_many_literals(
    "too many length or distance symbols",
    packed(&[(1, 1), (2, 2), (30, 5), (0, 5), (0, 4)])
)]
#[case::too_many_distances(
    "too many length or distance symbols",
    packed(&[(1, 1), (2, 2), (0, 5), (30, 5), (0, 4)])
)]
#[case::incomplete_code_lengths(
    "invalid code of code lengths",
    packed(&[(1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (1, 3), (0, 9)])
)]
#[case::oversubscribed_code_lengths(
    "invalid code of code lengths",
    packed(&[(1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (1, 3), (1, 3), (1, 3), (0, 3)])
)]
#[case::no_code_lengths(
    "no code for the end of the block",
    packed(&[(1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (0, 12)]
        .into_iter().chain((0..300).map(|_| (0, 1))).collect::<Vec<_>>())
)]
#[case::nothing_to_repeat(
    "nothing to repeat among the code lengths",
    packed(&[(1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (1, 3), (1, 3), (0, 6), (0, 8)])
)]
// The fixed code: length 3 is the word 0000001, distance 1 the word 00000.
#[case::too_far_back("a distance reaches too far back", packed(&[(1, 1), (1, 2), (64, 7), (0, 5), (0, 30)]))]
#[case::distance_30("invalid distance", packed(&[(1, 1), (1, 2), (64, 7), (15, 5), (0, 30)]))]
#[case::length_286("invalid literal or length", packed(&[(1, 1), (1, 2), (0x63, 8), (0, 30)]))]
fn what_is_wrong_is_told(#[case] reason: &str, #[case] body: Vec<u8>) {
    let bytes = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec(), body, vec![0; 80]].concat();
    let (_, error) = compare(&bytes, &mut Random(0));
    assert_eq!(error.unwrap().to_string(), reason);
}

#[rstest]
#[case::checksum(8, "the checksum is wrong")]
#[case::length(4, "the length is wrong")]
fn the_trailer_is_checked(#[case] from_end: usize, #[case] reason: &str) {
    let mut bytes = compressed(b"hello", 6);
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    let (content, error) = compare(&bytes, &mut Random(0));
    assert_eq!((content.as_slice(), error.unwrap().to_string().as_str()), (&b"hello"[..], reason));
}

/// The content before an error comes first; then it fails, again and again.
#[test]
fn a_failed_stream_stays_failed() {
    let mut bytes = compressed(&b"hello, world\n".repeat(1_000), 6);
    bytes.truncate(bytes.len() - 9);
    let mut stream = Gunzip::new(&bytes[..]);
    let mut content = Vec::new();
    let error = stream.read_to_end(&mut content).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(content.len() > 12_000, "{}", content.len());
    for _ in 0..3 {
        assert!(stream.read(&mut [0; 10]).is_err());
    }
}
