//! Columns that are annotated as texts and hold other bytes: ClickHouse itself
//! writes them, because its `String` takes any bytes.

use model::document::BadValue;

use crate::files::fixture;
use crate::server::{Load, Server, all, columns, differences};

/// A byte that no UTF-8 has, wherever a `String` can stand.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("n", "Int32", "number"),
    ("s", "String", "if(number % 2 = 0, unhex('ff00fe'), concat('text ', toString(number)))"),
    ("ns", "Nullable(String)", "if(number % 3 = 0, NULL, unhex('c3'))"),
    ("lc", "LowCardinality(String)", "if(number % 2 = 0, unhex('ff'), 'word')"),
    ("lcn", "LowCardinality(Nullable(String))", "if(number % 3 = 0, NULL, unhex('80'))"),
    ("a", "Array(String)", "[unhex('ff'), 'a', '']"),
    ("al", "Array(LowCardinality(String))", "[unhex('ff'), 'a']"),
    ("aa", "Array(Array(Nullable(String)))", "[[unhex('fe'), NULL], []]"),
    ("tu", "Tuple(a String, b Nullable(String))", "(unhex('f0'), unhex('ff'))"),
    ("m", "Map(String, String)", "map(unhex('ff'), unhex('fe'), 'k', 'v')"),
    ("ma", "Map(LowCardinality(String), Array(String))", "map('k', [unhex('ff')])"),
    ("at", "Array(Tuple(x Int32, y String))", "[(1, unhex('ff')), (2, 'b')]"),
    ("fs", "FixedString(3)", "unhex('ff')"),
];

/// Format, the server's name of it, and how it is made to call bytes texts.
const WAYS: &[(&str, &str, &str)] = &[
    ("parquet", "Parquet", "output_format_parquet_string_as_string = 1"),
    (
        "parquet",
        "Parquet",
        "output_format_parquet_string_as_string = 1, output_format_parquet_max_dictionary_size = 0",
    ),
    ("parquet", "Parquet", "output_format_parquet_string_as_string = 0"),
    ("arrow", "Arrow", "output_format_arrow_string_as_string = 1"),
    (
        "arrow",
        "ArrowStream",
        "output_format_arrow_string_as_string = 1, output_format_arrow_low_cardinality_as_dictionary = 1",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_string_takes_any_bytes() {
    let server = Server::connect().await;
    let schema: Vec<_> = COLUMNS.iter().map(|(name, kind, _)| format!("{name} {kind}")).collect();
    let values: Vec<_> = COLUMNS
        .iter()
        .map(|(name, kind, value)| format!("CAST({value}, '{kind}') AS {name}"))
        .collect();
    all(WAYS.to_vec(), async |(format, name, way)| {
        let sql = format!("SELECT {} FROM numbers(50) SETTINGS {way}", values.join(", "));
        let load = Load {
            file: format!("bytes as {name}"),
            bytes: server.ask(&sql, name).await?,
            format,
            columns: columns(&schema.join("; ")),
            policy: ", on_error: fail".to_owned(),
        };
        let table =
            server.load(&load).await.map_err(|error| format!("{way}: {}", error.chain()))?;
        let own = server.rows(&table.name, &load.columns).await;
        let oracle = server.read_by_itself(&load, name, &[]).await;
        let oracle = oracle.map_err(|error| format!("{way}: ClickHouse: {error}"))?;
        let found = differences(&load.columns, &own, &server.rows(&oracle, &load.columns).await);
        // The bytes are there, and not something in their place.
        let is_kept = own.iter().any(|row| row.contains("\\xff\\\\0\\xfe"));
        if found.is_empty() && own.len() == 50 && is_kept {
            Ok(())
        } else {
            Err(format!("{way}: {}\n    {:?}", found.join("\n    "), own.first()))
        }
    })
    .await;
}

/// Where the column is none of texts, the value is bad, and the row alone is.
#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_the_row_is_judged() {
    let server = Server::connect().await;
    let mut cases: Vec<(&str, &str, &str, Vec<&str>)> = vec![
        ("not_utf8", "s Enum8('a' = 1, 'ü' = 2)", "", vec!["0\ta", "2\tü"]),
        ("not_utf8", "s Nullable(FixedString(2))", "", vec!["0\ta\\0", "1\\t\\xff\\xfe", "2\tü"]),
        ("not_utf8", "j JSON", "", vec!["0\t{\"a\":1}", "2\t{}"]),
        ("not_utf8", "l Array(Enum8('a' = 1, 'ü' = 2))", "", vec!["1\t[]", "2\t['ü']"]),
        (
            "not_utf8",
            "l Array(String)",
            "",
            vec!["0\\t[\\'a\\',\\'\\xff\\xfe\\']", "1\t[]", "2\t['ü']"],
        ),
        (
            "not_utf8_dictionary",
            "s LowCardinality(String)",
            "",
            vec!["0\\t\\xff", "1\tgood", "2\tgood", "3\\t\\xff"],
        ),
        ("not_utf8_dictionary", "s Enum8('good' = 1)", "", vec!["1\tgood", "2\tgood"]),
    ];
    for policy in [BadValue::Null, BadValue::Default] {
        cases.push(match policy {
            BadValue::Null => (
                "not_utf8",
                "s Nullable(Enum8('a' = 1, 'ü' = 2))",
                ", on_error: \"null\"",
                vec!["0\ta", "1\t\\N", "2\tü"],
            ),
            _ => (
                "not_utf8",
                "s Enum8('a' = 1, 'ü' = 2)",
                ", on_error: default, default: a",
                vec!["0\ta", "1\ta", "2\tü"],
            ),
        });
    }
    all(cases, async |(file, column, policy, rows)| {
        let load = Load {
            file: format!("{file}.parquet"),
            bytes: fixture(file),
            format: "parquet",
            columns: columns(&format!("n Int32; {column}")),
            policy: (*policy).to_owned(),
        };
        let table =
            server.load(&load).await.map_err(|error| format!("{column}: {}", error.chain()))?;
        let own = server.rows(&table.name, &load.columns).await;
        if own == *rows { Ok(()) } else { Err(format!("{column}: {own:?} instead of {rows:?}")) }
    })
    .await;
}

/// Under `fail` the object is, and the message says which column and why.
#[tokio::test(flavor = "multi_thread")]
async fn fail_names_the_column() {
    let server = Server::connect().await;
    let load = Load {
        file: "not_utf8.parquet".to_owned(),
        bytes: fixture("not_utf8"),
        format: "parquet",
        columns: columns("n Int32; s Int32"),
        policy: ", on_error: fail".to_owned(),
    };
    let error = server.load(&load).await.err().map(|error| error.chain()).unwrap_or_default();
    assert!(error.contains("column `s`"), "{error}");
}
