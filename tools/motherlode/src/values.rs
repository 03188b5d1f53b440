//! A value of a mapped batch as JSON, as the column's type spells it.

use std::net::{Ipv4Addr, Ipv6Addr};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{DateTime, SecondsFormat};
use model::ColumnType;
use serde_json::{Map, Value, json};

/// The value at `row`.
#[must_use]
pub fn json_of(array: &dyn Array, row: usize, column_type: &ColumnType) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match (array.data_type(), column_type.bare()) {
        (DataType::Boolean, _) => json!(array.as_boolean().value(row)),
        (DataType::Utf8, _) => json!(array.as_string::<i32>().value(row)),
        (DataType::LargeUtf8, _) => json!(array.as_string::<i64>().value(row)),
        (DataType::Utf8View, _) => json!(array.as_string_view().value(row)),
        (DataType::Binary, _) => json!(text_or_digits(array.as_binary::<i32>().value(row))),
        (DataType::LargeBinary, _) => json!(text_or_digits(array.as_binary::<i64>().value(row))),
        (DataType::BinaryView, _) => json!(text_or_digits(array.as_binary_view().value(row))),
        (DataType::FixedSizeBinary(_), bare) => {
            bytes(array.as_fixed_size_binary().value(row), bare)
        }
        (DataType::UInt32, ColumnType::Ipv4) => {
            json!(Ipv4Addr::from_bits(at::<UInt32Type>(array, row)).to_string())
        }
        (DataType::Dictionary(..), _) => {
            let dictionary = array.as_any_dictionary();
            json_of(dictionary.values(), dictionary.normalized_keys()[row], column_type)
        }
        (DataType::Int8, ColumnType::Enum(_, values)) => {
            enumerated(i64::from(at::<Int8Type>(array, row)), values)
        }
        (DataType::Int16, ColumnType::Enum(_, values)) => {
            enumerated(i64::from(at::<Int16Type>(array, row)), values)
        }
        (DataType::Int8, _) => json!(at::<Int8Type>(array, row)),
        (DataType::Int16, _) => json!(at::<Int16Type>(array, row)),
        (DataType::Int32, _) => json!(at::<Int32Type>(array, row)),
        (DataType::Int64, _) => json!(at::<Int64Type>(array, row)),
        (DataType::UInt8, _) => json!(at::<UInt8Type>(array, row)),
        (DataType::UInt16, _) => json!(at::<UInt16Type>(array, row)),
        (DataType::UInt32, _) => json!(at::<UInt32Type>(array, row)),
        (DataType::UInt64, _) => json!(at::<UInt64Type>(array, row)),
        (DataType::Float32, _) => float(f64::from(at::<Float32Type>(array, row))),
        (DataType::Float64, _) => float(at::<Float64Type>(array, row)),
        (DataType::Decimal128(..), _) => {
            json!(array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        (DataType::Decimal256(..), _) => {
            json!(array.as_primitive::<Decimal256Type>().value_as_string(row))
        }
        (DataType::Duration(unit), _) => duration(array, row, *unit),
        (DataType::Date32, _) => date(at::<Date32Type>(array, row)),
        (DataType::Timestamp(unit, _), _) => time(array, row, *unit),
        (DataType::List(_), ColumnType::Array(element)) => {
            let list = array.as_list::<i32>().value(row);
            (0..list.len()).map(|i| json_of(&list, i, element)).collect()
        }
        (DataType::List(_), ColumnType::Nested(fields)) => {
            let list = array.as_list::<i32>().value(row);
            let tuple = ColumnType::Tuple(fields.clone());
            (0..list.len()).map(|i| json_of(&list, i, &tuple)).collect()
        }
        (DataType::Struct(_), ColumnType::Tuple(fields)) => {
            let inner = array.as_struct();
            let pairs = inner.fields().iter().zip(inner.columns()).zip(fields);
            let map: Map<_, _> = pairs
                .map(|((field, column), (_, inner_type))| {
                    (field.name().clone(), json_of(column, row, inner_type))
                })
                .collect();
            Value::Object(map)
        }
        (DataType::Map(..), ColumnType::Map(key, value)) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let pairs = (0..entries.len())
                .map(|i| (text_of(&json_of(keys, i, key)), json_of(values, i, value)));
            Value::Object(pairs.collect())
        }
        // The transform makes no other types.
        (other, _) => json!(format!("({other})")),
    }
}

/// Bytes as the text that they are, or else as hexadecimal digits.
fn text_or_digits(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// A value for a table.
#[must_use]
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn at<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

/// JSON has no word for what is no number.
fn float(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

fn bytes(bytes: &[u8], column_type: &ColumnType) -> Value {
    match (column_type, <[u8; 16]>::try_from(bytes)) {
        (ColumnType::Uuid, Ok(bytes)) => json!(uuid::Uuid::from_bytes(bytes).to_string()),
        (ColumnType::Int(128), Ok(bytes)) => json!(i128::from_le_bytes(bytes).to_string()),
        (ColumnType::UInt(128), Ok(bytes)) => json!(u128::from_le_bytes(bytes).to_string()),
        (ColumnType::Int(_) | ColumnType::UInt(_), _) => hexadecimal(bytes),
        (ColumnType::Ipv6, Ok(bytes)) => json!(Ipv6Addr::from(bytes).to_string()),
        _ => json!(String::from_utf8_lossy(bytes).trim_end_matches('\0')),
    }
}

/// Integers of 256 bits, which nothing here can write in decimal digits.
fn hexadecimal(bytes: &[u8]) -> Value {
    let digits: String = bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect();
    json!(format!("0x{digits}"))
}

fn enumerated(number: i64, values: &[(String, i16)]) -> Value {
    let name = values.iter().find(|(_, value)| i64::from(*value) == number);
    name.map_or_else(|| json!(number), |(name, _)| json!(name))
}

/// Hours, minutes and seconds, with the digits that the unit has.
fn duration(array: &dyn Array, row: usize, unit: TimeUnit) -> Value {
    let (ticks, per_second, digits) = match unit {
        TimeUnit::Second => (at::<DurationSecondType>(array, row), 1, 0),
        TimeUnit::Millisecond => (at::<DurationMillisecondType>(array, row), 1_000, 3),
        TimeUnit::Microsecond => (at::<DurationMicrosecondType>(array, row), 1_000_000, 6),
        TimeUnit::Nanosecond => (at::<DurationNanosecondType>(array, row), 1_000_000_000, 9),
    };
    let sign = if ticks < 0 { "-" } else { "" };
    let (whole, rest) = (ticks.unsigned_abs() / per_second, ticks.unsigned_abs() % per_second);
    let clock = format!("{sign}{:02}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60);
    json!(if digits == 0 { clock } else { format!("{clock}.{rest:0digits$}") })
}

fn date(days: i32) -> Value {
    let time = DateTime::from_timestamp(i64::from(days) * 86_400, 0);
    time.map_or_else(|| json!(days), |time| json!(time.format("%Y-%m-%d").to_string()))
}

/// A time in UTC, with the digits that its unit has.
fn time(array: &dyn Array, row: usize, unit: TimeUnit) -> Value {
    let (time, digits) = match unit {
        TimeUnit::Second => (
            DateTime::from_timestamp(at::<TimestampSecondType>(array, row), 0),
            SecondsFormat::Secs,
        ),
        TimeUnit::Millisecond => (
            DateTime::from_timestamp_millis(at::<TimestampMillisecondType>(array, row)),
            SecondsFormat::Millis,
        ),
        TimeUnit::Microsecond => (
            DateTime::from_timestamp_micros(at::<TimestampMicrosecondType>(array, row)),
            SecondsFormat::Micros,
        ),
        TimeUnit::Nanosecond => (
            Some(DateTime::from_timestamp_nanos(at::<TimestampNanosecondType>(array, row))),
            SecondsFormat::Nanos,
        ),
    };
    time.map_or(Value::Null, |time| json!(time.to_rfc3339_opts(digits, true)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, BinaryViewArray, Date32Array, FixedSizeBinaryArray, Float64Array,
        LargeBinaryArray, LargeStringArray, ListBuilder, MapBuilder, StringViewArray,
        StringViewBuilder, TimestampMillisecondArray, UInt32Array,
    };
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Arc::new(Date32Array::from(vec![1])), "Date", json!("1970-01-02"))]
    #[case(Arc::new(Float64Array::from(vec![f64::NAN])), "Float64", json!("NaN"))]
    #[case(Arc::new(UInt32Array::from(vec![0x7f00_0001])), "IPv4", json!("127.0.0.1"))]
    #[case(Arc::new(UInt32Array::from(vec![None])), "Nullable(UInt32)", Value::Null)]
    #[case(Arc::new(TimestampMillisecondArray::from(vec![1_500])), "DateTime64(3)", json!("1970-01-01T00:00:01.500Z"))]
    #[case(Arc::new(LargeStringArray::from(vec!["a"])), "String", json!("a"))]
    #[case(Arc::new(StringViewArray::from(vec!["a text that is no longer inline"])), "String", json!("a text that is no longer inline"))]
    #[case(Arc::new(BinaryViewArray::from(vec![&b"a"[..]])), "String", json!("a"))]
    #[case(Arc::new(BinaryViewArray::from(vec![&b"\xff"[..]])), "Nullable(String)", json!("ff"))]
    #[case(Arc::new(LargeBinaryArray::from(vec![&b"a"[..]])), "String", json!("a"))]
    #[case(list_of_views(), "Array(String)", json!(["a", "b"]))]
    #[case(map_of_views(), "Map(String, String)", json!({"a": "x", "b": "y"}))]
    #[case(Arc::new(BinaryArray::from(vec![&b"a"[..]])), "String", json!("a"))]
    #[case(Arc::new(BinaryArray::from(vec![&b"\xff\x00"[..]])), "String", json!("ff00"))]
    #[case(Arc::new(FixedSizeBinaryArray::try_from(vec![&[0_u8; 16][..]]).unwrap()), "UUID", json!("00000000-0000-0000-0000-000000000000"))]
    fn values_are_spelt_by_their_type(
        #[case] array: ArrayRef,
        #[case] column_type: &str,
        #[case] expected: Value,
    ) {
        assert_eq!(json_of(&array, 0, &ColumnType::parse(column_type).unwrap()), expected);
    }

    fn list_of_views() -> ArrayRef {
        let mut list = ListBuilder::new(StringViewBuilder::new());
        list.append_value([Some("a"), Some("b")]);
        Arc::new(list.finish())
    }

    fn map_of_views() -> ArrayRef {
        let mut map = MapBuilder::new(None, StringViewBuilder::new(), StringViewBuilder::new());
        for (key, value) in [("a", "x"), ("b", "y")] {
            map.keys().append_value(key);
            map.values().append_value(value);
        }
        map.append(true).unwrap();
        Arc::new(map.finish())
    }
}
