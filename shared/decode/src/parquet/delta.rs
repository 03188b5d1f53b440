//! How long the texts of a page are that share their beginnings.
//!
//! Such a page (DELTA_BYTE_ARRAY of <https://parquet.apache.org/docs/file-format/data-pages/encodings/>)
//! begins with two runs of numbers (DELTA_BINARY_PACKED): how much of the text
//! before each text has in common with it, and how much follows. The parquet
//! crate reads them and expands the texts in one go; this file reads them first.

/// How many texts the page claims to hold.
pub(super) fn claimed(page: &[u8]) -> Option<u64> {
    Some(Numbers::begin(page)?.count)
}

/// What the texts of a page come to once they are written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lengths {
    /// A bound of the bytes of the longest text: it has at most the longest
    /// beginning and the longest rest.
    pub(super) longest: u64,
    /// The bytes of all texts.
    pub(super) total: u64,
}

/// The lengths that stand in front of the texts of a page.
pub(super) fn lengths(page: &[u8]) -> Option<Lengths> {
    let beginnings = Numbers::begin(page)?.end()?;
    let rests = Numbers::begin(beginnings.rest)?.end()?;
    Some(Lengths {
        longest: u64::from(beginnings.largest) + u64::from(rests.largest),
        total: beginnings.sum.checked_add(rests.sum)?,
    })
}

/// A run of numbers at its beginning.
struct Numbers<'a> {
    count: u64,
    first: u32,
    /// Numbers of a block, and of each of its parts.
    of_part: usize,
    parts: usize,
    bytes: &'a [u8],
}

/// A run of numbers at its end.
struct Ended<'a> {
    largest: u32,
    sum: u64,
    rest: &'a [u8],
}

impl<'a> Numbers<'a> {
    fn begin(mut bytes: &'a [u8]) -> Option<Self> {
        let of_block = usize::try_from(varint(&mut bytes)?).ok()?;
        let parts = usize::try_from(varint(&mut bytes)?).ok()?;
        let count = varint(&mut bytes)?;
        let first = wrapped(zigzag(&mut bytes)?);
        let of_part =
            of_block.checked_div(parts).filter(|part| *part > 0 && part.is_multiple_of(32))?;
        Some(Self { count, first, of_part, parts, bytes })
    }

    /// Goes through all of them. They are what their differences make of the
    /// first, in 32 bits.
    fn end(self) -> Option<Ended<'a>> {
        let Self { count, first, of_part, parts, mut bytes } = self;
        let mut largest = if count == 0 { 0 } else { length(first)? };
        let mut sum = u64::from(largest);
        let mut number = first;
        let mut left = usize::try_from(count.saturating_sub(1)).ok()?;
        while left > 0 {
            let least = wrapped(zigzag(&mut bytes)?);
            let (widths, packed) = bytes.split_at_checked(parts)?;
            bytes = packed;
            for width in widths {
                // The parts behind the last number are not written.
                if left == 0 {
                    break;
                }
                let width = u32::from(*width);
                if width > u32::BITS {
                    return None;
                }
                let (part, behind) = bytes.split_at_checked(of_part / 8 * width as usize)?;
                bytes = behind;
                let mut bits = Bits { bytes: part, held: 0, count: 0 };
                for _ in 0..of_part.min(left) {
                    number = number.wrapping_add(least).wrapping_add(bits.take(width)?);
                    let length = length(number)?;
                    largest = largest.max(length);
                    sum = sum.checked_add(u64::from(length))?;
                }
                left -= of_part.min(left);
            }
        }
        Some(Ended { largest, sum, rest: bytes })
    }
}

/// Numbers of so many bits each, the lowest bit first.
struct Bits<'a> {
    bytes: &'a [u8],
    held: u64,
    count: u32,
}

impl Bits<'_> {
    fn take(&mut self, width: u32) -> Option<u32> {
        while self.count < width {
            let (byte, rest) = self.bytes.split_first()?;
            self.held |= u64::from(*byte) << self.count;
            self.count += 8;
            self.bytes = rest;
        }
        let taken = self.held & ((1 << width) - 1);
        self.held >>= width;
        self.count -= width;
        u32::try_from(taken).ok()
    }
}

/// A length is never negative.
fn length(number: u32) -> Option<u32> {
    i32::try_from(number).is_ok().then_some(number)
}

/// The lower 32 bits.
fn wrapped(number: i64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn zigzag(bytes: &mut &[u8]) -> Option<i64> {
    let number = varint(bytes)?;
    Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::Encoding;
    use parquet::file::properties::WriterProperties;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use proptest::prelude::*;

    use super::*;

    /// The values of the only page of a file of these texts.
    fn page(texts: &[String]) -> Bytes {
        let column = Arc::new(StringArray::from_iter_values(texts)) as ArrayRef;
        let rows = RecordBatch::try_from_iter([("text", column)]).unwrap();
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BYTE_ARRAY)
            .set_data_page_size_limit(1 << 30)
            .set_data_page_row_count_limit(1 << 30)
            .build();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        let file = SerializedFileReader::new(Bytes::from(file)).unwrap();
        let mut pages = file.get_row_group(0).unwrap().get_column_page_reader(0).unwrap();
        let page = pages.get_next_page().unwrap().unwrap();
        assert!(pages.get_next_page().unwrap().is_none());
        page.buffer().clone()
    }

    proptest! {
        #[test]
        fn a_page_says_how_long_its_texts_are(texts in prop::collection::vec("[ab]{0,40}|a{200}b{0,3000}", 1..700)) {
            let page = page(&texts);
            let longest_text = texts.iter().map(String::len).max().unwrap();
            prop_assert_eq!(claimed(&page), Some(texts.len() as u64));
            let found = lengths(&page).unwrap();
            let longest = usize::try_from(found.longest).unwrap();
            prop_assert!((longest_text..=2 * longest_text).contains(&longest), "{} of {}", longest, longest_text);
            prop_assert_eq!(found.total, texts.iter().map(|text| text.len() as u64).sum::<u64>());
        }

        #[test]
        fn rubbish_is_never_believed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            lengths(&bytes);
        }
    }

    #[test]
    fn texts_without_end_are_told_from_a_few_bytes() {
        // Blocks of 128 in four parts; 60,000 numbers, all of them equal.
        let run = |first: u8| {
            let mut run = vec![0x80, 1, 4, 0xe0, 0xd4, 3, first];
            run.extend([0; 5].repeat(60_000_usize.div_ceil(128)));
            run
        };
        let page = [run(100), run(2)].concat();
        assert_eq!(claimed(&page), Some(60_000));
        assert_eq!(lengths(&page), Some(Lengths { longest: 51, total: 60_000 * 51 }));
    }
}
