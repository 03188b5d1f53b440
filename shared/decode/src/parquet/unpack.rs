//! The pages of codecs that the parquet crate decompresses to their end, whatever
//! their headers say: a thousand bytes of Brotli can stand for gigabytes. They are
//! decompressed here, up to what the header claims and not a byte further.

use std::io::{self, Read};

use bytes::Bytes;
use lz4_flex::frame::FrameDecoder;
use parquet::basic::Compression;
use parquet::column::page::Page;
use parquet::errors::{ParquetError, Result};

use crate::compression::gunzip;

/// Bytes that Brotli is read in at a time.
const BUFFER: usize = 32 * 1024;

/// A codec that is not left to the crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    Gzip,
    Brotli,
}

impl Packed {
    /// The codec of a column chunk, if it is one of them.
    pub(super) fn of(codec: Compression) -> Option<Self> {
        match codec {
            Compression::GZIP(_) => Some(Self::Gzip),
            Compression::BROTLI(_) => Some(Self::Brotli),
            _ => None,
        }
    }

    /// The page with its content decompressed, of which its header claims so many bytes.
    pub(super) fn unpack(self, mut page: Page, claimed: usize) -> Result<Page> {
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = self.content(buf, 0, claimed)?;
            }
            Page::DataPageV2 {
                buf,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed: true,
                ..
            } => {
                // The levels stand before what is compressed.
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                *buf = self.content(buf, usize::try_from(levels)?, claimed)?;
            }
            Page::DataPageV2 { .. } => {}
        }
        Ok(page)
    }

    /// The first `plain` bytes as they are, and the others decompressed.
    fn content(self, page: &Bytes, plain: usize, claimed: usize) -> Result<Bytes> {
        let Some((plain, packed)) = page.split_at_checked(plain) else {
            return Err(ParquetError::General("a page is shorter than its levels".to_owned()));
        };
        let mut content = Vec::with_capacity(claimed);
        content.extend_from_slice(plain);
        // A page of NULL alone may have nothing to decompress.
        if claimed > plain.len() {
            let most = claimed - plain.len();
            match self {
                Self::Gzip => within(gunzip(packed), most, &mut content)?,
                Self::Brotli => {
                    within(brotli::Decompressor::new(packed, BUFFER), most, &mut content)?;
                }
            }
        }
        if content.len() < claimed {
            return Err(ParquetError::General(format!(
                "a page claims {claimed} bytes and holds {}",
                content.len()
            )));
        }
        Ok(content.into())
    }
}

/// Refuses a page of the codec LZ4 that is a frame of more than `claimed` bytes. The
/// crate knows how long its other forms are.
pub(super) fn check_frame(page: &[u8], claimed: usize) -> Result<()> {
    // Frames, those of old, and what may be skipped before one.
    const MAGIC: [u32; 2] = [0x184d_2204, 0x184c_2102];
    let magic = page.first_chunk().map_or(0, |magic| u32::from_le_bytes(*magic));
    if !MAGIC.contains(&magic) && !(0x184d_2a50..=0x184d_2a5f).contains(&magic) {
        return Ok(());
    }
    // What is no frame after all fails here, and is for the crate to judge.
    match passed(FrameDecoder::new(page), claimed) {
        Ok(false) => Err(too_much(claimed)),
        _ => Ok(()),
    }
}

/// Reads all that a source holds, which must not be more than `most` bytes.
fn within(source: impl Read, most: usize, content: &mut Vec<u8>) -> Result<()> {
    let before = content.len();
    let limit = u64::try_from(most)?.saturating_add(1);
    source.take(limit).read_to_end(content)?;
    if content.len() - before > most { Err(too_much(most)) } else { Ok(()) }
}

/// Whether a source holds no more than `most` bytes.
fn passed(source: impl Read, most: usize) -> io::Result<bool> {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    Ok(io::copy(&mut source.take(most.saturating_add(1)), &mut io::sink())? <= most)
}

fn too_much(claimed: usize) -> ParquetError {
    ParquetError::General(format!(
        "a page claims {claimed} bytes and holds more, once it is decompressed"
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression as Level;
    use flate2::write::GzEncoder;
    use lz4_flex::frame::FrameEncoder;
    use parquet::basic::Encoding;

    use super::*;

    const SIZE: usize = 64 << 20;

    fn zeros(mut into: impl Write) {
        let zeros = vec![0; 1 << 16];
        (0..SIZE >> 16).for_each(|_| into.write_all(&zeros).unwrap());
        into.flush().unwrap();
    }

    fn gzip() -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Level::fast());
        zeros(&mut packed);
        packed.finish().unwrap()
    }

    fn page(packed: Vec<u8>) -> Page {
        Page::DictionaryPage {
            buf: packed.into(),
            num_values: 3,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        }
    }

    #[test]
    fn a_page_holds_what_its_header_claims() {
        let packed = gzip();
        let unpacked = Packed::Gzip.unpack(page(packed.clone()), SIZE).unwrap();
        assert_eq!(unpacked.buffer().len(), SIZE);
        for claimed in [0, 12, SIZE - 1, SIZE + 1] {
            let found = Packed::Gzip.unpack(page(packed.clone()), claimed);
            // Nothing is decompressed of what claims to be empty.
            assert_eq!(found.is_ok(), claimed == 0, "{claimed}");
        }
    }

    #[test]
    fn levels_are_not_compressed() {
        let mut packed = GzEncoder::new(Vec::new(), Level::fast());
        packed.write_all(b"values").unwrap();
        let buf = [b"levels".as_slice(), &packed.finish().unwrap()].concat().into();
        let page = Page::DataPageV2 {
            buf,
            num_values: 1,
            encoding: Encoding::PLAIN,
            num_nulls: 0,
            num_rows: 1,
            def_levels_byte_len: 2,
            rep_levels_byte_len: 4,
            is_compressed: true,
            statistics: None,
        };
        let unpacked = Packed::Gzip.unpack(page, 12).unwrap();
        assert_eq!(unpacked.buffer().as_ref(), b"levelsvalues");
    }

    #[test]
    fn frames_are_measured() {
        let mut packed = FrameEncoder::new(Vec::new());
        zeros(&mut packed);
        let packed = packed.finish().unwrap();
        assert!(check_frame(&packed, SIZE).is_ok());
        assert!(check_frame(&packed, SIZE - 1).is_err());
        // Anything else is the crate's to judge.
        assert!(check_frame(b"no frame", 0).is_ok());
        assert!(check_frame(&packed[..4], 0).is_ok());
    }
}
