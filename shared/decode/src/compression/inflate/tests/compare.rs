//! The same bytes through our gunzip and through zlib-rs.

use std::io::{self, BufReader, Cursor, Read};

use super::streams::Random;
use crate::compression::inflate::Gunzip;
use crate::compression::members::Members;

/// A source that gives a few bytes at a time, and is interrupted at times.
struct Drip(Cursor<Vec<u8>>, Random);

impl Read for Drip {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.1.once_in(10) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = [1, 2, 9, 300, 70_000][self.1.within(0..5)];
        let count = self.1.within(1..most + 1).min(buf.len());
        self.0.read(&mut buf[..count])
    }
}

/// What came out, and the error that ended it.
pub(super) type Outcome = (Vec<u8>, Option<io::Error>);

/// Reads until the end or an error, in pieces of many sizes.
fn read_all(mut stream: impl Read, random: &mut Random) -> Outcome {
    let mut content = Vec::new();
    let mut buf = vec![0; 1 << 16];
    let most = [1 << 16, 1 << 16, 5_000, 50][random.within(0..4)];
    loop {
        let size = random.within(most / 2..most) + 1;
        match stream.read(&mut buf[..size]) {
            Ok(0) => return (content, None),
            Ok(count) => content.extend_from_slice(&buf[..count]),
            Err(error) => return (content, Some(error)),
        }
    }
}

fn ours(bytes: &[u8], random: &mut Random) -> Outcome {
    let source = Cursor::new(bytes.to_vec());
    if random.once_in(2) {
        let drip = Drip(source, Random(random.next()));
        read_all(Gunzip::new(drip), random)
    } else {
        read_all(Gunzip::new(source), random)
    }
}

fn theirs(bytes: &[u8]) -> Outcome {
    read_all(Members::new(BufReader::new(bytes)), &mut Random(0))
}

/// What zlib makes of a deflate stream by itself, and whether it ends well.
pub(super) fn inflated(bytes: &[u8]) -> (Vec<u8>, Option<flate2::Status>) {
    let mut zlib = flate2::Decompress::new(false);
    let mut content = Vec::new();
    loop {
        let before = (zlib.total_in(), zlib.total_out());
        let mut piece = vec![0; 1 << 16];
        let rest = &bytes[usize::try_from(before.0).unwrap()..];
        let status = zlib.decompress(rest, &mut piece, flate2::FlushDecompress::None);
        content.extend_from_slice(&piece[..usize::try_from(zlib.total_out() - before.1).unwrap()]);
        match status {
            Ok(flate2::Status::StreamEnd) | Err(_) => return (content, status.ok()),
            Ok(status) if before == (zlib.total_in(), zlib.total_out()) => {
                return (content, Some(status));
            }
            Ok(_) => {}
        }
    }
}

/// Our gunzip and zlib-rs must agree on the bytes: what they are, or how wrong.
pub(super) fn compare(bytes: &[u8], random: &mut Random) -> Outcome {
    let (our_content, our_error) = ours(bytes, random);
    let (content, error) = theirs(bytes);
    let context = || format!("ours {our_error:?}, theirs {error:?}");
    match (&our_error, &error) {
        (None, None) => assert!(our_content == content, "{}", context()),
        (Some(our_error), Some(error)) => {
            let eof = io::ErrorKind::UnexpectedEof;
            assert_eq!(our_error.kind() == eof, error.kind() == eof, "{}", context());
            // flate2 drops what the call gave that failed.
            assert!(our_content.starts_with(&content), "{}", context());
        }
        _ => panic!("{}", context()),
    }
    // Up to an error within the first member, byte by byte what zlib gives.
    if bytes.starts_with(b"\x1f\x8b\x08\0") && bytes.len() > 10 {
        let (content, status) = inflated(&bytes[10..]);
        assert!(our_content.starts_with(&content), "{}", context());
        if status != Some(flate2::Status::StreamEnd) {
            assert_eq!(our_content.len(), content.len(), "{}", context());
        }
    }
    (our_content, our_error)
}
