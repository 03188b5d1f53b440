//! The beginning of a file: what it is, by its bytes first and its name second,
//! and what each of its fields holds.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use anyhow::Context as _;
use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use model::ColumnType;
use model::document::{Encoding, Format};

use super::profile::Profile;
use super::{columnar, delimited, json};
use crate::failure::{Advise as _, advised};

/// Rows that are looked at.
pub const ROWS: u64 = 20_000;
/// Bytes of a text that are looked at, after decompression.
pub const BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of a JSON document or a compressed Arrow file, which cannot be
/// understood in parts.
pub const WHOLE_BYTES: u64 = 512 * 1024 * 1024;

/// What the beginning of a file holds.
#[derive(Debug)]
pub struct Sample {
    /// How the rows are written.
    pub format: Format,
    /// How the file is compressed, in a word.
    pub compression: &'static str,
    /// The fields, in the file's order.
    pub fields: Vec<Field>,
    /// Rows that were looked at.
    pub rows: u64,
    /// Whether these are all rows.
    pub is_whole: bool,
    /// What else somebody should know.
    pub notes: Vec<String>,
}

/// One field of the rows.
#[derive(Debug)]
pub struct Field {
    /// Where it stands: one name, or the keys to it.
    pub path: Vec<String>,
    /// What it holds.
    pub profile: Profile,
    /// The type that follows from the file as a whole, and why.
    pub stated: Option<(ColumnType, String)>,
}

/// What the first bytes of a content say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Parquet,
    ArrowFile,
    ArrowStream,
    Text,
    Utf16,
}

/// Looks at the beginning of a file.
///
/// # Errors
/// When the file cannot be read, is empty, or is nothing that can be loaded.
pub fn take(file: &Path) -> anyhow::Result<Sample> {
    let opened = File::open(file)
        .with_context(|| format!("opening {}", file.display()))
        .hint(|| "name a file that can be read")?;
    let read = |error: std::io::Error| {
        anyhow::Error::from(error).context(format!("reading {}", file.display()))
    };
    let damaged = || "the file may be damaged or cut off: fetch it again";
    let mut raw = BufReader::new(opened);
    let head = raw.fill_buf().map_err(read)?.to_vec();
    let (compression, mut content) = decompress(&head, raw).map_err(read)?;
    let head = content.fill_buf().map_err(read).hint(damaged)?.to_vec();
    if head.is_empty() {
        return Err(advised(format!("{} is empty", file.display()), "name a file with rows in it"));
    }
    match kind(&head, file)? {
        Kind::Parquet if compression != "none" => Err(advised(
            format!("{} is a Parquet file inside of {compression}", file.display()),
            "Parquet compresses its pages itself and is read by ranges: unpack the file",
        )),
        Kind::Parquet => columnar::parquet(file),
        Kind::ArrowFile if compression == "none" => {
            columnar::arrow_file(File::open(file)?, compression, file)
        }
        Kind::ArrowFile => {
            let mut bytes = Vec::new();
            content.take(WHOLE_BYTES).read_to_end(&mut bytes).map_err(read).hint(damaged)?;
            columnar::arrow_file(Cursor::new(bytes), compression, file)
        }
        Kind::ArrowStream => columnar::arrow_stream(content, compression, file),
        Kind::Text => text(&head, content, compression, file),
        Kind::Utf16 => {
            let is_tsv = is_tsv(&names_of(file));
            delimited::sample(content, compression, is_tsv, Encoding::Utf16, file)
        }
    }
}

/// JSON begins with a brace or a bracket, and so may a CSV file; JSON is tried
/// first, and its complaint is only shown for a file that is named so.
fn text(
    head: &[u8],
    content: Box<dyn BufRead>,
    compression: &'static str,
    file: &Path,
) -> anyhow::Result<Sample> {
    let named = names_of(file);
    let opening =
        head.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf));
    if matches!(opening, Some(b'{' | b'[')) {
        return json::sample(content, compression, file);
    }
    if named
        .iter()
        .any(|extension| matches!(extension.as_str(), "json" | "jsonl" | "ndjson" | "geojson"))
    {
        return Err(advised(
            format!("{} is named as JSON and does not begin with `{{` or `[`", file.display()),
            "rows of JSON are objects: name the file .csv or .tsv if that is what it is",
        ));
    }
    delimited::sample(content, compression, is_tsv(&named), Encoding::Utf8, file)
}

fn is_tsv(named: &[String]) -> bool {
    named.iter().any(|extension| extension == "tsv" || extension == "tab")
}

/// Whether a text is written in units of two bytes: by its mark, or by the
/// zeros that every other byte then is in nearly every text.
fn is_utf16(head: &[u8]) -> bool {
    if matches!(head, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return true;
    }
    let zeros =
        |first: usize| head.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let units = head.len() / 2;
    // The first character is one of ASCII: so the loader reads it.
    let begins = |first: usize| head.get(first) == Some(&0);
    let most = |zeros: usize, others: usize| zeros * 10 >= units * 6 && others * 20 <= units;
    units > 1 && ((begins(0) && most(even, odd)) || (begins(1) && most(odd, even)))
}

/// The extensions of a file's name, lower-case: `a.csv.gz` has `csv` and `gz`.
pub fn names_of(file: &Path) -> Vec<String> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('.').skip(1).map(str::to_lowercase).collect()
}

fn decompress(
    head: &[u8],
    raw: BufReader<File>,
) -> std::io::Result<(&'static str, Box<dyn BufRead>)> {
    Ok(match head {
        [0x1f, 0x8b, ..] => ("gzip", Box::new(BufReader::new(MultiGzDecoder::new(raw)))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            ("zstd", Box::new(BufReader::new(zstd::stream::read::Decoder::with_buffer(raw)?)))
        }
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => {
            ("bzip2", Box::new(BufReader::new(MultiBzDecoder::new(raw))))
        }
        _ => ("none", Box::new(raw)),
    })
}

/// The first byte of a text in UTF-16 that is none of its mark, a space or a zero.
fn utf16_opening(head: &[u8]) -> Option<u8> {
    let passed = [0, 0xff, 0xfe, b' ', b'\t', b'\r', b'\n'];
    head.iter().copied().find(|byte| !passed.contains(byte))
}

fn kind(head: &[u8], file: &Path) -> anyhow::Result<Kind> {
    let found = match head {
        [b'P', b'A', b'R', b'1', ..] => return Ok(Kind::Parquet),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => return Ok(Kind::ArrowFile),
        [0xff, 0xff, 0xff, 0xff, ..] => return Ok(Kind::ArrowStream),
        [b'P', b'K', 3, 4, ..] => "a ZIP archive (or an Excel workbook)",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "an xz file",
        [b'O', b'b', b'j', 1, ..] => "an Avro file",
        [b'O', b'R', b'C', ..] => "an ORC file",
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        other if is_utf16(other) => match utf16_opening(other) {
            Some(b'{' | b'[') => "JSON in UTF-16",
            _ => return Ok(Kind::Utf16),
        },
        other if other.contains(&0) => "binary",
        _ => return Ok(Kind::Text),
    };
    Err(advised(
        format!("{} is {found}, which cannot be loaded", file.display()),
        "convert it to Parquet, Arrow, UTF-8 JSON or CSV, plain or with gzip, zstd or bzip2",
    ))
}
