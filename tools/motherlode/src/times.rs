//! Times for people.

use chrono::{DateTime, Utc};

/// A time in milliseconds since 1970 as `2026-01-31 12:00:00` (UTC).
#[must_use]
pub fn utc(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms)
        .map_or_else(|| ms.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// A duration in milliseconds as seconds: `1.25`.
#[must_use]
pub fn seconds(ms: u64) -> String {
    format!("{}.{:02}", ms / 1000, ms % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_people() {
        assert_eq!(utc(1_769_860_800_000), "2026-01-31 12:00:00");
        assert_eq!(utc(i64::MAX), i64::MAX.to_string());
        assert_eq!(seconds(61_234), "61.23");
    }
}
