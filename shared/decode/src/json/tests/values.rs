//! Values that are seldom seen, and rows that do not keep to an order.

use model::document::{Drift, MissingColumn, UnknownColumn};
use rstest::rstest;

use super::{array, lines};
use crate::Request;
use crate::testing::decode;

#[rstest]
#[case::beyond_64_bits(
    "-170141183460469231731687303715884105728",
    "-170141183460469231731687303715884105728"
)]
#[case::precise("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827")]
#[case::exponent("-1.25E+400", "-1.25E+400")]
#[case::negative_zero("-0", "-0")]
#[case::quoted_number("\"12\"", "12")]
#[case::quoted_null("\"null\"", "null")]
#[case::array_of_arrays("[[1, 2],[ ],null]", "[[1, 2],[ ],null]")]
#[case::tuple("[1,\"x\",{\"y\":2.50}]", "[1,\"x\",{\"y\":2.50}]")]
#[case::document("{\"k\": [\"\\u00e4\", \"}\"]}", "{\"k\": [\"\\u00e4\", \"}\"]}")]
#[case::quotes_only("\"\\\"\\\"\"", "\"\"")]
#[case::escaped_slash("\"a\\/b\"", "a/b")]
#[case::controls("\"\\b\\f\\n\\r\\t\\u0000\\u001F\"", "\u{8}\u{c}\n\r\t\0\u{1f}")]
#[case::pair("\"\\uD83D\\uDE00!\"", "😀!")]
#[case::no_characters("\"\\uFFFF\\uFDD0\"", "\u{ffff}\u{fdd0}")]
#[case::delete("\"\u{7f}\u{80}\u{2028}\"", "\u{7f}\u{80}\u{2028}")]
#[case::null("null", "∅")]
fn values_arrive_without_loss(#[case] written: &str, #[case] expected: &str) {
    // The same by a key and by a path, in every distance from a row's end.
    for behind in 0..20 {
        let pad = "x".repeat(behind);
        let row = format!("{{\"a\":{written},\"g\":[0,{written}],\"pad\":\"{pad}\"}}");
        let text = format!("{row}\r\n{row}");
        let outcome = decode(text.as_bytes(), lines(&["a", "g.1", "pad"])).unwrap();
        assert_eq!(outcome.table(), [[expected, expected, &pad], [expected, expected, &pad]]);
        assert!(outcome.rows.iter().all(|found| found.raw == row));
        let text = format!("[{row},{row}]");
        let outcome = decode(text.as_bytes(), array(&["a", "g.1", "pad"])).unwrap();
        assert_eq!(outcome.table(), [[expected, expected, &pad], [expected, expected, &pad]]);
    }
}

#[rstest]
#[case::leading_zero("01")]
#[case::plus("+1")]
#[case::bare_minus("-")]
#[case::no_integer(".5")]
#[case::no_fraction("1.")]
#[case::no_exponent("1e")]
#[case::signed_no_exponent("1e-")]
#[case::hexadecimal("0x1")]
#[case::infinity("Infinity")]
#[case::not_a_number("NaN")]
#[case::capital("True")]
#[case::short("nul")]
#[case::long("nulls")]
#[case::single_quotes("'x'")]
#[case::raw_tab("\"\t\"")]
#[case::raw_zero("\"\0\"")]
#[case::unknown_escape("\"\\x\"")]
#[case::escaped_apostrophe("\"\\'\"")]
#[case::short_unicode("\"\\u12\"")]
#[case::signed_unicode("\"\\u+123\"")]
#[case::open_string("\"x")]
#[case::trailing_comma_in_array("[1,]")]
#[case::trailing_comma_in_object("{\"x\":1,}")]
#[case::leading_comma("[,1]")]
#[case::no_comma("[1 2]")]
#[case::no_colon("{\"x\" 1}")]
#[case::no_key("{1:2}")]
#[case::no_value("{\"x\":}")]
#[case::crossed("[{]}")]
#[case::comment("/**/1")]
#[case::form_feed("\u{c}1")]
#[case::byte_order_mark("\u{feff}1")]
#[case::no_break_space("\u{a0}1")]
fn what_is_no_json_is_refused_wherever_it_stands(#[case] value: &str) {
    for row in [
        format!("{{\"a\":{value}}}"),
        format!("{{\"b\":{value},\"a\":1}}"),
        format!("{{\"a\":[0,{value}]}}"),
        format!("{{\"b\":{{\"c\":{value}}}}}"),
        format!("{{\"g\":{{\"c\":{value}}}}}"),
        format!("{{\"g\":[{value}]}}"),
    ] {
        let text = format!("{row}\n{{\"a\":\"\"}}");
        let drift = Drift { missing: MissingColumn::Null, ..Drift::default() };
        let request = Request { drift, ..lines(&["a", "g.c", "g.0"]) };
        let outcome = decode(text.as_bytes(), request).unwrap();
        assert_eq!(outcome.table(), [["", "∅", "∅"]], "{row}");
        assert!(outcome.rejected[0].2.starts_with("malformed JSON: "), "{outcome:?}");
        assert_eq!(outcome.rejected[0].3, row);
    }
}

#[rstest]
#[case::later_counts(r#"{"a":1,"a":"x"}"#, "x")]
#[case::null_counts(r#"{"a":1,"a":null}"#, "∅")]
#[case::escaped_is_the_same(r#"{"a":1,"\u0061":"\u0062"}"#, "b")]
#[case::earlier_half_pair(r#"{"a":"\ud800","a":"x"}"#, "x")]
fn the_last_of_two_keys_counts(#[case] row: &str, #[case] expected: &str) {
    let outcome = decode(row.as_bytes(), lines(&["a"])).unwrap();
    assert_eq!(outcome.table(), [[expected]]);
}

#[test]
fn a_later_value_takes_the_inside_of_the_earlier_with_it() {
    let text = br#"{"g":{"a":"\ud800","b":1},"g":{"b":2}}"#;
    let drift = Drift { missing: MissingColumn::Quarantine, ..Drift::default() };
    let outcome = decode(text, Request { drift, ..lines(&["g.a", "g.b"]) }).unwrap();
    assert_eq!(outcome.rejected[0].2, "the row has no `g.a` (drift.missing: quarantine)");
}

#[rstest]
#[case::high(r#"{"a":"x\ud800"}"#, "a", "field `a` is no valid text: ")]
#[case::low(r#"{"a":"\udc00\ud800"}"#, "a", "field `a` is no valid text: ")]
#[case::two_high(r#"{"a":"\ud800\ud800"}"#, "a", "field `a` is no valid text: ")]
#[case::no_second(r#"{"a":"\ud800\n"}"#, "a", "field `a` is no valid text: ")]
#[case::later(r#"{"a":"x","a":"\ud800"}"#, "a", "field `a` is no valid text: ")]
#[case::in_a_key(r#"{"a":1,"\ud800":1}"#, "", "malformed JSON: ")]
#[case::in_a_key_on_the_way(r#"{"a":1,"g":{"\ud800":1}}"#, "", "malformed JSON: a key holds half")]
fn half_surrogate_pairs_put_their_row_aside(
    #[case] row: &str,
    #[case] column: &str,
    #[case] reason: &str,
) {
    let text = format!("{row}\n{{\"a\":\"\\u0041\"}}");
    let drift = Drift { missing: MissingColumn::Null, ..Drift::default() };
    let outcome = decode(text.as_bytes(), Request { drift, ..lines(&["a", "g.c"]) }).unwrap();
    assert_eq!(outcome.table(), [["A", "∅"]]);
    assert_eq!((outcome.rejected[0].1.as_str(), outcome.rejected[0].3.as_str()), (column, row));
    assert!(outcome.rejected[0].2.starts_with(reason), "{outcome:?}");
}

#[test]
fn half_surrogate_pairs_that_nobody_reads_do_no_harm() {
    let text = br#"{"b":"\ud800","a":["\udc00"]}"#;
    assert_eq!(decode(text, lines(&["a"])).unwrap().table(), [[r#"["\udc00"]"#]]);
}

#[rstest]
#[case::wanted("a")]
#[case::unwanted("b")]
#[case::on_the_way("g")]
fn nesting_has_a_limit(#[case] key: &str) {
    let row = |deep: usize| {
        // The row itself is a bracket too.
        let (open, close) = ("[".repeat(deep - 2), "]".repeat(deep - 2));
        format!("{{\"c\":1,\"{key}\":{open}{{\"x\":1}}{close}}}")
    };
    let text = format!("{}\n{}\n{}\n", row(128), row(129), row(100_000));
    let drift = Drift { missing: MissingColumn::Null, ..Drift::default() };
    let outcome =
        decode(text.as_bytes(), Request { drift, ..lines(&["a", "c", "g.0.0.0"]) }).unwrap();
    assert_eq!(outcome.rows.len(), 1);
    let reasons: Vec<_> = outcome.rejected.iter().map(|row| (row.0, row.2.as_str())).collect();
    let reason = "the row is nested more than 128 brackets deep";
    assert_eq!(reasons, [(1, reason), (2, reason)]);
}

#[test]
fn a_path_may_be_as_deep_as_a_row() {
    let path = vec!["0"; 127].join(".");
    let text = format!("{{\"0\":{}7{}}}", "[".repeat(126), "]".repeat(126));
    assert_eq!(decode(text.as_bytes(), lines(&[&path])).unwrap().table(), [["7"]]);
}

#[test]
fn fields_may_share_a_place() {
    let text = br#"{"a":"\u0061","g":{"c":[1]}}"#;
    let outcome = decode(text, lines(&["a", "g.c", "a", "g.c", "g"])).unwrap();
    assert_eq!(outcome.table(), [["a", "[1]", "a", "[1]", "{\"c\":[1]}"]]);
}

#[test]
fn keys_may_come_go_and_change_places() {
    // Every subset of five keys, forwards and backwards, one row each.
    let (mut text, mut expected) = (String::new(), Vec::new());
    for row in 0..64_usize {
        let mut keys: Vec<usize> = (0..5).filter(|key| row >> key & 1 == 1).collect();
        if row >= 32 {
            keys.reverse();
        }
        let parts: Vec<_> =
            keys.iter().map(|key| format!("\"k{key}\" : \"{row}-{key}\"")).collect();
        text.push_str(&format!("{{ {} }}\n", parts.join(" , ")));
        let value = |key| if keys.contains(&key) { format!("{row}-{key}") } else { "∅".into() };
        expected.push([value(0), value(2), value(4)]);
    }
    let drift = Drift { missing: MissingColumn::Null, ..Drift::default() };
    let outcome = decode(text.as_bytes(), Request { drift, ..lines(&["k0", "k2", "k4"]) }).unwrap();
    assert_eq!(outcome.table(), expected);
}

#[rstest]
#[case::bracket_behind_a_value(r#"{"a":1{"a":2}"#)]
#[case::bracket_behind_a_long_key(r#"{"LONG":1{"a":2}"#)]
#[case::comma_at_the_start(r#"{,"a":1,"b":2}"#)]
#[case::two_commas(r#"{"a":1,,"b":2}"#)]
#[case::comma_at_the_end(r#"{"a":1,"b":2,}"#)]
#[case::cut_off_behind_a_comma(r#"{"a":1,"#)]
#[case::cut_off_behind_a_colon(r#"{"a":1,"b":"#)]
#[case::two_objects(r#"{"a":1}{"a":2}"#)]
fn learned_keys_excuse_nothing(#[case] bad: &str) {
    let bad = bad.replace("LONG", &"x".repeat(300));
    let good = "{\"a\":1,\"b\":2}\n{\"b\":3,\"a\":4}\n";
    let text = format!("{good}{bad}\n{good}{bad}\n\"b\":2}}\n{good}");
    let outcome = decode(text.as_bytes(), lines(&["a", "b"])).unwrap();
    assert_eq!(outcome.table(), [["1", "2"], ["4", "3"]].repeat(3));
    let rejected: Vec<_> = outcome.rejected.iter().map(|row| row.0).collect();
    assert_eq!(rejected, [2, 5, 6]);
}

#[test]
fn white_space_may_come_and_go() {
    let rows = [
        "{\"a\":1,\"b\":2}",
        "{\"a\": 1, \"b\": 2}",
        "{\"a\":\t 1,\t\"b\" : 2 }",
        "{ \"a\":1 ,\"b\":  2}",
        "{\n\"a\":1,\n\n\"b\":2\n}",
    ];
    let mut all = Vec::new();
    for one in rows {
        for other in rows {
            all.extend([one, other, one]);
        }
    }
    let outcome = decode(format!("[{}]", all.join(",")).as_bytes(), array(&["a", "b"])).unwrap();
    assert_eq!(outcome.table(), vec![["1", "2"]; all.len()]);
}

#[test]
fn rows_may_have_more_keys_than_are_learned() {
    let long = "x".repeat(1_000);
    let mut text = String::new();
    for row in 0..3 {
        let keys = (0..3_000).map(|key| format!("\"r{row}k{key}\":{key},"));
        text.push_str(&format!("{{{}\"{long}\":{row},\"a\":{row}}}\n", keys.collect::<String>()));
    }
    let drift = Drift { missing: MissingColumn::Fail, ..Drift::default() };
    let request = Request { drift, ..lines(&["a", "r0k2999", &long]) };
    let error = decode(text.as_bytes(), request).unwrap_err().to_string();
    assert!(error.contains("has no `r0k2999`"), "{error}");
    let outcome = decode(text.as_bytes(), lines(&["a", &long])).unwrap();
    assert_eq!(outcome.table(), [["0", "0"], ["1", "1"], ["2", "2"]]);
}

#[test]
fn unknown_keys_are_told_unescaped() {
    let drift = Drift { unknown: UnknownColumn::Quarantine, ..Drift::default() };
    let text = b"{\"a\":1,\"\\u0062\":2,\"c\":3}\n{\"a\":1,\"g\":{\"c\":1}}\n";
    let outcome = decode(text, Request { drift, ..lines(&["a", "g.c"]) });
    // The first row lacks `g.c` too, but it is put aside before that counts.
    let outcome = outcome.unwrap();
    assert_eq!(outcome.table(), [["1", "1"]]);
    assert_eq!(
        outcome.rejected[0].2,
        "key `b` is not in the source document (drift.unknown: quarantine)"
    );
}

#[test]
fn rejected_rows_leave_nothing_behind() {
    let mut text = Vec::new();
    for row in 0..50 {
        text.extend_from_slice(format!("{{\"a\":\"\\n{row}\",\"b\":null}}\n").as_bytes());
        text.extend_from_slice(b"{\"a\":\"\\t\",\"b\":\"\\t\",\"b\":}\n");
        text.extend_from_slice(b"{\"a\":\"\\t\",\"b\":\"\xff\"}\r\n\r\n");
    }
    let mut request = lines(&["a", "b"]);
    request.plan.chunk_rows = 100;
    request.plan.batch_rows = 20;
    let outcome = decode(&text, request).unwrap();
    let expected: Vec<_> = (0..50).map(|row| [format!("\n{row}"), "∅".to_owned()]).collect();
    assert_eq!(outcome.table(), expected);
    assert_eq!(outcome.rejected.len(), 100);
    for (i, rejected) in outcome.rejected.chunks(2).enumerate() {
        let row = 3 * i as u64;
        assert_eq!((rejected[0].0, rejected[1].0), (row + 1, row + 2));
        assert!(rejected[0].2.starts_with("malformed JSON"), "{rejected:?}");
        assert_eq!(rejected[1].2, "not valid UTF-8 at byte 15 of the row");
    }
}
