//! To dates and times: what the four types hold, and the way there from texts.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;

use super::plain::{parsed, texts};
use super::time_native;
use super::time_rules::{Reading, TimeRules};
use super::time_text::civil_days;
use super::{Bad, Casted, Fault};

/// Days that `Date32` and `DateTime64` hold: 1900-01-01 to 2299-12-31.
const WIDE_DAYS: (i64, i64) = (civil_days(1900, 1, 1), civil_days(2299, 12, 31));
const DAY: i64 = 86_400;

/// Which of ClickHouse's dates and times is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeShape {
    /// `Date`, as days.
    Date,
    /// `Date32`, as days.
    Date32,
    /// `DateTime`, as seconds.
    Seconds,
    /// `DateTime64(precision)`, counted in a unit that may be finer.
    Ticks { precision: u8, unit: TimeUnit },
}

/// To a date or a time. Digits of a second beyond the precision are cut off
/// towards the past, as ClickHouse does; a time of day that a date would lose
/// makes the value bad.
pub(super) fn time(
    array: &ArrayRef,
    shape: TimeShape,
    rules: &TimeRules,
    data_type: &DataType,
) -> Result<Casted, ArrowError> {
    if let Some(casted) = time_native::native(array, shape, rules, data_type)? {
        return Ok(casted);
    }
    let (texts, bad) = texts(array)?;
    let (values, bad) = parsed(&texts, bad, |text| shape.of_reading(rules.read(text)?, rules));
    Ok(built(values, texts.nulls().cloned(), bad, data_type))
}

impl TimeShape {
    /// The value of a date or a time that was read.
    pub fn of_reading(self, reading: Reading, rules: &TimeRules) -> Result<i64, Fault> {
        match (self, reading) {
            // The date as it was written, whatever the zone.
            (Self::Date | Self::Date32, Reading::Civil(civil)) => {
                if civil.seconds != 0 || civil.nanoseconds != 0 {
                    return Err(Fault::TimeOfDay);
                }
                self.of_days(civil.days)
            }
            (_, Reading::Civil(civil)) => {
                self.of_instant(rules.instant(&civil)?, civil.nanoseconds)
            }
            (_, Reading::Instant(seconds, nanoseconds)) => self.of_instant(seconds, nanoseconds),
        }
    }

    /// The value of a date, checked against what a date type holds.
    pub fn of_days(self, days: i64) -> Result<i64, Fault> {
        let (first, last) = if self == Self::Date { (0, i64::from(u16::MAX)) } else { WIDE_DAYS };
        if (first..=last).contains(&days) { Ok(days) } else { Err(Fault::Range) }
    }

    /// The value of a point in time, checked against what the type holds.
    pub fn of_instant(self, seconds: i64, nanoseconds: u32) -> Result<i64, Fault> {
        match self {
            Self::Date | Self::Date32 => {
                if seconds.rem_euclid(DAY) != 0 || nanoseconds != 0 {
                    return Err(Fault::TimeOfDay);
                }
                self.of_days(seconds.div_euclid(DAY))
            }
            Self::Seconds => {
                if (0..=i64::from(u32::MAX)).contains(&seconds) {
                    Ok(seconds)
                } else {
                    Err(Fault::Range)
                }
            }
            Self::Ticks { precision, unit } => {
                let (first, last) = seconds_held();
                if !(first..=last).contains(&seconds) {
                    return Err(Fault::Range);
                }
                // First to the precision, then to the unit, which is no coarser.
                let step = 10_u32.pow(u32::from(9_u8.saturating_sub(precision)));
                let nanoseconds = nanoseconds - nanoseconds % step;
                let per_second = per_second(unit);
                let rest = i64::from(nanoseconds) / (1_000_000_000 / per_second);
                seconds
                    .checked_mul(per_second)
                    .and_then(|ticks| ticks.checked_add(rest))
                    .ok_or(Fault::Range)
            }
        }
    }

    /// The first and the last tick that the type holds, in a unit.
    pub fn bounds(self, unit: TimeUnit) -> (i64, i64) {
        let per_second = per_second(unit);
        match self {
            Self::Seconds => (0, i64::from(u32::MAX).saturating_mul(per_second)),
            _ => {
                let (first, last) = seconds_held();
                let end = last.saturating_add(1).saturating_mul(per_second);
                (first.saturating_mul(per_second), if end == i64::MAX { end } else { end - 1 })
            }
        }
    }
}

/// Seconds since 1970 that `DateTime64` holds.
fn seconds_held() -> (i64, i64) {
    (WIDE_DAYS.0 * DAY, (WIDE_DAYS.1 + 1) * DAY - 1)
}

/// How many of a unit are a second.
pub(super) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The array of a date's or a time's values.
pub(super) fn built(
    values: Vec<i64>,
    nulls: Option<NullBuffer>,
    bad: Vec<Bad>,
    data_type: &DataType,
) -> Casted {
    let array: ArrayRef = match data_type {
        DataType::Timestamp(unit, zone) => {
            let values = values.into();
            match unit {
                TimeUnit::Second => Arc::new(
                    TimestampSecondArray::new(values, nulls).with_timezone_opt(zone.clone()),
                ),
                TimeUnit::Millisecond => Arc::new(
                    TimestampMillisecondArray::new(values, nulls).with_timezone_opt(zone.clone()),
                ),
                TimeUnit::Microsecond => Arc::new(
                    TimestampMicrosecondArray::new(values, nulls).with_timezone_opt(zone.clone()),
                ),
                TimeUnit::Nanosecond => Arc::new(
                    TimestampNanosecondArray::new(values, nulls).with_timezone_opt(zone.clone()),
                ),
            }
        }
        // Dates; `of_days` has checked the range, which lies within 32 bits.
        _ => {
            let days: Vec<i32> =
                values.into_iter().map(|days| i32::try_from(days).unwrap_or_default()).collect();
            Arc::new(Date32Array::new(days.into(), nulls))
        }
    };
    Casted { array, bad }
}
