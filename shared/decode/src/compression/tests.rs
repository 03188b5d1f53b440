//! Compressed objects, whole and broken.

use std::io::{self, Read, Write};

use model::document::{Compression, Csv, Format};
use model::{Disposed, Disposition};
use rstest::rstest;

use super::decompress;
use crate::sniff::Stream;
use crate::testing::request;
use crate::{DecodeError, Limits, Request};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn object(name: &str, compression: Compression) -> Request {
    Request { name: name.to_owned(), compression, ..request(Format::Csv(Csv::default()), &[]) }
}

/// The decompressed content; an error at any point is the result.
fn content(bytes: &[u8], request: &Request) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    read_all(decompress(Box::new(io::Cursor::new(bytes.to_vec())), request)?, &mut out)
        .map(|()| out)
}

fn read_all(mut stream: Stream, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    stream.read_to_end(out).map(drop).map_err(|error| DecodeError::from_io("object", error))
}

fn hello() -> Vec<u8> {
    b"hello, world; ".repeat(5_000)
}

#[rstest]
#[case::gzip(gzip(b"hello"))]
#[case::gzip_members([gzip(b"he"), gzip(b""), gzip(b"llo")].concat())]
#[case::gzip_padding([gzip(b"hello"), vec![0; 700_000]].concat())]
#[case::gzip_padding_between([gzip(b"he"), vec![0; 3], gzip(b"llo")].concat())]
#[case::zstd(zstd(b"hello"))]
#[case::zstd_frames([zstd(b"he"), zstd(b"llo")].concat())]
#[case::zstd_skippable([b"\x50\x2a\x4d\x18\x02\0\0\0xx".to_vec(), zstd(b"hello")].concat())]
#[case::bzip2(bzip2(b"hello"))]
#[case::bzip2_streams([bzip2(b"he"), bzip2(b"llo")].concat())]
#[case::plain(b"hello".to_vec())]
fn content_decides(
    #[case] bytes: Vec<u8>,
    #[values("x.csv", "x.csv.gz", "x.zst", "x")] name: &str,
) {
    assert_eq!(content(&bytes, &object(name, Compression::Auto)).unwrap(), b"hello");
}

#[rstest]
#[case(Compression::Gzip)]
#[case(Compression::Zstd)]
#[case(Compression::Bzip2)]
#[case(Compression::None)]
#[case(Compression::Auto)]
fn an_empty_object_is_empty(#[case] compression: Compression) {
    assert_eq!(content(b"", &object("x.gz", compression)).unwrap(), b"");
}

#[rstest]
#[case(Compression::Gzip, b"hello".to_vec(), "compression `gzip`; the content is not compressed")]
#[case(Compression::None, gzip(b"hello"), "compression `none`; the content is gzip")]
#[case(Compression::Zstd, bzip2(b"hello"), "compression `zstd`; the content is bzip2")]
#[case(Compression::Bzip2, zstd(b"hello"), "compression `bzip2`; the content is zstd")]
fn a_stated_compression_must_be_true(
    #[case] stated: Compression,
    #[case] bytes: Vec<u8>,
    #[case] message: &str,
) {
    let error = content(&bytes, &object("x", stated)).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
    assert_eq!(error.disposition(), Disposition::Quarantine);
}

#[rstest]
#[case::gzip(gzip(&hello()))]
#[case::gzip_members([gzip(&hello()), gzip(&hello())].concat())]
#[case::zstd(zstd(&hello()))]
#[case::bzip2(bzip2(&hello()))]
fn no_stream_ends_early_in_silence(#[case] bytes: Vec<u8>) {
    let first_member = gzip(&hello()).len();
    for end in 1..bytes.len() {
        // Between two members is an end.
        if end == first_member && bytes.len() > first_member && bytes.starts_with(b"\x1f\x8b") {
            continue;
        }
        let name = if bytes[0] == 0x1f {
            "x.gz"
        } else if bytes[0] == b'B' {
            "x.bz2"
        } else {
            "x.zst"
        };
        let error = content(&bytes[..end], &object(name, Compression::Auto)).unwrap_err();
        assert!(
            matches!(error, DecodeError::Truncated { .. }),
            "after {end} of {} bytes: {error}",
            bytes.len()
        );
        assert_eq!(error.disposition(), Disposition::Quarantine);
    }
}

#[rstest]
#[case::gzip(gzip(&hello()))]
#[case::zstd(::zstd::stream::encode_all(&hello()[..], 1).unwrap())]
#[case::bzip2(bzip2(&hello()))]
fn damage_is_told(#[case] mut bytes: Vec<u8>) {
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 4] {
        *byte = !*byte;
    }
    // Without a checksum (zstd has none by default) damage can also show as other text.
    match content(&bytes, &object("x", Compression::Auto)) {
        Err(error) => assert!(
            matches!(error, DecodeError::Corrupt { .. } | DecodeError::Truncated { .. }),
            "{error}"
        ),
        Ok(text) => assert_ne!(text, hello()),
    }
}

#[test]
fn rubbish_behind_gzip_is_told() {
    let bytes = [gzip(b"hello"), b"rubbish".to_vec()].concat();
    let error = content(&bytes, &object("x", Compression::Auto)).unwrap_err();
    assert!(error.to_string().contains("something else follows the last member"), "{error}");
}

#[rstest]
#[case(gzip(&vec![0; 40 << 20]))]
#[case(bzip2(&vec![0; 40 << 20]))]
fn a_bomb_ends_early(#[case] bytes: Vec<u8>) {
    let limits = Limits { max_ratio: 100, ..Limits::default() };
    let mut out = Vec::new();
    let request = Request { limits, ..object("x", Compression::Auto) };
    let stream = decompress(Box::new(io::Cursor::new(bytes)), &request).unwrap();
    let error = read_all(stream, &mut out).unwrap_err();
    assert!(matches!(error, DecodeError::Ratio { limit: 100, .. }), "{error}");
    assert!(out.len() < 20 << 20, "{} bytes came out", out.len());
}

#[test]
fn a_small_file_of_zeros_is_no_bomb() {
    let zeros = vec![0; 8 << 20];
    let limits = Limits { max_ratio: 10, ..Limits::default() };
    assert_eq!(
        content(&gzip(&zeros), &Request { limits, ..object("x", Compression::Auto) }).unwrap(),
        zeros
    );
}

#[rstest]
#[case(b"12345678901".to_vec())]
#[case(gzip(b"12345678901"))]
fn the_size_is_limited(#[case] bytes: Vec<u8>) {
    let limits = Limits { max_decoded_bytes: 10, ..Limits::default() };
    let error = content(&bytes, &Request { limits, ..object("x", Compression::Auto) }).unwrap_err();
    assert!(matches!(error, DecodeError::TooLarge { limit: 10, .. }), "{error}");
}

#[rstest]
#[case::plain(b"a,b\n".to_vec())]
#[case::gzip(gzip(b"hello")[..12].to_vec())]
#[case::zstd(zstd(b"hello")[..6].to_vec())]
#[case::bzip2(bzip2(b"hello")[..12].to_vec())]
fn a_store_that_breaks_off_is_asked_again(#[case] start: Vec<u8>) {
    /// Gives some bytes and then fails.
    struct Broken(io::Cursor<Vec<u8>>);
    impl Read for Broken {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buf)? {
                0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection reset")),
                count => Ok(count),
            }
        }
    }
    let request = object("x", Compression::Auto);
    let outcome = decompress(Box::new(Broken(io::Cursor::new(start))), &request)
        .and_then(|stream| read_all(stream, &mut Vec::new()));
    let error = outcome.unwrap_err();
    assert!(matches!(error, DecodeError::Unreadable { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry);
}
