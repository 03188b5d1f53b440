//! CSV objects and what becomes of them.

use arrow::array::{Array, BooleanArray, Int8Array, StringArray};
use model::BatchPlan;
use model::document::{Csv, Drift, Encoding, Format, MissingColumn, RaggedRows, UnknownColumn};
use rstest::rstest;

use crate::testing::{Outcome, decode, request};
use crate::{DecodeError, Limits, Request};

fn csv(options: Csv, fields: &[&str]) -> Request {
    request(Format::Csv(options), fields)
}

fn decoded(text: &[u8], options: Csv, fields: &[&str]) -> Outcome {
    decode(text, csv(options, fields)).unwrap()
}

#[rstest]
#[case::plain("a,b\n1,2\n", &[["1", "2"]])]
#[case::no_line_end_at_the_end("a,b\n1,2", &[["1", "2"]])]
#[case::crlf("a,b\r\n1,2\r\n", &[["1", "2"]])]
#[case::byte_order_mark("\u{feff}a,b\n1,2", &[["1", "2"]])]
#[case::spaces_in_the_header(" a , b\n1,2", &[["1", "2"]])]
#[case::quoted_header("\"a\",\"b\"\n1,2", &[["1", "2"]])]
#[case::other_order("b,x,a\n1,2,3", &[["3", "1"]])]
#[case::quoted_line_ends("a,b\n\"1\n2\",\"x\"\"y\"\n", &[["1\n2", "x\"y"]])]
#[case::blank_lines("a,b\n\n1,2\n\r\n3,4\n\n", &[["1", "2"], ["3", "4"]])]
#[case::empty_is_null("a,b\n,\"\"\n", &[["∅", ""]])]
#[case::absent_column("a\n1\n", &[["1", "∅"]])]
#[case::characters("a,b\nä,日本\n", &[["ä", "日本"]])]
fn rows_are_read(#[case] text: &str, #[case] expected: &[[&str; 2]]) {
    let outcome = decoded(text.as_bytes(), Csv::default(), &["a", "b"]);
    assert_eq!(outcome.table(), expected);
    assert!(outcome.rejected.is_empty(), "{outcome:?}");
}

/// Where there is no delimiter, a line of nothing is all that NULL can be.
#[rstest]
#[case::null_between("a\n1\n\n3\n", &["1", "∅", "3"])]
#[case::crlf("a\r\n1\r\n\r\n3\r\n", &["1", "∅", "3"])]
#[case::returns("a\r1\r\r3\r", &["1", "∅", "3"])]
#[case::mixed("a\r\n\n1\r\n\r\n\n", &["∅", "1", "∅", "∅"])]
#[case::before_the_header("\n\na\n1\n", &["1"])]
#[case::nothing_else("a\n\n\n", &["∅", "∅"])]
#[case::quoted("a\n\"\"\n\n", &["", "∅"])]
fn a_blank_line_of_one_column_is_a_row(#[case] text: &str, #[case] expected: &[&str]) {
    let outcome = decoded(text.as_bytes(), Csv::default(), &["a"]);
    assert_eq!(outcome.table().concat(), expected);
    assert!(outcome.rejected.is_empty(), "{outcome:?}");
}

#[test]
fn comments_of_one_column_are_no_rows() {
    let options = Csv { comment: Some("#".into()), nulls: vec!["-".into()], ..Csv::default() };
    let outcome = decoded(b"a\r\n# x\r\n\r\n1\r\n", options, &["a"]);
    assert_eq!(outcome.table(), [[""], ["1"]]);
}

#[rstest]
#[case(2, "title\ra,b\r1,2\r", None)]
#[case(1, "title\ra,b\r1,2\r", Some([["1", "2"]].as_slice()))]
#[case(4, "title\ra,b\r1,2\r", None)]
#[case(4, "", Some([].as_slice()))]
fn lines_that_are_passed_over_are_there(
    #[case] skip_lines: u32,
    #[case] text: &str,
    #[case] expected: Option<&[[&str; 2]]>,
) {
    let options = Csv { skip_lines, ..Csv::default() };
    let outcome = decode(text.as_bytes(), csv(options, &["a", "b"]));
    match expected {
        Some(rows) => assert_eq!(outcome.unwrap().table(), rows),
        None if skip_lines == 2 => assert!(outcome.unwrap_err().to_string().contains("`1`, `2`")),
        None => {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("has 3 lines") && error.contains("passes over 4"), "{error}");
        }
    }
}

#[rstest]
#[case("")]
#[case("a,b")]
#[case("a,b\n")]
#[case("\n\n")]
fn objects_without_rows_have_none(#[case] text: &str) {
    let mut strict = csv(Csv::default(), &["a", "b"]);
    strict.drift.missing = MissingColumn::Fail;
    assert_eq!(decode(text.as_bytes(), strict).unwrap(), Outcome::default());
}

#[rstest]
#[case::tsv(Csv { delimiter: "\t".into(), ..Csv::default() }, "a\tb\n1\t2,3\n", &[["1", "2,3"]])]
#[case::no_quotes(Csv { quote: String::new(), ..Csv::default() }, "a,b\n\"1,2\"\n", &[["\"1", "2\""]])]
#[case::other_quote(Csv { quote: "'".into(), ..Csv::default() }, "a,b\n'1,2',\"\n", &[["1,2", "\""]])]
#[case::escape(Csv { escape: Some("\\".into()), ..Csv::default() }, "a,b\n\"x\\\"y\",1\n", &[["x\"y", "1"]])]
#[case::escape_is_quote(Csv { escape: Some("\"".into()), ..Csv::default() }, "a,b\n\"x\"\"y\",1\n", &[["x\"y", "1"]])]
#[case::comment(Csv { comment: Some("#".into()), ..Csv::default() }, "# x\na,b\n#,\n1,2#\n", &[["1", "2#"]])]
#[case::skipped_lines(Csv { skip_lines: 2, ..Csv::default() }, "title\n\"\na,b\n1,2", &[["1", "2"]])]
#[case::names(Csv { header: false, names: vec!["a".into(), "b".into()], ..Csv::default() }, "a,b\n1,2", &[["a", "b"], ["1", "2"]])]
#[case::markers(Csv { nulls: vec!["NA".into()], ..Csv::default() }, "a,b\nNA,\"NA\"\n,x", &[["∅", "NA"], ["", "x"]])]
#[case::padded(Csv { ragged: RaggedRows::Pad, ..Csv::default() }, "a,b\n1\n", &[["1", "∅"]])]
fn options_are_obeyed(#[case] options: Csv, #[case] text: &str, #[case] expected: &[[&str; 2]]) {
    let outcome = decoded(text.as_bytes(), options, &["a", "b"]);
    assert_eq!(outcome.table(), expected);
    assert!(outcome.rejected.is_empty(), "{outcome:?}");
}

#[rstest]
#[case("a,b\n\"x\"y,1\nz,2\n")]
#[case("a,b\n1,\"x\"y\nz,2")]
#[case("a,b\nz,2\n1,\"x\"y")]
fn text_behind_a_closing_quote_puts_its_row_aside(#[case] text: &str) {
    let outcome = decoded(text.as_bytes(), Csv::default(), &["a", "b"]);
    assert_eq!(outcome.table(), [["z", "2"]]);
    assert!(outcome.rejected[0].2.contains("behind the closing quote"), "{outcome:?}");
}

/// Nobody knows how many rows have gone into the last value.
#[rstest]
#[case("a,b\n1,\"open\n2,b\n3,c\n")]
#[case("a,b\n1,\"")]
#[case("a,b\n1,2\n\"cut o")]
fn an_object_that_ends_within_quotes_fails(#[case] text: &str) {
    let error = decode(text.as_bytes(), csv(Csv::default(), &["a", "b"])).unwrap_err().to_string();
    assert!(error.contains("ends within quotes"), "{error}");
}

#[test]
fn latin1_is_transcoded_and_kept_raw() {
    let options = Csv { encoding: Encoding::Latin1, ..Csv::default() };
    let outcome = decoded(b"\xfc,b\nK\xf6ln,1\n", options, &["ü", "b"]);
    assert_eq!(outcome.table(), [["Köln", "1"]]);
    // The helper shows what is no UTF-8 as U+FFFD: the raw bytes are the object's.
    assert_eq!(outcome.rows[0].raw, "K\u{fffd}ln,1");
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16()
        .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
        .collect()
}

#[rstest]
#[case::little("\u{feff}ü,b\r\n\"Köln\n\",😀\r\n", false)]
#[case::big("\u{feff}ü,b\r\n\"Köln\n\",😀\r\n", true)]
#[case::without_a_mark("b,ü\n😀,\"Köln\n\"", false)]
#[case::without_a_mark_big("b,ü\n😀,\"Köln\n\"", true)]
fn utf16_is_transcoded(#[case] text: &str, #[case] big: bool) {
    let options = Csv { encoding: Encoding::Utf16, ..Csv::default() };
    let outcome = decoded(&utf16(text, big), options, &["ü", "b"]);
    assert_eq!(outcome.table(), [["Köln\n", "😀"]]);
    // In the quarantine it is UTF-8.
    let raw = outcome.rows[0].raw.as_str();
    assert!(["\"Köln\n\",😀", "😀,\"Köln\n\""].contains(&raw), "{raw}");
}

#[test]
fn documents_name_the_encodings() {
    for (name, encoding) in
        [("utf8", Encoding::Utf8), ("latin1", Encoding::Latin1), ("utf16", Encoding::Utf16)]
    {
        let parsed: Encoding = serde_json::from_str(&format!("\"{name}\"")).unwrap();
        assert_eq!(parsed, encoding);
    }
}

#[test]
fn utf8_with_a_mark_passes_for_utf16() {
    let options = Csv { encoding: Encoding::Utf16, ..Csv::default() };
    assert_eq!(decoded("\u{feff}a\nä\n".as_bytes(), options, &["a"]).table(), [["ä"]]);
}

#[test]
fn half_a_utf16_pair_puts_its_row_aside() {
    let options = Csv { encoding: Encoding::Utf16, ..Csv::default() };
    let mut bytes = utf16("\u{feff}a,b\n1,", false);
    bytes.extend([0x3d, 0xd8]);
    bytes.extend(utf16("\n2,3\n", false));
    let outcome = decoded(&bytes, options, &["a", "b"]);
    assert_eq!(outcome.table(), [["2", "3"]]);
    assert_eq!(outcome.rejected[0].2, "field `b` is not valid UTF-16: half of a pair stands alone");
}

#[test]
fn utf16_is_not_taken_for_utf8() {
    let error = decode(&utf16("\u{feff}a\n1\n", false), csv(Csv::default(), &["a"])).unwrap_err();
    let advice = "this is UTF-16 text (`format.csv.encoding: utf16` reads it); the source says csv";
    assert!(error.to_string().contains(advice), "{error}");
}

#[test]
fn carriage_returns_alone_end_rows_and_comments() {
    let options = Csv { comment: Some("#".into()), ..Csv::default() };
    let outcome = decoded(b"# x, \"\ra,b\r\r1,2\r#\r3,4", options, &["a", "b"]);
    assert_eq!(outcome.table(), [["1", "2"], ["3", "4"]]);
    assert!(outcome.rejected.is_empty());
}

#[test]
fn a_comment_without_a_line_end_is_no_row() {
    let options = Csv { comment: Some("#".into()), ..Csv::default() };
    let outcome = decoded(b"a,b\n1,2\n# end", options, &["a", "b"]);
    assert_eq!(outcome.table(), [["1", "2"]]);
    assert!(outcome.rejected.is_empty());
}

#[test]
fn rows_that_are_put_aside_leave_typed_columns_whole() {
    let mut request = csv(Csv::default(), &["a", "b", "c"]);
    for (field, column_type) in request.fields.iter_mut().zip(["Int8", "Nullable(String)", "Bool"])
    {
        field.column_type = Some(model::ColumnType::parse(column_type).unwrap());
    }
    let text = b"a,b,c\n1,x,true\n2,\xff,true\n3\n4,,\n";
    let stream = crate::Input::Stream(Box::new(text.as_slice()));
    let batch = crate::open(stream, request).unwrap().next_batch().unwrap().unwrap();
    assert_eq!(batch.row_numbers, [0, 3]);
    let rejected: Vec<_> =
        batch.rejected.iter().map(|row| (row.row, row.column.as_str())).collect();
    assert_eq!(rejected, [(1, "b"), (2, "")]);
    assert_eq!(
        (batch.rejected[0].raw.as_slice(), batch.raw.get(1)),
        (&b"2,\xff,true"[..], b"4,,".to_vec())
    );
    let (a, b, c) = (batch.batch.column(0), batch.batch.column(1), batch.batch.column(2));
    assert_eq!(a.as_ref(), &Int8Array::from(vec![1, 4]) as &dyn Array);
    assert_eq!(b.as_ref(), &StringArray::from(vec![Some("x"), None]) as &dyn Array);
    assert_eq!(c.as_ref(), &BooleanArray::from(vec![Some(true), None]) as &dyn Array);
}

#[test]
fn texts_of_another_encoding_that_look_like_utf8_are_still_decoded() {
    let options = Csv { encoding: Encoding::Latin1, nulls: vec!["ä".into()], ..Csv::default() };
    let outcome = decoded(b"a,b\n\xc3\xa4,\xe4\n\"\xe4\",\"x\"\"\xe4\"\n", options, &["a", "b"]);
    assert_eq!(outcome.table(), [["Ã¤", "∅"], ["ä", "x\"ä"]]);
}

#[test]
fn an_empty_field_stays_text_where_the_column_wants_it() {
    let options = Csv { nulls: vec![String::new(), "NA".into()], ..Csv::default() };
    let mut request = csv(options, &["a", "b"]);
    request.fields[0].empty_is_text = true;
    let outcome = decode(b"a,b\n,\nNA,NA\n", request).unwrap();
    assert_eq!(outcome.table(), [["", "∅"], ["∅", "∅"]]);
}

/// Some writers quote every field.
#[test]
fn quoted_fields_are_null_where_the_document_says_so() {
    let nulls = vec![String::new(), "\\N".into()];
    let options = Csv { nulls, escape: Some("\\".into()), quoted_nulls: true, ..Csv::default() };
    let mut request = csv(options, &["a", "b"]);
    request.fields[0].empty_is_text = true;
    let outcome = decode(b"a,b\n\"\",\"\"\n\"\\\\N\",\\N\n\"x\",\"a\\\"\"\n", request).unwrap();
    assert_eq!(outcome.table(), [["", "∅"], ["∅", "∅"], ["x", "a\""]]);
}

#[test]
fn a_path_is_a_whole_column_name() {
    let outcome = decoded(b"a.b,a\n1,2\n", Csv::default(), &["a.b"]);
    assert_eq!(outcome.table(), [["1"]]);
}

#[test]
fn ragged_rows_are_put_aside_as_they_are() {
    let outcome = decoded(b"a,b\n1\n# \"x\", 2,3\r\n4,5\n", Csv::default(), &["a", "b"]);
    assert_eq!(outcome.table(), [["4", "5"]]);
    assert_eq!(outcome.rows[0].number, 2);
    let rejected: Vec<_> = outcome
        .rejected
        .iter()
        .map(|(row, column, _, raw)| (*row, column.as_str(), raw.as_str()))
        .collect();
    assert_eq!(rejected, [(0, "", "1"), (1, "", "# \"x\", 2,3")]);
    assert_eq!(
        outcome.rejected[0].2,
        "the row has 1 fields where 2 are expected; `format.csv.ragged: pad` would fill it up with NULL"
    );
}

#[test]
fn padding_does_not_cover_surplus_fields() {
    let options = Csv { ragged: RaggedRows::Pad, ..Csv::default() };
    let outcome = decoded(b"a,b\n1,2,3\n", options, &["a", "b"]);
    assert_eq!(outcome.rejected[0].2, "the row has 3 fields where 2 are expected");
}

#[test]
fn a_field_that_is_no_utf8_puts_its_row_aside() {
    let outcome =
        decoded(b"a,b,c\n1,2\xff,3\n4,5,\xff\n\xc3,\xa4,6\n", Csv::default(), &["a", "b"]);
    // A broken field that nobody asked for does no harm.
    assert_eq!(outcome.table(), [["4", "5"]]);
    assert_eq!(outcome.rejected[0].1, "b");
    assert!(outcome.rejected[0].2.contains("at its byte 1 (0xff)"), "{}", outcome.rejected[0].2);
    // Half a character in each of two fields is none.
    assert_eq!((outcome.rejected[1].0, outcome.rejected[1].1.as_str()), (2, "a"));
}

#[test]
fn raw_rows_are_exact() {
    let outcome = decoded(b"a,b\r\n\"1\" , 2\r\n\n\"x\n\",\"y\"\r\n", Csv::default(), &["a", "b"]);
    let raw: Vec<_> = outcome.rows.iter().map(|row| row.raw.as_str()).collect();
    assert_eq!(raw, ["\"1\" , 2", "\"x\n\",\"y\""]);
}

#[rstest]
#[case(Drift { missing: MissingColumn::Quarantine, ..Drift::default() }, "a\n1\n2\n", "b", "the object has no column `b` (drift.missing: quarantine)")]
#[case(Drift { unknown: UnknownColumn::Quarantine, ..Drift::default() }, "a,b,c\n1,2,3\n4,5,6\n", "", "column `c` is not in the source document (drift.unknown: quarantine)")]
fn drift_can_put_every_row_aside(
    #[case] drift: Drift,
    #[case] text: &str,
    #[case] column: &str,
    #[case] reason: &str,
) {
    let outcome =
        decode(text.as_bytes(), Request { drift, ..csv(Csv::default(), &["a", "b"]) }).unwrap();
    assert!(outcome.rows.is_empty());
    assert_eq!(outcome.rejected.len(), 2);
    assert_eq!((outcome.rejected[0].1.as_str(), outcome.rejected[0].2.as_str()), (column, reason));
}

#[rstest]
#[case::missing("a\n1\n", "has no `b`, which column `b` reads")]
#[case::unknown("a,b,c\n", "has a column `c` that the source does not know")]
#[case::twice("a,b,a\n", "two columns are named `a`")]
#[case::json("[{\"a\":1,\"b\":2}]", "this is JSON text; the source says csv")]
#[case::other_name("a,\u{0}b\n", "has no `b`")]
#[case::parquet("PAR1xxxx", "this is a Parquet file; the source says csv")]
fn objects_can_fail(#[case] text: &str, #[case] message: &str) {
    let drift = Drift { missing: MissingColumn::Fail, unknown: UnknownColumn::Fail };
    let error =
        decode(text.as_bytes(), Request { drift, ..csv(Csv::default(), &["a", "b"]) }).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn a_quote_that_is_never_closed_ends_in_bounded_memory() {
    let mut text = b"a,b\n1,2\n\"".to_vec();
    text.resize(1 << 20, b'x');
    let limits = Limits { max_row_bytes: 1_000, ..Limits::default() };
    let error = decode(&text, Request { limits, ..csv(Csv::default(), &["a", "b"]) }).unwrap_err();
    assert!(
        matches!(&error, DecodeError::RowTooLong { place, .. } if place.row == Some(1) && place.byte == Some(8)),
        "{error}"
    );
}

#[test]
fn batches_end_by_bytes_and_at_chunks() {
    let text: String = std::iter::once("a,b\n".to_owned())
        .chain((0..10).map(|i| format!("{i},xxxxxx\n")))
        .collect();
    let mut request = csv(Csv::default(), &["a"]);
    request.plan.chunk_rows = 4;
    request.plan.batch_rows = 4;
    request.plan.batch_bytes = 20;
    assert_eq!(decode(text.as_bytes(), request).unwrap().batches, [0..3, 3..4, 4..7, 7..8, 8..10]);
}

#[test]
fn a_resumed_load_of_a_large_object_gives_the_rest() {
    let rows: Vec<_> = (0..200_000).map(|i| format!("{i},\"x{i}\"")).collect();
    let text = format!("a,b\n{}\n", rows.join("\n"));
    let mut request = csv(Csv::default(), &["b"]);
    request.plan = BatchPlan::for_chunks(65_536);
    request.start_row = 131_072;
    let outcome = decode(text.as_bytes(), request).unwrap();
    assert_eq!(outcome.batches, [131_072..163_840, 163_840..196_608, 196_608..200_000]);
    assert!(outcome.rows.iter().map(|row| &row.raw).eq(&rows[131_072..]));
    assert_eq!(outcome.table()[0], ["x131072"]);
}
