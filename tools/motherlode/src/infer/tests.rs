//! Whole proposals for small files, and the types of single columns.

use std::io::Write as _;

use model::ColumnType;
use model::document::{Format, JsonLayout};
use rstest::rstest;

use super::*;

fn propose(name: &str, content: &[u8]) -> Proposal {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    std::fs::write(&file, content).unwrap();
    inferred(&file).unwrap()
}

fn refuse(name: &str, content: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    std::fs::write(&file, content).unwrap();
    inferred(&file).unwrap_err().to_string()
}

fn inferred(file: &Path) -> anyhow::Result<Proposal> {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(infer(file, &Wishes::default()))
}

fn types(proposal: &Proposal) -> Vec<String> {
    let columns = &proposal.document.columns;
    columns.iter().map(|column| format!("{} {}", column.name, column.column_type)).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A first line that the loader puts aside does not hide the others; of a number that
/// no type holds, the text is kept.
#[rstest]
#[case("{\"a\": 1e400}", "a Nullable(String)")]
#[case("{\"a\": }", "a UInt8")]
#[case(&format!("{{\"a\": {}{}}}", "[".repeat(200), "]".repeat(200)), "a UInt8")]
fn a_bad_first_line_is_a_bad_row(#[case] first: &str, #[case] expected: &str) {
    let text = format!("{first}\n{{\"a\": 1}}\n{{\"a\": 2}}\n");
    let proposal = propose("x.jsonl", text.as_bytes());
    assert_eq!(types(&proposal), [expected]);
    assert!(proposal.yaml.contains("1 of 3 rows"), "{}", proposal.yaml);
}

/// The loader finds columns by their names without the spaces around them.
#[test]
fn spaces_around_the_names_of_a_header_are_no_part_of_them() {
    let proposal = propose("x.csv", b"a, b ,\tc\n1, 2,3\n3, x,4\n");
    assert_eq!(
        types(&proposal),
        ["a UInt8", "b LowCardinality(String)", "c UInt8"]
            .map(|column| column.replace("LowCardinality(String)", "String"))
    );
    let from: Vec<_> = proposal.document.columns.iter().map(|column| column.name.clone()).collect();
    assert_eq!(from, ["a", "b", "c"]);
}

#[test]
fn whole_numbers_of_json_beyond_64_bits_keep_their_digits() {
    let text =
        b"{\"a\":340282366920938463463374607431768211455,\"b\":18446744073709551616,\"c\":-1e3}\n\
                 {\"a\":1,\"b\":1,\"c\":1}\n";
    assert_eq!(types(&propose("x.jsonl", text)), ["a UInt256", "b UInt128", "c Float64"]);
}

/// A point or an exponent makes a float, however large it is.
#[rstest]
#[case("1.5", "1e300", "Float64")]
#[case("1", "1e25", "Float64")]
#[case("1", "12345678901234567890.0", "Float64")]
#[case("-1E+20", "2", "Float64")]
#[case("1.5", "18446744073709551616", "String")]
fn large_floats_of_json_are_no_whole_numbers(
    #[case] one: &str,
    #[case] other: &str,
    #[case] expected: &str,
) {
    let text = format!("{{\"x\": {one}}}\n{{\"x\": {other}}}\n");
    assert_eq!(types(&propose("a.jsonl", text.as_bytes())), [format!("x {expected}")]);
    let text = format!("[{{\"x\": {one}}}, {{\"x\": {other}}}]");
    assert_eq!(types(&propose("a.json", text.as_bytes())), [format!("x {expected}")]);
}

/// A line that does not end is not read to its end.
#[test]
fn a_line_without_an_end_takes_no_more_than_the_sample() {
    let mut text = String::from("{\"a\":1}\n{\"a\":2}\n{\"a\":\"");
    text.push_str(&"x".repeat(80 << 20));
    let proposal = propose("x.jsonl.gz", &gzip(&text));
    assert_eq!(types(&proposal), ["a UInt8"]);
}

/// The rows behind the sample count on.
#[test]
fn an_identity_has_room_to_grow() {
    let rows: String = (0..200).map(|id| format!("{id}\n")).collect();
    let proposal = propose("x.csv", format!("v\n{rows}").as_bytes());
    let column = &proposal.document.columns[0];
    assert_eq!(column.column_type, "UInt64");
}

#[rstest]
#[case("1\n2\n", "UInt8")]
#[case("100\n200\n", "UInt16")]
#[case("-1\n40\n", "Int8")]
#[case("-1\n100\n", "Int16")]
#[case("2000000000\n1\n", "UInt32")]
#[case("9223372036854775807\n", "UInt64")]
#[case("18446744073709551615\n", "UInt64")]
#[case("-9223372036854775808\n", "Int64")]
#[case("18446744073709551616\n", "UInt128")]
#[case("-9223372036854775809\n1\n", "Int128")]
#[case("340282366920938463463374607431768211455\n1\n", "UInt256")]
#[case("-340282366920938463463374607431768211455\n", "Int256")]
#[case("340282366920938463463374607431768211455\n0.5\n", "String")]
#[case("1.5\n2\n", "Float64")]
#[case("true\nFALSE\n", "Bool")]
#[case("00501\n10001\n", "String")]
#[case("1\nx\n", "String")]
// A quoted empty field is an empty text and no NULL: the trial finds it.
#[case("1\n\"\"\n", "Nullable(String)")]
#[case("1\nNA\n", "Nullable(UInt8)")]
#[case("a\nNA\n", "String")]
#[case("\"\"\n\"\"\n", "Nullable(String)")]
#[case("2020-01-01\n1969-01-01\n", "Date32")]
#[case("2020-01-01\n2021-01-01\n", "Date")]
#[case("2020-01-01T10:00:00Z\n2021-01-01T10:00:00.5Z\n", "DateTime64(3, 'UTC')")]
#[case("2020-01-01 10:00\n", "DateTime('UTC')")]
#[case("1850-01-01\n", "String")]
#[case("67e55044-10b1-426f-9247-bb680e5fe0c8\n", "UUID")]
#[case("192.0.2.1\n127.0.0.1\n", "IPv4")]
#[case("2001:db8::1\n::1\n", "IPv6")]
#[case("192.0.2.1\n::1\n", "String")]
#[case("192.0.2.300\n", "String")]
fn columns_of_csv_get_types(#[case] rows: &str, #[case] expected: &str) {
    let proposal = propose("a.csv", format!("value\n{rows}").as_bytes());
    assert_eq!(proposal.document.columns[0].column_type, expected);
}

/// Money is exact, and only what is called so is money.
#[rstest]
#[case("total_price", "1.5\n20\n", "Decimal(18, 2)")]
#[case("Net Amount", "1.505\n-20.1\n", "Decimal(18, 4)")]
#[case("fee", "0.00001\n", "Float64")]
#[case("fee", "1.5\n1e3\n", "Float64")]
#[case("fee", "1.5\n5000000000000\n", "Float64")]
#[case("price", "3\n4\n", "UInt8")]
#[case("amount_usd", "1.5\n", "Decimal(18, 2)")]
#[case("tax_rate", "1.5\n", "Float64")]
#[case("price", "1.5\n12345678901234567890.5\n", "Float64")]
#[case("priceless", "1.5\n", "Float64")]
fn money_is_exact(#[case] name: &str, #[case] rows: &str, #[case] expected: &str) {
    let proposal = propose("a.csv", format!("{name}\n{rows}").as_bytes());
    assert_eq!(proposal.document.columns[0].column_type, expected);
}

/// Objects whose keys are data are maps, where all values are alike.
#[rstest]
#[case("1", "2", "Map(String, Int64)")]
#[case("1", "2.5", "Map(String, Float64)")]
#[case("\"a\"", "\"b\"", "Map(String, String)")]
#[case("true", "null", "Map(String, Nullable(Bool))")]
#[case("1", "18446744073709551615", "Map(String, UInt64)")]
#[case("-1", "18446744073709551615", "String")]
#[case("1.5", "9007199254740993", "String")]
#[case("1", "18446744073709551616", "String")]
#[case("1", "\"b\"", "String")]
#[case("1", "{\"a\": 1}", "String")]
fn objects_with_many_keys_are_maps(#[case] one: &str, #[case] other: &str, #[case] expected: &str) {
    let pairs: Vec<_> = (0..120).map(|key| format!("\"k{key}\": {one}")).collect();
    // Of a key among the first ones, and of one that is too many.
    for key in ["k7", "k1000"] {
        let text =
            format!("{{\"a\": {{{}}}}}\n{{\"a\": {{\"{key}\": {other}}}}}\n", pairs.join(", "));
        let proposal = propose("a.jsonl", text.as_bytes());
        assert_eq!(types(&proposal), [format!("a {expected}")], "{key}: {}", proposal.yaml);
    }
}

#[rstest]
#[case("1", "UInt8")]
#[case("1.5", "Float64")]
#[case("true", "Bool")]
#[case("\"1\"", "String")]
#[case("\"2020-01-01\"", "Date")]
#[case("[1, 2]", "Array(UInt8)")]
#[case("[1.5, null]", "Array(Nullable(Float64))")]
#[case("[[1], [2]]", "Array(Array(UInt8))")]
#[case("[[1], null]", "String")]
#[case("[9007199254740993, 0.5]", "String")]
#[case("[\"a\"]", "Array(String)")]
#[case("[1, \"a\"]", "String")]
#[case("[{\"a\": 1}]", "String")]
#[case("null", "Nullable(String)")]
fn columns_of_json_get_types(#[case] value: &str, #[case] expected: &str) {
    let proposal = propose("a.json", format!("[{{\"value\": {value}}}]").as_bytes());
    assert_eq!(proposal.document.columns[0].column_type, expected);
}

#[test]
fn a_csv_file_becomes_a_document() {
    let mut text = String::from("Flight Date;delay;Origin;Zip\n");
    for i in 0..40 {
        text.push_str(&format!(
            "{:02}.01.2020;{};{};0{}\n",
            i % 28 + 1,
            if i == 3 { "NA".to_owned() } else { i.to_string() },
            ["JFK", "LAX"][i % 2],
            i + 1000
        ));
    }
    let proposal = propose("My Flights.csv.gz", &gzip(&text));
    let yaml = proposal
        .yaml
        .lines()
        .filter(|line| !line.starts_with("owner:"))
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(yaml, GOLDEN);
    assert!(proposal.is_whole);
    assert_eq!(proposal.rows, 40);
}

const GOLDEN: &str = r#"# Proposed by `motherlode sources infer` from all 40 rows of My Flights.csv.gz.
# Correct what you know better, try it with `motherlode sources dry-run`, then put it.
source: my-flights
version: 1
match:
  prefix: my-flights/
  suffix: ".csv.gz"
format:
  csv:
    delimiter: ";"
    nulls: ["", "NA"] # stand among numbers or times
compression: auto # here: gzip; told by the bytes, then by the name
columns:
  # dates from 2020 to 2020, written as `%d.%m.%Y`
  - name: flight_date
    from: "Flight Date"
    type: Date
    timestamp: {formats: ["%d.%m.%Y"]}
  # 0 to 39, with headroom; `NA` means NULL
  - name: delay
    type: Nullable(UInt8)
  # text; 2 different values in 40 rows: a dictionary
  - name: origin
    from: Origin
    type: LowCardinality(String)
  # leading zeros, which a number would lose
  - name: zip
    from: Zip
    type: String
table:
  database: landing
  name: my_flights
  # few values, then a time, then an identity: put here what your queries filter by
  order_by: ["origin", "flight_date"]
  # a partition each month (2020 to 2020), to drop old rows by
  partition_by: "toYYYYMM(flight_date)""#;

#[test]
fn the_array_of_a_document_is_found_and_rows_are_taken_apart() {
    let text = r#"{"meta": {"tags": [{"a": 1}]}, "result": {"items": [
        {"id": "x", "geo": {"type": "Point", "at": [1.5, 2]}, "time": 1517968154000, "a.b": 1},
        {"id": "y", "geo": {"type": "Point", "at": [1, 2]}, "time": 1517968154001, "extra": null}
    ]}}"#;
    let proposal = propose("quakes.json", text.as_bytes());
    let Format::Json(format) = &proposal.document.format else { panic!("no JSON") };
    assert_eq!(format.path.as_deref(), Some("result.items"));
    assert_eq!(
        types(&proposal),
        [
            "id String",
            "geo_type String",
            "geo_at Array(Float64)",
            "time DateTime64(3, 'UTC')",
            "a_b Nullable(UInt8)",
            "extra Nullable(String)"
        ]
    );
    assert!(proposal.yaml.contains("from: geo.type\n"), "{}", proposal.yaml);
    assert!(proposal.yaml.contains("from: {column: \"a.b\"}\n"), "{}", proposal.yaml);
    assert!(proposal.yaml.contains("timestamp: {formats: [\"unix_ms\"]}\n"), "{}", proposal.yaml);
}

#[test]
fn lines_are_told_from_a_document() {
    let proposal = propose("a.json", b"{\"a\": 1}\n{\"a\": \"x\", \"b\": {}}\n");
    assert!(
        matches!(&proposal.document.format, Format::Json(json) if json.layout == JsonLayout::Lines)
    );
    assert_eq!(types(&proposal), ["a String", "b Nullable(String)"]);
    assert_eq!(proposal.rows, 2);
}

#[test]
fn headers_that_repeat_or_are_missing_are_worked_around() {
    let proposal = propose("a.csv", b"a,a,\n1,2,3\n");
    assert_eq!(types(&proposal), ["a UInt8", "a_2 UInt8", "nameless UInt8"]);
    assert!(proposal.yaml.contains("skip_lines: 1"), "{}", proposal.yaml);
    let proposal = propose("a.csv", b"1,x\n2,y\n");
    assert_eq!(types(&proposal), ["c1 UInt8", "c2 String"]);
    assert_eq!(proposal.rows, 2);
    let proposal = propose("a.csv", b",b\n1,x\n");
    assert_eq!(types(&proposal), ["b String"]);
}

#[test]
fn latin1_and_byte_order_marks_are_seen() {
    let proposal = propose("a.csv", b"stadt\nM\xfcnchen\n");
    assert!(proposal.yaml.contains("encoding: latin1"), "{}", proposal.yaml);
    let proposal = propose("a.csv", "\u{feff}stadt\nMünchen\n".as_bytes());
    assert_eq!(types(&proposal), ["stadt String"]);
}

/// With a mark, and without one by the zeros; in both orders of the bytes.
#[rstest]
#[case("\u{feff}", u16::to_le_bytes)]
#[case("\u{feff}", u16::to_be_bytes)]
#[case("", u16::to_le_bytes)]
#[case("", u16::to_be_bytes)]
fn utf16_is_seen(#[case] mark: &str, #[case] unit: fn(u16) -> [u8; 2]) {
    let text = format!("{mark}stadt,n\nMünchen,1\n東京,2\n𝄞,3\n");
    let bytes: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
    let proposal = propose("a.csv", &bytes);
    assert_eq!(types(&proposal), ["stadt String", "n UInt8"]);
    assert!(proposal.yaml.contains("encoding: utf16"), "{}", proposal.yaml);
    assert_eq!(proposal.rows, 3);
}

/// A time in every row makes a partition key, of months or of years.
#[rstest]
#[case("2020-01-01", "2029-01-01", "partition_by: \"toYYYYMM(value)\"")]
#[case("1990-01-01", "2029-01-01", "partition_by: \"toYear(value)\"")]
#[case("1900-01-01", "2290-01-01", "# not partitioned")]
#[case("a", "b", "# not partitioned")]
fn times_make_partitions(#[case] first: &str, #[case] last: &str, #[case] expected: &str) {
    let proposal = propose("a.csv", format!("value\n{first}\n{last}\n").as_bytes());
    assert!(proposal.yaml.contains(expected), "{}", proposal.yaml);
}

/// What was proposed is tried on the file: 40 rows of which the last one does
/// not fit the type that the file states.
#[test]
fn a_type_that_refuses_a_value_of_the_file_becomes_text() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, RecordBatch};

    // 1969-12-31, and a day of the year 5000, which no date of ClickHouse's holds.
    let days: ArrayRef = Arc::new(Date32Array::from(vec![-1, 1_106_700]));
    let batch = RecordBatch::try_from_iter([("day", days)]).unwrap();
    let mut parquet = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut parquet, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let proposal = propose("c.parquet", &parquet);
    assert_eq!(types(&proposal), ["day Nullable(String)"]);
    assert!(proposal.yaml.contains("not all fit Date32"), "{}", proposal.yaml);
}

/// A file as Arrow writes it.
fn arrow_file(columns: Vec<(&str, arrow::array::ArrayRef)>) -> Vec<u8> {
    let batch = arrow::array::RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let mut file = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    file
}

/// Where two columns refuse a value of the same row, each says its own reason.
#[test]
fn the_comment_of_a_column_names_no_other_column() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array};

    // A day of the year 5000.
    let days: ArrayRef = Arc::new(Date32Array::from(vec![-1, 1_106_700]));
    let proposal = propose("a.arrow", &arrow_file(vec![("one", days.clone()), ("two", days)]));
    assert_eq!(types(&proposal), ["one Nullable(String)", "two Nullable(String)"]);
    assert_eq!(proposal.yaml.matches("not all fit Date32").count(), 2, "{}", proposal.yaml);
    assert!(!proposal.yaml.contains("and column"), "{}", proposal.yaml);
}

/// Arrow keeps no list of the NULLs in a column of nothing.
#[test]
fn a_column_of_nothing_takes_null_at_once() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, ListArray, NullArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{DataType, Field};

    let item = Arc::new(Field::new("item", DataType::Null, true));
    let offsets = OffsetBuffer::new(vec![0, 1, 2].into());
    let list = ListArray::new(item, offsets, Arc::new(NullArray::new(2)), None);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int32Array::from(vec![1, 2]))),
        ("nothing", Arc::new(NullArray::new(2))),
        ("list", Arc::new(list)),
    ];
    let proposal = propose("a.arrow", &arrow_file(columns));
    assert_eq!(
        types(&proposal),
        ["n UInt8", "nothing Nullable(String)", "list Array(Nullable(String))"]
    );
    assert!(!proposal.yaml.contains("kept as text"), "{}", proposal.yaml);
}

/// `DateTime` begins in 1970; `DateTime64(0)` in 1900.
#[rstest]
#[case(0, 4_294_967_295, "DateTime('UTC')")]
#[case(-1, 0, "DateTime64(0, 'UTC')")]
#[case(0, 4_294_967_296, "DateTime64(0, 'UTC')")]
#[case(-5_000_000_000, 0, "Nullable(String)")]
fn seconds_get_a_type_that_holds_them(
    #[case] one: i64,
    #[case] other: i64,
    #[case] expected: &str,
) {
    use std::sync::Arc;

    use arrow::array::TimestampSecondArray;

    let times = Arc::new(TimestampSecondArray::from(vec![one, other]));
    let proposal = propose("a.arrow", &arrow_file(vec![("at", times)]));
    assert_eq!(types(&proposal), [format!("at {expected}")]);
}

#[rstest]
#[case("a.csv", b"", "is empty")]
#[case("a.csv", b"PK\x03\x04x", "a ZIP archive")]
#[case("a.json", b"\xff\xfe{\0}\0", "JSON in UTF-16")]
#[case("a.csv", b"a,b\n\x01\0,2\n", "binary")]
#[case("a.json", b"a,b\n1,2\n", "is named as JSON")]
#[case("a.json", b"[1, 2", "EOF while parsing")]
#[case("a.json", b"[]", "holds no rows")]
#[case("a.json", b"[1, 2]", "holds no rows")]
#[case("a.json", b"{\n\"a\": [1, 2]\n}", "holds no rows")]
#[case("a.json", b"{\"a\":\n 1}\n{\"a\":\n 2}", "trailing characters")]
#[case("a.parquet", b"PAR1xxxx", "as Parquet")]
fn other_files_are_refused(#[case] name: &str, #[case] content: &[u8], #[case] message: &str) {
    let error = refuse(name, content);
    assert!(error.contains(message), "{error}");
}

#[test]
fn damaged_parquet_is_refused_and_ends_nothing() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test-fixtures/parquet");
    let mut refused = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("refused_") {
            assert!(!refuse(&name, &std::fs::read(&path).unwrap()).is_empty(), "{name}");
            refused += 1;
        }
    }
    assert!(refused > 30, "{refused}");
}

#[test]
fn a_cut_off_gzip_file_is_an_error() {
    let mut bytes = gzip(&"a,b\n1,2\n".repeat(2_000));
    bytes.truncate(bytes.len() - 12);
    let error = refuse("a.csv.gz", &bytes);
    assert!(error.contains("reading"), "{error}");
}

#[test]
fn arrow_and_parquet_state_their_types() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, Int32Array, RecordBatch, StringArray};

    let names: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..40).map(|i| if i % 2 == 0 { "a" } else { "b" }),
    ));
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter((0..40).map(|i| (i > 0).then_some(i))));
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(0..40));
    let batch =
        RecordBatch::try_from_iter([("Name", names), ("n", numbers), ("day", days)]).unwrap();
    let mut file = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let mut stream = Vec::new();
    let mut writer =
        arrow::ipc::writer::StreamWriter::try_new(&mut stream, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let mut parquet = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut parquet, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    for (name, content) in [("a.arrow", file), ("b.arrow", stream), ("c.parquet", parquet)] {
        let proposal = propose(name, &content);
        assert_eq!(
            types(&proposal),
            ["name LowCardinality(String)", "n Nullable(UInt8)", "day Date"],
            "{name}"
        );
        let column = ColumnType::parse(&proposal.document.columns[0].column_type);
        assert!(column.is_ok());
    }
}

/// Writers make whole numbers as wide as they can; the statistics know the rows that
/// are not looked at, and no type is wider than the file's own.
#[test]
fn whole_numbers_of_parquet_get_the_smallest_type_that_holds_them() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt16Array, UInt64Array};

    let rows = 30_000;
    let wide = |value: &dyn Fn(i64) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values((0..rows).map(value)))
    };
    let batch = RecordBatch::try_from_iter([
        ("month", wide(&|row| row % 12 + 1)),
        ("late", wide(&|row| if row == rows - 1 { -70_000 } else { row % 7 })),
        ("full", wide(&|row| if row == 0 { i64::MIN } else { row % 9 })),
        ("created", wide(&|row| 1_700_000_000_000 + row % 50)),
        ("user_id", wide(&|row| row)),
        ("short_id", Arc::new(UInt16Array::from_iter_values(0..30_000))),
        (
            "huge",
            Arc::new(UInt64Array::from_iter_values((0..30_000).map(|row| u64::MAX - row % 3))),
        ),
    ])
    .unwrap();
    let mut parquet = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut parquet, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let proposal = propose("c.parquet", &parquet);
    assert!(!proposal.is_whole);
    assert_eq!(
        types(&proposal),
        [
            "month UInt8",
            "late Int32",
            "full Int64",
            "created DateTime64(3, 'UTC')",
            "user_id UInt64",
            "short_id UInt16",
            "huge UInt64"
        ]
    );
    assert!(
        proposal.yaml.contains("the file says Int64; 1 to 12, with headroom"),
        "{}",
        proposal.yaml
    );
}

/// The rows that were looked at are tried in a large file, too.
#[test]
fn a_type_that_refuses_a_row_of_the_sample_becomes_text_in_a_large_file() {
    let rows: String = (0..25_000).map(|row| if row == 10 { "\"\"\n" } else { "1\n" }).collect();
    let proposal = propose("a.csv", format!("value\n{rows}").as_bytes());
    assert!(!proposal.is_whole);
    assert_eq!(types(&proposal), ["value Nullable(String)"]);
}

/// Without statistics nobody knows the rows that are not looked at.
#[test]
fn whole_numbers_of_rows_that_are_not_looked_at_keep_their_type() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch};
    use parquet::file::properties::{EnabledStatistics, WriterProperties};

    let month: ArrayRef = Arc::new(Int64Array::from_iter_values((0..30_000).map(|row| row % 12)));
    let day: ArrayRef = Arc::new(Date32Array::from_iter_values((0..30_000).map(|row| row % 9)));
    let early: ArrayRef =
        Arc::new(Date32Array::from_iter_values((0..30_000).map(|row| 29_998 - row)));
    let batch =
        RecordBatch::try_from_iter([("month", month), ("day", day), ("early", early)]).unwrap();
    let parquet = |statistics| {
        let properties = WriterProperties::builder().set_statistics_enabled(statistics).build();
        let mut file = Vec::new();
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(&mut file, batch.schema(), Some(properties))
                .unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        file
    };
    let mut stream = Vec::new();
    let mut writer =
        arrow::ipc::writer::StreamWriter::try_new(&mut stream, &batch.schema()).unwrap();
    for part in 0..3 {
        writer.write(&batch.slice(part * 10_000, 10_000)).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    for (name, file) in [("a.arrow", stream), ("b.parquet", parquet(EnabledStatistics::None))] {
        assert_eq!(
            types(&propose(name, &file)),
            ["month Int64", "day Date32", "early Date32"],
            "{name}"
        );
    }
    // The last day is before 1970: the statistics know.
    assert_eq!(
        types(&propose("c.parquet", &parquet(EnabledStatistics::Chunk))),
        ["month UInt8", "day Date", "early Date32"]
    );
}

#[test]
fn damaged_arrow_is_refused_and_ends_nothing() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};

    let texts: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..300).map(|i| format!("text {i}"))));
    let batch = RecordBatch::try_from_iter([("a", texts)]).unwrap();
    let mut file = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.arrow");
    for at in (8..file.len()).step_by(3) {
        let mut damaged = file.clone();
        damaged[at] ^= 0xff;
        std::fs::write(&path, &damaged).unwrap();
        // Whatever it says of it, it says something.
        drop(inferred(&path));
        std::fs::write(&path, &file[..at]).unwrap();
        assert!(inferred(&path).is_err(), "cut at {at}");
    }
}

/// A small file may hold rows that are far larger than it.
#[test]
fn rows_that_are_larger_than_their_file_are_not_all_looked_at() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use parquet::basic::Compression;
    use parquet::file::properties::WriterProperties;

    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(Default::default())).build();
    let text = "x".repeat(1 << 20);
    let mut file = Vec::new();
    let rows = |count: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..count).map(|_| text.as_str())))
    };
    let batch = RecordBatch::try_from_iter([("text", rows(50))]).unwrap();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    for _ in 0..40 {
        writer.write(&batch).unwrap();
    }
    writer.close().unwrap();
    assert!(file.len() < 1 << 20, "{}", file.len());
    let proposal = propose("large.parquet", &file);
    assert!(!proposal.is_whole && (100..400).contains(&proposal.rows), "{}", proposal.rows);
}
