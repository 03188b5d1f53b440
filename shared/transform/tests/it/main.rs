//! Documents against batches, from the outside: what a data engineer writes
//! and what then becomes of the rows.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounting;
mod native;
mod nested;
mod policy;
mod steps;
mod support;
mod texts;
