//! Sixteen mixed columns, the same values in every format: identifiers,
//! numbers of all kinds, times, texts of few and of many values, NULL.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, RecordBatch,
    StringArray, TimestampMillisecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// Name and ClickHouse type of each column.
pub const COLUMNS: [(&str, &str); 16] = [
    ("id", "UInt64"),
    ("user_id", "UInt32"),
    ("at", "DateTime64(3, 'UTC')"),
    ("day", "Date"),
    ("country", "LowCardinality(String)"),
    ("device", "LowCardinality(String)"),
    ("campaign", "LowCardinality(Nullable(String))"),
    ("path", "String"),
    ("referrer", "Nullable(String)"),
    ("amount", "Decimal(18, 2)"),
    ("price", "Float64"),
    ("quantity", "UInt16"),
    ("is_new", "Bool"),
    ("score", "Nullable(Int32)"),
    ("rating", "UInt8"),
    ("note", "String"),
];

const BATCH: usize = 65_536;
const WORDS: [&str; 24] = [
    "amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty",
    "knoll", "lagoon", "mesa", "nook", "oasis", "plain", "quarry", "ridge", "shoal", "tundra",
    "upland", "vale", "wharf", "yard",
];

/// A small generator of numbers: splitmix64, the same on every machine.
/// <https://prng.di.unimi.it/splitmix64.c>
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u32) -> u32 {
        // The remainder is below `end`.
        u32::try_from(self.next() % u64::from(end)).unwrap_or_default()
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(24) as usize]
    }
}

/// So many rows, batch by batch.
pub fn batches(rows: usize) -> impl Iterator<Item = anyhow::Result<RecordBatch>> {
    let mut numbers = Numbers(42);
    (0..rows).step_by(BATCH).map(move |start| batch(&mut numbers, start, BATCH.min(rows - start)))
}

fn batch(numbers: &mut Numbers, start: usize, rows: usize) -> anyhow::Result<RecordBatch> {
    let range = || 0..rows;
    let mut n = |end: u32| numbers.below(end);
    let ids: UInt64Array = range().map(|row| Some((start + row) as u64 * 7 + 1_000_000)).collect();
    let users: UInt32Array = range().map(|_| Some(n(500_000))).collect();
    let base = 1_767_225_600_000_i64;
    let at: TimestampMillisecondArray =
        range().map(|row| Some(base + (start + row) as i64 * 50 + i64::from(n(50)))).collect();
    let day: Date32Array =
        at.values().iter().map(|at| i32::try_from(at / 86_400_000).ok()).collect();
    let country =
        texts(rows, || Some(format!("{}{}", ["de", "fr", "us", "jp"][n(4) as usize], n(40))));
    let device = texts(rows, || {
        Some(["phone", "tablet", "desktop", "tv", "watch"][n(5) as usize].to_owned())
    });
    let campaign = texts(rows, || (n(10) > 5).then(|| format!("campaign-{}", n(60))));
    let mut words = Numbers(numbers.next());
    let path = texts(rows, || {
        Some(format!(
            "/{}/{}/{}-{}",
            words.word(),
            words.word(),
            words.word(),
            words.below(100_000)
        ))
    });
    let referrer = texts(rows, || {
        (words.below(3) > 0).then(|| format!("https://{}.example/{}", words.word(), words.word()))
    });
    let mut n = |end: u32| numbers.below(end);
    let amount: Decimal128Array = range().map(|_| Some(i128::from(n(10_000_000)))).collect();
    let price: Float64Array = range().map(|_| Some(f64::from(n(1_000_000)) / 1024.0)).collect();
    let quantity: UInt16Array = range().map(|_| u16::try_from(n(1000)).ok()).collect();
    let is_new: BooleanArray = range().map(|_| Some(n(2) == 0)).collect();
    let score: Int32Array = range()
        .map(|_| (n(5) > 0).then(|| i32::try_from(n(20_000)).unwrap_or(0) - 10_000))
        .collect();
    let rating: UInt8Array = range().map(|_| u8::try_from(n(6)).ok()).collect();
    let note = texts(rows, || {
        let count = 2 + words.below(4);
        Some((0..count).map(|_| words.word()).collect::<Vec<_>>().join(" "))
    });
    let columns: [ArrayRef; 16] = [
        Arc::new(ids),
        Arc::new(users),
        Arc::new(at.with_timezone("UTC")),
        Arc::new(day),
        country,
        device,
        campaign,
        path,
        referrer,
        Arc::new(amount.with_precision_and_scale(18, 2)?),
        Arc::new(price),
        Arc::new(quantity),
        Arc::new(is_new),
        Arc::new(score),
        Arc::new(rating),
        note,
    ];
    Ok(RecordBatch::try_from_iter(COLUMNS.iter().map(|(name, _)| *name).zip(columns))?)
}

fn texts(rows: usize, mut make: impl FnMut() -> Option<String>) -> ArrayRef {
    Arc::new((0..rows).map(|_| make()).collect::<StringArray>())
}

/// A Parquet file with zstd pages and row groups of 131,072 rows.
pub fn parquet(path: &Path, rows: usize) -> anyhow::Result<()> {
    write_parquet(path, batches(rows))
}

fn write_parquet(
    path: &Path,
    batches: impl Iterator<Item = anyhow::Result<RecordBatch>>,
) -> anyhow::Result<()> {
    let properties = WriterProperties::builder()
        .set_compression(Codec::ZSTD(ZstdLevel::try_new(3)?))
        .set_max_row_group_row_count(Some(131_072))
        .build();
    let mut writer = None;
    for batch in batches {
        let batch = batch?;
        let open = match &mut writer {
            Some(open) => open,
            none => none.insert(ArrowWriter::try_new(
                File::create(path)?,
                batch.schema(),
                Some(properties.clone()),
            )?),
        };
        open.write(&batch)?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}

/// A CSV file with a header, compressed with gzip; NULL is the empty field.
pub fn csv_gz(path: &Path, rows: usize) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(gzip(path)?);
    writer.write_record(COLUMNS.iter().map(|(name, _)| *name))?;
    each_row(rows, |values| Ok(writer.write_record(values.iter().map(|(text, _)| text))?))?;
    writer.into_inner().map_err(|error| error.into_error())?.finish()?;
    Ok(())
}

/// All rows several times over, each time as a gzip member of its own. Gives the size
/// of the text in bytes.
pub fn large_csv_gz(path: &Path, rows: usize, times: u64) -> anyhow::Result<u64> {
    let mut header = csv::Writer::from_writer(Vec::new());
    header.write_record(COLUMNS.iter().map(|(name, _)| *name))?;
    let header = header.into_inner().map_err(|error| error.into_error())?;
    let mut text = csv::Writer::from_writer(Vec::new());
    each_row(rows, |values| Ok(text.write_record(values.iter().map(|(text, _)| text))?))?;
    let text = text.into_inner().map_err(|error| error.into_error())?;
    members(path, &header, &text, times)
}

/// The same as JSON lines.
pub fn large_jsonl_gz(path: &Path, rows: usize, times: u64) -> anyhow::Result<u64> {
    let mut text = Vec::new();
    json_lines(&mut text, rows)?;
    members(path, b"", &text, times)
}

/// A text, and behind it another so many times, each as a gzip member of its own.
fn members(path: &Path, head: &[u8], text: &[u8], times: u64) -> anyhow::Result<u64> {
    let member = |text: &[u8]| -> anyhow::Result<Vec<u8>> {
        let mut member = GzEncoder::new(Vec::new(), Compression::new(6));
        member.write_all(text)?;
        Ok(member.finish()?)
    };
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&member(head)?)?;
    let body = member(text)?;
    for _ in 0..times {
        file.write_all(&body)?;
    }
    file.into_inner().map_err(|error| error.into_error())?;
    Ok((head.len() as u64) + text.len() as u64 * times)
}

/// The same in Parquet, in row groups as [`parquet`] makes them. Gives the size of the
/// columns in memory in bytes.
pub fn large_parquet(path: &Path, rows: usize, times: u64) -> anyhow::Result<u64> {
    let batches: Vec<RecordBatch> = batches(rows).collect::<Result<_, _>>()?;
    let all = (0..times).flat_map(|_| batches.iter().cloned().map(Ok));
    write_parquet(path, all)?;
    let mut bytes = 0;
    for column in batches.iter().flat_map(RecordBatch::columns) {
        bytes += column.to_data().get_slice_memory_size()? as u64;
    }
    Ok(bytes * times)
}

/// The same rows with all columns so many times side by side, under numbered names.
pub fn wide_csv_gz(path: &Path, rows: usize, times: usize) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(gzip(path)?);
    writer.write_record(wide_columns(times).into_iter().map(|(name, _)| name))?;
    each_row(rows, |values| {
        for _ in 0..times {
            values.iter().try_for_each(|(text, _)| writer.write_field(text))?;
        }
        Ok(writer.write_record(None::<&[u8]>)?)
    })?;
    writer.into_inner().map_err(|error| error.into_error())?.finish()?;
    Ok(())
}

/// Name and ClickHouse type of each column of [`wide_csv_gz`].
pub fn wide_columns(times: usize) -> Vec<(String, &'static str)> {
    let again = |time| COLUMNS.map(|(name, kind)| (format!("{name}_{time}"), kind));
    (0..times).flat_map(again).collect()
}

/// JSON lines, compressed with gzip.
pub fn jsonl_gz(path: &Path, rows: usize) -> anyhow::Result<()> {
    let mut out = gzip(path)?;
    json_lines(&mut out, rows)?;
    out.finish()?;
    Ok(())
}

fn json_lines(out: &mut impl Write, rows: usize) -> anyhow::Result<()> {
    each_row(rows, |values| {
        for (place, ((name, _), (text, is_text))) in COLUMNS.iter().zip(values).enumerate() {
            out.write_all(if place == 0 { b"{" } else { b"," })?;
            write!(out, "\"{name}\":")?;
            match (text.as_str(), is_text) {
                ("", _) => out.write_all(b"null")?,
                (text, true) => serde_json::to_writer(&mut *out, text)?,
                (text, false) => out.write_all(text.as_bytes())?,
            }
        }
        Ok(out.write_all(b"}\n")?)
    })
}

fn gzip(path: &Path) -> anyhow::Result<GzEncoder<BufWriter<File>>> {
    Ok(GzEncoder::new(BufWriter::new(File::create(path)?), Compression::new(6)))
}

/// Every row as texts, each with whether JSON quotes it. NULL is empty: no
/// value of ours is.
fn each_row(
    rows: usize,
    mut write: impl FnMut(&[(String, bool)]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let options = FormatOptions::default().with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.3f"));
    for batch in batches(rows) {
        let batch = batch?;
        let formats: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<_, _>>()?;
        let quoted: Vec<bool> = batch
            .columns()
            .iter()
            .map(|column| {
                let kind = column.data_type();
                !(kind.is_numeric() || matches!(kind, arrow::datatypes::DataType::Boolean))
            })
            .collect();
        for row in 0..batch.num_rows() {
            let values: Vec<_> = formats
                .iter()
                .zip(&quoted)
                .map(|(format, quoted)| (format.value(row).to_string(), *quoted))
                .collect();
            write(&values)?;
        }
    }
    Ok(())
}
