//! What the pipeline lands equals what ClickHouse itself reads in the same
//! bytes: files of many writers, and every column type in every format.
//!
//! The stages are the real ones, against a real server; only objects, catalog
//! and ledger are their twins in memory.

#![expect(clippy::expect_used, reason = "a helper of a test fails by panicking, like the test")]

mod bytes;
mod cases;
mod clickhouse_files;
mod files;
mod matrix;
mod old_moments;
mod refused;
mod server;
mod tables;
mod typed_values;
mod writers;
