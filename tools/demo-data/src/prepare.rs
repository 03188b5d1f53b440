//! From an original file to the object that goes to S3: other layouts and every
//! compression, because real feeds come in all of them.

use std::io::{self, Write as _};

use bzip2::write::BzEncoder;
use flate2::write::GzEncoder;
use serde_json::value::RawValue;

use crate::{DemoDataError, DemoObject};

/// What of the original an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The file as it is.
    Whole,
    /// The elements of a JSON array, one a line.
    Lines,
    /// A JSON document on one line.
    OneLine,
    /// The CSV rows whose first field is this text, without that field.
    RowsOf(&'static str),
}

/// How an object is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// gzip of one member.
    Gzip,
    /// gzip of so many members, cut wherever it falls.
    GzipMembers(usize),
    /// Zstandard.
    Zstd,
    /// bzip2.
    Bzip2,
}

/// The bytes of an object.
pub(crate) fn prepare(original: &[u8], object: &DemoObject) -> Result<Vec<u8>, DemoDataError> {
    let wrong = |reason: String| DemoDataError::Content { file: object.file.to_owned(), reason };
    let content = match object.content {
        Content::Whole => original.to_vec(),
        Content::Lines => lines(original).map_err(|error| wrong(error.to_string()))?,
        Content::OneLine => one_line(original),
        Content::RowsOf(first) => {
            rows_of(original, first).ok_or_else(|| wrong("it is no CSV text".to_owned()))?
        }
    };
    pack(&content, object.packing).map_err(|error| wrong(error.to_string()))
}

fn lines(array: &[u8]) -> serde_json::Result<Vec<u8>> {
    // Raw, so that every number stays as it is written.
    let rows: Vec<&RawValue> = serde_json::from_slice(array)?;
    Ok(rows.iter().flat_map(|row| one_line(row.get().as_bytes())).collect())
}

/// Without the white space between tokens, and with a line end.
fn one_line(json: &[u8]) -> Vec<u8> {
    let (mut line, mut quoted, mut escaped) = (Vec::with_capacity(json.len()), false, false);
    for byte in json {
        if quoted || !byte.is_ascii_whitespace() {
            line.push(*byte);
        }
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
    }
    line.push(b'\n');
    line
}

fn rows_of(csv: &[u8], first: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(csv).ok()?;
    let (header, rows) = text.split_once('\n')?;
    let (_, header) = header.split_once(',')?;
    let prefix = format!("{first},");
    let rows = rows.lines().filter_map(|row| row.strip_prefix(&prefix));
    Some(
        std::iter::once(header)
            .chain(rows)
            .flat_map(|row| [row, "\n"])
            .collect::<String>()
            .into_bytes(),
    )
}

fn pack(content: &[u8], packing: Packing) -> io::Result<Vec<u8>> {
    match packing {
        Packing::None => Ok(content.to_vec()),
        Packing::Gzip => gzip(content),
        Packing::GzipMembers(count) => {
            let size = content.len().div_ceil(count.max(1)).max(1);
            content.chunks(size).try_fold(Vec::new(), |mut packed, member| {
                packed.extend(gzip(member)?);
                Ok(packed)
            })
        }
        Packing::Zstd => zstd::encode_all(content, 3),
        Packing::Bzip2 => {
            let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::default());
            encoder.write_all(content)?;
            encoder.finish()
        }
    }
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn an_array_becomes_lines() {
        let array = br#" [ {"a": 1.50,
            "b\"c": "x  y\\"}, {"a": null} ] "#;
        assert_eq!(
            String::from_utf8(lines(array).unwrap()).unwrap(),
            "{\"a\":1.50,\"b\\\"c\":\"x  y\\\\\"}\n{\"a\":null}\n"
        );
    }

    #[test]
    fn the_rows_of_one_place_are_taken_out() {
        let csv = b"location,date\nSeattle,1\nNew York,2\nSeattle,3\n";
        assert_eq!(rows_of(csv, "Seattle").unwrap(), b"date\n1\n3\n");
    }

    #[test]
    fn members_hold_everything_together() {
        let packed = pack(b"0123456789", Packing::GzipMembers(3)).unwrap();
        let (mut first, mut whole) = (String::new(), String::new());
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut first).unwrap();
        flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_string(&mut whole).unwrap();
        assert_eq!((first.as_str(), whole.as_str()), ("0123", "0123456789"));
    }
}
