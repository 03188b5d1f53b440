//! The windows of a file as the parquet crate takes bytes.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::{thrift, unpack};
use crate::window::Windows;

/// The pages of a column chunk, one after the other, read through windows.
pub(super) struct Pages {
    windows: Arc<Windows>,
    /// Whether a page may be a frame of LZ4, which nobody knows the length of.
    has_frames: bool,
    /// Bytes of a page before it was compressed, by the header that was read last.
    claimed: Arc<AtomicUsize>,
}

impl Pages {
    /// The pages that these windows show.
    pub(super) fn new(windows: Arc<Windows>, has_frames: bool) -> Self {
        Self { windows, has_frames, claimed: Arc::default() }
    }

    /// Whether the length of each page must be looked at when it is read.
    pub(super) fn has_frames(&self) -> bool {
        self.has_frames
    }

    /// How many bytes the page whose header was read last claims to hold.
    pub(super) fn claimed(&self) -> usize {
        self.claimed.load(Ordering::Relaxed)
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.windows.size()
    }
}

impl ChunkReader for Pages {
    type T = PageHeader;

    /// The crate asks for a reader to read a page's header from, and sometimes
    /// reads nothing: so nothing is done before it does.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(PageHeader {
            windows: self.windows.clone(),
            offset: start,
            bytes: Bytes::new(),
            claimed: self.claimed.clone(),
            checked: false,
        })
    }

    /// The body of a page.
    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let count = u64::try_from(length).unwrap_or(u64::MAX);
        let read = self.windows.read(start, count);
        let page = read.map_err(|error| ParquetError::External(Box::new(error)))?;
        if self.has_frames {
            unpack::check_frame(&page, self.claimed())?;
        }
        Ok(page)
    }
}

/// A page's header, which is checked before its first byte is given out.
pub(super) struct PageHeader {
    windows: Arc<Windows>,
    offset: u64,
    bytes: Bytes,
    claimed: Arc<AtomicUsize>,
    checked: bool,
}

impl Read for PageHeader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            self.bytes = self.windows.ahead(self.offset, thrift::PAGE_HEADER_BYTES)?;
        }
        if !self.checked {
            let claimed = thrift::check_page_header(&self.bytes).map_err(io::Error::other)?;
            self.claimed.store(claimed, Ordering::Relaxed);
            self.checked = true;
        }
        let count = buffer.len().min(self.bytes.len());
        self.bytes.copy_to_slice(&mut buffer[..count]);
        self.offset += u64::try_from(count).unwrap_or(0);
        Ok(count)
    }
}
