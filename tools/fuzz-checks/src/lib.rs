//! What must hold whatever the bytes are.
//!
//! Each check takes any input and panics when something does not hold. The fuzz
//! targets (`tools/fuzz`) look for such inputs; what they found lies in
//! `test-fixtures/regressions/<check>`, and `tests/replay.rs` runs the same
//! checks on it with stable Rust. The first bytes of most inputs are choices
//! ([`choices`]), so that one target covers all settings of a decoder.

#![expect(clippy::expect_used, reason = "a check fails by panicking")]

mod binary;
mod choices;
mod column_types;
mod compression;
mod decoding;
mod pipeline;
mod seeds;
mod start;
mod text;
mod vocabulary;

pub use binary::{arrow, parquet};
pub use compression::{decompress, gunzip};
pub use pipeline::pipeline;
pub use seeds::seeds;
pub use start::start;
pub use text::{csv, json};
pub use vocabulary::{column_type, document, notification};

/// A check: it panics when something does not hold for the input.
pub type Check = fn(&[u8]);

/// Every check, by the name of its fuzz target and of its folder of fixtures.
pub const CHECKS: [(&str, Check); 10] = [
    ("csv", csv),
    ("json", json),
    ("parquet", parquet),
    ("arrow", arrow),
    ("gunzip", gunzip),
    ("decompress", decompress),
    ("pipeline", pipeline),
    ("document", document),
    ("column_type", column_type),
    ("notification", notification),
];
