//! Bad documents: each is a good one with one line changed, and the exact path
//! and message of what is then wrong.

use model::document::SourceDocument;
use rstest::rstest;

const GOOD: &str = r#"source: orders
version: 1
owner: data@example.com
match: {glob: "orders/dt={dt}/*.csv"}
format: {csv: {}}
columns:
  - {name: id, type: UInt64}
  - {name: city, type: Nullable(String)}
  - {name: tags, type: Array(String)}
transform:
  - trim: [city]
table: {database: shop, name: orders}
write: {rows_per_chunk: 1000}
errors: {max_bad_share: 0.1}
"#;

fn problems(text: &str) -> Vec<String> {
    match SourceDocument::from_yaml(text) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_good_document_is_good() {
    assert_eq!(problems(GOOD), Vec::<String>::new());
}

#[rstest]
// Shape: unknown, missing, of another kind.
#[case(
    "owner: data@example.com",
    "ownr: x",
    "ownr: unknown field `ownr`, expected one of `source`, `version`, `owner`, `enabled`, `kind`, `match`, `format`, `stream`, `compression`, `columns`, `transform`, `select`, `drift`, `changed`, `table`, `write`, `errors`"
)]
#[case("owner: data@example.com\n", "", "document: missing field `owner`")]
#[case(
    "type: UInt64}",
    "typ: UInt64}",
    "columns[0].typ: unknown field `typ`, expected one of `name`, `type`, `from`, `required`, `default`, `timestamp`, `on_error`"
)]
#[case("version: 1", "version: one", r#"version: invalid type: string "one", expected u32"#)]
#[case(
    "{csv: {}}",
    "csv",
    "format: `csv` has settings: write `format: {csv: {}}` to take them all by default"
)]
#[case(
    "{csv: {}}",
    "{csv: {delimeter: ;}}",
    "format.csv.delimeter: unknown field `delimeter`, expected one of `delimiter`, `quote`, `escape`, `header`, `names`, `nulls`, `quoted_nulls`, `comment`, `skip_lines`, `encoding`, `ragged`"
)]
#[case(
    "{csv: {}}",
    "xlsx",
    "format: unknown variant `xlsx`, expected one of `parquet`, `arrow`, `csv`, `json`"
)]
#[case(
    "type: UInt64}",
    "type: UInt64, from: {colum: x}}",
    "columns[0].from: must be a path as text, or one of {column: NAME}, {path: PATH}, {capture: NAME}, {constant: VALUE}"
)]
#[case(
    "type: UInt64}",
    "type: UInt64, on_error: ignore}",
    "columns[0].on_error: unknown variant `ignore`, expected one of `quarantine`, `null`, `default`, `fail`"
)]
#[case(
    "- trim: [city]",
    "- trim: city",
    r#"transform[0].trim: invalid type: string "city", expected a sequence"#
)]
#[case(
    "- trim: [city]",
    "- lower: [city]",
    "transform[0]: unknown variant `lower`, expected one of `filter`, `explode`, `flatten`, `hash`, `mask`, `trim`, `map`, `drop`"
)]
#[case("version: 1", "version: 1\nversion: 1", r#"document: duplicate entry with key "version""#)]
#[case(
    "match: {",
    "match: [",
    "document: did not find expected ',' or ']' at line 4 column 37, while parsing a flow sequence at line 4 column 8"
)]
// Head and match.
#[case(
    "source: orders",
    "source: Orders",
    "source: `Orders` is no source name; use 1 to 64 lower-case letters, digits, `-` and `_`, beginning with a letter"
)]
#[case("version: 1", "version: 2", "version: 2 is unknown; this program reads version 1")]
#[case(
    "owner: data@example.com",
    "owner: ' '",
    "owner: name somebody who can be asked about this feed"
)]
#[case(
    r#"{glob: "orders/dt={dt}/*.csv"}"#,
    "{bucket: b}",
    "match: matches every object; give a prefix, a suffix or a glob"
)]
#[case(
    r#"{glob: "orders/dt={dt}/*.csv"}"#,
    "{prefix: ''}",
    "match.prefix: is empty; leave it out or say what it must be"
)]
#[case("{dt}", "{dt", "match.glob: `orders/dt={dt/*.csv`: a `{` is not closed by `}`")]
// Format.
#[case(
    "{csv: {}}",
    "{csv: {delimiter: ';;'}}",
    "format.csv.delimiter: `;;` must be one ASCII character and no line end"
)]
#[case(
    "{csv: {}}",
    "{csv: {header: false}}",
    "format.csv.names: without a header the columns must be named"
)]
#[case("{csv: {}}", "{csv: {names: [a]}}", "format.csv.names: belong to `header: false` only")]
#[case(
    "{csv: {}}",
    "{csv: {comment: ','}}",
    "format.csv.comment: must differ from the delimiter, the quote and the escape"
)]
#[case(
    "{csv: {}}",
    "{csv: {comment: '\"'}}",
    "format.csv.comment: must differ from the delimiter, the quote and the escape"
)]
#[case(
    "{csv: {}}",
    r"{csv: {escape: '\', comment: '\'}}",
    "format.csv.comment: must differ from the delimiter, the quote and the escape"
)]
#[case("{csv: {}}", "{csv: {quote: ','}}", "format.csv.quote: must differ from the delimiter")]
#[case("{csv: {}}", "{csv: {escape: ','}}", "format.csv.escape: must differ from the delimiter")]
#[case(
    "{csv: {}}",
    "{csv: {header: false, names: [a, b, a]}}",
    "format.csv.names[2]: `a` stands twice; every column needs its own name"
)]
#[case(
    "{csv: {}}",
    "{json: {layout: document}}",
    "format.json.path: say where in the document the array lies, such as `features`"
)]
// Columns.
#[case(
    "type: UInt64}",
    "type: uint64}",
    "columns[0].type: unknown column type `uint64`; did you mean `UInt64`?"
)]
#[case(
    "type: UInt64}",
    "type: Nullable(JSON)}",
    "columns[0].type: Nullable(JSON) is not written here; write JSON and give it a `default` such as '{}', or write Nullable(String)"
)]
#[case(
    "type: UInt64}",
    "type: UInt64, on_error: 'null'}",
    "columns[0].on_error: `null` needs a Nullable type; this is UInt64"
)]
#[case(
    "type: UInt64}",
    "type: UInt64, on_error: default}",
    "columns[0].default: `on_error: default` needs a default"
)]
#[case(
    "type: UInt64}",
    "type: UInt64, required: true, default: 1}",
    "columns[0].default: contradicts `required`: a row without the value is bad"
)]
#[case(
    "type: UInt64}",
    "type: 'Decimal(38, 20)', default: 0.12345678901234567890}",
    "columns[0].default: has more digits than a number in YAML or JSON keeps; write it in quotes"
)]
#[case(
    "type: UInt64}",
    "type: UInt256, from: {constant: 1234567890123456789012345678901234567890}}",
    "columns[0].from.constant: has more digits than a number in YAML or JSON keeps; write it in quotes"
)]
#[case(
    "type: UInt64}",
    "type: UInt64, from: {capture: day}}",
    "columns[0].from.capture: match.glob captures no `day`; write `{day}` in it"
)]
#[case(
    "type: UInt64}",
    "type: UInt64, timestamp: {formats: [unix]}}",
    "columns[0].timestamp: is for dates and times; this is UInt64"
)]
#[case(
    "name: id,",
    "name: _row,",
    "columns[0].name: `_row` is written by the platform; choose another name"
)]
#[case(
    "name: id,",
    "name: city,",
    "columns[1].name: `city` stands twice; every column needs its own name"
)]
#[case(
    "- trim: [city]",
    "- explode: {column: tags, position: id}",
    "columns: two columns are named `id`; every name must be its own"
)]
// Steps.
#[case(
    "- trim: [city]",
    "- trim: [town]",
    "transform[0]: there is no column `town` here; there are id, city, tags"
)]
#[case("- trim: [city]", "- trim: [id]", "transform[0]: `trim` works on text; `id` is UInt64")]
#[case(
    "- trim: [city]",
    "- explode: {column: city}",
    "transform[0]: `explode` works on an Array; `city` is Nullable(String)"
)]
#[case(
    "- trim: [city]",
    "- explode: {column: tags, position: _row}",
    "transform: a step makes a column `_row`, which is written by the platform"
)]
#[case(
    "- trim: [city]",
    "- filter: {column: id, op: in, value: 1}",
    "transform[0]: `in` and `not_in` take a list as value"
)]
#[case(
    "- trim: [city]",
    "- drop: [id, city, tags]",
    "transform: no column is left; at least one must be"
)]
// Table and limits.
#[case(
    "name: orders}",
    "name: or-ders}",
    "table.name: `or-ders` is no name; use letters, digits and `_`, beginning with a letter"
)]
#[case(
    "name: orders}",
    "name: orders, deduplication_window: 0}",
    "table.deduplication_window: 0 switches tokens off, and with them exactly-once; use 100 or more"
)]
#[case("rows_per_chunk: 1000", "rows_per_chunk: 0", "write.rows_per_chunk: must be 1 to 1048576")]
#[case(
    "rows_per_chunk: 1000",
    "rows_per_chunk: 524287",
    "write.rows_per_chunk: 524287 does not divide into batches; use a multiple of 1000 or of 1024"
)]
#[case("rows_per_chunk: 1000", "clusters: [a, b, a]", "write.clusters[2]: `a` stands twice")]
#[case("max_bad_share: 0.1", "max_bad_share: 1.5", "errors.max_bad_share: must be between 0 and 1")]
fn a_problem_has_its_path_and_its_remedy(
    #[case] line: &str,
    #[case] changed: &str,
    #[case] expected: &str,
) {
    assert!(GOOD.contains(line), "`{line}` is not in the good document");
    assert_eq!(problems(&GOOD.replacen(line, changed, 1)), [expected]);
}

#[test]
fn all_problems_are_named_at_once() {
    let bad = GOOD
        .replace("source: orders", "source: 1st")
        .replace("UInt64", "Long")
        .replace("0.1}", "2}");
    let found = problems(&bad);
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[rstest]
#[case("")]
#[case("just text")]
#[case("- a\n- b")]
#[case("{}")]
#[case("\u{0}")]
fn what_is_no_document_is_refused(#[case] text: &str) {
    assert_eq!(problems(text).len(), 1);
}

#[test]
fn an_unquoted_null_is_the_word() {
    let yaml = "
source: s
version: 1
owner: o
match: { prefix: s/ }
format: parquet
columns: [{ name: a, type: Nullable(Int32), on_error: null }]
drift: { missing: null }
table: { database: d, name: t }
";
    let document = SourceDocument::from_yaml(yaml).unwrap();
    assert_eq!(document.columns[0].on_error, model::document::BadValue::Null);
    assert_eq!(document.drift.missing, model::document::MissingColumn::Null);
}

#[test]
fn a_bare_star_is_refused_in_select() {
    let error = SourceDocument::from_yaml(&format!("{GOOD}select: \"*, lower(city) AS town\"\n"))
        .unwrap_err();
    assert!(error.to_string().contains("write `* EXCEPT '^_'`"), "{error}");
    SourceDocument::from_yaml(&format!("{GOOD}select: \"* EXCEPT '^_', lower(city) AS town\"\n"))
        .unwrap();
}

/// An escape that is the quote is the doubling of quotes, and columns without names are
/// columns that nobody asks for.
#[rstest]
#[case("{escape: '\"'}")]
#[case("{quote: '', escape: '\"'}")]
#[case("{header: false, names: [id, '', '', city, tags]}")]
fn what_does_no_harm_in_csv_is_valid(#[case] csv: &str) {
    assert_eq!(
        problems(&GOOD.replacen("{csv: {}}", &format!("{{csv: {csv}}}"), 1)),
        Vec::<String>::new()
    );
}

/// JSON's data model, which documents go through, has neither; as NULL they
/// would be another value.
#[rstest]
#[case(".nan")]
#[case(".inf")]
#[case("-.inf")]
fn numbers_that_json_has_not_are_refused(#[case] number: &str) {
    let constant = format!("type: Nullable(Float64), from: {{constant: {number}}}}}");
    let found = problems(&GOOD.replacen("type: UInt64}", &constant, 1));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("write them as text"), "{found:?}");
}

const STREAM: &str = r#"source: web
version: 1
owner: data@example.com
kind: kafka
stream:
  topics: [events, "shop.*"]
  pixel:
    keys: [wk_0123456789]
    topic: shop.web
    invalid_topic: refused
table: {database: shop, name: events}
"#;

#[test]
fn the_good_stream_is_good() {
    assert_eq!(problems(STREAM), Vec::<String>::new());
}

#[rstest]
#[case(
    "topic: shop.web",
    "topic: other",
    "stream.pixel.topic: `other` is none of `stream.topics`: nobody would read its events; name it there"
)]
#[case(
    "    invalid_topic: refused\n",
    "",
    "stream.pixel.invalid_topic: `shop.web.invalid` is one of `stream.topics`: refused events would be taken for events; name another, or write narrower `topics`"
)]
#[case(
    "invalid_topic: refused",
    "invalid_topic: events",
    "stream.pixel.invalid_topic: `events` is one of `stream.topics`: refused events would be taken for events; name another, or write narrower `topics`"
)]
#[case(
    "topic: shop.web",
    "topic: 'shop.*'",
    "stream.pixel.topic: `shop.*` is no name of a topic; name one without `*`"
)]
#[case(
    "topic: shop.web",
    "topic: shop.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "stream.pixel.topic: a topic of the pixel has at most 120 characters"
)]
fn a_stream_that_cannot_work_is_refused(
    #[case] good: &str,
    #[case] bad: &str,
    #[case] expected: &str,
) {
    assert_eq!(STREAM.matches(good).count(), 1, "{good}");
    assert_eq!(problems(&STREAM.replace(good, bad)), [expected]);
}
