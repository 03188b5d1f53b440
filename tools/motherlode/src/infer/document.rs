//! The proposal as YAML: what was chosen, each with the reason beside it.

use std::path::Path;

use model::ColumnType;
use model::document::{Csv, Encoding, Format, JsonLayout};

use super::Wishes;
use super::names::{snake_case, source_name};
use super::sample::{Sample, names_of};
use super::types::Chosen;
use crate::target::operator;

/// Writes the document.
#[must_use]
pub fn write(file: &Path, wishes: &Wishes, sample: &Sample, columns: &[Chosen]) -> String {
    let file_name = file.file_name().and_then(|name| name.to_str()).unwrap_or("sample");
    let source = wishes.name.clone().unwrap_or_else(|| source_name(file_name));
    let mut yaml = head(file_name, sample);
    yaml.push_str(&format!("source: {}\nversion: 1\n", scalar(&source)));
    yaml.push_str(&format!(
        "owner: {} # who is asked when something is wrong with the feed\n",
        scalar(&operator())
    ));
    yaml.push_str(&matching(file, &source, wishes));
    yaml.push_str(&format(&sample.format, columns));
    yaml.push_str(&format!(
        "compression: auto # here: {}; told by the bytes, then by the name\n",
        sample.compression
    ));
    yaml.push_str("columns:\n");
    for column in columns {
        yaml.push_str(&one_column(column));
    }
    yaml.push_str(&table(&source, columns));
    yaml
}

fn head(file_name: &str, sample: &Sample) -> String {
    let rows = if sample.is_whole {
        format!("all {} rows", sample.rows)
    } else {
        format!("the first {} rows", sample.rows)
    };
    let mut text = format!(
        "# Proposed by `motherlode sources infer` from {rows} of {}.\n",
        comment(file_name)
    );
    text.push_str(
        "# Correct what you know better, try it with `motherlode sources dry-run`, then put it.\n",
    );
    if !sample.is_whole {
        text.push_str("# NOTE: rows behind these may hold other values: a NULL in a column that takes none is quarantined.\n");
    }
    for note in &sample.notes {
        text.push_str(&format!("# NOTE: {}\n", comment(note)));
    }
    text
}

fn matching(file: &Path, source: &str, wishes: &Wishes) -> String {
    let mut text = String::from("match:\n");
    if let Some(bucket) = &wishes.bucket {
        text.push_str(&format!("  bucket: {}\n", scalar(bucket)));
    }
    let prefix = wishes.prefix.clone().unwrap_or_else(|| format!("{source}/"));
    text.push_str(&format!("  prefix: {}\n", scalar(&prefix)));
    let extensions = names_of(file);
    // The extensions are the last words of the name, not what is behind any dot.
    let known = |word: &String| {
        [
            "csv", "tsv", "txt", "tab", "json", "jsonl", "ndjson", "geojson", "parquet", "arrow",
            "feather", "ipc", "gz", "zst", "bz2",
        ]
        .contains(&word.as_str())
    };
    let from = extensions.iter().rposition(|word| !known(word)).map_or(0, |at| at + 1);
    if from < extensions.len() {
        text.push_str(&format!(
            "  suffix: {}\n",
            scalar(&format!(".{}", extensions[from..].join(".")))
        ));
    }
    text
}

fn format(format: &Format, columns: &[Chosen]) -> String {
    match format {
        Format::Parquet => "format: parquet\n".to_owned(),
        Format::Arrow => "format: arrow\n".to_owned(),
        Format::Csv(csv) => format_csv(csv, columns),
        Format::Json(json) => {
            let layout = match json.layout {
                JsonLayout::Lines => "lines",
                JsonLayout::Array => "array",
                JsonLayout::Document => "document",
            };
            let mut text = format!("format:\n  json:\n    layout: {layout}\n");
            if let Some(path) = &json.path {
                text.push_str(&format!(
                    "    path: {} # the largest array of objects\n",
                    scalar(path)
                ));
            }
            text
        }
    }
}

fn format_csv(csv: &Csv, columns: &[Chosen]) -> String {
    let mut text = format!("format:\n  csv:\n    delimiter: {}\n", quoted(&csv.delimiter));
    if let Some(mark) = &csv.comment {
        text.push_str(&format!("    comment: {}\n", quoted(mark)));
    }
    if csv.encoding == Encoding::Latin1 {
        text.push_str("    encoding: latin1 # the bytes are no UTF-8\n");
    }
    if csv.encoding == Encoding::Utf16 {
        text.push_str("    encoding: utf16\n");
    }
    if csv.skip_lines > 0 {
        text.push_str(&format!("    skip_lines: {}\n", csv.skip_lines));
    }
    if !csv.header {
        let names: Vec<_> = csv.names.iter().map(|name| quoted(name)).collect();
        text.push_str(&format!("    header: false\n    names: [{}]\n", names.join(", ")));
    }
    let mut markers: Vec<&String> = columns.iter().flat_map(|column| &column.markers).collect();
    markers.sort();
    markers.dedup();
    if !markers.is_empty() {
        let words: Vec<_> = markers.iter().map(|word| quoted(word)).collect();
        text.push_str(&format!(
            "    nulls: [\"\", {}] # stand among numbers or times\n",
            words.join(", ")
        ));
    }
    text
}

fn one_column(column: &Chosen) -> String {
    let mut text = format!(
        "  # {}\n  - name: {}\n",
        comment(&column.reasons.join("; ")),
        scalar(&column.name)
    );
    match column.path.as_slice() {
        [name] if *name == column.name => {}
        // A dot would be taken for a path.
        [name] if name.contains('.') => {
            text.push_str(&format!("    from: {{column: {}}}\n", quoted(name)))
        }
        path => text.push_str(&format!("    from: {}\n", scalar(&path.join(".")))),
    }
    text.push_str(&format!("    type: {}\n", type_text(&column.column_type)));
    if let Some(format) = &column.format {
        text.push_str(&format!("    timestamp: {{formats: [{}]}}\n", quoted(format)));
    }
    text
}

fn table(source: &str, columns: &[Chosen]) -> String {
    let (order_by, reason) = order_by(columns);
    let names: Vec<_> = order_by.iter().map(|name| quoted(&identifier(name))).collect();
    let mut text = format!(
        "table:\n  database: landing\n  name: {}\n  # {reason}\n  order_by: [{}]\n",
        scalar(&snake_case(source)),
        names.join(", ")
    );
    text.push_str(&partition(columns));
    text
}

/// Partitions are for dropping old rows as a whole: of a time, and so few that
/// a load touches no more than the server takes.
fn partition(columns: &[Chosen]) -> String {
    let Some(time) = columns.iter().find(|column| is_time(column)) else {
        return "  # not partitioned: no column is a time that every row has\n".to_owned();
    };
    let name = identifier(&time.name);
    match time.years.map(|(first, last)| (first, last, last - first)) {
        Some((first, last, ..=10)) => format!(
            "  # a partition each month ({first} to {last}), to drop old rows by\n  partition_by: {}\n",
            scalar(&format!("toYYYYMM({name})"))
        ),
        Some((first, last, ..=100)) => format!(
            "  # a partition each year: {first} to {last} are too many months\n  partition_by: {}\n",
            scalar(&format!("toYear({name})"))
        ),
        _ => "  # not partitioned: the times go over more than a hundred years, or none was seen\n"
            .to_owned(),
    }
}

/// A date or time that every row has.
fn is_time(column: &Chosen) -> bool {
    matches!(
        column.column_type,
        ColumnType::Date
            | ColumnType::Date32
            | ColumnType::DateTime(_)
            | ColumnType::DateTime64(..)
    )
}

/// What rows are sorted by: a column with few values, then a time, then an
/// identity; queries that filter by these read less. A key takes no NULL.
fn order_by(columns: &[Chosen]) -> (Vec<String>, &'static str) {
    let usable: Vec<&Chosen> =
        columns.iter().filter(|column| !column.column_type.is_nullable()).collect();
    let few = usable
        .iter()
        .filter(|column| {
            matches!(column.column_type, ColumnType::LowCardinality(_)) && column.distinct > 1
        })
        .min_by_key(|column| column.distinct);
    let time = usable.iter().find(|column| is_time(column));
    let identity = usable.iter().find(|column| {
        let is_named = ["id", "key", "code", "uuid"]
            .iter()
            .any(|word| column.name == *word || column.name.ends_with(&format!("_{word}")));
        let can_be = matches!(
            column.column_type,
            ColumnType::Int(_) | ColumnType::UInt(_) | ColumnType::String | ColumnType::Uuid
        );
        is_named && can_be
    });
    let chosen: Vec<String> =
        [few, time, identity].into_iter().flatten().map(|column| column.name.clone()).collect();
    if chosen.is_empty() {
        return (
            chosen,
            "in the order of loading: name the columns that queries filter by, the one with the fewest values first",
        );
    }
    (chosen, "few values, then a time, then an identity: put here what your queries filter by")
}

/// A name in SQL.
fn identifier(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { name.to_owned() } else { format!("`{name}`") }
}

/// A type as YAML; a colon or a hash in a field's name would end the text.
fn type_text(column_type: &ColumnType) -> String {
    let text = column_type.to_string();
    if text.contains([':', '#', '"', '\n', '\\']) { quoted(&text) } else { text }
}

/// A text as YAML: as it is where that is safe.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// A text in double quotes: what JSON writes, YAML reads.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text that cannot end a comment.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
