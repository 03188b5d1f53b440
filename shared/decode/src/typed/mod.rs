//! Columns of a text format from where their values stand in the text.
//!
//! A column whose type is known is built as that type, as long as every value is
//! written plainly: in a form that the later cast of texts takes with the very
//! same result. The first value in any other form makes the whole column of the
//! batch a text column, for the cast and its policies to judge.

mod dictionary;
mod numbers;
#[cfg(test)]
mod tests;
mod times;
mod wide;
mod words;

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;
use model::ColumnType;

use crate::FieldRequest;

/// Where the text of one value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    /// No value.
    pub(crate) const NULL: Self = Self { start: u32::MAX, length: 0 };

    /// The bytes from `start` to `end`, which must lie below 4 GiB.
    #[expect(clippy::cast_possible_truncation, reason = "the caller's promise")]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, length: (end - start) as u32 }
    }

    /// The bytes from `start` to `end`.
    #[inline]
    pub(crate) fn between(start: u32, end: u32) -> Self {
        Self { start, length: end - start }
    }

    /// Whether there is no value.
    #[inline]
    pub(crate) fn is_null(self) -> bool {
        self.start == u32::MAX
    }

    /// The value within the text.
    #[inline]
    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start()..][..self.length()]
    }

    #[inline]
    fn start(self) -> usize {
        self.start as usize
    }

    #[inline]
    fn length(self) -> usize {
        self.length as usize
    }
}

/// The values of a field, one for each span. Typed when the field names a type
/// and every value is written plainly; text otherwise.
pub(crate) fn build(field: &FieldRequest, text: &str, spans: &[Span]) -> ArrayRef {
    let mut column = column(field.column_type.as_ref());
    if column.push(text.as_bytes(), spans)
        && let Some(array) = column.finish(nulls(spans))
    {
        return array;
    }
    texts(text, spans)
}

/// The values as texts, one for each span.
pub(crate) fn texts(text: &str, spans: &[Span]) -> ArrayRef {
    let mut column = words::Texts::default();
    if column.push(text.as_bytes(), spans)
        && let Some(array) = column.finish(nulls(spans))
    {
        return array;
    }
    // Parts of a text are texts, so this is not reached; it is right all the same.
    let values = spans.iter().map(|span| {
        if span.is_null() { None } else { text.get(span.start()..span.start() + span.length()) }
    });
    Arc::new(values.collect::<StringArray>())
}

/// A column that takes its values block by block, while their text is still in
/// the processor's cache, and gives them as an array at the end of the batch.
pub(crate) trait Column: Send {
    /// Adds values; false when one of them is not written plainly. The column
    /// must then be cleared.
    fn push(&mut self, text: &[u8], spans: &[Span]) -> bool;

    /// The values so far, without them from then on; `None` when texts among
    /// them are not UTF-8.
    fn finish(&mut self, nulls: Option<NullBuffer>) -> Option<ArrayRef>;

    /// Forgets the values so far.
    fn clear(&mut self);
}

/// A column of a type; of texts without one, and for types whose texts have
/// rules of their own.
pub(crate) fn column(column_type: Option<&ColumnType>) -> Box<dyn Column> {
    let Some(column_type) = column_type else { return Box::new(words::Texts::default()) };
    match column_type.bare() {
        ColumnType::String if is_low_cardinality(column_type) => {
            Box::new(dictionary::Dictionary::default())
        }
        ColumnType::Bool => Box::new(words::Booleans::default()),
        ColumnType::Int(bits) => numbers::signed(*bits),
        ColumnType::UInt(bits) => numbers::unsigned(*bits),
        ColumnType::Float(bits) => numbers::float(*bits),
        ColumnType::Decimal(precision, scale) => numbers::decimal(*precision, *scale),
        ColumnType::Date => times::date(),
        ColumnType::Date32 => times::date32(),
        ColumnType::DateTime(_) => times::date_time(column_type),
        ColumnType::DateTime64(precision, _) => times::date_time64(*precision, column_type),
        ColumnType::Enum(bits, values) => words::enumeration(*bits, values),
        ColumnType::Uuid => words::uuid(),
        ColumnType::Ipv4 => words::ipv4(),
        ColumnType::Ipv6 => words::ipv6(),
        ColumnType::FixedString(size) => words::fixed(*size),
        _ => Box::new(words::Texts::default()),
    }
}

fn is_low_cardinality(column_type: &ColumnType) -> bool {
    match column_type {
        ColumnType::LowCardinality(_) => true,
        ColumnType::Nullable(inner) | ColumnType::SimpleAggregate(_, inner) => {
            is_low_cardinality(inner)
        }
        _ => false,
    }
}

/// Which of the values are NULL; `None` when no value is.
pub(crate) fn nulls(spans: &[Span]) -> Option<NullBuffer> {
    if !spans.iter().any(|span| span.is_null()) {
        return None;
    }
    Some(NullBuffer::new(BooleanBuffer::collect_bool(spans.len(), |i| !spans[i].is_null())))
}

/// Puts the value of each span behind the values, by a function that knows plain
/// forms only; false where it does not know one.
#[inline]
fn extend<T: Copy + Default>(
    values: &mut Vec<T>,
    spans: &[Span],
    mut parse: impl FnMut(Span) -> Option<T>,
) -> bool {
    let before = values.len();
    values.resize(before + spans.len(), T::default());
    for (value, span) in values[before..].iter_mut().zip(spans) {
        if !span.is_null() {
            match parse(*span) {
                Some(parsed) => *value = parsed,
                None => return false,
            }
        }
    }
    true
}

/// The values, with room for about as many in their place.
fn taken<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(values.len() + values.len() / 8 + 64);
    std::mem::replace(values, room)
}

/// Values that lie one beside the other.
struct Primitive<T: ArrowPrimitiveType, F> {
    values: Vec<T::Native>,
    data_type: DataType,
    parse: F,
}

/// A column of values that a function reads.
fn primitive<T, F>(data_type: DataType, parse: F) -> Box<dyn Column>
where
    T: ArrowPrimitiveType,
    F: Fn(&[u8], Span) -> Option<T::Native> + Send + 'static,
{
    Box::new(Primitive::<T, F> { values: Vec::new(), data_type, parse })
}

impl<T, F> Column for Primitive<T, F>
where
    T: ArrowPrimitiveType,
    F: Fn(&[u8], Span) -> Option<T::Native> + Send,
{
    fn push(&mut self, text: &[u8], spans: &[Span]) -> bool {
        extend(&mut self.values, spans, |span| (self.parse)(text, span))
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Option<ArrayRef> {
        let made = PrimitiveArray::<T>::try_new(taken(&mut self.values).into(), nulls).ok()?;
        Some(Arc::new(made.with_data_type(self.data_type.clone())))
    }

    fn clear(&mut self) {
        self.values.clear();
    }
}
