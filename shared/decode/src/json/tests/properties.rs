//! The scanner against `serde_json`: it accepts the same rows, and finds the
//! same values in them.

use std::collections::BTreeMap;

use model::document::{Drift, MissingColumn};
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::columns::Columns;
use super::super::fields::Wanted;
use super::super::strict::Strict;
use super::{array, lines};
use crate::Request;
use crate::testing::decode;

/// Pieces of strings: plain, escaped, and wrong.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z ]{0,12}",
        2 => prop::sample::select(vec![
            "\\\"", "\\\\", "\\/", "\\b", "\\n", "\\u0041", "\\u00E4", "\\ud83d\\ude00", "ä", "日本", "😀", "{", "}", "[", "]", ",", ":",
        ]).prop_map(str::to_owned),
    ]
}

/// Pieces that spoil most strings.
fn odd_piece() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => piece(),
        1 => prop::sample::select(vec!["\\ud83d", "\\ude00", "\\uDBFF\\uDFFF", "\\ud800\\u0041"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["\"", "\\", "\t", "\n", "\0", "\\x", "\\u00g0", "\\u"]).prop_map(str::to_owned),
    ]
}

fn quoted() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn space() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", "", " ", "\t", "\n", " \r\n "])
}

/// Few different keys, so that some stand twice.
fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "0", "1", "\\u0061", "long_enough_for_two_words"])
        .prop_map(|key| format!("\"{key}\""))
}

/// JSON as somebody may write it.
fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,8})?([eE][+-]?[0-9]{1,2})?",
        quoted(),
    ];
    scalar
        .prop_recursive(4, 24, 5, |inner| prop_oneof![written_array(inner.clone()), object(inner)])
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let entry = (space(), key(), space(), space(), value, space()).prop_map(
        |(before, key, behind, colon, value, end)| {
            format!("{before}{key}{behind}:{colon}{value}{end}")
        },
    );
    prop::collection::vec(entry, 0..6).prop_map(|entries| format!("{{{}}}", entries.join(",")))
}

fn written_array(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let element = (space(), value, space())
        .prop_map(|(before, value, behind)| format!("{before}{value}{behind}"));
    prop::collection::vec(element, 0..5).prop_map(|elements| format!("[{}]", elements.join(",")))
}

fn row() -> impl Strategy<Value = String> {
    (space(), object(value()), space())
        .prop_map(|(before, object, behind)| format!("{before}{object}{behind}"))
}

/// Rows with one thing changed, which mostly spoils them; each behind the row
/// that it was.
fn damaged() -> impl Strategy<Value = (String, String)> {
    let part = prop::sample::select(vec![
        "", ",", ":", "\"", "\\", "{", "}", "[", "]", "0", "-", ".", "e", "+", "1", " ", "\n",
        "\t", "null", "t", "\u{c}", "ä", "\0", "1{", "{}",
    ]);
    (row(), any::<prop::sample::Index>(), 0_usize..3, part).prop_map(|(row, at, gone, part)| {
        let characters: Vec<char> = row.chars().collect();
        let at = at.index(characters.len());
        let behind = characters.iter().skip(at + gone);
        let damaged =
            characters[..at].iter().copied().chain(part.chars()).chain(behind.copied()).collect();
        (row, damaged)
    })
}

/// Tokens in any order.
fn soup() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        3 => prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"a\":", "1", "-", "0", ".5", "e3", "null", "true", "\"", "\\", " ", "\n",
        ]).prop_map(str::to_owned),
        1 => value(),
    ];
    prop::collection::vec(token, 0..12).prop_map(|tokens| format!("{{{}", tokens.concat()))
}

/// Whether the scanner takes a row, when it has met another one before, which
/// may have taught it the same keys, and when text follows.
fn accepts(before: &str, row: &str, behind: &str, fields: &[&str]) -> bool {
    let text = format!("{before}\n{row}\n{behind}");
    let (start, end) = (before.len() + 1, before.len() + 1 + row.len());
    let request = lines(fields);
    let mut wanted = Wanted::new(&request.fields);
    let mut columns = Columns::new(&request.fields, false);
    columns.begin();
    let mut find = |start, end| {
        columns.begin_row(0, text.len());
        wanted.find(Strict::new(&text, end), start, &mut columns).is_some()
    };
    let first = find(start, end);
    find(0, before.len());
    let second = find(start, end);
    assert_eq!(first, second, "{row:?} behind {before:?}");
    first
}

const BEHIND: &str = "\"]}},:null}\"a\":1}";

/// What `serde_json` says of a row.
fn is_object(row: &str) -> bool {
    serde_json::from_str::<BTreeMap<String, IgnoredAny>>(row).is_ok()
}

/// Follows a path as the decoder does: an index only in its shortest spelling.
fn follow<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, segment| match value {
        Value::Object(entries) => entries.get(segment),
        Value::Array(elements) => elements.get(segment.parse::<usize>().ok()?),
        Value::Null => Some(value),
        _ => None,
    })
}

const PATHS: [&str; 9] =
    ["a", "b", "0", "a.b", "a.0", "a.b.c", "b.1.a", "a.0.0", "long_enough_for_two_words"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn rows_that_are_json_are_accepted(before in row(), row in row()) {
        prop_assert!(accepts(&before, &row, BEHIND, &[]));
        prop_assert!(accepts(&before, &row, BEHIND, &PATHS));
    }

    #[test]
    fn damaged_rows_are_accepted_where_serde_json_accepts_them((before, row) in damaged()) {
        prop_assert_eq!(accepts(&before, &row, BEHIND, &[]), is_object(&row));
        prop_assert_eq!(accepts(&before, &row, BEHIND, &PATHS), is_object(&row));
    }

    #[test]
    fn a_row_ends_where_its_line_ends(row in row(), at in any::<prop::sample::Index>()) {
        let at = row.char_indices().map(|(at, _)| at).nth(at.index(row.chars().count())).unwrap();
        let (cut, behind) = row.split_at(at);
        prop_assert_eq!(accepts(&row, cut, behind, &PATHS), is_object(cut));
    }

    #[test]
    fn soups_are_accepted_where_serde_json_accepts_them(before in row(), row in soup()) {
        prop_assert_eq!(accepts(&before, &row, BEHIND, &[]), is_object(&row));
        prop_assert_eq!(accepts(&before, &row, BEHIND, &PATHS), is_object(&row));
    }

    #[test]
    fn strings_are_what_serde_json_reads(pieces in prop::collection::vec(odd_piece(), 0..6)) {
        let string = format!("\"{}\"", pieces.concat());
        let row = format!("{{\"a\":{string}}}");
        let outcome = decode(format!("[{row}]").as_bytes(), array(&["a"]));
        match (serde_json::from_str::<String>(&string), outcome) {
            (Ok(expected), Ok(outcome)) => prop_assert_eq!(outcome.table(), [[expected.as_str()]]),
            (Ok(expected), Err(error)) => prop_assert!(false, "{expected}: {error}"),
            (Err(_), Ok(outcome)) => {
                // The string may have ended early, and the row be another one.
                let accepted = serde_json::from_str::<Value>(&row).is_ok();
                prop_assert_eq!(outcome.rejected.is_empty(), accepted);
            }
            (Err(_), Err(_)) => {}
        }
    }

    #[test]
    fn values_are_what_serde_json_reads(rows in prop::collection::vec(row(), 1..5)) {
        // An object without any of the fields is refused as a whole.
        let rows: Vec<_> = std::iter::once("{\"a\":0}".to_owned()).chain(rows).collect();
        let text = format!("[{}]", rows.join(","));
        let drift = Drift { missing: MissingColumn::Null, ..Drift::default() };
        let outcome = decode(text.as_bytes(), Request { drift, ..array(&PATHS) }).unwrap();
        prop_assert_eq!(outcome.rows.len(), rows.len());
        for (found, row) in outcome.rows.iter().zip(&rows) {
            prop_assert_eq!(&found.raw, row.trim());
            let row: Value = serde_json::from_str(row).unwrap();
            for (path, found) in PATHS.iter().zip(&found.values) {
                let found = found.as_deref();
                match follow(&row, path) {
                    None | Some(Value::Null) => prop_assert_eq!(found, None),
                    Some(Value::String(expected)) => prop_assert_eq!(found, Some(expected.as_str())),
                    Some(expected) => {
                        let found: Value = serde_json::from_str(found.unwrap()).unwrap();
                        prop_assert_eq!(&found, expected);
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_is_missing_what_it_does_not_have(row in row()) {
        let drift = Drift { missing: MissingColumn::Quarantine, ..Drift::default() };
        let outcome = decode(format!("[{row}]").as_bytes(), Request { drift, ..array(&PATHS) }).unwrap();
        let row: Value = serde_json::from_str(&row).unwrap();
        let missing = PATHS.iter().find(|path| follow(&row, path).is_none());
        prop_assert_eq!(outcome.rejected.first().map(|row| row.1.as_str()), missing.copied());
    }
}
