//! Integers beyond 64 bits and decimals beyond 38 digits.
//!
//! They are rare, so that one way serves all sources: through the text of the
//! value, which shows every digit.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Decimal256Array, FixedSizeBinaryArray};
use arrow::datatypes::{DataType, Decimal256Type, i256};
use arrow::error::ArrowError;

use super::decimal::within;
use super::plain::{parsed, texts};
use super::{Bad, Casted, Fault};

/// An integer of 128 or 256 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Width {
    bytes: usize,
    is_signed: bool,
}

impl Width {
    pub fn signed(bits: u16) -> Self {
        Self { bytes: usize::from(bits / 8), is_signed: true }
    }

    pub fn unsigned(bits: u16) -> Self {
        Self { bytes: usize::from(bits / 8), is_signed: false }
    }

    /// The size of a value in Arrow.
    fn size(self) -> i32 {
        // 16 or 32.
        i32::try_from(self.bytes).unwrap_or(i32::MAX)
    }
}

/// To `Int128`, `Int256`, `UInt128` or `UInt256`, whose bytes stand with the
/// lowest first. Values of exactly that many bytes are taken as they are: so
/// does ClickHouse write them to Parquet, and read them.
pub(super) fn integer(array: &ArrayRef, width: Width) -> Result<Casted, ArrowError> {
    if array.data_type() == &DataType::FixedSizeBinary(width.size()) {
        return Ok(Casted { array: Arc::clone(array), bad: Vec::new() });
    }
    let (texts, bad) = texts(array)?;
    let (values, bad) = parsed(&texts, bad, |text| parse_integer(text.trim_ascii(), width));
    let bytes: Vec<u8> =
        values.iter().flat_map(|value: &[u8; 32]| &value[..width.bytes]).copied().collect();
    let made = FixedSizeBinaryArray::try_new(width.size(), bytes.into(), texts.nulls().cloned())?;
    Ok(Casted { array: Arc::new(made), bad })
}

/// The bytes of an integer, the lowest first, in two's complement.
fn parse_integer(text: &str, width: Width) -> Result<[u8; 32], Fault> {
    let parts = Digits::of(text)?;
    let digits = parts.whole().ok_or(Fault::Fraction)?;
    let mut value = [0_u64; 4];
    for digit in digits {
        let mut carry = u128::from(digit);
        for limb in &mut value {
            let next = u128::from(*limb) * 10 + carry;
            // The lower half stays, the upper half is carried.
            let halves = next.to_le_bytes();
            let (low, _) = halves.split_at(8);
            *limb = low.iter().rev().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
            carry = next >> 64;
        }
        if carry > 0 {
            return Err(Fault::Range);
        }
    }
    let used = width.bytes * 8;
    let length = bits(&value);
    let is_zero = length == 0;
    if parts.is_negative && !is_zero {
        // The lowest value has one more than the highest.
        let is_lowest =
            length == used && value.iter().map(|limb| limb.count_ones()).sum::<u32>() == 1;
        if !width.is_signed || (length >= used && !is_lowest) {
            return Err(Fault::Range);
        }
        let mut carry = true;
        for limb in &mut value {
            (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
        }
    } else if length > used - usize::from(width.is_signed) {
        return Err(Fault::Range);
    }
    let mut bytes = [0_u8; 32];
    for (place, limb) in bytes.chunks_exact_mut(8).zip(value) {
        place.copy_from_slice(&limb.to_le_bytes());
    }
    Ok(bytes)
}

/// How many bits a number needs.
fn bits(limbs: &[u64; 4]) -> usize {
    let top = limbs.iter().rposition(|limb| *limb != 0);
    top.map_or(0, |at| {
        64 * at + usize::try_from(64 - limbs[at].leading_zeros()).unwrap_or_default()
    })
}

/// To `Decimal(precision, scale)` of more than 38 digits.
pub(super) fn decimal(array: &ArrayRef, precision: u8, scale: i8) -> Result<Casted, ArrowError> {
    if array.data_type() == &DataType::Decimal256(precision, scale) {
        // 76 digits at most, which 256 bits hold.
        let limit = i256::from_i128(10).wrapping_pow(u32::from(precision));
        let (first, last) = (limit.wrapping_neg(), limit);
        return Ok(within::<Decimal256Type>(array, |value| first < value && value < last));
    }
    let (texts, bad) = texts(array)?;
    let (values, bad): (Vec<i256>, Vec<Bad>) =
        parsed(&texts, bad, |text| parse_decimal(text.trim_ascii(), precision, scale));
    let made = Decimal256Array::new(values.into(), texts.nulls().cloned());
    Ok(Casted { array: Arc::new(made.with_precision_and_scale(precision, scale)?), bad })
}

/// The text times ten to the scale, exactly.
fn parse_decimal(text: &str, precision: u8, scale: i8) -> Result<i256, Fault> {
    let parts = Digits::of(text)?;
    let digits = parts.shifted(i64::from(scale)).ok_or(Fault::Scale)?;
    let ten = i256::from_i128(10);
    let mut value = i256::ZERO;
    let mut count = 0_usize;
    for digit in digits {
        count += usize::from(count > 0 || digit > 0);
        if count > usize::from(precision) {
            return Err(Fault::Range);
        }
        // At most 76 digits, which 256 bits hold.
        value = value.wrapping_mul(ten).wrapping_add(i256::from_i128(i128::from(digit)));
    }
    Ok(if parts.is_negative { value.wrapping_neg() } else { value })
}

/// A number as it is written: a sign, digits with at most one point among
/// them, and an exponent.
struct Digits {
    is_negative: bool,
    /// Without zeros in front and behind.
    digits: Vec<u8>,
    /// Power of ten of the last of them.
    power: i64,
}

/// Above this many digits no type of ours holds a number.
const MAX_DIGITS: i64 = 100;

impl Digits {
    fn of(text: &str) -> Result<Self, Fault> {
        let bytes = text.as_bytes();
        let (is_negative, bytes) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (mantissa, exponent) = match bytes.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&bytes[..at], super::decimal::parse_exponent(&bytes[at + 1..])?),
            None => (bytes, 0),
        };
        let point = mantissa.iter().position(|byte| *byte == b'.');
        let fraction = point.map_or(0, |at| mantissa.len() - at - 1);
        let mut digits = Vec::with_capacity(mantissa.len());
        for (at, byte) in mantissa.iter().enumerate() {
            match byte {
                b'0'..=b'9' => digits.push(byte - b'0'),
                b'.' if Some(at) == point => {}
                _ => return Err(Fault::Malformed),
            }
        }
        if digits.is_empty() {
            return Err(Fault::Malformed);
        }
        let behind = digits.iter().rev().take_while(|digit| **digit == 0).count();
        digits.truncate(digits.len() - behind);
        let before = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..before);
        let count = |n: usize| i64::try_from(n).map_err(|_| Fault::Range);
        let power =
            if digits.is_empty() { 0 } else { count(behind)? - count(fraction)? + exponent };
        if count(digits.len())? + power > MAX_DIGITS {
            return Err(Fault::Range);
        }
        Ok(Self { is_negative, digits, power })
    }

    /// The digits of the whole number; `None` when there is a fraction.
    fn whole(&self) -> Option<impl Iterator<Item = u8>> {
        self.shifted(0)
    }

    /// The digits of the number times ten to the scale; `None` when a fraction
    /// is left.
    fn shifted(&self, scale: i64) -> Option<impl Iterator<Item = u8>> {
        let zeros = usize::try_from(self.power + scale).ok();
        let zeros = if self.digits.is_empty() { Some(0) } else { zeros };
        zeros.map(|zeros| self.digits.iter().copied().chain(std::iter::repeat_n(0, zeros)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, StringArray};
    use rstest::rstest;

    use super::*;

    fn bytes(text: &str, width: Width) -> Result<Vec<u8>, Fault> {
        parse_integer(text, width).map(|value| value[..width.bytes].to_vec())
    }

    #[rstest]
    #[case("0", 0)]
    #[case("-1", -1)]
    #[case("170141183460469231731687303715884105727", i128::MAX)]
    #[case("-170141183460469231731687303715884105728", i128::MIN)]
    #[case("1.50e1", 15)]
    fn integers_of_128_bits(#[case] text: &str, #[case] expected: i128) {
        assert_eq!(bytes(text, Width::signed(128)).unwrap(), expected.to_le_bytes());
    }

    #[rstest]
    #[case("170141183460469231731687303715884105728", Width::signed(128), Fault::Range)]
    #[case("-170141183460469231731687303715884105729", Width::signed(128), Fault::Range)]
    #[case("340282366920938463463374607431768211456", Width::unsigned(128), Fault::Range)]
    #[case("-1", Width::unsigned(256), Fault::Range)]
    #[case("1.5", Width::signed(256), Fault::Fraction)]
    #[case("1e99", Width::signed(256), Fault::Range)]
    #[case("1e999999999999", Width::signed(256), Fault::Range)]
    #[case("", Width::signed(256), Fault::Malformed)]
    #[case("1x", Width::signed(256), Fault::Malformed)]
    fn what_does_not_fit_is_bad(#[case] text: &str, #[case] width: Width, #[case] fault: Fault) {
        assert_eq!(bytes(text, width), Err(fault));
    }

    #[test]
    fn the_whole_of_256_bits_is_held() {
        let highest =
            "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(bytes(highest, Width::unsigned(256)).unwrap(), [0xff; 32]);
        let lowest =
            "-57896044618658097711785492504343953926634992332820282019728792003956564819968";
        let mut expected = [0; 32];
        expected[31] = 0x80;
        assert_eq!(bytes(lowest, Width::signed(256)).unwrap(), expected);
    }

    #[rstest]
    #[case("1.5", Ok(i256::from_i128(1500)))]
    #[case("-0.001", Ok(i256::from_i128(-1)))]
    #[case("1.0000", Ok(i256::from_i128(1000)))]
    #[case("0.0001", Err(Fault::Scale))]
    #[case("123456789012345678901234567890123456789012345", Err(Fault::Range))]
    fn decimals(#[case] text: &str, #[case] expected: Result<i256, Fault>) {
        assert_eq!(parse_decimal(text, 40, 3), expected);
    }

    #[test]
    fn null_stays_null() {
        let array: ArrayRef = Arc::new(StringArray::from(vec![None, Some("7"), Some("x")]));
        let casted = integer(&array, Width::unsigned(128)).unwrap();
        assert!(casted.array.is_null(0));
        assert_eq!(casted.array.as_fixed_size_binary().value(1)[0], 7);
        assert_eq!(casted.bad.iter().map(|bad| bad.row).collect::<Vec<_>>(), [2]);
    }
}
