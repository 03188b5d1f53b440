//! One column: which of the ways its type is written in.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use model::ColumnType;

use crate::{NativeError, dictionary, fixed, nested, text};

/// Where a column is written, and its name for messages.
pub(crate) struct Sink<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) column: &'a str,
}

/// Version of a dictionary's layout: shared dictionaries with additional keys.
const DICTIONARY_VERSION: u64 = 1;
/// Version of a JSON column's layout: each document as its text.
const JSON_AS_TEXT: u64 = 1;

/// What stands before the values of a column, for it and for its parts.
pub(crate) fn prefix(sink: &mut Sink<'_>, column_type: &ColumnType) {
    match column_type {
        ColumnType::LowCardinality(_) => {
            sink.out.extend_from_slice(&DICTIONARY_VERSION.to_le_bytes());
        }
        ColumnType::Json => sink.out.extend_from_slice(&JSON_AS_TEXT.to_le_bytes()),
        ColumnType::Nullable(inner)
        | ColumnType::Array(inner)
        | ColumnType::SimpleAggregate(_, inner) => prefix(sink, inner),
        ColumnType::Tuple(fields) | ColumnType::Nested(fields) => {
            fields.iter().for_each(|(_, field)| prefix(sink, field));
        }
        ColumnType::Map(key, value) => {
            prefix(sink, key);
            prefix(sink, value);
        }
        _ => {}
    }
}

/// The values of a column or of a part of it.
pub(crate) fn values(
    sink: &mut Sink<'_>,
    column_type: &ColumnType,
    array: &ArrayRef,
) -> Result<(), NativeError> {
    match column_type {
        ColumnType::Nullable(inner) => {
            let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
            mask(sink.out, nulls.as_ref(), array.len());
            return bare(sink, inner, array, nulls.as_ref());
        }
        ColumnType::LowCardinality(inner) => return dictionary::values(sink, inner, array),
        ColumnType::SimpleAggregate(_, inner) => return values(sink, inner, array),
        _ => {}
    }
    if array.logical_null_count() > 0 {
        return Err(NativeError::Null {
            column: sink.column.to_owned(),
            column_type: column_type.to_string(),
        });
    }
    bare(sink, column_type, array, None)
}

/// Values of a type that is neither `Nullable` nor `LowCardinality`. Where
/// there is NULL, something of the right length.
pub(crate) fn bare(
    sink: &mut Sink<'_>,
    column_type: &ColumnType,
    array: &ArrayRef,
    nulls: Option<&NullBuffer>,
) -> Result<(), NativeError> {
    // A dictionary whose column is none is written out.
    if matches!(array.data_type(), DataType::Dictionary(..)) {
        let plain = dictionary::unpacked(sink, column_type, array)?;
        return bare(sink, column_type, &plain, nulls);
    }
    match column_type {
        ColumnType::String | ColumnType::Json => text::strings(sink, column_type, array, nulls),
        ColumnType::Array(element) => nested::array(sink, element, column_type, array),
        ColumnType::Nested(fields) => nested::rows(sink, fields, column_type, array),
        ColumnType::Tuple(fields) => nested::tuple(sink, fields, column_type, array),
        ColumnType::Map(key, value) => nested::map(sink, key, value, column_type, array),
        scalar => fixed::values(sink, scalar, array, nulls),
    }
}

/// A byte for each row: 1 is NULL.
fn mask(out: &mut Vec<u8>, nulls: Option<&NullBuffer>, rows: usize) {
    match nulls {
        None => out.resize(out.len() + rows, 0),
        Some(nulls) => out.extend(nulls.iter().map(|valid| u8::from(!valid))),
    }
}

/// The error of values that are held in another way than the type wants.
pub(crate) fn mismatch(
    sink: &Sink<'_>,
    column_type: &ColumnType,
    array: &dyn Array,
) -> NativeError {
    NativeError::Type {
        column: sink.column.to_owned(),
        found: array.data_type().to_string(),
        expected: column_type.to_string(),
    }
}
