//! The Arrow type that ClickHouse's ArrowStream reader takes for each column
//! type, so that the server converts as little as possible and never guesses.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use model::ColumnType;

/// The Arrow type of a column's values on the wire.
///
/// `LowCardinality` makes no difference: the server builds the dictionary.
/// `UUID` and `IPv6` are 16 bytes in network order. `Date` is a `Date32` whose
/// days were checked against the narrower range of `Date`. `Enum` is its name.
#[must_use]
pub fn arrow_type(column_type: &ColumnType) -> DataType {
    match column_type {
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int(8) => DataType::Int8,
        ColumnType::Int(16) => DataType::Int16,
        ColumnType::Int(32) => DataType::Int32,
        ColumnType::Int(_) => DataType::Int64,
        ColumnType::UInt(8) => DataType::UInt8,
        ColumnType::UInt(16) => DataType::UInt16,
        ColumnType::UInt(32) | ColumnType::Ipv4 => DataType::UInt32,
        ColumnType::UInt(_) => DataType::UInt64,
        ColumnType::Float(32) => DataType::Float32,
        ColumnType::Float(_) => DataType::Float64,
        // Both are at most 38, so the signed scale always fits.
        ColumnType::Decimal(precision, scale) => {
            DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
        }
        ColumnType::String | ColumnType::Enum(..) => DataType::Utf8,
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
        ColumnType::Nullable(inner) | ColumnType::LowCardinality(inner) => arrow_type(inner),
        ColumnType::Array(element) => DataType::List(Arc::new(arrow_field("item", element))),
        ColumnType::Tuple(fields) => DataType::Struct(
            fields
                .iter()
                .enumerate()
                .map(|(i, (name, inner))| {
                    // ClickHouse names the fields of an unnamed tuple from 1.
                    if name.is_empty() {
                        arrow_field(&(i + 1).to_string(), inner)
                    } else {
                        arrow_field(name, inner)
                    }
                })
                .collect(),
        ),
        ColumnType::Map(key, value) => {
            let entries =
                DataType::Struct(vec![arrow_field("key", key), arrow_field("value", value)].into());
            DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
        }
    }
}

/// The Arrow field of a column: nullable only where the type is.
#[must_use]
pub fn arrow_field(name: &str, column_type: &ColumnType) -> Field {
    Field::new(name, arrow_type(column_type), column_type.is_nullable())
}

/// The coarsest unit that holds every digit of a `DateTime64`.
pub(crate) fn unit_of(precision: u8) -> TimeUnit {
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
    #[case("Enum8('a' = 1)", "Utf8")]
    #[case("DateTime", "Timestamp(s, \"UTC\")")]
    #[case("DateTime64(4, 'Europe/Berlin')", "Timestamp(µs, \"Europe/Berlin\")")]
    #[case("Array(Nullable(Int8))", "List(Int8)")]
    #[case("Array(Int8)", "List(non-null Int8)")]
    fn types_map(#[case] clickhouse: &str, #[case] arrow: &str) {
        let found = arrow_type(&ColumnType::parse(clickhouse).unwrap());
        assert_eq!(found.to_string(), arrow);
    }
}
