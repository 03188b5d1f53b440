//! What is loaded: the files, their source documents and their tables.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use demo_data::DemoData;

use crate::{Options, data};

/// One file and what is done with it.
pub struct Case {
    pub name: &'static str,
    /// Name of the source, of the tables, and of the folder in the bucket.
    pub source: &'static str,
    pub file: PathBuf,
    pub rows: u64,
    /// ClickHouse's name of the format.
    pub clickhouse_format: &'static str,
    /// `format:` of the source document.
    pub format: &'static str,
    /// Name and type of each column.
    pub columns: Vec<(String, &'static str)>,
    pub order_by: &'static str,
    pub partition_by: Option<&'static str>,
}

const FLIGHTS: [(&str, &str); 5] = [
    ("date", "DateTime('UTC')"),
    ("origin", "LowCardinality(String)"),
    ("destination", "LowCardinality(String)"),
    ("delay", "Int16"),
    ("distance", "UInt16"),
];

fn named(columns: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
}

/// The cases that are wanted, with their files made.
pub fn cases(options: &Options, folder: &Path, cache: &Path) -> anyhow::Result<Vec<Case>> {
    let rows = options.rows;
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let mixed = |name, source, file: &str, clickhouse_format, format| Case {
        name,
        source,
        file: folder.join(file),
        rows: rows as u64,
        clickhouse_format,
        format,
        columns: named(&data::COLUMNS),
        order_by: "country, day, user_id",
        partition_by: None,
    };
    let mut cases = Vec::new();
    if wanted("parquet") {
        let case = mixed("parquet", "bench-parquet", "mixed.parquet", "Parquet", "parquet");
        data::parquet(&case.file, rows).context("making mixed.parquet")?;
        cases.push(case);
    }
    if wanted("csv.gz") {
        let case = mixed("csv.gz", "bench-csv", "mixed.csv.gz", "CSVWithNames", "{ csv: {} }");
        data::csv_gz(&case.file, rows).context("making mixed.csv.gz")?;
        cases.push(case);
    }
    if wanted("jsonl.gz") {
        let case = mixed(
            "jsonl.gz",
            "bench-json",
            "mixed.jsonl.gz",
            "JSONEachRow",
            "{ json: { layout: lines } }",
        );
        data::jsonl_gz(&case.file, rows).context("making mixed.jsonl.gz")?;
        cases.push(case);
    }
    if wanted("flights-3m.parquet") {
        let flights = DemoData::fetch(cache, &|_| ())?.original("flights-3m.parquet")?;
        let file = folder.join("flights-3m.parquet");
        std::fs::write(&file, flights)?;
        cases.push(Case {
            name: "flights-3m.parquet",
            source: "bench-flights",
            file,
            rows: 3_000_000,
            clickhouse_format: "Parquet",
            format: "parquet",
            columns: named(&FLIGHTS),
            order_by: "origin, destination, date",
            partition_by: None,
        });
    }
    Ok(cases)
}

/// A small and a large object of one format.
pub struct Large {
    /// All rows once.
    pub small: Case,
    /// All rows many times over.
    pub large: Case,
    /// Size of the second, decoded, in bytes.
    pub bytes: u64,
}

/// For one format: a file with all rows once, and one with all of them so many times.
pub fn small_and_large(
    rows: usize,
    folder: &Path,
    format: &'static str,
    times: u64,
) -> anyhow::Result<Large> {
    type Make = fn(&Path, usize, u64) -> anyhow::Result<u64>;
    let (written, clickhouse_format, make, names): (_, _, Make, [_; 2]) = match format {
        "parquet" => (
            "parquet",
            "Parquet",
            data::large_parquet,
            ["bench-small-parquet", "bench-large-parquet"],
        ),
        "jsonl.gz" => (
            "{ json: { layout: lines } }",
            "JSONEachRow",
            data::large_jsonl_gz,
            ["bench-small-json", "bench-large-json"],
        ),
        _ => (
            "{ csv: {} }",
            "CSVWithNames",
            data::large_csv_gz,
            ["bench-small-csv", "bench-large-csv"],
        ),
    };
    let case = |source: &'static str, times: u64| Case {
        name: format,
        source,
        file: folder.join(format!("{source}.{format}")),
        rows: rows as u64 * times,
        clickhouse_format,
        format: written,
        columns: named(&data::COLUMNS),
        order_by: "country, day, user_id",
        partition_by: None,
    };
    let (small, large) = (case(names[0], 1), case(names[1], times));
    make(&small.file, rows, 1)?;
    let bytes = make(&large.file, rows, times)?;
    Ok(Large { small, large, bytes })
}

/// As many values twice: in the columns as they are, and in that many times as
/// many columns of fewer rows.
pub fn narrow_and_wide(
    options: &Options,
    folder: &Path,
    times: usize,
) -> anyhow::Result<(Case, Case)> {
    let case = |name, source, times: usize| {
        let case = Case {
            name,
            source,
            file: folder.join(format!("{name}.csv.gz")),
            rows: (options.rows / times) as u64,
            clickhouse_format: "CSVWithNames",
            format: "{ csv: {} }",
            columns: data::wide_columns(times),
            order_by: "country_0, day_0, user_id_0",
            partition_by: None,
        };
        data::wide_csv_gz(&case.file, options.rows / times, times).map(|()| case)
    };
    Ok((case("narrow", "bench-narrow", 1)?, case("wide", "bench-wide", times)?))
}

impl Case {
    /// The table that the function writes into.
    pub fn table(&self) -> String {
        self.source.replace('-', "_")
    }

    /// The source document.
    pub fn document(&self, provenance: bool) -> String {
        let columns: String = self
            .columns
            .iter()
            .map(|(name, kind)| format!("  - {{ name: {name}, type: \"{kind}\" }}\n"))
            .collect();
        format!(
            "source: {source}\nversion: 1\nowner: bench\nmatch: {{ prefix: {source}/ }}\nformat: {format}\n\
             columns:\n{columns}table: {{ database: bench, name: {table}, order_by: [{order}], provenance: {provenance} }}\n\
             write: {{ rows_per_chunk: 524288 }}\n",
            source = self.source,
            format = self.format,
            table = self.table(),
            order = self.order_by,
        )
    }

    /// Name and type of the columns, as SQL.
    pub fn structure(&self) -> String {
        self.columns
            .iter()
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// A table for somebody else's rows: as ours, without provenance.
    pub fn create(&self, table: &str) -> String {
        let partition =
            self.partition_by.map(|by| format!("PARTITION BY {by} ")).unwrap_or_default();
        format!(
            "CREATE TABLE bench.{table} ({}) ENGINE = MergeTree {partition}ORDER BY ({})",
            self.structure(),
            self.order_by
        )
    }
}
