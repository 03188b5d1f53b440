//! What the footer says of the columns that are wanted: where they lie, how
//! large they become, and in which row group a row is found.

use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use super::footer;
use crate::fields::Fields;
use crate::window::Chunk;
use crate::{DecodeError, Request};

/// The columns that are wanted.
pub(super) struct Layout {
    /// Places of the leaf columns in the file's schema.
    pub(super) leaves: Vec<usize>,
    /// Where they lie, by row groups.
    pub(super) chunks: Vec<Vec<Chunk>>,
    /// Bytes of an average row, in the row group where it is largest.
    pub(super) row_bytes: u64,
}

impl Layout {
    /// Looks at every column chunk that will be read.
    pub(super) fn new(
        metadata: &ParquetMetaData,
        fields: &Fields,
        size: u64,
        request: &Request,
    ) -> Result<Self, DecodeError> {
        let columns = metadata.file_metadata().schema_descr().columns();
        let wanted = |path: &[String]| fields.paths().any(|wanted| path.starts_with(wanted));
        let leaves: Vec<usize> =
            (0..columns.len()).filter(|leaf| wanted(columns[*leaf].path().parts())).collect();

        let mut layout = Self { leaves, chunks: Vec::new(), row_bytes: 0 };
        let mut bytes = 0_u64;
        for (place, group) in metadata.row_groups().iter().enumerate() {
            let chunk = |leaf: &usize| {
                let range = footer::chunk_range(group.column(*leaf), place, size, &request.name)?;
                Ok(Chunk { range, leaf: *leaf })
            };
            layout
                .chunks
                .push(layout.leaves.iter().map(chunk).collect::<Result<_, DecodeError>>()?);
            let decoded = layout.leaves.iter().map(|leaf| decoded_bytes(group.column(*leaf)));
            let decoded = decoded.fold(0, u64::saturating_add);
            bytes = bytes.saturating_add(decoded);
            layout.row_bytes = layout.row_bytes.max(decoded / rows_of(group).max(1));
        }
        if bytes > request.limits.max_decoded_bytes {
            let limit = request.limits.max_decoded_bytes;
            return Err(DecodeError::TooLarge { name: request.name.clone(), limit });
        }
        Ok(layout)
    }
}

/// Where a read begins.
#[derive(Clone)]
pub(super) struct Start {
    /// Ordinal of the first row of the first row group that is read.
    pub(super) row: u64,
    /// The row groups that are read.
    pub(super) groups: Vec<usize>,
    /// The ordinal after the last row of the file.
    pub(super) end: u64,
}

impl Start {
    /// Passes over the row groups that lie before a row.
    pub(super) fn at(metadata: &ParquetMetaData, start_row: u64) -> Self {
        let mut start = Self { row: 0, groups: Vec::new(), end: 0 };
        for (place, group) in metadata.row_groups().iter().enumerate() {
            let rows = rows_of(group);
            start.end += rows;
            if start.end <= start_row {
                start.row = start.end;
            } else if rows > 0 {
                // An empty row group has no pages to look for.
                start.groups.push(place);
            }
        }
        start
    }
}

/// Bytes of a column chunk as an array. A dictionary hides how long texts are
/// unless the writer counted them: batches then end by what their rows weigh.
fn decoded_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    let width = match chunk.column_type() {
        Type::BOOLEAN => 0,
        Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => chunk.column_descr().type_length(),
    };
    let fixed = match width {
        0 => chunk.num_values() / 8,
        width => chunk.num_values().saturating_mul(i64::from(width)),
    };
    let texts = chunk.unencoded_byte_array_data_bytes().unwrap_or(0);
    u64::try_from(fixed.saturating_add(texts).max(chunk.uncompressed_size())).unwrap_or(0)
}

fn rows_of(group: &RowGroupMetaData) -> u64 {
    u64::try_from(group.num_rows()).unwrap_or(0)
}
