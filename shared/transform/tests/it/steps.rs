//! Every step, and what it does with NULL.

use rstest::rstest;
use transform::Mapper;

use crate::support::{apply, captures, document, mapper, text, values};

#[rstest]
#[case("Nullable(Int32)", "op: eq, value: 2", &["2"])]
#[case("Nullable(Int32)", "op: ne, value: '2'", &["1", "3"])]
#[case("Nullable(Int32)", "op: lt, value: 2", &["1"])]
#[case("Nullable(Int32)", "op: le, value: 2", &["1", "2"])]
#[case("Nullable(Int32)", "op: gt, value: 2", &["3"])]
#[case("Nullable(Int32)", "op: ge, value: 2", &["2", "3"])]
#[case("Nullable(Int32)", "op: in, value: [1, 3, 9]", &["1", "3"])]
#[case("Nullable(Int32)", "op: in, value: []", &[])]
#[case("Nullable(Int32)", "op: not_in, value: [1, 3]", &["2"])]
#[case("Nullable(Int32)", "op: not_in, value: []", &["1", "2", "3"])]
#[case("Nullable(Int32)", "op: is_null", &["NULL"])]
#[case("Nullable(Int32)", "op: not_null", &["1", "2", "3"])]
#[case("Nullable(Float64)", "op: ge, value: 2", &["2.0", "3.0"])]
#[case("Nullable(Decimal(9, 2))", "op: eq, value: 2.00", &["2.00"])]
#[case("Nullable(FixedString(1))", "op: eq, value: '2'", &["32"])]
#[case("Nullable(String)", "op: gt, value: '1'", &["2", "3"])]
#[case("Nullable(Enum8('1' = 1, '2' = 2, '3' = 3))", "op: eq, value: '2'", &["2"])]
fn filter_compares_by_type(
    #[case] column_type: &str,
    #[case] condition: &str,
    #[case] expected: &[&str],
) {
    let document = document(
        &format!("  - {{name: a, type: \"{column_type}\"}}"),
        &format!("transform: [{{filter: {{column: a, {condition}}}}}]"),
    );
    let mapped = apply(&document, vec![text(&[Some("1"), None, Some("2"), Some("3")])]);
    assert_eq!(values(mapped.batch.column(0)), expected);
    assert_eq!(mapped.filtered, 4 - u64::try_from(expected.len()).unwrap());
}

#[rstest]
#[case("Float64", "op: eq, value: 0", &["0.0", "-0.0"])]
#[case("Float64", "op: gt, value: -1", &["0.0", "-0.0"])]
#[case("Float64", "op: ne, value: 0", &["NaN"])]
fn floats_compare_by_ieee(
    #[case] column_type: &str,
    #[case] condition: &str,
    #[case] expected: &[&str],
) {
    let document = document(
        &format!("  - {{name: a, type: \"{column_type}\"}}"),
        &format!("transform: [{{filter: {{column: a, {condition}}}}}]"),
    );
    let mapped = apply(&document, vec![text(&[Some("0"), Some("-0"), Some("nan")])]);
    assert_eq!(values(mapped.batch.column(0)), expected);
}

#[rstest]
#[case(
    "DateTime('Europe/Berlin')",
    "2026-01-31T12:00:00Z",
    "op: ge, value: '2026-01-31T13:00:00+01:00'",
    1
)]
#[case("Date", "2026-01-31", "op: lt, value: '2026-01-31'", 0)]
#[case("Bool", "true", "op: eq, value: true", 1)]
#[case(
    "UUID",
    "00112233-4455-6677-8899-aabbccddeeff",
    "op: in, value: [00112233445566778899aabbccddeeff]",
    1
)]
#[case("LowCardinality(String)", "a", "op: ne, value: a", 0)]
fn filter_reads_values_by_type(
    #[case] column_type: &str,
    #[case] value: &str,
    #[case] condition: &str,
    #[case] expected: usize,
) {
    let document = document(
        &format!("  - {{name: a, type: \"{column_type}\"}}"),
        &format!("transform: [{{filter: {{column: a, {condition}}}}}]"),
    );
    assert_eq!(apply(&document, vec![text(&[Some(value)])]).batch.num_rows(), expected);
}

#[rstest]
#[case(
    "Int8",
    "op: eq, value: x",
    "transform[0]: the value does not fit column `a`: `x` is no Int8"
)]
#[case("Int8", "op: in, value: [1, null]", "NULL compares with nothing")]
#[case("Enum8('a' = 1)", "op: lt, value: a", "have no order here")]
fn filters_are_checked_when_planned(
    #[case] column_type: &str,
    #[case] condition: &str,
    #[case] message: &str,
) {
    let document = document(
        &format!("  - {{name: a, type: \"{column_type}\"}}"),
        &format!("transform: [{{filter: {{column: a, {condition}}}}}]"),
    );
    let error = Mapper::new(&document, &captures("d", "n")).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn explode_makes_a_row_of_each_element() {
    let document = document(
        "  - {name: id, type: Int8}\n  - {name: tags, type: Array(String)}",
        "transform: [{explode: {column: tags, position: at}}]",
    );
    let ids = text(&[Some("1"), Some("2"), Some("x"), Some("4")]);
    let tags = text(&[Some("[\"a\",\"b\"]"), Some("[]"), Some("[\"c\"]"), Some("[\"d\"]")]);
    let mapped = apply(&document, vec![ids, tags]);
    assert_eq!(values(mapped.batch.column(0)), ["1", "1", "4"]);
    assert_eq!(values(mapped.batch.column(1)), ["a", "b", "d"]);
    assert_eq!(values(mapped.batch.column(2)), ["0", "1", "0"]);
    assert_eq!(mapped.source_rows, [100, 100, 103]);
    assert_eq!((mapped.written, mapped.filtered, mapped.rejected.len()), (2, 1, 1));
}

#[test]
fn a_row_of_which_one_element_stays_is_written() {
    let document = document(
        "  - {name: tags, type: Array(Int8)}",
        "transform: [{explode: {column: tags}}, {filter: {column: tags, op: gt, value: 2}}]",
    );
    let mapped = apply(&document, vec![text(&[Some("[1,2,3]"), Some("[1]"), Some("[4,5]")])]);
    assert_eq!(mapped.source_rows, [100, 102, 102]);
    assert_eq!((mapped.written, mapped.filtered), (2, 1));
}

#[test]
fn exploded_tuples_flatten() {
    let document = document(
        "  - {name: items, type: 'Array(Tuple(sku String, n UInt8))'}",
        "transform: [{explode: {column: items}}, {flatten: {column: items, prefix: item_}}, {drop: [item_n]}]",
    );
    let mapped = apply(&document, vec![text(&[Some(r#"[{"sku":"a","n":1},{"sku":"b","n":2}]"#)])]);
    assert_eq!(mapped.batch.schema().field(0).name(), "item_sku");
    assert_eq!(values(mapped.batch.column(0)), ["a", "b"]);
    assert_eq!(mapped.batch.num_columns(), 1);
}

#[test]
fn texts_are_hashed_masked_trimmed_and_mapped() {
    let document = document(
        "  - {name: h, type: Nullable(String)}\n  - {name: m, type: Nullable(String)}\n  \
         - {name: t, type: Nullable(String)}\n  - {name: v, type: 'LowCardinality(Nullable(String))'}\n  \
         - {name: w, type: Nullable(String)}",
        "transform: [{hash: {columns: [h], salt: s}}, {mask: {columns: [m], keep_first: 1, keep_last: 2}}, \
         {trim: [t]}, {map: {column: v, values: {a: x}}}, {map: {column: w, values: {a: x}, other: rest}}]",
    );
    let column = || text(&[Some("a"), Some("  größe "), None]);
    let mapped = apply(&document, vec![column(), column(), column(), column(), column()]);
    let hash = values(mapped.batch.column(0));
    // SHA-256 of "sa".
    assert_eq!(hash[0], "4cf6829aa93728e8f3c97df913fb1bfa95fe5810e2933a05943f8312a98d9cf2");
    assert_eq!(hash[2], "NULL");
    assert_eq!(values(mapped.batch.column(1)), ["*", " *****e ", "NULL"]);
    assert_eq!(values(mapped.batch.column(2)), ["a", "größe", "NULL"]);
    assert_eq!(values(mapped.batch.column(3)), ["x", "  größe ", "NULL"]);
    assert_eq!(values(mapped.batch.column(4)), ["x", "rest", "NULL"]);
}

#[test]
fn the_schema_is_that_of_the_document() {
    let document = document(
        "  - {name: a, type: 'Tuple(x Nullable(Int8), y Array(String))'}\n  - {name: b, type: 'LowCardinality(String)'}",
        "transform: [{flatten: {column: a}}, {explode: {column: a_y, position: n}}, {drop: [b]}]",
    );
    let expected: Vec<_> = document
        .output_columns()
        .iter()
        .map(|column| transform::arrow_field(&column.name, &column.column_type))
        .collect();
    let schema = mapper(&document).schema();
    let found: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    assert_eq!(found, expected);
}
