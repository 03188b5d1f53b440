//! The decoders of texts: CSV and JSON.

use std::io::Write as _;

use decode::{FieldOrigin, FieldRequest, Limits, Request};
use model::document::{
    Compression, Csv, Drift, Encoding, Format, Json, JsonLayout, MissingColumn, RaggedRows,
    UnknownColumn,
};
use model::{BatchPlan, ColumnType};

use crate::choices::Choices;
use crate::column_types::COLUMN_TYPES;
use crate::decoding::{assert_same, assert_same_batches, decode};

/// The CSV decoder: the same batches whatever the pieces and the compression,
/// and from the middle on.
pub fn csv(input: &[u8]) {
    let (mut choices, content) = Choices::split(input);
    let format = Format::Csv(csv_options(&mut choices));
    let request = request(format, &["a", "b", "c"], &mut choices);
    check(content, &request, &mut choices);
}

/// The JSON decoder, likewise.
pub fn json(input: &[u8]) {
    let (mut choices, content) = Choices::split(input);
    let format = Format::Json(json_options(&mut choices));
    let request = request(format, &["a", "b.0.c", "c"], &mut choices);
    check(content, &request, &mut choices);
}

/// Settings of CSV; what validation refuses is not among them.
pub(crate) fn csv_options(choices: &mut Choices<'_>) -> Csv {
    let text = |text: &str| text.to_owned();
    let flags = choices.flags();
    Csv {
        delimiter: choices.one_of(&[",", "\t", ";", "|", " ", "a"]).to_owned(),
        quote: choices.one_of(&["\"", "'", ""]).to_owned(),
        escape: flags(0).then(|| if flags(1) { text("\"") } else { text("\\") }),
        comment: flags(2).then(|| text("#")),
        header: !flags(3),
        names: if flags(3) { vec![text("a"), text("b"), text("c")] } else { Vec::new() },
        quoted_nulls: flags(7),
        ragged: if flags(4) { RaggedRows::Pad } else { RaggedRows::Quarantine },
        skip_lines: u32::from(flags(5)),
        nulls: match (flags(6), flags(7)) {
            (false, false) => vec![String::new()],
            (true, false) => Vec::new(),
            (false, true) => vec![String::new(), text("NULL"), text("\\N")],
            (true, true) => vec![text("NULL"), text("n/a")],
        },
        encoding: choices.one_of(&[Encoding::Utf8, Encoding::Latin1, Encoding::Utf16]),
    }
}

/// Settings of JSON.
pub(crate) fn json_options(choices: &mut Choices<'_>) -> Json {
    let (layout, path) = choices.one_of(&[
        (JsonLayout::Lines, None),
        (JsonLayout::Array, None),
        (JsonLayout::Document, Some("x")),
        (JsonLayout::Document, Some("0.a")),
    ]);
    Json { layout, path: path.map(str::to_owned) }
}

/// Small batches and chunks, so that short inputs have several of them.
pub(crate) fn request(format: Format, fields: &[&str], choices: &mut Choices<'_>) -> Request {
    let flags = choices.flags();
    let field = |(place, name): (usize, &&str)| FieldRequest {
        origin: if name.contains('.') {
            FieldOrigin::Path(name.split('.').map(str::to_owned).collect())
        } else {
            FieldOrigin::Column((*name).to_owned())
        },
        empty_is_text: place == 0,
        column_type: (!flags(0))
            .then(|| ColumnType::parse(choices.one_of(&COLUMN_TYPES)).expect("a type of the list")),
        required_by: (*name).to_owned(),
        is_optional: false,
    };
    let fields = fields.iter().enumerate().map(field).collect();
    let chunk_rows = if flags(1) { 4 } else { 1_000 };
    Request {
        format,
        compression: choices.one_of(&[
            Compression::Auto,
            Compression::None,
            Compression::Gzip,
            Compression::Zstd,
            Compression::Bzip2,
        ]),
        name: "an object".to_owned(),
        fields,
        drift: Drift {
            unknown: [UnknownColumn::Ignore, UnknownColumn::Quarantine][usize::from(flags(2))],
            missing: [MissingColumn::Null, MissingColumn::Quarantine][usize::from(flags(3))],
        },
        plan: BatchPlan {
            batch_bytes: if flags(4) { 12 } else { 1 << 20 },
            ..BatchPlan::for_chunks(chunk_rows).limited(if flags(5) { 2 } else { u64::MAX })
        },
        start_row: 0,
        limits: Limits {
            max_decoded_bytes: 1 << 20,
            max_row_bytes: if flags(6) { 64 } else { 1 << 16 },
            ..Limits::default()
        },
    }
}

fn check(content: &[u8], request: &Request, choices: &mut Choices<'_>) {
    let whole = decode(content, usize::MAX, request);
    let at_once = usize::from(choices.byte() % 16) + 1;
    assert_same(&decode(content, at_once, request), &whole);

    let codec = choices.one_of(&[Compression::Auto, Compression::Gzip, Compression::Zstd]);
    // Content that is compressed itself is another object when compressed once more.
    if codec != Compression::Auto && request.compression == Compression::None && is_text(content) {
        let packed = compressed(content, codec);
        let request = Request { compression: codec, ..request.clone() };
        assert_same(&decode(&packed, usize::MAX, &request), &whole);
    }

    let start_row = request.plan.chunk_rows;
    if whole.error.is_none() && whole.batches.iter().any(|batch| batch.rows.end > start_row) {
        let rest = decode(content, usize::MAX, &Request { start_row, ..request.clone() });
        assert!(rest.error.is_none(), "{:?}", rest.error);
        let first = whole.batches.iter().position(|batch| batch.rows.start >= start_row);
        assert_same_batches(&rest.batches, &whole.batches[first.expect("a batch begins there")..]);
    }
}

/// Whether the content begins like a text; what begins otherwise is refused
/// with words that depend on the compression.
fn is_text(content: &[u8]) -> bool {
    !content.is_empty() && content.iter().take(4).all(u8::is_ascii_graphic)
}

/// The content as one member or frame.
pub(crate) fn compressed(content: &[u8], codec: Compression) -> Vec<u8> {
    match codec {
        Compression::Gzip => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(content).and_then(|()| gzip.finish()).expect("memory takes it")
        }
        Compression::Zstd => zstd::encode_all(content, 1).expect("memory takes it"),
        Compression::Bzip2 => {
            let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            bzip2.write_all(content).and_then(|()| bzip2.finish()).expect("memory takes it")
        }
        Compression::Auto | Compression::None => content.to_vec(),
    }
}
