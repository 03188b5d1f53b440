//! Decompression: our gunzip beside zlib's, and the limits of every codec.

use std::io::{self, BufRead, Read};

use decode::{DecodeError, Limits, Request};
use model::document::{Compression, Format};

use crate::choices::Choices;
use crate::decoding::Dripping;
use crate::text::{compressed, request};

/// Our gunzip against zlib-rs: the same bytes, or both an error.
///
/// Half of the inputs are deflate streams to which header and checksums are
/// made, because nobody guesses a checksum; the others are whole gzip streams.
pub fn gunzip(input: &[u8]) {
    let Some((choice, content)) = input.split_first() else { return };
    let at_once = if choice & 2 == 0 { usize::MAX } else { usize::from(choice >> 2) + 1 };
    let stream = if choice & 1 == 0 { member_of(content) } else { content.to_vec() };
    if !stream.starts_with(b"\x1f\x8b") {
        return;
    }
    let (found, error) = ours(&stream, at_once);
    let (expected, their_error) = read_all(&mut Members(Some(gz(&stream))));
    match (&error, &their_error) {
        (None, None) => assert!(found == expected, "other bytes"),
        (Some(_), Some(their_error)) => {
            let is_cut = matches!(error, Some(DecodeError::Truncated { .. }));
            assert_eq!(is_cut, their_error.kind() == io::ErrorKind::UnexpectedEof, "{error:?}");
            // flate2 drops what the call gave that failed.
            assert!(found.starts_with(&expected), "other bytes before the error");
        }
        _ => panic!("ours {error:?}, theirs {their_error:?}"),
    }
}

/// A gzip member around what may be a deflate stream. Where it is one, the
/// checksums are right.
fn member_of(deflate: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut reader = flate2::bufread::DeflateDecoder::new(deflate);
    let is_whole = reader.read_to_end(&mut content).is_ok();
    let length = usize::try_from(reader.total_in()).expect("within memory");
    let mut member = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    if is_whole {
        member.extend_from_slice(&deflate[..length]);
        member.extend_from_slice(&crc32fast::hash(&content).to_le_bytes());
        let length = u32::try_from(content.len()).expect("a short content");
        member.extend_from_slice(&length.to_le_bytes());
    } else {
        member.extend_from_slice(deflate);
    }
    member
}

fn ours(stream: &[u8], at_once: usize) -> (Vec<u8>, Option<DecodeError>) {
    let (mut choices, _) = Choices::split(&[]);
    let request = Request {
        compression: Compression::Gzip,
        limits: Limits::default(),
        ..request(Format::Arrow, &[], &mut choices)
    };
    decompressed(stream, at_once, &request)
}

/// What the decoders get to read, and the error that ends it.
fn decompressed(
    stream: &[u8],
    at_once: usize,
    request: &Request,
) -> (Vec<u8>, Option<DecodeError>) {
    let stream = Box::new(Dripping::new(stream, at_once));
    let mut reader = match decode::decompressed(stream, request) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let (content, error) = read_all(&mut reader);
    (content, error.map(|error| error.downcast().expect("an error of the decoder")))
}

fn read_all(reader: &mut dyn Read) -> (Vec<u8>, Option<io::Error>) {
    let (mut content, mut buffer) = (Vec::new(), vec![0; 1 << 14]);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return (content, None),
            Ok(count) => content.extend_from_slice(&buffer[..count]),
            Err(error) => return (content, Some(error)),
        }
    }
}

fn gz(stream: &[u8]) -> flate2::bufread::GzDecoder<&[u8]> {
    flate2::bufread::GzDecoder::new(stream)
}

/// The members of a gzip stream by zlib-rs; zeros behind them are padding, and
/// anything else is damage.
struct Members<'a>(Option<flate2::bufread::GzDecoder<&'a [u8]>>);

impl Read for Members<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.0 else { return Ok(0) };
            let count = member.read(buf)?;
            if count > 0 {
                return Ok(count);
            }
            let mut rest = self.0.take().map(|member| member.into_inner()).unwrap_or_default();
            let zeros = rest.iter().take_while(|byte| **byte == 0).count();
            rest.consume(zeros);
            self.0 = match rest.first() {
                None => None,
                Some(0x1f) => Some(gz(rest)),
                Some(_) => return Err(io::ErrorKind::InvalidData.into()),
            };
        }
    }
}

/// Decompression as a whole: the pieces make no difference, limits hold, and a
/// stream that breaks off is never taken for a whole one.
pub fn decompress(input: &[u8]) {
    let (mut choices, content) = Choices::split(input);
    let (at_once, limit) = (usize::from(choices.byte()) + 1, choices.one_of(&[20, 10, 14]));
    let cut = choices.byte();
    let mut request = request(Format::Arrow, &[], &mut choices);
    request.limits = Limits { max_decoded_bytes: 1 << limit, max_ratio: 10, ..request.limits };

    let (whole, error) = decompressed(content, usize::MAX, &request);
    let (pieces, their_error) = decompressed(content, at_once, &request);
    // Where damage and a limit lie close together, the pieces decide which of
    // them is met first.
    assert_eq!(error.is_some(), their_error.is_some(), "{error:?}, {their_error:?}");
    if error.is_none() {
        assert!(whole == pieces, "other bytes");
        assert!(whole.len() as u64 <= request.limits.max_decoded_bytes);
    }

    let codec = request.compression;
    if content.is_empty() || matches!(codec, Compression::Auto | Compression::None) {
        return;
    }
    let mut packed = compressed(content, codec);
    let (found, error) = decompressed(&packed, at_once, &request);
    if content.len() as u64 <= request.limits.max_decoded_bytes {
        assert!(error.is_none() && found == content, "{error:?}");
    } else {
        assert!(matches!(error, Some(DecodeError::TooLarge { .. })), "{error:?}");
    }
    packed.truncate((packed.len() * usize::from(cut) / 256).max(1));
    let (_, error) = decompressed(&packed, at_once, &request);
    assert!(error.is_some(), "a stream that is cut off is taken for whole");
}
