//! Decompression of a stream, within limits.
//!
//! The bytes decide what the compression is; the name is asked only when there
//! are too few of them. A stream that breaks off is an error, never an end.

mod inflate;
mod members;
#[cfg(test)]
mod tests;

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::bzip2::bufread::MultiBzDecoder;
use model::document::Compression;

use crate::sniff::{Stream, peek};
use crate::{DecodeError, Limits, Request};

/// Compressed bytes asked of the store at a time.
const BUFFER: usize = 128 * 1024;

/// Whether gzip is left to zlib-rs, the plain way, rather than to our own decoder.
const PLAIN_GUNZIP: bool = cfg!(feature = "plain-gunzip");

/// How a stream is compressed in fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
}

/// The decompressed content of a stream.
pub(crate) fn decompress(stream: Stream, request: &Request) -> Result<Stream, DecodeError> {
    let read = Arc::new(AtomicU64::new(0));
    let source = Source { inner: stream, name: request.name.clone(), read: read.clone() };
    let (head, stream) =
        peek(Box::new(source)).map_err(|error| DecodeError::from_io(&request.name, error))?;
    let codec = choose(&head, request)?;
    let buffered = |stream| BufReader::with_capacity(BUFFER, stream);
    let decoded: Stream = match codec {
        Codec::Plain => Box::new(buffered(stream)),
        Codec::Gzip if PLAIN_GUNZIP => Box::new(members::Members::new(buffered(stream))),
        Codec::Gzip => Box::new(inflate::Gunzip::new(stream)),
        Codec::Zstd => Box::new(
            ::zstd::stream::read::Decoder::with_buffer(buffered(stream))
                .map_err(|error| DecodeError::from_io(&request.name, error))?,
        ),
        Codec::Bzip2 => Box::new(MultiBzDecoder::new(buffered(stream))),
    };
    let guard = Guard {
        inner: decoded,
        codec,
        name: request.name.clone(),
        limits: request.limits,
        read,
        decoded: 0,
    };
    Ok(Box::new(guard))
}

/// The content of a gzip stream, of which the caller says where it must end.
pub(crate) fn gunzip<'a>(packed: &'a [u8]) -> Box<dyn Read + 'a> {
    if PLAIN_GUNZIP {
        Box::new(members::Members::new(packed))
    } else {
        Box::new(inflate::Gunzip::new(packed))
    }
}

/// What the request and the first bytes agree on.
fn choose(head: &[u8], request: &Request) -> Result<Codec, DecodeError> {
    let stated = match request.compression {
        Compression::Auto => {
            return Ok(Codec::of_content(head)
                .or(Codec::of_start(head, &request.name))
                .unwrap_or(Codec::Plain));
        }
        Compression::None => Codec::Plain,
        Compression::Gzip => Codec::Gzip,
        Compression::Zstd => Codec::Zstd,
        Compression::Bzip2 => Codec::Bzip2,
    };
    // An empty object is an empty content, whatever it was to be compressed with.
    if head.is_empty() {
        return Ok(Codec::Plain);
    }
    match Codec::of_content(head) {
        Some(found) if found == stated => Ok(stated),
        None if stated == Codec::Plain || stated.may_begin(head) => Ok(stated),
        found => Err(DecodeError::WrongCompression {
            name: request.name.clone(),
            stated: stated.word(),
            found: found.map_or("not compressed", Codec::word),
        }),
    }
}

impl Codec {
    /// What the first bytes prove.
    fn of_content(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // A frame that decoders skip may come first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => {
                Some(Self::Bzip2)
            }
            // The end of a stream without blocks, that is of an empty one.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => {
                Some(Self::Bzip2)
            }
            _ => None,
        }
    }

    /// What the name says of content that is too short to prove anything.
    fn of_start(head: &[u8], name: &str) -> Option<Self> {
        let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
        let named = match extension.as_str() {
            "gz" | "gzip" => Self::Gzip,
            "zst" | "zstd" => Self::Zstd,
            "bz2" => Self::Bzip2,
            _ => return None,
        };
        named.may_begin(head).then_some(named)
    }

    /// Whether these bytes, if they are all there are, can be the start of it.
    fn may_begin(self, head: &[u8]) -> bool {
        let magic: &[u8] = match self {
            Self::Plain => return true,
            Self::Gzip => b"\x1f\x8b",
            Self::Zstd => b"\x28\xb5\x2f\xfd",
            Self::Bzip2 => {
                return !head.is_empty()
                    && head.len() < 10
                    && (b"BZh".starts_with(head) || head.starts_with(b"BZh"));
            }
        };
        !head.is_empty() && magic.starts_with(head)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Plain => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
        }
    }
}

/// The store's stream. Its failures are marked as the store's, so that nothing
/// behind takes them for damage of the object.
struct Source {
    inner: Stream,
    name: String,
    read: Arc<AtomicU64>,
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buf) {
                Ok(count) => {
                    self.read.fetch_add(count as u64, Ordering::Relaxed);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(DecodeError::Unreadable { name: self.name.clone(), source }.into());
                }
            }
        }
    }
}

/// Names what goes wrong in a decompressor, and ends one that gives too much.
struct Guard {
    inner: Stream,
    codec: Codec,
    name: String,
    limits: Limits,
    read: Arc<AtomicU64>,
    decoded: u64,
}

impl Read for Guard {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = match self.inner.read(buf) {
            Ok(count) => count,
            Err(error) => return Err(self.explain(error).into()),
        };
        self.decoded += count as u64;
        self.check()?;
        Ok(count)
    }
}

impl Guard {
    fn explain(&self, error: io::Error) -> DecodeError {
        let (name, compression) = (self.name.clone(), self.codec.word());
        let byte = self.read.load(Ordering::Relaxed);
        match error.downcast::<DecodeError>() {
            Ok(own) => own,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                DecodeError::Truncated { name, compression, byte }
            }
            Err(error) => {
                DecodeError::Corrupt { name, compression, byte, reason: error.to_string() }
            }
        }
    }

    fn check(&self) -> Result<(), DecodeError> {
        let limit = self.limits.max_decoded_bytes;
        if self.decoded > limit {
            return Err(DecodeError::TooLarge { name: self.name.clone(), limit });
        }
        let (read, limit) = (self.read.load(Ordering::Relaxed), self.limits.max_ratio);
        if self.decoded > Limits::RATIO_FROM && self.decoded > read.saturating_mul(limit) {
            return Err(DecodeError::Ratio {
                name: self.name.clone(),
                read,
                decoded: self.decoded,
                limit,
            });
        }
        Ok(())
    }
}
