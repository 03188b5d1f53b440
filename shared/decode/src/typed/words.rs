//! Texts, and the types whose values are written as words: booleans, names of
//! enumerations, UUIDs, addresses and fixed strings.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Int8Type, Int16Type, UInt32Type};
use hashbrown::HashMap;

use super::{Column, Span, extend, primitive, taken};

/// Bytes that are copied together: nearly every text of a table is shorter, and
/// a copy of known length is no call.
const SHORT: usize = 32;

/// The texts as they are.
#[derive(Default)]
pub(super) struct Texts {
    values: Vec<u8>,
    /// Where each text starts, and where the last one ends; nothing before the
    /// first.
    offsets: Vec<i32>,
}

impl Column for Texts {
    fn push(&mut self, text: &[u8], spans: &[Span]) -> bool {
        let mut end = self.values.len();
        let bytes: usize = spans.iter().map(|span| span.length()).sum();
        self.values.resize(end + bytes + SHORT, 0);
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.offsets.reserve(spans.len());
        for span in spans {
            let length = span.length();
            let from = text.get(span.start()..).and_then(|rest| rest.first_chunk::<SHORT>());
            match (from, self.values[end..].first_chunk_mut::<SHORT>()) {
                (Some(from), Some(to)) if length <= SHORT => *to = *from,
                _ => copy(*span, text, &mut self.values[end..]),
            }
            end += length;
            let Ok(end) = i32::try_from(end) else { return false };
            self.offsets.push(end);
        }
        self.values.truncate(end);
        true
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Option<ArrayRef> {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(taken(&mut self.offsets)));
        Some(Arc::new(StringArray::try_new(offsets, taken(&mut self.values).into(), nulls).ok()?))
    }

    fn clear(&mut self) {
        self.values.clear();
        self.offsets.clear();
    }
}

/// A copy of any length; apart, so that the short one stays what it is.
#[inline(never)]
fn copy(span: Span, text: &[u8], to: &mut [u8]) {
    if !span.is_null() {
        to[..span.length()].copy_from_slice(span.of(text));
    }
}

/// `true` and `false`.
#[derive(Default)]
pub(super) struct Booleans(Vec<bool>);

impl Column for Booleans {
    fn push(&mut self, text: &[u8], spans: &[Span]) -> bool {
        extend(&mut self.0, spans, |span| match span.of(text) {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        })
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Option<ArrayRef> {
        let values = BooleanBuffer::from(self.0.as_slice());
        self.0.clear();
        Some(Arc::new(BooleanArray::new(values, nulls)))
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// Names of an enumeration, as their numbers.
pub(super) fn enumeration(bits: u8, values: &[(String, i16)]) -> Box<dyn Column> {
    let name = |(name, value): &(String, i16)| (name.as_bytes().to_vec(), *value);
    let numbers: HashMap<Vec<u8>, i16> = values.iter().map(name).collect();
    if bits == 8 {
        primitive::<Int8Type, _>(Int8Type::DATA_TYPE, move |text, span| {
            numbers.get(span.of(text)).and_then(|number| i8::try_from(*number).ok())
        })
    } else {
        primitive::<Int16Type, _>(Int16Type::DATA_TYPE, move |text, span| {
            numbers.get(span.of(text)).copied()
        })
    }
}

/// IPv4 addresses, as numbers.
pub(super) fn ipv4() -> Box<dyn Column> {
    primitive::<UInt32Type, _>(UInt32Type::DATA_TYPE, |text, span| {
        let text = std::str::from_utf8(span.of(text)).ok()?;
        text.parse::<Ipv4Addr>().ok().map(u32::from)
    })
}

/// IPv6 addresses; an IPv4 address is mapped.
pub(super) fn ipv6() -> Box<dyn Column> {
    bytes(16, |text, span, into| {
        let text = std::str::from_utf8(span.of(text)).ok()?;
        let address = match text.parse().ok()? {
            IpAddr::V6(address) => address,
            IpAddr::V4(address) => address.to_ipv6_mapped(),
        };
        into.copy_from_slice(&address.octets());
        Some(())
    })
}

/// UUIDs with their four hyphens, in network order.
pub(super) fn uuid() -> Box<dyn Column> {
    bytes(16, |text, span, into| {
        let text: &[u8; 36] = span.of(text).try_into().ok()?;
        let (mut at, mut wrong) = (0, 0);
        for (i, byte) in into.iter_mut().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                wrong |= text[at] ^ b'-';
                at += 1;
            }
            let (high, low) = (HEX[usize::from(text[at])], HEX[usize::from(text[at + 1])]);
            wrong |= (high | low) & 0xf0;
            *byte = high << 4 | low;
            at += 2;
        }
        (wrong == 0).then_some(())
    })
}

/// Texts that fit `FixedString`; shorter ones are filled up with zero bytes.
pub(super) fn fixed(size: u32) -> Box<dyn Column> {
    bytes(usize::try_from(size).unwrap_or(usize::MAX), |text, span, into| {
        let value = span.of(text);
        if !value.is_ascii() {
            std::str::from_utf8(value).ok()?;
        }
        into.get_mut(..value.len())?.copy_from_slice(value);
        Some(())
    })
}

/// The value of each hexadecimal digit; beyond 15 for any other byte.
const HEX: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut digit = 0_u8;
    while digit < 10 {
        values[(b'0' + digit) as usize] = digit;
        digit += 1;
    }
    while digit < 16 {
        values[(b'a' + digit - 10) as usize] = digit;
        values[(b'A' + digit - 10) as usize] = digit;
        digit += 1;
    }
    values
};

/// Values of so many bytes each.
struct Bytes<F> {
    width: usize,
    values: Vec<u8>,
    write: F,
}

/// A column of values of `width` bytes, at least 1, each written over zeros by a
/// function.
pub(super) fn bytes<F>(width: usize, write: F) -> Box<dyn Column>
where
    F: Fn(&[u8], Span, &mut [u8]) -> Option<()> + Send + 'static,
{
    Box::new(Bytes { width: width.max(1), values: Vec::new(), write })
}

impl<F: Fn(&[u8], Span, &mut [u8]) -> Option<()> + Send> Column for Bytes<F> {
    fn push(&mut self, text: &[u8], spans: &[Span]) -> bool {
        let before = self.values.len();
        self.values.resize(before + self.width * spans.len(), 0);
        let mut places = self.values[before..].chunks_exact_mut(self.width).zip(spans);
        places.all(|(place, span)| span.is_null() || (self.write)(text, *span, place).is_some())
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Option<ArrayRef> {
        let width = i32::try_from(self.width).ok()?;
        let values = taken(&mut self.values).into();
        Some(Arc::new(FixedSizeBinaryArray::try_new(width, values, nulls).ok()?))
    }

    fn clear(&mut self) {
        self.values.clear();
    }
}
