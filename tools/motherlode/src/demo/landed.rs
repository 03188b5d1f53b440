//! What has become of each source, as a table and as JSON.

use std::path::Path;

use anyhow::Context as _;
use demo_data::{DemoSource, Packing, Rows};
use ledger::Record;
use model::Counts;
use model::document::SourceDocument;
use serde::Serialize;

use crate::failure::Advise as _;
use crate::table::{Table, grouped};
use crate::times::seconds;

/// What has become of a source.
pub struct Landed {
    /// The source.
    pub source: &'static DemoSource,
    /// How it ended.
    pub outcome: Outcome,
    /// Rows of all its objects.
    pub counts: Counts,
    /// Milliseconds that functions worked on its objects.
    pub millis: u64,
    format: &'static str,
    table: String,
}

/// How a source ended.
pub enum Outcome {
    /// All objects have landed.
    Loaded,
    /// They had landed before.
    Before,
    /// An object has not, for this reason.
    Failed(String),
}

/// A source as `--json` writes it.
#[derive(Debug, Serialize)]
pub struct Row {
    source: &'static str,
    format: &'static str,
    rows_read: u64,
    rows_written: u64,
    rows_filtered: u64,
    rows_quarantined: u64,
    seconds: f64,
    table: String,
}

impl Landed {
    /// What the ledger says about the objects of a source.
    ///
    /// # Errors
    /// When the demo's own document is none.
    pub fn new(
        source: &'static DemoSource,
        outcome: Outcome,
        records: &[&Record],
    ) -> anyhow::Result<Self> {
        let document = SourceDocument::from_yaml(source.document)
            .with_context(|| format!("the document of {}", source.name))?;
        let mut counts = Counts::default();
        for record in records {
            counts += record.counts;
        }
        Ok(Self {
            source,
            outcome,
            counts,
            millis: records.iter().map(|record| record.duration_ms).sum(),
            format: document.format.name(),
            table: format!("{}.{}", document.table.database, document.table.name),
        })
    }

    /// Format and compressions, in words.
    fn packed(&self) -> String {
        let word = |packing| match packing {
            Packing::None => None,
            Packing::Gzip | Packing::GzipMembers(_) => Some("gzip"),
            Packing::Zstd => Some("zstd"),
            Packing::Bzip2 => Some("bzip2"),
        };
        let mut words: Vec<&str> =
            self.source.objects.iter().filter_map(|object| word(object.packing)).collect();
        words.insert(0, self.format);
        words.join("+")
    }

    fn problem(&self) -> Option<String> {
        let found = Rows {
            read: self.counts.rows_read,
            filtered: self.counts.rows_filtered,
            quarantined: self.counts.rows_quarantined,
            inserted: self.counts.rows_inserted,
        };
        let reason = match &self.outcome {
            Outcome::Failed(reason) => reason.clone(),
            _ if found != self.source.rows => {
                format!("{found:?} where {:?} are expected", self.source.rows)
            }
            _ => return None,
        };
        Some(format!("{}: {reason}", self.source.name))
    }
}

/// Why sources have not landed as they should; empty when all is well.
pub fn problems(landed: &[Landed]) -> Vec<String> {
    landed.iter().filter_map(Landed::problem).collect()
}

/// The sources as a table for people.
pub fn table(landed: &[Landed]) -> String {
    let mut table = Table::new([
        "source",
        "format",
        ">read",
        ">written",
        ">filtered",
        ">quarantined",
        ">in table",
        ">seconds",
        "table",
        "",
    ]);
    let (mut total, mut millis) = (Counts::default(), 0);
    for one in landed {
        let counts = &one.counts;
        let mark = match one.outcome {
            Outcome::Loaded => "",
            Outcome::Before => "already loaded",
            Outcome::Failed(_) => "FAILED",
        };
        table.row([
            one.source.name.to_owned(),
            one.packed(),
            grouped(counts.rows_read),
            grouped(counts.rows_written),
            grouped(counts.rows_filtered),
            grouped(counts.rows_quarantined),
            grouped(counts.rows_inserted),
            seconds(one.millis),
            one.table.clone(),
            mark.to_owned(),
        ]);
        total += *counts;
        millis += one.millis;
    }
    table.row([
        "all".to_owned(),
        String::new(),
        grouped(total.rows_read),
        grouped(total.rows_written),
        grouped(total.rows_filtered),
        grouped(total.rows_quarantined),
        grouped(total.rows_inserted),
        seconds(millis),
        String::new(),
        String::new(),
    ]);
    table.to_string()
}

/// The sources as `--json` writes them.
pub fn rows(landed: &[Landed]) -> Vec<Row> {
    let row = |one: &Landed| Row {
        source: one.source.name,
        format: one.format,
        rows_read: one.counts.rows_read,
        rows_written: one.counts.rows_written,
        rows_filtered: one.counts.rows_filtered,
        rows_quarantined: one.counts.rows_quarantined,
        seconds: f64::from(u32::try_from(one.millis).unwrap_or(u32::MAX)) / 1_000.0,
        table: one.table.clone(),
    };
    landed.iter().map(row).collect()
}

/// Writes the sources as JSON to a file.
///
/// # Errors
/// When it cannot be written.
pub fn write(file: &Path, landed: &[Landed]) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&rows(landed))?;
    std::fs::write(file, text + "\n")
        .with_context(|| format!("writing {}", file.display()))
        .hint(|| "name a file in a folder that is there and can be written to")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landed(outcome: Outcome, quarantined: u64) -> Landed {
        let source = demo_data::source("penguins").unwrap();
        let counts = Counts {
            rows_read: 344,
            rows_written: 344 - quarantined,
            rows_quarantined: quarantined,
            rows_inserted: 344 - quarantined,
            ..Counts::default()
        };
        Landed { counts, millis: 1_234, ..Landed::new(source, outcome, &[]).unwrap() }
    }

    #[test]
    fn a_source_is_written_as_one_json_object() {
        assert_eq!(
            serde_json::to_value(rows(&[landed(Outcome::Loaded, 1)])).unwrap(),
            serde_json::json!([{
                "source": "penguins", "format": "json", "rows_read": 344, "rows_written": 343, "rows_filtered": 0,
                "rows_quarantined": 1, "seconds": 1.234, "table": "demo.penguins",
            }])
        );
    }

    #[test]
    fn other_rows_than_listed_are_a_problem() {
        assert!(problems(&[landed(Outcome::Loaded, 1), landed(Outcome::Before, 1)]).is_empty());
        let found = problems(&[
            landed(Outcome::Loaded, 0),
            landed(Outcome::Failed("broken".to_owned()), 1),
        ]);
        assert!(found[0].starts_with("penguins: Rows { read: 344"), "{found:?}");
        assert_eq!(found[1], "penguins: broken");
    }

    #[test]
    fn the_table_ends_with_the_sum() {
        let text = table(&[landed(Outcome::Before, 1)]);
        assert!(text.contains("already loaded"), "{text}");
        assert!(text.lines().last().unwrap().starts_with("all "), "{text}");
    }
}
