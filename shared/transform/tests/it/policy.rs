//! `required`, `default`, `on_error`, captures and constants.

use arrow::array::ArrayRef;
use model::document::FromSpec;
use model::{Captures, Disposed, Disposition};
use rstest::rstest;
use transform::{MapError, Mapper};

use crate::support::{apply, captures, document, mapper, text, try_apply, values};

const ROWS: [Option<&str>; 3] = [Some("1"), None, Some("x")];

#[rstest]
#[case("Int8", "", &["1"], &["NULL in a column that takes none", "`x` is no Int8"])]
#[case("Nullable(Int8)", "", &["1", "NULL"], &["`x` is no Int8"])]
#[case("Nullable(Int8)", ", on_error: 'null'", &["1", "NULL", "NULL"], &[])]
#[case("Int8", ", default: 7", &["1", "7"], &["`x` is no Int8"])]
#[case("Int8", ", default: 7, on_error: default", &["1", "7", "7"], &[])]
#[case("Nullable(Int8)", ", default: '7', on_error: 'null'", &["1", "7", "NULL"], &[])]
#[case("Nullable(Int8)", ", required: true", &["1"], &["`required`", "`x` is no Int8"])]
fn every_row_is_decided(
    #[case] column_type: &str,
    #[case] more: &str,
    #[case] expected: &[&str],
    #[case] reasons: &[&str],
) {
    let mapped = apply(
        &document(&format!("  - {{name: c, type: {column_type}{more}}}"), ""),
        vec![text(&ROWS)],
    );
    assert_eq!(values(mapped.batch.column(0)), expected);
    let found: Vec<_> = mapped.rejected.iter().map(|row| row.reason.as_str()).collect();
    assert_eq!(found.len(), reasons.len(), "{found:?}");
    for (found, part) in found.iter().zip(reasons) {
        assert!(found.contains(part), "{found}");
    }
}

#[rstest]
#[case("Array(Int8)", "[1]", "[]", "[1]", "[]")]
#[case("FixedString(2)", "ab", "zz", "6162", "7a7a")]
#[case("Tuple(a Int8)", "[1]", "[9]", "{a: 1}", "{a: 9}")]
#[case("Map(String, Int8)", "{}", "{\"a\":1}", "{}", "{a: 1}")]
#[case("DateTime", "2026-01-31", "1970-01-01", "2026-01-31T00:00:00Z", "1970-01-01T00:00:00Z")]
#[case("String", "a", "b", "a", "b")]
#[case("Bool", "t", "false", "true", "false")]
#[case("Decimal(9, 2)", "1", "0.5", "1.00", "0.50")]
fn defaults_of_every_kind(
    #[case] column_type: &str,
    #[case] value: &str,
    #[case] default: &str,
    #[case] first: &str,
    #[case] second: &str,
) {
    let document =
        document(&format!("  - {{name: c, type: '{column_type}', default: '{default}'}}"), "");
    let mapped = apply(&document, vec![text(&[Some(value), None])]);
    assert_eq!(values(mapped.batch.column(0)), [first, second]);
}

#[test]
fn fail_names_the_first_bad_row_of_the_object() {
    let columns = "  - {name: a, type: Int8}\n  - {name: b, type: UInt8, on_error: fail}";
    let error = try_apply(
        &document(columns, ""),
        vec![text(&ROWS), text(&[Some("1"), Some("-1"), Some("y")])],
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 101, column `b` (UInt8): `-1` is outside of UInt8 (0 to 255); the column says `on_error: fail`, so the object fails"
    );
    assert_eq!(error.disposition(), Disposition::Quarantine);
}

#[test]
fn a_row_is_rejected_once_and_names_all_its_columns() {
    let columns = "  - {name: a, type: Int8}\n  - {name: b, type: UInt8}";
    let mapped = apply(
        &document(columns, ""),
        vec![text(&[Some("x"), Some("1")]), text(&[None, Some("2")])],
    );
    assert_eq!(mapped.rejected.len(), 1);
    let bad = &mapped.rejected[0];
    assert_eq!((bad.row, bad.column.as_str(), bad.column_type.as_str()), (100, "a", "Int8"));
    assert!(
        bad.reason.starts_with("`x` is no Int8; and column `b`: NULL in a column"),
        "{}",
        bad.reason
    );
    assert_eq!(mapped.source_rows, [101]);
}

#[test]
fn captures_and_constants_fill_every_row() {
    let columns = "  - {name: day, type: Date, from: {capture: day}}\n  - {name: n, type: Int8}\n  \
                   - {name: k, type: 'LowCardinality(String)', from: {constant: web}}\n  \
                   - {name: z, type: 'Nullable(Int8)', from: {constant: null}}";
    let mapped = apply(&document(columns, ""), vec![text(&[Some("1"), Some("x"), Some("3")])]);
    assert_eq!(values(mapped.batch.column(0)), ["2026-01-31", "2026-01-31"]);
    assert_eq!(values(mapped.batch.column(1)), ["1", "3"]);
    assert_eq!(values(mapped.batch.column(2)), ["web", "web"]);
    assert_eq!(values(mapped.batch.column(3)), ["NULL", "NULL"]);
}

#[test]
fn a_bad_capture_is_an_error_of_the_object() {
    let strict = document(
        "  - {name: day, type: Date, from: {capture: day}}\n  - {name: a, type: Int8}",
        "",
    );
    let error = Mapper::new(&strict, &captures("today", "n")).unwrap_err();
    assert!(error.to_string().starts_with(
        "capture `day` of the object's key does not fit column `day`: `today` is no Date"
    ));
    assert_eq!(error.disposition(), Disposition::Quarantine);
    assert!(matches!(Mapper::new(&strict, &Captures::new()), Err(MapError::Capture { .. })));

    let mild = document(
        "  - {name: day, type: Nullable(Date), from: {capture: day}, on_error: 'null'}\n  - {name: a, type: Int8}",
        "",
    );
    assert!(Mapper::new(&mild, &captures("today", "n")).is_ok());
}

#[rstest]
#[case("{name: a, type: Int8, default: 300}", "columns[0].default: `300` is outside of Int8")]
#[case("{name: a, type: Int8, from: {constant: x}}", "columns[0].from.constant: `x` is no Int8")]
#[case(
    "{name: a, type: Int8, from: {constant: null}}",
    "columns[0].from.constant: NULL does not go into Int8"
)]
#[case(
    "{name: a, type: Date, timestamp: {formats: ['%!']}}",
    "columns[0]: timestamp.formats: `%!` is no strftime format"
)]
#[case("{name: a, type: Date, timestamp: {formats: ['iso']}}", "reads nothing")]
#[case(
    "{name: a, type: DateTime, timestamp: {formats: ['%c %Z']}}",
    "names of zones (%Z) cannot be read"
)]
#[case("{name: a, type: Date, timestamp: {zone: Berlin}}", "`Berlin` is no zone")]
fn documents_are_checked_before_the_first_row(#[case] column: &str, #[case] message: &str) {
    let error =
        Mapper::new(&document(&format!("  - {column}"), ""), &captures("d", "n")).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
    assert_eq!(error.disposition(), Disposition::Fatal);
}

#[test]
fn fields_say_what_must_be_decoded() {
    let columns = "  - {name: day, type: Date, from: {capture: day}}\n  - {name: a, type: String, from: x.y}\n  \
                   - {name: b, type: Nullable(String)}\n  - {name: c, type: String, required: true}\n  \
                   - {name: d, type: String, default: none}\n  - {name: e, type: Int8, from: {column: E e}}";
    let mapper = mapper(&document(columns, ""));
    let found: Vec<_> = mapper
        .fields()
        .iter()
        .map(|f| (f.column.as_str(), f.origin.clone(), f.empty_is_text))
        .collect();
    assert_eq!(
        found,
        [
            ("a", FromSpec::Path("x.y".into()), true),
            ("b", FromSpec::Column("b".into()), false),
            ("c", FromSpec::Column("c".into()), false),
            ("d", FromSpec::Column("d".into()), false),
            ("e", FromSpec::Column("E e".into()), false),
        ]
    );
}

#[test]
fn a_batch_of_another_shape_is_refused() {
    let document = document("  - {name: a, type: Int8}", "");
    let two: Vec<ArrayRef> = vec![text(&[None]), text(&[None])];
    assert!(matches!(
        try_apply(&document, two),
        Err(MapError::Batch { found: 2, expected: 1, .. })
    ));
}
