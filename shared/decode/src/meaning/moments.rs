//! Parquet's old moments: nanoseconds of the day in 64 bits, then the Julian
//! day in 32.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryArray, StringArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};

/// Bytes of an old moment.
pub(crate) const OLD_MOMENT: i32 = 12;
/// The Julian day of 1970-01-01.
const EPOCH: i64 = 2_440_588;
const DAY_MICROSECONDS: i64 = 86_400_000_000;
const DAY_NANOSECONDS: i64 = 86_400_000_000_000;

/// Which digits of a second are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digits {
    /// Down to the microsecond; the others are to be cut off.
    Six,
    /// All nine.
    All,
}

/// A moment as the file has it.
#[derive(Debug, Clone, Copy)]
struct Old {
    days: i64,
    nanoseconds: i64,
}

/// The moments, in a unit that holds every one of the batch with the digits
/// that are wanted. Where there is none they are texts: nanoseconds in 64 bits
/// end in the year 2262.
pub(super) fn moments(
    read: &FixedSizeBinaryArray,
    zone: Option<&Arc<str>>,
    digits: Digits,
) -> ArrayRef {
    let nulls = || read.nulls().cloned();
    let zone = || zone.cloned();
    let micro = |values: Vec<i64>| -> ArrayRef {
        let made = TimestampMicrosecondArray::new(values.into(), nulls());
        Arc::new(made.with_timezone_opt(zone()))
    };
    if digits == Digits::Six
        && let Some(values) = each(read, Old::microseconds)
    {
        return micro(values);
    }
    if let Some(values) = each(read, Old::nanoseconds) {
        let made = TimestampNanosecondArray::new(values.into(), nulls());
        return Arc::new(made.with_timezone_opt(zone()));
    }
    let whole = |old: Old| old.microseconds().filter(|_| old.nanoseconds % 1_000 == 0);
    if let Some(values) = each(read, whole) {
        return micro(values);
    }
    let suffix = if zone().is_some() { "Z" } else { "" };
    let text = |row: usize| {
        let old = Old::of(read.value(row));
        read.is_valid(row).then(|| format!("{}{suffix}", old.text()))
    };
    Arc::new((0..read.len()).map(text).collect::<StringArray>())
}

/// Every value by `count`, 0 for NULL; nothing when one has none.
fn each(read: &FixedSizeBinaryArray, count: impl Fn(Old) -> Option<i64>) -> Option<Vec<i64>> {
    (0..read.len())
        .map(|row| if read.is_null(row) { Some(0) } else { count(Old::of(read.value(row))) })
        .collect()
}

impl Old {
    fn of(bytes: &[u8]) -> Self {
        let nanoseconds = bytes.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
        let day = bytes.last_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
        Self { days: i64::from(day) - EPOCH, nanoseconds }
    }

    /// Whole microseconds since 1970.
    fn microseconds(self) -> Option<i64> {
        self.days.checked_mul(DAY_MICROSECONDS)?.checked_add(self.nanoseconds.div_euclid(1_000))
    }

    /// Nanoseconds since 1970.
    fn nanoseconds(self) -> Option<i64> {
        // In 128 bits, because a day may begin before what 64 hold, and end within.
        let days = i128::from(self.days) * i128::from(DAY_NANOSECONDS);
        i64::try_from(days + i128::from(self.nanoseconds)).ok()
    }

    /// By ISO 8601, with as many digits as there are: none, three, six or nine.
    fn text(self) -> String {
        let days = self.days + self.nanoseconds.div_euclid(DAY_NANOSECONDS);
        let clock = self.nanoseconds.rem_euclid(DAY_NANOSECONDS);
        let (year, month, day) = civil(days);
        let (seconds, rest) = (clock / 1_000_000_000, clock % 1_000_000_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let year =
            if (0..10_000).contains(&year) { format!("{year:04}") } else { format!("{year:+05}") };
        let fraction = match rest {
            0 => String::new(),
            rest if rest % 1_000_000 == 0 => format!(".{:03}", rest / 1_000_000),
            rest if rest % 1_000 == 0 => format!(".{:06}", rest / 1_000),
            rest => format!(".{rest:09}"),
        };
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}")
    }
}

/// Year, month and day of the Gregorian calendar, which is taken to go on
/// before and after its use. Years are counted from March, so that the leap
/// day is the last of one.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let after = i64::from(month >= 10);
    (era * 400 + year + after, month + 3 - 12 * after, day)
}
