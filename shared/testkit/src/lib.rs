//! Test-only: a stack of real servers and the real function, and what an
//! end-to-end test does with them. Every wait has a condition and a limit; no
//! test sleeps and hopes.

mod lake;
mod start;

pub use lake::{Lake, Landed};
pub use start::{Setup, programs, start};
