//! JSON by the letter of RFC 8259: where a value of a row ends, if it is one.
//!
//! The row is a part of the text of a batch, and a line break follows it there.
//! No token goes past a control character, so only white space has to watch
//! the end of the row; tokens may be read a word at a time.
//!
//! Whatever is wrong, the answer is `None`: the words for it are found by
//! `reason`, for the few rows that need any.

use super::buffer::is_space;

/// Most brackets around a value, those of the row included.
pub(super) const MAX_DEPTH: u32 = u128::BITS;

/// Bytes that are compared at once.
pub(super) const WINDOW: usize = 16;

/// A word with 1 in each byte.
const ONES: u64 = u64::MAX / 255;

/// A row within its batch.
#[derive(Clone, Copy)]
pub(super) struct Strict<'a> {
    text: &'a str,
    end: usize,
}

impl<'a> Strict<'a> {
    /// The row that ends before `end`, where a line break stands.
    pub(super) fn new(text: &'a str, end: usize) -> Self {
        debug_assert!(text.as_bytes().get(end).is_none_or(u8::is_ascii_control));
        Self { text, end }
    }

    /// Where the row ends.
    pub(super) fn end(self) -> usize {
        self.end
    }

    /// The text of the batch.
    pub(super) fn text(self) -> &'a str {
        self.text
    }

    /// The byte at a place; behind the text zeros, which nothing accepts.
    #[inline]
    pub(super) fn byte(self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    /// Whether these bytes stand at a place.
    #[inline]
    pub(super) fn stands(self, at: usize, bytes: &[u8]) -> bool {
        self.text.as_bytes().get(at..).is_some_and(|rest| rest.starts_with(bytes))
    }

    fn rest(self, at: usize) -> &'a [u8] {
        self.text.as_bytes().get(at..).unwrap_or_default()
    }

    /// The bytes from a place on, unless the text ends before.
    #[inline]
    pub(super) fn window(self, at: usize) -> Option<&'a [u8; WINDOW]> {
        self.text.as_bytes().get(at..)?.first_chunk()
    }

    /// The first place from `at` on without white space.
    #[inline]
    pub(super) fn space(self, at: usize) -> usize {
        if self.byte(at) > b' ' { at } else { self.spaces(at) }
    }

    fn spaces(self, mut at: usize) -> usize {
        while at < self.end && is_space(self.byte(at)) {
            at += 1;
        }
        at
    }

    /// The end of a value that is of no interest, or wanted as it is written.
    /// `depth` brackets are open around it.
    #[inline]
    pub(super) fn value(self, at: usize, depth: u32) -> Option<usize> {
        match self.byte(at) {
            b'"' => Some(self.string(at + 1)?.0 + 1),
            b'{' | b'[' => self.brackets(at, depth),
            _ => self.word(at),
        }
    }

    /// The end of an object or array, without recursion.
    fn brackets(self, mut at: usize, depth: u32) -> Option<usize> {
        // Whether each open bracket is that of an object, innermost lowest.
        let (mut objects, mut open) = (0_u128, 0);
        loop {
            // Either a bracket opens here, or a scalar stands behind a comma.
            let first = self.byte(at);
            at = match first {
                b'{' | b'[' => {
                    if depth + open >= MAX_DEPTH {
                        return None;
                    }
                    objects = objects << 1 | u128::from(first == b'{');
                    open += 1;
                    let inner = self.space(at + 1);
                    // `{` and `}` are as far apart as `[` and `]`.
                    if self.byte(inner) != first + 2 {
                        at = if first == b'{' { self.key(inner)? } else { inner };
                        continue;
                    }
                    objects >>= 1;
                    open -= 1;
                    inner + 1
                }
                b'"' => self.string(at + 1)?.0 + 1,
                _ => self.word(at)?,
            };
            // Behind a value: brackets close until a comma brings the next one.
            loop {
                if open == 0 {
                    return Some(at);
                }
                at = self.space(at);
                let object = objects & 1 == 1;
                match self.byte(at) {
                    b',' => {
                        at = self.space(at + 1);
                        if object {
                            at = self.key(at)?;
                        }
                        break;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => return None,
                }
                at += 1;
                objects >>= 1;
                open -= 1;
            }
        }
    }

    /// The value behind a key of no interest.
    fn key(self, at: usize) -> Option<usize> {
        if self.byte(at) != b'"' {
            return None;
        }
        self.colon(self.string(at + 1)?.0 + 1)
    }

    /// The value behind a colon, which may have white space around it.
    #[inline]
    pub(super) fn colon(self, at: usize) -> Option<usize> {
        let at = self.space(at);
        if self.byte(at) == b':' { Some(self.space(at + 1)) } else { None }
    }

    /// The closing quote of a string whose opening quote stands before
    /// `start`, and whether anything in it is escaped.
    #[inline]
    pub(super) fn string(self, start: usize) -> Option<(usize, bool)> {
        let end = plain(self.text.as_bytes(), start);
        if self.byte(end) == b'"' { Some((end, false)) } else { self.escaped(end) }
    }

    fn escaped(self, mut at: usize) -> Option<(usize, bool)> {
        loop {
            match self.byte(at) {
                b'"' => return Some((at, true)),
                b'\\' => at = plain(self.text.as_bytes(), self.escape(at + 1)?),
                _ => return None,
            }
        }
    }

    /// The end of an escape whose backslash stands before `at`.
    fn escape(self, at: usize) -> Option<usize> {
        match self.byte(at) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
            b'u' if (1..5).all(|digit| self.byte(at + digit).is_ascii_hexdigit()) => Some(at + 5),
            _ => None,
        }
    }

    /// The end of a number, a boolean or a null.
    #[inline]
    pub(super) fn word(self, at: usize) -> Option<usize> {
        match self.byte(at) {
            b'-' | b'0'..=b'9' => self.number(at),
            b't' if self.stands(at, b"true") => Some(at + 4),
            b'f' if self.stands(at, b"false") => Some(at + 5),
            b'n' if self.stands(at, b"null") => Some(at + 4),
            _ => None,
        }
    }

    #[inline]
    fn number(self, mut at: usize) -> Option<usize> {
        at += usize::from(self.byte(at) == b'-');
        // Digits behind a leading zero are left over, and refused as such.
        at = if self.byte(at) == b'0' { at + 1 } else { self.digits(at)? };
        if self.byte(at) == b'.' {
            at = self.digits(at + 1)?;
        }
        if matches!(self.byte(at), b'e' | b'E') {
            at += 1 + usize::from(matches!(self.byte(at + 1), b'+' | b'-'));
            at = self.digits(at)?;
        }
        Some(at)
    }

    /// The end of one digit or more.
    #[inline]
    fn digits(self, start: usize) -> Option<usize> {
        let mut at = start;
        let (words, _) = self.rest(at).as_chunks::<8>();
        for word in words {
            // What is left of a digit is at most 9.
            let word = u64::from_le_bytes(*word) ^ (ONES * u64::from(b'0'));
            let above_nine = (word & (ONES * 0x7f)) + ONES * 0x76;
            let stops = (above_nine | word) & (ONES * 0x80);
            if stops != 0 {
                at += (stops.trailing_zeros() / 8) as usize;
                return if at == start { None } else { Some(at) };
            }
            at += 8;
        }
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        if at == start { None } else { Some(at) }
    }
}

/// The next quote, backslash or control character from `at` on, or the end.
#[inline]
pub(super) fn plain(bytes: &[u8], mut at: usize) -> usize {
    let (words, _) = bytes.get(at..).unwrap_or_default().as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        // With its second bit flipped, a quote is the first byte above the
        // control characters. What a byte borrows from the ones above it
        // can only mark bytes behind the one that counts.
        let quotes_and_controls = (word ^ (ONES * 2)).wrapping_sub(ONES * 0x21);
        let backslashes = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
        let stops = (quotes_and_controls | backslashes) & !word & (ONES * 0x80);
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, 0..=0x1f | b'"' | b'\\')) {
        at += 1;
    }
    at
}
