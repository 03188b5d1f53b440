//! Booleans, integers and floats.
//!
//! Texts may have ASCII space around the number. An integer may be written as
//! an integral decimal (`3.0`, `1e3`); anything else with a fraction is bad.
//! A float takes the nearest value, as every float does, but never becomes
//! infinite unless it was written so.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;

use super::decimal::parse_decimal;
use super::plain::{by_kernel, parsed, texts};
use super::{Bad, Casted, Fault};

/// To `Bool`: true, false, t, f, yes, no, y, n, on, off, 1, 0, in any case.
pub(super) fn boolean(array: &ArrayRef) -> Result<Casted, ArrowError> {
    if array.data_type() == &DataType::Boolean {
        return Ok(Casted { array: Arc::clone(array), bad: Vec::new() });
    }
    let (texts, bad) = texts(array)?;
    let (values, bad) = parsed(&texts, bad, parse_bool);
    Ok(Casted { array: Arc::new(BooleanArray::new(values.into(), texts.nulls().cloned())), bad })
}

/// To an integer type.
pub(super) fn integer<T>(array: &ArrayRef) -> Result<Casted, ArrowError>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i64> + TryFrom<i128>,
{
    match array.data_type() {
        same if *same == T::DATA_TYPE => Ok(Casted { array: Arc::clone(array), bad: Vec::new() }),
        other if other.is_integer() => by_kernel(array, &T::DATA_TYPE, &Fault::Range),
        DataType::Boolean => by_kernel(array, &T::DATA_TYPE, &Fault::Range),
        DataType::Float32 | DataType::Float64 => whole::<T>(array),
        _ => {
            let (texts, bad) = texts(array)?;
            let (values, bad) = parsed(&texts, bad, parse_integer::<T::Native>);
            let made = PrimitiveArray::<T>::new(values.into(), texts.nulls().cloned());
            Ok(Casted { array: Arc::new(made), bad })
        }
    }
}

/// To a float type.
pub(super) fn float<T>(array: &ArrayRef) -> Result<Casted, ArrowError>
where
    T: ArrowPrimitiveType,
    T::Native: std::str::FromStr + Into<f64>,
{
    match array.data_type() {
        same if *same == T::DATA_TYPE => Ok(Casted { array: Arc::clone(array), bad: Vec::new() }),
        other if other.is_integer() => by_kernel(array, &T::DATA_TYPE, &Fault::Range),
        DataType::Float32 => by_kernel(array, &T::DATA_TYPE, &Fault::Range),
        DataType::Float64 => {
            let mut casted = by_kernel(array, &T::DATA_TYPE, &Fault::Range)?;
            let (before, after) =
                (array.as_primitive::<Float64Type>(), casted.array.as_primitive::<T>());
            let overflowed = |row: &usize| {
                let made: f64 = after.value(*row).into();
                after.is_valid(*row) && made.is_infinite() && before.value(*row).is_finite()
            };
            let bad: Vec<_> = (0..array.len())
                .filter(overflowed)
                .map(|row| Bad { row, fault: Fault::Range })
                .collect();
            if !bad.is_empty() {
                casted.bad = bad;
            }
            Ok(casted)
        }
        _ => {
            let (texts, bad) = texts(array)?;
            let (values, bad) = parsed(&texts, bad, parse_float::<T::Native>);
            let made = PrimitiveArray::<T>::new(values.into(), texts.nulls().cloned());
            Ok(Casted { array: Arc::new(made), bad })
        }
    }
}

/// Floats that are whole numbers. The kernel cuts fractions off, so its
/// result is compared with where it came from.
fn whole<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<Casted, ArrowError> {
    let wide = cast(array, &DataType::Float64)?;
    let mut casted = by_kernel(&wide, &T::DATA_TYPE, &Fault::Range)?;
    let back = cast(&casted.array, &DataType::Float64)?;
    let (before, after) = (wide.as_primitive::<Float64Type>(), back.as_primitive::<Float64Type>());
    let mut bad: Vec<_> = (0..array.len())
        .filter(|&row| after.is_valid(row) && before.value(row) != after.value(row))
        .map(|row| {
            // Beyond the mantissa a float is whole: what differs there overflowed on the way.
            let fault =
                if before.value(row).fract() == 0.0 { Fault::Range } else { Fault::Fraction };
            Bad { row, fault }
        })
        .collect();
    if !bad.is_empty() {
        bad.append(&mut casted.bad);
        bad.sort_by_key(|bad| bad.row);
        casted.bad = bad;
    }
    Ok(casted)
}

/// An integer in a text.
pub(super) fn parse_integer<N: TryFrom<i64> + TryFrom<i128>>(text: &str) -> Result<N, Fault> {
    let text = text.trim_ascii();
    match short_integer(text.as_bytes()) {
        Some(value) => N::try_from(value).map_err(|_| Fault::Range),
        None => parse_decimal(text, 0)
            .map_err(|fault| if fault == Fault::Scale { Fault::Fraction } else { fault })
            .and_then(|value| N::try_from(value).map_err(|_| Fault::Range)),
    }
}

/// Up to 18 digits with an optional sign; anything else takes the long way.
fn short_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

fn parse_float<N: std::str::FromStr + Into<f64> + Copy>(text: &str) -> Result<N, Fault> {
    let text = text.trim_ascii();
    let value: N = text.parse().map_err(|_| Fault::Malformed)?;
    let wide: f64 = value.into();
    // `1e999` parses to infinity; only the word may mean it.
    if wide.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Range);
    }
    Ok(value)
}

fn parse_bool(text: &str) -> Result<bool, Fault> {
    let text = text.trim_ascii();
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["true", "1", "t", "yes", "y", "on"]) {
        Ok(true)
    } else if is(&["false", "0", "f", "no", "n", "off"]) {
        Ok(false)
    } else {
        Err(Fault::Malformed)
    }
}
