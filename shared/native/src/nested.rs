//! Arrays, tuples and maps: where each row ends, then the values of all rows
//! together.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use model::ColumnType;

use crate::NativeError;
use crate::column::{Sink, mismatch, values};

/// `Array(element)`.
pub(crate) fn array(
    sink: &mut Sink<'_>,
    element: &ColumnType,
    column_type: &ColumnType,
    array: &ArrayRef,
) -> Result<(), NativeError> {
    let elements = elements(sink, column_type, array)?;
    values(sink, element, &elements)
}

/// `Nested(fields)` where the table keeps it as one array of tuples.
pub(crate) fn rows(
    sink: &mut Sink<'_>,
    fields: &[(String, ColumnType)],
    column_type: &ColumnType,
    array: &ArrayRef,
) -> Result<(), NativeError> {
    let elements = elements(sink, column_type, array)?;
    tuple(sink, fields, column_type, &elements)
}

/// Writes where the rows of a list end, and gives the elements of all of them.
fn elements(
    sink: &mut Sink<'_>,
    column_type: &ColumnType,
    array: &ArrayRef,
) -> Result<ArrayRef, NativeError> {
    let Some(list) = array.as_list_opt::<i32>() else {
        return Err(mismatch(sink, column_type, array));
    };
    let (start, length) = ends(sink, list.offsets());
    Ok(list.values().slice(start, length))
}

/// `Map(key, value)`: an array of pairs.
pub(crate) fn map(
    sink: &mut Sink<'_>,
    key: &ColumnType,
    value: &ColumnType,
    column_type: &ColumnType,
    array: &ArrayRef,
) -> Result<(), NativeError> {
    let Some(map) = array.as_map_opt() else {
        return Err(mismatch(sink, column_type, array));
    };
    let (start, length) = ends(sink, map.offsets());
    values(sink, key, &map.keys().slice(start, length))?;
    values(sink, value, &map.values().slice(start, length))
}

/// `Tuple(fields)`: one column after the other.
pub(crate) fn tuple(
    sink: &mut Sink<'_>,
    fields: &[(String, ColumnType)],
    column_type: &ColumnType,
    array: &ArrayRef,
) -> Result<(), NativeError> {
    let DataType::Struct(held) = array.data_type() else {
        return Err(mismatch(sink, column_type, array));
    };
    // By position, and a name that is known must be the one that is there.
    let fit = |((name, _), held): (&(String, ColumnType), &Arc<Field>)| {
        name.is_empty() || name == held.name()
    };
    if held.len() != fields.len() || !fields.iter().zip(held).all(fit) {
        return Err(mismatch(sink, column_type, array));
    }
    let tuple: &StructArray = array.as_struct();
    for ((_, field), column) in fields.iter().zip(tuple.columns()) {
        values(sink, field, column)?;
    }
    Ok(())
}

/// Where each row ends, counted from the first element that is written; gives
/// that element's place and how many there are.
fn ends(sink: &mut Sink<'_>, offsets: &OffsetBuffer<i32>) -> (usize, usize) {
    let place = |offset: i32| usize::try_from(offset).unwrap_or_default();
    let start = place(offsets[0]);
    let mut end = start;
    sink.out.reserve(8 * offsets.len());
    for offset in offsets.get(1..).unwrap_or_default() {
        end = place(*offset);
        sink.out.extend_from_slice(&((end - start) as u64).to_le_bytes());
    }
    (start, end - start)
}
