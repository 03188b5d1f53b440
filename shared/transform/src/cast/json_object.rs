//! Whether a text is a JSON object that a `JSON` column takes.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Fault;

/// What is wrong with a text that the server would take for a day.
const NO_DAY: &str = "is no day of the calendar, and a JSON column makes another day of it; write a day that exists, or keep the document in a String column";

/// What is wrong with a number that the server refuses, and all rows of its INSERT
/// with it.
const TOO_LONG: &str = "is a whole number of more than 64 bits, which a JSON column does not hold; keep the document in a String column";

/// Says whether the text is a JSON object in which no path stands twice, no text that
/// the server would silently make another day of, and no whole number of more than 64
/// bits. `{"a": {"b": 1}, "a.b": 2}` names the path `a.b` twice.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    if let Some(number) = too_long(text) {
        return Err(Fault::Inside(format!("`{number}` {TOO_LONG}")));
    }
    let mut paths = HashSet::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    Object { paths: &mut paths, prefix: "" }
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|error| match error.to_string().split_once(NO_DAY) {
            Some((value, _)) => Fault::Inside(format!("{value}{NO_DAY}")),
            None => Fault::Malformed,
        })
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

/// Refuses a text like `2024-02-30`: the server takes texts of this form for
/// days and counts on into the next month.
fn real<E: serde::de::Error>(text: &str) -> Result<(), E> {
    let is_no_day = || {
        let [y, z, x, w, b'-', m, n, b'-', d, e] = *text.as_bytes() else { return false };
        let digits = [y, z, x, w, m, n, d, e];
        if !digits.iter().all(u8::is_ascii_digit) {
            return false;
        }
        let two = |high: u8, low: u8| u32::from(high - b'0') * 10 + u32::from(low - b'0');
        let (year, month, day) = (two(y, z) * 100 + two(x, w), two(m, n), two(d, e));
        let year = i32::try_from(year).unwrap_or_default();
        chrono::NaiveDate::from_ymd_opt(year, month, day).is_none()
    };
    if is_no_day() { Err(E::custom(format!("`{text}` {NO_DAY}"))) } else { Ok(()) }
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

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        real(text)?;
        self.ends()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.ends()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(()) = elements.next_element_seed(Element)? {}
        self.ends()
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        let prefix = format!("{}.", self.path);
        Object { paths: self.paths, prefix: &prefix }.visit_map(object)
    }
}

/// An element of an array: objects in it have paths of their own.
struct Element;

impl<'de> DeserializeSeed<'de> for Element {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element of a JSON array")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        real(text)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(()) = elements.next_element_seed(Self)? {}
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
    #[case(r#"{"a":"2024-02-30"}"#, false)]
    #[case(r#"{"a":[["2023-13-01"]]}"#, false)]
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
