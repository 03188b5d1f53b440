//! Builds documents and batches, and shows what came out as text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::array_value_to_string;
use model::Captures;
use model::document::SourceDocument;
use transform::{MapError, Mapped, Mapper};

/// A document with these columns (a YAML list) and these further fields.
pub fn document(columns: &str, more: &str) -> SourceDocument {
    let yaml = format!(
        "source: test\nversion: 1\nowner: tests\nmatch: {{glob: 'in/{{day}}/{{name}}.json'}}\nformat: {{json: {{}}}}\n\
         table: {{database: d, name: t}}\ncolumns:\n{columns}\n{more}\n"
    );
    SourceDocument::from_yaml(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

pub fn captures(day: &str, name: &str) -> Captures {
    [("day".to_owned(), day.to_owned()), ("name".to_owned(), name.to_owned())].into()
}

pub fn mapper(document: &SourceDocument) -> Mapper {
    Mapper::new(document, &captures("2026-01-31", "n")).unwrap()
}

pub fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub fn batch(columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let fields: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(i, column)| Field::new(format!("c{i}"), column.data_type().clone(), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).unwrap()
}

/// Maps these columns; the rows are numbered from 100.
pub fn try_apply(document: &SourceDocument, columns: Vec<ArrayRef>) -> Result<Mapped, MapError> {
    let rows = columns.first().map_or(0, |column| column.len());
    let numbers: Vec<u64> = (100..).take(rows).collect();
    let mapper = mapper(document);
    let mapped =
        mapper.apply(&batch(columns, rows), &numbers, &|row| format!("raw {row}").into_bytes())?;
    for (field, planned) in mapped.batch.schema().fields().iter().zip(mapper.schema().fields()) {
        let held = match field.data_type() {
            DataType::Dictionary(_, held) => held,
            plain => plain,
        };
        // A String holds bytes that are no text, too, and views of what was read.
        let held = held.to_string().replace("Binary", "Utf8").replace("View", "");
        let wanted = planned.data_type().to_string().replace("Binary", "Utf8");
        assert_eq!((field.name(), held), (planned.name(), wanted));
    }
    assert_eq!(mapped.batch.num_rows(), mapped.source_rows.len());
    let total = mapped.written + mapped.filtered + u64::try_from(mapped.rejected.len()).unwrap();
    assert_eq!(total, u64::try_from(rows).unwrap(), "the accounting closes");
    Ok(mapped)
}

pub fn apply(document: &SourceDocument, columns: Vec<ArrayRef>) -> Mapped {
    try_apply(document, columns).unwrap()
}

/// The values of a column as text, NULL as `NULL`.
pub fn values(array: &dyn Array) -> Vec<String> {
    (0..array.len())
        .map(|row| {
            if array.is_null(row) {
                "NULL".to_owned()
            } else {
                array_value_to_string(array, row).unwrap()
            }
        })
        .collect()
}

/// One value into one column of this type: the value, or the reason.
pub fn one(column_type: &str, more: &str, array: ArrayRef) -> Result<String, String> {
    let quoted = column_type.replace('"', "\\\"");
    let mapped =
        apply(&document(&format!("  - {{name: c, type: \"{quoted}\"{more}}}"), ""), vec![array]);
    match mapped.rejected.as_slice() {
        [] => Ok(values(mapped.batch.column(0)).remove(0)),
        [bad] => {
            assert_eq!(
                (bad.row, bad.column.as_str(), bad.raw.as_slice()),
                (100, "c", &b"raw 0"[..])
            );
            Err(bad.reason.clone())
        }
        more => panic!("{more:?}"),
    }
}

/// Compares with what is expected: `Err` holds a part of the reason.
pub fn assert_one(found: Result<String, String>, expected: Result<&str, &str>) {
    match (&found, expected) {
        (Ok(value), Ok(expected)) => assert_eq!(value, expected),
        (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
        _ => panic!("{found:?} instead of {expected:?}"),
    }
}
