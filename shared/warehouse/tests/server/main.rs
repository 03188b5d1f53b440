//! The warehouse against a real ClickHouse, whose address comes from
//! `MOTHERLODE_TEST_CLICKHOUSE`, `…_USER` and `…_PASSWORD`. Every test has a
//! database of its own.

mod contract;
mod errors;
mod exactly_once;
mod support;
mod tables;
mod types;
