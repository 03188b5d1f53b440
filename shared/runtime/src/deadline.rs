//! The moment at which a function must have given its work back.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A deadline of one invocation.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// The deadline that Lambda gives in milliseconds since 1970, minus the
    /// time that giving the work back takes.
    #[must_use]
    pub fn from_lambda(deadline_ms: u64, reserve: Duration) -> Self {
        let now_ms =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let left =
            u64::try_from(u128::from(deadline_ms).saturating_sub(now_ms)).unwrap_or(u64::MAX);
        Self(Instant::now().checked_add(Duration::from_millis(left).saturating_sub(reserve)))
    }

    /// No deadline: work that runs on an operator's machine.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// A deadline after this time.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// The time that is left; very long without a deadline.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.0
            .map_or(Duration::from_secs(86_400), |at| at.saturating_duration_since(Instant::now()))
    }

    /// Whether less than `time` is left.
    #[must_use]
    pub fn is_within(&self, time: Duration) -> bool {
        self.left() < time
    }
}
