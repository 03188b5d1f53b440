//! The sink, end to end: a real broker, real clusters, the real binary, and the
//! exact outcome of each fault asserted by query.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking, like the test")]

mod cuts;
mod failover;
mod lane;
mod records;
