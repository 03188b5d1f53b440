//! Lists, structs and maps as JSON text, for columns that take them as text.

use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::complete::{blame, merged};
use super::plain::{plain, texts};
use super::{Bad, Fault};

/// What is wrong with a decimal that a JSON column would round.
const ROUNDED: &str = "is a decimal of more digits than a float holds, and a JSON column makes floats of decimals, which rounds it; keep the document in a String column";

/// What becomes of the decimals in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decimals {
    /// The text stays one, with every digit.
    Exact,
    /// The server makes floats of them: one that no float shows is bad.
    AsFloats,
}

/// Each value as JSON; NULL stays NULL. A value that holds bytes that are no
/// UTF-8 is bad.
pub(super) fn json_texts(
    array: &ArrayRef,
    decimals: Decimals,
) -> Result<(StringArray, Vec<Bad>), ArrowError> {
    let array = plain(array)?;
    if let Some(list) = array.as_list_opt::<i32>() {
        let (values, inner) = json_texts(list.values(), decimals)?;
        let made = rows(&array, |row, text| {
            text.push('[');
            for (i, part) in parts(list.offsets(), row).enumerate() {
                text.push_str(if i == 0 { "" } else { "," });
                text.push_str(or_null(&values, part));
            }
            text.push(']');
        });
        return Ok((made, up(inner, list.offsets(), &array)));
    }
    if let Some(map) = array.as_map_opt() {
        let (keys, bad_keys) = texts(&plain(map.keys())?)?;
        let (values, bad_values) = json_texts(map.values(), decimals)?;
        let made = rows(&array, |row, text| {
            text.push('{');
            for (i, part) in parts(map.offsets(), row).enumerate() {
                text.push_str(if i == 0 { "" } else { "," });
                quote(if keys.is_null(part) { "null" } else { keys.value(part) }, text);
                text.push(':');
                text.push_str(or_null(&values, part));
            }
            text.push('}');
        });
        return Ok((made, up(merged(bad_keys, bad_values), map.offsets(), &array)));
    }
    if let Some(fields) = array.as_struct_opt() {
        return struct_texts(&array, fields, decimals);
    }
    scalar_texts(&array, decimals)
}

fn struct_texts(
    array: &ArrayRef,
    fields: &StructArray,
    decimals: Decimals,
) -> Result<(StringArray, Vec<Bad>), ArrowError> {
    let mut columns = Vec::with_capacity(fields.num_columns());
    let mut bad = Vec::new();
    for (field, column) in fields.fields().iter().zip(fields.columns()) {
        let (values, inner) = json_texts(column, decimals)?;
        bad = merged(bad, inner.into_iter().filter(|bad| array.is_valid(bad.row)).collect());
        let mut name = String::new();
        quote(field.name(), &mut name);
        columns.push((name, values));
    }
    let made = rows(array, |row, text| {
        text.push('{');
        for (i, (name, values)) in columns.iter().enumerate() {
            text.push_str(if i == 0 { "" } else { "," });
            text.push_str(name);
            text.push(':');
            text.push_str(or_null(values, row));
        }
        text.push('}');
    });
    Ok((made, bad))
}

/// Numbers and booleans as they are, everything else in quotes.
fn scalar_texts(
    array: &ArrayRef,
    decimals: Decimals,
) -> Result<(StringArray, Vec<Bad>), ArrowError> {
    let (values, bad) = texts(array)?;
    if matches!(array.data_type(), DataType::Decimal128(..) | DataType::Decimal256(..)) {
        let bad = match decimals {
            Decimals::Exact => bad,
            Decimals::AsFloats => merged(bad, rounded(&values)),
        };
        return Ok((values, bad));
    }
    if matches!(array.data_type(), DataType::Boolean) || array.data_type().is_integer() {
        return Ok((values, bad));
    }
    let float = array.data_type().is_floating();
    let made = rows(&values, |row, text| {
        let value = values.value(row);
        // JSON has no infinity and no NaN: they are quoted.
        if float && value.ends_with(|c: char| c.is_ascii_digit()) {
            text.push_str(value)
        } else {
            quote(value, text)
        }
    });
    Ok((made, bad))
}

/// The decimals of which the nearest float is another number. Those without a point
/// are whole numbers to the server, too, and are judged with the whole text.
fn rounded(decimals: &StringArray) -> Vec<Bad> {
    let texts = decimals.iter().enumerate().filter_map(|(row, text)| Some((row, text?)));
    texts
        .filter(|(_, text)| text.contains('.') && !is_held_by_a_float(text))
        .map(|(row, text)| Bad { row, fault: Fault::Inside(format!("`{text}` {ROUNDED}")) })
        .collect()
}

/// Whether the float nearest to a decimal is written as it is.
fn is_held_by_a_float(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0');
    // A float keeps 15 digits, whichever they are.
    digits.count() <= 15
        || text.parse::<f64>().is_ok_and(|float| shortest(&float.to_string()) == shortest(text))
}

/// The digits of a decimal without those that say nothing.
fn shortest(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// One text for each row that is not NULL.
fn rows(array: &dyn Array, mut write: impl FnMut(usize, &mut String)) -> StringArray {
    let mut made = StringBuilder::with_capacity(array.len(), 32 * array.len());
    let mut text = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            made.append_null();
        } else {
            text.clear();
            write(row, &mut text);
            made.append_value(&text);
        }
    }
    made.finish()
}

fn parts(offsets: &OffsetBuffer<i32>, row: usize) -> std::ops::Range<usize> {
    let at = |row: usize| usize::try_from(offsets[row]).unwrap_or_default();
    at(row)..at(row + 1)
}

fn up(inner: Vec<Bad>, offsets: &OffsetBuffer<i32>, array: &ArrayRef) -> Vec<Bad> {
    // Parts before the first offset belong to no row of a sliced list.
    let first = usize::try_from(offsets[0]).unwrap_or_default();
    let own = inner.into_iter().filter(|bad| bad.row >= first).collect();
    blame(own, offsets, array.nulls(), |_, _, fault: Fault| fault)
}

fn or_null(values: &StringArray, row: usize) -> &str {
    if values.is_null(row) { "null" } else { values.value(row) }
}

/// A JSON string.
fn quote(text: &str, into: &mut String) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            c if c < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(into, "\\u{:04x}", u32::from(c));
            }
            c => into.push(c),
        }
    }
    into.push('"');
}
