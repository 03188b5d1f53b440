//! Where every record of Kafka came from: the columns that the platform adds to
//! the table of a stream.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BinaryBuilder, DictionaryArray, Int32Array, Int64Array, MapBuilder,
    MapFieldNames, RecordBatch, StringArray, StringBuilder, TimestampMillisecondArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Schema, UInt32Type};
use arrow::error::ArrowError;
use model::document::{EventColumn, Kind, OutputColumn, SourceDocument};
use model::{ColumnType, StreamRecord};

use crate::{MapError, provenance_columns};

/// The columns that the platform adds to a document's own.
#[must_use]
pub fn added_columns(document: &SourceDocument) -> Vec<OutputColumn> {
    match (document.kind, &document.stream) {
        (Kind::Kafka, Some(stream)) => stream_columns(stream.event),
        _ if document.table.provenance => provenance_columns(),
        _ => Vec::new(),
    }
}

/// The columns of a stream, in the order in which [`Coordinates::append`] adds
/// them.
fn stream_columns(event: EventColumn) -> Vec<OutputColumn> {
    let column = |name: &str, column_type| OutputColumn { name: name.to_owned(), column_type };
    let text = || Box::new(ColumnType::String);
    let moment = || ColumnType::DateTime64(3, Some("UTC".to_owned()));
    let event = match event {
        EventColumn::String => Some(column("event", ColumnType::String)),
        EventColumn::Json => Some(column("event", ColumnType::Json)),
        EventColumn::None => None,
    };
    let coordinates = [
        column("_topic", ColumnType::LowCardinality(text())),
        column("_partition", ColumnType::Int(32)),
        column("_offset", ColumnType::Int(64)),
        column("_key", ColumnType::String),
        column("_timestamp", moment()),
        column("_headers", ColumnType::Map(text(), text())),
        column("_config_version", ColumnType::UInt(32)),
        column("_loaded_at", moment()),
    ];
    event.into_iter().chain(coordinates).collect()
}

/// What is the same for all rows of one INSERT of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coordinates {
    /// How the whole value is kept.
    pub event: EventColumn,
    /// Version of the source document that maps the records.
    pub config_version: u64,
    /// When the INSERT was first sent, in milliseconds since 1970.
    pub loaded_at_ms: i64,
}

impl Coordinates {
    /// The batch with the columns of the stream behind its own. `records` holds
    /// the record of each row, whose value is text. A key that is absent is empty.
    ///
    /// # Errors
    /// [`MapError::Arrow`] when there are not as many records as rows, a value is
    /// no text, or the version is above 32 bits.
    pub fn append(
        &self,
        batch: Option<&RecordBatch>,
        records: &[&StreamRecord],
    ) -> Result<RecordBatch, MapError> {
        self.try_append(batch, records).map_err(MapError::arrow("_offset"))
    }

    fn try_append(
        &self,
        batch: Option<&RecordBatch>,
        records: &[&StreamRecord],
    ) -> Result<RecordBatch, ArrowError> {
        let version = u32::try_from(self.config_version).map_err(|_| {
            ArrowError::ComputeError(format!("version {} has no room", self.config_version))
        })?;
        let moments = |array: TimestampMillisecondArray| Arc::new(array.with_timezone("UTC"));
        let of = |value: fn(&StreamRecord) -> i64| records.iter().map(move |record| value(record));
        let keys = records.iter().map(|record| record.key.as_deref().unwrap_or_default());
        let mut added: Vec<ArrayRef> = Vec::with_capacity(9);
        if self.event != EventColumn::None {
            added.push(Arc::new(events(records)?));
        }
        added.extend([
            Arc::new(topics(records)?) as ArrayRef,
            Arc::new(Int32Array::from_iter_values(records.iter().map(|record| record.partition))),
            Arc::new(Int64Array::from_iter_values(of(|record| record.offset))),
            Arc::new(BinaryArray::from_iter_values(keys)),
            moments(TimestampMillisecondArray::from_iter_values(of(|record| record.timestamp_ms))),
            headers(records)?,
            Arc::new(UInt32Array::from_value(version, records.len())),
            moments(TimestampMillisecondArray::from_value(self.loaded_at_ms, records.len())),
        ]);
        let names = stream_columns(self.event);
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        if let Some(batch) = batch {
            fields.extend(batch.schema().fields().iter().cloned());
            columns.extend(batch.columns().iter().cloned());
        }
        fields.extend(names.iter().zip(&added).map(|(column, values)| {
            Arc::new(Field::new(&column.name, values.data_type().clone(), false))
        }));
        columns.extend(added);
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }
}

fn events(records: &[&StreamRecord]) -> Result<StringArray, ArrowError> {
    let bytes = records.iter().map(|record| record.value.as_ref().map_or(0, Vec::len)).sum();
    let mut events = StringBuilder::with_capacity(records.len(), bytes);
    for record in records {
        let value = record.value.as_deref().unwrap_or_default();
        let text = std::str::from_utf8(value).map_err(|error| {
            ArrowError::ComputeError(format!("record {} is no text: {error}", record.offset))
        })?;
        events.append_value(text);
    }
    Ok(events.finish())
}

/// A dictionary of the few topics that a batch has.
fn topics(records: &[&StreamRecord]) -> Result<DictionaryArray<UInt32Type>, ArrowError> {
    let mut names: Vec<&str> = Vec::new();
    let mut keys = Vec::with_capacity(records.len());
    for record in records {
        let known = names.iter().rposition(|name| **name == *record.topic);
        let at = known.unwrap_or_else(|| {
            names.push(&record.topic);
            names.len() - 1
        });
        keys.push(u32::try_from(at).unwrap_or(u32::MAX));
    }
    DictionaryArray::try_new(
        UInt32Array::from(keys),
        Arc::new(StringArray::from_iter_values(names)),
    )
}

fn headers(records: &[&StreamRecord]) -> Result<ArrayRef, ArrowError> {
    let names = MapFieldNames {
        entry: "entries".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    let mut headers = MapBuilder::new(Some(names), StringBuilder::new(), BinaryBuilder::new())
        .with_values_field(Field::new("value", DataType::Binary, false));
    for record in records {
        for (name, value) in &record.headers {
            headers.keys().append_value(name);
            headers.values().append_value(value);
        }
        headers.append(true)?;
    }
    Ok(Arc::new(headers.finish()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Int64Type, UInt32Type};

    use super::*;

    fn record(topic: &str, offset: i64) -> StreamRecord {
        StreamRecord {
            topic: topic.into(),
            partition: 2,
            offset,
            timestamp_ms: 1_000 + offset,
            key: (offset % 2 == 0).then(|| vec![0xff]),
            value: Some(format!("{{\"n\":{offset}}}").into_bytes()),
            headers: vec![("a".to_owned(), vec![0xfe]), ("a".to_owned(), b"x".to_vec())],
        }
    }

    #[test]
    fn records_become_rows_with_their_place() {
        let records = [record("a", 7), record("b", 8), record("a", 9)];
        let rows: Vec<&StreamRecord> = records.iter().collect();
        for event in [EventColumn::String, EventColumn::Json, EventColumn::None] {
            let coordinates = Coordinates { event, config_version: 3, loaded_at_ms: 5 };
            let batch = coordinates.append(None, &rows).unwrap();
            let names: Vec<_> = stream_columns(event).into_iter().map(|c| c.name).collect();
            let there: Vec<_> =
                batch.schema().fields().iter().map(|field| field.name().clone()).collect();
            assert_eq!(there, names);
            let offsets = batch.column_by_name("_offset").unwrap();
            assert_eq!(offsets.as_primitive::<Int64Type>().values(), &[7, 8, 9]);
            let topics = batch.column_by_name("_topic").unwrap().as_dictionary::<UInt32Type>();
            assert_eq!(topics.keys().values(), &[0, 1, 0]);
            assert_eq!(batch.column_by_name("_key").unwrap().as_binary::<i32>().value(1), [0xff]);
            let headers = batch.column_by_name("_headers").unwrap().as_map();
            assert_eq!(headers.value(0).len(), 2);
        }
    }

    #[test]
    fn a_value_that_is_no_text_is_an_error() {
        let broken = StreamRecord { value: Some(vec![0xff]), ..record("a", 1) };
        let coordinates =
            Coordinates { event: EventColumn::String, config_version: 1, loaded_at_ms: 0 };
        assert!(coordinates.append(None, &[&broken]).is_err());
    }
}
