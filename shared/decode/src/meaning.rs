//! Texts, and the old moments of Parquet, are read as the bytes that they are,
//! and become here what they mean.
//!
//! A reader that checks texts gives up the whole object at the first byte that
//! is no UTF-8, and one that counts moments of 96 bits in 64 makes another
//! moment of some. Texts that are none stay bytes, for the mapper to judge by
//! row; so do those that a column of texts takes as they are. Integers of Parquet
//! that are said to be narrower than they lie stay wide where one is not.

mod intervals;
mod moments;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeListArray, GenericListArray,
    GenericListViewArray, LargeStringArray, MapArray, OffsetSizeTrait, RecordBatch,
    RecordBatchOptions, StringArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{max, min};
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Int8Type, Int16Type, Int32Type, Schema, UInt8Type,
    UInt16Type,
};
use arrow::error::ArrowError;
use model::ColumnType;

pub(crate) use intervals::INTERVAL;
use moments::Digits;
pub(crate) use moments::OLD_MOMENT;

/// The schema with another type for each of its leaves, which are taken from
/// `leaves` in their order. What is left over stays as it is.
pub(crate) fn with_leaves(schema: &Schema, leaves: impl IntoIterator<Item = DataType>) -> Schema {
    let fields = fields_with(schema.fields(), &mut leaves.into_iter());
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

/// The types of the leaves: what is no list, struct or map.
pub(crate) fn leaves(schema: &Schema) -> Vec<DataType> {
    let mut found = Vec::new();
    let keep = &mut |leaf: &DataType| {
        found.push(leaf.clone());
        None
    };
    for field in schema.fields() {
        let _ = each_leaf(field.data_type(), keep);
    }
    found
}

/// The type that a leaf is read as: bytes instead of texts.
pub(crate) fn as_bytes(leaf: &DataType) -> DataType {
    match leaf {
        DataType::Utf8 => DataType::Binary,
        DataType::LargeUtf8 => DataType::LargeBinary,
        DataType::Utf8View => DataType::BinaryView,
        DataType::Dictionary(key, values) => {
            DataType::Dictionary(key.clone(), Box::new(as_bytes(values)))
        }
        DataType::Interval(_) => DataType::FixedSizeBinary(INTERVAL),
        other => other.clone(),
    }
}

/// The type that a leaf of 32 bits is read as: all of them.
pub(crate) fn as_wide(leaf: &DataType) -> DataType {
    match leaf {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        other => other.clone(),
    }
}

/// The type of a leaf whose values are views of what was read.
pub(crate) fn as_views(leaf: &DataType) -> DataType {
    match leaf {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        other => other.clone(),
    }
}

/// The values that a request asks for, as what they mean: bytes only where
/// they are no text, or where the column takes texts unseen.
pub(crate) fn of_field(
    read: &ArrayRef,
    meant: &DataType,
    column: Option<&ColumnType>,
) -> Result<ArrayRef, ArrowError> {
    let is_text = matches!(meant, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match column.map(ColumnType::bare) {
        Some(ColumnType::String) if is_text => Ok(Arc::clone(read)),
        Some(ColumnType::DateTime(_) | ColumnType::DateTime64(..=6, _)) => {
            as_meant(read, meant, Digits::Six)
        }
        _ => as_meant(read, meant, Digits::All),
    }
}

/// A batch as what it means, for somebody to look at.
pub(crate) fn of_batch(read: &RecordBatch, meant: &Schema) -> Result<RecordBatch, ArrowError> {
    let pairs = read.columns().iter().zip(meant.fields());
    let columns = pairs
        .map(|(column, field)| as_meant(column, field.data_type(), Digits::All))
        .collect::<Result<Vec<_>, _>>()?;
    let fields = meant.fields().iter().zip(&columns).map(|(field, column)| typed(field, column));
    let options = RecordBatchOptions::new().with_row_count(Some(read.num_rows()));
    let schema = Arc::new(Schema::new(fields.collect::<Fields>()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

fn as_meant(read: &ArrayRef, meant: &DataType, digits: Digits) -> Result<ArrayRef, ArrowError> {
    if read.data_type() == meant {
        return Ok(Arc::clone(read));
    }
    let bytes = || Arc::clone(read);
    Ok(match (read.data_type(), meant) {
        (DataType::Binary, DataType::Utf8) => {
            StringArray::try_from_binary(read.as_binary().clone())
                .map_or_else(|_| bytes(), |texts| Arc::new(texts))
        }
        (DataType::LargeBinary, DataType::LargeUtf8) => {
            LargeStringArray::try_from_binary(read.as_binary().clone())
                .map_or_else(|_| bytes(), |texts| Arc::new(texts))
        }
        (DataType::BinaryView, DataType::Utf8View) => (read.as_binary_view().clone())
            .to_string_view()
            .map_or_else(|_| bytes(), |texts| Arc::new(texts)),
        (DataType::FixedSizeBinary(OLD_MOMENT), DataType::Timestamp(_, zone)) => {
            moments::moments(read.as_fixed_size_binary(), zone.as_ref(), digits)
        }
        (DataType::FixedSizeBinary(INTERVAL), DataType::Interval(_)) => {
            intervals::texts(read.as_fixed_size_binary())
        }
        (DataType::Int32, DataType::Int8) => narrow::<Int8Type>(read),
        (DataType::Int32, DataType::Int16) => narrow::<Int16Type>(read),
        (DataType::Int32, DataType::UInt8) => narrow::<UInt8Type>(read),
        (DataType::Int32, DataType::UInt16) => narrow::<UInt16Type>(read),
        (DataType::Dictionary(..), DataType::Dictionary(_, meant)) => {
            let dictionary = read.as_any_dictionary();
            dictionary.with_values(as_meant(dictionary.values(), meant, digits)?)
        }
        (_, DataType::Dictionary(_, meant)) => as_meant(read, meant, digits)?,
        (DataType::List(_), DataType::List(field)) => list::<i32>(read, field, digits)?,
        (DataType::LargeList(_), DataType::LargeList(field)) => list::<i64>(read, field, digits)?,
        (DataType::ListView(_), DataType::ListView(field)) => view::<i32>(read, field, digits)?,
        (DataType::LargeListView(_), DataType::LargeListView(field)) => {
            view::<i64>(read, field, digits)?
        }
        (DataType::FixedSizeList(_, size), DataType::FixedSizeList(field, _)) if *size > 0 => {
            let list = read.as_fixed_size_list();
            let values = as_meant(list.values(), field.data_type(), digits)?;
            let nulls = list.nulls().cloned();
            Arc::new(FixedSizeListArray::try_new(typed(field, &values), *size, values, nulls)?)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            Arc::new(structs(read.as_struct(), fields, digits)?)
        }
        (DataType::Map(..), DataType::Map(field, ordered)) => {
            let map = read.as_map();
            let DataType::Struct(fields) = field.data_type() else { return Ok(bytes()) };
            let (offsets, start, length) = rebased(map.offsets());
            let entries = structs(&map.entries().slice(start, length), fields, digits)?;
            let field = field.as_ref().clone().with_data_type(entries.data_type().clone());
            let nulls = map.nulls().cloned();
            Arc::new(MapArray::try_new(Arc::new(field), offsets, entries, nulls, *ordered)?)
        }
        _ => bytes(),
    })
}

/// The same integers in fewer bits, where all of them fit.
fn narrow<T: ArrowPrimitiveType>(read: &ArrayRef) -> ArrayRef
where
    T::Native: TryFrom<i32>,
{
    let wide = read.as_primitive::<Int32Type>();
    let fits = |value: Option<i32>| value.is_none_or(|value| T::Native::try_from(value).is_ok());
    // The least and the greatest are found many at a time.
    if !fits(min(wide)) || !fits(max(wide)) {
        return Arc::clone(read);
    }
    // What lies under a NULL may be anything.
    Arc::new(wide.unary::<_, T>(|value| T::Native::try_from(value).unwrap_or_default()))
}

fn list<O: OffsetSizeTrait>(
    read: &ArrayRef,
    field: &FieldRef,
    digits: Digits,
) -> Result<ArrayRef, ArrowError> {
    let list = read.as_list::<O>();
    let (offsets, start, length) = rebased(list.offsets());
    let values = as_meant(&list.values().slice(start, length), field.data_type(), digits)?;
    let nulls = list.nulls().cloned();
    Ok(Arc::new(GenericListArray::try_new(typed(field, &values), offsets, values, nulls)?))
}

fn view<O: OffsetSizeTrait>(
    read: &ArrayRef,
    field: &FieldRef,
    digits: Digits,
) -> Result<ArrayRef, ArrowError> {
    let list = read.as_list_view::<O>();
    let values = as_meant(list.values(), field.data_type(), digits)?;
    let (offsets, sizes) = (list.offsets().clone(), list.sizes().clone());
    let field = typed(field, &values);
    Ok(Arc::new(GenericListViewArray::try_new(
        field,
        offsets,
        sizes,
        values,
        list.nulls().cloned(),
    )?))
}

fn structs(read: &StructArray, fields: &Fields, digits: Digits) -> Result<StructArray, ArrowError> {
    let columns = read.columns().iter().zip(fields);
    let columns = columns
        .map(|(column, field)| as_meant(column, field.data_type(), digits))
        .collect::<Result<Vec<_>, _>>()?;
    let fields = fields.iter().zip(&columns).map(|(field, column)| typed(field, column));
    let nulls = read.nulls().cloned();
    StructArray::try_new_with_length(fields.collect(), columns, nulls, read.len())
}

/// The field for values that may have stayed bytes.
fn typed(field: &FieldRef, values: &ArrayRef) -> FieldRef {
    if field.data_type() == values.data_type() {
        return Arc::clone(field);
    }
    Arc::new(field.as_ref().clone().with_data_type(values.data_type().clone()))
}

/// Offsets from 0, and the run of values that they lie in: a slice of a long
/// list is not to cost as much as the whole.
fn rebased<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (OffsetBuffer<O>, usize, usize) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let (start, length) = (first.as_usize(), (last - first).as_usize());
    if start == 0 {
        return (offsets.clone(), start, length);
    }
    let moved: Vec<O> = offsets.iter().map(|offset| *offset - first).collect();
    (OffsetBuffer::new(moved.into()), start, length)
}

fn fields_with(fields: &Fields, leaves: &mut impl Iterator<Item = DataType>) -> Fields {
    let other = &mut |_: &DataType| leaves.next();
    let fields = fields.iter().map(|field| match each_leaf(field.data_type(), other) {
        Some(made) => Arc::new(field.as_ref().clone().with_data_type(made)),
        None => Arc::clone(field),
    });
    fields.collect()
}

/// Asks for each leaf of a type what it is to be; `None` when that changes
/// nothing.
fn each_leaf(
    data_type: &DataType,
    other: &mut dyn FnMut(&DataType) -> Option<DataType>,
) -> Option<DataType> {
    let mut inner = |field: &FieldRef| {
        let made = each_leaf(field.data_type(), other)?;
        Some(Arc::new(field.as_ref().clone().with_data_type(made)) as Arc<Field>)
    };
    match data_type {
        DataType::List(field) => inner(field).map(DataType::List),
        DataType::LargeList(field) => inner(field).map(DataType::LargeList),
        DataType::ListView(field) => inner(field).map(DataType::ListView),
        DataType::LargeListView(field) => inner(field).map(DataType::LargeListView),
        DataType::FixedSizeList(field, size) => {
            inner(field).map(|field| DataType::FixedSizeList(field, *size))
        }
        DataType::Map(field, ordered) => inner(field).map(|field| DataType::Map(field, *ordered)),
        DataType::Struct(fields) => {
            let made: Vec<_> = fields.iter().map(inner).collect();
            made.iter().any(Option::is_some).then(|| {
                let pairs = made.into_iter().zip(fields);
                DataType::Struct(
                    pairs.map(|(made, field)| made.unwrap_or_else(|| Arc::clone(field))).collect(),
                )
            })
        }
        leaf => other(leaf).filter(|made| made != leaf),
    }
}
