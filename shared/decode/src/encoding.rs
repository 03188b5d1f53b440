//! From the bytes of a text to characters.

mod utf16;

use std::io::{self, BufRead, BufReader, Read};

use memchr::memchr2;
use model::document::Encoding;

use crate::sniff::Stream;
pub(crate) use utf16::from_utf16;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The stream without byte-order marks at its start, and how many bytes they were.
pub(crate) fn without_byte_order_mark(mut stream: Stream) -> io::Result<(Stream, u64)> {
    let mut removed = 0;
    loop {
        let mut head = Vec::with_capacity(BYTE_ORDER_MARK.len());
        stream.by_ref().take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut head)?;
        if head != BYTE_ORDER_MARK {
            return Ok((Box::new(io::Cursor::new(head).chain(stream)), removed));
        }
        removed += BYTE_ORDER_MARK.len() as u64;
    }
}

/// What is left of a stream without its first lines.
pub(crate) struct WithoutLines {
    pub(crate) stream: Stream,
    /// Bytes of the lines, their ends included.
    pub(crate) removed: u64,
    /// How many lines there were of those that were to be passed over.
    pub(crate) found: u32,
}

/// Passes over the first lines of a stream, which end as the reader's rows do: at a line
/// feed, a carriage return, or both.
pub(crate) fn without_lines(stream: Stream, lines: u32) -> io::Result<WithoutLines> {
    if lines == 0 {
        return Ok(WithoutLines { stream, removed: 0, found: 0 });
    }
    let mut stream = BufReader::new(stream);
    let (mut removed, mut found) = (0, 0);
    while found < lines {
        let before = removed;
        let end = loop {
            let piece = stream.fill_buf()?;
            let end = memchr2(b'\n', b'\r', piece).map(|at| (at + 1, piece[at]));
            let passed = end.map_or(piece.len(), |(passed, _)| passed);
            stream.consume(passed);
            removed += passed as u64;
            if passed == 0 || end.is_some() {
                break end;
            }
        };
        if removed > before {
            found += 1;
        }
        match end {
            None => break,
            Some((_, b'\r')) if stream.fill_buf()?.first() == Some(&b'\n') => {
                stream.consume(1);
                removed += 1;
            }
            Some(_) => {}
        }
    }
    Ok(WithoutLines { stream: Box::new(stream), removed, found })
}

/// Appends the characters of `bytes` to `text`. Every byte is one in ISO 8859-1;
/// what was UTF-16 is UTF-8 by now.
///
/// # Errors
/// The first byte, counted from 0, that is not valid.
pub(crate) fn append(text: &mut String, bytes: &[u8], encoding: Encoding) -> Result<(), usize> {
    match encoding {
        Encoding::Utf8 | Encoding::Utf16 => {
            text.push_str(std::str::from_utf8(bytes).map_err(|error| error.valid_up_to())?);
        }
        Encoding::Latin1 => text.extend(bytes.iter().map(|byte| char::from(*byte))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn read(mut stream: Stream) -> Vec<u8> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[rstest]
    #[case(b"", b"", 0)]
    #[case(b"a", b"a", 0)]
    #[case(b"\xef\xbb\xbfa", b"a", 3)]
    #[case(b"\xef\xbb\xbf\xef\xbb\xbf", b"", 6)]
    #[case(b"\xef\xbba", b"\xef\xbba", 0)]
    fn byte_order_marks_go(
        #[case] given: &'static [u8],
        #[case] left: &[u8],
        #[case] removed: u64,
    ) {
        let (stream, bytes) = without_byte_order_mark(Box::new(given)).unwrap();
        assert_eq!((read(stream).as_slice(), bytes), (left, removed));
    }

    #[rstest]
    #[case(b"a\nb\nc", 2, b"c", 4, 2)]
    #[case(b"a\r\n\r\nb", 2, b"b", 5, 2)]
    #[case(b"a\r\rb\r", 2, b"b\r", 3, 2)]
    #[case(b"a\n\rb", 2, b"b", 3, 2)]
    #[case(b"a", 3, b"", 1, 1)]
    #[case(b"a\n", 1, b"", 2, 1)]
    #[case(b"", 1, b"", 0, 0)]
    fn lines_are_skipped(
        #[case] given: &'static [u8],
        #[case] lines: u32,
        #[case] left: &[u8],
        #[case] removed: u64,
        #[case] found: u32,
    ) {
        let without = without_lines(Box::new(given), lines).unwrap();
        assert_eq!((without.removed, without.found), (removed, found));
        assert_eq!(read(without.stream), left);
    }

    #[test]
    fn characters_are_decoded() {
        let mut text = String::new();
        append(&mut text, b"K\xf6ln", Encoding::Latin1).unwrap();
        append(&mut text, "ö".as_bytes(), Encoding::Utf8).unwrap();
        assert_eq!(text, "Kölnö");
        assert_eq!(append(&mut text, b"ab\xff", Encoding::Utf8), Err(2));
    }
}
