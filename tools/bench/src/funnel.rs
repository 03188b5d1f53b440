//! `cargo xtask bench funnel`: the same funnel over the raw table's JSON and over
//! `events` in both of its orders, a week's window of four weeks of events.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use testkit::{Lake, Setup, start};

use crate::Options;
use crate::meter::say;

/// Events that are made by one INSERT.
const AT_ONCE: u64 = 1_000_000;
/// The first of the days of events, and their number.
const FIRST_DAY: &str = "2026-10-05";
const DAYS: u64 = 28;
/// The week that is asked for.
const WEEK: (&str, &str) = ("2026-10-19 00:00:00.000", "2026-10-26 00:00:00.000");
const STEPS: &str = "['Product Viewed','Product Added','Checkout Started','Order Completed']";
/// How much faster than over the raw table the same question is to be.
const GOAL: f64 = 15.0;

/// A way to ask: its file, and a part of its text that no other has as the server logs a
/// question with parameters: on one line, without comments.
const WAYS: [(&str, &str, &str); 3] = [
    ("raw JSON", "funnel_raw.sql", "FROM clickstream.raw_events"),
    ("events", "funnel_events.sql", "FROM clickstream.events WHERE"),
    ("events by user", "funnel_events_by_user.sql", "FROM clickstream.events_by_user"),
];

/// What a question cost, in medians.
#[derive(Debug, Serialize)]
struct Cost {
    case: &'static str,
    events: u64,
    ms: f64,
    cpu_s: f64,
    rows_read: u64,
    mb_read: f64,
    /// How many times faster than over the raw table.
    times_faster: f64,
    runs: usize,
}

/// Makes the events, asks, and prints the report.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    say("starting ClickHouse");
    let stack = start(&Setup::new("bench-funnel"))?;
    let lake = Lake::of(stack.state()).await?;
    let folder = crate::workspace()?.join("infra/clickhouse/clickstream");
    crate::tables(&lake, &folder).await?;
    fill(&lake, &folder.join("queries/generate.sql"), options.events).await?;
    say("waiting for merges");
    let merging = "SELECT toString(count()) FROM system.merges WHERE database = 'clickstream'";
    let quiet = || async { Ok((lake.scalar(merging).await? == "0").then_some(())) };
    lake.until("the merges to end", quiet).await?;
    let mut answers = Vec::new();
    for (case, file, _) in WAYS {
        let sql = std::fs::read_to_string(folder.join("queries").join(file))?;
        // A parameter of ours is one text, and no list of them.
        let sql = sql.replace("{steps:Array(String)}", STEPS);
        for number in 0..=options.runs {
            let answer = lake.ingest.warehouse.query("ingestion", &sql, &parameters()).await?;
            if number == 0 {
                answers.push(answer);
            }
        }
        say(&format!("{case}: asked"));
    }
    ensure!(answers.iter().all(|answer| *answer == answers[0]), "the answers differ: {answers:?}");
    ensure!(!answers[0].is_empty(), "the funnel is empty");
    let costs = costs(&lake, options).await?;
    {
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), "{}", render(&costs, options.events))?;
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&costs)?)?;
    }
    Ok(())
}

fn parameters() -> [(&'static str, String); 3] {
    [("window", "86400".to_owned()), ("from", WEEK.0.to_owned()), ("to", WEEK.1.to_owned())]
}

/// Fills the raw table, and with it those that views fill from it.
async fn fill(lake: &Lake, generate: &PathBuf, events: u64) -> anyhow::Result<()> {
    let sql = std::fs::read_to_string(generate)?;
    let times = events.div_ceil(AT_ONCE).max(1);
    for time in 0..times {
        let day = |part: u64| {
            format!("SELECT toString(toDateTime('{FIRST_DAY}') + INTERVAL {} SECOND)", part)
        };
        let second = |time: u64| DAYS * 86_400 * time / times;
        let (from, to) = (second(time), second(time + 1));
        let parameters = [
            ("rows", events.min((time + 1) * AT_ONCE).saturating_sub(time * AT_ONCE).to_string()),
            ("seed", time.to_string()),
            ("from", lake.scalar(&day(from)).await?),
            ("to", lake.scalar(&day(to)).await?),
        ];
        lake.ingest.warehouse.query("ingestion", &sql, &parameters).await?;
        say(&format!("{} of {times} million events made", time + 1));
    }
    Ok(())
}

/// What the server's log says of the questions, but for the first of each.
async fn costs(lake: &Lake, options: &Options) -> anyhow::Result<Vec<Cost>> {
    lake.query("ingestion", "SYSTEM FLUSH LOGS").await?;
    let mut costs: Vec<Cost> = Vec::new();
    for (case, _, text) in WAYS {
        let sql = "SELECT toFloat64(median(query_duration_ms)) AS ms, toUInt64(median(read_rows)) AS rows_read, \
                   toFloat64(median(read_bytes)) / 1e6 AS mb_read, toFloat64(median(ProfileEvents['UserTimeMicroseconds'] \
                   + ProfileEvents['SystemTimeMicroseconds'])) / 1e6 AS cpu_s, count() AS runs FROM (SELECT * FROM \
                   system.query_log WHERE type = 'QueryFinish' AND query_kind = 'Select' AND position(query, {text:String}) > 0 \
                   AND position(query, 'windowFunnel') > 0 AND position(query, 'query_log') = 0 \
                   ORDER BY event_time_microseconds DESC LIMIT {runs:UInt32})";
        let parameters = [("text", text.to_owned()), ("runs", options.runs.to_string())];
        let rows = lake.ingest.warehouse.query("ingestion", sql, &parameters).await?;
        let row = rows.first().context("the log says nothing")?;
        let number = |name: &str| {
            let value = row.get(name).and_then(serde_json::Value::as_f64);
            value.with_context(|| format!("the log has no `{name}`"))
        };
        ensure!(number("runs")? >= 1.0, "the log knows no question over {case}");
        let ms = number("ms")?;
        costs.push(Cost {
            case,
            events: options.events,
            ms,
            cpu_s: number("cpu_s")?,
            rows_read: row.get("rows_read").and_then(serde_json::Value::as_u64).unwrap_or(0),
            mb_read: number("mb_read")?,
            times_faster: costs.first().map_or(1.0, |raw| raw.ms / ms),
            runs: options.runs,
        });
    }
    Ok(costs)
}

fn render(costs: &[Cost], events: u64) -> String {
    let mut text = format!(
        "A funnel of four steps over a week of {events} events in four weeks\n\n{:<16} {:>10} {:>10} {:>14} {:>12} {:>20}\n",
        "over", "ms", "CPU s", "rows read", "MB read", "times faster"
    );
    for cost in costs {
        let faster = match cost.case {
            "raw JSON" => "1".to_owned(),
            _ => {
                let mark = if cost.times_faster >= GOAL { "✓" } else { "✗" };
                format!("{:.1} ≥ {GOAL} {mark}", cost.times_faster)
            }
        };
        text.push_str(&format!(
            "{:<16} {:>10.0} {:>10.2} {:>14} {:>12.1} {:>20}\n",
            cost.case, cost.ms, cost.cpu_s, cost.rows_read, cost.mb_read, faster
        ));
    }
    text
}
