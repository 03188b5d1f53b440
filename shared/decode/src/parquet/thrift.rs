//! A look at Parquet's own structures before the reader believes them.
//!
//! The parquet crate allocates what a page header promises, and overlooks that
//! a file is encrypted. Both stand in the first bytes of a Thrift structure in
//! the compact protocol, which this file reads just far enough.

/// Most bytes of a page, before and after decompression. Writers make pages of
/// about 1 MiB; a few make them as large as a column chunk.
pub(super) const MAX_PAGE_BYTES: i64 = 256 * 1024 * 1024;

/// Most times that a page may grow by decompression, and from which size on that
/// counts: the rule that [`crate::Limits`] has for text.
const MAX_PAGE_RATIO: i64 = 1_000;
const LARGE_PAGE_BYTES: i64 = 16 * 1024 * 1024;

/// Bytes from the start of a page header within which the numbers stand that
/// [`check_page_header`] looks at.
pub(super) const PAGE_HEADER_BYTES: u64 = 64;

/// Refuses a page header whose numbers would make the reader allocate without
/// measure. A header that cannot be followed is left to the reader to refuse. Gives
/// the bytes that the page claims to hold once it is decompressed.
pub(super) fn check_page_header(bytes: &[u8]) -> Result<usize, String> {
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
            3 if uncompressed > LARGE_PAGE_BYTES && uncompressed / MAX_PAGE_RATIO > number => {
                return Err(format!(
                    "a page of {number} bytes claims to hold {uncompressed}, more than {MAX_PAGE_RATIO} times as many; \
                     if that is true, write smaller pages"
                ));
            }
            // Every value of a dictionary takes at least one byte.
            7 if !(0..=uncompressed).contains(&number) => {
                return Err(format!(
                    "a dictionary page claims {number} values in {uncompressed} bytes"
                ));
            }
            _ => {}
        }
    }
    Ok(usize::try_from(uncompressed).unwrap_or(0))
}

/// Most levels of groups in a schema. The crates build and drop a schema, and
/// the arrays under it, by recursion, and a thread's stack ends. A list takes
/// two levels.
pub(super) const MAX_LEVELS: usize = 100;

/// The column whose groups go deeper than [`MAX_LEVELS`], if there is one. A
/// schema that cannot be followed is left to the reader to refuse.
pub(super) fn too_deep(metadata: &[u8]) -> Option<String> {
    let mut scan = Scan { bytes: metadata };
    let mut id = 0;
    loop {
        let kind = scan.field(&mut id)?;
        // The schema: every element of the tree, each before its children.
        if id == 2 && kind == LIST {
            break;
        }
        scan.skip(kind, 0)?;
    }
    let (_, count) = scan.list()?;
    let mut column = String::new();
    // How many children are still to come, at every level.
    let mut open: Vec<i64> = Vec::new();
    for _ in 0..count {
        let (name, children) = scan.schema_element()?;
        if open.len() == 1 {
            column = name;
        }
        if let Some(last) = open.last_mut() {
            *last -= 1;
        }
        if children > 0 {
            open.push(children);
        }
        if open.len() > MAX_LEVELS {
            return Some(column);
        }
        while open.last().is_some_and(|children| *children <= 0) {
            open.pop();
        }
    }
    None
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
const BINARY: u8 = 8;
const LIST: u8 = 9;
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

    /// The type and the number of a list's elements.
    fn list(&mut self) -> Option<(u8, u64)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        Some((head & 0x0f, count))
    }

    /// The name of an element of the schema (field 4), and how many children it
    /// has (field 5).
    fn schema_element(&mut self) -> Option<(String, i64)> {
        if self.bytes.is_empty() {
            return None;
        }
        let (mut id, mut name, mut children) = (0, String::new(), 0);
        while let Some(kind) = self.field(&mut id) {
            match (id, kind) {
                (4, BINARY) => {
                    let length = usize::try_from(self.varint()?).ok()?;
                    let (text, rest) = self.bytes.split_at_checked(length)?;
                    name = String::from_utf8_lossy(text).into_owned();
                    self.bytes = rest;
                }
                (5, I32) => children = self.zigzag()?,
                _ => self.skip(kind, 0)?,
            }
        }
        Some((name, children))
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
            BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST | 10 => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.element(kind, depth))
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

    /// In a list even a boolean takes a byte, and where the bytes end there is
    /// no element, so that a count beyond the bytes ends the loop.
    fn element(&mut self, kind: u8, depth: u8) -> Option<()> {
        if self.bytes.is_empty() {
            return None;
        }
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
    #[case(16_000_000, 5, None, None)]
    #[case(100_000_000, 100_000, None, None)]
    #[case(100_000_000, 99_000, None, Some("more than 1000 times"))]
    #[case(1_000, 500, Some(1_001), Some("1001 values in 1000 bytes"))]
    fn page_headers_are_checked(
        #[case] uncompressed: i64,
        #[case] compressed: i64,
        #[case] values: Option<i64>,
        #[case] words: Option<&str>,
    ) {
        let found = check_page_header(&header(uncompressed, compressed, values));
        match words {
            None => assert_eq!(found, Ok(usize::try_from(uncompressed).unwrap())),
            Some(words) => assert!(found.clone().unwrap_err().contains(words), "{found:?}"),
        }
    }

    /// A list of so many structures, none of which is there.
    #[rstest]
    #[case(0x19)]
    #[case(0x29)]
    fn a_count_beyond_the_bytes_ends(#[case] field: u8) {
        let mut bytes = vec![field, 0xfc];
        bytes.extend([0xff; 8]);
        bytes.push(0x7f);
        assert!(!names_encryption(&bytes));
        assert_eq!(too_deep(&bytes), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = check_page_header(&bytes);
            let _ = names_encryption(&bytes);
            let _ = too_deep(&bytes);
        }
    }
}
