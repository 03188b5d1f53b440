//! Integers beyond 64 bits: their bytes, the lowest first. Texts of more
//! digits than 128 bits hold are left to the cast.

use super::Column;
use super::numbers::{digits, sign};
use super::words::bytes;

/// Most digits whose value always fits 128 bits.
const MOST_DIGITS: usize = 38;

/// `Int128` and `Int256`.
pub(super) fn signed(bits: u16) -> Box<dyn Column> {
    bytes(usize::from(bits / 8), move |text, span, into| {
        let (negative, start, count) = sign(text, span);
        let value = i128::try_from(wide_digits(text, start, count)?).ok()?;
        let value = if negative { -value } else { value };
        let (low, high) = into.split_at_mut_checked(size_of::<i128>())?;
        low.copy_from_slice(&value.to_le_bytes());
        high.fill(if value < 0 { u8::MAX } else { 0 });
        Some(())
    })
}

/// `UInt128` and `UInt256`.
pub(super) fn unsigned(bits: u16) -> Box<dyn Column> {
    bytes(usize::from(bits / 8), move |text, span, into| {
        let (negative, start, count) = sign(text, span);
        let value = wide_digits(text, start, count)?;
        if negative && value != 0 {
            return None;
        }
        into.get_mut(..size_of::<u128>())?.copy_from_slice(&value.to_le_bytes());
        Some(())
    })
}

/// The value of one to thirty-eight digits.
pub(super) fn wide_digits(text: &[u8], start: usize, count: usize) -> Option<u128> {
    if count == 0 || count > MOST_DIGITS {
        return None;
    }
    let mut value = 0;
    let (mut at, end) = (start, start + count);
    while at < end {
        let step = (end - at).min(16);
        let shift = 10_u128.pow(u32::try_from(step).ok()?);
        value = value * shift + u128::from(digits(text, at, step)?);
        at += step;
    }
    Some(value)
}
