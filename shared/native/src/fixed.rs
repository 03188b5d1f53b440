//! Values of one width, side by side as they lie in the server's memory.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowNativeType, DataType, Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, ToByteSlice, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use model::ColumnType;

use crate::column::{Sink, mismatch};
use crate::{NativeError, unit_of};

/// A column of scalars, `nulls` of which are NULL: zero there.
pub(crate) fn values(
    sink: &mut Sink<'_>,
    column_type: &ColumnType,
    array: &ArrayRef,
    nulls: Option<&NullBuffer>,
) -> Result<(), NativeError> {
    let start = sink.out.len();
    write(sink, column_type, array, nulls)?;
    if let Some(nulls) = nulls
        && !nulls.is_empty()
    {
        let written = &mut sink.out[start..];
        let width = written.len() / nulls.len();
        for row in (0..nulls.len()).filter(|row| nulls.is_null(*row)) {
            written[row * width..(row + 1) * width].fill(0);
        }
    }
    Ok(())
}

fn write(
    sink: &mut Sink<'_>,
    column_type: &ColumnType,
    array: &ArrayRef,
    nulls: Option<&NullBuffer>,
) -> Result<(), NativeError> {
    match (column_type, array.data_type()) {
        (ColumnType::Bool, DataType::Boolean) => {
            let bits = array.as_boolean().values();
            sink.out.extend(bits.iter().map(u8::from));
        }
        (ColumnType::Int(8) | ColumnType::Enum(8, _), DataType::Int8) => {
            copy::<Int8Type>(sink, array)
        }
        (ColumnType::Int(16) | ColumnType::Enum(16, _), DataType::Int16) => {
            copy::<Int16Type>(sink, array);
        }
        (ColumnType::Int(32), DataType::Int32) => copy::<Int32Type>(sink, array),
        (ColumnType::Int(64), DataType::Int64) => copy::<Int64Type>(sink, array),
        (ColumnType::UInt(8), DataType::UInt8) => copy::<UInt8Type>(sink, array),
        (ColumnType::UInt(16), DataType::UInt16) => copy::<UInt16Type>(sink, array),
        (ColumnType::UInt(32) | ColumnType::Ipv4, DataType::UInt32) => {
            copy::<UInt32Type>(sink, array)
        }
        (ColumnType::UInt(64), DataType::UInt64) => copy::<UInt64Type>(sink, array),
        (ColumnType::Float(32), DataType::Float32) => copy::<Float32Type>(sink, array),
        (ColumnType::Float(64), DataType::Float64) => copy::<Float64Type>(sink, array),
        (ColumnType::BFloat16, DataType::Float32) => {
            for value in array.as_primitive::<Float32Type>().values() {
                // Without its lower half, what says that it is no number may be gone.
                let value = if value.is_nan() { f32::NAN } else { *value };
                sink.out.extend_from_slice(&value.to_bits().to_le_bytes()[2..]);
            }
        }
        (ColumnType::Date32, DataType::Date32) => copy::<Date32Type>(sink, array),
        (ColumnType::Date, DataType::Date32) => {
            return narrow::<Date32Type, u16>(sink, column_type, array, nulls);
        }
        (ColumnType::DateTime(_), DataType::Timestamp(TimeUnit::Second, _)) => {
            return narrow::<TimestampSecondType, u32>(sink, column_type, array, nulls);
        }
        (ColumnType::DateTime64(precision, _), DataType::Timestamp(unit, _))
            if *unit == unit_of(*precision) =>
        {
            let step = step(*precision);
            match unit {
                TimeUnit::Second => ticks::<TimestampSecondType>(sink, array, step),
                TimeUnit::Millisecond => ticks::<TimestampMillisecondType>(sink, array, step),
                TimeUnit::Microsecond => ticks::<TimestampMicrosecondType>(sink, array, step),
                TimeUnit::Nanosecond => ticks::<TimestampNanosecondType>(sink, array, step),
            }
        }
        (ColumnType::Time, DataType::Duration(TimeUnit::Second)) => {
            return narrow::<DurationSecondType, i32>(sink, column_type, array, nulls);
        }
        (ColumnType::Time64(precision), DataType::Duration(unit))
            if *unit == unit_of(*precision) =>
        {
            let step = step(*precision);
            match unit {
                TimeUnit::Second => ticks::<DurationSecondType>(sink, array, step),
                TimeUnit::Millisecond => ticks::<DurationMillisecondType>(sink, array, step),
                TimeUnit::Microsecond => ticks::<DurationMicrosecondType>(sink, array, step),
                TimeUnit::Nanosecond => ticks::<DurationNanosecondType>(sink, array, step),
            }
        }
        (
            ColumnType::Decimal(precision, scale),
            DataType::Decimal128(_, held) | DataType::Decimal256(_, held),
        ) if i16::from(*held) == i16::from(*scale) => {
            return match (precision, array.data_type()) {
                (..=9, DataType::Decimal128(..)) => {
                    narrow::<Decimal128Type, i32>(sink, column_type, array, nulls)
                }
                (10..=18, DataType::Decimal128(..)) => {
                    narrow::<Decimal128Type, i64>(sink, column_type, array, nulls)
                }
                (19..=38, DataType::Decimal128(..)) => {
                    copy::<Decimal128Type>(sink, array);
                    Ok(())
                }
                (39.., DataType::Decimal256(..)) => {
                    copy::<Decimal256Type>(sink, array);
                    Ok(())
                }
                _ => Err(mismatch(sink, column_type, array)),
            };
        }
        (
            ColumnType::Int(bits @ (128 | 256)) | ColumnType::UInt(bits @ (128 | 256)),
            DataType::FixedSizeBinary(width),
        ) if i32::from(*bits / 8) == *width => {
            bytes(sink, array);
        }
        (ColumnType::FixedString(size), DataType::FixedSizeBinary(width))
            if u32::try_from(*width) == Ok(*size) =>
        {
            bytes(sink, array);
        }
        (ColumnType::Ipv6, DataType::FixedSizeBinary(16)) => bytes(sink, array),
        (ColumnType::Uuid, DataType::FixedSizeBinary(16)) => uuids(sink, array),
        _ => return Err(mismatch(sink, column_type, array)),
    }
    Ok(())
}

/// As they lie in memory.
fn copy<T: ArrowPrimitiveType>(sink: &mut Sink<'_>, array: &ArrayRef) {
    let values: &[T::Native] = array.as_primitive::<T>().values();
    sink.out.extend_from_slice(values.to_byte_slice());
}

fn bytes(sink: &mut Sink<'_>, array: &ArrayRef) {
    let array = array.as_fixed_size_binary();
    (0..array.len()).for_each(|row| sink.out.extend_from_slice(array.value(row)));
}

/// Two halves of 64 bits, the upper one first, each with its lowest byte first.
fn uuids(sink: &mut Sink<'_>, array: &ArrayRef) {
    let array = array.as_fixed_size_binary();
    sink.out.reserve(16 * array.len());
    for row in 0..array.len() {
        for half in array.value(row).chunks_exact(8) {
            sink.out.extend(half.iter().rev());
        }
    }
}

/// How many of the unit a tick of the precision is: 1, 10 or 100.
fn step(precision: u8) -> i64 {
    match precision % 3 {
        _ if precision == 0 => 1,
        1 => 100,
        2 => 10,
        _ => 1,
    }
}

/// Ticks of a precision whose unit may be finer; the mapper has cut the rest.
fn ticks<T: ArrowPrimitiveType<Native = i64>>(sink: &mut Sink<'_>, array: &ArrayRef, step: i64) {
    if step == 1 {
        return copy::<T>(sink, array);
    }
    let values = array.as_primitive::<T>().values();
    sink.out.reserve(8 * values.len());
    for value in values {
        sink.out.extend_from_slice(&value.div_euclid(step).to_le_bytes());
    }
}

/// A narrower integer than the one that holds the values. Under NULL there may
/// be anything.
fn narrow<T, N>(
    sink: &mut Sink<'_>,
    column_type: &ColumnType,
    array: &ArrayRef,
    nulls: Option<&NullBuffer>,
) -> Result<(), NativeError>
where
    T: ArrowPrimitiveType,
    N: TryFrom<T::Native> + ArrowNativeType + ToByteSlice,
{
    let mut narrowed: Vec<N> = Vec::with_capacity(array.len());
    for (row, value) in array.as_primitive::<T>().values().iter().enumerate() {
        match N::try_from(*value) {
            Ok(value) => narrowed.push(value),
            Err(_) if nulls.is_some_and(|nulls| nulls.is_null(row)) => narrowed.push(N::default()),
            Err(_) => {
                return Err(NativeError::Range {
                    column: sink.column.to_owned(),
                    value: format!("{value:?}"),
                    column_type: column_type.to_string(),
                });
            }
        }
    }
    sink.out.extend_from_slice(narrowed.to_byte_slice());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float32Array, RecordBatch};

    use super::*;
    use crate::BlockEncoder;

    /// The bits that tell it from an infinity may all be in the half that is left out.
    #[test]
    fn what_is_no_number_stays_none_in_sixteen_bits() {
        let values = [f32::from_bits(0x7f80_0001), f32::INFINITY, 1.5];
        let column: ArrayRef = Arc::new(Float32Array::from(values.to_vec()));
        let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
        let mut out = Vec::new();
        let encoder = BlockEncoder::new([("c".to_owned(), ColumnType::BFloat16)]);
        encoder.encode(&batch, &mut out).unwrap();
        assert!(out.ends_with(&[0xc0, 0x7f, 0x80, 0x7f, 0xc0, 0x3f]), "{out:x?}");
    }
}
