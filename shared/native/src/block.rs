//! A batch as one block of the Native format: the number of columns and of
//! rows, then each column's name, type and values.

use arrow::array::RecordBatch;
use model::ColumnType;

use crate::NativeError;
use crate::column::{self, Sink};
use crate::text::put_varint;

/// Writes batches as blocks.
#[derive(Debug, Clone)]
pub struct BlockEncoder {
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    column_type: ColumnType,
    /// Name and type as they stand in front of the values.
    head: Vec<u8>,
}

impl BlockEncoder {
    /// Blocks of these columns.
    pub fn new(columns: impl IntoIterator<Item = (String, ColumnType)>) -> Self {
        let columns = columns.into_iter().map(|(name, column_type)| {
            let mut head = Vec::new();
            for text in [name.clone(), column_type.to_string()] {
                put_varint(&mut head, text.len() as u64);
                head.extend_from_slice(text.as_bytes());
            }
            Column { name, column_type, head }
        });
        Self { columns: columns.collect() }
    }

    /// Appends a batch as one block; its columns stand in the order of ours. A
    /// batch without rows makes no block: an empty one would mean the end.
    ///
    /// # Errors
    /// [`NativeError`] when the batch does not hold what the columns take; `out`
    /// then ends with a part of a block.
    pub fn encode(&self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), NativeError> {
        if batch.num_columns() != self.columns.len() {
            return Err(NativeError::Columns {
                found: batch.num_columns(),
                expected: self.columns.len(),
            });
        }
        if batch.num_rows() == 0 {
            return Ok(());
        }
        put_varint(out, self.columns.len() as u64);
        put_varint(out, batch.num_rows() as u64);
        for (column, array) in self.columns.iter().zip(batch.columns()) {
            out.extend_from_slice(&column.head);
            let mut sink = Sink { out, column: &column.name };
            column::prefix(&mut sink, &column.column_type);
            column::values(&mut sink, &column.column_type, array)?;
        }
        Ok(())
    }
}
