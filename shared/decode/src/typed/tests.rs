//! Which forms are plain, and that a plain value is what its text says.

use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type,
    Float64Type, Int64Type, TimeUnit, UInt32Type, UInt64Type, i256,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::FieldOrigin;

/// The column that is built of these texts, which stand in one text.
fn built(column_type: &str, texts: &[Option<&str>]) -> ArrayRef {
    let (mut text, mut spans) = (String::from("<"), Vec::new());
    for value in texts {
        spans.push(value.map_or(Span::NULL, |value| {
            text.push_str(value);
            Span::new(text.len() - value.len(), text.len())
        }));
    }
    let column_type = ColumnType::parse(column_type).unwrap();
    let field = FieldRequest {
        origin: FieldOrigin::Column("a".into()),
        empty_is_text: false,
        column_type: Some(column_type.clone()),
        required_by: "a".into(),
        is_optional: false,
    };
    let array = build(&field, &text, &spans);
    assert_eq!(array.len(), texts.len());
    let nulls: Vec<_> = (0..texts.len()).filter(|row| array.is_null(*row)).collect();
    let expected: Vec<_> = (0..texts.len()).filter(|row| texts[*row].is_none()).collect();
    assert_eq!(nulls, expected);
    match array.data_type() {
        DataType::Utf8 => {
            let values: Vec<_> = array.as_string::<i32>().iter().collect();
            assert_eq!(values, texts);
        }
        DataType::Dictionary(key, value) => {
            assert_eq!((key.as_ref(), value.as_ref()), (&DataType::UInt32, &DataType::Utf8));
        }
        typed => assert_eq!(typed, &native::arrow_type(&column_type)),
    }
    array
}

fn is_text(array: &ArrayRef) -> bool {
    array.data_type() == &DataType::Utf8
}

/// One value as Arrow writes it; `text` when the column has stayed text.
fn shown(column_type: &str, text: &str) -> String {
    // Beside a NULL, and not at the end of the text.
    let array = built(column_type, &[None, Some(text), None]);
    if is_text(&array) && column_type != "String" {
        return "text".to_owned();
    }
    // Arrow knows no names of zones here.
    let array = match array.data_type() {
        DataType::Timestamp(unit, _) => {
            let ticks = cast(&array, &DataType::Int64).unwrap();
            cast(&ticks, &DataType::Timestamp(*unit, None)).unwrap()
        }
        _ => array,
    };
    let options = FormatOptions::default();
    ArrayFormatter::try_new(&array, &options).unwrap().value(1).to_string()
}

#[rstest]
#[case("Int8", "-128", "-128")]
#[case("Int8", "127", "127")]
#[case("Int8", "-0", "0")]
#[case("Int8", "0000000000000000007", "7")]
#[case("UInt8", "255", "255")]
#[case("UInt8", "-0", "0")]
#[case("UInt64", "18446744073709551615", "18446744073709551615")]
#[case("Int64", "-9223372036854775808", "-9223372036854775808")]
#[case("Int64", "9223372036854775807", "9223372036854775807")]
#[case("SimpleAggregateFunction(sum, UInt64)", "5", "5")]
#[case("LowCardinality(Nullable(Int32))", "-5", "-5")]
#[case("Int128", "-2", "feffffffffffffffffffffffffffffff")]
#[case("UInt128", "99999999999999999999999999999999999999", "ffffffff3f228a097ac4865aa84c3b4b")]
#[case("Int256", "-1", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]
#[case("Float64", "0.1", "0.1")]
#[case("Float64", "-0", "-0.0")]
#[case("Float64", "1e300", "1e300")]
#[case("Float64", "+1.5", "1.5")]
#[case("Float64", ".5", "0.5")]
#[case("Float64", "9007199254740993", "9007199254740992.0")]
#[case("Float32", "16777217", "16777216.0")]
#[case("Float32", "3.4e38", "3.4e38")]
#[case("Decimal(9, 2)", "-1234567.8", "-1234567.80")]
#[case("Decimal(9, 2)", "007", "7.00")]
#[case(
    "Decimal(38, 0)",
    "-99999999999999999999999999999999999999",
    "-99999999999999999999999999999999999999"
)]
#[case("Decimal(38, 38)", "0.1", "0.10000000000000000000000000000000000000")]
#[case(
    "Decimal(38, 30)",
    "12345678.123456789012345678901234567890",
    "12345678.123456789012345678901234567890"
)]
#[case("Decimal(76, 10)", "123.4567890123", "123.4567890123")]
#[case("Bool", "true", "true")]
#[case("Date", "2149-06-06", "2149-06-06")]
#[case("Date", "2024-02-29", "2024-02-29")]
#[case("Date32", "1900-01-01", "1900-01-01")]
#[case("DateTime", "2106-02-07 06:28:15", "2106-02-07T06:28:15")]
#[case("DateTime", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00")]
#[case("DateTime", "2026-01-31", "2026-01-31T00:00:00")]
#[case("DateTime", "2026-01-31 12:34:56.789", "2026-01-31T12:34:56")]
#[case("DateTime64(3)", "1900-01-01 00:00:00.0019", "1900-01-01T00:00:00.001")]
#[case("DateTime64(4)", "2026-01-31T12:34:56.12345Z", "2026-01-31T12:34:56.123400")]
#[case("DateTime64(9)", "2262-04-11 23:47:16.854775807", "2262-04-11T23:47:16.854775807")]
#[case("Enum8('a' = -1, 'b c' = 2)", "b c", "2")]
#[case("Enum16('' = 300)", "", "300")]
#[case("UUID", "61f0C404-5cb3-11e7-907b-a6006ad3dba0", "61f0c4045cb311e7907ba6006ad3dba0")]
#[case("IPv4", "1.2.3.4", "16909060")]
#[case("IPv6", "::1", "00000000000000000000000000000001")]
#[case("IPv6", "1.2.3.4", "00000000000000000000ffff01020304")]
#[case("FixedString(2)", "ab", "6162")]
#[case("FixedString(2)", "a", "6100")]
#[case("LowCardinality(String)", "ä", "ä")]
#[case("String", " a", " a")]
fn plain_texts_are_typed(#[case] column_type: &str, #[case] text: &str, #[case] expected: &str) {
    assert_eq!(shown(column_type, text), expected);
}

#[rstest]
#[case("Int8", &["128", "-129", "", "-", "+1", " 1", "1 ", "1.0", "1e2", "--1", "0x1", "1_0", "１"])]
#[case("UInt8", &["-1", "256"])]
#[case("UInt64", &["18446744073709551616", "100000000000000000000000000000000000000000"])]
#[case("Int64", &["9223372036854775808", "-9223372036854775809"])]
#[case("Int128", &["999999999999999999999999999999999999999", "a"])]
#[case("UInt256", &["-1"])]
#[case("Float64", &["inf", "-inf", "NaN", "infinity", "1e999", "", "-", " 1", "1 ", "1,5", "1.5.5", "0x10"])]
#[case("Float32", &["1e39", "nan"])]
#[case("BFloat16", &["1"])]
#[case("Decimal(4, 2)", &["100", "1.234", ".5", "5.", "1e1", "+1", "-", "", "1.2.3", "1,2"])]
#[case("Decimal(38, 0)", &["100000000000000000000000000000000000000"])]
#[case("Bool", &["True", "1", "t", "yes", "", "false "])]
#[case("Date", &["1969-12-31", "2149-06-07", "2023-02-29", "1900-02-29", "2026-00-01", "2026-13-01", "2026-04-31", "2026-1-1", "20260101", "2026/01/01", "2026-01-01T", "2026-01-01 00:00:00", "2026-01-0a", ""])]
#[case("Date32", &["1899-12-31", "2300-01-01"])]
#[case("DateTime", &["1969-12-31 23:59:59", "2106-02-07 06:28:16", "2026-01-01 24:00:00", "2026-01-01 00:60:00", "2026-01-01 00:00:60", "2026-01-01 00:00", "2026-01-01 00:00:00+01:00", "2026-01-01t00:00:00", "2026-01-01 00:00:00.", "2026-01-01 00:00:00,5", "2026-01-01 00:00:00 Z", "2026-01-01Z", "1735689600"])]
#[case("DateTime64(3)", &["1899-12-31 23:59:59.999", "2300-01-01", "2026-01-01 00:00:00.1234567890"])]
#[case("DateTime64(9)", &["2262-04-11 23:47:16.854775808"])]
#[case("Time", &["12:00:00"])]
#[case("Enum8('a' = 1)", &["b", "A", "1", " a", ""])]
#[case("UUID", &["61f0c4045cb311e7907ba6006ad3dba0", "61f0c404-5cb3-11e7-907b-a6006ad3dbag", "61f0c404-5cb3-11e7-907b_a6006ad3dba0", "{61f0c404-5cb3-11e7-907b-a6006ad3dba0}"])]
#[case("IPv4", &["1.2.3", "01.2.3.4", "1.2.3.4 ", "16909060", "::1"])]
#[case("IPv6", &["1::2::3", "", "fe80::1%eth0"])]
#[case("FixedString(2)", &["abc", "ää"])]
#[case("Array(Int8)", &["[1]"])]
#[case("JSON", &["{}"])]
#[case("Map(String, Int8)", &["{}"])]
fn other_forms_stay_text(#[case] column_type: &str, #[case] texts: &[&str]) {
    for text in texts {
        assert_eq!(shown(column_type, text), "text", "{column_type}: `{text}`");
        assert!(is_text(&built(column_type, &[Some(text)])), "{column_type}: `{text}` at the end");
    }
}

#[test]
fn one_other_form_keeps_the_whole_column_text() {
    assert!(!is_text(&built("Int8", &[Some("1"), None, Some("2")])));
    assert!(is_text(&built("Int8", &[Some("1"), None, Some("2 ")])));
}

#[test]
fn columns_without_values_are_typed() {
    for column_type in ["Int8", "LowCardinality(String)", "UUID", "Date", "Bool", "FixedString(3)"]
    {
        assert!(!is_text(&built(column_type, &[None, None])), "{column_type}");
        assert!(!is_text(&built(column_type, &[])), "{column_type}");
    }
}

#[test]
fn few_texts_are_a_dictionary_and_many_are_not() {
    let few: Vec<_> = (0..20_000).map(|i| (i % 7 > 0).then(|| format!("v{}", i % 100))).collect();
    let few: Vec<_> = few.iter().map(Option::as_deref).collect();
    let array = built("LowCardinality(Nullable(String))", &few);
    assert_eq!(array.as_dictionary::<UInt32Type>().values().len(), 100);
    let texts = cast(&array, &DataType::Utf8).unwrap();
    assert_eq!(texts.as_string::<i32>(), &StringArray::from(few));

    let many: Vec<_> = (0..20_000).map(|i| format!("v{i}")).collect();
    let many: Vec<_> = many.iter().map(|text| Some(text.as_str())).collect();
    assert!(is_text(&built("LowCardinality(String)", &many)));
    assert!(!is_text(&built("LowCardinality(String)", &many[..4_096])), "too few to judge");
}

/// The values of a column that must have become typed.
fn values<T: ArrowPrimitiveType>(column_type: &str, texts: &[String]) -> Vec<T::Native> {
    let texts: Vec<_> = texts.iter().map(|text| Some(text.as_str())).collect();
    built(column_type, &texts).as_primitive::<T>().values().to_vec()
}

proptest! {
    #[test]
    fn integers_are_those_written(numbers in prop::collection::vec(any::<i64>(), 1..20), shift in 0_u32..64) {
        let numbers: Vec<_> = numbers.iter().map(|number| number >> shift).collect();
        let texts: Vec<_> = numbers.iter().map(i64::to_string).collect();
        prop_assert_eq!(values::<Int64Type>("Int64", &texts), numbers.clone());
        let magnitudes: Vec<_> = numbers.iter().map(|number| number.unsigned_abs()).collect();
        let texts: Vec<_> = magnitudes.iter().map(u64::to_string).collect();
        prop_assert_eq!(values::<UInt64Type>("UInt64", &texts), magnitudes);
    }

    #[test]
    fn wide_integers_are_those_written(number in any::<i128>(), shift in 0_u32..128) {
        let number = number >> shift;
        prop_assume!(number.unsigned_abs() < 10_u128.pow(38));
        let text = number.to_string();
        let array = built("Int256", &[Some(&text)]);
        prop_assert_eq!(array.as_fixed_size_binary().value(0), i256::from_i128(number).to_le_bytes());
    }

    #[test]
    fn floats_are_the_nearest(number in prop_oneof![any::<f64>(), -1e6..1e6], digits in 0_usize..20) {
        prop_assume!(number.is_finite());
        let texts = [number.to_string(), format!("{number:e}"), format!("{number:.digits$}")];
        for text in texts {
            let expected: f64 = text.parse().unwrap();
            let made = values::<Float64Type>("Float64", std::slice::from_ref(&text))[0];
            prop_assert_eq!(made.to_bits(), expected.to_bits(), "{}", &text);
            let expected: f32 = text.parse().unwrap();
            if expected.is_finite() {
                let made = values::<Float32Type>("Float32", std::slice::from_ref(&text))[0];
                prop_assert_eq!(made.to_bits(), expected.to_bits(), "{}", &text);
            }
        }
    }

    #[test]
    fn decimals_are_exact(number in any::<i128>(), shift in 0_u32..128, scale in 0_usize..30) {
        let number = number >> shift;
        prop_assume!(number.unsigned_abs() < 10_u128.pow(38));
        let digits = format!("{:0width$}", number.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if number < 0 { "-" } else { "" };
        let point = if scale > 0 { "." } else { "" };
        let text = format!("{sign}{whole}{point}{fraction}");
        let made = values::<Decimal128Type>(&format!("Decimal(38, {scale})"), std::slice::from_ref(&text));
        prop_assert_eq!(made, [number]);
        let made = values::<Decimal256Type>(&format!("Decimal(76, {scale})"), std::slice::from_ref(&text));
        prop_assert_eq!(made, [i256::from_i128(number)]);
    }

    #[test]
    fn dates_are_those_of_arrow(day in -25_567_i32..120_529) {
        let text = Date32Type::to_naive_date_opt(day).unwrap().to_string();
        prop_assert_eq!(values::<Date32Type>("Date32", std::slice::from_ref(&text)), [day]);
    }

    #[test]
    fn times_are_those_of_arrow(seconds in 0_i64..=i64::from(u32::MAX), fraction in 0_u32..1_000_000_000, digits in 1_usize..=9, precision in 0_u8..=9) {
        let mut text = ArrayFormatter::try_new(
            &arrow::array::TimestampNanosecondArray::from(vec![seconds * 1_000_000_000]),
            &FormatOptions::default(),
        ).unwrap().value(0).to_string();
        let fraction = format!("{fraction:09}");
        text.push('.');
        text.push_str(&fraction[..digits]);
        let column_type = format!("DateTime64({precision})");
        let array = built(&column_type, &[Some(&text)]);
        let kept = &fraction[..digits.min(usize::from(precision))];
        let nanoseconds: i64 = format!("{kept:0<9}").parse().unwrap();
        let expected = seconds * 1_000_000_000 + nanoseconds;
        let made = cast(&array, &DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))).unwrap();
        let made = cast(&made, &DataType::Int64).unwrap();
        prop_assert_eq!(made.as_primitive::<Int64Type>().value(0), expected);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,24}|[-0-9.: TZ]{0,24}|[0-9]{0,60}") {
        for column_type in [
            "Int8", "UInt64", "Int256", "UInt128", "Float32", "Float64", "Decimal(9, 3)", "Decimal(76, 70)", "Date",
            "Date32", "DateTime", "DateTime64(9)", "Enum8('a' = 1)", "UUID", "IPv4", "IPv6", "Bool", "FixedString(3)",
            "LowCardinality(String)", "String",
        ] {
            built(column_type, &[Some(&text)]);
        }
    }
}
