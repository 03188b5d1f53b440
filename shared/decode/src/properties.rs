//! What must hold for the text formats whatever the bytes: nothing panics, the
//! pieces in which an object arrives make no difference, and neither does the
//! chunk at which a resumed load begins.

use std::io::Write;

use model::document::{
    Compression, Csv, Drift, Encoding, Format, Json, JsonLayout, MissingColumn, RaggedRows,
};
use proptest::prelude::*;

use crate::testing::{Outcome, decode, decode_dripping, request};
use crate::{Limits, Request};

/// Texts that are nearly valid, so that they get far.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "a", "b", "c", ",", "\"", "\\", "\n", "\r\n", "{", "}", "[", "]", ":", " ", "null", "1", "-2.5e3", "#",
            "\"a\":", "{\"a\":1}", "{\"b\":\"x\"},", "1,2\n", "\"\"", "\u{feff}", "ä", "\\u00e4", "true", "a,b\n",
        ]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    let start = prop::sample::select(vec![
        "",
        "a,b\n",
        "[",
        "{\"x\":[",
        "\u{feff}a,b\r\n",
        "{\"a\":1,\"b\":2}\n",
    ]);
    (start, prop::collection::vec(piece, 0..60))
        .prop_map(|(start, pieces)| [start.as_bytes().to_vec(), pieces.concat()].concat())
}

fn format() -> impl Strategy<Value = Format> {
    let csv = (0_u8..8, any::<bool>(), any::<bool>(), any::<bool>(), 0_u32..3).prop_map(
        |(encoding, pad, comment, escape, skip_lines)| {
            Format::Csv(Csv {
                encoding: match encoding {
                    0..4 => Encoding::Utf8,
                    4..7 => Encoding::Latin1,
                    _ => Encoding::Utf16,
                },
                ragged: if pad { RaggedRows::Pad } else { RaggedRows::Quarantine },
                comment: comment.then(|| "#".to_owned()),
                escape: escape.then(|| "\\".to_owned()),
                skip_lines,
                ..Csv::default()
            })
        },
    );
    let json = prop::sample::select(vec![
        Json { layout: JsonLayout::Lines, path: None },
        Json { layout: JsonLayout::Array, path: None },
        Json { layout: JsonLayout::Document, path: Some("x".to_owned()) },
        Json { layout: JsonLayout::Document, path: Some("0.a".to_owned()) },
    ]);
    prop_oneof![csv, json.prop_map(Format::Json)]
}

fn wanted(format: Format) -> Request {
    let mut wanted = request(format, &["a", "b.0.c", "b"]);
    wanted.drift = Drift { missing: MissingColumn::Null, ..Drift::default() };
    wanted.plan.chunk_rows = 4;
    wanted.plan.batch_rows = 2;
    wanted.plan.batch_bytes = 12;
    wanted.limits = Limits { max_row_bytes: 64, ..Limits::default() };
    wanted
}

/// An outcome, or the words of the error.
fn told(bytes: &[u8], at_once: usize, request: Request) -> Result<Outcome, String> {
    decode_dripping(bytes, at_once, request).map_err(|error| error.to_string())
}

fn compressed(bytes: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::Gzip => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(bytes).unwrap();
            gzip.finish().unwrap()
        }
        Compression::Zstd => ::zstd::encode_all(bytes, 1).unwrap(),
        Compression::Bzip2 => {
            let mut bzip2 =
                ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
            bzip2.write_all(bytes).unwrap();
            bzip2.finish().unwrap()
        }
        Compression::Auto | Compression::None => bytes.to_vec(),
    }
}

fn compression() -> impl Strategy<Value = Compression> {
    use Compression::{Auto, Bzip2, Gzip, None, Zstd};
    prop::sample::select(vec![Auto, None, Gzip, Zstd, Bzip2])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), format in format(), compression in compression()) {
        let _ = decode(&bytes, Request { compression, ..wanted(format) });
    }

    #[test]
    fn pieces_make_no_difference(bytes in text(), format in format(), at_once in 1_usize..7) {
        let whole = told(&bytes, usize::MAX, wanted(format.clone()));
        prop_assert_eq!(told(&bytes, at_once, wanted(format)), whole);
    }

    #[test]
    fn compression_makes_no_difference(bytes in text(), format in format(), compression in compression()) {
        // An object that begins like a compressed one is another thing.
        prop_assume!(crate::sniff::binary_kind(&bytes).is_none());
        let plain = told(&bytes, usize::MAX, wanted(format.clone()));
        prop_assert_eq!(told(&compressed(&bytes, compression), 5, wanted(format)), plain);
    }

    #[test]
    fn damaged_streams_do_not_panic(
        bytes in text(),
        format in format(),
        compression in compression(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut damaged = compressed(&bytes, compression);
        if !damaged.is_empty() {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        let _ = decode(&damaged, wanted(format));
    }

    #[test]
    fn resuming_gives_the_rest(bytes in text(), format in format(), chunk in 0_u64..5) {
        let Ok(whole) = decode(&bytes, wanted(format.clone())) else { return Ok(()) };
        let start_row = chunk * 4;
        let resumed = decode(&bytes, Request { start_row, ..wanted(format) }).unwrap();
        let expected = Outcome {
            batches: whole.batches.into_iter().filter(|rows| rows.start >= start_row).collect(),
            rows: whole.rows.into_iter().filter(|row| row.number >= start_row).collect(),
            rejected: whole.rejected.into_iter().filter(|row| row.0 >= start_row).collect(),
        };
        prop_assert_eq!(resumed, expected);
    }
}
