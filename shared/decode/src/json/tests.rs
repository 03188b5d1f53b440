//! JSON objects and what becomes of them.

mod properties;
mod values;

use model::document::{Drift, Format, Json, JsonLayout, MissingColumn, UnknownColumn};
use rstest::rstest;

use crate::testing::{Outcome, decode, decode_dripping, request};
use crate::{DecodeError, FieldOrigin, Limits, Request};

fn json(layout: JsonLayout, path: Option<&str>, fields: &[&str]) -> Request {
    request(Format::Json(Json { layout, path: path.map(str::to_owned) }), fields)
}

fn lines(fields: &[&str]) -> Request {
    json(JsonLayout::Lines, None, fields)
}

fn array(fields: &[&str]) -> Request {
    json(JsonLayout::Array, None, fields)
}

#[rstest]
#[case::lines("{\"a\":1,\"b\":\"x\"}\n{\"b\":null}\n", &[["1", "x"], ["∅", "∅"]])]
#[case::blank_lines("\n {\"a\":1}\r\n\r\n  \n{\"a\":2}", &[["1", "∅"], ["2", "∅"]])]
#[case::byte_order_mark("\u{feff}{\"a\":1}", &[["1", "∅"]])]
#[case::numbers_as_written("{\"a\":1.50,\"b\":-1e+07}", &[["1.50", "-1e+07"]])]
#[case::booleans("{\"a\":true,\"b\":false}", &[["true", "false"]])]
#[case::escapes(r#"{"a":"\"\\\n\u00e4\ud83d\ude00","b":""}"#, &[["\"\\\nä😀", ""]])]
#[case::nested_as_written(r#"{"a":{"x": [1, 2]},"b":[ ]}"#, &[["{\"x\": [1, 2]}", "[ ]"]])]
#[case::last_of_two_keys(r#"{"a":1,"a":2,"b":3}"#, &[["2", "3"]])]
#[case::other_order(r#"{"c":{"a":9},"b":2,"a":1}"#, &[["1", "2"]])]
#[case::escaped_key(r#"{"\u0061":1,"b":2}"#, &[["1", "2"]])]
fn lines_are_read(#[case] text: &str, #[case] expected: &[[&str; 2]]) {
    let outcome = decode(text.as_bytes(), lines(&["a", "b"])).unwrap();
    assert_eq!(outcome.table(), expected);
    assert!(outcome.rejected.is_empty(), "{outcome:?}");
}

#[rstest]
#[case::deep(r#"{"g":{"c":[1,[2,{"d":"x"}]],"n":null}}"#, &["g.c.1.1.d", "g.c.0", "g.n"], &["x", "1", "∅"])]
#[case::inside_null(r#"{"g":null}"#, &["g.c", "g"], &["∅", "∅"])]
#[case::inside_scalar(r#"{"g":"text"}"#, &["g.c", "g"], &["∅", "text"])]
#[case::whole_and_part(r#"{"g":{"c":1}}"#, &["g", "g.c"], &["{\"c\":1}", "1"])]
#[case::last_of_two_keys(r#"{"g":{"c":1,"d":2},"g":{"d":3}}"#, &["g.c", "g.d"], &["∅", "3"])]
#[case::digits_as_key(r#"{"g":{"0":1}}"#, &["g.0"], &["1"])]
fn paths_lead_inside(#[case] text: &str, #[case] fields: &[&str], #[case] expected: &[&str]) {
    let mut request = lines(fields);
    request.drift.missing = MissingColumn::Null;
    assert_eq!(decode(text.as_bytes(), request).unwrap().table(), [expected]);
}

#[rstest]
#[case(r#" {"a":[1,{"b":"\u00e4"}]} "#, None)]
#[case("{\n\t\"a\":\r\n1}\n", None)]
#[case("{}", None)]
#[case(r#"{"a":1"#, Some("malformed JSON"))]
#[case(r#"{"a":1}}"#, Some("malformed JSON"))]
#[case(r#"{"a":01}"#, Some("malformed JSON"))]
#[case("[1]", Some("an object is expected, not an array"))]
#[case("", Some("malformed JSON"))]
fn a_text_is_one_object(#[case] text: &str, #[case] problem: Option<&str>) {
    let found = crate::json_object_problem(text);
    assert_eq!(found.is_some(), problem.is_some(), "{found:?}");
    assert!(found.unwrap_or_default().contains(problem.unwrap_or_default()));
}

#[test]
fn a_column_with_a_dot_is_a_key() {
    let mut request = lines(&["a"]);
    request.fields[0].origin = FieldOrigin::Column("x.y".to_owned());
    assert_eq!(decode(br#"{"x":{"y":1},"x.y":2}"#, request).unwrap().table(), [["2"]]);
}

#[rstest]
#[case(JsonLayout::Array, None, "[]")]
#[case(JsonLayout::Array, None, " [ ] ")]
#[case(JsonLayout::Array, None, "")]
#[case(JsonLayout::Lines, None, "\n\n")]
#[case(JsonLayout::Document, Some("a"), "")]
#[case(JsonLayout::Document, Some("a"), r#"{"b":[1],"a":[],"c":{}}"#)]
fn objects_without_rows_have_none(
    #[case] layout: JsonLayout,
    #[case] path: Option<&str>,
    #[case] text: &str,
) {
    assert_eq!(decode(text.as_bytes(), json(layout, path, &["a"])).unwrap(), Outcome::default());
}

#[rstest]
#[case::top("x", r#"{"y":[{"a":9}],"x":[{"a":1},{"a":"]"}],"z":"]"}"#)]
#[case::deep("p.q", r#" { "p" : { "o":{}, "q" : [ {"a":1} , {"a":"]"} ] , "r":1 } , "s":[] } "#)]
#[case::index("1", r#"[{"page":1},[{"a":1},{"a":"]"}]]"#)]
#[case::escaped_key("x", r#"{"\u0078":[{"a":1},{"a":"]"}]}"#)]
fn arrays_are_found_inside_documents(#[case] path: &str, #[case] text: &str) {
    let outcome = decode(text.as_bytes(), json(JsonLayout::Document, Some(path), &["a"])).unwrap();
    assert_eq!(outcome.table(), [["1"], ["]"]]);
}

#[rstest]
#[case("{bad}", "malformed JSON: key must be a string at line 1 column 2")]
#[case("{\"a\":}", "malformed JSON: expected value at line 1 column 6")]
#[case("{\"a\":1} x", "malformed JSON: trailing characters at line 1 column 9")]
#[case("{\"a\":1", "malformed JSON: EOF while parsing an object at line 1 column 6")]
#[case("7", "an object is expected, not a number")]
#[case("\"x\"", "an object is expected, not a text")]
#[case("[1]", "an object is expected, not an array")]
#[case("nonsense", "malformed JSON: expected ident at line 1 column 2")]
fn bad_lines_do_not_harm_their_neighbours(#[case] bad: &str, #[case] reason: &str) {
    let text = format!("{{\"a\":1}}\n{bad}\n{{\"a\":3}}");
    let outcome = decode(text.as_bytes(), lines(&["a"])).unwrap();
    assert_eq!(outcome.table(), [["1"], ["3"]]);
    assert_eq!(outcome.rows[1].number, 2);
    assert_eq!(outcome.rejected, [(1, String::new(), reason.to_owned(), bad.to_owned())]);
}

#[rstest]
#[case("{bad}")]
#[case("tru")]
#[case("{\"a\":1,}")]
#[case("\"\\x\"")]
fn bad_elements_do_not_harm_their_neighbours(#[case] bad: &str) {
    let text = format!("[{{\"a\":1}}, {bad}\n, {{\"a\":3}}]");
    let outcome = decode(text.as_bytes(), array(&["a"])).unwrap();
    assert_eq!(outcome.table(), [["1"], ["3"]]);
    assert_eq!((outcome.rejected[0].0, outcome.rejected[0].3.as_str()), (1, bad));
}

#[test]
fn texts_that_are_none_put_their_row_aside() {
    let text = b"{\"a\":\"\xff\"}\n{\"a\":\"\\ud800\"}\n{\"a\":1}\n";
    let outcome = decode(text, lines(&["a"])).unwrap();
    assert_eq!(outcome.table(), [["1"]]);
    assert_eq!(outcome.rejected[0].2, "not valid UTF-8 at byte 6 of the row");
    assert_eq!(outcome.rejected[1].1, "a");
    assert!(
        outcome.rejected[1].2.starts_with("field `a` is no valid text"),
        "{}",
        outcome.rejected[1].2
    );
}

#[rstest]
#[case::cut_off(
    "[{\"a\":1},{\"a\"",
    "malformed json at row 1, byte 13: the text ends before its brackets are closed"
)]
#[case::cut_off_behind_an_element("[{\"a\":1}", "the text ends before its brackets are closed")]
#[case::cut_off_behind_a_comma("[{\"a\":1},", "the text ends before its brackets are closed")]
#[case::trailing("[] []", "at row 0, byte 3: something follows the end")]
#[case::comma("[{},]", "byte 4: a value is expected, not `]`")]
#[case::no_comma("[{} {}]", "byte 4: `,` or `]` is expected, not `{`")]
#[case::brackets("[{\"a\":[}]", "byte 7: `]` is expected, not `}`")]
#[case::object("{\"a\":1}", "an array is expected, not an object; `layout: lines` reads")]
#[case::words("a,b", "an array is expected, not something that is no JSON")]
#[case::arrow("ARROW1\0\0", "this is an Arrow IPC file; the source says json")]
fn broken_arrays_fail(#[case] text: &str, #[case] message: &str) {
    let error = decode(text.as_bytes(), array(&["a"])).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
}

#[rstest]
#[case::absent(
    "x",
    r#"{"y":1,"z":2}"#,
    "`x` of `format.json.path` is not there; there is `y`, `z`"
)]
#[case::empty("x", "{}", "there is nothing")]
#[case::no_array("x", r#"{"x":{}}"#, "at `x` stands an object; an array is expected there")]
#[case::no_object("x.y", r#"{"x":3}"#, "`y` of `format.json.path` is looked for in a number")]
#[case::cut_off("x", r#"{"x":[]"#, "the text ends before its brackets are closed")]
#[case::cut_off_early("x", r#"{"y":[1"#, "the text ends before its brackets are closed")]
#[case::broken_behind("x", r#"{"x":[],"y":[}}"#, "`]` is expected, not `}`")]
fn broken_documents_fail(#[case] path: &str, #[case] text: &str, #[case] message: &str) {
    let error =
        decode(text.as_bytes(), json(JsonLayout::Document, Some(path), &["a"])).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
}

#[rstest]
#[case(" [{\"a\":1}]", "set `format.json.layout: array`")]
#[case("{\n \"a\": 1\n}", "one document over several lines")]
fn lines_that_are_none_are_told(#[case] text: &str, #[case] message: &str) {
    let error = decode(text.as_bytes(), lines(&["a"])).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn drift_puts_single_rows_aside() {
    let text = b"{\"a\":1,\"b\":null}\n{\"a\":1}\n{\"a\":1,\"b\":2,\"c\":3}\n";
    let drift = Drift { missing: MissingColumn::Quarantine, unknown: UnknownColumn::Quarantine };
    let outcome = decode(text, Request { drift, ..lines(&["a", "b"]) }).unwrap();
    // A null is there; only an absent key is missing.
    assert_eq!(outcome.table(), [["1", "∅"]]);
    let reasons: Vec<_> =
        outcome.rejected.iter().map(|row| (row.0, row.1.as_str(), row.2.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (1, "b", "the row has no `b` (drift.missing: quarantine)"),
            (2, "", "key `c` is not in the source document (drift.unknown: quarantine)"),
        ]
    );
}

#[rstest]
#[case(Drift { missing: MissingColumn::Fail, ..Drift::default() }, "has no `b`, which column `b` reads at row 1")]
#[case(Drift { unknown: UnknownColumn::Fail, ..Drift::default() }, "has a column `c` that the source does not know at row 1")]
fn drift_can_fail_the_object(#[case] drift: Drift, #[case] message: &str) {
    let error =
        decode(b"{\"a\":1,\"b\":2}\n{\"a\":1,\"c\":2}\n", Request { drift, ..lines(&["a", "b"]) })
            .unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
}

#[rstest]
#[case(JsonLayout::Lines, "{\"a\":1}\n{\"a\":\"")]
#[case(JsonLayout::Array, "[{\"a\":1},{\"a\":\"")]
fn a_row_without_end_ends_in_bounded_memory(#[case] layout: JsonLayout, #[case] text: &str) {
    let mut text = text.as_bytes().to_vec();
    text.resize(1 << 20, b'x');
    let limits = Limits { max_row_bytes: 1_000, ..Limits::default() };
    let error = decode(&text, Request { limits, ..json(layout, None, &["a"]) }).unwrap_err();
    assert!(
        matches!(&error, DecodeError::RowTooLong { place, .. } if place.row == Some(1)),
        "{error}"
    );
}

#[test]
fn deep_nesting_is_no_danger() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let outcome = decode(deep.as_bytes(), lines(&["a", "a.0.0"])).unwrap();
    assert_eq!(outcome.rows.len() + outcome.rejected.len(), 1);
}

#[rstest]
#[case(JsonLayout::Lines, "", "\n", "")]
#[case(JsonLayout::Array, "[", ",", "]")]
fn the_window_grows_and_slides(
    #[case] layout: JsonLayout,
    #[case] before: &str,
    #[case] between: &str,
    #[case] behind: &str,
) {
    let lengths = [3, 300_000, 1, 700_000, 260_000, 5];
    let rows: Vec<_> =
        lengths.iter().map(|length| format!("{{\"a\":\"{}\"}}", "x".repeat(*length))).collect();
    let text = format!("{before}{}{behind}", rows.join(between));
    let outcome = decode_dripping(text.as_bytes(), 9_999, json(layout, None, &["a"])).unwrap();
    assert!(outcome.rows.iter().map(|row| &row.raw).eq(&rows));
    assert!(outcome.rows.iter().map(|row| row.values[0].as_ref().unwrap().len()).eq(lengths));
}

/// Rows of NULL alone would be all that is left of it.
#[test]
fn an_object_with_none_of_the_keys_is_another_object() {
    let error = decode(b"{\"ID\":1,\"Name\":2}\n{\"a\":1}\n{}\n", lines(&["id", "name"]));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("`ID`, `Name`") && error.contains("`id`, `name`"), "{error}");
    // One row that has one of them is enough.
    let outcome = decode(b"{\"x\":1}\n{\"id\":null}\n", lines(&["id", "name"])).unwrap();
    assert_eq!(outcome.rows.len(), 2);
}
