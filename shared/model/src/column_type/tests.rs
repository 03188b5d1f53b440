//! Types are read as ClickHouse spells them, and written back the same.

use super::*;
use rstest::rstest;

#[rstest]
#[case("Bool")]
#[case("UInt64")]
#[case("Decimal(18, 4)")]
#[case("FixedString(16)")]
#[case("DateTime('Europe/Berlin')")]
#[case("DateTime64(6, 'UTC')")]
#[case("Enum8('a' = 1, 'it\\'s' = -2)")]
#[case("LowCardinality(Nullable(String))")]
#[case("Array(Tuple(`a` Int32, `b c` Array(String)))")]
#[case("Tuple(Int32, Nullable(Float64))")]
#[case("Map(String, Array(UInt8))")]
#[case("Int256")]
#[case("UInt128")]
#[case("BFloat16")]
#[case("Decimal(76, 76)")]
#[case("Time")]
#[case("Time64(6)")]
#[case("LowCardinality(Nullable(UInt16))")]
#[case("Nested(`a` Int32, `b` Array(String))")]
#[case("JSON")]
#[case("SimpleAggregateFunction(max, Nullable(UInt64))")]
#[case("SimpleAggregateFunction(max, JSON)")]
#[case("SimpleAggregateFunction(sumMap, Map(String, Nullable(Int64)))")]
#[case("SimpleAggregateFunction(sumMap, Tuple(Array(Int8), Array(Int64), Array(Float64)))")]
#[case("SimpleAggregateFunction(minMap, Map(String, Nullable(String)))")]
#[case("SimpleAggregateFunction(groupUniqArrayArrayMap, Map(String, Array(Int8)))")]
#[case("SimpleAggregateFunction(groupArrayArray, Array(Tuple(`a` Nullable(Int8))))")]
#[case("Map(JSON, String)")]
#[case("Tuple(`a\\`b` Int8, `c\\\\d` Int8)")]
fn types_survive_a_round_trip(#[case] text: &str) {
    assert_eq!(ColumnType::parse(text).unwrap().to_string(), text);
}

#[rstest]
#[case("Strng", "unknown column type `Strng`")]
#[case("integer", "did you mean `Int32`?")]
#[case("string", "did you mean `String`?")]
#[case("Array(Int32", ") expected at character 12")]
#[case("Int32)", "the end expected")]
#[case("Decimal(80, 2)", "a precision of 1 to 76 expected, not 80")]
#[case("Decimal(4, 5)", "the scale must not be above")]
#[case("Nullable(Array(Int8))", "does not exist in ClickHouse")]
#[case("Nullable(JSON)", "or write Nullable(String)")]
#[case("Array(Nullable(JSON))", "or write Nullable(String)")]
#[case("LowCardinality(UUID)", "use it for String")]
#[case("LowCardinality(UInt128)", "numbers up to 64 bits")]
#[case("Dynamic", "write the type of the values here")]
#[case("Array(Variant(Int8, String))", "create the table with it yourself")]
#[case("JSON(a Int8)", "write JSON")]
#[case("SimpleAggregateFunction(uniq, UInt64)", "known are any")]
#[case("AggregateFunction(uniq, UInt64)", "unknown column type")]
#[case("Nested(Int8)", "field 1 has no name")]
#[case("Enum8('a' = 200)", "does not fit")]
#[case("Enum8('a' = 1, 'b' = 1)", "repeats a name or a value")]
#[case("Map(Nullable(String), Int8)", "a key cannot be NULL")]
#[case("Map(LowCardinality(Nullable(String)), Int8)", "a key cannot be NULL")]
#[case("Map(SimpleAggregateFunction(max, Nullable(String)), Int8)", "a key cannot be NULL")]
#[case("DateTime('Nowhere/Zone')", "is no time zone")]
#[case("Array(DateTime64(3, 'CEST'))", "is no time zone")]
#[case("Tuple(a Int8, a Int8)", "the field `a` stands twice")]
#[case("Nested(a Int8, `a` String)", "the field `a` stands twice")]
#[case("Tuple(a Int8, Int8)", "either all fields have names or none has")]
#[case("SimpleAggregateFunction(sum, Int8)", "integers of 64 bits and more")]
#[case("SimpleAggregateFunction(sum, LowCardinality(UInt8))", "integers of 64 bits and more")]
#[case("SimpleAggregateFunction(sum, String)", "integers of 64 bits and more")]
#[case("SimpleAggregateFunction(groupArrayArray, Int8)", "use it for arrays")]
#[case(
    "SimpleAggregateFunction(groupArrayArray, Array(Nullable(Int8)))",
    "arrays without Nullable"
)]
#[case("SimpleAggregateFunction(groupUniqArrayArrayMap, Map(String, Int8))", "maps of arrays")]
#[case("SimpleAggregateFunction(sumMap, Map(String, UInt8))", "integers of 64 bits and more")]
#[case("SimpleAggregateFunction(sumMap, Map(String, String))", "integers of 64 bits and more")]
#[case("SimpleAggregateFunction(minMap, Tuple(Array(Int8)))", "two or more arrays")]
#[case("SimpleAggregateFunction(maxMap, Tuple(a Array(Int8), b Array(Int8)))", "without names")]
#[case("SimpleAggregateFunction(groupBitAnd, Float64)", "integers of up to 64 bits")]
fn mistakes_are_named(#[case] text: &str, #[case] message: &str) {
    let error = ColumnType::parse(text).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn deep_nesting_is_refused_not_followed() {
    let text = format!("{}Int8{}", "Array(".repeat(100_000), ")".repeat(100_000));
    assert!(ColumnType::parse(&text).unwrap_err().to_string().contains("nested more than 32 deep"));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = ColumnType::parse(&text);
    }
}

#[rstest]
#[case("Decimal32(4)", "Decimal(9, 4)")]
#[case("Decimal256(0)", "Decimal(76, 0)")]
#[case("Decimal(5)", "Decimal(5, 0)")]
fn other_spellings_are_taken(#[case] text: &str, #[case] canonical: &str) {
    assert_eq!(ColumnType::parse(text).unwrap().to_string(), canonical);
}
