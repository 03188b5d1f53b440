//! Whether a text is a JSON object that a `JSON` column takes.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Fault;

/// What is wrong with an array whose numbers the server would make floats of.
const ROUNDED: &str = "stands in an array with numbers of another kind, and a JSON column makes floats of all of them, which rounds it; keep the document in a String column";

/// What is wrong with a number that the server refuses, and all rows of its INSERT
/// with it.
const TOO_LONG: &str = "is a whole number of more than 64 bits, which a JSON column does not hold; keep the document in a String column";

/// Says whether the text is a JSON object in which no path stands twice, no whole number
/// of more than 64 bits, and none that the server would round. Texts that look like days
/// stay texts: INSERTs forbid the server to guess. `{"a": {"b": 1}, "a.b": 2}` names the
/// path `a.b` twice.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    if let Some(number) = too_long(text) {
        return Err(Fault::Inside(format!("`{number}` {TOO_LONG}")));
    }
    let mut paths = HashSet::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    Object { paths: &mut paths, prefix: "" }
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|error| match error.to_string().split_once(ROUNDED) {
            Some((value, _)) => Fault::Inside(format!("{value}{ROUNDED}")),
            None => Fault::Malformed,
        })
}

/// What is wrong with a text for a `JSON` column; nothing when it is an object that
/// arrives as it is.
#[must_use]
pub fn json_problem(text: &str) -> Option<String> {
    match check(text) {
        Ok(()) => None,
        Err(Fault::Inside(reason)) => Some(reason),
        Err(_) => Some("is no JSON object, or names a path twice".to_owned()),
    }
}

/// The first whole number that neither a signed nor an unsigned number of 64 bits can
/// be. The deserializer would give it as a float, like one that is written so.
fn too_long(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    // What is escaped is no end.
                    at += 1 + usize::from(bytes[at] == b'\\');
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let is_part =
                    |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = bytes[at..].iter().take_while(|byte| is_part(byte)).count();
                let number = &text[at..at + length];
                let is_whole = number.bytes().skip(1).all(|byte| byte.is_ascii_digit());
                // All that are shorter fit.
                if length > 18
                    && is_whole
                    && number.parse::<i64>().is_err()
                    && number.parse::<u64>().is_err()
                {
                    return Some(number);
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}

/// The numbers of an array and of the arrays in it, of which the server makes one type.
#[derive(Default)]
struct Numbers {
    has_float: bool,
    has_negative: bool,
    /// Whether one needs the 64th bit of an unsigned number.
    has_huge: bool,
    /// The first that no float can be.
    exact: Option<String>,
}

impl Numbers {
    fn whole(&mut self, number: i128) {
        self.has_negative |= number < 0;
        self.has_huge |= number > i128::from(i64::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "a float of 64 bits at most")]
        #[expect(clippy::cast_precision_loss, reason = "that is the question")]
        let is_rounded = number as f64 as i128 != number;
        if is_rounded && self.exact.is_none() {
            self.exact = Some(number.to_string());
        }
    }

    /// Refuses numbers that would be rounded.
    fn judge<E: serde::de::Error>(self) -> Result<(), E> {
        match self.exact {
            Some(number) if self.has_float || (self.has_huge && self.has_negative) => {
                Err(E::custom(format!("`{number}` {ROUNDED}")))
            }
            _ => Ok(()),
        }
    }
}

/// An object below a path, which ends in a dot.
struct Object<'p> {
    paths: &'p mut HashSet<String>,
    prefix: &'p str,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(key) = object.next_key::<String>()? {
            let path = format!("{}{key}", self.prefix);
            object.next_value_seed(Value { paths: self.paths, path })?;
        }
        Ok(())
    }
}

/// A value at a path: an object has paths of its own, all else is the end of one.
struct Value<'p> {
    paths: &'p mut HashSet<String>,
    path: String,
}

impl Value<'_> {
    fn ends<E: serde::de::Error>(self) -> Result<(), E> {
        if self.paths.insert(self.path) { Ok(()) } else { Err(E::custom("a path stands twice")) }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.ends()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.ends()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.ends()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.ends()
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.ends()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.ends()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut numbers = Numbers::default();
        while let Some(()) = elements.next_element_seed(Element(&mut numbers))? {}
        numbers.judge()?;
        self.ends()
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        let prefix = format!("{}.", self.path);
        Object { paths: self.paths, prefix: &prefix }.visit_map(object)
    }
}

/// An element of an array: objects in it have paths of their own.
struct Element<'n>(&'n mut Numbers);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element of a JSON array")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.0.whole(number.into());
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.0.whole(number.into());
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.0.has_float = true;
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(()) = elements.next_element_seed(Element(self.0))? {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        Object { paths: &mut HashSet::new(), prefix: "" }.visit_map(object)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("{}", true)]
    #[case(r#"{"a":1,"b":{"c":[1,{"x":1},null]}}"#, true)]
    #[case(r#"{"a":{"b":1},"a.c":1}"#, true)]
    #[case(r#"{"a":1,"a":1}"#, false)]
    #[case(r#"{"a":{"b":1},"a.b":1}"#, false)]
    #[case(r#"{"a":[{"x":1,"x":2}]}"#, false)]
    #[case("[1]", false)]
    #[case("1", false)]
    #[case("{", false)]
    #[case("{} {}", false)]
    #[case(r#"{"a":"2024-02-29","b":["2024-02-3","20240230","2024-02-30T"]}"#, true)]
    #[case(r#"{"a":"2024-02-30","b":[["2023-13-01"]]}"#, true)]
    #[case(r#"{"a":[9007199254740993,1.5]}"#, false)]
    #[case(r#"{"a":[[9007199254740993],[1.5]]}"#, false)]
    #[case(r#"{"a":[18446744073709551615,-1]}"#, false)]
    #[case(r#"{"a":[9007199254740993,-1],"b":[9007199254740992,1.5],"c":[{"x":9007199254740993},{"x":1.5}]}"#, true)]
    #[case(r#"{"a":18446744073709551615,"b":[-9223372036854775808]}"#, true)]
    #[case(r#"{"a":18446744073709551616}"#, false)]
    #[case(r#"{"a":{"b":[1,-9223372036854775809]}}"#, false)]
    #[case(
        r#"{"a":123456789012345678901234567890.0,"b":1e30,"c":-0.1234567890123456789012}"#,
        true
    )]
    #[case(r#"{"a":1e400}"#, false)]
    #[case(r#"{"a":"123456789012345678901234567890","\"99999999999999999999":1}"#, true)]
    fn objects_without_repeated_paths_pass(#[case] text: &str, #[case] passes: bool) {
        assert_eq!(check(text).is_ok(), passes);
    }
}
