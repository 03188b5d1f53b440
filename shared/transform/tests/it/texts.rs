//! Texts into every scalar type: what is taken, and what is refused how.

use rstest::rstest;

use crate::support::{assert_one, one, text};

#[rstest]
#[case("Bool", "true", Ok("true"))]
#[case("Bool", " Yes ", Ok("true"))]
#[case("Bool", "0", Ok("false"))]
#[case("Bool", "2", Err("`2` is no Bool; true"))]
#[case("Int8", "-128", Ok("-128"))]
#[case("Int8", "128", Err("`128` is outside of Int8 (-128 to 127)"))]
#[case("Int8", " +7 ", Ok("7"))]
#[case("Int32", "3.0", Ok("3"))]
#[case("Int32", "1e3", Ok("1000"))]
#[case("Int32", "3.5", Err("no whole number"))]
#[case("Int32", "0x10", Err("`0x10` is no Int32"))]
#[case("Int32", "1_000", Err("is no Int32"))]
#[case("Int32", "1,000", Err("is no Int32"))]
#[case("Int32", "1 000", Err("is no Int32"))]
#[case("Int32", "--1", Err("is no Int32"))]
#[case("Int32", "", Err("is no Int32"))]
#[case("Int32", "NaN", Err("is no Int32"))]
#[case("Int64", "-9223372036854775808", Ok("-9223372036854775808"))]
#[case("Int64", "9223372036854775808", Err("outside of Int64"))]
#[case("UInt8", "-1", Err("outside of UInt8 (0 to 255)"))]
#[case("UInt8", "-0", Ok("0"))]
#[case("UInt64", "18446744073709551615", Ok("18446744073709551615"))]
#[case("UInt64", "18446744073709551616", Err("outside of UInt64"))]
#[case("UInt64", "99999999999999999999999999999999999999999999999999", Err("outside of UInt64"))]
#[case("Float64", "1.5e300", Ok("1.5e300"))]
#[case("Float64", "9007199254740993", Ok("9007199254740992.0"))]
#[case("Float64", "inf", Ok("inf"))]
#[case("Float64", "-Infinity", Ok("-inf"))]
#[case("Float64", "nan", Ok("NaN"))]
#[case("Float64", "1e999", Err("`1e999` is outside of Float64"))]
#[case("Float64", "1.2.3", Err("is no Float64"))]
#[case("Float32", "0.1", Ok("0.1"))]
#[case("Float32", "1e39", Err("outside of Float32"))]
#[case("Decimal(5, 2)", "123.45", Ok("123.45"))]
#[case("Decimal(5, 2)", "123.4500", Ok("123.45"))]
#[case("Decimal(5, 2)", "-0.5", Ok("-0.50"))]
#[case("Decimal(5, 2)", "123.456", Err("more fraction digits"))]
#[case("Decimal(5, 2)", "1000", Err("outside of Decimal(5, 2) (3 digits before the point)"))]
#[case(
    "Decimal(38, 0)",
    "99999999999999999999999999999999999999",
    Ok("99999999999999999999999999999999999999")
)]
#[case("Decimal(38, 0)", "100000000000000000000000000000000000000", Err("outside of Decimal"))]
#[case("String", " as it is ", Ok(" as it is "))]
#[case("String", "{\"a\": [1,  2]}", Ok("{\"a\": [1,  2]}"))]
#[case("LowCardinality(String)", "x", Ok("x"))]
#[case("FixedString(4)", "ab", Ok("61620000"))]
#[case("FixedString(4)", "äöx", Err("`äöx` is longer than FixedString(4) holds"))]
#[case("UUID", "00112233-4455-6677-8899-AABBCCDDEEFF", Ok("00112233445566778899aabbccddeeff"))]
#[case("UUID", "00112233445566778899aabbccddeeff", Ok("00112233445566778899aabbccddeeff"))]
#[case("UUID", "00112233", Err("`00112233` is no UUID; 32 hexadecimal"))]
#[case("Enum8('red' = 1, 'blue' = -2)", "red", Ok("1"))]
#[case("Enum8('red' = 1, 'blue' = -2)", "-2", Ok("-2"))]
#[case(
    "Enum8('red' = 1, 'blue' = -2)",
    "green",
    Err("`green` is none of the names of Enum8('red' = 1")
)]
#[case("Enum8('red' = 1, 'blue' = -2)", "2", Err("none of the names"))]
#[case("Enum8('2' = 1, 'b' = 2)", "2", Ok("1"))]
#[case("IPv4", "127.0.0.1", Ok("2130706433"))]
#[case("IPv4", "127.0.0.256", Err("is no IPv4"))]
#[case("IPv6", "::1", Ok("00000000000000000000000000000001"))]
#[case("IPv6", "1.2.3.4", Ok("00000000000000000000ffff01020304"))]
#[case("IPv6", "::g", Err("is no IPv6"))]
fn scalars(#[case] column_type: &str, #[case] value: &str, #[case] expected: Result<&str, &str>) {
    assert_one(one(column_type, "", text(&[Some(value)])), expected);
}

#[rstest]
#[case("Date", "2026-01-31", Ok("2026-01-31"))]
#[case("Date", " 2026-01-31 ", Ok("2026-01-31"))]
#[case("Date", "2026-01-31T00:00:00+05:00", Ok("2026-01-31"))]
#[case("Date", "2026-01-31 10:00", Err("has a time of day that Date would lose"))]
#[case("Date", "1969-12-31", Err("outside of Date (1970-01-01 to 2149-06-06)"))]
#[case("Date", "2149-06-06", Ok("2149-06-06"))]
#[case("Date", "2149-06-07", Err("outside of Date"))]
#[case("Date", "31.01.2026", Err("write it as 2026-01-31"))]
#[case("Date", "20260131", Err("`20260131` is a number, not Date; say what it counts"))]
#[case("Date32", "1900-01-01", Ok("1900-01-01"))]
#[case("Date32", "1899-12-31", Err("outside of Date32"))]
#[case("Date32", "2300-01-01", Err("outside of Date32"))]
#[case("DateTime", "2026-01-31", Ok("2026-01-31T00:00:00Z"))]
#[case("DateTime", "2026-01-31 12:00:00", Ok("2026-01-31T12:00:00Z"))]
#[case("DateTime", "2026-01-31T12:00+02:00", Ok("2026-01-31T10:00:00Z"))]
#[case("DateTime", "2026-01-31T12:00:00.999Z", Ok("2026-01-31T12:00:00Z"))]
#[case("DateTime", "2106-02-07T06:28:15Z", Ok("2106-02-07T06:28:15Z"))]
#[case("DateTime", "2106-02-07T06:28:16Z", Err("outside of DateTime"))]
#[case("DateTime", "1969-12-31T23:59:59.5Z", Err("outside of DateTime"))]
#[case("DateTime", "2026-02-30", Err("is no DateTime"))]
#[case("DateTime('Europe/Berlin')", "2026-01-31 12:00:00", Ok("2026-01-31T13:00:00+01:00"))]
#[case("DateTime64(3)", "2026-01-31T12:00:00.1239Z", Ok("2026-01-31T12:00:00.123Z"))]
#[case("DateTime64(3)", "1960-01-01T00:00:00.0009Z", Ok("1960-01-01T00:00:00Z"))]
#[case("DateTime64(4)", "1960-01-01T00:00:00.12345Z", Ok("1960-01-01T00:00:00.123400Z"))]
#[case("DateTime64(9)", "2262-04-11T23:47:16.854775807Z", Ok("2262-04-11T23:47:16.854775807Z"))]
#[case(
    "DateTime64(9)",
    "2262-04-11T23:47:16.854775808Z",
    Err("outside of DateTime64(9) (1900-01-01 to 2262-04-11 UTC)")
)]
#[case("DateTime64(0)", "2299-12-31T23:59:59Z", Ok("2299-12-31T23:59:59Z"))]
#[case("DateTime64(0)", "1899-12-31T23:59:59Z", Err("outside of DateTime64(0)"))]
#[case("DateTime64(3)", "1700000000", Err("formats: [unix]"))]
fn times(#[case] column_type: &str, #[case] value: &str, #[case] expected: Result<&str, &str>) {
    assert_one(one(column_type, "", text(&[Some(value)])), expected);
}

#[rstest]
#[case("Date", "['%d.%m.%Y']", "31.01.2026", Ok("2026-01-31"))]
#[case("Date", "['%b %d %Y']", "Jan 1 2000", Ok("2000-01-01"))]
#[case("Date", "['%Y-%m']", "2026-03", Ok("2026-03-01"))]
#[case("Date", "['%Y']", "1998", Ok("1998-01-01"))]
#[case("Date", "['%d.%m.%Y', '%Y/%m/%d']", "2026/01/31", Ok("2026-01-31"))]
#[case("Date", "['%d.%m.%Y']", "2026-01-31", Err("none of the formats"))]
#[case("DateTime", "['%Y/%m/%d %H:%M']", "2026/01/31 12:30", Ok("2026-01-31T12:30:00Z"))]
#[case("DateTime", "['%Y/%m/%d %H']", "2026/01/31 12", Ok("2026-01-31T12:00:00Z"))]
#[case(
    "DateTime",
    "['%Y/%m/%d %H:%M:%S %z']",
    "2026/01/31 12:30:00 +0200",
    Ok("2026-01-31T10:30:00Z")
)]
#[case(
    "DateTime64(3)",
    "['%Y/%m/%d %H:%M:%S%.f']",
    "2026/01/31 12:30:00.25",
    Ok("2026-01-31T12:30:00.250Z")
)]
#[case("DateTime", "[unix]", "1700000000", Ok("2023-11-14T22:13:20Z"))]
#[case("DateTime", "[unix]", "1700000000.9", Ok("2023-11-14T22:13:20Z"))]
#[case("DateTime64(3)", "[unix_ms]", "1700000000123", Ok("2023-11-14T22:13:20.123Z"))]
#[case("DateTime64(3)", "[unix_ms]", "-1", Ok("1969-12-31T23:59:59.999Z"))]
#[case("DateTime64(9)", "[unix_ns]", "1700000000123456789", Ok("2023-11-14T22:13:20.123456789Z"))]
#[case("DateTime", "[unix]", "99999999999999999999999999", Err("outside of DateTime"))]
#[case("DateTime", "[unix]", "2026-01-31", Err("none of the formats"))]
#[case("DateTime", "['%Y-%m-%d', unix]", "1700000000", Ok("2023-11-14T22:13:20Z"))]
fn formats(
    #[case] column_type: &str,
    #[case] names: &str,
    #[case] value: &str,
    #[case] expected: Result<&str, &str>,
) {
    let more = format!(", timestamp: {{formats: {names}}}");
    assert_one(one(column_type, &more, text(&[Some(value)])), expected);
}

#[rstest]
#[case("2026-01-31 12:00:00", Ok("2026-01-31T11:00:00Z"))]
#[case("2026-07-31 12:00:00", Ok("2026-07-31T10:00:00Z"))]
#[case("2026-07-31 12:00:00Z", Ok("2026-07-31T12:00:00Z"))]
// The clock showed half past two twice: the earlier.
#[case("2026-10-25 02:30:00", Ok("2026-10-25T00:30:00Z"))]
// The clock went from two to three.
#[case("2026-03-29 02:30:00", Err("the clocks skipped it"))]
fn zones(#[case] value: &str, #[case] expected: Result<&str, &str>) {
    let more = ", timestamp: {zone: Europe/Berlin}";
    assert_one(one("DateTime", more, text(&[Some(value)])), expected);
}

#[test]
fn long_values_are_shortened_in_reasons() {
    let long = "ä".repeat(5_000);
    let reason = one("Int8", "", text(&[Some(&long)])).unwrap_err();
    assert_eq!(reason, format!("`{}…` is no Int8", "ä".repeat(200)));
}
