//! The chaos suite: real servers, the real function, a proxy between them that
//! breaks things, and a verdict by query: in the raw table and in the target of
//! a materialized view on it, without FINAL, every row of the oracle once.
//!
//! `cargo xtask chaos` runs the scenarios as they are numbered in the issue;
//! `tests/quick.rs` runs each with smaller numbers.

mod arena;
mod dice;
pub mod proxy;
mod report;
mod rows;
mod run;
mod scenarios;
mod verdict;

pub use dice::Dice;
pub use report::{Outcome, table};
pub use run::Size;
pub use scenarios::{SCENARIOS, Scenario, run};
