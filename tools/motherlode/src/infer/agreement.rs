//! Every data file of vega-datasets: what is proposed for it is loaded, and what
//! landed equals what ClickHouse reads in the same file by itself.

use std::path::Path;

use demo_data::{DemoData, Oracle, fingerprint};
use futures::{StreamExt as _, stream};
use model::document::{Column, Csv, Format, From, FromSpec, JsonLayout, SourceDocument};
use testkit::Setup;

use super::landing::Landing;
use super::{Wishes, infer};

/// Files that hold one grid of numbers, and no rows with named fields: `infer` says so.
const WITHOUT_ROWS: &[&str] = &["annual-precip.json", "volcano.json"];

/// The server's reader guesses nothing beyond how dates are written.
const SETTINGS: &[(&str, &str)] = &[
    ("date_time_input_format", "best_effort"),
    ("cast_string_to_date_time_mode", "best_effort"),
    ("input_format_csv_empty_as_default", "1"),
    ("input_format_json_read_numbers_as_strings", "1"),
    ("input_format_json_read_bools_as_strings", "1"),
    ("input_format_json_read_objects_as_strings", "1"),
    ("input_format_json_read_arrays_as_strings", "1"),
    ("session_timezone", "UTC"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_vega_datasets_lands_as_clickhouse_reads_it() {
    let start = || testkit::start(&Setup::new("infer-agreement")).unwrap();
    let stack = tokio::task::spawn_blocking(start).await.unwrap();
    let landing = Landing::of(&stack);
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.motherlode/cache");
    let data = tokio::task::spawn_blocking(move || DemoData::fetch(&cache, &|_| ()));
    let files = data.await.unwrap().unwrap().files().unwrap();
    let files: Vec<_> =
        files.into_iter().filter(|file| file.extension().unwrap() != "png").collect();
    assert!(files.len() > 60, "{}", files.len());
    landing.query("CREATE DATABASE oracle").await.unwrap();

    let found = stream::iter(files.iter().enumerate())
        .map(async |(number, file)| (file, agrees(&landing, number, file).await))
        .buffer_unordered(4)
        .collect::<Vec<_>>()
        .await;
    let name = |file: &Path| file.file_name().unwrap().to_string_lossy().into_owned();
    let wrong: Vec<_> = found
        .iter()
        .filter_map(|(file, agrees)| Some((name(file), agrees.as_ref().err()?)))
        .filter(|(file, reason)| {
            !(WITHOUT_ROWS.contains(&file.as_str()) && reason.contains("holds no rows"))
        })
        .map(|(file, reason)| format!("{file}: {reason}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    let without = found.iter().filter(|(_, agrees)| agrees.is_err()).count();
    assert_eq!(without, WITHOUT_ROWS.len(), "they are the same as ever");
}

/// Loads a file by what is proposed for it, and compares.
async fn agrees(landing: &Landing, number: usize, file: &Path) -> Result<(), String> {
    let source = format!("v{number}");
    let wishes = Wishes { name: Some(source.clone()), ..Wishes::default() };
    let proposal = infer(file, &wishes).await.map_err(|error| format!("infer: {error:#}"))?;
    let read = landing.load(&source, file, &proposal).await?;
    let document = &proposal.document;
    let oracle = format!("oracle.{source}");
    let columns: Vec<_> = document
        .columns
        .iter()
        .map(|column| format!("{} {}", quoted(&column.name), column.column_type))
        .collect();
    let create =
        format!("CREATE TABLE {oracle} ({}) ENGINE = MergeTree ORDER BY ()", columns.join(", "));
    landing.query(&create).await.map_err(|error| format!("{create}: {error}"))?;
    let statement = format!("INSERT INTO {oracle} {}", reading(document));
    let delimiter = match &document.format {
        Format::Csv(csv) => csv.delimiter.clone(),
        _ => ",".to_owned(),
    };
    let settings = Oracle::SETTINGS.iter().chain(SETTINGS).copied();
    let settings = settings.chain([("format_csv_delimiter", delimiter.as_str())]);
    let body = std::fs::read(file).unwrap();
    landing
        .insert(&statement, settings, body)
        .await
        .map_err(|error| format!("ClickHouse by itself: {error}\n{statement}"))?;

    let names: Vec<_> = document.columns.iter().map(|column| column.name.as_str()).collect();
    let loaded = format!("{}.{}", document.table.database, document.table.name);
    let own = landing.query(&fingerprint(&loaded, &names)).await?;
    let other = landing.query(&fingerprint(&oracle, &names)).await?;
    let own = &own[0];
    assert_eq!(own["rows"].to_string().trim_matches('"'), read.to_string());
    let other = &other[0];
    let differ: Vec<_> =
        own.iter().filter(|(name, value)| other[name.as_str()] != **value).collect();
    if differ.is_empty() { Ok(()) } else { Err(format!("{differ:?}\n{statement}")) }
}

/// The query that makes the columns of what the server reads in the file.
fn reading(document: &SourceDocument) -> String {
    let columns = &document.columns;
    match &document.format {
        Format::Parquet => typed(columns, "Parquet"),
        Format::Arrow => typed(columns, "Arrow"),
        Format::Csv(csv) if csv.nulls.iter().any(|word| !word.is_empty()) => marked(columns, csv),
        Format::Csv(csv) if csv.delimiter == "\t" => typed(columns, "TSVWithNames"),
        Format::Csv(_) => typed(columns, "CSVWithNames"),
        Format::Json(json)
            if json.layout != JsonLayout::Document && columns.iter().all(is_flat) =>
        {
            typed(columns, "JSONEachRow")
        }
        Format::Json(json) => extracted(columns, json.path.as_deref()),
    }
}

/// The server's reader makes each value; only dates that it does not know are
/// read as text first.
fn typed(columns: &[Column], format: &str) -> String {
    let read: Vec<_> = columns
        .iter()
        .map(|column| {
            let read_as = match format_of(column) {
                Some(format) if format.starts_with("unix") => "Nullable(Int64)",
                Some(_) => "Nullable(String)",
                None => &column.column_type,
            };
            format!("{} {read_as}", quoted(&path(column).join(".")))
        })
        .collect();
    let made = columns.iter().map(|column| made(column, &quoted(&path(column).join("."))));
    let made = made.collect::<Vec<_>>().join(", ");
    format!("SELECT {made} FROM input({}) FORMAT {format}", text(&read.join(", ")))
}

/// Words that mean NULL are taken away first.
fn marked(columns: &[Column], csv: &Csv) -> String {
    let words: Vec<_> = csv.nulls.iter().map(|word| text(word)).collect();
    let words = words.join(", ");
    let read: Vec<_> = columns
        .iter()
        .map(|column| format!("{} String", quoted(&path(column).join("."))))
        .collect();
    let made = columns.iter().map(|column| {
        let name = quoted(&path(column).join("."));
        let is_null_possible = column.column_type.contains("Nullable(");
        let value =
            if is_null_possible { format!("if({name} IN ({words}), NULL, {name})") } else { name };
        match format_of(column) {
            Some(_) => made(column, &value),
            None => format!("CAST({value}, {})", text(&column.column_type)),
        }
    });
    let made = made.collect::<Vec<_>>().join(", ");
    format!("SELECT {made} FROM input({}) FORMAT CSVWithNames", text(&read.join(", ")))
}

/// Values inside a document, by the server's functions for JSON.
fn extracted(columns: &[Column], rows: Option<&str>) -> String {
    let row = match rows {
        Some(path) => format!(
            "arrayJoin(JSONExtractArrayRaw(json, {}))",
            keys(&path.split('.').map(str::to_owned).collect::<Vec<_>>())
        ),
        None => "json".to_owned(),
    };
    let made = columns.iter().map(|column| {
        let keys = keys(&path(column));
        let bare = column.column_type.replace("LowCardinality(", "").replace("Nullable(", "");
        let value = match (format_of(column), bare.trim_end_matches(')')) {
            (Some(format), _) if format.starts_with("unix") => format!("JSONExtract(row, {keys}, 'Nullable(Int64)')"),
            (None, "String") => format!("multiIf(JSONType(row, {keys}) = 'Null', NULL, JSONType(row, {keys}) = 'String', JSONExtractString(row, {keys}), JSONExtractRaw(row, {keys}))"),
            (None, bare) if !bare.starts_with("Date") => format!("JSONExtract(row, {keys}, {})", text(&column.column_type)),
            _ => format!("JSONExtract(row, {keys}, 'Nullable(String)')"),
        };
        match format_of(column) {
            Some(_) => made(column, &value),
            None => format!("CAST({value}, {})", text(&column.column_type)),
        }
    });
    let made = made.collect::<Vec<_>>().join(", ");
    format!(
        "SELECT {made} FROM (SELECT {row} AS row FROM input('json String')) FORMAT JSONAsString"
    )
}

/// A value as the column takes it; dates and times by their format.
fn made(column: &Column, value: &str) -> String {
    let column_type = text(&column.column_type);
    match format_of(column) {
        None => value.to_owned(),
        Some("unix") => format!("CAST({value}, {column_type})"),
        Some("unix_ms") => format!("CAST(fromUnixTimestamp64Milli({value}, 'UTC'), {column_type})"),
        Some("unix_us") => format!("CAST(fromUnixTimestamp64Micro({value}, 'UTC'), {column_type})"),
        Some("unix_ns") => format!("CAST(fromUnixTimestamp64Nano({value}, 'UTC'), {column_type})"),
        Some(format) => {
            // MySQL's notation: %M is the month's name, %i the minute, %s the second.
            let format = format.replace("%M", "%i").replace("%B", "%M").replace("%S", "%s");
            // In `Jan 1 2000` it wants two digits for a day, which the other function does not.
            format!(
                "CAST(coalesce(parseDateTime64OrNull({value}, {}, 'UTC'), \
                 parseDateTime64BestEffortOrNull({value}, 0, 'UTC')), {column_type})",
                text(&format)
            )
        }
    }
}

/// How the texts of a column are written, when that is not ISO 8601.
fn format_of(column: &Column) -> Option<&str> {
    column.timestamp.as_ref()?.formats.first().map(String::as_str)
}

fn is_flat(column: &Column) -> bool {
    path(column).len() == 1
}

/// Keys to the value of a column.
fn path(column: &Column) -> Vec<String> {
    match &column.from {
        None => vec![column.name.clone()],
        Some(From::Spec(FromSpec::Column(name))) => vec![name.clone()],
        Some(From::Path(path) | From::Spec(FromSpec::Path(path))) => {
            path.split('.').map(str::to_owned).collect()
        }
        Some(other) => panic!("{}: {other:?} is never proposed", column.name),
    }
}

/// Keys and indices as arguments of the server's functions, which count from 1.
fn keys(path: &[String]) -> String {
    let key = |key: &String| match key.parse::<usize>() {
        Ok(index) => (index + 1).to_string(),
        Err(_) => text(key),
    };
    path.iter().map(key).collect::<Vec<_>>().join(", ")
}

/// A text in SQL.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A name in SQL.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}
