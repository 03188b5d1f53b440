//! Whatever table is written in whatever dialect comes back, typed or not.

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use model::ColumnType;
use model::document::{Csv, Encoding, Format};
use proptest::prelude::*;

use crate::testing::request;
use crate::{FieldOrigin, Input, Request, open};

type Row = Vec<Option<String>>;

/// How a table is written.
#[derive(Debug, Clone)]
struct Style {
    options: Csv,
    line_end: &'static str,
    /// Quotes also where none is needed.
    all_quoted: bool,
    mark: bool,
    big: bool,
}

fn style() -> impl Strategy<Value = Style> {
    let pick = |of: &'static [&'static str]| prop::sample::select(of);
    let shape = (pick(&[",", ";", "\t", "|"]), pick(&["\"", "'"]), any::<bool>(), any::<bool>());
    let encoding = prop::sample::select(vec![Encoding::Utf8, Encoding::Latin1, Encoding::Utf16]);
    let nulls = prop::sample::select(vec![vec!["", "NA"], vec!["NA"], vec!["NA", "ä"]]);
    let rest = (encoding, nulls, pick(&["\n", "\r\n", "\r"]), any::<[bool; 4]>());
    (shape, rest).prop_map(
        |((delimiter, quote, escape, comment), (encoding, nulls, line_end, flags))| {
            let [header, all_quoted, mark, big] = flags;
            let options = Csv {
                delimiter: delimiter.to_owned(),
                quote: quote.to_owned(),
                escape: escape.then(|| "\\".to_owned()),
                comment: comment.then(|| "#".to_owned()),
                encoding,
                header,
                nulls: nulls.into_iter().map(str::to_owned).collect(),
                ..Csv::default()
            };
            Style { options, line_end, all_quoted, mark, big }
        },
    )
}

fn table() -> impl Strategy<Value = Vec<Row>> {
    let text = prop_oneof![
        Just(None),
        prop::sample::select(vec![
            "", "NA", "ä", "#", "#x", "\\", "\"", "'", "\n", "\r\n", ",;\t|", " ", "null"
        ])
        .prop_map(|text| Some(text.to_owned())),
        "[a-cäß,;\t|\"'\\\\\n\r# ]{0,8}".prop_map(Some),
        "-?[0-9]{1,4}".prop_map(Some),
    ];
    let number = prop_oneof![
        1 => Just(None),
        9 => "-?[1-9][0-9]{0,3}".prop_map(Some),
        1 => prop::sample::select(vec!["1.5", "x", "+1"]).prop_map(|text| Some(text.to_owned())),
    ];
    let few = prop::sample::select(vec!["red", "grün", "", "\"quoted\""])
        .prop_map(|text| Some(text.to_owned()));
    prop::collection::vec((text, number, few).prop_map(|(a, b, c)| vec![a, b, c]), 0..12)
}

impl Style {
    fn written(&self, table: &[Row]) -> Vec<u8> {
        let mut text = if self.mark { "\u{feff}" } else { "" }.to_owned();
        let comment = self.options.comment.as_ref();
        if let Some(comment) = comment {
            text.push_str(&format!("{comment} \"quotes, and others'{}", self.line_end));
        }
        if self.options.header {
            let names = ["a", "b", "c"].join(&self.options.delimiter);
            text.push_str(&format!("{names}{}", self.line_end));
        }
        for (i, row) in table.iter().enumerate() {
            let fields: Vec<_> = row.iter().map(|value| self.field(value.as_deref())).collect();
            text.push_str(&fields.join(&self.options.delimiter));
            if i + 1 < table.len() || self.all_quoted {
                text.push_str(self.line_end);
            }
            if let Some(comment) = comment.filter(|_| i % 2 == 1 && i + 1 < table.len()) {
                text.push_str(&format!("{comment}{}", self.line_end));
            }
        }
        match self.options.encoding {
            Encoding::Utf8 => text.into_bytes(),
            Encoding::Latin1 => {
                let text = text.trim_start_matches('\u{feff}');
                text.chars().map(|c| u8::try_from(c).unwrap()).collect()
            }
            Encoding::Utf16 => text
                .encode_utf16()
                .flat_map(|unit| if self.big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect(),
        }
    }

    fn field(&self, value: Option<&str>) -> String {
        let Some(value) = value else { return self.options.nulls[0].clone() };
        let (quote, nulls) = (&self.options.quote, &self.options.nulls);
        let special = |c: char| "\r\n\"'\\#".contains(c) || self.options.delimiter.contains(c);
        if !self.all_quoted && !value.contains(special) && !nulls.iter().any(|null| null == value) {
            return value.to_owned();
        }
        let inside = match &self.options.escape {
            Some(escape) => value
                .replace(escape, &format!("{escape}{escape}"))
                .replace(quote, &format!("{escape}{quote}")),
            None => value.replace(quote, &format!("{quote}{quote}")),
        };
        format!("{quote}{inside}{quote}")
    }

    fn request(&self, types: [Option<&str>; 3]) -> Request {
        let mut options = self.options.clone();
        if !options.header {
            options.names = vec!["a".into(), "b".into(), "c".into()];
        }
        let mut request = request(Format::Csv(options), &["a", "b", "c"]);
        for (field, column_type) in request.fields.iter_mut().zip(types) {
            field.column_type = column_type.map(|text| ColumnType::parse(text).unwrap());
        }
        // Out of order, and one of them twice.
        request.fields.reverse();
        request.fields.push(request.fields[0].clone());
        request.fields[3].origin = FieldOrigin::Column("a".into());
        request.fields[3].required_by = "again".into();
        request.plan.chunk_rows = 5;
        request.plan.batch_rows = 5;
        request
    }
}

/// The rows that come back, and how many columns of batches were typed.
fn decoded(bytes: &[u8], request: Request) -> (Vec<Row>, usize) {
    let mut decoder =
        open(Input::Stream(Box::new(std::io::Cursor::new(bytes.to_vec()))), request).unwrap();
    let (mut rows, mut typed) = (Vec::new(), 0);
    while let Some(decoded) = decoder.next_batch().unwrap() {
        assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
        let columns: Vec<_> = decoded
            .batch
            .columns()
            .iter()
            .map(|column| {
                typed += usize::from(column.data_type() != &DataType::Utf8);
                cast(column, &DataType::Utf8).unwrap()
            })
            .collect();
        for row in 0..decoded.batch.num_rows() {
            let value = |column: &arrow::array::ArrayRef| {
                let column = column.as_string::<i32>();
                column.is_valid(row).then(|| column.value(row).to_owned())
            };
            let values: Vec<_> = columns.iter().map(value).collect();
            assert_eq!(values[2], values[3]);
            rows.push(vec![values[2].clone(), values[1].clone(), values[0].clone()]);
        }
    }
    (rows, typed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_table_comes_back(table in table(), style in style()) {
        let bytes = style.written(&table);
        prop_assert_eq!(&decoded(&bytes, style.request([None; 3])).0, &table);
        let types = [Some("String"), Some("Nullable(Int16)"), Some("LowCardinality(String)")];
        let (rows, typed) = decoded(&bytes, style.request(types));
        prop_assert_eq!(&rows, &table);
        prop_assert_eq!(typed >= table.len().div_ceil(5), true);
    }
}
