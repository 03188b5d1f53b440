//! Chunks and tokens: the unit of exactly-once.
//!
//! A chunk is a fixed run of source rows of one object that is written by one
//! INSERT. Its bounds depend only on the object and on the configuration that
//! the claim froze, so that a replay cuts the same rows; its token depends only
//! on its identity, so that a replay carries the same token.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Drift, ObjectId, Run};

/// The insert deduplication token of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token(String);

impl Token {
    /// Derives the token of a chunk.
    ///
    /// `config_version` and the chunk's bounds are part of the identity: the
    /// same rows mapped by another document are other data.
    #[must_use]
    pub fn of_chunk(
        source: &str,
        object: &ObjectId,
        config_version: u64,
        bounds: &ChunkBounds,
    ) -> Self {
        Self::of(
            &[source, &object.bucket, &object.key, &object.etag],
            &[config_version, bounds.start, bounds.end],
        )
    }

    /// Derives the token of a replay of quarantined rows, by their numbers.
    #[must_use]
    pub fn of_replay(source: &str, object: &ObjectId, config_version: u64, rows: &[u64]) -> Self {
        let mut numbers = vec![config_version];
        numbers.extend(rows);
        Self::of(&["replay", source, &object.bucket, &object.key, &object.etag], &numbers)
    }

    /// Derives the token of an event of drift: one of its kind is kept of each
    /// source, version of the document, column and day (counted from 1970).
    #[must_use]
    pub fn of_drift(source: &str, config_version: u64, drift: &Drift, day: u64) -> Self {
        Self::of(
            &["drift", source, drift.kind.name(), drift.action.name(), &drift.field],
            &[config_version, day],
        )
    }

    /// Derives the token of an INSERT of Kafka's records, by where they are.
    #[must_use]
    pub fn of_runs(source: &str, config_version: u64, runs: &[Run]) -> Self {
        let mut texts = vec!["runs", source];
        let mut numbers = vec![config_version];
        for run in runs {
            texts.push(&run.topic);
            numbers.push(u64::from(run.partition.cast_unsigned()));
            numbers.extend([run.start.cast_unsigned(), run.end.cast_unsigned()]);
        }
        Self::of(&texts, &numbers)
    }

    /// The token of one INSERT that brings what each of these stands for.
    #[must_use]
    pub fn of_all(tokens: &[Self]) -> Self {
        Self::of(&tokens.iter().map(Self::as_str).collect::<Vec<_>>(), &[])
    }

    fn of(texts: &[&str], numbers: &[u64]) -> Self {
        let mut hash = Sha256::new();
        // Lengths first: no two different identities may spell the same bytes.
        for text in texts {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        for number in numbers {
            hash.update(number.to_le_bytes());
        }
        let digest = hash.finalize();
        Self(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The token of the same chunk of an object that is loaded once more from its
    /// beginning, at a moment in milliseconds since 1970: the table would drop
    /// rows under the token that they had. 0 stands for the first time.
    #[must_use]
    pub fn renewed(self, again_ms: i64) -> Self {
        match again_ms {
            0 => self,
            moment => self.companion(&format!("again-{moment}")),
        }
    }

    /// The token of a companion INSERT of the same chunk (its quarantined rows).
    #[must_use]
    pub fn companion(&self, suffix: &str) -> Self {
        Self(format!("{}-{suffix}", self.0))
    }

    /// The token that [`Token::as_str`] wrote into a store.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The token as ClickHouse's setting `insert_deduplication_token` takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The source rows of a chunk: `start` inclusive, `end` exclusive. The last
/// chunk of an object holds fewer rows than its bounds say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChunkBounds {
    /// First row, counted from 0 within the object.
    pub start: u64,
    /// The row after the last that the chunk may hold.
    pub end: u64,
}

/// How an object is cut into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlan {
    /// Rows per chunk; at least 1.
    pub rows_per_chunk: u64,
}

impl ChunkPlan {
    /// The chunk that holds `row`.
    #[must_use]
    pub fn chunk_of(&self, row: u64) -> ChunkBounds {
        let size = self.rows_per_chunk.max(1);
        let start = row - row % size;
        ChunkBounds { start, end: start.saturating_add(size) }
    }
}

/// How the rows of a chunk are cut into batches, that is into blocks of its
/// INSERT. A replay must cut the same blocks, so decoders end a batch at every
/// multiple of `chunk_rows` and otherwise by rules that depend only on the
/// chunk's own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPlan {
    /// Rows per chunk: no batch crosses a multiple of it.
    pub chunk_rows: u64,
    /// At most this many rows in a batch. It divides `chunk_rows`.
    pub batch_rows: u64,
    /// A batch of a text format ends early when its rows span this many bytes.
    pub batch_bytes: usize,
}

/// Most rows of a batch: larger ones cost memory and are no faster.
const MAX_BATCH_ROWS: u64 = 32_768;
/// Text bytes after which a batch ends, whatever its rows.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

impl BatchPlan {
    /// The plan for chunks of `rows_per_chunk` rows.
    #[must_use]
    pub fn for_chunks(rows_per_chunk: u64) -> Self {
        let chunk_rows = rows_per_chunk.max(1);
        Self {
            chunk_rows,
            batch_rows: largest_divisor(chunk_rows, MAX_BATCH_ROWS),
            batch_bytes: MAX_BATCH_BYTES,
        }
    }

    /// The same plan with at most `limit` rows a batch (still a divisor).
    #[must_use]
    pub fn limited(self, limit: u64) -> Self {
        Self {
            batch_rows: largest_divisor(self.chunk_rows, self.batch_rows.min(limit.max(1))),
            ..self
        }
    }

    /// How many rows a batch that starts at `row` may hold.
    #[must_use]
    pub fn rows_from(&self, row: u64) -> u64 {
        (self.chunk_rows - row % self.chunk_rows).min(self.batch_rows)
    }

    /// The whole batches' range that starts at `row`.
    #[must_use]
    pub fn batch_from(&self, row: u64) -> Range<u64> {
        row..row + self.rows_from(row)
    }
}

/// The largest divisor of `n` that is not above `limit`.
pub(crate) fn largest_divisor(n: u64, limit: u64) -> u64 {
    if n <= limit {
        return n;
    }
    let mut best = 1;
    let mut small = 1;
    while small * small <= n {
        if n.is_multiple_of(small) {
            for divisor in [small, n / small] {
                if divisor <= limit && divisor > best {
                    best = divisor;
                }
            }
        }
        small += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn object(key: &str) -> ObjectId {
        ObjectId { bucket: "b".into(), key: key.into(), etag: "e".into() }
    }

    #[rstest]
    #[case(524_288, 32_768)]
    #[case(500_000, 31_250)]
    #[case(1_000, 1_000)]
    #[case(524_287, 1)]
    fn batches_divide_chunks(#[case] chunk: u64, #[case] batch: u64) {
        assert_eq!(BatchPlan::for_chunks(chunk).batch_rows, batch);
    }

    #[test]
    fn a_batch_never_crosses_a_chunk() {
        let plan = BatchPlan::for_chunks(1_000).limited(300);
        assert_eq!(plan.batch_rows, 250);
        assert_eq!(plan.rows_from(900), 100);
        assert_eq!(plan.rows_from(1_000), 250);
    }

    #[test]
    fn chunks_are_found_by_row() {
        let plan = ChunkPlan { rows_per_chunk: 10 };
        assert_eq!(plan.chunk_of(0), ChunkBounds { start: 0, end: 10 });
        assert_eq!(plan.chunk_of(19), ChunkBounds { start: 10, end: 20 });
    }

    #[test]
    fn tokens_differ_with_each_part_of_the_identity() {
        let bounds = ChunkBounds { start: 0, end: 10 };
        let base = Token::of_chunk("s", &object("k"), 1, &bounds);
        assert_eq!(base, Token::of_chunk("s", &object("k"), 1, &bounds));
        for other in [
            Token::of_chunk("t", &object("k"), 1, &bounds),
            Token::of_chunk("s", &object("l"), 1, &bounds),
            Token::of_chunk("s", &object("k"), 2, &bounds),
            Token::of_chunk("s", &object("k"), 1, &ChunkBounds { start: 10, end: 20 }),
        ] {
            assert_ne!(base, other);
        }
    }
}
