//! Makes the parts of a list, tuple or map fit their own field: where NULL is
//! not allowed there must be a value, even in a part of a value that is bad.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, BooleanArray, ListArray, MapArray, Scalar, StructArray, make_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::is_null;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::{Bad, Casted, Fault, Target};

/// The cast of a part: NULL is a fault where the type takes none, and the
/// array then holds a blank instead.
pub(super) fn complete(target: &Target, array: &ArrayRef) -> Result<Casted, ArrowError> {
    let mut casted = target.cast(array)?;
    if target.column_type.is_nullable() || casted.array.null_count() == 0 {
        return Ok(casted);
    }
    let nulls: BooleanArray = is_null(&casted.array)?;
    casted.array = zip(&nulls, &Scalar::new(blank(casted.array.data_type())?), &casted.array)?;
    let known = casted.bad.len();
    for row in nulls.values().set_indices() {
        if casted.bad[..known].binary_search_by_key(&row, |bad| bad.row).is_err() {
            casted.bad.push(Bad { row, fault: Fault::Null });
        }
    }
    casted.bad.sort_by_key(|bad| bad.row);
    Ok(casted)
}

/// One value that is not NULL: zero, empty, or made of such.
fn blank(data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    Ok(match data_type {
        DataType::List(field) => {
            let values = arrow::array::new_empty_array(field.data_type());
            Arc::new(ListArray::try_new(
                Arc::clone(field),
                OffsetBuffer::new_zeroed(1),
                values,
                None,
            )?)
        }
        DataType::Struct(fields) => {
            let children =
                fields.iter().map(|field| blank(field.data_type())).collect::<Result<_, _>>()?;
            Arc::new(StructArray::try_new_with_length(fields.clone(), children, None, 1)?)
        }
        DataType::Map(field, ordered) => {
            let entries =
                StructArray::from(arrow::array::new_empty_array(field.data_type()).to_data());
            Arc::new(MapArray::try_new(
                Arc::clone(field),
                OffsetBuffer::new_zeroed(1),
                entries,
                None,
                *ordered,
            )?)
        }
        // Arrow fills the buffers of NULL with zeros.
        scalar => make_array(ArrayData::new_null(scalar, 1).into_builder().nulls(None).build()?),
    })
}

/// The faults of the parts as faults of the wholes: the first of each whole
/// that is not NULL.
pub(super) fn blame(
    parts: Vec<Bad>,
    offsets: &OffsetBuffer<i32>,
    nulls: Option<&NullBuffer>,
    mut words: impl FnMut(usize, usize, Fault) -> Fault,
) -> Vec<Bad> {
    let mut bad: Vec<Bad> = Vec::new();
    let ends: Vec<usize> =
        offsets.iter().skip(1).map(|end| usize::try_from(*end).unwrap_or_default()).collect();
    for part in parts {
        let row = ends.partition_point(|end| *end <= part.row);
        let known = bad.last().is_some_and(|last| last.row == row);
        if row < ends.len() && !known && nulls.is_none_or(|nulls| nulls.is_valid(row)) {
            let start = if row == 0 { 0 } else { ends[row - 1] };
            bad.push(Bad { row, fault: words(part.row, part.row - start, part.fault) });
        }
    }
    bad
}

/// Two lists of bad rows as one, in order; of two faults of a row, the first list's.
pub(super) fn merged(mut first: Vec<Bad>, second: Vec<Bad>) -> Vec<Bad> {
    if second.is_empty() {
        return first;
    }
    first.extend(second);
    // The sort is stable, so the first list's fault stays in front.
    first.sort_by_key(|bad| bad.row);
    first.dedup_by_key(|bad| bad.row);
    first
}
