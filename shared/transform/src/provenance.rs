//! Where every row came from: the columns that the platform adds to a table.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, RecordBatch, StringArray, TimestampMillisecondArray,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{Field, Schema, UInt32Type};
use arrow::error::ArrowError;
use model::ColumnType;
use model::document::OutputColumn;

use crate::MapError;

/// What is the same for all rows of one load of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The object, as `model::ObjectId` displays it.
    pub object: String,
    /// Version of the source document that the claim froze.
    pub config_version: u64,
    /// When the chunk was written, in milliseconds since 1970.
    pub loaded_at_ms: i64,
}

/// The provenance columns, in the order in which [`Provenance::append`] adds them.
#[must_use]
pub fn provenance_columns() -> Vec<OutputColumn> {
    let column = |name: &str, column_type| OutputColumn { name: name.to_owned(), column_type };
    vec![
        column("_object", ColumnType::LowCardinality(Box::new(ColumnType::String))),
        column("_row", ColumnType::UInt(64)),
        // Nobody changes a document four billion times; half the bytes in every row.
        column("_config_version", ColumnType::UInt(32)),
        column("_loaded_at", ColumnType::DateTime64(3, Some("UTC".to_owned()))),
    ]
}

impl Provenance {
    /// The batch with the provenance columns behind its own. `source_rows`
    /// holds the ordinal of the source row of each row of the batch.
    ///
    /// # Errors
    /// [`MapError::Arrow`] when there are not as many ordinals as rows, or the
    /// version is above 32 bits.
    pub fn append(&self, batch: RecordBatch, source_rows: &[u64]) -> Result<RecordBatch, MapError> {
        self.try_append(&batch, source_rows).map_err(MapError::arrow("_object"))
    }

    fn try_append(
        &self,
        batch: &RecordBatch,
        source_rows: &[u64],
    ) -> Result<RecordBatch, ArrowError> {
        let rows = batch.num_rows();
        let version = u32::try_from(self.config_version).map_err(|_| {
            ArrowError::ComputeError(format!("version {} has no room", self.config_version))
        })?;
        let added: [ArrayRef; 4] = [
            Arc::new(self.object_column(rows)?),
            Arc::new(UInt64Array::from(source_rows.to_vec())),
            Arc::new(UInt32Array::from_value(version, rows)),
            Arc::new(
                TimestampMillisecondArray::from_value(self.loaded_at_ms, rows).with_timezone("UTC"),
            ),
        ];
        let names = provenance_columns();
        let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
        fields.extend(names.iter().zip(&added).map(|(column, values)| {
            Arc::new(Field::new(&column.name, values.data_type().clone(), false))
        }));
        let columns = batch.columns().iter().cloned().chain(added).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }

    /// The same text in every row: a dictionary of one.
    fn object_column(&self, rows: usize) -> Result<DictionaryArray<UInt32Type>, ArrowError> {
        let name = StringArray::from_iter_values([&self.object]);
        DictionaryArray::try_new(UInt32Array::from_value(0, rows), Arc::new(name))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayAccessor, AsArray, Int8Array};
    use arrow::datatypes::{DataType, UInt64Type};

    use super::*;

    #[test]
    fn every_row_says_where_it_came_from() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int8, false)]));
        let batch =
            RecordBatch::try_new(schema, vec![Arc::new(Int8Array::from(vec![1, 2]))]).unwrap();
        let provenance =
            Provenance { object: "s3://b/k@e".into(), config_version: 7, loaded_at_ms: 5 };
        let batch = provenance.append(batch, &[3, 9]).unwrap();
        let object = batch.column(1).as_dictionary::<UInt32Type>().downcast_dict::<StringArray>();
        assert_eq!(object.unwrap().value(1), "s3://b/k@e");
        assert_eq!(batch.column(2).as_primitive::<UInt64Type>().values(), &[3, 9]);
        for (field, column) in batch.schema().fields()[2..].iter().zip(&provenance_columns()[1..]) {
            assert_eq!(**field, native::arrow_field(&column.name, &column.column_type));
        }
    }

    #[test]
    fn ordinals_must_fit_the_rows() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int8, false)]));
        let batch =
            RecordBatch::try_new(schema, vec![Arc::new(Int8Array::from(vec![1, 2]))]).unwrap();
        let provenance = Provenance { object: "o".into(), config_version: 7, loaded_at_ms: 5 };
        assert!(provenance.append(batch, &[3]).is_err());
    }
}
