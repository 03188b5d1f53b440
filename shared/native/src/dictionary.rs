//! `LowCardinality`: the different values once, and for each row which one it is.
//!
//! A dictionary that the file had is kept; of a plain column one is made. Each
//! block has a dictionary of its own, in which no value stands twice and every
//! value is used.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, StringArray, UInt32Array};
use arrow::buffer::Buffer;
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use model::ColumnType;

use crate::NativeError;
use crate::column::{Sink, bare, mismatch};

/// The dictionary comes with the rows.
const HAS_ADDITIONAL_KEYS: u64 = 1 << 9;
/// Nothing is kept of the dictionary of the block before.
const NEEDS_UPDATE: u64 = 1 << 10;
/// An entry of a held dictionary that no row has used yet.
const UNSEEN: u32 = u32::MAX;

/// A column of `LowCardinality(inner)`.
pub(crate) fn values(
    sink: &mut Sink<'_>,
    inner: &ColumnType,
    array: &ArrayRef,
) -> Result<(), NativeError> {
    // Without rows there is no dictionary either: so for empty arrays of it.
    if array.is_empty() {
        return Ok(());
    }
    let (is_nullable, inner) = match inner {
        ColumnType::Nullable(inner) => (true, &**inner),
        inner => (false, inner),
    };
    let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    if nulls.is_some() && !is_nullable {
        return Err(NativeError::Null {
            column: sink.column.to_owned(),
            column_type: format!("LowCardinality({inner})"),
        });
    }
    let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    let (held, keys) = match array.as_any_dictionary_opt() {
        Some(dictionary) => {
            let held = dictionary.values();
            // Arrow refuses to look at the keys of a dictionary without values,
            // in which every row is NULL.
            let keys =
                if held.is_empty() { vec![0; array.len()] } else { dictionary.normalized_keys() };
            (Arc::clone(held), Some(keys))
        }
        None => (Arc::clone(array), None),
    };
    let Some(values) = Values::of(&held) else { return Err(mismatch(sink, inner, &held)) };
    let mut distinct = Distinct::new(u32::from(is_nullable));
    let mut places = Vec::with_capacity(array.len());
    match keys {
        Some(keys) => {
            let mut place_of = vec![UNSEEN; held.len()];
            for (row, key) in keys.into_iter().enumerate() {
                if is_null(row) {
                    places.push(0);
                    continue;
                }
                if place_of[key] == UNSEEN {
                    place_of[key] = distinct.place(&values, key);
                }
                places.push(place_of[key]);
            }
        }
        None => {
            for row in 0..array.len() {
                places.push(if is_null(row) { 0 } else { distinct.place(&values, row) });
            }
        }
    }
    write(sink, inner, &held, &distinct, &places)
}

/// The values of a dictionary as a column without one.
pub(crate) fn unpacked(
    sink: &Sink<'_>,
    column_type: &ColumnType,
    array: &ArrayRef,
) -> Result<ArrayRef, NativeError> {
    let DataType::Dictionary(_, held) = array.data_type() else { return Ok(Arc::clone(array)) };
    cast(array, held).map_err(|_| mismatch(sink, column_type, array))
}

fn write(
    sink: &mut Sink<'_>,
    inner: &ColumnType,
    held: &ArrayRef,
    distinct: &Distinct,
    places: &[u32],
) -> Result<(), NativeError> {
    // The first entry of a nullable dictionary stands for NULL.
    let entries: UInt32Array = (0..distinct.offset)
        .map(|_| None)
        .chain(distinct.rows.iter().map(|row| Some(*row)))
        .collect();
    let entries = take(held, &entries, None).map_err(|_| mismatch(sink, inner, held))?;
    let width: u64 = match entries.len() {
        ..=0x100 => 0,
        0x101..=0x1_0000 => 1,
        _ => 2,
    };
    let put = |sink: &mut Sink<'_>, number: u64| sink.out.extend_from_slice(&number.to_le_bytes());
    put(sink, width | HAS_ADDITIONAL_KEYS | NEEDS_UPDATE);
    put(sink, entries.len() as u64);
    let nulls = entries.nulls().cloned();
    bare(sink, inner, &entries, nulls.as_ref())?;
    put(sink, places.len() as u64);
    let bytes = 1 << width;
    sink.out.reserve(bytes * places.len());
    match width {
        0 => sink.out.extend(places.iter().map(|place| place.to_le_bytes()[0])),
        1 => places.iter().for_each(|place| sink.out.extend_from_slice(&place.to_le_bytes()[..2])),
        _ => places.iter().for_each(|place| sink.out.extend_from_slice(&place.to_le_bytes())),
    }
    Ok(())
}

/// The different values, in the order in which they come first.
struct Distinct {
    /// Which of the held values each entry is.
    rows: Vec<u32>,
    /// Place of the first entry: 1 when NULL stands before it.
    offset: u32,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The value that was looked up last, and its place.
    last: Option<(usize, u32)>,
}

impl Distinct {
    fn new(offset: u32) -> Self {
        Self {
            rows: Vec::new(),
            offset,
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            last: None,
        }
    }

    /// The place of a held value in the dictionary.
    #[inline]
    fn place(&mut self, values: &Values<'_>, row: usize) -> u32 {
        let bytes = values.get(row);
        // Rows of one value often stand together.
        if let Some((last, place)) = self.last
            && values.get(last) == bytes
        {
            return place;
        }
        let Self { rows, table, hasher, .. } = self;
        let hash = hasher.hash_one(bytes);
        let value_of = |entry: u32| values.get(rows[entry as usize] as usize);
        let found = table.entry(
            hash,
            |entry| value_of(*entry) == bytes,
            |entry| hasher.hash_one(value_of(*entry)),
        );
        let entry = match found {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(free) => {
                let entry = index(rows.len());
                free.insert(entry);
                rows.push(index(row));
                entry
            }
        };
        let place = self.offset + entry;
        self.last = Some((row, place));
        place
    }
}

/// Blocks have far fewer rows than 32 bits can count.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(UNSEEN)
}

/// The held values as bytes.
enum Values<'a> {
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Fixed { bytes: Buffer, width: usize },
}

impl<'a> Values<'a> {
    /// `None` when the values are neither texts nor bytes nor of one width.
    fn of(held: &'a ArrayRef) -> Option<Self> {
        let width = match held.data_type() {
            DataType::Utf8 => return Some(Self::Text(held.as_string())),
            DataType::Binary => return Some(Self::Bytes(held.as_binary())),
            DataType::FixedSizeBinary(width) => usize::try_from(*width).ok()?,
            scalar => scalar.primitive_width()?,
        };
        let data = held.to_data();
        let bytes = data
            .buffers()
            .first()?
            .slice_with_length(data.offset().checked_mul(width)?, data.len().checked_mul(width)?);
        Some(Self::Fixed { bytes, width })
    }

    #[inline]
    fn get(&self, row: usize) -> &[u8] {
        match self {
            Self::Text(texts) => texts.value(row).as_bytes(),
            Self::Bytes(bytes) => bytes.value(row),
            Self::Fixed { bytes, width } => &bytes[row * width..(row + 1) * width],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlockEncoder;
    use arrow::array::{DictionaryArray, RecordBatch};
    use arrow::datatypes::UInt32Type;

    #[test]
    fn a_dictionary_without_values_is_null_in_every_row() {
        let column_type = ColumnType::parse("LowCardinality(Nullable(String))").unwrap();
        let encoder = BlockEncoder::new([("c".to_owned(), column_type)]);
        let encoded = |column: ArrayRef| {
            let mut out = Vec::new();
            let batch = RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap();
            encoder.encode(&batch, &mut out).map(|()| out)
        };
        let nulls: DictionaryArray<UInt32Type> = [None::<&str>, None].into_iter().collect();
        assert!(nulls.values().is_empty());
        let plain: StringArray = [None::<&str>, None].into_iter().collect();
        assert_eq!(encoded(Arc::new(nulls)), encoded(Arc::new(plain)));
    }
}
