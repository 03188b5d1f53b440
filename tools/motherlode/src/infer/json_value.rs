//! A JSON value that keeps the order of its keys, because columns are proposed in
//! the order in which the file has them, and the spelling of its numbers: `1e25` is
//! a float, and the same number in digits is none.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Values within values, as many as the loader follows.
const DEPTH: u8 = 127;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// A boolean.
    Boolean(bool),
    /// A number without a point and an exponent.
    Integer(i128),
    /// The same beyond 127 bits, as it is written.
    Large(String),
    /// Another number, as it is written.
    Float(String),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        read(raw.get(), DEPTH).map_err(D::Error::custom)
    }
}

/// The value of a text, which is JSON as far as its brackets go.
fn read(text: &str, depth: u8) -> serde_json::Result<Json> {
    let deeper = || {
        depth.checked_sub(1).ok_or_else(|| serde_json::Error::custom("recursion limit exceeded"))
    };
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let depth = deeper()?;
            let pairs = serde_json::Deserializer::from_str(text).deserialize_map(Pairs)?;
            let pairs = pairs.into_iter().map(|(key, value)| Ok((key, read(value.get(), depth)?)));
            Json::Object(pairs.collect::<serde_json::Result<_>>()?)
        }
        Some(b'[') => {
            let depth = deeper()?;
            let values: Vec<&RawValue> = serde_json::from_str(text)?;
            let values = values.into_iter().map(|value| read(value.get(), depth));
            Json::List(values.collect::<serde_json::Result<_>>()?)
        }
        Some(b'"') => Json::Text(serde_json::from_str(text)?),
        Some(b't' | b'f') => Json::Boolean(serde_json::from_str(text)?),
        Some(b'n') => Json::Null,
        _ => number(text)?,
    })
}

fn number(text: &str) -> serde_json::Result<Json> {
    // What no float holds is refused, here as by the loader.
    serde_json::from_str::<f64>(text)?;
    Ok(if text.contains(['.', 'e', 'E']) {
        Json::Float(text.to_owned())
    } else {
        text.parse().map_or_else(|_| Json::Large(text.to_owned()), Json::Integer)
    })
}

/// The keys of an object in their order, and the texts of their values.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn keys_keep_their_order_and_numbers_their_kind() {
        let text = r#" {"b": 1, "a": [1.0, null, "x\n", true, 1e25], "c": -0.10, "d": {}} "#;
        let float = |text: &str| Json::Float(text.to_owned());
        let text_of = |text: &str| Json::Text(text.to_owned());
        let list =
            vec![float("1.0"), Json::Null, text_of("x\n"), Json::Boolean(true), float("1e25")];
        let pairs = vec![
            ("b".to_owned(), Json::Integer(1)),
            ("a".to_owned(), Json::List(list)),
            ("c".to_owned(), float("-0.10")),
            ("d".to_owned(), Json::Object(Vec::new())),
        ];
        assert_eq!(serde_json::from_str::<Json>(text).unwrap(), Json::Object(pairs.clone()));
        // From a reader, too, which an array of rows is read by.
        assert_eq!(
            serde_json::from_reader::<_, Json>(text.as_bytes()).unwrap(),
            Json::Object(pairs)
        );
    }

    #[rstest]
    #[case("170141183460469231731687303715884105727", Json::Integer(i128::MAX))]
    #[case(
        "170141183460469231731687303715884105728",
        Json::Large("170141183460469231731687303715884105728".to_owned())
    )]
    #[case("-18446744073709551616", Json::Integer(-(1 << 64)))]
    fn whole_numbers_are_exact(#[case] text: &str, #[case] expected: Json) {
        assert_eq!(serde_json::from_str::<Json>(text).unwrap(), expected);
    }

    #[rstest]
    #[case("1e400")]
    #[case(r#"{"a": "\ud800"}"#)]
    #[case("[1,]")]
    #[case("[01]")]
    #[case("tru")]
    #[case(r#"{"a": 1} 2"#)]
    #[case(&format!("{}{}", "[".repeat(128), "]".repeat(128)))]
    #[case(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))]
    fn what_the_loader_refuses_is_no_value(#[case] text: &str) {
        assert!(serde_json::from_str::<Json>(text).is_err());
    }
}
