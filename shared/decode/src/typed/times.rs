//! Dates and times: `2026-01-31`, and the same with a time of day behind `T` or
//! a space, a fraction of a second, and `Z`. A time without a zone is UTC, as it
//! is for a column without a `timestamp` of its own.

use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{
    DataType, Date32Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use model::ColumnType;

use super::numbers::digits;
use super::{Column, primitive};

const DAY: i64 = 86_400;
/// Days that `Date32` and `DateTime64` hold: 1900-01-01 to 2299-12-31.
const WIDE_DAYS: (i64, i64) = (civil_days(1900, 1, 1), civil_days(2299, 12, 31));

/// A point in time: seconds since 1970 and nanoseconds after them.
type Instant = (i64, i64);

/// `Date`.
pub(super) fn date() -> Box<dyn Column> {
    dates((0, i64::from(u16::MAX)))
}

/// `Date32`.
pub(super) fn date32() -> Box<dyn Column> {
    dates(WIDE_DAYS)
}

/// `DateTime`.
pub(super) fn date_time(column_type: &ColumnType) -> Box<dyn Column> {
    primitive::<TimestampSecondType, _>(native::arrow_type(column_type), |text, span| {
        let (seconds, _) = instant(span.of(text))?;
        (0..=i64::from(u32::MAX)).contains(&seconds).then_some(seconds)
    })
}

/// `DateTime64`. Digits beyond the precision are cut off.
pub(super) fn date_time64(precision: u8, column_type: &ColumnType) -> Box<dyn Column> {
    let data_type = native::arrow_type(column_type);
    let step = 10_i64.pow(9_u32.saturating_sub(u32::from(precision)));
    match native::unit_of(precision) {
        TimeUnit::Second => ticks::<TimestampSecondType>(data_type, step, 1),
        TimeUnit::Millisecond => ticks::<TimestampMillisecondType>(data_type, step, 1_000),
        TimeUnit::Microsecond => ticks::<TimestampMicrosecondType>(data_type, step, 1_000_000),
        TimeUnit::Nanosecond => ticks::<TimestampNanosecondType>(data_type, step, 1_000_000_000),
    }
}

fn dates((first, last): (i64, i64)) -> Box<dyn Column> {
    primitive::<Date32Type, _>(Date32Type::DATA_TYPE, move |text, span| {
        let days = days(span.of(text).try_into().ok()?)?;
        i32::try_from(days).ok().filter(|_| (first..=last).contains(&days))
    })
}

/// Whole steps of nanoseconds, counted in parts of a second.
fn ticks<T: ArrowPrimitiveType<Native = i64>>(
    data_type: DataType,
    step: i64,
    per_second: i64,
) -> Box<dyn Column> {
    primitive::<T, _>(data_type, move |text, span| {
        let (seconds, nanoseconds) = instant(span.of(text))?;
        if !(WIDE_DAYS.0 * DAY..(WIDE_DAYS.1 + 1) * DAY).contains(&seconds) {
            return None;
        }
        let rest = (nanoseconds - nanoseconds % step) / (1_000_000_000 / per_second);
        seconds.checked_mul(per_second)?.checked_add(rest)
    })
}

/// Days since 1970 of `2026-01-31`.
#[inline]
fn days(text: &[u8; 10]) -> Option<i64> {
    let mut wrong = (text[4] ^ b'-') | (text[7] ^ b'-');
    let mut digit = |at: usize| {
        let digit = text[at].wrapping_sub(b'0');
        wrong |= u8::from(digit > 9);
        u32::from(digit)
    };
    let year = digit(0) * 1_000 + digit(1) * 100 + digit(2) * 10 + digit(3);
    let month = digit(5) * 10 + digit(6);
    let day = digit(8) * 10 + digit(9);
    if wrong != 0 || !(1..=12).contains(&month) || day == 0 || day > days_of(year, month) {
        return None;
    }
    Some(civil_days(year, month, day))
}

/// Seconds since midnight of `12:34:56`.
#[inline]
fn time_of_day(text: &[u8; 8]) -> Option<i64> {
    let mut wrong = (text[2] ^ b':') | (text[5] ^ b':');
    let mut digit = |at: usize| {
        let digit = text[at].wrapping_sub(b'0');
        wrong |= u8::from(digit > 9);
        i64::from(digit)
    };
    let hour = digit(0) * 10 + digit(1);
    let minute = digit(3) * 10 + digit(4);
    let second = digit(6) * 10 + digit(7);
    let right = wrong == 0 && hour <= 23 && minute <= 59 && second <= 59;
    right.then_some(hour * 3_600 + minute * 60 + second)
}

/// A date alone is its midnight.
#[inline]
fn instant(text: &[u8]) -> Option<Instant> {
    let (day, rest) = text.split_first_chunk()?;
    let seconds = days(day)? * DAY;
    let [b'T' | b' ', rest @ ..] = rest else {
        return rest.is_empty().then_some((seconds, 0));
    };
    let (time, rest) = rest.split_first_chunk()?;
    let seconds = seconds + time_of_day(time)?;
    let rest = rest.strip_suffix(b"Z").unwrap_or(rest);
    let nanoseconds = match rest {
        [] => 0,
        [b'.', fraction @ ..] => nanoseconds(fraction)?,
        _ => return None,
    };
    Some((seconds, nanoseconds))
}

/// Nanoseconds of one to nine digits after the point.
#[inline]
fn nanoseconds(fraction: &[u8]) -> Option<i64> {
    let missing = 9_usize.checked_sub(fraction.len())?;
    let value = digits(fraction, 0, fraction.len())?;
    i64::try_from(value * 10_u64.pow(u32::try_from(missing).ok()?)).ok()
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u32, month: u32) -> u32 {
    const DAYS: [u8; 16] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0];
    u32::from(DAYS[(month & 15) as usize]) + u32::from(month == 2 && is_leap(year))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years
/// that begin in March, so that a leap day is the last of its year.
const fn civil_days(year: u32, month: u32, day: u32) -> i64 {
    // 400 years more, for the one that begins before the year 0.
    let year = if month <= 2 { year + 399 } else { year + 400 };
    let month_from_march = (month + 9) % 12;
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leap_days + (153 * month_from_march + 2) / 5 + day;
    days as i64 - 146_097 - 719_469
}
