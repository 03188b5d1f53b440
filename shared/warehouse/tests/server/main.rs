//! The warehouse against a real ClickHouse, whose address comes from
//! `MOTHERLODE_TEST_CLICKHOUSE`, `…_USER` and `…_PASSWORD`. Every test has a
//! database of its own.

#![expect(clippy::expect_used, reason = "a helper of a test fails by panicking, like the test")]

mod contract;
mod errors;
mod exactly_once;
mod memory;
mod nodes;
mod round_trip;
mod support;
mod tables;
mod types;
