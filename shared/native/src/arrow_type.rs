//! The Arrow type in which a column's values are held between the stages:
//! what decoders build where they can, what the mapper makes of the rest, and
//! what [`crate::BlockEncoder`] writes without looking at single values.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use model::ColumnType;

/// The Arrow type of a column's values.
///
/// - `LowCardinality` makes no difference here; its values may as well be a
///   dictionary of that type, and then stay one on the wire.
/// - `UUID` and `IPv6` are 16 bytes in network order; integers beyond 64 bits
///   are their bytes, the lowest first.
/// - `Date` is a `Date32` whose days were checked against the narrower range.
/// - `Enum` is the number, `Time` a duration, `JSON` its text.
/// - `BFloat16` is the `Float32` whose upper half is kept.
#[must_use]
pub fn arrow_type(column_type: &ColumnType) -> DataType {
    match column_type {
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int(8) => DataType::Int8,
        ColumnType::Int(16) => DataType::Int16,
        ColumnType::Int(32) => DataType::Int32,
        ColumnType::Int(64) => DataType::Int64,
        ColumnType::UInt(8) => DataType::UInt8,
        ColumnType::UInt(16) => DataType::UInt16,
        ColumnType::UInt(32) | ColumnType::Ipv4 => DataType::UInt32,
        ColumnType::UInt(64) => DataType::UInt64,
        // The parser allows 128 and 256 besides.
        ColumnType::Int(bits) | ColumnType::UInt(bits) => {
            DataType::FixedSizeBinary(i32::from(*bits / 8))
        }
        ColumnType::Float(32) | ColumnType::BFloat16 => DataType::Float32,
        ColumnType::Float(_) => DataType::Float64,
        // Both are at most 76, so the signed scale always fits.
        ColumnType::Decimal(precision @ ..=38, scale) => {
            DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
        }
        ColumnType::Decimal(precision, scale) => {
            DataType::Decimal256(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
        }
        ColumnType::Enum(8, _) => DataType::Int8,
        ColumnType::Enum(..) => DataType::Int16,
        ColumnType::String | ColumnType::Json => DataType::Utf8,
        // The parser allows at most 16 MiB.
        ColumnType::FixedString(size) => {
            DataType::FixedSizeBinary(i32::try_from(*size).unwrap_or(i32::MAX))
        }
        ColumnType::Uuid | ColumnType::Ipv6 => DataType::FixedSizeBinary(16),
        ColumnType::Date | ColumnType::Date32 => DataType::Date32,
        ColumnType::DateTime(zone) => {
            DataType::Timestamp(TimeUnit::Second, Some(zone_or_utc(zone.as_deref())))
        }
        ColumnType::DateTime64(precision, zone) => {
            DataType::Timestamp(unit_of(*precision), Some(zone_or_utc(zone.as_deref())))
        }
        ColumnType::Time => DataType::Duration(TimeUnit::Second),
        ColumnType::Time64(precision) => DataType::Duration(unit_of(*precision)),
        ColumnType::Nullable(inner)
        | ColumnType::LowCardinality(inner)
        | ColumnType::SimpleAggregate(_, inner) => arrow_type(inner),
        ColumnType::Array(element) => DataType::List(Arc::new(arrow_field("item", element))),
        ColumnType::Tuple(fields) => struct_of(fields),
        ColumnType::Nested(fields) => {
            DataType::List(Arc::new(Field::new("item", struct_of(fields), false)))
        }
        ColumnType::Map(key, value) => {
            let entries =
                DataType::Struct(vec![arrow_field("key", key), arrow_field("value", value)].into());
            DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
        }
    }
}

fn struct_of(fields: &[(String, ColumnType)]) -> DataType {
    let field = |(i, (name, inner)): (usize, &(String, ColumnType))| {
        // ClickHouse names the fields of an unnamed tuple from 1.
        if name.is_empty() {
            arrow_field(&(i + 1).to_string(), inner)
        } else {
            arrow_field(name, inner)
        }
    };
    DataType::Struct(fields.iter().enumerate().map(field).collect())
}

/// The Arrow field of a column: nullable only where the type is.
#[must_use]
pub fn arrow_field(name: &str, column_type: &ColumnType) -> Field {
    Field::new(name, arrow_type(column_type), column_type.is_nullable())
}

/// The coarsest unit that holds every digit of a `DateTime64` or a `Time64`.
#[must_use]
pub fn unit_of(precision: u8) -> TimeUnit {
    match precision {
        0 => TimeUnit::Second,
        1..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

fn zone_or_utc(zone: Option<&str>) -> Arc<str> {
    Arc::from(zone.unwrap_or("UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Bool", "Boolean")]
    #[case("UInt64", "UInt64")]
    #[case("LowCardinality(Nullable(String))", "Utf8")]
    #[case("Decimal(18, 4)", "Decimal128(18, 4)")]
    #[case("FixedString(5)", "FixedSizeBinary(5)")]
    #[case("UUID", "FixedSizeBinary(16)")]
    #[case("Enum8('a' = 1)", "Int8")]
    #[case("Enum16('a' = 1)", "Int16")]
    #[case("UInt256", "FixedSizeBinary(32)")]
    #[case("Decimal(40, 4)", "Decimal256(40, 4)")]
    #[case("Time64(4)", "Duration(µs)")]
    #[case("SimpleAggregateFunction(sum, UInt64)", "UInt64")]
    #[case("Nested(a Int8)", "List(non-null Struct(\"a\": non-null Int8))")]
    #[case("DateTime", "Timestamp(s, \"UTC\")")]
    #[case("DateTime64(4, 'Europe/Berlin')", "Timestamp(µs, \"Europe/Berlin\")")]
    #[case("Array(Nullable(Int8))", "List(Int8)")]
    #[case("Array(Int8)", "List(non-null Int8)")]
    fn types_map(#[case] clickhouse: &str, #[case] arrow: &str) {
        let found = arrow_type(&ColumnType::parse(clickhouse).unwrap());
        assert_eq!(found.to_string(), arrow);
    }
}
