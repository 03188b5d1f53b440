//! Why rows are put aside, in words. Only bad rows pay for it: they are read
//! again by a parser that tells what is wrong, and where.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::strict::MAX_DEPTH;
use super::text;
use crate::FieldOrigin;

/// A row that is no UTF-8.
pub(super) fn torn(row: &[u8]) -> String {
    let valid = std::str::from_utf8(row).map_or_else(|error| error.valid_up_to(), str::len);
    format!("not valid UTF-8 at byte {valid} of the row")
}

/// A row that is no JSON object, or nested too deeply.
pub(super) fn refused(row: &str) -> String {
    let first = row.trim_ascii_start().bytes().next();
    let read = match first {
        None | Some(b'{') => serde_json::from_str::<BTreeMap<String, IgnoredAny>>(row).map(drop),
        Some(_) => serde_json::from_str::<IgnoredAny>(row).map(drop),
    };
    match (read, first) {
        (Err(error), _) => format!("malformed JSON: {error}"),
        (Ok(()), Some(first)) if first != b'{' => {
            format!("an object is expected, not {}", text::kind(first))
        }
        (Ok(()), _) if depth(row) > MAX_DEPTH => {
            format!("the row is nested more than {MAX_DEPTH} brackets deep")
        }
        // The only thing left that the scanner refuses.
        (Ok(()), _) => "malformed JSON: a key holds half of a surrogate pair".to_owned(),
    }
}

/// How many brackets are open at most in a valid text.
fn depth(text: &str) -> u32 {
    let (mut open, mut deepest) = (0, 0_u32);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => open += 1,
            b'}' | b']' => open -= 1,
            // To the closing quote; what is escaped is none.
            b'"' => {
                while let Some(byte) = bytes.next().filter(|byte| *byte != b'"') {
                    if byte == b'\\' {
                        bytes.next();
                    }
                }
            }
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

/// A field whose string holds half a surrogate pair; `quoted` is how it is
/// written.
pub(super) fn half_pair(field: &FieldOrigin, quoted: &str) -> String {
    let told = match serde_json::from_str::<String>(quoted) {
        Ok(_) => "half of a surrogate pair".to_owned(),
        Err(error) => error.to_string(),
    };
    format!("field `{field}` is no valid text: {told}")
}
