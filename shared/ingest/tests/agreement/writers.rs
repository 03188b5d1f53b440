//! Arrow, CSV and JSON files of many writers: `test-fixtures/writers`.

use std::path::PathBuf;

use crate::server::{Load, Server, all, columns, differences};

/// A file, how a document names its format, how ClickHouse does, and what it holds.
struct Case {
    file: &'static str,
    format: &'static str,
    oracle: Oracle,
    columns: &'static str,
    rows: usize,
}

/// What ClickHouse reads for comparison.
#[derive(Clone, Copy)]
enum Oracle {
    /// The file, in this format of its own, with these settings.
    Same(&'static str, &'static [(&'static str, &'static str)]),
    /// Another file of the same values, because it does not read this one.
    Like(&'static str, &'static str),
}

use Oracle::{Like, Same};

const ROWS: usize = 60;
/// A column of each type of Arrow's.
const ARROW: &str = "n Int32; i8 Nullable(Int8); i16 Nullable(Int16); i64 Nullable(Int64); u8 Nullable(UInt8); \
    u16 Nullable(UInt16); u32 Nullable(UInt32); u64 Nullable(UInt64); f32 Nullable(Float32); f64 Nullable(Float64); \
    b Nullable(Bool); s Nullable(String); ls Nullable(String); x Nullable(String); lx Nullable(String); \
    fx Nullable(FixedString(3)); d Nullable(Date32); d64 Nullable(Date32); ts Nullable(DateTime('UTC')); \
    tm Nullable(DateTime64(3, 'UTC')); tu Nullable(DateTime64(6, 'UTC')); tn Nullable(DateTime64(9, 'UTC')); \
    tz Nullable(DateTime64(6, 'Europe/Berlin')); m38 Nullable(Decimal(38, 10)); m76 Nullable(Decimal(76, 4)); \
    dict LowCardinality(Nullable(String)); l Array(Nullable(Int32)); ll Array(Array(String)); fl Array(Float64); \
    st Tuple(x Int32, y Nullable(String)); mp Map(String, Nullable(Int64))";
const POLARS: &str = "n Int32; s Nullable(String); c LowCardinality(Nullable(String)); e LowCardinality(String); \
    f Nullable(Float64); t Nullable(DateTime64(6, 'UTC')); d Nullable(Date); k Nullable(Time64(9)); \
    m Nullable(Decimal(18, 3)); l Array(Nullable(Int64)); p Tuple(x Int64, y Nullable(String)); u UInt64; \
    b Nullable(Bool); x Nullable(String)";
const POLARS_TEXT: &str = "n Int32; s Nullable(String); c LowCardinality(Nullable(String)); f Nullable(Float64); \
    t Nullable(DateTime64(6, 'UTC')); d Nullable(Date); k Nullable(Time64(9)); m Nullable(Decimal(18, 3)); u UInt64; \
    b Nullable(Bool)";
const POLARS_JSON: &str = "n Int32; s Nullable(String); c LowCardinality(Nullable(String)); f Nullable(Float64); \
    t Nullable(DateTime64(6, 'UTC')); d Nullable(Date); m Nullable(Decimal(18, 3)); l Array(Nullable(Int64)); \
    p Tuple(x Int64, y Nullable(String)); u UInt64; b Nullable(Bool)";
const PANDAS: &str = "n Int32; s Nullable(String); i Nullable(Int64); f Nullable(Float64); \
    t Nullable(DateTime64(6, 'UTC')); b Bool; c LowCardinality(String)";
const DUCK: &str = "n Int32; s Nullable(String); u8 UInt8; u64 UInt64; f Float64; f32 Float32; d Date; \
    t DateTime64(6, 'UTC'); tz DateTime64(6, 'UTC'); id UUID; m Decimal(18, 4); b Bool; l Array(Nullable(Int64)); \
    p Tuple(x Int32, y String)";
const DUCK_FLAT: &str = "n Int32; s Nullable(String); u8 UInt8; u64 UInt64; f Float64; f32 Float32; d Date; \
    t DateTime64(6, 'UTC'); id UUID; m Decimal(18, 4); b Bool";
const PYTHON: &str = "n Int32; s String; nested Tuple(l Array(Nullable(Int32)), t String)";

/// Texts of days and moments in the forms that ClickHouse reads only when it is told to, and
/// texts as they are.
const FORMS: &[(&str, &str)] = &[
    ("date_time_input_format", "best_effort"),
    ("input_format_csv_trim_whitespaces", "0"),
    ("format_csv_null_representation", ""),
];
const FILE: Oracle = Same("Arrow", &[]);
const STREAM: Oracle = Same("ArrowStream", &[]);

fn arrow() -> Vec<Case> {
    let case = |file, oracle, columns| Case { file, format: "arrow", oracle, columns, rows: ROWS };
    vec![
        case("pyarrow.arrow", FILE, ARROW),
        case("pyarrow_v4.arrow", FILE, ARROW),
        case("pyarrow_lz4.arrow", FILE, ARROW),
        case("pyarrow_zstd.arrow", FILE, ARROW),
        case("pyarrow_stream.arrow", STREAM, ARROW),
        case("pyarrow_stream_lz4.arrow", STREAM, ARROW),
        case("pyarrow_stream_zstd.arrow", STREAM, ARROW),
        Case { rows: 0, ..case("pyarrow_no_rows.arrow", FILE, ARROW) },
        Case { rows: 0, ..case("pyarrow_no_batches.arrow", STREAM, ARROW) },
        case(
            "pyarrow_times.arrow",
            FILE,
            "n Int32; ks Nullable(Time64(0)); km Nullable(Time64(3)); ku Nullable(Time64(6)); h Nullable(Float32); \
             m9 Nullable(Decimal(9, 2)); m18 Nullable(Decimal(18, 3))",
        ),
        case("pyarrow_views.arrow", FILE, "n Int32; s Nullable(String); x Nullable(String)"),
        case(
            "pyarrow_dictionary_grows.arrow",
            STREAM,
            "n Int32; c LowCardinality(Nullable(String))",
        ),
        case(
            "pyarrow_dictionary_replaced.arrow",
            STREAM,
            "n Int32; c LowCardinality(Nullable(String))",
        ),
        case("polars.arrow", FILE, POLARS),
        case("polars_zstd.arrow", FILE, POLARS),
        case("polars_oldest.arrow", FILE, POLARS),
        case("polars_stream.arrow", STREAM, POLARS),
        case("duckdb.arrow", FILE, DUCK),
        case("pandas.arrow", FILE, PANDAS),
    ]
}

fn csv() -> Vec<Case> {
    let case = |file, format, columns| {
        let oracle = Same("CSVWithNames", FORMS);
        Case { file, format, oracle, columns, rows: ROWS }
    };
    let flat = "n Int32; i8 Nullable(Int8); i64 Nullable(Int64); u64 Nullable(UInt64); f32 Nullable(Float32); \
        b Nullable(Bool); s Nullable(String); d Nullable(Date32); ts Nullable(DateTime('UTC')); \
        tu Nullable(DateTime64(6, 'UTC')); m38 Nullable(Decimal(38, 10))";
    vec![
        case("pandas.csv", "{csv: {}}", PANDAS),
        // ClickHouse reads no Bool between quotes.
        Case {
            oracle: Like("pandas.csv", "CSVWithNames"),
            ..case("pandas_quoted.csv", "{csv: {quoted_nulls: true}}", PANDAS)
        },
        case("pandas_bom.csv", "{csv: {}}", PANDAS),
        Case {
            oracle: Like("pandas.csv", "CSVWithNames"),
            ..case("pandas_utf16.csv", "{csv: {encoding: utf16}}", PANDAS)
        },
        Case {
            oracle: Like("pandas.csv", "CSVWithNames"),
            ..case(
                "pandas_escaped.csv",
                r#"{csv: {delimiter: ";", escape: "\\", nulls: ["", "NULL!"], quoted_nulls: true}}"#,
                PANDAS,
            )
        },
        case("pyarrow.csv", "{csv: {}}", flat),
        case("polars.csv", "{csv: {}}", POLARS_TEXT),
        Case {
            oracle: Like("polars.csv", "CSVWithNames"),
            ..case(
                "polars_always.csv",
                r#"{csv: {delimiter: "\t", nulls: ["(null)"], quoted_nulls: true}}"#,
                POLARS_TEXT,
            )
        },
        case("duckdb.csv", "{csv: {}}", DUCK_FLAT),
        Case {
            oracle: Like("duckdb.csv", "CSVWithNames"),
            ..case(
                "duckdb_bars.csv",
                r#"{csv: {delimiter: "|", quote: "'", nulls: ["none"]}}"#,
                DUCK_FLAT,
            )
        },
        case("python_excel.csv", "{csv: {}}", "n Int32; s String; d Date"),
    ]
}

fn json() -> Vec<Case> {
    let case = |file, format, columns| {
        let oracle = Same("JSONEachRow", FORMS);
        Case { file, format, oracle, columns, rows: ROWS }
    };
    let by_path = "{json: {layout: document, path: data}}";
    let python =
        |file| Case { oracle: Like("python.jsonl", "JSONEachRow"), ..case(file, by_path, PYTHON) };
    vec![
        case("pandas.jsonl", "{json: {}}", PANDAS),
        case("pandas.json", "{json: {layout: array}}", PANDAS),
        case("polars.jsonl", "{json: {}}", POLARS_JSON),
        case("polars.json", "{json: {layout: array}}", POLARS_JSON),
        case("duckdb.jsonl", "{json: {}}", DUCK),
        case("duckdb.json", "{json: {layout: array}}", DUCK),
        case("python.jsonl", "{json: {}}", PYTHON),
        python("python_ascii.json"),
        python("python_utf8.json"),
        python("python_indented.json"),
    ]
}

fn fixture(name: &str) -> Vec<u8> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test-fixtures/writers");
    let path = root.join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn check(server: &Server, case: &Case) -> Result<(), String> {
    let file = case.file;
    let load = Load {
        file: file.to_owned(),
        bytes: fixture(file),
        format: case.format,
        columns: columns(case.columns),
        policy: ", on_error: fail".to_owned(),
    };
    let table = server.load(&load).await.map_err(|error| format!("{file}: {}", error.chain()))?;
    let own = server.rows(&table.name, &load.columns).await;
    let (like, format, settings) = match case.oracle {
        Same(format, settings) => (file, format, settings),
        Like(other, format) => (other, format, FORMS),
    };
    let theirs = Load { bytes: fixture(like), file: like.to_owned(), ..load };
    let oracle = server.read_by_itself(&theirs, format, settings).await;
    let oracle = oracle.map_err(|error| format!("{file}: ClickHouse: {error}"))?;
    let other = server.rows(&oracle, &theirs.columns).await;
    let mut found = differences(&theirs.columns, &own, &other);
    if own.len() != case.rows {
        found.push(format!("{} rows instead of {}", own.len(), case.rows));
    }
    if found.is_empty() { Ok(()) } else { Err(format!("{file}: {}", found.join("\n    "))) }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_writers_are_read_as_clickhouse_reads_them() {
    let server = Server::connect().await;
    let cases: Vec<Case> = arrow().into_iter().chain(csv()).chain(json()).collect();
    all(cases, async |case| check(&server, case).await).await;
}
