//! The rows that scenarios load: the values of a row follow from its number
//! and the seed alone. ClickHouse itself reads the same files for the oracle,
//! so the values keep to what is written one way only.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::dice::Dice;

/// Name and ClickHouse type of each column.
pub const COLUMNS: [(&str, &str); 5] = [
    ("id", "UInt64"),
    ("name", "String"),
    ("amount", "Decimal(18, 2)"),
    ("at", "DateTime64(3, 'UTC')"),
    ("note", "String"),
];

/// The hash of a row's values, as SQL.
pub const HASH: &str = "cityHash64(id, name, amount, at, note)";

/// Rows of a seed.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    seed: u64,
}

/// One row, as texts.
#[derive(Debug, Clone)]
pub struct Row {
    id: u64,
    name: String,
    amount: String,
    at: String,
    note: String,
}

const WORDS: [&str; 8] = ["amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "heath"];

/// Now and then what a careless reader of CSV stumbles over.
const MARKS: [&str; 8] = ["", "", "", "", ",", "\n", "\"", "ä€😀"];

fn of(words: &[&'static str; 8], roll: u64) -> &'static str {
    // Three bits are a place among eight.
    usize::try_from(roll % 8).map_or("", |place| words[place])
}

impl Rows {
    /// The rows of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A row.
    #[must_use]
    pub fn row(self, id: u64) -> Row {
        let mut dice = Dice::new(self.seed ^ id.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let roll = dice.roll();
        let word = |shift: u32| of(&WORDS, roll >> shift);
        let mark = of(&MARKS, roll >> 24);
        Row {
            id,
            name: format!("{} {}", word(0), id % 1000),
            amount: format!("{}.{:02}", (roll >> 32) % 1_000_000, (roll >> 8) % 100),
            at: format!(
                "2026-01-{:02} {:02}:{:02}:{:02}.{:03}",
                1 + id % 28,
                (roll >> 3) % 24,
                (roll >> 11) % 60,
                (roll >> 19) % 60,
                (roll >> 40) % 1000
            ),
            note: format!("{} {mark} {}", word(9), word(13)),
        }
    }

    /// Rows as CSV with a header.
    #[must_use]
    pub fn csv(self, ids: impl Iterator<Item = u64>) -> Vec<u8> {
        let mut text = header();
        for id in ids {
            self.row(id).csv(&mut text);
        }
        text.into_bytes()
    }
}

/// The first line of a CSV file.
#[must_use]
pub fn header() -> String {
    COLUMNS.map(|(name, _)| name).join(",") + "\n"
}

impl Row {
    /// The same row with an amount that is none.
    #[must_use]
    pub fn bad(self) -> Self {
        Self { amount: "twelve".to_owned(), ..self }
    }

    /// The same row with a longer note: more bytes for the same work.
    #[must_use]
    pub fn padded(self, bytes: usize) -> Self {
        let note = format!("{} {}", self.note, "motherlode ".repeat(bytes / 11));
        Self { note, ..self }
    }

    /// Its values, as texts.
    #[must_use]
    pub fn values(&self) -> [String; 5] {
        [
            self.id.to_string(),
            self.name.clone(),
            self.amount.clone(),
            self.at.clone(),
            self.note.clone(),
        ]
    }

    /// Appends the row as a line of CSV.
    pub fn csv(&self, text: &mut String) {
        let Self { id, name, amount, at, note } = self;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{id},{name},{amount},{at},\"{}\"", note.replace('"', "\"\""));
    }

    /// Appends the row as a line of JSON. The amount is text, as money often is.
    pub fn json(&self, text: &mut String) {
        let Self { id, name, amount, at, note } = self;
        let note = serde_json::Value::from(note.as_str());
        let _ = writeln!(
            text,
            r#"{{"id":{id},"name":"{name}","amount":"{amount}","at":"{at}","note":{note}}}"#
        );
    }
}

/// Rows as a batch of Arrow, but for the numbers as texts.
///
/// # Errors
/// Arrow's.
pub fn batch(rows: &[Row]) -> anyhow::Result<RecordBatch> {
    let texts = |text: fn(&Row) -> &str| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(text(row))).collect::<StringArray>())
    };
    let ids: UInt64Array = rows.iter().map(|row| Some(row.id)).collect();
    Ok(RecordBatch::try_from_iter([
        ("id", Arc::new(ids) as ArrayRef),
        ("name", texts(|row| &row.name)),
        ("amount", texts(|row| &row.amount)),
        ("at", texts(|row| &row.at)),
        ("note", texts(|row| &row.note)),
    ])?)
}

/// Rows of each batch in a file.
const BATCH: usize = 50_000;

/// Rows as Parquet, with a row group for each batch.
///
/// # Errors
/// Parquet's.
pub fn parquet(rows: &[Row]) -> anyhow::Result<Vec<u8>> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(BATCH)).build();
    let schema = batch(&[])?.schema();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    for rows in rows.chunks(BATCH) {
        writer.write(&batch(rows)?)?;
    }
    Ok(writer.into_inner()?)
}

/// Rows as Arrow IPC, the file format.
///
/// # Errors
/// Arrow's.
pub fn arrow_file(rows: &[Row]) -> anyhow::Result<Vec<u8>> {
    let schema = batch(&[])?.schema();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &schema)?;
    for rows in rows.chunks(BATCH) {
        writer.write(&batch(rows)?)?;
    }
    Ok(writer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_rows_and_another_others() {
        assert_eq!(Rows::new(1).csv(0..50), Rows::new(1).csv(0..50));
        assert_ne!(Rows::new(1).csv(0..50), Rows::new(2).csv(0..50));
    }
}
