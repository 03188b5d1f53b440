//! Texts: each as its length in bytes and its bytes.

use arrow::array::{Array, ArrayRef, AsArray, GenericByteArray, GenericByteViewArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{ArrowNativeType, ByteArrayType, ByteViewType, DataType};
use model::ColumnType;

use crate::NativeError;
use crate::column::{Sink, mismatch};

/// A number in base 128, the lowest digit first; all bytes but the last have
/// their highest bit set.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// A column of `String`, or of JSON as text. Under NULL stands what cannot be
/// mistaken: nothing, or the empty document.
pub(crate) fn strings(
    sink: &mut Sink<'_>,
    column_type: &ColumnType,
    array: &ArrayRef,
    nulls: Option<&NullBuffer>,
) -> Result<(), NativeError> {
    let blank: &[u8] = if *column_type == ColumnType::Json { b"{}" } else { b"" };
    match array.data_type() {
        DataType::Utf8 => put(sink.out, array.as_string::<i32>(), nulls, blank),
        DataType::LargeUtf8 => put(sink.out, array.as_string::<i64>(), nulls, blank),
        DataType::Binary => put(sink.out, array.as_binary::<i32>(), nulls, blank),
        DataType::LargeBinary => put(sink.out, array.as_binary::<i64>(), nulls, blank),
        DataType::Utf8View => put_views(sink.out, array.as_string_view(), nulls, blank),
        DataType::BinaryView => put_views(sink.out, array.as_binary_view(), nulls, blank),
        _ => return Err(mismatch(sink, column_type, array)),
    }
    Ok(())
}

fn put<T: ByteArrayType>(
    out: &mut Vec<u8>,
    array: &GenericByteArray<T>,
    nulls: Option<&NullBuffer>,
    blank: &[u8],
) where
    T::Native: AsRef<[u8]>,
{
    let rows = array.len();
    let Some(last) = array.value_offsets().last() else { return };
    let bytes = last.as_usize() - array.value_offsets()[0].as_usize();
    out.reserve(bytes + 2 * rows);
    match nulls {
        None => (0..rows).for_each(|row| put_bytes(out, array.value(row).as_ref())),
        Some(nulls) => (0..rows).for_each(|row| {
            put_bytes(out, if nulls.is_valid(row) { array.value(row).as_ref() } else { blank });
        }),
    }
}

fn put_views<T: ByteViewType>(
    out: &mut Vec<u8>,
    array: &GenericByteViewArray<T>,
    nulls: Option<&NullBuffer>,
    blank: &[u8],
) where
    T::Native: AsRef<[u8]>,
{
    let rows = array.len();
    // The lengths stand in the lowest four bytes of the views.
    let lengths = array.views().iter().map(|view| (view & u128::from(u32::MAX)) as usize);
    out.reserve(lengths.sum::<usize>() + 2 * rows);
    match nulls {
        None => (0..rows).for_each(|row| put_bytes(out, array.value(row).as_ref())),
        Some(nulls) => (0..rows).for_each(|row| {
            put_bytes(out, if nulls.is_valid(row) { array.value(row).as_ref() } else { blank });
        }),
    }
}

/// One text.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
