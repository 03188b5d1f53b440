//! The rows and fields of any text are those that the `csv` crate reads.

use std::io::Cursor;

use ::csv::ReaderBuilder;
use proptest::prelude::*;

use super::cell::{Cell, Shape};
use super::dialect::Dialect;
use super::records::Records;

fn dialect() -> impl Strategy<Value = Dialect> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(semicolon, quotes, escape, comment)| Dialect {
            delimiter: if semicolon { b';' } else { b',' },
            quote: quotes.then_some(b'"'),
            escape: (quotes && escape).then_some(b'\\'),
            comment: comment.then_some(b'#'),
        },
    )
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        ",",
        ";",
        "\"",
        "\"",
        "\"\"",
        "\\",
        "\n",
        "\n",
        "\r\n",
        "\r",
        "#",
        "a",
        "bc",
        " ",
        "ä",
        "\",",
        ",\"",
        "\"\n",
        "\n\"",
        "a long text without anything in it that means something",
    ]);
    prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat().into_bytes())
}

/// For each row its fields.
type Table = Vec<Vec<Vec<u8>>>;

/// The rows, each as it stands in the text, and whether the text ends within
/// quotes: that is an error here, and a row there.
fn by_us(text: &[u8], dialect: Dialect) -> (Table, Vec<Vec<u8>>, bool) {
    let stream = Box::new(Cursor::new(text.to_vec()));
    let mut records = Records::new(stream, dialect, 0, usize::MAX, String::new());
    let (mut table, mut raw, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let row = match records.read(&mut cells) {
            Ok(Some(row)) => row,
            Ok(None) => return (table, raw, false),
            Err(error) => {
                assert!(error.to_string().contains("ends within quotes"), "{error}");
                return (table, raw, true);
            }
        };
        raw.push(records.text()[row].to_vec());
        let value = |cell: Cell| match cell.shape() {
            Shape::Escaped => {
                let mut value = Vec::new();
                dialect.unquote(cell.of(records.text()), &mut value);
                value
            }
            _ => cell.of(records.text()).to_vec(),
        };
        table.push(cells.drain(..).map(value).collect());
        if table.len() % 3 == 0 {
            records.take();
        }
    }
}

fn by_crate(text: &[u8], dialect: Dialect) -> Table {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(dialect.delimiter)
        .quoting(dialect.quote.is_some())
        .escape(dialect.escape)
        .comment(dialect.comment)
        .from_reader(text);
    let fields =
        |record: Result<::csv::ByteRecord, _>| record.unwrap().iter().map(<[u8]>::to_vec).collect();
    reader.byte_records().map(fields).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn rows_and_fields_are_the_same(mut text in text(), dialect in dialect()) {
        if dialect.comment.is_some() {
            // With us a comment ends at any line end, there only at `\n`.
            for at in 0..text.len() {
                if text[at] == b'\r' && text.get(at + 1) != Some(&b'\n') {
                    text[at] = b'x';
                }
            }
            // There a comment line without an end is a row.
            text.push(b'\n');
        }
        if dialect.escape.is_some() {
            // There an escape swallows itself before any character.
            let mut at = 0;
            while at < text.len() {
                let is_pair = text[at] == b'\\' && matches!(text.get(at + 1), Some(b'"' | b'\\'));
                if text[at] == b'\\' && !is_pair {
                    text[at] = b'x';
                }
                at += if is_pair { 2 } else { 1 };
            }
        }
        let (table, raw, is_open) = by_us(&text, dialect);
        let mut expected = by_crate(&text, dialect);
        if is_open {
            prop_assert!(expected.pop().is_some());
        }
        prop_assert_eq!(&table, &expected);
        // A row alone says the same as within its object.
        for (row, raw) in table.iter().zip(raw) {
            prop_assert_eq!(&by_crate(&raw, dialect), std::slice::from_ref(row));
        }
    }
}
