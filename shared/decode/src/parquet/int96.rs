//! Moments of 96 bits in nanoseconds, for columns that hold so many digits.
//!
//! The parquet crate counts them in 64 bits: in nanoseconds a moment beyond the
//! years 1677 to 2262 silently becomes another, in microseconds the last digits
//! are lost. So these columns are read in both. Where the two agree the
//! nanoseconds are right; where they do not, the microseconds show the moment,
//! which no column with nanoseconds holds, to whoever judges it. Both go on as
//! texts, in which every digit stands.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{
    DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow::error::ArrowError;
use model::ColumnType;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::basic::Type;

use crate::{FieldOrigin, Request};

/// Columns of old moments of which nanoseconds are wanted.
pub(super) struct Old {
    /// The file's schema, with these columns in nanoseconds.
    pub(super) schema: SchemaRef,
    /// Their places among the leaves.
    pub(super) leaves: Vec<usize>,
}

/// The old moments at the top of the file that a column of more than six digits
/// takes, if there are any.
pub(super) fn wanted_in_full(loaded: &ArrowReaderMetadata, request: &Request) -> Option<Old> {
    let descriptor = loaded.metadata().file_metadata().schema_descr();
    let mut leaves = Vec::new();
    let mut fields: Vec<Arc<Field>> = loaded.schema().fields().to_vec();
    for (place, leaf) in descriptor.columns().iter().enumerate() {
        let [name] = leaf.path().parts() else { continue };
        if leaf.physical_type() != Type::INT96 || !is_wanted_in_full(name, request) {
            continue;
        }
        let field = fields.get_mut(descriptor.get_column_root_idx(place))?;
        let DataType::Timestamp(_, zone) = field.data_type() else { continue };
        let finer = DataType::Timestamp(TimeUnit::Nanosecond, zone.clone());
        *field = Arc::new(field.as_ref().clone().with_data_type(finer));
        leaves.push(place);
    }
    let metadata = loaded.schema().metadata().clone();
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    (!leaves.is_empty()).then_some(Old { schema, leaves })
}

fn is_wanted_in_full(name: &str, request: &Request) -> bool {
    request.fields.iter().any(|field| {
        let is_asked = match &field.origin {
            FieldOrigin::Column(column) => column == name,
            FieldOrigin::Path(path) => path.first().is_some_and(|first| first == name),
        };
        let digits = field.column_type.as_ref().map(ColumnType::bare);
        is_asked && matches!(digits, Some(ColumnType::DateTime64(7.., _)))
    })
}

/// The batch with these columns as texts of every digit.
pub(super) fn in_full(
    batch: RecordBatch,
    finer: Option<&RecordBatch>,
) -> Result<RecordBatch, ArrowError> {
    let Some(finer) = finer.filter(|finer| finer.num_rows() == batch.num_rows()) else {
        return Err(ArrowError::ParquetError("its moments end before its rows".to_owned()));
    };
    let mut fields: Vec<Arc<Field>> = batch.schema_ref().fields().to_vec();
    let mut columns = batch.columns().to_vec();
    for (field, nanoseconds) in finer.schema_ref().fields().iter().zip(finer.columns()) {
        let place = batch.schema_ref().index_of(field.name())?;
        columns[place] = texts(&columns[place], nanoseconds)?;
        fields[place] = Arc::new(Field::new(field.name(), DataType::Utf8, true));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn texts(microseconds: &ArrayRef, nanoseconds: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let coarse = microseconds.as_primitive::<TimestampMicrosecondType>();
    let fine = nanoseconds.as_primitive::<TimestampNanosecondType>();
    let agree: BooleanArray = (0..coarse.len())
        .map(|row| Some(fine.value(row).div_euclid(1_000) == coarse.value(row)))
        .collect();
    zip(&agree, &cast(nanoseconds, &DataType::Utf8)?, &cast(microseconds, &DataType::Utf8)?)
}
