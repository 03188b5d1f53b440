//! The types and their edge values.

/// How a value stands in a file, and who reads its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A number or a boolean: without quotes where it can be.
    Bare,
    /// A text.
    Quoted,
    /// JSON in every format; ClickHouse's own texts for these are others, so
    /// that it is asked in JSON.
    Nested,
}

use Form::{Bare, Nested, Quoted};

/// A type and its values. Every text stands in one of the lists.
pub struct Case {
    /// As the document names it.
    pub column_type: &'static str,
    /// How the values are written.
    pub form: Form,
    /// Both take these, with the same result.
    pub good: &'static [&'static str],
    /// Both refuse these.
    pub bad: &'static [&'static str],
    /// ClickHouse takes these in silence as something else; they are bad, for the reason given.
    pub refused: Vec<(&'static str, &'static str)>,
    /// These arrive as stated, where ClickHouse refuses them or reads something else, for the
    /// reason given.
    pub ours: Vec<(&'static str, &'static str, &'static str)>,
    /// Whether ClickHouse writes the type to Parquet and Arrow, and reads it back.
    pub files: bool,
    /// What the document must say to read ClickHouse's files.
    pub file_policy: &'static str,
}

// Why a text that ClickHouse takes is bad.
const WRAPS: &str = "out of range: it wraps";
const CLAMPS: &str = "out of range: it becomes the first or last value";
const INFINITE: &str = "out of range: it becomes infinite";
const CUTS: &str = "more digits than the scale: they are cut off";
const ROUNDS: &str = "a whole number beside a float in an array becomes the nearest float";
const NO_SUCH_DAY: &str = "a day that no calendar has becomes another";

// Why a text that ClickHouse refuses is good.
const WHOLE: &str = "a whole number, however it is written";
const KEY: &str = "a key is a text in JSON, whatever the text is";

// Why a text that ClickHouse takes is another value.
const UTC: &str = "a time without a zone is UTC, whichever zone the type shows it in";

impl Case {
    /// Whether a text stands in a file without quotes.
    pub fn is_bare(&self, text: &str) -> bool {
        match self.form {
            Quoted => false,
            Nested => true,
            // JSON's own rules for numbers.
            Bare => serde_json::from_str::<serde_json::Value>(text).is_ok(),
        }
    }

    /// Whether the type takes NULL itself.
    pub fn takes_null(&self) -> bool {
        self.column_type.contains("Nullable(") && self.form != Nested
    }

    /// What a field without a value is in a text format, when that is no NULL:
    /// the empty text, in columns of texts that take no NULL.
    pub fn empty(&self) -> Option<&'static str> {
        match self.column_type {
            "String" | "LowCardinality(String)" => Some(""),
            "FixedString(3)" => Some("\\0\\0\\0"),
            "LowCardinality(FixedString(2))" => Some("\\0\\0"),
            _ => None,
        }
    }

    /// The type that takes NULL besides, if there is one.
    pub fn nullable(&self) -> Option<String> {
        let own = self.column_type;
        if self.takes_null() {
            return Some(own.to_owned());
        }
        if let Some(inner) = own.strip_prefix("LowCardinality(") {
            return Some(format!("LowCardinality(Nullable({inner})"));
        }
        let none = ["Array", "Map", "Tuple", "Nested", "JSON", "SimpleAggregateFunction"];
        (!none.iter().any(|none| own.starts_with(none))).then(|| format!("Nullable({own})"))
    }

    fn refusing(mut self, why: &'static str, texts: &[&'static str]) -> Self {
        self.refused.extend(texts.iter().map(|text| (*text, why)));
        self
    }

    fn reading(mut self, text: &'static str, value: &'static str, why: &'static str) -> Self {
        self.ours.push((text, value, why));
        self
    }

    /// ClickHouse does not write the type, or does not read what it wrote.
    fn without_files(self) -> Self {
        Self { files: false, ..self }
    }

    fn files_need(self, file_policy: &'static str) -> Self {
        Self { file_policy, ..self }
    }
}

fn case(
    column_type: &'static str,
    form: Form,
    good: &'static [&'static str],
    bad: &'static [&'static str],
) -> Case {
    let (refused, ours) = (Vec::new(), Vec::new());
    Case { column_type, form, good, bad, refused, ours, files: true, file_policy: "" }
}

/// ClickHouse writes `DateTime` to Arrow as a number of seconds.
const SECONDS: &str = ", timestamp: { formats: [unix] }";

/// Every case.
pub fn cases() -> Vec<Case> {
    vec![
        case("Int8", Bare, &["0", "-128", "127"], &["x", "1x", "1.5", "--1"])
            .refusing(WRAPS, &["128", "-129"])
            .reading("1e2", "100", WHOLE),
        case("Int16", Bare, &["0", "-32768", "32767"], &["x"])
            .refusing(WRAPS, &["32768", "-32769"]),
        case("Int32", Bare, &["0", "-2147483648", "2147483647"], &["x"])
            .refusing(WRAPS, &["2147483648", "-2147483649"]),
        case("Int64", Bare, &["0", "-9223372036854775808", "9223372036854775807"], &["x"])
            .refusing(WRAPS, &["9223372036854775808", "-9223372036854775809"]),
        case(
            "Int128",
            Bare,
            &[
                "0",
                "-170141183460469231731687303715884105728",
                "170141183460469231731687303715884105727",
            ],
            &["x"],
        )
        .refusing(WRAPS, &["170141183460469231731687303715884105728"]),
        case(
            "Int256",
            Bare,
            &[
                "0",
                "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
                "57896044618658097711785492504343953926634992332820282019728792003956564819967",
            ],
            &["x"],
        )
        .refusing(
            WRAPS,
            &["57896044618658097711785492504343953926634992332820282019728792003956564819968"],
        ),
        case("UInt8", Bare, &["0", "255"], &["-1", "x", "1.5"]).refusing(WRAPS, &["256"]),
        case("UInt16", Bare, &["0", "65535"], &["-1", "x"]).refusing(WRAPS, &["65536"]),
        case("UInt32", Bare, &["0", "4294967295"], &["-1", "x"]).refusing(WRAPS, &["4294967296"]),
        case("UInt64", Bare, &["0", "18446744073709551615"], &["-1", "x"])
            .refusing(WRAPS, &["18446744073709551616"]),
        case("UInt128", Bare, &["0", "340282366920938463463374607431768211455"], &["-1", "x"])
            .refusing(WRAPS, &["340282366920938463463374607431768211456"]),
        case(
            "UInt256",
            Bare,
            &[
                "0",
                "115792089237316195423570985008687907853269984665640564039457584007913129639935",
            ],
            &["-1", "x"],
        )
        .refusing(
            WRAPS,
            &["115792089237316195423570985008687907853269984665640564039457584007913129639936"],
        ),
        case(
            "Float32",
            Bare,
            &["0", "0.1", "-0.0", "3.4028235e38", "1e-45", "16777217", "inf", "-inf", "nan"],
            &["x"],
        )
        .refusing(INFINITE, &["1e39", "-1e39"]),
        case(
            "Float64",
            Bare,
            &[
                "0",
                "0.1",
                "1e308",
                "5e-324",
                "-1.7976931348623157e308",
                "9007199254740993",
                "0.30000000000000004",
                "inf",
                "nan",
            ],
            &["x"],
        )
        .refusing(INFINITE, &["1e309"]),
        case("BFloat16", Bare, &["0", "1.5", "-0.0078125", "0.1", "3.3e38"], &["x"])
            .without_files(),
        case(
            "Decimal(9, 2)",
            Bare,
            &["0", "-1234567.89", "9999999.99", "0.05", "1.5"],
            &["10000000", "x"],
        )
        .refusing(CUTS, &["0.001", "1.999"]),
        case(
            "Decimal(18, 6)",
            Bare,
            &["0", "999999999999.999999", "-0.000001"],
            &["1000000000000", "x"],
        )
        .refusing(CUTS, &["0.0000001"]),
        case(
            "Decimal(38, 10)",
            Bare,
            &["0", "9999999999999999999999999999.9999999999", "-1e-10", "1e27"],
            &["10000000000000000000000000000", "x"],
        ),
        case(
            "Decimal(76, 20)",
            Bare,
            &[
                "0",
                "99999999999999999999999999999999999999999999999999999999.99999999999999999999",
                "-0.00000000000000000001",
            ],
            &["100000000000000000000000000000000000000000000000000000000", "x"],
        ),
        case("Bool", Bare, &["true", "false"], &["x"]),
        case("String", Quoted, &["x", "ü€𝄞", "1", "  spaced  ", "NULL", "\"quoted\""], &[]),
        case("FixedString(3)", Quoted, &["abc", "d", "ü"], &["abcd", "üü"]),
        case(
            "UUID",
            Quoted,
            &[
                "01234567-89ab-cdef-fedc-ba9876543210",
                "00000000-0000-0000-0000-000000000000",
                "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            ],
            &["x", "01234567-89ab-cdef-fedc-ba987654321"],
        ),
        case("Date", Quoted, &["1970-01-01", "2149-06-06", "2024-02-29"], &["x"])
            .refusing(NO_SUCH_DAY, &["2023-13-01", "2023-02-30"])
            .refusing(CLAMPS, &["1969-12-31", "2149-06-07"]),
        case("Date32", Quoted, &["1900-01-01", "2299-12-31", "1969-12-31", "2024-02-29"], &["x"])
            .refusing(NO_SUCH_DAY, &["2023-13-01", "2023-02-30"])
            .refusing(CLAMPS, &["1899-12-31", "2300-01-01"]),
        case(
            "DateTime",
            Quoted,
            &["1970-01-01 00:00:00", "2106-02-07 06:28:15", "2024-02-29 23:59:59"],
            &["x", "2023-13-01 00:00:00", "2023-02-30 00:00:00"],
        )
        .refusing(CLAMPS, &["1969-12-31 23:59:59", "2106-02-07 06:28:16"])
        .files_need(SECONDS),
        case("DateTime('Europe/Berlin')", Quoted, &["2024-07-01T12:00:00Z"], &["x"])
            .reading("2024-07-01 12:00:00", "2024-07-01 14:00:00", UTC)
            .files_need(SECONDS),
        case(
            "DateTime64(0)",
            Quoted,
            &["1970-01-01 00:00:00", "1900-01-01 00:00:00", "2299-12-31 23:59:59"],
            &["x"],
        ),
        case(
            "DateTime64(3)",
            Quoted,
            &[
                "1970-01-01 00:00:00.001",
                "1969-12-31 23:59:59.999",
                "2299-12-31 23:59:59.999",
                "2024-01-01 00:00:00",
            ],
            &["x"],
        )
        .refusing(CLAMPS, &["2300-01-01 00:00:00", "1899-12-31 23:59:59"]),
        case("DateTime64(2)", Quoted, &["1970-01-01 00:00:00.01", "2024-02-29 12:00:00.99"], &["x"]),
        case("DateTime64(4)", Quoted, &["1970-01-01 00:00:00.0001"], &["x"]),
        case("DateTime64(8)", Quoted, &["1970-01-01 00:00:00.00000001"], &["x"]),
        case(
            "DateTime64(6)",
            Quoted,
            &["1970-01-01 00:00:00.000001", "1900-01-01 00:00:00.000000"],
            &["x"],
        ),
        case(
            "DateTime64(9)",
            Quoted,
            &["1970-01-01 00:00:00.000000001", "2262-04-11 23:47:16.854775807"],
            &["x"],
        ),
        case("DateTime64(3, 'Europe/Berlin')", Quoted, &["2024-07-01T12:00:00.5Z"], &["x"])
            .reading("2024-01-01 12:00:00.5", "2024-01-01 13:00:00.500", UTC),
        case("Time", Quoted, &["00:00:00", "12:34:56", "-01:00:00", "999:59:59"], &["x"])
            .without_files(),
        case("Time64(3)", Quoted, &["00:00:00.001", "12:34:56.789", "999:59:59.999"], &["x"])
            .without_files(),
        case("Time64(9)", Quoted, &["00:00:00.000000001"], &["x"]).without_files(),
        case("Enum8('a' = -1, 'b c' = 2)", Quoted, &["a", "b c"], &["z"]),
        case("Enum16('a' = -300, 'ü' = 300)", Quoted, &["a", "ü"], &["z"]),
        case(
            "IPv4",
            Quoted,
            &["0.0.0.0", "255.255.255.255", "192.168.1.10"],
            &["256.0.0.1", "1.2.3", "x"],
        ),
        case(
            "IPv6",
            Quoted,
            &["::", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "1.2.3.4"],
            &["x", "12345::"],
        ),
        case("Array(Int32)", Nested, &["[]", "[1,2,-2147483648]"], &["[1", "{}"])
            .refusing(WRAPS, &["[2147483648]"]),
        case("Array(String)", Nested, &["[]", "[\"a\",\"\\\"ü\\n\"]"], &["[1"]),
        case(
            "Array(Array(Nullable(Int64)))",
            Nested,
            &["[[1,null],[]]", "[]"],
            &["[1]", "[[\"x\"]]"],
        ),
        case("Array(LowCardinality(String))", Nested, &["[\"a\",\"b\",\"a\"]", "[]", "[[]]"], &[]),
        case(
            "Array(DateTime64(3, 'UTC'))",
            Nested,
            &["[\"2024-01-01 00:00:00.123\"]", "[]"],
            &["[\"x\"]"],
        ),
        case(
            "Tuple(Int32, String)",
            Nested,
            &["[1,\"a\"]", "[-5,\"\"]"],
            &["[1]", "[\"x\",\"a\"]"],
        ),
        case(
            "Tuple(a Int32, b Nullable(String))",
            Nested,
            &["{\"a\":1,\"b\":\"x\"}", "{\"a\":2,\"b\":null}"],
            &["{\"a\":\"x\",\"b\":\"y\"}"],
        ),
        case(
            "Map(String, Int64)",
            Nested,
            &["{}", "{\"a\":1,\"b\":-9223372036854775808}"],
            &["{\"a\":\"x\"}", "[1]"],
        ),
        case(
            "Map(LowCardinality(String), Array(Nullable(Float64)))",
            Nested,
            &["{}", "{\"a\":[1.5,null]}"],
            &["{\"a\":[\"x\"]}"],
        ),
        case("Map(UInt8, String)", Nested, &["{\"1\":\"a\"}", "{}"], &[])
            .refusing(WRAPS, &["{\"300\":\"a\"}"]),
        case("Nullable(Int32)", Bare, &["0", "-5"], &["x"]).refusing(WRAPS, &["2147483648"]),
        case("Nullable(String)", Quoted, &["a", "ü"], &[]),
        // No bad text: where ClickHouse is to pass over one here, it breaks the column (a logical error).
        case("Nullable(Decimal(38, 2))", Bare, &["0.01", "-5"], &[]),
        case("Nullable(UUID)", Quoted, &["01234567-89ab-cdef-fedc-ba9876543210"], &["x"]),
        case("Nullable(DateTime64(6, 'UTC'))", Quoted, &["2024-01-01 00:00:00.123456"], &["x"]),
        case("Nullable(FixedString(2))", Quoted, &["ab", "c"], &["abc"]),
        case("Nullable(Enum8('a' = 1))", Quoted, &["a"], &["b"]),
        case("Nullable(IPv6)", Quoted, &["::1"], &["x"]),
        case("LowCardinality(String)", Quoted, &["a", "b", "a", "ü"], &[]),
        case("LowCardinality(Nullable(String))", Quoted, &["a", "b", "a"], &[]),
        case("LowCardinality(FixedString(2))", Quoted, &["ab", "c", "ab"], &["abc"]),
        case("LowCardinality(Date)", Quoted, &["1970-01-01", "2149-06-06"], &["x"]),
        case("LowCardinality(UInt32)", Bare, &["0", "4294967295"], &["x"])
            .refusing(WRAPS, &["4294967296"]),
        case(
            "SimpleAggregateFunction(sum, UInt64)",
            Bare,
            &["0", "18446744073709551615"],
            &["-1", "x"],
        ),
        case("SimpleAggregateFunction(anyLast, Nullable(String))", Quoted, &["a"], &[]),
        case(
            "Nested(a Int8, b Nullable(String))",
            Nested,
            &["[]", "[{\"a\":1,\"b\":\"x\"},{\"a\":-128,\"b\":null}]"],
            &["[{\"a\":\"x\",\"b\":\"y\"}]"],
        )
        .refusing(WRAPS, &["[{\"a\":128,\"b\":\"y\"}]"])
        // ClickHouse writes one array for each field, and calls none of them `v`.
        .without_files(),
        case(
            "JSON",
            Nested,
            &[
                "{}",
                "{\"a\":1,\"b\":{\"c\":[1,2]}}",
                "{\"s\":\"ü\",\"f\":1.5,\"t\":true,\"n\":null,\"d\":\"2024-02-29\",\"o\":[{\"x\":1}]}",
                "{\"u\":18446744073709551615,\"i\":-9223372036854775808}",
            ],
            &[
                "[1]",
                "{\"a\":1,\"a\":2}",
                // Numbers of more than 64 bits.
                "{\"a\":18446744073709551616}",
                "{\"a\":[-9223372036854775809]}",
            ],
        )
        .refusing(ROUNDS, &["{\"a\":[9007199254740993,1.5]}"]),
        case(
            "SimpleAggregateFunction(max, JSON)",
            Nested,
            &["{\"a\":1}", "{\"b\":{\"c\":\"x\"}}"],
            &["[1]"],
        )
        .without_files(),
        case("Map(JSON, String)", Nested, &["{}"], &["[1]"])
            .reading("{\"{\\\"a\\\":1}\":\"x\"}", "{'{\"a\":1}':'x'}", KEY)
            .without_files(),
    ]
}
