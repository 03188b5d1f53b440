//! The way to the array of rows inside a JSON document, without reading more
//! of it into memory than a key at a time.

use super::scan::Scanner;
use super::text::{Text, kind};
use crate::DecodeError;

/// Keys that are listed when the one that is wanted is not among them.
const MAX_LISTED: usize = 20;

/// Goes to the value at `path`: keys, and indices of arrays, separated by dots.
/// Of a key that stands twice, the first counts.
pub(super) fn descend(text: &mut Text, path: &str) -> Result<(), DecodeError> {
    for segment in path.split('.') {
        let index = segment.parse::<usize>().ok();
        match (text.peek()?, index) {
            (Some(b'{'), _) => {
                open(text, b'{');
                find_key(text, segment)?;
            }
            (Some(b'['), Some(index)) => {
                open(text, b'[');
                find_index(text, segment, index)?;
            }
            (Some(other), _) => {
                return Err(text.malformed(format!(
                    "`{segment}` of `format.json.path` is looked for in {}, where an object is expected",
                    kind(other)
                )));
            }
            (None, _) => return Err(text.cut_off()),
        }
    }
    Ok(())
}

fn open(text: &mut Text, bracket: u8) {
    text.buffer.consume(1);
    text.around.push(bracket);
}

fn find_key(text: &mut Text, wanted: &str) -> Result<(), DecodeError> {
    let mut seen = Vec::new();
    if text.peek()? == Some(b'}') {
        return Err(absent(text, wanted, &seen));
    }
    loop {
        expect(text, b'"')?;
        let length = text.value()?;
        let key: Result<String, _> = serde_json::from_slice(&text.buffer.rest()[..length]);
        text.buffer.consume(length);
        let key = key.map_err(|error| text.malformed(format!("a key is no text: {error}")))?;
        expect(text, b':')?;
        text.buffer.consume(1);
        if text.peek()?.is_none() {
            return Err(text.cut_off());
        }
        if key == wanted {
            return Ok(());
        }
        if seen.len() < MAX_LISTED {
            seen.push(key);
        }
        text.pass(Scanner::new())?;
        if text.peek()? == Some(b'}') {
            return Err(absent(text, wanted, &seen));
        }
        expect(text, b',')?;
        text.buffer.consume(1);
    }
}

fn find_index(text: &mut Text, segment: &str, index: usize) -> Result<(), DecodeError> {
    if text.peek()? == Some(b']') {
        return Err(absent(text, segment, &[]));
    }
    for _ in 0..index {
        if text.peek()?.is_none() {
            return Err(text.cut_off());
        }
        text.pass(Scanner::new())?;
        if text.peek()? == Some(b']') {
            return Err(absent(text, segment, &[]));
        }
        expect(text, b',')?;
        text.buffer.consume(1);
    }
    Ok(())
}

fn expect(text: &mut Text, byte: u8) -> Result<(), DecodeError> {
    match text.peek()? {
        Some(found) if found == byte => Ok(()),
        Some(found) => Err(text.unexpected(&format!("`{}`", char::from(byte)), found)),
        None => Err(text.cut_off()),
    }
}

fn absent(text: &Text, wanted: &str, seen: &[String]) -> DecodeError {
    let there =
        if seen.is_empty() { "nothing".to_owned() } else { format!("`{}`", seen.join("`, `")) };
    text.malformed(format!("`{wanted}` of `format.json.path` is not there; there is {there}"))
}
