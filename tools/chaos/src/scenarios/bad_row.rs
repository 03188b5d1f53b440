//! 6: one bad row in a million, in each format. The others land; the bad one is
//! in the quarantine with everything that is needed to mend it.

use anyhow::Context as _;
use serde_json::Value;
use testkit::{Landed, Setup};

use crate::arena::{Arena, DATABASE, Feed};
use crate::rows::{self, Row, Rows};
use crate::run::Run;
use crate::verdict::{Expected, judge, oracle};

/// Source, format of the document, file.
const FORMATS: [(&str, &str, &str); 4] = [
    ("bad-csv", "{ csv: {} }", "x.csv"),
    ("bad-json", "{ json: { layout: lines } }", "x.jsonl"),
    ("bad-parquet", "parquet", "x.parquet"),
    ("bad-arrow", "arrow", "x.arrow"),
];

pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    let count = run.pick(1_000_000, 20_000);
    let arena = Arena::start(run, Setup { visibility_timeout_s: 60, ..run.setup() }).await?;
    let rows = Rows::new(run.dice.roll());
    let bad = run.dice.below(count);
    let good = rows.csv((0..count).filter(|id| *id != bad));
    let oracle = oracle(&arena, &arena.keep("good.csv", &good)?, "CSVWithNames").await?;
    drop(good);
    for (source, format, name) in FORMATS {
        let feed = Feed { format, ..Feed::csv(source, run.pick(100_000, 5_000)) };
        arena.feed(&feed).await?;
        let file = file(rows, count, bad, format)?;
        let landed = arena.lake.land(source, &format!("{source}/{name}"), file).await?;
        arena.lake.done(&landed).await?;
        arena.lake.drained().await?;
        run.injected("bad rows", 1);
        let expected = Expected { objects: 1, quarantined: 1, ..Expected::default() };
        judge(run, &arena, &feed, &oracle, expected).await?;
        judge_quarantine(run, &arena, &landed, &rows.row(bad).bad(), bad).await?;
        run.say(&format!("{format}: the bad row is row {bad}"));
        replay(run, &arena, &feed, bad, count).await?;
    }
    Ok(())
}

/// The document is mended and the quarantine replayed: the row lands, once; a
/// second replay changes nothing.
async fn replay(
    run: &mut Run,
    arena: &Arena,
    feed: &Feed,
    bad: u64,
    count: u64,
) -> anyhow::Result<()> {
    let column = "name: amount, type: \"Decimal(18, 2)\", required: true";
    let mended = "name: amount, type: \"Decimal(18, 2)\", on_error: default, default: 12";
    let document = feed.document();
    anyhow::ensure!(document.contains(column), "the document has another column: {document}");
    arena.lake.register(&document.replace(column, mended)).await?;
    for (time, written) in [("first", 1), ("second", 0)] {
        let arguments = ["quarantine", "replay", "--source", feed.source, "--json"];
        let done: Value = serde_json::from_slice(&arena.motherlode(&arguments).await?)?;
        let found = done[0]["written"].as_u64();
        run.check(found == Some(written), || {
            format!("{}: the {time} replay says {done}", feed.source)
        });
        for table in [feed.table(), format!("{}_seen", feed.table())] {
            let sql = format!(
                "SELECT concat(toString(count()), ' ', toString(uniqExact(_row)), ' ', \
                 toString(countIf(_row = {bad} AND amount = 12))) FROM {DATABASE}.{table}"
            );
            let shape = arena.lake.scalar(&sql).await?;
            run.check(shape == format!("{count} {count} 1"), || {
                format!("{table} after the {time} replay: {shape}")
            });
        }
    }
    Ok(())
}

fn file(rows: Rows, count: u64, bad: u64, format: &str) -> anyhow::Result<Vec<u8>> {
    let row = |id: u64| if id == bad { rows.row(id).bad() } else { rows.row(id) };
    let texts = |start: String, write: fn(&Row, &mut String)| {
        let text = (0..count).fold(start, |mut text, id| {
            write(&row(id), &mut text);
            text
        });
        Ok(text.into_bytes())
    };
    match format {
        "parquet" => rows::parquet(&(0..count).map(row).collect::<Vec<_>>()),
        "arrow" => rows::arrow_file(&(0..count).map(row).collect::<Vec<_>>()),
        json if json.contains("json") => texts(String::new(), Row::json),
        _ => texts(rows::header(), Row::csv),
    }
}

/// The quarantine holds the row's place, what is wrong with it, and all of it.
async fn judge_quarantine(
    run: &mut Run,
    arena: &Arena,
    landed: &Landed,
    bad: &Row,
    number: u64,
) -> anyhow::Result<()> {
    let source = &landed.source;
    let sql = format!("SELECT * FROM motherlode.quarantine WHERE source = '{source}'");
    let found = arena.lake.query("ingestion", &sql).await?;
    run.check(found.len() == 1, || format!("{source}: {} rows are in the quarantine", found.len()));
    let row = found.first().context("the quarantine is empty")?;
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let raw = text("raw");
    let wrong: Vec<&str> = [
        ("bucket", text("bucket") == landed.id.bucket),
        ("key", text("key") == landed.id.key),
        ("etag", text("etag") == landed.id.etag),
        ("row", row.get("row").and_then(Value::as_u64) == Some(number)),
        ("column", text("column") == "amount"),
        ("column_type", text("column_type") == "Decimal(18, 2)"),
        ("reason", text("reason").contains("twelve")),
        ("raw", bad.values().iter().all(|value| holds(raw, value))),
        ("config_version", row.get("config_version").and_then(Value::as_u64) == Some(1)),
        ("token", !text("token").is_empty()),
        ("at", !text("at").is_empty()),
    ]
    .into_iter()
    .filter_map(|(name, is_right)| (!is_right).then_some(name))
    .collect();
    run.check(wrong.is_empty(), || format!("{source}: wrong in the quarantine: {wrong:?}: {row}"));
    Ok(())
}

/// Whether a value stands in a raw row: as it is, or as CSV or JSON write it.
fn holds(raw: &str, value: &str) -> bool {
    let json = Value::from(value).to_string();
    raw.contains(value) || raw.contains(&value.replace('"', "\"\"")) || raw.contains(&json)
}
