//! The windows of a file as the parquet crate takes bytes.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::thrift;
use crate::window::Windows;

/// A file whose pages are read through windows.
pub(super) struct Pages {
    windows: Arc<Windows>,
}

impl Pages {
    /// The pages that these windows show.
    pub(super) fn new(windows: Arc<Windows>) -> Self {
        Self { windows }
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
            checked: false,
        })
    }

    /// The body of a page.
    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let count = u64::try_from(length).unwrap_or(u64::MAX);
        self.windows.read(start, count).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// A page's header, which is checked before its first byte is given out.
pub(super) struct PageHeader {
    windows: Arc<Windows>,
    offset: u64,
    bytes: Bytes,
    checked: bool,
}

impl Read for PageHeader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            self.bytes = self.windows.ahead(self.offset, thrift::PAGE_HEADER_BYTES)?;
        }
        if !self.checked {
            thrift::check_page_header(&self.bytes).map_err(io::Error::other)?;
            self.checked = true;
        }
        let count = buffer.len().min(self.bytes.len());
        self.bytes.copy_to_slice(&mut buffer[..count]);
        self.offset += u64::try_from(count).unwrap_or(0);
        Ok(count)
    }
}
