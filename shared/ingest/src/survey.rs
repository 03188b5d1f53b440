//! What columns an object has beyond its document, and which types they need:
//! asked once, when drift is to add them.
//!
//! Parquet and Arrow state their types. For texts, the first of a few types that
//! takes every value of the batch is chosen, by the rules of the mapper itself:
//! wide ones, because more values will come.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use decode::{DecodeError, DecodedBatch, FieldOrigin, FieldRequest, Request};
use model::document::{Drift, Format, SourceDocument};
use model::{BatchPlan, Captures, ColumnType};
use serde_json::value::RawValue;
use transform::Mapper;
use warehouse::ExtraColumn;

use crate::IngestError;
use crate::destination::Destination;
use crate::fetch::FetchFailure;
use crate::reader::{ReadPlan, input};

/// Types of texts that are no strings in JSON, the first that fits.
const OF_NUMBERS: &[&str] = &["Int64", "UInt64", "Int128", "Int256"];
const OF_FRACTIONS: &[&str] = &["Float64"];
const OF_WORDS: &[&str] = &["Bool"];
const OF_LISTS: &[&str] =
    &["Array(Nullable(Int64))", "Array(Nullable(Float64))", "Array(Nullable(String))"];
/// The same, where a float would lose digits of a whole number.
const OF_LONG_LISTS: &[&str] = &["Array(Nullable(Int64))", "Array(Nullable(String))"];
/// Types of any texts.
const OF_TEXTS: &[&str] = &["Date32", "DateTime64(6, 'UTC')", "UUID"];

/// The same, where some have more digits of a second than microseconds have.
const OF_FINE_TEXTS: &[&str] = &["Date32", "DateTime64(9, 'UTC')", "UUID"];

/// The columns that would take these fields of an object, typed by the batch
/// that begins at `plan.from_row`. Must be called within the runtime.
pub(crate) async fn survey(
    plan: ReadPlan,
    fields: &[String],
) -> Result<Vec<ExtraColumn>, IngestError> {
    let object = plan.object.id.to_string();
    let failed = FetchFailure::default();
    let (input, request) = (input(&plan, &failed), request(&plan, fields));
    let is_json = matches!(plan.document.format, Format::Json(_));
    let decoded = tokio::task::spawn_blocking(move || {
        let mut decoder = decode::open(input, request)?;
        decoder.next_batch()
    });
    let decoded = decoded.await.map_err(|error| IngestError::Thread {
        object: object.clone(),
        reason: error.to_string(),
    })?;
    let batch = decoded.map_err(|cause| match failed.take() {
        Some(cause) => IngestError::Fetch { object: object.clone(), cause: Box::new(cause) },
        None => IngestError::Decode { object: object.clone(), cause: Box::new(cause) },
    })?;
    let strings = match &batch {
        Some(batch) if is_json => strings(batch),
        _ => HashSet::new(),
    };
    let typed = fields.iter().enumerate().map(|(at, field)| {
        let values = batch.as_ref().map(|batch| batch.batch.column(at));
        let has_strings = strings.contains(field);
        let column_type = match values {
            Some(values) => type_of(field, values, has_strings, &plan.document),
            // The object has the columns and no rows.
            None => Some(nullable(ColumnType::String)),
        };
        let column_type = column_type.ok_or_else(|| IngestError::Decode {
            object: object.clone(),
            cause: Box::new(DecodeError::Unsupported {
                name: plan.object.id.key.clone(),
                what: format!(
                    "adding column `{field}`, whose values no ClickHouse type takes (name it in `columns`, or set \
                     `drift.unknown: ignore`),"
                ),
            }),
        })?;
        Ok(ExtraColumn::for_field(field, column_type))
    });
    typed.collect()
}

fn request(plan: &ReadPlan, fields: &[String]) -> Request {
    let fields = fields.iter().map(|field| FieldRequest {
        origin: FieldOrigin::Column(field.clone()),
        empty_is_text: false,
        column_type: None,
        required_by: field.clone(),
        is_optional: true,
    });
    Request {
        format: plan.document.format.clone(),
        compression: plan.document.compression,
        name: plan.object.id.key.clone(),
        fields: fields.collect(),
        drift: Drift::default(),
        plan: BatchPlan::for_chunks(plan.document.write.rows_per_chunk),
        start_row: plan.from_row,
        limits: decode::Limits::default(),
    }
}

/// The fields of which a value is a JSON string: the decoder gives strings and
/// numbers alike as texts.
fn strings(batch: &DecodedBatch) -> HashSet<String> {
    let mut found = HashSet::new();
    for row in 0..batch.batch.num_rows() {
        let raw = batch.raw.get(row);
        let keys: HashMap<String, &RawValue> = serde_json::from_slice(&raw).unwrap_or_default();
        let strings = keys.into_iter().filter(|(_, value)| value.get().starts_with('"'));
        found.extend(strings.map(|(key, _)| key));
    }
    found
}

fn type_of(
    field: &str,
    values: &ArrayRef,
    has_strings: bool,
    document: &SourceDocument,
) -> Option<ColumnType> {
    let texts = match values.data_type() {
        DataType::Utf8 | DataType::Null => cast(values, &DataType::Utf8).ok()?,
        stated => {
            let natural = match native::natural_type(stated)? {
                // A tuple cannot be absent.
                ColumnType::Tuple(_) => nullable(ColumnType::String),
                stays @ (ColumnType::Array(_) | ColumnType::Map(..)) => stays,
                plain => nullable(plain),
            };
            return [natural, nullable(ColumnType::String)]
                .into_iter()
                .find(|column_type| fits(field, values, column_type, document));
        }
    };
    let texts = texts.as_any().downcast_ref::<StringArray>()?;
    candidates(texts, has_strings)
        .filter_map(|text| ColumnType::parse(text).ok())
        .map(|candidate| match candidate {
            list @ ColumnType::Array(_) => list,
            plain => nullable(plain),
        })
        .chain([nullable(ColumnType::String)])
        .find(|column_type| fits(field, values, column_type, document))
}

/// The types that texts of such looks may have, before `String`.
fn candidates(
    texts: &StringArray,
    has_strings: bool,
) -> impl Iterator<Item = &'static str> + use<> {
    let mut there = texts.iter().flatten().map(str::trim_ascii).filter(|text| !text.is_empty());
    let mut groups: Vec<&[&str]> = Vec::new();
    let all = |is: fn(&str) -> bool| texts.iter().flatten().map(str::trim_ascii).all(is);
    // Without a value nothing can be told: a text takes all that will come.
    if there.next().is_some() {
        if !has_strings && all(is_number) {
            let fractions = texts.iter().flatten().any(|text| text.contains(['.', 'e', 'E']));
            // Beside a fraction, a whole number of more digits than a float holds stays a text.
            match fractions {
                false => groups.push(OF_NUMBERS),
                true if !texts.iter().flatten().any(has_long_number) => groups.push(OF_FRACTIONS),
                true => {}
            }
        }
        if !has_strings && all(|text| matches!(text, "true" | "false")) {
            groups.push(OF_WORDS);
        }
        if !has_strings && all(|text| text.starts_with('[')) {
            let is_exact = !texts.iter().flatten().any(has_long_number);
            groups.push(if is_exact { OF_LISTS } else { OF_LONG_LISTS });
        }
        let is_fine = texts.iter().flatten().any(has_nanoseconds);
        groups.push(if is_fine { OF_FINE_TEXTS } else { OF_TEXTS });
    }
    groups.into_iter().flatten().copied()
}

/// Whether digits stand there that a float may not hold: 16 of them, without a point.
fn has_long_number(text: &str) -> bool {
    let mut numbers = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    numbers.any(|number| !number.contains('.') && number.trim_start_matches('0').len() > 15)
}

/// Whether more than six digits stand behind a point.
fn has_nanoseconds(text: &str) -> bool {
    let digits = |rest: &str| rest.bytes().take_while(u8::is_ascii_digit).count();
    text.rsplit_once('.').is_some_and(|(_, rest)| digits(rest) > 6)
}

/// A number as JSON writes it: `007` is none, and as a number would lose zeros.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    match digits {
        [b'0'] => true,
        [b'0', next, ..] => !next.is_ascii_digit(),
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    }
}

/// Whether a column of this type takes every value, by the rules of the mapper.
fn fits(
    field: &str,
    values: &ArrayRef,
    column_type: &ColumnType,
    document: &SourceDocument,
) -> bool {
    let extra = ExtraColumn::for_field(field, column_type.clone());
    let mut alone = SourceDocument {
        columns: Vec::new(),
        transform: Vec::new(),
        select: None,
        ..document.clone()
    };
    alone = Destination::of(&alone, &[extra]).document.as_ref().clone();
    let schema = Schema::new(vec![Field::new(field, values.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![values.clone()]);
    let rows: Vec<u64> = (0..values.len() as u64).collect();
    let mapped = Mapper::new(&alone, &Captures::default())
        .ok()
        .zip(batch.ok())
        .and_then(|(mapper, batch)| mapper.apply(&batch, &rows, &|_| Vec::new()).ok());
    mapped.is_some_and(|mapped| mapped.rejected.is_empty())
}

fn nullable(column_type: ColumnType) -> ColumnType {
    ColumnType::Nullable(Box::new(column_type))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn document() -> SourceDocument {
        SourceDocument::from_yaml(
            "{source: s, version: 1, owner: o, match: {prefix: p/}, format: {csv: {}}, \
             columns: [{name: a, type: String}], table: {database: d, name: t}}",
        )
        .unwrap()
    }

    #[rstest]
    #[case(&[Some("1"), None, Some("-20")], false, "Nullable(Int64)")]
    #[case(&[Some("18446744073709551615")], false, "Nullable(UInt64)")]
    #[case(&[Some("-18446744073709551616")], false, "Nullable(Int128)")]
    #[case(&[Some("1"), Some("2.5e3")], false, "Nullable(Float64)")]
    #[case(&[Some("9007199254740993"), Some("0.5")], false, "Nullable(String)")]
    #[case(&[Some("900719925474099"), Some("1.00000000000000000")], false, "Nullable(Float64)")]
    #[case(&[Some("[9007199254740993, 0.5]")], false, "Array(Nullable(String))")]
    #[case(&[Some("[9007199254740993]")], false, "Array(Nullable(Int64))")]
    #[case(&[Some("2026-01-31T10:00:00.123456789Z")], true, "Nullable(DateTime64(9, 'UTC'))")]
    #[case(&[Some("007")], false, "Nullable(String)")]
    #[case(&[Some("1")], true, "Nullable(String)")]
    #[case(&[Some("true"), Some("false")], false, "Nullable(Bool)")]
    #[case(&[Some("true"), Some("maybe")], false, "Nullable(String)")]
    #[case(&[Some("2026-01-31")], true, "Nullable(Date32)")]
    #[case(&[Some("2026-01-31"), Some("2026-02-30")], true, "Nullable(String)")]
    #[case(&[Some("2026-01-31T10:00:00Z")], true, "Nullable(DateTime64(6, 'UTC'))")]
    #[case(&[Some("61f0c404-5cb3-11e7-907b-a6006ad3dba0")], true, "Nullable(UUID)")]
    #[case(&[Some("[1, null]"), Some("[]")], false, "Array(Nullable(Int64))")]
    #[case(&[Some("[1, \"a\"]")], false, "Array(Nullable(String))")]
    #[case(&[Some("{\"a\": 1}")], false, "Nullable(String)")]
    #[case(&[None, None], false, "Nullable(String)")]
    fn texts_get_wide_types(
        #[case] values: &[Option<&str>],
        #[case] has_strings: bool,
        #[case] expected: &str,
    ) {
        let values: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
        let found = type_of("f", &values, has_strings, &document()).unwrap();
        assert_eq!(found.to_string(), expected);
    }
}
