//! What decoding JSON lines costs: user CPU seconds per million rows of 16
//! mixed fields, from memory. Not in CI; run it with
//! `cargo run --release -p decode --example json_speed -- [lines|array] [ROWS] [RUNS]`.
#![allow(clippy::print_stdout, reason = "a tool for the terminal")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers of its own making")]

use std::fmt::Write as _;
use std::io::Cursor;

use decode::{FieldOrigin, FieldRequest, Input, Limits, Request, open};
use model::BatchPlan;
use model::document::{Compression, Drift, Format, Json, JsonLayout};

const FIELDS: [&str; 16] = [
    "id", "event", "user_id", "session", "ts", "day", "amount", "ratio", "quantity", "country",
    "city", "active", "url", "referrer", "note", "tags",
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let array = arguments.next().is_some_and(|layout| layout == "array");
    let rows = arguments.next().map_or(Ok(500_000), |rows| rows.parse())?;
    let runs = arguments.next().map_or(Ok(7), |runs| runs.parse())?;
    let text = text(array, rows)?;
    println!("{} MB, {} bytes a row", text.len() / 1_000_000, text.len() as u64 / rows);
    let mut seconds = Vec::new();
    for _ in 0..runs {
        let (decoded, took) = run(text.clone(), array)?;
        assert_eq!(decoded, rows);
        seconds.push(took * 1e6 / rows as f64);
    }
    seconds.sort_by(f64::total_cmp);
    println!(
        "user CPU seconds per million rows: median {:.3}, best {:.3}",
        seconds[runs / 2],
        seconds[0]
    );
    Ok(())
}

/// Rows and user CPU seconds of one decoding.
fn run(text: Vec<u8>, array: bool) -> Result<(u64, f64)> {
    let field = |name: &&str| FieldRequest {
        origin: FieldOrigin::Column((*name).to_owned()),
        empty_is_text: false,
        column_type: None,
        required_by: (*name).to_owned(),
        is_optional: false,
    };
    let request = Request {
        format: Format::Json(Json {
            layout: if array { JsonLayout::Array } else { JsonLayout::Lines },
            path: None,
        }),
        compression: Compression::None,
        name: "memory".to_owned(),
        fields: FIELDS.iter().map(field).collect(),
        drift: Drift::default(),
        plan: BatchPlan::for_chunks(500_000),
        start_row: 0,
        limits: Limits::default(),
    };
    let before = user_seconds()?;
    let mut decoder = open(Input::Stream(Box::new(Cursor::new(text))), request)?;
    let mut rows = 0;
    while let Some(batch) = decoder.next_batch()? {
        rows += batch.batch.num_rows() as u64;
    }
    Ok((rows, user_seconds()? - before))
}

/// User time of this process, as the kernel counts it in hundredths.
fn user_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = behind_name.split_whitespace().nth(11).ok_or("no utime")?.parse()?;
    Ok(ticks / 100.0)
}

fn text(array: bool, rows: u64) -> Result<Vec<u8>> {
    let mut text = String::new();
    let mut seed = 7_u64;
    let mut next = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    text.push_str(if array { "[" } else { "" });
    for row in 0..rows {
        let event = ["view", "click", "purchase", "signup"][next(4) as usize];
        let city = ["Berlin", "Zürich", "São Paulo", "New York", "Oslo"][next(5) as usize];
        let country = ["DE", "CH", "BR", "US", "NO"][next(5) as usize];
        let (high, low) = (next(u64::MAX), next(1 << 48));
        let (minute, second) = (next(60), next(60));
        write!(
            text,
            "{{\"id\":{row},\"event\":\"{event}\",\"user_id\":\"{:08x}-{:04x}-4{:03x}-a{:03x}-{low:012x}\",\"session\":{},\
             \"ts\":\"2024-03-{:02}T{:02}:{minute:02}:{second:02}.{:03}Z\",\"day\":\"2024-03-{:02}\",\"amount\":{}.{:02},\"ratio\":0.{},\
             \"quantity\":{},\"country\":\"{country}\",\"city\":\"{city}\",\"active\":{},\"url\":\"/shop/item/{}\",",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low & 0xfff,
            next(1 << 40),
            1 + next(28),
            next(24),
            next(1000),
            1 + next(28),
            next(10_000),
            next(100),
            next(1 << 40),
            next(100),
            next(2) == 0,
            next(100_000),
        )?;
        match next(10) {
            0 => text.push_str("\"referrer\":null,"),
            1 => text.push_str("\"referrer\":\"https:\\/\\/example.org\\/\","),
            _ => text.push_str("\"referrer\":\"https://example.org/\","),
        }
        match next(4) {
            0 => text.push_str("\"note\":\"said \\\"hello\\\" twice\","),
            1 => text.push_str("\"note\":null,"),
            _ => text.push_str("\"note\":\"nothing to remark\","),
        }
        text.push_str("\"tags\":[\"a\",\"b\"]}");
        text.push_str(if !array {
            "\n"
        } else if row + 1 < rows {
            ","
        } else {
            "]"
        });
    }
    Ok(text.into_bytes())
}
