//! Which wanted key a key of an object is.
//!
//! Rows mostly repeat the keys of the row before in their order and their
//! spelling. So what stands between two values is learned as a whole (comma,
//! white space, key and colon), each with the one that followed it last: in a
//! row that keeps the order, one comparison leads from a value to the next.

use std::collections::HashMap;

use super::strict::{Strict, WINDOW};
use super::unescape::unescape;

/// Most spellings that are learned for one object; other keys are looked up
/// by name.
const MAX_LEARNED: usize = 1_024;
/// Longest spelling that is learned.
const MAX_LENGTH: usize = 256;
/// How many keys may be absent in a row before the next one is looked up.
const TRIES: usize = 3;

/// The keys of the objects at one place of the rows.
pub(super) struct Keys {
    /// The wanted ones.
    by_name: HashMap<String, usize>,
    /// Those that were met, behind two places that stand for none.
    met: Vec<Met>,
    by_spelling: HashMap<Box<[u8]>, usize>,
}

/// A key as it is written, with all that stands before and behind it up to the
/// values; for the first key of an object, from the bracket on.
struct Met {
    spelling: Box<[u8]>,
    /// Its first bytes, and which of them count.
    head: u128,
    mask: u128,
    wanted: Option<usize>,
    /// The one that followed last.
    next: usize,
}

/// What follows in an object.
pub(super) enum Step {
    /// A key, and its value.
    Key(Found),
    /// The bracket that ends it, here.
    End(usize),
}

/// A key of an object.
pub(super) struct Found {
    /// Which wanted key it is.
    pub(super) wanted: Option<usize>,
    /// Where its value begins.
    pub(super) value: usize,
    /// The place to look for the next key from.
    pub(super) cursor: usize,
}

impl Met {
    fn new(spelling: &[u8], wanted: Option<usize>) -> Self {
        let mut head = [0; WINDOW];
        let mut mask = [0; WINDOW];
        for ((byte, counts), spelt) in head.iter_mut().zip(&mut mask).zip(spelling) {
            (*byte, *counts) = (*spelt, u8::MAX);
        }
        Self {
            spelling: spelling.into(),
            head: u128::from_le_bytes(head),
            mask: u128::from_le_bytes(mask),
            wanted,
            next: Keys::LOST,
        }
    }

    /// Whether the key stands at a place.
    #[inline]
    fn stands(&self, row: Strict<'_>, at: usize) -> bool {
        let same = match row.window(at) {
            Some(window) => {
                (u128::from_le_bytes(*window) ^ self.head) & self.mask == 0
                    && (self.spelling.len() <= WINDOW || self.goes_on(row, at))
            }
            None => row.stands(at, &self.spelling),
        };
        // White space may lead out of the row, and there may be more of it.
        let value = at + self.spelling.len();
        same && value < row.end() && row.byte(value) > b' '
    }

    /// Whether a key that is longer than what is compared at once stands there.
    #[inline(never)]
    fn goes_on(&self, row: Strict<'_>, at: usize) -> bool {
        row.stands(at, &self.spelling)
    }
}

impl Keys {
    /// The place to look for the first key from.
    pub(super) const START: usize = 0;
    /// Behind a key that is not learned. Nothing leads to the start again: a
    /// bracket opens nothing behind a value.
    pub(super) const LOST: usize = 1;

    /// No key is wanted.
    pub(super) fn new() -> Self {
        // No text holds this byte: neither is ever met.
        let none = || Met::new(&[u8::MAX], None);
        Self { by_name: HashMap::new(), met: vec![none(), none()], by_spelling: HashMap::new() }
    }

    /// Wants a key, which must not be wanted already.
    pub(super) fn want(&mut self, name: &str, wanted: usize) {
        self.by_name.insert(name.to_owned(), wanted);
    }

    /// Which wanted key has this name.
    pub(super) fn by_name(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Reads on from `at`, the bracket of an object or the end of a value in
    /// it, to the next value. `None` when neither a key nor the end follows.
    #[inline(always)]
    pub(super) fn read(&mut self, row: Strict<'_>, at: usize, cursor: usize) -> Option<Step> {
        let mut guess = self.met[cursor].next;
        for _ in 0..TRIES {
            let met = &self.met[guess];
            if met.stands(row, at) {
                let value = at + met.spelling.len();
                return Some(Step::Key(Found { wanted: met.wanted, value, cursor: guess }));
            }
            if row.byte(at) == b'}' {
                break;
            }
            guess = met.next;
        }
        self.look_up(row, at, cursor)
    }

    #[inline(never)]
    fn look_up(&mut self, row: Strict<'_>, at: usize, cursor: usize) -> Option<Step> {
        let at_start = cursor == Self::START;
        let next = row.space(at + usize::from(at_start));
        if row.byte(next) == b'}' {
            return Some(Step::End(next));
        }
        let quote = quote(row, at, at_start)?;
        let (end, escaped) = row.string(quote + 1)?;
        let value = row.colon(end + 1)?;
        let spelling = &row.text().as_bytes()[at..value];
        if let Some(met) = self.by_spelling.get(spelling).copied() {
            self.met[cursor].next = met;
            return Some(Step::Key(Found { wanted: self.met[met].wanted, value, cursor: met }));
        }
        let name = &row.text()[quote + 1..end];
        let wanted = if escaped {
            let mut unescaped = String::new();
            unescape(name, &mut unescaped)?;
            self.by_name(&unescaped)
        } else {
            self.by_name(name)
        };
        if self.met.len() >= MAX_LEARNED || spelling.len() > MAX_LENGTH {
            return Some(Step::Key(Found { wanted, value, cursor: Self::LOST }));
        }
        let met = self.met.len();
        self.met.push(Met::new(spelling, wanted));
        self.by_spelling.insert(spelling.into(), met);
        self.met[cursor].next = met;
        Some(Step::Key(Found { wanted, value, cursor: met }))
    }
}

/// The opening quote of the key that follows the bracket of an object
/// (`at_start`) or a value in it.
fn quote(row: Strict<'_>, at: usize, at_start: bool) -> Option<usize> {
    let mut at = at + usize::from(at_start);
    if !at_start {
        at = row.space(at);
        if row.byte(at) != b',' {
            return None;
        }
        at += 1;
    }
    let quote = row.space(at);
    (row.byte(quote) == b'"').then_some(quote)
}

/// The name of a key that was read from `at`.
pub(super) fn name(row: Strict<'_>, at: usize) -> Option<String> {
    let mut name = String::new();
    let quote = quote(row, at, row.byte(at) == b'{')?;
    let (end, _) = row.string(quote + 1)?;
    unescape(&row.text()[quote + 1..end], &mut name)?;
    Some(name)
}
