//! Takes the wrapping off a column: dictionaries, views, large offsets and the
//! narrow kinds of a type become the one kind that the casts know.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::{CastOptions, can_cast_types, cast, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::json_text::{Decimals, json_texts};
use super::{Bad, Casted, Fault};

/// The same values without wrapping.
pub(crate) fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let to = match array.data_type() {
        DataType::Dictionary(_, value) => return plain(&cast(array, value)?),
        DataType::RunEndEncoded(_, value) => return plain(&cast(array, value.data_type())?),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Date64 => DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => DataType::List(Arc::clone(field)),
        _ => return Ok(Arc::clone(array)),
    };
    cast(array, &to)
}

/// Casts by Arrow's kernel; values that it cannot represent are bad for the
/// given reason. Only for pairs of types in which the kernel never rounds.
pub(super) fn by_kernel(
    array: &ArrayRef,
    to: &DataType,
    fault: &Fault,
) -> Result<Casted, ArrowError> {
    let options = CastOptions { safe: true, format_options: FormatOptions::default() };
    let made = cast_with_options(array, to, &options)?;
    let bad = lost(array, &made, fault);
    Ok(Casted { array: made, bad })
}

/// The rows that are NULL only in the second array.
pub(super) fn lost(before: &dyn Array, after: &dyn Array, fault: &Fault) -> Vec<Bad> {
    if before.null_count() == after.null_count() {
        return Vec::new();
    }
    (0..after.len())
        .filter(|&row| after.is_null(row) && before.is_valid(row))
        .map(|row| Bad { row, fault: fault.clone() })
        .collect()
}

/// Every value as text: scalars as Arrow writes them, lists, structs and maps
/// as JSON. Bytes that are no UTF-8 come back as bad.
pub(crate) fn texts(array: &ArrayRef) -> Result<(StringArray, Vec<Bad>), ArrowError> {
    let none = Vec::new();
    match array.data_type() {
        DataType::Utf8 => Ok((array.as_string::<i32>().clone(), none)),
        DataType::FixedSizeBinary(_) => texts(&cast(array, &DataType::Binary)?),
        DataType::Binary => {
            let casted = by_kernel(array, &DataType::Utf8, &Fault::NotUtf8)?;
            Ok((casted.array.as_string::<i32>().clone(), casted.bad))
        }
        DataType::List(_) | DataType::Struct(_) | DataType::Map(..) => {
            json_texts(array, Decimals::Exact)
        }
        // The kernel gives the whole column up at one moment outside of the calendar.
        other if can_cast_types(other, &DataType::Utf8) => match cast(array, &DataType::Utf8) {
            Ok(made) => Ok((made.as_string::<i32>().clone(), none)),
            Err(_) => texts_one_by_one(array),
        },
        _ => texts_one_by_one(array),
    }
}

/// Every value as Arrow writes it; what it cannot write is bad.
fn texts_one_by_one(array: &ArrayRef) -> Result<(StringArray, Vec<Bad>), ArrowError> {
    let options = FormatOptions::default().with_display_error(false);
    let formatter = ArrayFormatter::try_new(array, &options)?;
    let mut made = StringBuilder::with_capacity(array.len(), 16 * array.len());
    let mut bad = Vec::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            made.append_null();
            continue;
        }
        match formatter.value(row).try_to_string() {
            Ok(text) => made.append_value(text),
            Err(error) => {
                made.append_null();
                bad.push(Bad { row, fault: Fault::Inside(error.to_string()) });
            }
        }
    }
    Ok((made.finish(), bad))
}

/// Reads every text by `parse`; NULL rows and bad rows get `T::default()`.
pub(super) fn parsed<T: Default + Copy>(
    array: &StringArray,
    mut bad: Vec<Bad>,
    mut parse: impl FnMut(&str) -> Result<T, Fault>,
) -> (Vec<T>, Vec<Bad>) {
    let mut values = Vec::with_capacity(array.len());
    let before = bad.len();
    let mut read = |row: usize| match parse(array.value(row)) {
        Ok(value) => value,
        Err(fault) => {
            bad.push(Bad { row, fault });
            T::default()
        }
    };
    match array.nulls() {
        None => values.extend((0..array.len()).map(&mut read)),
        Some(nulls) => values.extend(
            nulls
                .iter()
                .enumerate()
                .map(|(row, valid)| if valid { read(row) } else { T::default() }),
        ),
    }
    if before > 0 {
        bad.sort_by_key(|bad| bad.row);
    }
    (values, bad)
}
