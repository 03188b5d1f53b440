//! Which partition a key belongs to: as Kafka's own clients say, so that the
//! events of one key stay in order whoever has sent them.

/// The partition of a key among `partitions` of them; 0 when there is none.
#[must_use]
pub fn partition_of_key(key: &[u8], partitions: i32) -> i32 {
    // The sign is cut off as Kafka does it, which is not the absolute value.
    (murmur2(key) & i32::MAX).checked_rem(partitions).unwrap_or(0)
}

/// The 32-bit Murmur2 hash with the seed of Kafka's clients.
#[must_use]
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    // Java's length is an i32, and no key is longer.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0_u32, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ (hash >> 15)).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// The vectors of Kafka's own test of this hash.
    #[rstest]
    #[case("21", -973_932_308)]
    #[case("foobar", -790_332_482)]
    #[case("a-little-bit-long-string", -985_981_536)]
    #[case("a-little-bit-longer-string", -1_486_304_829)]
    #[case("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971)]
    #[case("abc", 479_470_107)]
    fn the_hash_is_that_of_kafkas_clients(#[case] key: &str, #[case] expected: i32) {
        assert_eq!(murmur2(key.as_bytes()), expected);
    }

    proptest! {
        #[test]
        fn a_partition_is_one_that_there_is(key: Vec<u8>, partitions in 1_i32..500) {
            prop_assert!((0..partitions).contains(&partition_of_key(&key, partitions)));
        }
    }
}
