//! Arrow's own types, as Parquet and Arrow files deliver them.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type, TimeUnit, i256};
use model::ColumnType;
use native::BlockEncoder;
use rstest::rstest;

use crate::support::{apply, assert_one, document, one, text, values};

fn decimal(value: i128, precision: u8, scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap())
}

fn wide_decimal(digits: &str, precision: u8, scale: i8) -> ArrayRef {
    let array = Decimal256Array::from(vec![i256::from_string(digits).unwrap()]);
    Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
}

fn timestamp(unit: TimeUnit, zone: Option<&str>, value: i64) -> ArrayRef {
    let ticks: ArrayRef = Arc::new(Int64Array::from(vec![value]));
    cast(&ticks, &DataType::Timestamp(unit, zone.map(Into::into))).unwrap()
}

#[rstest]
#[case("Int8", Arc::new(Int64Array::from(vec![-128])), Ok("-128"))]
#[case("Int8", Arc::new(Int64Array::from(vec![128])), Err("`128` is outside of Int8"))]
#[case("UInt64", Arc::new(Int8Array::from(vec![-1])), Err("outside of UInt64"))]
#[case("UInt64", Arc::new(UInt64Array::from(vec![u64::MAX])), Ok("18446744073709551615"))]
#[case("Int64", Arc::new(UInt64Array::from(vec![u64::MAX])), Err("outside of Int64"))]
#[case("Int32", Arc::new(Float64Array::from(vec![3.0])), Ok("3"))]
#[case("Int32", Arc::new(Float64Array::from(vec![3.5])), Err("`3.5` is no whole number"))]
#[case("Int32", Arc::new(Float64Array::from(vec![f64::NAN])), Err("`NaN` is outside of Int32"))]
#[case("Int32", Arc::new(Float32Array::from(vec![1e10])), Err("outside of Int32"))]
#[case("Int64", Arc::new(Float64Array::from(vec![9.3e18])), Err("outside of Int64"))]
#[case("Int64", Arc::new(Float64Array::from(vec![9.223_372_036_854_776e18])), Err("outside of Int64"))]
#[case("Int8", Arc::new(BooleanArray::from(vec![true])), Ok("1"))]
#[case("Bool", Arc::new(BooleanArray::from(vec![true])), Ok("true"))]
#[case("Bool", Arc::new(Int32Array::from(vec![1])), Ok("true"))]
#[case("Bool", Arc::new(Int32Array::from(vec![2])), Err("`2` is no Bool"))]
#[case("Float32", Arc::new(Float64Array::from(vec![0.1])), Ok("0.1"))]
#[case("Float32", Arc::new(Float64Array::from(vec![1e300])), Err("outside of Float32"))]
#[case("Float32", Arc::new(Float64Array::from(vec![f64::INFINITY])), Ok("inf"))]
#[case("Float64", Arc::new(Int64Array::from(vec![7])), Ok("7.0"))]
#[case("Float64", decimal(12345, 10, 2), Ok("123.45"))]
#[case("Decimal(10, 2)", decimal(12345, 10, 2), Ok("123.45"))]
#[case("Decimal(10, 1)", decimal(12350, 10, 2), Ok("123.5"))]
#[case("Decimal(10, 1)", decimal(12345, 10, 2), Err("`123.45` has more fraction digits"))]
#[case("Decimal(3, 2)", decimal(12345, 10, 2), Err("outside of Decimal(3, 2)"))]
#[case("Decimal(10, 4)", decimal(12345, 10, 2), Ok("123.4500"))]
#[case("Decimal(6, 4)", decimal(12345, 10, 2), Err("outside of Decimal(6, 4)"))]
// A file may hold more digits than it states.
#[case(
    "Decimal(4, 2)",
    decimal(2_000_000_000, 4, 2),
    Err("`20000000.00` is outside of Decimal(4, 2)")
)]
#[case("Decimal(9, 2)", decimal(-(10_i128.pow(20)), 9, 2), Err("outside of Decimal(9, 2)"))]
#[case("Decimal(9, 2)", decimal(-999_999_999, 9, 2), Ok("-9999999.99"))]
#[case("Decimal(9, 4)", decimal(2_000_000_000, 4, 2), Err("outside of Decimal(9, 4)"))]
#[case("Decimal(38, 20)", decimal(i128::MAX, 4, 2), Err("outside of Decimal(38, 20)"))]
#[case("Decimal(9, 2)", decimal(i128::MIN, 4, 2), Err("outside of Decimal(9, 2)"))]
#[case("Decimal(12, 4)", decimal(2_000_000_000, 4, 2), Ok("20000000.0000"))]
#[case("Decimal(10, 2)", decimal(2_000_000_000, 4, 2), Ok("20000000.00"))]
#[case("Decimal(10, 1)", decimal(2_000_000_000, 4, 2), Ok("20000000.0"))]
#[case("Decimal(10, 1)", decimal(2_000_000_001, 4, 2), Err("more fraction digits"))]
#[case(
    "Decimal(40, 2)",
    wide_decimal("9999999999999999999999999999999999999999", 40, 2),
    Ok("99999999999999999999999999999999999999.99")
)]
#[case(
    "Decimal(40, 2)",
    wide_decimal("10000000000000000000000000000000000000000", 40, 2),
    Err("outside of Decimal(40, 2)")
)]
#[case(
    "Decimal(40, 2)",
    wide_decimal("-10000000000000000000000000000000000000000", 40, 2),
    Err("outside of Decimal(40, 2)")
)]
#[case("Decimal(5, 2)", Arc::new(Int64Array::from(vec![999])), Ok("999.00"))]
#[case("Decimal(5, 2)", Arc::new(Int64Array::from(vec![1000])), Err("outside of Decimal(5, 2)"))]
#[case("Decimal(10, 2)", Arc::new(Float64Array::from(vec![19.99])), Ok("19.99"))]
#[case("Decimal(10, 2)", Arc::new(Float64Array::from(vec![0.125])), Err("more fraction digits"))]
#[case("Int32", decimal(300, 10, 2), Ok("3"))]
#[case("Int32", decimal(350, 10, 2), Err("`3.50` is no whole number"))]
#[case("String", Arc::new(Int32Array::from(vec![7])), Ok("7"))]
#[case("String", Arc::new(LargeStringArray::from(vec!["x"])), Ok("x"))]
#[case("String", Arc::new(StringViewArray::from(vec!["x"])), Ok("x"))]
#[case("String", Arc::new(BinaryArray::from(vec![&b"x"[..]])), Ok("78"))]
#[case("String", Arc::new(BinaryArray::from(vec![&b"\xff"[..]])), Ok("ff"))]
#[case("LowCardinality(String)", Arc::new(BinaryArray::from(vec![&b"\xff"[..]])), Ok("ff"))]
#[case("String", Arc::new(Date32Array::from(vec![0])), Ok("1970-01-01"))]
#[case("Int32", Arc::new(Date32Array::from(vec![0])), Err("`1970-01-01` is no Int32"))]
#[case("FixedString(3)", Arc::new(BinaryArray::from(vec![&b"\xff"[..]])), Ok("ff0000"))]
#[case("UUID", Arc::new(FixedSizeBinaryArray::try_from_iter([[7_u8; 16]].into_iter()).unwrap()), Ok("07070707070707070707070707070707"))]
#[case("Enum8('a' = 1)", Arc::new(Int32Array::from(vec![1])), Ok("1"))]
#[case("Enum16('a' = -300, 'b' = 1, 'c' = 300)", Arc::new(Int16Array::from(vec![300])), Ok("300"))]
#[case("Enum16('a' = -300, 'b' = 1, 'c' = 300)", Arc::new(Int16Array::from(vec![-300])), Ok("-300"))]
#[case("Enum16('a' = -300, 'b' = 1, 'c' = 300)", Arc::new(Int16Array::from(vec![0])), Err("`0` is none of the names"))]
#[case("Enum16('a' = -300, 'b' = 1, 'c' = 300)", Arc::new(Int64Array::from(vec![0])), Err("`0` is none of the names"))]
#[case("Enum8('a' = 1, 'b' = 2)", Arc::new(Int8Array::from(vec![2])), Ok("2"))]
#[case("Enum8('a' = 1, 'b' = 2)", Arc::new(Int8Array::from(vec![3])), Err("`3` is none of the names"))]
#[case("Enum8('a' = 1, 'b' = 2)", Arc::new(Int8Array::from(vec![-128])), Err("none of the names"))]
#[case("IPv4", Arc::new(UInt32Array::from(vec![1])), Ok("1"))]
#[case("IPv4", Arc::new(Int64Array::from(vec![-1])), Err("outside of IPv4"))]
fn scalars(
    #[case] column_type: &str,
    #[case] array: ArrayRef,
    #[case] expected: Result<&str, &str>,
) {
    assert_one(one(column_type, "", array), expected);
}

#[rstest]
#[case("Date", Arc::new(Date32Array::from(vec![0])), Ok("1970-01-01"))]
#[case("Date", Arc::new(Date32Array::from(vec![-1])), Err("`1969-12-31` is outside of Date"))]
#[case("Date", Arc::new(Date64Array::from(vec![86_400_000])), Ok("1970-01-02"))]
#[case("Date", timestamp(TimeUnit::Microsecond, None, 86_400_000_000), Ok("1970-01-02"))]
#[case("Date", timestamp(TimeUnit::Microsecond, None, 86_400_000_001), Err("time of day"))]
#[case("Date", timestamp(TimeUnit::Second, Some("Europe/Berlin"), 86_400 - 3_600), Ok("1970-01-02"))]
#[case("Date32", Arc::new(Date32Array::from(vec![200_000])), Err("outside of Date32"))]
#[case("DateTime", Arc::new(Date32Array::from(vec![1])), Ok("1970-01-02T00:00:00Z"))]
#[case("DateTime", Arc::new(Date32Array::from(vec![-1])), Err("outside of DateTime"))]
#[case("DateTime", timestamp(TimeUnit::Second, None, 1), Ok("1970-01-01T00:00:01Z"))]
#[case("DateTime", timestamp(TimeUnit::Second, None, -1), Err("outside of DateTime"))]
#[case(
    "DateTime",
    timestamp(TimeUnit::Nanosecond, Some("UTC"), 1_999_999_999),
    Ok("1970-01-01T00:00:01Z")
)]
#[case("DateTime64(3)", timestamp(TimeUnit::Microsecond, Some("+02:00"), -1), Ok("1969-12-31T23:59:59.999Z"))]
#[case(
    "DateTime64(6)",
    timestamp(TimeUnit::Microsecond, Some("America/New_York"), 1),
    Ok("1970-01-01T00:00:00.000001Z")
)]
#[case(
    "DateTime64(5)",
    timestamp(TimeUnit::Microsecond, None, 19),
    Ok("1970-01-01T00:00:00.000010Z")
)]
#[case(
    "DateTime64(9)",
    timestamp(TimeUnit::Millisecond, None, 9_300_000_000_000),
    Err("outside of DateTime64(9)")
)]
#[case(
    "DateTime64(3)",
    timestamp(TimeUnit::Millisecond, None, i64::MAX),
    Err("outside of DateTime64(3)")
)]
#[case("DateTime", Arc::new(Int64Array::from(vec![1])), Err("is no DateTime"))]
#[case("DateTime", Arc::new(Int64Array::from(vec![1_700_000_000])), Err("formats: [unix]"))]
fn times(#[case] column_type: &str, #[case] array: ArrayRef, #[case] expected: Result<&str, &str>) {
    assert_one(one(column_type, "", array), expected);
}

#[rstest]
#[case("DateTime", "formats: [unix]", Arc::new(Int64Array::from(vec![1])), Ok("1970-01-01T00:00:01Z"))]
#[case("DateTime", "formats: [unix_ms]", Arc::new(Int64Array::from(vec![1_999])), Ok("1970-01-01T00:00:01Z"))]
#[case("DateTime", "formats: [unix]", Arc::new(UInt64Array::from(vec![u64::MAX])), Err("outside of DateTime"))]
#[case("DateTime64(3)", "formats: [unix]", Arc::new(Float64Array::from(vec![1.5])), Ok("1970-01-01T00:00:01.500Z"))]
#[case("Date", "formats: ['%Y%m%d']", Arc::new(Int32Array::from(vec![20260131])), Ok("2026-01-31"))]
#[case(
    "DateTime",
    "zone: Europe/Berlin",
    timestamp(TimeUnit::Second, None, 3_600),
    Ok("1970-01-01T00:00:00Z")
)]
#[case(
    "DateTime",
    "zone: Europe/Berlin",
    timestamp(TimeUnit::Second, Some("UTC"), 3_600),
    Ok("1970-01-01T01:00:00Z")
)]
fn times_by_rule(
    #[case] column_type: &str,
    #[case] rule: &str,
    #[case] array: ArrayRef,
    #[case] expected: Result<&str, &str>,
) {
    assert_one(one(column_type, &format!(", timestamp: {{{rule}}}"), array), expected);
}

#[test]
fn the_same_type_is_not_copied() {
    let source: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let ticks = timestamp(TimeUnit::Microsecond, None, 5);
    let ticks = arrow::compute::concat(&[&ticks, &ticks]).unwrap();
    let columns = "  - {name: a, type: Int64}\n  - {name: b, type: DateTime64(6)}";
    let mapped = apply(&document(columns, ""), vec![Arc::clone(&source), Arc::clone(&ticks)]);
    assert_eq!(
        mapped.batch.column(0).to_data().buffers()[0].as_ptr(),
        source.to_data().buffers()[0].as_ptr()
    );
    assert_eq!(
        mapped.batch.column(1).to_data().buffers()[0].as_ptr(),
        ticks.to_data().buffers()[0].as_ptr()
    );
}

#[test]
fn dictionaries_stay_where_the_column_is_one() {
    let array: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("a")].into_iter().collect();
    for (column_type, stays) in
        [("LowCardinality(Nullable(String))", true), ("Nullable(String)", false)]
    {
        let mapped = apply(
            &document(&format!("  - {{name: a, type: '{column_type}'}}"), ""),
            vec![Arc::new(array.clone())],
        );
        let column = mapped.batch.column(0);
        assert_eq!(values(column), ["a", "NULL", "a"]);
        assert_eq!(column.as_any_dictionary_opt().is_some(), stays);
    }
}

#[test]
fn a_column_of_nothing_is_null() {
    let mapped = apply(
        &document(
            "  - {name: a, type: 'Nullable(Int8)'}\n  - {name: b, type: 'Tuple(x Int8)'}\n  - {name: c, type: 'Nullable(UUID)'}",
            "",
        ),
        vec![
            Arc::new(NullArray::new(2)),
            text(&[Some("{\"x\":1}"), None]),
            Arc::new(NullArray::new(2)),
        ],
    );
    assert_eq!(values(mapped.batch.column(0)), ["NULL"]);
    assert_eq!(mapped.rejected[0].column, "b");
}

#[test]
fn structs_and_lists_become_json_text() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
    let fields = vec![
        (Arc::new(Field::new("a\"", DataType::Utf8, true)), text(&[Some("x\ny"), None])),
        (Arc::new(Field::new("l", list.data_type().clone(), true)), Arc::new(list) as ArrayRef),
        (
            Arc::new(Field::new("f", DataType::Float64, true)),
            Arc::new(Float64Array::from(vec![f64::NAN, 1.5])) as ArrayRef,
        ),
    ];
    let array: ArrayRef = Arc::new(StructArray::from(fields));
    let mapped = apply(&document("  - {name: a, type: String}", ""), vec![array]);
    assert_eq!(
        values(mapped.batch.column(0)),
        [r#"{"a\"":"x\ny","l":[1,null],"f":"NaN"}"#, r#"{"a\"":null,"l":null,"f":1.5}"#]
    );
}

/// One decimal in an object.
fn object_of(value: ArrayRef) -> ArrayRef {
    let field = Field::new("d", value.data_type().clone(), true);
    Arc::new(StructArray::from(vec![(Arc::new(field), value)]))
}

/// The server makes floats of the decimals of a JSON column.
#[rstest]
#[case(
    decimal(12_345_678_901_234_567_890_123_456_789, 38, 10),
    Err("`1234567890123456789.0123456789` is a decimal")
)]
#[case(decimal(900_719_925_474_099_300, 38, 2), Err("a JSON column makes floats of decimals"))]
#[case(decimal(900_719_925_474_099_200, 38, 2), Ok(r#"{"d":9007199254740992.00}"#))]
#[case(decimal(10_i128.pow(32), 38, 2), Ok(r#"{"d":1000000000000000000000000000000.00}"#))]
#[case(decimal(-10, 38, 2), Ok(r#"{"d":-0.10}"#))]
#[case(decimal(0, 38, 20), Ok(r#"{"d":0.00000000000000000000}"#))]
#[case(decimal(1_234_567_890_123_456, 38, 20), Ok(r#"{"d":0.00001234567890123456}"#))]
#[case(decimal(9_007_199_254_740_993, 38, 0), Ok(r#"{"d":9007199254740993}"#))]
#[case(decimal(10_i128.pow(20), 38, 0), Err("whole number of more than 64 bits"))]
fn a_decimal_that_a_json_column_rounds_is_bad(
    #[case] value: ArrayRef,
    #[case] expected: Result<&str, &str>,
) {
    let object = object_of(value);
    assert_one(one("JSON", "", Arc::clone(&object)), expected);
    // A text keeps every digit.
    assert!(one("String", "", object).is_ok());
}

/// In a list within an object, beside what is bad for another reason.
#[test]
fn a_row_of_json_is_bad_once() {
    let decimals = Decimal128Array::from(vec![5, 10_i128.pow(30) + 1, 5, 10_i128.pow(30) + 1])
        .with_precision_and_scale(38, 2)
        .unwrap();
    let item = Arc::new(Field::new("item", decimals.data_type().clone(), true));
    let offsets = OffsetBuffer::new(vec![0, 1, 3, 4].into());
    let lists: ArrayRef = Arc::new(ListArray::new(item, offsets, Arc::new(decimals), None));
    let huge: ArrayRef = Arc::new(
        Decimal128Array::from(vec![1, 10_i128.pow(30), 1]).with_precision_and_scale(38, 0).unwrap(),
    );
    let field =
        |name, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
    let object = StructArray::from(vec![
        (field("l", &lists), Arc::clone(&lists)),
        (field("h", &huge), Arc::clone(&huge)),
    ]);
    let mapped = apply(&document("  - {name: a, type: JSON}", ""), vec![Arc::new(object)]);
    assert_eq!(mapped.rejected.iter().map(|row| row.row).collect::<Vec<_>>(), [101, 102]);
    assert_eq!(values(mapped.batch.column(0)), [r#"{"l":[0.05],"h":1}"#]);
}

/// What stands under NULL is nobody's value.
#[test]
fn only_the_rows_beyond_the_precision_are_bad() {
    let array = Decimal128Array::new(
        vec![1, 2_000_000_000, 3_000_000_000, -999_999_999].into(),
        Some(vec![true, false, true, true].into()),
    );
    let array: ArrayRef = Arc::new(array.with_precision_and_scale(9, 2).unwrap());
    let column = document("  - {name: c, type: 'Nullable(Decimal(9, 2))'}", "");
    let mapped = apply(&column, vec![Arc::clone(&array)]);
    assert_eq!(mapped.rejected.iter().map(|row| row.row).collect::<Vec<_>>(), [102]);
    assert_eq!(values(mapped.batch.column(0)), ["0.01", "NULL", "-9999999.99"]);
    // And the encoder takes what is left.
    let parsed = ColumnType::parse("Nullable(Decimal(9, 2))").unwrap();
    let encoder = BlockEncoder::new([("c".to_owned(), parsed)]);
    encoder.encode(&mapped.batch, &mut Vec::new()).unwrap();

    let column = document("  - {name: c, type: 'Nullable(Decimal(9, 2))', on_error: 'null'}", "");
    let mapped = apply(&column, vec![array]);
    assert_eq!(values(mapped.batch.column(0)), ["0.01", "NULL", "NULL", "-9999999.99"]);
    encoder.encode(&mapped.batch, &mut Vec::new()).unwrap();
}

#[test]
fn sliced_lists_keep_their_places() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(999)]),
        Some(vec![Some(1), Some(2)]),
        Some(vec![Some(300)]),
        Some(vec![]),
    ]);
    let sliced: ArrayRef = Arc::new(list.slice(1, 3));
    let document = document("  - {name: a, type: Array(UInt8)}", "");
    let mapped = apply(&document, vec![sliced]);
    assert_eq!(values(mapped.batch.column(0)), ["[1, 2]", "[]"]);
    assert_eq!(mapped.rejected[0].row, 101);
    assert_eq!(mapped.rejected[0].reason, "element 0: `300` is outside of UInt8 (0 to 255)");
}

#[test]
fn maps_stay_maps() {
    let entries = StructArray::from(vec![
        (Arc::new(Field::new("keys", DataType::Utf8, false)), text(&[Some("a"), Some("b")])),
        (
            Arc::new(Field::new("values", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef,
        ),
    ]);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let map = MapArray::new(field, OffsetBuffer::new(vec![0, 2].into()), entries, None, false);
    assert_one(one("Map(String, UInt8)", "", Arc::new(map.clone())), Ok("{a: 1, b: 2}"));
    assert_one(one("String", "", Arc::new(map)), Ok(r#"{"a":1,"b":2}"#));
}

/// One moment outside of the calendar is a bad value, not a bad object.
#[rstest]
#[case("String")]
#[case("FixedString(40)")]
#[case("Nullable(FixedString(40))")]
fn a_moment_outside_of_the_calendar_has_no_text(#[case] column_type: &str) {
    let array = timestamp(TimeUnit::Millisecond, None, 72_277_498_714_446_638);
    assert_one(one(column_type, "", array), Err("72277498714446638"));
}

#[test]
fn bytes_that_are_no_text_stay_in_a_string_that_no_step_works_on() {
    let bytes: ArrayRef =
        Arc::new(BinaryArray::from(vec![Some(&b"\xff\x00"[..]), Some(b"a"), None]));
    let column = "  - {name: v, type: String, default: none, on_error: default}";
    let mapped = apply(&document(column, ""), vec![Arc::clone(&bytes)]);
    let expected: ArrayRef = Arc::new(BinaryArray::from(vec![&b"\xff\x00"[..], b"a", b"none"]));
    assert_eq!(mapped.batch.column(0), &expected);

    let column = "  - {name: v, type: Nullable(String)}";
    let mapped = apply(&document(column, "transform: [{trim: [v]}]"), vec![bytes]);
    assert_eq!(mapped.rejected.len(), 1);
    assert!(mapped.rejected[0].reason.contains("is no UTF-8"), "{}", mapped.rejected[0].reason);
}

/// Bytes that are no text, in a list of two.
fn list_of_bytes() -> ArrayRef {
    let mut list = ListBuilder::new(BinaryBuilder::new());
    list.append_value([Some(&b"\xff"[..]), Some(b"a")]);
    Arc::new(list.finish())
}

/// `String` takes any bytes wherever it stands in a type.
#[rstest]
#[case("Array(String)", list_of_bytes(), "[ff, 61]")]
#[case("Array(LowCardinality(Nullable(String)))", list_of_bytes(), "[ff, 61]")]
#[case("Tuple(a Array(String), b Array(String))", tuple_of_bytes(), "{a: [ff, 61], b: []}")]
#[case("Map(String, String)", map_of_bytes(), "{fe: ff}")]
fn bytes_that_are_no_text_stay_inside(
    #[case] column_type: &str,
    #[case] array: ArrayRef,
    #[case] expected: &str,
) {
    let mapped =
        apply(&document(&format!("  - {{name: c, type: \"{column_type}\"}}"), ""), vec![array]);
    assert_eq!(mapped.rejected.len(), 0);
    assert_eq!(values(mapped.batch.column(0)), [expected]);
    // And the encoder takes what the mapper made.
    let parsed = ColumnType::parse(column_type).unwrap();
    let mut out = Vec::new();
    BlockEncoder::new([("c".to_owned(), parsed)]).encode(&mapped.batch, &mut out).unwrap();
    assert!(out.contains(&0xff));
}

fn tuple_of_bytes() -> ArrayRef {
    let list = list_of_bytes();
    let field = |name| Arc::new(Field::new(name, list.data_type().clone(), true));
    // The second field lacks: an empty list is expected of its default.
    let empty = arrow::array::new_empty_array(&DataType::Binary);
    let item = Arc::new(Field::new("item", DataType::Binary, true));
    let none = ListArray::new(item, OffsetBuffer::new(vec![0, 0].into()), empty, None);
    Arc::new(StructArray::from(vec![(field("a"), list.clone()), (field("b"), Arc::new(none))]))
}

fn map_of_bytes() -> ArrayRef {
    let bytes = |bytes: &'static [u8]| Arc::new(BinaryArray::from(vec![bytes])) as ArrayRef;
    let entries = StructArray::from(vec![
        (Arc::new(Field::new("keys", DataType::Binary, false)), bytes(b"\xfe")),
        (Arc::new(Field::new("values", DataType::Binary, true)), bytes(b"\xff")),
    ]);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    Arc::new(MapArray::new(field, OffsetBuffer::new(vec![0, 1].into()), entries, None, false))
}

/// A number is a value of an enumeration, whatever name looks like it, and whatever
/// stands in the row beside it.
#[test]
fn numbers_are_values_of_an_enumeration_and_never_names() {
    for array in
        [Arc::new(Int8Array::from(vec![1])) as ArrayRef, Arc::new(Int64Array::from(vec![1]))]
    {
        assert_one(one("Enum8('1' = 2, '2' = 1)", "", array), Ok("1"));
    }
    let beside: ArrayRef = Arc::new(Int8Array::from(vec![1, 9]));
    let columns = document("  - {name: c, type: \"Enum8('1' = 2, '2' = 1)\"}", "");
    let mapped = apply(&columns, vec![beside]);
    assert_eq!(mapped.rejected.len(), 1);
    assert_eq!(values(mapped.batch.column(0)), ["1"]);
}

/// Anywhere else the value is bad, and the row is what the policy judges.
#[rstest]
#[case("Int32")]
#[case("UUID")]
#[case("JSON")]
#[case("DateTime")]
#[case("Enum8('a' = 1)")]
fn bytes_that_are_no_text_are_bad_elsewhere(#[case] column_type: &str) {
    let bytes = Arc::new(BinaryArray::from(vec![&b"\xff"[..]]));
    assert_one(one(column_type, "", bytes), Err("`ff` is no UTF-8 text"));
}

/// A document's default is put beside bytes, inside of lists as well.
#[test]
fn a_default_stands_beside_bytes() {
    let mut list = ListBuilder::new(BinaryBuilder::new());
    list.append_value([Some(&b"\xff"[..])]);
    list.append_null();
    let column = "  - {name: v, type: Array(String), default: '[\"d\"]', on_error: default}";
    let mapped = apply(&document(column, ""), vec![Arc::new(list.finish())]);
    assert_eq!(values(mapped.batch.column(0)), ["[ff]", "[64]"]);
}

/// A dictionary of bytes stays one for `LowCardinality`.
#[test]
fn a_dictionary_of_bytes_stays_one() {
    let keys = Int32Array::from(vec![Some(0), Some(1), Some(0), None]);
    let words: ArrayRef = Arc::new(BinaryArray::from(vec![&b"\xff"[..], b"a"]));
    let array: ArrayRef = Arc::new(DictionaryArray::new(keys, words));
    let column = "  - {name: v, type: LowCardinality(Nullable(String))}";
    let mapped = apply(&document(column, ""), vec![Arc::clone(&array)]);
    assert_eq!(mapped.batch.column(0), &array);
    let column_type = ColumnType::parse("LowCardinality(Nullable(String))").unwrap();
    let mut out = Vec::new();
    BlockEncoder::new([("v".to_owned(), column_type)]).encode(&mapped.batch, &mut out).unwrap();
    let plain = cast(&array, &DataType::Binary).unwrap();
    let mapped = apply(&document(column, ""), vec![plain]);
    let mut other = Vec::new();
    let column_type = ColumnType::parse("LowCardinality(Nullable(String))").unwrap();
    BlockEncoder::new([("v".to_owned(), column_type)]).encode(&mapped.batch, &mut other).unwrap();
    assert_eq!(out, other);
}
