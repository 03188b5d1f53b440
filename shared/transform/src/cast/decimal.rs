//! Exact decimals: digits are never rounded, and zeros are the only digits
//! that may be left out.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Decimal128Type};
use arrow::error::ArrowError;

use super::plain::{by_kernel, parsed, texts};
use super::{Bad, Casted, Fault};

/// To `Decimal(precision, scale)`.
pub(super) fn decimal(array: &ArrayRef, precision: u8, scale: i8) -> Result<Casted, ArrowError> {
    let to = DataType::Decimal128(precision, scale);
    match array.data_type() {
        same if *same == to => {
            let limit = limit(precision);
            Ok(within::<Decimal128Type>(array, |value| value.unsigned_abs() < limit))
        }
        other if other.is_integer() => by_kernel(array, &to, &Fault::Range),
        DataType::Decimal128(own, from) => {
            let stated = limit(*own);
            let stated = within::<Decimal128Type>(array, |value| value.unsigned_abs() < stated);
            // The kernel believes what the type states, and else multiplies in silence.
            if *from <= scale && stated.bad.is_empty() {
                return by_kernel(array, &to, &Fault::Range);
            }
            rescaled(array, *from, precision, scale)
        }
        _ => {
            let (texts, bad) = texts(array)?;
            let limit = limit(precision);
            let (values, bad) = parsed(&texts, bad, |text| {
                let value = parse_decimal(text.trim_ascii(), scale)?;
                if value.unsigned_abs() < limit { Ok(value) } else { Err(Fault::Range) }
            });
            built(values, &texts, precision, scale, bad)
        }
    }
}

/// Decimals that stay as they are: Arrow and Parquet state a precision, and a file may
/// hold values beyond it all the same. One look at the least and the greatest settles
/// a column that is good.
pub(super) fn within<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    fits: impl Fn(T::Native) -> bool,
) -> Casted {
    let values = array.as_primitive::<T>();
    let bad = if min(values).is_none_or(&fits) && max(values).is_none_or(&fits) {
        Vec::new()
    } else {
        (0..values.len())
            .filter(|&row| values.is_valid(row) && !fits(values.value(row)))
            .map(|row| Bad { row, fault: Fault::Range })
            .collect()
    };
    Casted { array: Arc::clone(array), bad }
}

/// To another scale; to a smaller one only where the digits that go are zeros.
fn rescaled(array: &ArrayRef, from: i8, precision: u8, scale: i8) -> Result<Casted, ArrowError> {
    let source = array.as_primitive::<Decimal128Type>();
    let (factor, limit) = (power(u32::from(from.abs_diff(scale))), limit(precision));
    let grows = from <= scale;
    let rescale = |value: i128| match factor {
        _ if value == 0 => Ok(0),
        Some(factor) if grows => value.checked_mul(factor).ok_or(Fault::Range),
        None if grows => Err(Fault::Range),
        Some(factor) if value % factor == 0 => Ok(value / factor),
        _ => Err(Fault::Scale),
    };
    let mut bad = Vec::new();
    let values = (0..source.len())
        .map(|row| {
            let value = if source.is_valid(row) { source.value(row) } else { 0 };
            let made = rescale(value).and_then(|made| {
                if made.unsigned_abs() < limit { Ok(made) } else { Err(Fault::Range) }
            });
            made.unwrap_or_else(|fault| {
                bad.push(Bad { row, fault });
                0
            })
        })
        .collect();
    built(values, source, precision, scale, bad)
}

fn built(
    values: Vec<i128>,
    source: &dyn Array,
    precision: u8,
    scale: i8,
    bad: Vec<Bad>,
) -> Result<Casted, ArrowError> {
    let made = Decimal128Array::new(values.into(), source.nulls().cloned());
    Ok(Casted { array: Arc::new(made.with_precision_and_scale(precision, scale)?), bad })
}

/// The first value that has more digits than the precision.
fn limit(precision: u8) -> u128 {
    10_u128.pow(u32::from(precision.min(38)))
}

fn power(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

/// The text times ten to the scale, exactly: `1.50` with scale 1 is 15.
///
/// Takes a sign, digits with at most one point among them, and an exponent.
pub(super) fn parse_decimal(text: &str, scale: i8) -> Result<i128, Fault> {
    let bytes = text.as_bytes();
    if let Some(value) = short_decimal(bytes, scale) {
        return Ok(value);
    }
    let (negative, bytes) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (mantissa, exponent) = match bytes.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&bytes[..at], parse_exponent(&bytes[at + 1..])?),
        None => (bytes, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Fault::Malformed);
    }
    let mut value = 0_i128;
    let mut overflow = false;
    // Zeros are held back until a digit follows them, so that trailing ones cost no room.
    let mut zeros = 0_i64;
    for byte in whole.iter().chain(fraction) {
        match byte {
            b'0' => zeros += 1,
            b'1'..=b'9' => {
                let shift = if value == 0 {
                    Some(1)
                } else {
                    u32::try_from(zeros + 1).ok().and_then(power)
                };
                match shift
                    .and_then(|shift| value.checked_mul(shift))
                    .and_then(|v| v.checked_add(i128::from(byte - b'0')))
                {
                    Some(next) => value = next,
                    None => overflow = true,
                }
                zeros = 0;
            }
            _ => return Err(Fault::Malformed),
        }
    }
    if overflow {
        return Err(Fault::Range);
    }
    if value == 0 {
        return Ok(0);
    }
    let fraction_digits = i64::try_from(fraction.len()).map_err(|_| Fault::Range)?;
    let shift = zeros - fraction_digits + exponent + i64::from(scale);
    if shift < 0 {
        // The last digit is not zero, so something would be lost.
        return Err(Fault::Scale);
    }
    let value = u32::try_from(shift)
        .ok()
        .and_then(power)
        .and_then(|p| value.checked_mul(p))
        .ok_or(Fault::Range)?;
    Ok(if negative { -value } else { value })
}

/// Digits with at most one point that fit 64 bits and need no digit cut off,
/// as nearly all do; anything else takes the long way.
fn short_decimal(bytes: &[u8], scale: i8) -> Option<i128> {
    let (negative, bytes) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if bytes.is_empty() || bytes.len() > 18 {
        return None;
    }
    let (mut value, mut fraction, mut point) = (0_i64, 0_i8, false);
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + i64::from(digit);
            fraction += i8::from(point);
        } else if *byte == b'.' && !point && bytes.len() > 1 {
            point = true;
        } else {
            return None;
        }
    }
    let shift = u32::try_from(scale.checked_sub(fraction)?).ok()?;
    let value = i128::from(value).checked_mul(power(shift)?)?;
    Some(if negative { -value } else { value })
}

/// An exponent; one beyond any use is cut to a size that still overflows.
pub(super) fn parse_exponent(bytes: &[u8]) -> Result<i64, Fault> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::Malformed);
    }
    let value = digits
        .iter()
        .fold(0_i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1_000_000_000));
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1.50", 1, Ok(15))]
    #[case("-0.005", 3, Ok(-5))]
    #[case("1e3", 0, Ok(1000))]
    #[case("1200e-2", 0, Ok(12))]
    #[case(".5", 1, Ok(5))]
    #[case("5.", 0, Ok(5))]
    #[case("0e999999999999", 2, Ok(0))]
    #[case("170141183460469231731687303715884105727", 0, Ok(i128::MAX))]
    #[case("100000000000000000000000000000000000000000000e-20", 0, Ok(10_i128.pow(24)))]
    #[case("0.00000000000000000000000000000000000000000000000", 2, Ok(0))]
    #[case("999999999999999999", 20, Ok(99_999_999_999_999_999_900_000_000_000_000_000_000))]
    #[case("-12345678901234567.8", 2, Ok(-1_234_567_890_123_456_780))]
    #[case("1.5", 0, Err(Fault::Scale))]
    #[case("1e99", 0, Err(Fault::Range))]
    #[case("1e-99", 0, Err(Fault::Scale))]
    #[case(".", 0, Err(Fault::Malformed))]
    #[case("-.", 0, Err(Fault::Malformed))]
    #[case("-", 0, Err(Fault::Malformed))]
    #[case("", 0, Err(Fault::Malformed))]
    #[case("1e", 0, Err(Fault::Malformed))]
    #[case("1.2.3", 4, Err(Fault::Malformed))]
    #[case("1,5", 4, Err(Fault::Malformed))]
    fn texts_are_exact(
        #[case] text: &str,
        #[case] scale: i8,
        #[case] expected: Result<i128, Fault>,
    ) {
        assert_eq!(parse_decimal(text, scale), expected);
    }
}
