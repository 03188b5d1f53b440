//! The pixel, end to end: the real function behind an HTTP API, a real Kafka, and
//! what is in its topics afterwards.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking, like the test")]

mod lane;
mod outage;
mod requests;
