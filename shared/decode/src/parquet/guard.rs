//! The pages of the columns, looked at once they are decompressed and before
//! they are expanded.
//!
//! Texts that share their beginnings (DELTA_BYTE_ARRAY) are written out as they
//! are read: a page of a megabyte can stand for terabytes. How long they are
//! stands in front of them, so that as many rows are read at a time as memory
//! takes, whatever a batch would hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::delta::{self, Lengths};
use super::pages::Pages;
use super::unpack::Packed;
use crate::window::Windows;

/// Most bytes that the texts of one column may be expanded to at a time.
const PIECE_BYTES: u64 = 64 * 1024 * 1024;
/// Most bytes that the texts of one page of lists may be expanded to: a row can hold
/// all of them, so that fewer rows at a time do not help.
const MAX_LISTS_BYTES: u64 = 256 * 1024 * 1024;
/// Most texts of a page that says how long each of them is before the first.
const MAX_LENGTHS: u64 = 16 * 1024 * 1024;

/// How many rows are read at a time.
#[derive(Debug)]
pub(super) struct Piece {
    rows: AtomicUsize,
}

impl Piece {
    pub(super) fn of(rows: usize) -> Self {
        Self { rows: AtomicUsize::new(rows.max(1)) }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }
}

/// The row groups that are read.
pub(super) struct Groups {
    pub(super) windows: Arc<Windows>,
    pub(super) metadata: Arc<ParquetMetaData>,
    /// Their places in the file.
    pub(super) places: Vec<usize>,
    /// What a page may lower while it is read: the read must then begin anew.
    pub(super) piece: Arc<Piece>,
}

impl RowGroups for Groups {
    fn num_rows(&self) -> usize {
        let rows = self.row_groups().map(RowGroupMetaData::num_rows);
        rows.map(|rows| usize::try_from(rows).unwrap_or(0)).sum()
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>> {
        Ok(Box::new(Chunks {
            leaf,
            places: self.places.clone().into_iter(),
            windows: self.windows.clone(),
            metadata: self.metadata.clone(),
            piece: self.piece.clone(),
        }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.places.iter().map(|place| self.metadata.row_group(*place)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The chunks of one column.
struct Chunks {
    leaf: usize,
    places: std::vec::IntoIter<usize>,
    windows: Arc<Windows>,
    metadata: Arc<ParquetMetaData>,
    piece: Arc<Piece>,
}

impl Iterator for Chunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.metadata.row_group(self.places.next()?);
        let chunk = group.column(self.leaf);
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        Some(self.chunk(chunk, rows))
    }
}

impl Chunks {
    fn chunk(&self, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Box<dyn PageReader>> {
        let pages = Pages::new(self.windows.clone(), chunk.compression() == Compression::LZ4);
        let pages = Arc::new(pages);
        let packed = Packed::of(chunk.compression());
        let reader = match packed {
            None => SerializedPageReader::new(pages.clone(), chunk, rows, None),
            // The crate is to hand the pages over as they lie.
            Some(_) => {
                let plain = chunk.clone().into_builder();
                let plain = plain.set_compression(Compression::UNCOMPRESSED).build()?;
                SerializedPageReader::new(pages.clone(), &plain, rows, None)
            }
        }?;
        let column = chunk.column_descr_ptr();
        if packed.is_none() && column.physical_type() != Type::BYTE_ARRAY {
            return Ok(Box::new(reader));
        }
        Ok(Box::new(Guarded { reader, pages, packed, column, piece: self.piece.clone() }))
    }
}

impl PageIterator for Chunks {}

/// The pages of a column of texts, or of a codec that is not left to the crate.
struct Guarded {
    reader: SerializedPageReader<Pages>,
    pages: Arc<Pages>,
    packed: Option<Packed>,
    column: ColumnDescPtr,
    piece: Arc<Piece>,
}

impl Guarded {
    /// Refuses a page that would take more memory than there is to be.
    fn look(&self, page: &Page) -> Result<()> {
        if self.column.physical_type() != Type::BYTE_ARRAY {
            return Ok(());
        }
        let (encoding, values) = match page {
            Page::DataPage { encoding, .. } | Page::DataPageV2 { encoding, .. } => {
                match encoding {
                    Encoding::DELTA_BYTE_ARRAY | Encoding::DELTA_LENGTH_BYTE_ARRAY => {}
                    _ => return Ok(()),
                }
                (*encoding, self.values(page))
            }
            Page::DictionaryPage { .. } => return Ok(()),
        };
        // What cannot be followed is left to the reader to refuse.
        let Some(values) = values else { return Ok(()) };
        let Some(claimed) = delta::claimed(&values) else { return Ok(()) };
        if claimed > MAX_LENGTHS.min(u64::from(page.num_values())) {
            return Err(ParquetError::General(format!(
                "a page of {} values claims {claimed} texts; at most {MAX_LENGTHS} are read",
                page.num_values()
            )));
        }
        if encoding == Encoding::DELTA_LENGTH_BYTE_ARRAY {
            return Ok(());
        }
        let lengths = delta::lengths(&values).ok_or_else(|| {
            ParquetError::General(
                "a page says of its texts how long they are, and cannot be followed".to_owned(),
            )
        })?;
        let row = self.row_bytes(page, lengths)?;
        let most = usize::try_from(PIECE_BYTES / row.max(1)).unwrap_or(usize::MAX).max(1);
        if self.piece.rows.fetch_min(most, Ordering::Relaxed) > most {
            return Err(ParquetError::General(format!(
                "texts of up to {row} bytes are to be read by {most} rows at a time"
            )));
        }
        Ok(())
    }

    /// How many bytes a row of a page has once its texts are written out: at most, or
    /// of lists on average, of which the page as a whole is bounded.
    fn row_bytes(&self, page: &Page, lengths: Lengths) -> Result<u64> {
        if self.column.max_rep_level() == 0 {
            return Ok(lengths.longest);
        }
        if lengths.total > MAX_LISTS_BYTES {
            return Err(ParquetError::General(format!(
                "a page of {} values in lists stands for {} bytes of text; at most {MAX_LISTS_BYTES} are read: \
                 write smaller pages, or another encoding than DELTA_BYTE_ARRAY",
                page.num_values(),
                lengths.total
            )));
        }
        let rows = match page {
            Page::DataPageV2 { num_rows, .. } => u64::from(*num_rows),
            _ => 1,
        };
        Ok((lengths.total / rows.max(1)).max(lengths.longest))
    }

    /// What is behind the levels of a page.
    fn values(&self, page: &Page) -> Option<Bytes> {
        let levels = match page {
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
                usize::try_from(def_levels_byte_len.checked_add(*rep_levels_byte_len)?).ok()?
            }
            Page::DataPage { buf, num_values, def_level_encoding, rep_level_encoding, .. } => {
                let depths = [
                    (self.column.max_rep_level(), rep_level_encoding),
                    (self.column.max_def_level(), def_level_encoding),
                ];
                let mut at = 0_usize;
                for (depth, encoding) in depths.into_iter().filter(|(depth, _)| *depth > 0) {
                    at = at.checked_add(if *encoding == Encoding::RLE {
                        let length = buf.get(at..)?.first_chunk::<4>()?;
                        usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_add(4)?
                    } else {
                        // As many bits as the largest level has, for each value.
                        let bits = (i16::BITS - depth.leading_zeros()) as usize;
                        (*num_values as usize).checked_mul(bits)?.div_ceil(8)
                    })?;
                }
                at
            }
            Page::DictionaryPage { .. } => return None,
        };
        (levels <= page.buffer().len()).then(|| page.buffer().slice(levels..))
    }
}

impl Iterator for Guarded {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Guarded {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.reader.get_next_page()?;
        let page = match self.packed {
            None => page,
            Some(packed) => {
                page.map(|page| packed.unpack(page, self.pages.claimed())).transpose()?
            }
        };
        page.iter().try_for_each(|page| self.look(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.reader.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.reader.skip_next_page()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        // The header of a page that comes later would not be the one read last.
        self.packed.is_none()
            && !self.pages.has_frames()
            && self.reader.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>> {
        self.reader.take_deferred_dictionary()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.reader.at_record_boundary()
    }
}
