//! What is to be done about an error: decided once, where the error is made.

use serde::{Deserialize, Serialize};

/// What the platform does about an error.
///
/// The retry policy is data on the error, never a string match at a call site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Give the message back to the queue: the same work can succeed later.
    Retry,
    /// This row, or this object, is at fault and will be again: put it aside
    /// with the reason and go on with its neighbours.
    Quarantine,
    /// The platform is set up wrongly: stop and let somebody act.
    Fatal,
}

/// An error that knows what is to be done about it.
pub trait Disposed: std::error::Error {
    /// What is to be done about this error.
    fn disposition(&self) -> Disposition;
}
