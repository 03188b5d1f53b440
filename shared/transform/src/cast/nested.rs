//! Lists, tuples and maps: from Arrow's own, or from JSON texts. Either way
//! they are taken apart into columns, which are cast like any other column.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, new_null_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields};
use arrow::error::ArrowError;

use super::complete::{blame, complete, merged};
use super::plain::texts;
use super::{Bad, Casted, Fault, Target, json_split};

/// To `Array(element)`: a list, or the text of a JSON array.
pub(super) fn list(
    array: &ArrayRef,
    element: &Target,
    data_type: &DataType,
) -> Result<Casted, ArrowError> {
    let DataType::List(field) = data_type else { return Err(unplanned(data_type)) };
    let (offsets, values, nulls, bad) = if let Some(list) = array.as_list_opt::<i32>() {
        let (offsets, start, length) = rebased(list.offsets());
        (offsets, list.values().slice(start, length), list.nulls().cloned(), Vec::new())
    } else {
        let (texts, bad) = texts(array)?;
        let split = json_split::elements(&texts);
        (split.offsets, split.values, texts.nulls().cloned(), merged(bad, split.bad))
    };
    let made = complete(element, &values)?;
    let inner = blame(made.bad, &offsets, nulls.as_ref(), |part, position, fault| {
        fault.inside(&format!("element {position}"), &values, part, &element.column_type)
    });
    let list = ListArray::try_new(typed(field, &made.array), offsets, made.array, nulls)?;
    Ok(Casted { array: Arc::new(list), bad: merged(bad, inner) })
}

/// To `Map(key, value)`: a map, or a struct or JSON object, whose names are
/// the keys. A key that stands twice stays twice, as ClickHouse keeps it.
pub(super) fn map(
    array: &ArrayRef,
    key: &Target,
    value: &Target,
    data_type: &DataType,
) -> Result<Casted, ArrowError> {
    let DataType::Map(field, ordered) = data_type else { return Err(unplanned(data_type)) };
    let DataType::Struct(fields) = field.data_type() else { return Err(unplanned(data_type)) };
    let (offsets, keys, values, nulls, bad) = if let Some(map) = array.as_map_opt() {
        let (offsets, start, length) = rebased(map.offsets());
        let (keys, values) = (map.keys().slice(start, length), map.values().slice(start, length));
        (offsets, keys, values, map.nulls().cloned(), Vec::new())
    } else {
        let (texts, bad) = texts(array)?;
        let split = json_split::entries(&texts);
        (split.offsets, split.keys, split.values, texts.nulls().cloned(), merged(bad, split.bad))
    };
    let (made_keys, made_values) = (complete(key, &keys)?, complete(value, &values)?);
    let bad_keys = blame(made_keys.bad, &offsets, nulls.as_ref(), |part, position, fault| {
        fault.inside(&format!("key {position}"), &keys, part, &key.column_type)
    });
    let bad_values = blame(made_values.bad, &offsets, nulls.as_ref(), |part, _, fault| {
        let name = super::value_text(&keys, part);
        fault.inside(
            &format!("value of `{}`", super::shown(&name)),
            &values,
            part,
            &value.column_type,
        )
    });
    let entries = vec![made_keys.array, made_values.array];
    let entries = StructArray::try_new(all_typed(fields, &entries), entries, None)?;
    let field = field.as_ref().clone().with_data_type(entries.data_type().clone());
    let map = MapArray::try_new(Arc::new(field), offsets, entries, nulls, *ordered)?;
    Ok(Casted { array: Arc::new(map), bad: merged(bad, merged(bad_keys, bad_values)) })
}

/// To `Tuple(…)`: a struct or a JSON object by the fields' names, or a JSON
/// array by position. What the tuple does not name is left out; a field that
/// is not there is NULL.
pub(super) fn tuple(
    array: &ArrayRef,
    fields: &[(String, Target)],
    data_type: &DataType,
) -> Result<Casted, ArrowError> {
    let DataType::Struct(names) = data_type else { return Err(unplanned(data_type)) };
    let (columns, nulls, mut bad) = match array.as_struct_opt() {
        Some(source) => (struct_columns(source, fields), source.nulls().cloned(), Vec::new()),
        None => {
            let (texts, bad) = texts(array)?;
            let split = json_split::fields(&texts, fields.iter().map(|(name, _)| name.as_str()));
            (Some(split.columns), texts.nulls().cloned(), merged(bad, split.bad))
        }
    };
    let Some(columns) = columns else { return Ok(none_fits(array, data_type)) };
    let mut children = Vec::with_capacity(fields.len());
    for ((column, (_, target)), name) in columns.iter().zip(fields).zip(names) {
        let made = complete(target, column)?;
        let inner =
            made.bad.into_iter().filter(|bad| is_valid(nulls.as_ref(), bad.row)).map(|bad| Bad {
                row: bad.row,
                fault: bad.fault.inside(
                    &format!("field `{}`", name.name()),
                    column,
                    bad.row,
                    &target.column_type,
                ),
            });
        bad = merged(bad, inner.collect());
        children.push(made.array);
    }
    let names = all_typed(names, &children);
    let made = StructArray::try_new_with_length(names, children, nulls, array.len())?;
    Ok(Casted { array: Arc::new(made), bad })
}

/// The columns of a struct in the tuple's order; nothing when an unnamed
/// tuple has another number of fields.
fn struct_columns(source: &StructArray, fields: &[(String, Target)]) -> Option<Vec<ArrayRef>> {
    if fields.iter().all(|(name, _)| name.is_empty()) {
        return (source.num_columns() == fields.len()).then(|| source.columns().to_vec());
    }
    let column = |(name, target): &(String, Target)| {
        source
            .column_by_name(name)
            .cloned()
            .unwrap_or_else(|| new_null_array(&target.data_type, source.len()))
    };
    Some(fields.iter().map(column).collect())
}

fn none_fits(array: &ArrayRef, data_type: &DataType) -> Casted {
    let bad = (0..array.len())
        .filter(|row| array.is_valid(*row))
        .map(|row| Bad { row, fault: Fault::Malformed })
        .collect();
    Casted { array: new_null_array(data_type, array.len()), bad }
}

/// The field for values that may be bytes where it says text.
fn typed(field: &FieldRef, values: &ArrayRef) -> FieldRef {
    if field.data_type() == values.data_type() {
        return Arc::clone(field);
    }
    Arc::new(field.as_ref().clone().with_data_type(values.data_type().clone()))
}

fn all_typed(fields: &Fields, columns: &[ArrayRef]) -> Fields {
    fields.iter().zip(columns).map(|(field, values)| typed(field, values)).collect()
}

/// Offsets from 0, and the run of values that they lie in.
fn rebased(offsets: &OffsetBuffer<i32>) -> (OffsetBuffer<i32>, usize, usize) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let start = usize::try_from(first).unwrap_or_default();
    let length = usize::try_from(last - first).unwrap_or_default();
    if first == 0 {
        return (offsets.clone(), start, length);
    }
    let moved: Vec<i32> = offsets.iter().map(|offset| offset - first).collect();
    (OffsetBuffer::new(moved.into()), start, length)
}

fn is_valid(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_none_or(|nulls| nulls.is_valid(row))
}

fn unplanned(data_type: &DataType) -> ArrowError {
    ArrowError::CastError(format!("{data_type} was planned for another kind of column"))
}
