//! A row of Arrow columns as JSON text, for the quarantine.
//!
//! Lossless rather than pretty: what a JSON number cannot hold (decimals,
//! infinities) is text, bytes are hexadecimal digits, times are ISO 8601.
//! Written only for rows that are put aside, so that speed does not matter.

use std::io::Write;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The row as a JSON object: one member per column. Empty when the batch has
/// no such row.
pub(crate) fn row(batch: &RecordBatch, row: usize) -> Vec<u8> {
    let mut out = Vec::new();
    if row >= batch.num_rows() {
        return out;
    }
    let schema = batch.schema();
    object(
        &mut out,
        schema.fields().iter().map(|field| field.name().as_str()).zip(batch.columns()),
        row,
    );
    out
}

fn object<'a>(
    out: &mut Vec<u8>,
    members: impl Iterator<Item = (&'a str, &'a ArrayRef)>,
    row: usize,
) {
    out.push(b'{');
    for (place, (name, values)) in members.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        value(out, values, row);
    }
    out.push(b'}');
}

fn value(out: &mut Vec<u8>, values: &ArrayRef, row: usize) {
    if values.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    macro_rules! number {
        ($kind:ty) => {{ plain(out, values.as_primitive::<$kind>().value(row)) }};
    }
    match values.data_type() {
        DataType::Null => out.extend_from_slice(b"null"),
        DataType::Boolean => plain(out, values.as_boolean().value(row)),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float16 => {
            float(out, f64::from(values.as_primitive::<Float16Type>().value(row)), None)
        }
        DataType::Float32 => {
            let number = values.as_primitive::<Float32Type>().value(row);
            float(out, f64::from(number), Some(number));
        }
        DataType::Float64 => float(out, values.as_primitive::<Float64Type>().value(row), None),
        DataType::Utf8 => text(out, values.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => text(out, values.as_string::<i64>().value(row)),
        DataType::Utf8View => text(out, values.as_string_view().value(row)),
        DataType::Binary => hex(out, values.as_binary::<i32>().value(row)),
        DataType::LargeBinary => hex(out, values.as_binary::<i64>().value(row)),
        DataType::BinaryView => hex(out, values.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => hex(out, values.as_fixed_size_binary().value(row)),
        DataType::List(_) => list(out, &values.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(out, &values.as_list::<i64>().value(row)),
        DataType::FixedSizeList(_, _) => list(out, &values.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            let names = fields.iter().map(|field| field.name().as_str());
            object(out, names.zip(values.as_struct().columns()), row);
        }
        DataType::Map(_, _) => map(out, values, row),
        DataType::Dictionary(_, _) => {
            let dictionary = values.as_any_dictionary();
            match dictionary.normalized_keys().get(row) {
                Some(key) => value(out, dictionary.values(), *key),
                None => out.extend_from_slice(b"null"),
            }
        }
        // The zone says how to show the moment, which stays the same in UTC.
        DataType::Timestamp(unit, Some(_)) => {
            let utc = DataType::Timestamp(*unit, Some("+00:00".into()));
            displayed(
                out,
                &cast(&values.slice(row, 1), &utc).unwrap_or_else(|_| values.slice(row, 1)),
                *unit,
            );
        }
        DataType::Timestamp(unit, None) => displayed(out, &values.slice(row, 1), *unit),
        _ => displayed(out, &values.slice(row, 1), TimeUnit::Nanosecond),
    }
}

fn plain(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to memory cannot fail.
    let _ = write!(out, "{value}");
}

/// `narrow` is the number as it was stored, whose shortest text is another.
fn float(out: &mut Vec<u8>, number: f64, narrow: Option<f32>) {
    let shown = narrow.map_or_else(|| format!("{number:?}"), |narrow| format!("{narrow:?}"));
    if number.is_finite() { plain(out, shown) } else { text(out, &shown) }
}

fn text(out: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(out, text);
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out.push(b'"');
}

fn list(out: &mut Vec<u8>, values: &ArrayRef) {
    out.push(b'[');
    for row in 0..values.len() {
        if row > 0 {
            out.push(b',');
        }
        value(out, values, row);
    }
    out.push(b']');
}

/// An array of `[key, value]`: keys need be neither texts nor different.
fn map(out: &mut Vec<u8>, values: &ArrayRef, row: usize) {
    let entries = values.as_map().value(row);
    out.push(b'[');
    for entry in 0..entries.len() {
        if entry > 0 {
            out.push(b',');
        }
        for (place, column) in entries.columns().iter().enumerate() {
            out.push(if place == 0 { b'[' } else { b',' });
            value(out, column, entry);
        }
        out.push(b']');
    }
    out.push(b']');
}

/// What Arrow shows for the one value of an array, as a text. A moment outside
/// the calendar is its number of units since 1970.
fn displayed(out: &mut Vec<u8>, one: &ArrayRef, unit: TimeUnit) {
    let options = FormatOptions::default().with_display_error(false);
    let shown = ArrayFormatter::try_new(one, &options)
        .and_then(|formatter| formatter.value(0).try_to_string());
    match shown {
        Ok(shown) => text(out, &shown),
        Err(_) => match cast(one, &DataType::Int64) {
            Ok(number) => text(
                out,
                &format!("{} {unit:?}s since 1970", number.as_primitive::<Int64Type>().value(0)),
            ),
            Err(error) => {
                text(out, &format!("a {} that cannot be shown: {error}", one.data_type()))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow::array::{
        BinaryArray, Date32Array, Decimal128Array, DictionaryArray, DurationSecondArray,
        Float32Array, Float64Array, Int32Builder, Int64Array, ListBuilder, MapBuilder, StringArray,
        StringBuilder, StructArray, TimestampMicrosecondArray, TimestampMillisecondArray,
        UInt64Array,
    };
    use arrow::datatypes::{Field, Fields};
    use rstest::rstest;

    fn one(values: ArrayRef) -> String {
        let batch = RecordBatch::try_from_iter([("v", values)]).unwrap();
        let json = String::from_utf8(row(&batch, 0)).unwrap();
        // Whatever is written is JSON.
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
        json.strip_prefix("{\"v\":").unwrap().strip_suffix('}').unwrap().to_owned()
    }

    #[rstest]
    #[case(Arc::new(Int64Array::from(vec![i64::MIN])), "-9223372036854775808")]
    #[case(Arc::new(UInt64Array::from(vec![u64::MAX])), "18446744073709551615")]
    #[case(Arc::new(Float32Array::from(vec![0.1_f32])), "0.1")]
    #[case(Arc::new(Float64Array::from(vec![1e300])), "1e300")]
    #[case(Arc::new(Float64Array::from(vec![f64::NAN])), "\"NaN\"")]
    #[case(Arc::new(Float64Array::from(vec![f64::NEG_INFINITY])), "\"-inf\"")]
    #[case(Arc::new(StringArray::from(vec!["a\"\n\u{1}ü"])), "\"a\\\"\\n\\u0001ü\"")]
    #[case(Arc::new(BinaryArray::from_vec(vec![&[0, 255]])), "\"00ff\"")]
    #[case(Arc::new(Date32Array::from(vec![1])), "\"1970-01-02\"")]
    #[case(Arc::new(Int64Array::from(vec![None])), "null")]
    #[case(Arc::new(DurationSecondArray::from(vec![60])), "\"PT60S\"")]
    #[case(Arc::new(TimestampMicrosecondArray::from(vec![1])), "\"1970-01-01T00:00:00.000001\"")]
    #[case(Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX])), "\"9223372036854775807 Microseconds since 1970\"")]
    fn scalars(#[case] values: ArrayRef, #[case] expected: &str) {
        assert_eq!(one(values), expected);
    }

    #[test]
    fn moments_with_a_zone_are_in_utc() {
        let zoned = TimestampMillisecondArray::from(vec![0]).with_timezone("Europe/Berlin");
        assert_eq!(one(Arc::new(zoned)), "\"1970-01-01T00:00:00Z\"");
    }

    #[test]
    fn decimals_keep_every_digit() {
        let decimal = Decimal128Array::from(vec![12_340]).with_precision_and_scale(38, 3).unwrap();
        assert_eq!(one(Arc::new(decimal)), "\"12.340\"");
    }

    #[test]
    fn nested_values() {
        let mut lists = ListBuilder::new(Int32Builder::new());
        lists.append_value([Some(1), None]);
        assert_eq!(one(Arc::new(lists.finish())), "[1,null]");

        let fields = Fields::from(vec![Field::new("a b", DataType::Int64, true)]);
        let point = StructArray::new(fields, vec![Arc::new(Int64Array::from(vec![5]))], None);
        assert_eq!(one(Arc::new(point)), "{\"a b\":5}");

        let words: DictionaryArray<Int32Type> = ["x"].into_iter().collect();
        assert_eq!(one(Arc::new(words)), "\"x\"");

        let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        map.keys().append_value("k");
        map.values().append_value(1);
        map.append(true).unwrap();
        assert_eq!(one(Arc::new(map.finish())), "[[\"k\",1]]");
    }

    #[test]
    fn a_row_that_is_not_there_is_empty() {
        let batch =
            RecordBatch::try_from_iter([("v", Arc::new(Int64Array::from(vec![1])) as ArrayRef)])
                .unwrap();
        assert!(row(&batch, 1).is_empty());
    }
}
