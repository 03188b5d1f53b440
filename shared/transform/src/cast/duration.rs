//! To `Time` and `Time64`: a span of hours, minutes and seconds.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DurationMicrosecondArray, DurationMillisecondArray,
    DurationNanosecondArray, DurationSecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;

use super::plain::{parsed, texts};
use super::times::per_second;
use super::{Bad, Casted, Fault};

/// 999:59:59, the longest span that the types hold:
/// <https://clickhouse.com/docs/sql-reference/data-types/time>.
const LONGEST: i64 = 999 * 3_600 + 59 * 60 + 59;
const SECOND: i64 = 1_000_000_000;

/// To a span. Digits beyond the precision are cut off towards the past, as in
/// the other times. A bare number is a number of seconds.
pub(super) fn duration(
    array: &ArrayRef,
    precision: u8,
    data_type: &DataType,
) -> Result<Casted, ArrowError> {
    let DataType::Duration(unit) = data_type else {
        return Err(ArrowError::CastError(format!("{data_type} was planned for a span")));
    };
    let of_nanoseconds = |nanoseconds: i128| -> Result<i64, Fault> {
        let step = 10_i128.pow(u32::from(9_u8.saturating_sub(precision)));
        let cut = nanoseconds.div_euclid(step) * step;
        if cut.div_euclid(i128::from(SECOND)).abs() > i128::from(LONGEST) {
            return Err(Fault::Range);
        }
        i64::try_from(cut / i128::from(SECOND / per_second(*unit))).map_err(|_| Fault::Range)
    };
    let (values, nulls, bad) = match array.data_type() {
        DataType::Time32(own) | DataType::Time64(own) | DataType::Duration(own) => {
            let factor = i128::from(SECOND / per_second(*own));
            let ticks = cast(array, &DataType::Int64)?;
            let ticks = ticks.as_primitive::<Int64Type>();
            let mut bad = Vec::new();
            let values = ticks.iter().enumerate().map(|(row, tick)| {
                tick.map_or(Ok(0), |tick| of_nanoseconds(i128::from(tick) * factor)).unwrap_or_else(
                    |fault| {
                        bad.push(Bad { row, fault });
                        0
                    },
                )
            });
            (values.collect::<Vec<_>>(), ticks.nulls().cloned(), bad)
        }
        _ => {
            let (texts, bad) = texts(array)?;
            let (values, bad) =
                parsed(&texts, bad, |text| of_nanoseconds(read(text.trim_ascii())?));
            (values, texts.nulls().cloned(), bad)
        }
    };
    let array: ArrayRef = match unit {
        TimeUnit::Second => Arc::new(DurationSecondArray::new(values.into(), nulls)),
        TimeUnit::Millisecond => Arc::new(DurationMillisecondArray::new(values.into(), nulls)),
        TimeUnit::Microsecond => Arc::new(DurationMicrosecondArray::new(values.into(), nulls)),
        TimeUnit::Nanosecond => Arc::new(DurationNanosecondArray::new(values.into(), nulls)),
    };
    Ok(Casted { array, bad })
}

/// Nanoseconds of `[-]H…:MM:SS[.fraction]`, or of a number of seconds.
fn read(text: &str) -> Result<i128, Fault> {
    let (is_negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (clock, fraction) = rest.split_once('.').map_or((rest, ""), |(clock, rest)| (clock, rest));
    let number = |digits: &str| {
        let is_number = !digits.is_empty()
            && digits.len() <= 9
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<i64>().ok()).flatten().ok_or(Fault::Malformed)
    };
    let seconds = match clock.split(':').collect::<Vec<_>>()[..] {
        [seconds] => number(seconds)?,
        [hours, minutes, seconds] if minutes.len() == 2 && seconds.len() == 2 => {
            let (minutes, seconds) = (number(minutes)?, number(seconds)?);
            if minutes > 59 || seconds > 59 {
                return Err(Fault::Malformed);
            }
            number(hours)? * 3_600 + minutes * 60 + seconds
        }
        _ => return Err(Fault::Malformed),
    };
    if rest.ends_with('.') || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Malformed);
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let rest = digits.fold(0, |sum, digit| sum * 10 + i128::from(digit - b'0'));
    let span = i128::from(seconds) * i128::from(SECOND) + rest;
    Ok(if is_negative { -span } else { span })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("12:30:01", Ok(45_001_000_000_000))]
    #[case("-1:00:00.5", Ok(-3_600_500_000_000))]
    #[case("999:59:59", Ok(3_599_999_000_000_000))]
    #[case("90", Ok(90_000_000_000))]
    #[case("12:30", Err(Fault::Malformed))]
    #[case("12:60:00", Err(Fault::Malformed))]
    #[case("1:2:3", Err(Fault::Malformed))]
    #[case("", Err(Fault::Malformed))]
    #[case("-", Err(Fault::Malformed))]
    #[case("1.", Err(Fault::Malformed))]
    #[case("--1", Err(Fault::Malformed))]
    fn spans_are_read(#[case] text: &str, #[case] expected: Result<i128, Fault>) {
        assert_eq!(read(text), expected);
    }
}
