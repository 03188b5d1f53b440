//! What CSV costs: 500,000 rows of 16 mixed columns, decoded as text and as
//! typed columns, in CPU seconds of this process for each million rows.
//!
//! Not part of the tests; run it with
//! `cargo run --release -p decode --example csv_speed -- [rounds] [rows of a batch]`.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a tool for the terminal")]

use std::fmt::Write;
use std::io::Cursor;

use decode::{FieldOrigin, FieldRequest, Input, Limits, Request};
use model::document::{Compression, Csv, Drift, Format};
use model::{BatchPlan, ColumnType};

const ROWS: u64 = 500_000;
const COLUMNS: [(&str, &str); 16] = [
    ("id", "UInt64"),
    ("user", "UInt32"),
    ("delta", "Int32"),
    ("small", "Nullable(Int16)"),
    ("ratio", "Float64"),
    ("score", "Float64"),
    ("price", "Decimal(12, 2)"),
    ("tax", "Decimal(18, 4)"),
    ("day", "Date"),
    ("at", "DateTime"),
    ("at_ms", "DateTime64(3)"),
    ("country", "LowCardinality(String)"),
    ("status", "LowCardinality(Nullable(String))"),
    ("name", "String"),
    ("note", "Nullable(String)"),
    ("active", "Bool"),
];

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    for (name, quoted) in [("plain", false), ("quoted texts", true)] {
        let text = table(quoted);
        println!("{name}: {} bytes a row", text.len() as u64 / ROWS);
        let costs = (0..rounds).map(|_| cost_of_records(&text));
        let least = costs.fold(f64::INFINITY, f64::min);
        println!("  the `csv` crate's records alone: {least:.3} s per million rows");
        for typed in [false, true] {
            let costs: Vec<f64> = (0..rounds).map(|_| cost(&text, typed)).collect();
            let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
            println!(
                "  {}: {least:.3} s per million rows (of {costs:.3?})",
                if typed { "typed" } else { "text " }
            );
        }
    }
}

/// CPU seconds per million rows of one decoding.
fn cost(text: &[u8], typed: bool) -> f64 {
    let request = request(typed);
    let stream = Cursor::new(text.to_vec());
    let before = cpu_seconds();
    let mut decoder = decode::open(Input::Stream(Box::new(stream)), request).expect("opens");
    let mut rows = 0;
    while let Some(batch) = decoder.next_batch().expect("decodes") {
        assert!(batch.rejected.is_empty(), "{:?}", batch.rejected.first());
        rows += batch.batch.num_rows();
    }
    let spent = cpu_seconds() - before;
    assert_eq!(rows as u64, ROWS);
    spent * 1e6 / ROWS as f64
}

/// CPU seconds per million rows of reading records and no more: how fast this
/// processor is at the moment.
fn cost_of_records(text: &[u8]) -> f64 {
    let before = cpu_seconds();
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(64 * 1024).from_reader(text);
    let (mut record, mut rows) = (csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record).expect("reads") {
        rows += 1;
    }
    assert_eq!(rows, ROWS);
    (cpu_seconds() - before) * 1e6 / ROWS as f64
}

fn request(typed: bool) -> Request {
    let field = |(name, column_type): &(&str, &str)| FieldRequest {
        origin: FieldOrigin::Column((*name).to_owned()),
        empty_is_text: false,
        column_type: typed.then(|| ColumnType::parse(column_type).expect("a type")),
        required_by: (*name).to_owned(),
        is_optional: false,
    };
    Request {
        format: Format::Csv(Csv::default()),
        compression: Compression::None,
        name: "memory".to_owned(),
        fields: COLUMNS.iter().map(field).collect(),
        drift: Drift::default(),
        plan: BatchPlan::for_chunks(524_288).limited(batch_rows()),
        start_row: 0,
        limits: Limits::default(),
    }
}

/// Rows of a batch, from the command line.
fn batch_rows() -> u64 {
    std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(u64::MAX)
}

/// The text of the table, the same in every run.
fn table(quoted: bool) -> Vec<u8> {
    let mut text = String::new();
    let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
    text.push_str(&names.join(","));
    text.push('\n');
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let countries: Vec<_> = (0_u8..60)
        .map(|i| format!("{}{}", char::from(b'A' + i % 26), char::from(b'A' + i / 3)))
        .collect();
    let statuses = ["new", "paid", "shipped", "delivered", "returned"];
    let quote = if quoted { "\"" } else { "" };
    for row in 0..ROWS {
        let seconds = random.below(86_400);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let day = random.below(28) + 1;
        let (month, year) = (random.below(12) + 1, 2_015 + random.below(11));
        let write = write!(
            text,
            "{},{},{},",
            10_000_000 + row,
            random.below(4_000_000),
            i64::try_from(random.below(2_000_000)).expect("small") - 1_000_000
        );
        write.expect("a text");
        if random.below(10) > 0 {
            write!(text, "{}", random.below(30_000)).expect("a text");
        }
        let ratio = random.below(1 << 53) as f64 / (1_u64 << 53) as f64;
        write!(text, ",{ratio},{}.{:03},", random.below(100_000), random.below(1_000))
            .expect("a text");
        write!(
            text,
            "{}.{:02},{}.{:04},",
            random.below(100_000),
            random.below(100),
            random.below(1_000),
            random.below(10_000)
        )
        .expect("a text");
        write!(text, "{year}-{month:02}-{day:02},{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02},")
            .expect("a text");
        write!(
            text,
            "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03},",
            random.below(1_000)
        )
        .expect("a text");
        let country = &countries[random.index(countries.len())];
        write!(text, "{quote}{country}{quote},").expect("a text");
        if random.below(20) > 0 {
            let status = statuses[random.index(statuses.len())];
            write!(text, "{quote}{status}{quote}").expect("a text");
        }
        write!(
            text,
            ",{quote}user {:08x} of group {}{quote},",
            random.below(1 << 32),
            random.below(100)
        )
        .expect("a text");
        if random.below(3) == 0 {
            write!(text, "{quote}{:x} {:x}{quote}", random.below(1 << 40), random.below(1 << 40))
                .expect("a text");
        }
        text.push_str(if random.below(2) == 0 { ",true\n" } else { ",false\n" });
    }
    text.into_bytes()
}

/// A generator that needs no dependency: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % end
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }
}

/// User and system CPU seconds of this process so far.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // The name of the program may hold spaces; what follows it does not.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks =
        |at: usize| fields.split_whitespace().nth(at).and_then(|text| text.parse::<f64>().ok());
    (ticks(11).expect("utime") + ticks(12).expect("stime")) / 100.0
}
