//! UTF-16 as UTF-8, while it streams by.

use std::io::{self, Cursor, Read};

use crate::sniff::Stream;

/// Bytes that are transcoded at a time.
const PIECE: usize = 64 * 1024;

/// The stream as UTF-8. Its byte-order mark says how it is written, one of UTF-8
/// too; without a mark the first character is taken for one of ASCII, as the
/// first of a header nearly always is. What is not valid becomes bytes that are
/// not valid UTF-8, so that only the rows that hold them are put aside.
pub(crate) fn from_utf16(mut stream: Stream) -> io::Result<Stream> {
    let mut head = Vec::with_capacity(3);
    stream.by_ref().take(3).read_to_end(&mut head)?;
    let decode = match head.as_slice() {
        [0xef, 0xbb, 0xbf] => return Ok(Box::new(Cursor::new(head).chain(stream))),
        [0xfe, 0xff, ..] | [0, ..] => u16::from_be_bytes,
        _ => u16::from_le_bytes,
    };
    Ok(Box::new(Utf16 {
        inner: Box::new(Cursor::new(head).chain(stream)),
        decode,
        bytes: Vec::new(),
        high: None,
        made: Cursor::default(),
    }))
}

struct Utf16 {
    inner: Stream,
    decode: fn([u8; 2]) -> u16,
    /// Bytes that have been read and not been decoded: half a unit between two reads.
    bytes: Vec<u8>,
    /// The first half of a pair whose second has not come yet.
    high: Option<u16>,
    /// UTF-8 that has not been asked for yet.
    made: Cursor<Vec<u8>>,
}

impl Read for Utf16 {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.made.position() == self.made.get_ref().len() as u64 {
            if !self.more()? {
                return Ok(0);
            }
        }
        self.made.read(buf)
    }
}

impl Utf16 {
    /// Decodes another piece; false when there is none.
    fn more(&mut self) -> io::Result<bool> {
        let kept = self.bytes.len();
        self.bytes.resize(PIECE, 0);
        let read = self.inner.read(&mut self.bytes[kept..]);
        self.bytes.truncate(kept + read.as_ref().copied().unwrap_or_default());
        let read = read?;
        self.made.set_position(0);
        let made = self.made.get_mut();
        made.clear();
        let (units, rest) = self.bytes.as_chunks();
        for unit in units {
            let unit = (self.decode)(*unit);
            match (self.high.take(), unit) {
                (Some(high), 0xdc00..=0xdfff) => {
                    push(
                        made,
                        0x1_0000 + ((u32::from(high) & 0x3ff) << 10 | u32::from(unit) & 0x3ff),
                    );
                    continue;
                }
                (Some(high), _) => push(made, u32::from(high)),
                (None, _) => {}
            }
            match unit {
                0xd800..=0xdbff => self.high = Some(unit),
                _ => push(made, u32::from(unit)),
            }
        }
        let rest = rest.to_vec();
        self.bytes = rest;
        if read > 0 {
            return Ok(true);
        }
        // The end: halves that stay alone.
        if let Some(high) = self.high.take() {
            push(made, u32::from(high));
        }
        if !self.bytes.is_empty() {
            self.bytes.clear();
            made.push(0xff);
        }
        Ok(!made.is_empty())
    }
}

/// Appends a code point as UTF-8; half of a pair in the same way, which makes
/// bytes that no UTF-8 has.
fn push(made: &mut Vec<u8>, code: u32) {
    match (char::from_u32(code), code) {
        (Some(c), 0..0x80) => made.extend(u8::try_from(c)),
        (Some(c), _) => made.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        (None, _) => {
            let [.., high, low] = code.to_be_bytes();
            made.extend([0xe0 | high >> 4, 0x80 | (high & 0xf) << 2 | low >> 6, 0x80 | low & 0x3f]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    /// Gives a few bytes at a time.
    struct Dripping(Vec<u8>, usize);

    impl Read for Dripping {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let count = buf.len().min(self.1).min(self.0.len());
            buf[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    fn read(bytes: &[u8], at_once: usize) -> Vec<u8> {
        let mut made = Vec::new();
        let stream = Box::new(Dripping(bytes.to_vec(), at_once));
        from_utf16(stream).unwrap().read_to_end(&mut made).unwrap();
        made
    }

    fn written(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    }

    #[rstest]
    #[case(b"", b"")]
    #[case(b"\xff\xfe", b"\xef\xbb\xbf")]
    #[case(b"\xff\xfea\0", b"\xef\xbb\xbfa")]
    #[case(b"\xfe\xff\0a", b"\xef\xbb\xbfa")]
    #[case(b"a\0b\0", b"ab")]
    #[case(b"\0a\0b", b"ab")]
    #[case(b"\xef\xbb\xbfa\xc3\xa4", b"\xef\xbb\xbfa\xc3\xa4")]
    #[case::half_a_unit(b"a\0b", b"a\xff")]
    #[case::half_a_pair(b"a\0\x3d\xd8b\0", b"a\xed\xa0\xbdb")]
    #[case::two_first_halves(b"a\0\x3d\xd8\x3d\xd8\0\xde", "a\u{fffd}😀".as_bytes())]
    #[case::at_the_end(b"a\0\x3d\xd8", b"a\xed\xa0\xbd")]
    fn texts_become_utf8(#[case] given: &[u8], #[case] expected: &[u8]) {
        let shown = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.replace("\u{fffd}\u{fffd}\u{fffd}", "\u{fffd}")
        };
        assert_eq!(shown(&read(given, usize::MAX)), shown(expected));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>(), big in any::<bool>(), at_once in 1_usize..9) {
            let marked = format!("\u{feff}{text}");
            prop_assert_eq!(read(&written(&marked, big), at_once), marked.as_bytes());
        }
    }
}
