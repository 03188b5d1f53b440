//! The end of a Parquet file: what it holds, and whether that can be true.

use bytes::{Bytes, BytesMut};
use model::document::Format;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};

use super::{caught, damaged_footer, malformed, thrift};
use crate::sniff::binary_kind;
use crate::window::exactly;
use crate::{DecodeError, RangeRead};

/// Files up to this size are read at once.
const WHOLE_BYTES: u64 = 16 * 1024 * 1024;
/// First read of a larger file, from its end.
const TAIL_BYTES: u64 = 64 * 1024;
/// Largest footer: one of a thousand columns in a thousand row groups has a
/// tenth of it.
const MAX_FOOTER_BYTES: u64 = 1024 * 1024 * 1024;
/// Most rows for each byte of a file with more than [`MANY_ROWS`]. A run of one
/// value takes a few bytes, so that a file of constants may well hold thousands
/// of rows a byte, but one of billions of NULLs is there to keep us busy.
const MAX_ROWS_PER_BYTE: u64 = 100_000;
const MANY_ROWS: u64 = 16_000_000;
/// Bytes after the footer: its length and the magic bytes.
const TRAILER: u64 = 8;
/// Bytes of the smallest file: magic bytes, an empty footer, its trailer.
const MIN_BYTES: u64 = 12;

/// The end of a file, and all of a small one.
pub(super) struct Footer {
    /// What the file holds.
    pub(super) metadata: ParquetMetaData,
    /// The whole file, when it is small.
    pub(super) whole: Option<Bytes>,
}

/// Reads the footer.
pub(super) fn read(ranges: &dyn RangeRead, name: &str) -> Result<Footer, DecodeError> {
    let size = ranges.size();
    if size == 0 {
        return Err(malformed(name, "the object is empty (0 bytes); upload it anew"));
    }
    let small = size <= WHOLE_BYTES;
    let mut start = if small { 0 } else { size - TAIL_BYTES };
    let mut tail = fetch(ranges, start..size, name)?;
    let Some((length, magic)) = trailer(&tail).filter(|_| size >= MIN_BYTES) else {
        return Err(not_parquet(ranges, size, &tail, name));
    };
    match &magic {
        b"PAR1" => {}
        b"PARE" => return Err(unsupported(name, "Parquet encryption (the footer is encrypted)")),
        _ => return Err(not_parquet(ranges, size, &tail, name)),
    }
    if length > (size - MIN_BYTES).min(MAX_FOOTER_BYTES) {
        return Err(malformed(
            name,
            &format!(
                "the footer claims {length} bytes of an object of {size}; the object is damaged; upload it anew"
            ),
        ));
    }
    let footer = size - TRAILER - length;
    if footer < start {
        let mut more = BytesMut::from(&fetch(ranges, footer..start, name)?[..]);
        more.extend_from_slice(&tail);
        (start, tail) = (footer, more.freeze());
    }
    let from = usize::try_from(footer - start).unwrap_or(usize::MAX);
    let until = usize::try_from(size - TRAILER - start).unwrap_or(usize::MAX);
    let footer = tail.get(from..until).unwrap_or_default();
    if thrift::names_encryption(footer) {
        return Err(unsupported(name, "Parquet encryption (of single columns)"));
    }
    if let Some(column) = thrift::too_deep(footer) {
        let reason = format!(
            "column `{column}` nests more than {} levels deep; write fewer levels",
            thrift::MAX_LEVELS
        );
        return Err(malformed(name, &reason));
    }
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata =
        caught(|| ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options)))
            .and_then(|decoded| decoded.map_err(|error| error.to_string()))
            .and_then(|metadata| plausible(&metadata, size).map(|()| metadata))
            .and_then(|metadata| placed(metadata).map_err(|error| error.to_string()))
            .map_err(|reason| damaged_footer(name, &reason))?;
    Ok(Footer { metadata, whole: small.then_some(tail) })
}

/// The file without dictionary pages that cannot be where they are said to be. Old
/// versions of parquet-mr wrote 0 where there is none, and the place of the dictionary
/// as that of the data (PARQUET-1402).
pub(super) fn placed(metadata: ParquetMetaData) -> Result<ParquetMetaData, ParquetError> {
    let is_misplaced = |chunk: &ColumnChunkMetaData| {
        let place = chunk.dictionary_page_offset();
        place.is_some_and(|place| place <= 0 || place >= chunk.data_page_offset())
    };
    let groups = metadata.row_groups().iter();
    if !groups.clone().any(|group| group.columns().iter().any(is_misplaced)) {
        return Ok(metadata);
    }
    let mended = groups.map(|group| {
        let columns = group.columns().iter().map(|chunk| {
            if !is_misplaced(chunk) {
                return Ok(chunk.clone());
            }
            chunk.clone().into_builder().set_dictionary_page_offset(None).build()
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        group.clone().into_builder().set_column_metadata(columns).build()
    });
    let groups = mended.collect::<Result<Vec<_>, _>>()?;
    Ok(metadata.into_builder().set_row_groups(groups).build())
}

/// Whether the row counts of the file, which has so many bytes, can be true.
fn plausible(metadata: &ParquetMetaData, size: u64) -> Result<(), String> {
    let rows = metadata.file_metadata().num_rows();
    let most = MANY_ROWS.max(size.saturating_mul(MAX_ROWS_PER_BYTE));
    if u64::try_from(rows).is_ok_and(|rows| rows > most) {
        return Err(format!("it claims {rows} rows in {size} bytes"));
    }
    let mut sum = 0_i64;
    for (place, group) in metadata.row_groups().iter().enumerate() {
        let count = group.num_rows();
        sum = sum
            .checked_add(count)
            .filter(|_| count >= 0)
            .ok_or_else(|| format!("row group {place} claims {count} rows"))?;
    }
    if sum == rows {
        Ok(())
    } else {
        Err(format!("the row groups hold {sum} rows, the file claims {rows}"))
    }
}

/// Where a column chunk lies, when that can be true and can be read.
pub(super) fn chunk_range(
    chunk: &ColumnChunkMetaData,
    group: usize,
    size: u64,
    name: &str,
) -> Result<std::ops::Range<u64>, DecodeError> {
    let column = chunk.column_path().string();
    if chunk.compression() == Compression::LZO {
        return Err(unsupported(name, &format!("LZO compression (column `{column}`)")));
    }
    if chunk.file_path().is_some() {
        return Err(unsupported(
            name,
            &format!("a Parquet file whose columns lie in other files (column `{column}`)"),
        ));
    }
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let bytes = chunk.compressed_size();
    let range = u64::try_from(start).ok().zip(u64::try_from(bytes).ok());
    range
        .and_then(|(start, bytes)| Some(start..start.checked_add(bytes).filter(|end| *end <= size)?))
        .filter(|_| chunk.num_values() >= 0)
        .ok_or_else(|| {
            malformed(
                name,
                &format!(
                    "column `{column}` of row group {group} claims {bytes} bytes from byte {start} of an object of \
                     {size}; the object is damaged; upload it anew"
                ),
            )
        })
}

/// The length of the footer and the magic bytes after it.
fn trailer(tail: &[u8]) -> Option<(u64, [u8; 4])> {
    let (_, &[a, b, c, d, magic @ ..]) = tail.split_last_chunk::<8>()?;
    Some((u64::from(u32::from_le_bytes([a, b, c, d])), magic))
}

fn not_parquet(ranges: &dyn RangeRead, size: u64, tail: &Bytes, name: &str) -> DecodeError {
    let head = if size <= WHOLE_BYTES { Ok(tail.clone()) } else { fetch(ranges, 0..16, name) };
    let head = match head {
        Ok(head) => head,
        Err(error) => return error,
    };
    if head.starts_with(b"PAR1") {
        return malformed(
            name,
            &format!(
                "the object begins as Parquet but its {size} bytes do not end as such; it is cut off; upload it anew"
            ),
        );
    }
    let gzip = head.starts_with(b"\x1f\x8b").then_some("a gzip file");
    let found = gzip
        .or(binary_kind(&head))
        .unwrap_or("no Parquet file (the magic bytes `PAR1` are missing)");
    DecodeError::WrongFormat { name: name.to_owned(), stated: Format::Parquet.name(), found }
}

fn unsupported(name: &str, what: &str) -> DecodeError {
    DecodeError::Unsupported { name: name.to_owned(), what: what.to_owned() }
}

fn fetch(
    ranges: &dyn RangeRead,
    range: std::ops::Range<u64>,
    name: &str,
) -> Result<Bytes, DecodeError> {
    exactly(ranges, range).map_err(|error| DecodeError::from_io(name, error))
}
