//! When a node is asked, and when it is left alone: pure, with the clock and
//! chance passed in.

/// Failures in a row after which a node is left alone.
const THRESHOLD: u32 = 3;
/// How long it is left alone the first time, in milliseconds; twice as long
/// each further time.
const FIRST_PAUSE_MS: i64 = 2_000;
/// The longest pause.
const LONGEST_PAUSE_MS: i64 = 30_000;

/// What may be done with a node now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Use it.
    Use,
    /// Its pause is over: use it if it answers a ping.
    Probe,
    /// Leave it alone until then, in milliseconds since 1970.
    Wait { until_ms: i64 },
}

/// What a process knows about the health of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Breaker {
    /// Failures since the last success.
    failures: u32,
    /// Pauses since the last success.
    pauses: u32,
    /// Until when it is left alone; nothing while it is in use.
    until_ms: Option<i64>,
}

impl Breaker {
    /// What may be done with the node.
    pub(crate) fn admit(&self, now_ms: i64) -> Admission {
        match self.until_ms {
            None => Admission::Use,
            Some(until_ms) if until_ms <= now_ms => Admission::Probe,
            Some(until_ms) => Admission::Wait { until_ms },
        }
    }

    /// The node did what was asked. True when it had been left alone.
    pub(crate) fn succeed(&mut self) -> bool {
        let was_open = self.until_ms.is_some();
        *self = Self::default();
        was_open
    }

    /// The node failed. Gives the end of the pause that begins with it, if one
    /// does: after some failures in a row, at once when the node does not answer
    /// at all (`is_silent`), and when a probe failed. `chance`, from 0 to 1,
    /// makes the pauses of many processes differ.
    pub(crate) fn fail(&mut self, now_ms: i64, is_silent: bool, chance: f64) -> Option<i64> {
        self.failures = self.failures.saturating_add(1);
        if matches!(self.until_ms, Some(until_ms) if until_ms > now_ms) {
            // A call that began before the pause.
            return None;
        }
        if self.failures < THRESHOLD && !is_silent && self.until_ms.is_none() {
            return None;
        }
        let pause = FIRST_PAUSE_MS.saturating_mul(1 << self.pauses.min(10)).min(LONGEST_PAUSE_MS);
        self.pauses = self.pauses.saturating_add(1);
        #[expect(clippy::cast_possible_truncation, reason = "at most a quarter of 30,000")]
        #[expect(clippy::cast_precision_loss, reason = "at most 30,000")]
        let more = (pause as f64 / 4.0 * chance.clamp(0.0, 1.0)) as i64;
        self.until_ms = Some(now_ms + pause + more);
        self.until_ms
    }

    /// Others have left the node alone until then.
    pub(crate) fn hear(&mut self, until_ms: i64) {
        if self.until_ms.is_none_or(|own| own < until_ms) {
            self.until_ms = Some(until_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_open_it_and_a_success_closes_it() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.fail(0, false, 0.0), None);
        assert_eq!(breaker.fail(0, false, 0.0), None);
        assert!(!breaker.succeed());
        assert_eq!(breaker.fail(10, false, 0.0), None);
        assert_eq!(breaker.fail(10, false, 0.0), None);
        assert_eq!(breaker.admit(10), Admission::Use);
        assert_eq!(breaker.fail(10, false, 0.0), Some(2_010));
        assert_eq!(breaker.admit(2_009), Admission::Wait { until_ms: 2_010 });
        assert_eq!(breaker.admit(2_010), Admission::Probe);
        assert!(breaker.succeed());
        assert_eq!(breaker.admit(0), Admission::Use);
    }

    #[test]
    fn a_silent_node_is_left_alone_at_once_and_each_failed_probe_doubles_the_pause() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let until = breaker.fail(now, true, 0.0).expect("a pause");
            pauses.push(until - now);
            now = until;
        }
        assert_eq!(pauses, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn a_failure_within_a_pause_does_not_lengthen_it() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.fail(0, true, 1.0), Some(2_500), "chance adds a quarter at most");
        assert_eq!(breaker.fail(100, true, 0.0), None);
        assert_eq!(breaker.admit(2_400), Admission::Wait { until_ms: 2_500 });
    }

    #[test]
    fn what_others_know_counts() {
        let mut breaker = Breaker::default();
        breaker.hear(5_000);
        assert_eq!(breaker.admit(4_999), Admission::Wait { until_ms: 5_000 });
        breaker.hear(4_000);
        assert_eq!(breaker.admit(4_500), Admission::Wait { until_ms: 5_000 });
        assert_eq!(breaker.admit(5_000), Admission::Probe);
    }
}
