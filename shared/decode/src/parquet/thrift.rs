//! A look at Parquet's own structures before the reader believes them.
//!
//! The parquet crate allocates what a page header promises, and overlooks that
//! a file is encrypted. Both stand in the first bytes of a Thrift structure in
//! the compact protocol, which this file reads just far enough.

/// Most bytes of a page, before and after decompression. Writers make pages of
/// about 1 MiB; a few make them as large as a column chunk.
pub(super) const MAX_PAGE_BYTES: i64 = 256 * 1024 * 1024;

/// Bytes from the start of a page header within which the numbers stand that
/// [`check_page_header`] looks at.
pub(super) const PAGE_HEADER_BYTES: u64 = 64;

/// Refuses a page header whose numbers would make the reader allocate without
/// measure. A header that cannot be followed is left to the reader to refuse.
pub(super) fn check_page_header(bytes: &[u8]) -> Result<(), String> {
    let mut scan = Scan { bytes };
    let mut id = 0;
    let mut uncompressed = 0;
    while let Some(kind) = scan.field(&mut id) {
        let number = match (id, kind) {
            (1..=4, I32) => scan.zigzag(),
            // The dictionary header: how many values follow.
            (7, STRUCT) => {
                let mut inner = 0;
                match scan.field(&mut inner) {
                    Some(I32) if inner == 1 => scan.zigzag(),
                    _ => None,
                }
            }
            _ => None,
        };
        let Some(number) = number else { break };
        match id {
            2 | 3 if number < 0 => return Err(format!("a page claims {number} bytes")),
            2 | 3 if number > MAX_PAGE_BYTES => {
                return Err(format!(
                    "a page claims {number} bytes, more than {MAX_PAGE_BYTES}; if that is true, write smaller pages"
                ));
            }
            2 => uncompressed = number,
            // Every value of a dictionary takes at least one byte.
            7 if !(0..=uncompressed).contains(&number) => {
                return Err(format!(
                    "a dictionary page claims {number} values in {uncompressed} bytes"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the file metadata names an encryption algorithm (its field 8), as
/// files do whose columns are encrypted under a footer in plain text.
pub(super) fn names_encryption(metadata: &[u8]) -> bool {
    let mut scan = Scan { bytes: metadata };
    let mut id = 0;
    while let Some(kind) = scan.field(&mut id) {
        if id == 8 {
            return true;
        }
        if scan.skip(kind, 0).is_none() {
            return false;
        }
    }
    false
}

const I32: u8 = 5;
const STRUCT: u8 = 12;

/// Depth of structures beyond which nothing is followed: Parquet's go to 6.
const MAX_DEPTH: u8 = 16;

struct Scan<'a> {
    bytes: &'a [u8],
}

impl Scan<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        let half = i64::try_from(number >> 1).ok()?;
        Some(if number & 1 == 0 { half } else { -half - 1 })
    }

    /// The type of the next field, whose number goes into `id`; none at the
    /// end of the structure.
    fn field(&mut self, id: &mut i64) -> Option<u8> {
        let head = self.byte()?;
        if head == 0 {
            return None;
        }
        *id = match head >> 4 {
            0 => self.zigzag()?,
            delta => id.checked_add(i64::from(delta))?,
        };
        Some(head & 0x0f)
    }

    fn pass(&mut self, count: u64) -> Option<()> {
        self.bytes = self.bytes.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            // The value of a boolean field is its type.
            1 | 2 => Some(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let length = self.varint()?;
                self.pass(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                (0..count).try_for_each(|_| self.element(head & 0x0f, depth))
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..count).try_for_each(|_| {
                    self.element(kinds >> 4, depth)?;
                    self.element(kinds & 0x0f, depth)
                })
            }
            STRUCT => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id) {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    /// In a list even a boolean takes a byte, so that a count beyond the bytes
    /// ends the loop.
    fn element(&mut self, kind: u8, depth: u8) -> Option<()> {
        if matches!(kind, 1 | 2) { self.pass(1) } else { self.skip(kind, depth + 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Fields 1, 2, 3 of a page header, then (with `values`) field 7.
    fn header(uncompressed: i64, compressed: i64, values: Option<i64>) -> Vec<u8> {
        let mut bytes = vec![0x15, 0x04];
        for number in [uncompressed, compressed] {
            bytes.push(0x15);
            varint(&mut bytes, number);
        }
        if let Some(values) = values {
            bytes.extend([0x4c, 0x15]);
            varint(&mut bytes, values);
            bytes.push(0);
        }
        bytes.push(0);
        bytes
    }

    fn varint(bytes: &mut Vec<u8>, number: i64) {
        let mut rest = u64::try_from((number << 1) ^ (number >> 63)).unwrap();
        while rest >= 0x80 {
            bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
            rest >>= 7;
        }
        bytes.push(u8::try_from(rest).unwrap());
    }

    #[rstest]
    #[case(1_000, 500, None, None)]
    #[case(1_000, 500, Some(250), None)]
    #[case(2_000_000_000, 500, None, Some("claims 2000000000 bytes"))]
    #[case(-1, 500, None, Some("claims -1 bytes"))]
    #[case(1_000, 300_000_000, None, Some("claims 300000000 bytes"))]
    #[case(1_000, 500, Some(1_001), Some("1001 values in 1000 bytes"))]
    fn page_headers_are_checked(
        #[case] uncompressed: i64,
        #[case] compressed: i64,
        #[case] values: Option<i64>,
        #[case] words: Option<&str>,
    ) {
        let found = check_page_header(&header(uncompressed, compressed, values));
        match words {
            None => assert_eq!(found, Ok(())),
            Some(words) => assert!(found.clone().unwrap_err().contains(words), "{found:?}"),
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = check_page_header(&bytes);
            let _ = names_encryption(&bytes);
        }
    }
}
