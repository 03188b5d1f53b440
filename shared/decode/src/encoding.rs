//! From the bytes of a text to characters.

mod utf16;

use std::io::{self, BufRead, BufReader, Read};

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

/// The stream without its first lines, and how many bytes they were.
pub(crate) fn without_lines(stream: Stream, lines: u32) -> io::Result<(Stream, u64)> {
    if lines == 0 {
        return Ok((stream, 0));
    }
    let mut stream = BufReader::new(stream);
    let mut removed = 0;
    for _ in 0..lines {
        removed += stream.skip_until(b'\n')? as u64;
    }
    Ok((Box::new(stream), removed))
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
    #[case(b"a\nb\nc", 2, b"c", 4)]
    #[case(b"a\r\n\r\nb", 2, b"b", 5)]
    #[case(b"a", 3, b"", 1)]
    fn lines_are_skipped(
        #[case] given: &'static [u8],
        #[case] lines: u32,
        #[case] left: &[u8],
        #[case] removed: u64,
    ) {
        let (stream, bytes) = without_lines(Box::new(given), lines).unwrap();
        assert_eq!((read(stream).as_slice(), bytes), (left, removed));
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
