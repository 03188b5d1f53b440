//! The column type that holds every value of an Arrow type, for columns that
//! nobody has typed by hand.

use arrow::datatypes::{DataType, Field, TimeUnit};
use model::ColumnType;

/// The smallest column type that holds every value of an Arrow type, without
/// what NULLs at its own level make of it. Inside, a type is Nullable where the
/// field says so and the type can be.
///
/// `None` for types that no column holds as they are, such as intervals, unions
/// and lists of them.
#[must_use]
pub fn natural_type(data_type: &DataType) -> Option<ColumnType> {
    Some(match data_type {
        DataType::Boolean => ColumnType::Bool,
        DataType::Int8 => ColumnType::Int(8),
        DataType::Int16 => ColumnType::Int(16),
        DataType::Int32 => ColumnType::Int(32),
        DataType::Int64 => ColumnType::Int(64),
        DataType::UInt8 => ColumnType::UInt(8),
        DataType::UInt16 => ColumnType::UInt(16),
        DataType::UInt32 => ColumnType::UInt(32),
        DataType::UInt64 => ColumnType::UInt(64),
        DataType::Float16 | DataType::Float32 => ColumnType::Float(32),
        DataType::Float64 => ColumnType::Float(64),
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::Null => ColumnType::String,
        DataType::FixedSizeBinary(size) => ColumnType::FixedString(u32::try_from(*size).ok()?),
        DataType::Date32 | DataType::Date64 => ColumnType::Date32,
        // `DateTime` begins in 1970 and ends in 2106.
        DataType::Timestamp(unit, zone) => {
            ColumnType::DateTime64(digits(*unit), Some(zone_of(zone.as_deref())))
        }
        DataType::Time32(TimeUnit::Second) => ColumnType::Time,
        DataType::Time32(unit) | DataType::Time64(unit) => ColumnType::Time64(digits(*unit)),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            ColumnType::Decimal(*precision, u8::try_from(*scale).ok()?)
        }
        DataType::Dictionary(_, values) => return natural_type(values),
        DataType::RunEndEncoded(_, values) => return natural_type(values.data_type()),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => ColumnType::Array(Box::new(inner(element)?)),
        DataType::Struct(fields) if !fields.is_empty() => {
            let fields = fields.iter().map(|field| Some((field.name().clone(), inner(field)?)));
            ColumnType::Tuple(fields.collect::<Option<_>>()?)
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(entry) = entries.data_type() else { return None };
            let [key, value] = entry.as_ref() else { return None };
            ColumnType::Map(Box::new(natural_type(key.data_type())?), Box::new(inner(value)?))
        }
        _ => return None,
    })
}

fn inner(field: &Field) -> Option<ColumnType> {
    let inner = natural_type(field.data_type())?;
    let can_be_null =
        !matches!(inner, ColumnType::Array(_) | ColumnType::Tuple(_) | ColumnType::Map(..));
    Some(if field.is_nullable() && can_be_null {
        ColumnType::Nullable(Box::new(inner))
    } else {
        inner
    })
}

fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// A zone that ClickHouse knows; offsets such as `+02:00` are instants, which
/// UTC shows as well.
fn zone_of(zone: Option<&str>) -> String {
    zone.filter(|zone| zone.starts_with(|c: char| c.is_ascii_alphabetic()))
        .unwrap_or("UTC")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_types_are_nullable_where_they_can_be() {
        let list =
            |inner: DataType, nullable| DataType::List(Field::new("item", inner, nullable).into());
        let fields = vec![
            Field::new("a", DataType::Int32, true),
            Field::new("b", list(DataType::Utf8, false), true),
        ];
        let nested = list(DataType::Struct(fields.into()), true);
        assert_eq!(
            natural_type(&nested).unwrap().to_string(),
            "Array(Tuple(`a` Nullable(Int32), `b` Array(String)))"
        );
        let seconds = DataType::Timestamp(TimeUnit::Second, None);
        assert_eq!(natural_type(&seconds).unwrap().to_string(), "DateTime64(0, 'UTC')");
        let interval = DataType::Interval(arrow::datatypes::IntervalUnit::YearMonth);
        assert_eq!(natural_type(&list(interval, false)), None);
    }
}
