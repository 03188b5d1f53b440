//! JSON texts into arrays, tuples and maps.

use rstest::rstest;

use crate::support::{assert_one, one, text};

#[rstest]
#[case("Array(Int32)", "[1, 2]", Ok("[1, 2]"))]
#[case("Array(Int32)", "[]", Ok("[]"))]
#[case("Array(Int32)", "[1, \"x\"]", Err("element 1: `x` is no Int32"))]
#[case(
    "Array(Int32)",
    "[1, null]",
    Err("element 1: NULL, and Int32 takes none; write Nullable(Int32)")
)]
#[case("Array(Int32)", "[1", Err("`[1` is no Array(Int32); a list, or"))]
#[case("Array(Int32)", "{\"a\": 1}", Err("is no Array(Int32)"))]
#[case("Array(Int32)", "1", Err("is no Array(Int32)"))]
#[case("Array(Nullable(Int32))", "[1, null]", Ok("[1, ]"))]
#[case("Array(String)", r#"["a\"b", "\u00e4", {"k": [1]}]"#, Ok(r#"[a"b, ä, {"k": [1]}]"#))]
#[case("Array(String)", r#"["\ud800"]"#, Err("is no Array(String)"))]
#[case("Array(Array(UInt8))", "[[1], [], [2, 3]]", Ok("[[1], [], [2, 3]]"))]
#[case(
    "Array(Array(UInt8))",
    "[[1], [2, 300]]",
    Err("element 1: element 1: `300` is outside of UInt8")
)]
#[case("Array(Array(UInt8))", "[[1], null]", Err("element 1: NULL, and Array(UInt8) takes none"))]
#[case("Tuple(a Int32, b String)", r#"{"b": "x", "a": 1, "c": 2}"#, Ok("{a: 1, b: x}"))]
#[case("Tuple(a Int32, b String)", r#"[1, "x"]"#, Ok("{a: 1, b: x}"))]
#[case("Tuple(a Int32, b String)", "[1]", Err("is no Tuple"))]
#[case("Tuple(a Int32, b String)", r#"{"a": 1}"#, Err("field `b`: NULL, and String takes none"))]
#[case("Tuple(a Int32, b Nullable(String))", r#"{"a": 1}"#, Ok("{a: 1, b: }"))]
#[case("Tuple(a Int32)", r#"{"a": 1, "a": 2}"#, Err("is no Tuple"))]
#[case("Tuple(Int32, Float64)", "[1, 2.5]", Ok("{1: 1, 2: 2.5}"))]
#[case("Tuple(Int32, Float64)", r#"{"1": 1, "2": 2}"#, Err("is no Tuple"))]
#[case(
    "Array(Tuple(a Int32, b Array(Date)))",
    r#"[{"a": 1, "b": ["2026-01-31"]}]"#,
    Ok("[{a: 1, b: [2026-01-31]}]")
)]
#[case(
    "Array(Tuple(a Int32, b Array(Date)))",
    r#"[{"a": 1, "b": ["x"]}]"#,
    Err("element 0: field `b`: element 0: `x` is no Date")
)]
#[case("Map(String, Int32)", r#"{"a": 1, "b": 2}"#, Ok("{a: 1, b: 2}"))]
#[case("Map(String, Int32)", "{}", Ok("{}"))]
#[case("Map(String, Int32)", r#"{"a": "x"}"#, Err("value of `a`: `x` is no Int32"))]
#[case("Map(UInt8, String)", r#"{"7": "x", "300": "y"}"#, Err("key 1: `300` is outside of UInt8"))]
#[case("Map(String, Nullable(Int32))", r#"{"a": null}"#, Ok("{a: }"))]
#[case("Map(String, Int32)", "[1]", Err("is no Map(String, Int32); a JSON object is"))]
fn json(#[case] column_type: &str, #[case] value: &str, #[case] expected: Result<&str, &str>) {
    assert_one(one(column_type, "", text(&[Some(value)])), expected);
}

#[test]
fn good_rows_beside_bad_ones_keep_their_parts() {
    use crate::support::{apply, document, values};
    let document = document("  - {name: a, type: 'Array(Tuple(x Int8, y Array(Int8)))'}", "");
    let rows = [
        Some(r#"[{"x": 1, "y": [1, 2]}]"#),
        Some(r#"[{"x": 1, "y": [1, 200]}, {"x": 999, "y": []}]"#),
        None,
        Some("nonsense"),
        Some(r#"[{"x": 2, "y": []}, {"x": 3, "y": [4]}]"#),
    ];
    let mapped = apply(&document, vec![text(&rows)]);
    assert_eq!(
        values(mapped.batch.column(0)),
        ["[{x: 1, y: [1, 2]}]", "[{x: 2, y: []}, {x: 3, y: [4]}]"]
    );
    assert_eq!(mapped.source_rows, [100, 104]);
    let rejected: Vec<_> = mapped.rejected.iter().map(|row| row.row).collect();
    assert_eq!(rejected, [101, 102, 103]);
}
