//! What the first bytes of an object say it is, whatever its name says.

use std::io::{self, Cursor, Read};

use model::document::{Encoding, Format};

use crate::{DecodeError, Request};

/// Bytes on their way from the store to a format.
pub(crate) type Stream = Box<dyn Read + Send>;

const UTF16: &str = "UTF-16 text";

/// First bytes that no text begins with.
const BINARY: &[(&[u8], &str)] = &[
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow IPC file"),
    (b"\xff\xff\xff\xff", "an Arrow IPC stream"),
    (b"\x1f\x8b", "gzip inside another compression"),
    (b"\x28\xb5\x2f\xfd", "Zstandard inside another compression"),
    (b"PK\x03\x04", "a ZIP archive (or an Excel workbook)"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC\x01", "an ORC file"),
    (b"%PDF-", "a PDF document"),
    (b"\xff\xfe", UTF16),
    (b"\xfe\xff", UTF16),
];

/// Enough of an object to know it by.
const HEAD: usize = 16;

/// What binary content begins with these bytes, in words.
pub(crate) fn binary_kind(head: &[u8]) -> Option<&'static str> {
    BINARY.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| *kind)
}

/// The first bytes of a stream, and the stream with them still in it.
pub(crate) fn peek(mut stream: Stream) -> io::Result<(Vec<u8>, Stream)> {
    let mut head = Vec::with_capacity(HEAD);
    stream.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    Ok((head.clone(), Box::new(Cursor::new(head).chain(stream))))
}

/// Refuses binary content for a format that is text.
pub(crate) fn expect_text(stream: Stream, request: &Request) -> Result<Stream, DecodeError> {
    let encoding = match &request.format {
        Format::Csv(options) => Some(options.encoding),
        _ => None,
    };
    let (head, stream) =
        peek(stream).map_err(|error| DecodeError::from_io(&request.name, error))?;
    match binary_kind(&head) {
        Some(UTF16) if encoding == Some(Encoding::Utf16) => Ok(stream),
        Some(found) => Err(DecodeError::WrongFormat {
            name: request.name.clone(),
            stated: request.format.name(),
            found: if found == UTF16 && encoding.is_some() {
                "UTF-16 text (`format.csv.encoding: utf16` reads it)"
            } else {
                found
            },
        }),
        None => Ok(stream),
    }
}
