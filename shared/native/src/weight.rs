//! How many bytes rows have once each value stands by itself, as the server holds
//! them: a text or a list takes eight bytes beside what is in it.
//!
//! Dictionaries, views and runs let a few bytes stand for many: a column of
//! thirty thousand rows that all name the same text of a megabyte is small until
//! it is written out. So a batch ends where its rows weigh enough, and what they
//! weigh follows from their values alone, however a writer has packed them.

use arrow::array::{AnyDictionaryArray, Array, ArrayRef, AsArray, RecordBatch, downcast_run_array};
use arrow::datatypes::{ArrowNativeType, DataType};
use model::ColumnType;

use crate::arrow_type;

/// Bytes of the place where a text or a list ends.
const END: u64 = 8;

/// How many of the first rows of a batch weigh no more than `most`, and what they
/// weigh together.
#[must_use]
pub fn rows_within(batch: &RecordBatch, most: u64) -> (usize, u64) {
    let whole = of_batch(batch);
    if whole <= most {
        return (batch.num_rows(), whole);
    }
    let (mut fits, mut weight) = (0, 0);
    let mut too_many = batch.num_rows();
    while fits + 1 < too_many {
        let middle = fits + (too_many - fits) / 2;
        let part = of_batch(&batch.slice(0, middle));
        if part <= most {
            (fits, weight) = (middle, part);
        } else {
            too_many = middle;
        }
    }
    (fits, weight)
}

/// What a row of these columns weighs at least, whatever its values are: NULL, the value
/// that a document names, and a short text in a `FixedString` take as much as any other.
#[must_use]
pub fn least<'a>(columns: impl IntoIterator<Item = &'a ColumnType>) -> u64 {
    let weights = columns.into_iter().map(|column| least_of(&arrow_type(column)).max(END));
    weights.fold(0, u64::saturating_add)
}

fn least_of(data_type: &DataType) -> u64 {
    match data_type {
        DataType::FixedSizeBinary(width) => u64::try_from(*width).unwrap_or(0),
        DataType::Struct(fields) => {
            let weights = fields.iter().map(|field| least_of(field.data_type()));
            weights.fold(0, u64::saturating_add)
        }
        other => other.primitive_width().map_or(END, bytes),
    }
}

/// The weight of all rows.
#[must_use]
pub fn of_batch(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(of).fold(0, u64::saturating_add)
}

fn of(array: &ArrayRef) -> u64 {
    let rows = bytes(array.len());
    let ends = rows * END;
    match array.data_type() {
        DataType::Null => 0,
        DataType::Utf8 => ends + run(array.as_string::<i32>().value_offsets()),
        DataType::Binary => ends + run(array.as_binary::<i32>().value_offsets()),
        DataType::LargeUtf8 => ends + run(array.as_string::<i64>().value_offsets()),
        DataType::LargeBinary => ends + run(array.as_binary::<i64>().value_offsets()),
        DataType::Utf8View => ends + views(array.as_string_view().views()),
        DataType::BinaryView => ends + views(array.as_binary_view().views()),
        DataType::FixedSizeBinary(width) => rows * u64::try_from(*width).unwrap_or(0),
        DataType::Dictionary(..) => named(array.as_any_dictionary()),
        DataType::RunEndEncoded(..) => downcast_run_array!(
            array => {
                let ends = array.run_ends();
                let mut weight = 0_u64;
                let mut row = ends.offset();
                let last = ends.offset() + ends.len();
                for run in ends.get_start_physical_index().. {
                    if row >= last { break }
                    let Some(end) = ends.values().get(run) else { break };
                    let end = end.as_usize().min(last);
                    let value = of(&array.values().slice(run, 1));
                    weight = weight.saturating_add(value.saturating_mul(bytes(end - row)));
                    row = end;
                }
                weight
            },
            _ => 0
        ),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            ends.saturating_add(inside(list.value_offsets(), list.values()))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            ends.saturating_add(inside(list.value_offsets(), list.values()))
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let columns = map.entries().columns().iter();
            columns
                .map(|column| inside(map.value_offsets(), column))
                .fold(ends, u64::saturating_add)
        }
        DataType::ListView(_) => {
            let list = array.as_list_view::<i32>();
            ends.saturating_add(scattered(list.offsets(), list.sizes(), list.values()))
        }
        DataType::LargeListView(_) => {
            let list = array.as_list_view::<i64>();
            ends.saturating_add(scattered(list.offsets(), list.sizes(), list.values()))
        }
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let size = usize::try_from(*size).unwrap_or(0);
            ends.saturating_add(of(&list.values().slice(0, list.len() * size)))
        }
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(of).fold(0, u64::saturating_add)
        }
        other => rows * bytes(other.primitive_width().unwrap_or(1)),
    }
}

/// The values that the keys name; NULL as an empty one.
fn named(dictionary: &dyn AnyDictionaryArray) -> u64 {
    let values = dictionary.values();
    if values.is_empty() {
        return bytes(dictionary.len()) * END;
    }
    let keys = dictionary.normalized_keys();
    let nulls = dictionary.logical_nulls();
    let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let weight = |weigh: &dyn Fn(usize) -> u64| {
        let rows = keys.iter().enumerate();
        rows.map(|(row, key)| if is_valid(row) { weigh(*key) } else { END })
            .fold(0, u64::saturating_add)
    };
    match values.data_type() {
        DataType::Utf8 => weight(&length_in(values.as_string::<i32>().value_offsets())),
        DataType::Binary => weight(&length_in(values.as_binary::<i32>().value_offsets())),
        _ => weight(&|key| of(&values.slice(key, 1))),
    }
}

fn length_in(offsets: &[i32]) -> impl Fn(usize) -> u64 {
    move |value| END + offsets.get(value..value + 2).map_or(0, run)
}

/// Bytes between the first and the last of these places.
fn run<O: ArrowNativeType>(offsets: &[O]) -> u64 {
    let ends = offsets.first().zip(offsets.last());
    ends.map_or(0, |(first, last)| bytes(last.as_usize() - first.as_usize()))
}

/// The lengths stand in the lowest four bytes.
fn views(views: &[u128]) -> u64 {
    let length = |view: &u128| u64::from(u32::try_from(view & u128::from(u32::MAX)).unwrap_or(0));
    views.iter().map(length).sum()
}

fn inside<O: ArrowNativeType>(offsets: &[O], values: &ArrayRef) -> u64 {
    let Some((first, last)) = offsets.first().zip(offsets.last()) else { return 0 };
    of(&values.slice(first.as_usize(), last.as_usize() - first.as_usize()))
}

/// Rows that may share their values.
fn scattered<O: ArrowNativeType>(offsets: &[O], sizes: &[O], values: &ArrayRef) -> u64 {
    let rows = offsets.iter().zip(sizes);
    rows.map(|(offset, size)| of(&values.slice(offset.as_usize(), size.as_usize())))
        .fold(0, u64::saturating_add)
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BinaryViewArray, DictionaryArray, Int32Array, Int64Array, ListArray, ListViewArray,
        RunArray, StringArray,
    };
    use arrow::buffer::{OffsetBuffer, ScalarBuffer};
    use arrow::datatypes::{Field, Int32Type};
    use rstest::rstest;

    use super::*;

    fn texts() -> ArrayRef {
        Arc::new(StringArray::from(vec!["a", "bcdefghijklmnopq", "", "rs"]))
    }

    #[rstest]
    #[case(&["UInt8", "String"], 16)]
    #[case(&["Nullable(FixedString(20000))"], 20_000)]
    #[case(&["Tuple(Int256, DateTime64(3))", "Array(Int256)", "LowCardinality(String)"], 56)]
    fn a_type_weighs_something_whatever_its_values_are(
        #[case] types: &[&str],
        #[case] expected: u64,
    ) {
        let types: Vec<_> =
            types.iter().map(|text| ColumnType::parse(text).expect("a type")).collect();
        assert_eq!(least(&types), expected);
    }

    #[rstest]
    #[case::plain(texts(), 19 + 4 * END)]
    #[case::numbers(Arc::new(Int64Array::from(vec![1, 2, 3])), 24)]
    #[case::views(Arc::new(BinaryViewArray::from_iter_values([&b"a"[..], b"bcdefghijklmnopq"])), 17 + 2 * END)]
    #[case::dictionary(
        Arc::new(DictionaryArray::<Int32Type>::new(Int32Array::from(vec![Some(1), None, Some(1), Some(3)]), texts())),
        16 + 16 + 2 + 4 * END
    )]
    #[case::runs(
        Arc::new(RunArray::<Int32Type>::try_new(&Int32Array::from(vec![2, 5, 6, 7]), &texts()).unwrap()),
        2 + 3 * 16 + 2 + 7 * END
    )]
    #[case::list(
        Arc::new(ListArray::new(
            Arc::new(Field::new("item", DataType::Utf8, true)),
            OffsetBuffer::new(vec![0, 1, 2].into()),
            texts(),
            None,
        )),
        17 + 4 * END
    )]
    #[case::shared(
        Arc::new(ListViewArray::new(
            Arc::new(Field::new("item", DataType::Utf8, true)),
            ScalarBuffer::from(vec![0, 0, 1]),
            ScalarBuffer::from(vec![2, 2, 1]),
            texts(),
            None,
        )),
        17 + 17 + 16 + (3 + 5) * END
    )]
    fn every_value_counts_as_often_as_it_stands(#[case] array: ArrayRef, #[case] weight: u64) {
        assert_eq!(of(&array), weight);
        let parts = (0..array.len()).map(|row| of(&array.slice(row, 1)));
        assert_eq!(parts.sum::<u64>(), weight, "row by row");
    }

    #[test]
    fn rows_are_taken_while_they_fit() {
        let batch = RecordBatch::try_from_iter([("text", texts())]).unwrap();
        for (most, expected) in
            [(0, (0, 0)), (9, (1, 9)), (32, (1, 9)), (41, (3, 41)), (51, (4, 51))]
        {
            assert_eq!(rows_within(&batch, most), expected, "at most {most}");
        }
    }
}
