//! The whole way of an object's bytes: decode, map, encode as Native.

use std::collections::BTreeMap;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::DataType;
use decode::{FieldOrigin, FieldRequest, Limits, Request};
use model::document::{Compression, Format, FromSpec, SourceDocument};
use model::{BatchPlan, RejectedRow};
use native::BlockEncoder;
use serde_json::json;
use transform::{MapError, Mapper, Provenance};

use crate::choices::Choices;
use crate::column_types::COLUMN_TYPES;
use crate::decoding::decode;
use crate::text::{csv_options, json_options};

/// Steps that the columns of [`document`] allow at least sometimes.
const STEPS: [&str; 6] = [
    "[]",
    r#"[{"filter": {"column": "c", "op": "ne", "value": "1"}}]"#,
    r#"[{"explode": {"column": "a", "position": "n"}}]"#,
    r#"[{"flatten": {"column": "a"}}, {"trim": ["b"]}]"#,
    r#"[{"trim": ["c"]}, {"map": {"column": "c", "values": {"x": "y"}, "other": ""}}, {"mask": {"columns": ["c"], "keep_first": 1}}]"#,
    r#"[{"filter": {"column": "a", "op": "not_null"}}, {"drop": ["b"]}]"#,
];

/// The rows of a document's object, as they would be written.
#[derive(Debug, Default, PartialEq)]
struct Loaded {
    batches: Vec<(RecordBatch, Vec<u64>)>,
    rejected: Vec<RejectedRow>,
    /// What ended it.
    error: Option<String>,
}

/// Every row that is read is written, filtered or put aside; what the mapper
/// yields can be encoded; and columns that the decoder types by itself are what
/// the mapper makes of their texts.
pub fn pipeline(input: &[u8]) {
    let (mut choices, content) = Choices::split(input);
    let Some(document) = document(&mut choices) else { return };
    let typed = load(&document, content, true);
    assert_eq!(load(&document, content, true), typed, "a second time");
    if !decode::needs_ranges(&document.format) {
        assert_eq!(load(&document, content, false), typed, "by way of texts");
    }
}

/// A document of three columns, with policies and steps; none when its parts do
/// not fit together.
fn document(choices: &mut Choices<'_>) -> Option<SourceDocument> {
    let format = match choices.byte() % 4 {
        0 => Format::Csv(csv_options(choices)),
        1 => Format::Json(json_options(choices)),
        2 => Format::Parquet,
        _ => Format::Arrow,
    };
    let is_json = matches!(format, Format::Json(_));
    let column = |name: &str, from: serde_json::Value, choices: &mut Choices<'_>| {
        let column_type = choices.one_of(&COLUMN_TYPES);
        let flags = choices.flags();
        let on_error = match (flags(0), flags(1)) {
            (false, false) => "quarantine",
            (true, false) => "null",
            (false, true) => "default",
            (true, true) => "fail",
        };
        let mut column = json!({
            "name": name, "type": column_type, "from": from, "on_error": on_error, "required": flags(2),
        });
        if let Some(column) = column.as_object_mut() {
            if flags(3) {
                column.insert("default".to_owned(), json!(if flags(4) { "0" } else { "[]" }));
            }
            if flags(5) {
                let formats = json!(["%d.%m.%Y %H:%M", "unix_ms"]);
                let rules = json!({"formats": formats, "zone": "Europe/Berlin"});
                column.insert("timestamp".to_owned(), rules);
            }
        }
        column
    };
    let path = if is_json { json!({"path": "b.0"}) } else { json!({"column": "b"}) };
    let columns = [
        column("a", json!({"column": "a"}), choices),
        column("b", path, choices),
        column("c", json!({"column": "c"}), choices),
    ];
    let steps: serde_json::Value =
        serde_json::from_str(choices.one_of(&STEPS)).expect("steps are JSON");
    let document = json!({
        "source": "s", "version": 1, "owner": "o", "match": {"prefix": "p"}, "format": format,
        "columns": columns, "transform": steps, "table": {"database": "d", "name": "t"},
        "write": {"rows_per_chunk": 1_000},
    });
    let document = SourceDocument::from_json(&document.to_string()).ok()?;
    transform::check(&document).ok()?;
    Some(document)
}

fn load(document: &SourceDocument, content: &[u8], typed: bool) -> Loaded {
    let mapper = Mapper::new(document, &BTreeMap::new()).expect("it has been planned before");
    let decoded = decode(content, usize::MAX, &request(document, &mapper, typed));
    let provenance =
        Provenance { object: "an object".to_owned(), config_version: 1, loaded_at_ms: 1 };
    let columns = document.output_columns().into_iter().chain(transform::provenance_columns());
    let encoder = BlockEncoder::new(columns.map(|column| (column.name, column.column_type)));
    let mut loaded = Loaded::default();
    for batch in decoded.batches {
        let read = batch.rows.end - batch.rows.start;
        let aside = batch.rejected.len() as u64;
        let raw = |row| batch.raw.get(row);
        let mapped = match mapper.apply(&batch.batch, &batch.row_numbers, &raw) {
            Ok(mapped) => mapped,
            Err(error @ (MapError::Value { .. } | MapError::Capture { .. })) => {
                loaded.error = Some(error.to_string());
                return loaded;
            }
            Err(error) => panic!("{error:?}"),
        };
        let accounted = mapped.written + mapped.filtered + mapped.rejected.len() as u64 + aside;
        assert_eq!(read, accounted, "the accounting closes");
        assert_eq!(mapped.batch.num_rows(), mapped.source_rows.len());
        for column in mapped.batch.columns() {
            column.to_data().validate_full().expect("a sound column");
        }
        let with_provenance = provenance
            .append(mapped.batch.clone(), &mapped.source_rows)
            .expect("a source row for each row");
        let mut block = Vec::new();
        encoder.encode(&with_provenance, &mut block).expect("what is mapped can be encoded");
        loaded.batches.push((plain(&mapped.batch), mapped.source_rows));
        loaded.rejected.extend(batch.rejected);
        loaded.rejected.extend(mapped.rejected);
    }
    loaded.error = decoded.error.as_ref().map(crate::decoding::told);
    loaded
}

/// What `ingest` asks of the decoder for a document.
fn request(document: &SourceDocument, mapper: &Mapper, typed: bool) -> Request {
    let field = |field: &transform::MappedField| FieldRequest {
        origin: match &field.origin {
            FromSpec::Path(path) => FieldOrigin::Path(path.split('.').map(str::to_owned).collect()),
            FromSpec::Column(name) => FieldOrigin::Column(name.clone()),
            other => unreachable!("{other:?} is not decoded"),
        },
        empty_is_text: field.empty_is_text,
        column_type: field.column_type.clone().filter(|_| typed),
        required_by: field.column.clone(),
        is_optional: false,
    };
    Request {
        format: document.format.clone(),
        compression: Compression::None,
        name: "an object".to_owned(),
        fields: mapper.fields().iter().map(field).collect(),
        drift: document.drift,
        plan: BatchPlan::for_chunks(document.write.rows_per_chunk).limited(8),
        start_row: 0,
        limits: Limits { max_row_bytes: 1 << 16, ..Limits::default() },
    }
}

/// The batch with its dictionaries unpacked and its texts as bytes: whether a
/// column is one or the other does not change its values.
fn plain(batch: &RecordBatch) -> RecordBatch {
    let column = |column: &ArrayRef| {
        let column = match column.data_type() {
            DataType::Dictionary(_, values) => {
                arrow::compute::cast(column.as_any_dictionary(), values)
                    .expect("it can be unpacked")
            }
            _ => column.clone(),
        };
        match column.data_type() {
            DataType::Utf8 => {
                arrow::compute::cast(&column, &DataType::Binary).expect("texts are bytes")
            }
            _ => column,
        }
    };
    let columns: Vec<ArrayRef> = batch.columns().iter().map(column).collect();
    let fields =
        batch.schema_ref().fields().iter().zip(&columns).map(|(field, column)| {
            field.as_ref().clone().with_data_type(column.data_type().clone())
        });
    let schema = arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(schema.into(), columns).expect("the same rows")
}
