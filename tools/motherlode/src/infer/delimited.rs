//! The beginning of a CSV file: delimiter, header, comments, encoding, and what
//! each field holds.

use std::io::{BufRead, Read};
use std::path::Path;

use anyhow::Context as _;
use model::document::{Csv, Encoding, Format};

use super::names::{Names, snake_case};
use super::profile::Profile;
use super::sample::{BYTES, Field, ROWS, Sample};
use crate::failure::{Advise as _, advised};

/// Delimiters that are tried; of two that fit as well, the first.
const DELIMITERS: &[u8] = b",\t;|";
/// Rows that the delimiter is judged by.
const JUDGED_ROWS: usize = 200;

/// Looks at the beginning of delimited text.
pub fn sample(
    content: Box<dyn BufRead>,
    compression: &'static str,
    is_tsv: bool,
    encoding: Encoding,
    file: &Path,
) -> anyhow::Result<Sample> {
    let mut bytes = Vec::new();
    content
        .take(BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("reading {}", file.display()))
        .hint(|| "the file may be damaged or cut off: fetch it again")?;
    let is_cut = bytes.len() as u64 == BYTES;
    if is_cut {
        // The last line may be half a line, and its last character half of one.
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        bytes.truncate(end);
    }
    let mut notes = Vec::new();
    let (text, encoding) = match encoding {
        Encoding::Utf16 => (utf16(&bytes, &mut notes), encoding),
        _ => decode(bytes, &mut notes),
    };
    let comment = text.starts_with('#').then_some(b'#');
    let delimiter = if is_tsv { b'\t' } else { delimiter(&text, comment) };
    let mut csv = Csv {
        delimiter: char::from(delimiter).to_string(),
        comment: comment.map(|byte| char::from(byte).to_string()),
        encoding,
        ..Csv::default()
    };
    let mut rows = reader(&text, delimiter, comment).into_records();
    let Some(first) = rows.next() else {
        return Err(advised(
            format!("{} has no rows", file.display()),
            "name a file with rows in it",
        ));
    };
    let first = first.with_context(|| format!("reading {}", file.display()))?;
    let comments = text.lines().take_while(|line| line.starts_with('#')).count();
    let names = columns(&first, comments, &mut csv, &mut notes);
    let mut profiles: Vec<Profile> = names.iter().map(|_| Profile::default()).collect();
    let mut count = 0;
    let mut ragged = 0_u64;
    let mut is_whole = !is_cut;
    let data = (!csv.header && csv.skip_lines == 0).then_some(Ok(first));
    for row in data.into_iter().chain(rows) {
        if count == ROWS {
            is_whole = false;
            break;
        }
        let row = row.with_context(|| format!("reading {}", file.display()))?;
        count += 1;
        if row.len() != names.len() {
            ragged += 1;
            continue;
        }
        for (profile, value) in profiles.iter_mut().zip(&row) {
            profile.untyped(value);
        }
    }
    if ragged > 0 {
        notes.push(format!("{ragged} of {count} rows have more or fewer fields than columns and will be quarantined; `ragged: pad` in format.csv takes short ones"));
    }
    let fields = names.into_iter().zip(profiles).filter(|(name, _)| !name.is_empty());
    let fields = fields.map(|(name, profile)| Field { path: vec![name], profile, stated: None });
    Ok(Sample {
        format: Format::Csv(csv),
        compression,
        fields: fields.collect(),
        rows: count,
        is_whole,
        notes,
    })
}

/// A text of units of two bytes, as the loader reads it: without a mark the
/// first character is one of ASCII.
fn utf16(bytes: &[u8], notes: &mut Vec<String>) -> String {
    let (unit, told): (fn([u8; 2]) -> u16, _) = match bytes {
        [0xff, 0xfe, ..] => (u16::from_le_bytes, "by its byte-order mark"),
        [0xfe, 0xff, ..] => (u16::from_be_bytes, "by its byte-order mark"),
        [0, ..] => (u16::from_be_bytes, "by its zero bytes"),
        _ => (u16::from_le_bytes, "by its zero bytes"),
    };
    notes.push(format!("the text is UTF-16, {told}"));
    let (pairs, _) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    let text = String::from_utf16_lossy(&units);
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}

/// The text without its byte-order mark; Latin-1 when it is no UTF-8.
fn decode(bytes: Vec<u8>, notes: &mut Vec<String>) -> (String, Encoding) {
    match String::from_utf8(bytes) {
        Ok(text) => {
            (text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text), Encoding::Utf8)
        }
        Err(error) => {
            notes.push(format!(
                "byte {} is no UTF-8: read as ISO 8859-1",
                error.utf8_error().valid_up_to()
            ));
            (error.into_bytes().into_iter().map(char::from).collect(), Encoding::Latin1)
        }
    }
}

fn reader(text: &str, delimiter: u8, comment: Option<u8>) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .comment(comment)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
}

/// The delimiter by which most rows have as many fields as the first, and more
/// than one.
fn delimiter(text: &str, comment: Option<u8>) -> u8 {
    let score = |delimiter: u8| {
        let widths: Vec<usize> = reader(text, delimiter, comment)
            .into_records()
            .take(JUDGED_ROWS)
            .map_while(Result::ok)
            .map(|row| row.len())
            .collect();
        let first = widths.first().copied().unwrap_or_default();
        let same = widths.iter().filter(|width| **width == first).count();
        // The share in percent: one odd row decides nothing.
        if first > 1 { (same * 100 / widths.len(), first) } else { (0, first) }
    };
    let mut best = (b',', score(b','));
    for delimiter in &DELIMITERS[1..] {
        let found = score(*delimiter);
        if found > best.1 {
            best = (*delimiter, found);
        }
    }
    best.0
}

/// The names of the columns: the header's, or made up where there is none.
fn columns(
    first: &csv::StringRecord,
    comments: usize,
    csv: &mut Csv,
    notes: &mut Vec<String>,
) -> Vec<String> {
    if !is_header(first) {
        csv.header = false;
        csv.names = (1..=first.len()).map(|number| format!("c{number}")).collect();
        notes.push("the first row looks like data: the columns are numbered, give them names in format.csv.names".to_owned());
        return csv.names.clone();
    }
    // The loader finds columns by their names without the spaces around them.
    let names: Vec<String> = first.iter().map(|name| name.trim().to_owned()).collect();
    let nameless = names.iter().filter(|name| name.is_empty()).count();
    let mut seen = Names::default();
    let own: Vec<String> = names
        .iter()
        .map(|name| if name.is_empty() { String::new() } else { seen.own(name) })
        .collect();
    if own == names {
        if nameless > 0 {
            notes.push(format!("{nameless} columns have no name in the header and are left out"));
        }
        return names;
    }
    // Columns of the same name cannot be told apart by name: the header is
    // skipped and the columns are named here.
    let mut seen = Names::default();
    csv.header = false;
    csv.skip_lines = u32::try_from(comments).unwrap_or(0) + 1;
    csv.names =
        own.iter().map(|name| seen.own(if name.is_empty() { "nameless" } else { name })).collect();
    notes.push("several columns have the same name: the header is skipped and format.csv.names tells them apart".to_owned());
    csv.names.clone()
}

/// Whether a row names columns: words, and no two the same but for nameless ones.
fn is_header(row: &csv::StringRecord) -> bool {
    let is_word = |text: &str| {
        let mut profile = Profile::default();
        profile.untyped(text);
        let is_time = profile.texts == 1 && profile.moments.form().is_some();
        profile.nulls == 1 || (profile.texts == 1 && !is_time)
    };
    row.iter().all(is_word)
        && row.iter().any(|text| !text.is_empty() && snake_case(text) != "column")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a,b\n1,2\n", b',')]
    #[case("a;b\n1,5;2\n2,5;3\n", b';')]
    #[case("a\tb c\n1\t2, 3\n", b'\t')]
    #[case("a|b|c\n1|2|3\n", b'|')]
    #[case("a\n1\n", b',')]
    #[case("name,text\nx,\"a;b;c\"\ny,\"d;e\"\n", b',')]
    fn delimiters_are_guessed(#[case] text: &str, #[case] expected: u8) {
        assert_eq!(char::from(delimiter(text, None)), char::from(expected));
    }

    #[rstest]
    #[case("name,age", true)]
    #[case(",name", true)]
    #[case("ann,7", false)]
    #[case("2020-01-01,x", false)]
    #[case(",", false)]
    fn headers_are_told_from_data(#[case] row: &str, #[case] expected: bool) {
        assert_eq!(
            is_header(&csv::StringRecord::from(row.split(',').collect::<Vec<_>>())),
            expected
        );
    }
}
