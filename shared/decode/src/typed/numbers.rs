//! Numbers: digits are read eight at a time, and what is too long for that or
//! written in another way takes the standard library's way or becomes text.

use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{
    Decimal128Type, Decimal256Type, DecimalType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};

use model::ColumnType;

use super::wide::{self, wide_digits};
use super::{Column, Span, primitive};

/// Most digits whose value always fits 64 bits.
const MOST_DIGITS: usize = 19;
/// Powers of ten that fit 64 bits.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};
/// Powers of ten that are exact in a `f64`.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// Powers of ten that are exact in a `f32`.
const EXACT_32: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/// `Int8` to `Int256`.
pub(super) fn signed(bits: u16) -> Box<dyn Column> {
    match bits {
        8 => signed_as::<Int8Type>(),
        16 => signed_as::<Int16Type>(),
        32 => signed_as::<Int32Type>(),
        64 => signed_as::<Int64Type>(),
        _ => wide::signed(bits),
    }
}

/// `UInt8` to `UInt256`.
pub(super) fn unsigned(bits: u16) -> Box<dyn Column> {
    match bits {
        8 => unsigned_as::<UInt8Type>(),
        16 => unsigned_as::<UInt16Type>(),
        32 => unsigned_as::<UInt32Type>(),
        64 => unsigned_as::<UInt64Type>(),
        _ => wide::unsigned(bits),
    }
}

/// `Float32` and `Float64`.
pub(super) fn float(bits: u8) -> Box<dyn Column> {
    // Exact numbers divided by exact powers are rounded once, and so rightly.
    if bits == 32 {
        primitive::<Float32Type, _>(Float32Type::DATA_TYPE, |text, span| {
            if let Some((negative, mantissa, places)) = mantissa(text, span)
                && mantissa <= 1 << f32::MANTISSA_DIGITS
                && let Some(power) = EXACT_32.get(places)
            {
                let value = mantissa as f32 / power;
                return Some(if negative { -value } else { value });
            }
            by_library::<f32>(text, span).filter(|value| value.is_finite())
        })
    } else {
        primitive::<Float64Type, _>(Float64Type::DATA_TYPE, |text, span| {
            if let Some((negative, mantissa, places)) = mantissa(text, span)
                && mantissa <= 1 << f64::MANTISSA_DIGITS
                && let Some(power) = EXACT.get(places)
            {
                let value = mantissa as f64 / power;
                return Some(if negative { -value } else { value });
            }
            by_library::<f64>(text, span).filter(|value| value.is_finite())
        })
    }
}

/// `Decimal`: no more digits after the point than the scale has.
pub(super) fn decimal(precision: u8, scale: u8) -> Box<dyn Column> {
    let data_type = native::arrow_type(&ColumnType::Decimal(precision, scale));
    let scale = usize::from(scale);
    if precision <= Decimal128Type::MAX_PRECISION {
        let limit = 10_u128.pow(u32::from(precision));
        primitive::<Decimal128Type, _>(data_type, move |text, span| {
            decimal_value(text, span, scale).filter(|value| value.unsigned_abs() < limit)
        })
    } else {
        primitive::<Decimal256Type, _>(data_type, move |text, span| {
            decimal_value(text, span, scale).map(i256::from_i128)
        })
    }
}

fn signed_as<T: ArrowPrimitiveType<Native: TryFrom<i64>>>() -> Box<dyn Column> {
    primitive::<T, _>(T::DATA_TYPE, |text, span| {
        let (negative, start, count) = sign(text, span);
        let magnitude = digits(text, start, count)?;
        let value = if negative {
            0_i64.checked_sub_unsigned(magnitude)?
        } else {
            i64::try_from(magnitude).ok()?
        };
        T::Native::try_from(value).ok()
    })
}

fn unsigned_as<T: ArrowPrimitiveType<Native: TryFrom<u64>>>() -> Box<dyn Column> {
    primitive::<T, _>(T::DATA_TYPE, |text, span| {
        let (negative, start, count) = sign(text, span);
        let value = match digits(text, start, count) {
            Some(value) => value,
            // Twenty digits may still fit.
            None => u64::try_from(wide_digits(text, start, count)?).ok()?,
        };
        if negative && value != 0 {
            return None;
        }
        T::Native::try_from(value).ok()
    })
}

/// Whether the value has a minus, and where its digits start and how many
/// bytes they are.
#[inline]
pub(super) fn sign(text: &[u8], span: Span) -> (bool, usize, usize) {
    let negative = span.length > 0 && text[span.start()] == b'-';
    let skip = usize::from(negative);
    (negative, span.start() + skip, span.length() - skip)
}

/// A sign, all digits as one number, and how many of them follow the point.
#[inline]
fn mantissa(text: &[u8], span: Span) -> Option<(bool, u64, usize)> {
    let (negative, start, count) = sign(text, span);
    let whole = point(text, start, count);
    if whole == count {
        return Some((negative, digits(text, start, count)?, 0));
    }
    let places = count - whole - 1;
    if matches!(whole, 1..=8) && matches!(places, 1..=8) {
        let value = up_to_eight(text, start, whole)?;
        let fraction = up_to_eight(text, start + whole + 1, places)?;
        return Some((negative, value * POWERS[places] + fraction, places));
    }
    if whole + places > MOST_DIGITS {
        return None;
    }
    let value = digits(text, start, whole)?;
    let fraction = digits(text, start + whole + 1, places)?;
    Some((negative, value * POWERS[places] + fraction, places))
}

fn decimal_value(text: &[u8], span: Span, scale: usize) -> Option<i128> {
    if let Some((negative, value, places)) = mantissa(text, span)
        && let Some(power) = POWERS.get(scale.checked_sub(places)?).copied()
    {
        let value = match value.checked_mul(power) {
            Some(value) => i128::from(value),
            None => i128::from(value).checked_mul(i128::from(power))?,
        };
        return Some(if negative { -value } else { value });
    }
    long_decimal(text, span, scale)
}

/// A decimal of more digits than 64 bits hold.
#[cold]
fn long_decimal(text: &[u8], span: Span, scale: usize) -> Option<i128> {
    let (negative, start, count) = sign(text, span);
    let whole = point(text, start, count);
    let mut value = wide_digits(text, start, whole)?;
    let mut places = 0;
    if whole < count {
        places = count - whole - 1;
        let fraction = wide_digits(text, start + whole + 1, places)?;
        value = value.checked_mul(power(places)?)?.checked_add(fraction)?;
    }
    let value = value.checked_mul(power(scale.checked_sub(places)?)?)?;
    let value = i128::try_from(value).ok()?;
    Some(if negative { -value } else { value })
}

fn power(exponent: usize) -> Option<u128> {
    10_u128.checked_pow(u32::try_from(exponent).ok()?)
}

#[cold]
fn by_library<T: std::str::FromStr>(text: &[u8], span: Span) -> Option<T> {
    std::str::from_utf8(span.of(text)).ok()?.parse().ok()
}

/// How many bytes stand before the point; all when there is none.
#[inline]
fn point(text: &[u8], start: usize, count: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let others = eight(text, start) ^ (ONES * b'.' as u64);
    // The lowest high bit stands in the first byte that is zero.
    let found = others.wrapping_sub(ONES) & !others & (ONES << 7);
    let at = found.trailing_zeros() as usize / 8;
    if at < 8 || count <= 8 {
        return at.min(count);
    }
    8 + memchr::memchr(b'.', &text[start + 8..start + count]).unwrap_or(count - 8)
}

/// The value of one to nineteen digits.
#[inline]
pub(super) fn digits(text: &[u8], start: usize, count: usize) -> Option<u64> {
    match count {
        1..=8 => up_to_eight(text, start, count),
        9..=16 => {
            let high = up_to_eight(text, start, count - 8)?;
            Some(high * POWERS[8] + up_to_eight(text, start + count - 8, 8)?)
        }
        17..=MOST_DIGITS => {
            let high = up_to_eight(text, start, count - 16)?;
            let middle = up_to_eight(text, start + count - 16, 8)?;
            let low = up_to_eight(text, start + count - 8, 8)?;
            Some((high * POWERS[8] + middle) * POWERS[8] + low)
        }
        _ => None,
    }
}

/// The value of one to eight digits, all at once.
#[inline]
pub(super) fn up_to_eight(text: &[u8], start: usize, count: usize) -> Option<u64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    // What follows the digits is shifted out, and zeros in before them.
    let word = (eight(text, start) ^ ZEROS) << (64 - 8 * count);
    if (word.wrapping_add(0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = word.wrapping_mul(10 * 256 + 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100 * 65_536 + 1) >> 16 & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000 * (1 << 32) + 1) >> 32)
}

/// Eight bytes of the text, the first one lowest; zeros beyond its end.
#[inline]
pub(super) fn eight(text: &[u8], start: usize) -> u64 {
    match text.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => last_eight(text, start),
    }
}

#[cold]
fn last_eight(text: &[u8], start: usize) -> u64 {
    let rest = text.get(start..).unwrap_or_default();
    let mut bytes = [0; 8];
    bytes[..rest.len()].copy_from_slice(rest);
    u64::from_le_bytes(bytes)
}
