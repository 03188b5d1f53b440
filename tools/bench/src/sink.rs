//! `cargo xtask bench sink`: records of Kafka through the sink, into the raw table with
//! its view and into typed columns, beside INSERTs of the same events as JSONEachRow
//! through the raw table and its view, in batches of the same size.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use devstack::KafkaSourceOptions;
use kafka::{KafkaConfig, Producer, Record};
use testkit::{Lake, Setup, start};

use crate::Options;
use crate::meter::{Meter, cpu_seconds, peak_mb, reset_peak, say};
use crate::rows::{Row, Sample};
use crate::run::report;

const TOPIC: &str = "bench";
/// Records of a batch: what six megabytes hold of events like these, as Lambda gives
/// them.
const BATCH: usize = 4_000;
const CALIBRATION: Duration = Duration::from_secs(4);
const SEND_LIMIT: Duration = Duration::from_secs(60);
/// Rows that the server is asked for at a time.
const PAGE: usize = 5_000;

/// What the sink does with the same records.
const CASES: [(&str, &str); 2] = [
    ("sink, raw and view", "clickstream.raw_events"),
    ("sink, typed columns", "clickstream.typed"),
];

/// Measures, and prints the report.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    say("starting the stack");
    let trigger = KafkaSourceOptions {
        topic: TOPIC.to_owned(),
        batch_size: BATCH,
        batch_window_ms: 1_000,
        report_batch_item_failures: true,
        ..KafkaSourceOptions::default()
    };
    let setup = Setup {
        concurrency: 1,
        timeout_seconds: 300,
        sink: Some((trigger, 1)),
        ..Setup::new("bench-sink")
    };
    let stack = start(&setup)?;
    let mut lake = Lake::of(stack.state()).await?;
    lake.patience = Duration::from_secs(600);
    let folder = crate::workspace()?.join("infra/clickhouse/clickstream");
    let kafka = stack.state().kafka.as_ref().context("the stack has Kafka")?;
    let producer = Producer::new(KafkaConfig::new(&kafka.bootstrap));
    crate::tables(&lake, &folder).await?;
    let events = made(&lake, &folder, options.events_of_sink).await?;
    // The view and its target alone: what else is there is for other questions.
    for view in ["events_by_user_view", "session_facts_view"] {
        lake.query("ingestion", &format!("DROP TABLE clickstream.{view}")).await?;
    }
    let bench = Bench { lake, producer, events };
    bench.empty(&["clickstream.raw_events", "clickstream.events"]).await?;
    let mut rows = Vec::new();
    for (case, table) in CASES {
        bench.lake.register(&document(table)).await?;
        let mut samples = Vec::new();
        for number in 0..=options.runs {
            let sample = bench.sample(table).await.with_context(|| case.to_owned())?;
            say(&format!("{case} run {number}: {sample:?}"));
            // The first run warms caches and connections.
            if number > 0 {
                samples.push(sample);
            }
        }
        rows.push(Row::of(case, bench.events.len() as u64, &samples, false));
    }
    report(options, &rows)?;
    let mut text = String::from("Events a second and core, the server's share included\n\n");
    for row in &rows {
        let per_core = 1e6 / (row.client_cpu_s_per_mrow + row.server_cpu_s_per_mrow);
        let own = 1e6 / row.client_cpu_s_per_mrow;
        text.push_str(&format!("{:<22} {per_core:>10.0}   the sink alone {own:>10.0}\n", row.case));
    }
    use std::io::Write as _;
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}

/// Events of a shop, as the pixel writes them.
async fn made(lake: &Lake, folder: &std::path::Path, count: usize) -> anyhow::Result<Vec<String>> {
    say("making the events");
    let sql = std::fs::read_to_string(folder.join("queries/generate.sql"))?;
    let today = "SELECT toString(toDateTime(today()) - INTERVAL 1 DAY)";
    let until = "SELECT toString(toDateTime(today()))";
    let parameters = [
        ("rows", count.to_string()),
        ("seed", "1".to_owned()),
        ("from", lake.scalar(today).await?),
        ("to", lake.scalar(until).await?),
    ];
    lake.ingest.warehouse.query("ingestion", &sql, &parameters).await?;
    let mut events = Vec::with_capacity(count);
    while events.len() < count {
        let page = format!(
            "SELECT event FROM clickstream.raw_events ORDER BY _topic, _partition, _offset LIMIT {PAGE} OFFSET {}",
            events.len()
        );
        let rows = lake.query("ingestion", &page).await?;
        ensure!(!rows.is_empty(), "the server has made {} events only", events.len());
        let text = |row: &serde_json::Value| row["event"].as_str().map(str::to_owned);
        events.extend(rows.iter().filter_map(text));
    }
    let bytes: usize = events.iter().map(String::len).sum();
    say(&format!("{} events of {} bytes on average", events.len(), bytes / events.len().max(1)));
    Ok(events)
}

struct Bench {
    lake: Lake,
    producer: Producer,
    events: Vec<String>,
}

impl Bench {
    async fn sample(&self, table: &str) -> anyhow::Result<Sample> {
        let status = self.lake.control.status().await?;
        let server = status.part("ingestion").and_then(|part| part.pid).context("no server")?;
        let mut meter = Meter::calibrate(server, CALIBRATION).await?;
        let mut sample = Sample::default();
        self.by_itself(&mut meter, &mut sample).await?;
        self.empty(&["clickstream.raw_events", "clickstream.events"]).await?;
        self.ours(table, &mut meter, &mut sample).await?;
        self.empty(&["clickstream.raw_events", "clickstream.events"]).await?;
        if table == "clickstream.typed" {
            self.empty(&[table]).await?;
        }
        Ok(sample)
    }

    /// The same events as JSONEachRow. What sends them costs as good as nothing, and
    /// is not counted.
    async fn by_itself(&self, meter: &mut Meter, sample: &mut Sample) -> anyhow::Result<()> {
        let now = self.lake.scalar("SELECT toString(now64(3))").await?;
        let batches: Vec<String> = self
            .events
            .chunks(BATCH)
            .enumerate()
            .map(|(batch, events)| {
                let line = |(at, event): (usize, &String)| {
                    let offset = batch * BATCH + at;
                    let row = serde_json::json!({
                        "event": event, "_topic": TOPIC, "_partition": 0, "_offset": offset, "_key": "v",
                        "_timestamp": now, "_headers": {}, "_config_version": 1, "_loaded_at": now,
                    });
                    format!("{row}\n")
                };
                let rows: String = events.iter().enumerate().map(line).collect();
                format!("INSERT INTO clickstream.raw_events FORMAT JSONEachRow {rows}")
            })
            .collect();
        meter.start()?;
        for batch in &batches {
            self.lake.query("ingestion", batch).await?;
        }
        sample.by_itself = meter.read()?;
        self.has("clickstream.events").await
    }

    async fn ours(
        &self,
        table: &str,
        meter: &mut Meter,
        sample: &mut Sample,
    ) -> anyhow::Result<()> {
        let before = self.accounted().await?;
        // A process that is there: its start is measured by `bench cold`.
        if before == 0 {
            self.send(&self.events[..10]).await?;
            self.until(10).await?;
            self.empty(&["clickstream.raw_events", "clickstream.events"]).await?;
            if table == "clickstream.typed" {
                self.empty(&[table]).await?;
            }
        }
        let before = self.accounted().await?;
        let function = self.function().await?;
        reset_peak(function)?;
        let used = cpu_seconds(function)?;
        meter.start()?;
        self.send(&self.events).await?;
        self.until(before + self.events.len() as u64).await?;
        sample.server = meter.read()?;
        sample.client = cpu_seconds(function)? - used;
        sample.peak_mb = peak_mb(function)?;
        self.has(if table == "clickstream.typed" { table } else { "clickstream.events" }).await
    }

    async fn send(&self, events: &[String]) -> anyhow::Result<()> {
        for some in events.chunks(2_000) {
            let timestamp_ms = self.lake.ingest.clock.now_ms();
            let record = |event: &String| Record {
                key: Some(b"v".to_vec()),
                value: Some(event.clone().into_bytes()),
                timestamp_ms,
                ..Record::default()
            };
            let records: Vec<Record> = some.iter().map(record).collect();
            self.producer.send(TOPIC, &records, SEND_LIMIT).await?;
        }
        Ok(())
    }

    async fn until(&self, records: u64) -> anyhow::Result<()> {
        self.lake
            .until(&format!("{records} records to be accounted for"), || async {
                Ok((self.accounted().await? >= records).then_some(()))
            })
            .await
    }

    async fn accounted(&self) -> anyhow::Result<u64> {
        let partitions = self.lake.ingest.partitions.list("bench", false).await?;
        Ok(partitions.iter().map(|partition| partition.counts.rows_read).sum())
    }

    async fn function(&self) -> anyhow::Result<u32> {
        let status = self.lake.control.status().await?;
        let sink = status.function("kafka-sink").context("no function")?;
        sink.instances.first().map(|instance| instance.pid).context("no instance of the sink")
    }

    async fn has(&self, table: &str) -> anyhow::Result<()> {
        let count = self.lake.scalar(&format!("SELECT toString(count()) FROM {table}")).await?;
        ensure!(count == self.events.len().to_string(), "{count} rows are in {table}");
        Ok(())
    }

    async fn empty(&self, tables: &[&str]) -> anyhow::Result<()> {
        for table in tables {
            self.lake.query("ingestion", &format!("SYSTEM STOP MERGES {table}")).await?;
            self.lake.query("ingestion", &format!("TRUNCATE TABLE {table}")).await?;
        }
        Ok(())
    }
}

/// The source, into the raw table or into columns of its own.
fn document(table: &str) -> String {
    let head = format!(
        "source: bench\nversion: 1\nowner: bench\nkind: kafka\nstream: {{ topics: [{TOPIC}] }}\n"
    );
    if table != "clickstream.typed" {
        return format!(
            "{head}table: {{ database: clickstream, name: raw_events, order_by: [_topic, _partition, _offset], create: never }}\n"
        );
    }
    let columns: String = TYPED
        .iter()
        .map(|(name, kind, path)| {
            format!(
                "  - {{ name: {name}, type: \"{kind}\", from: {{ path: {path} }}, default: {} }}\n",
                default(kind)
            )
        })
        .collect();
    format!(
        "{head}columns:\n{columns}table: {{ database: clickstream, name: typed, order_by: [name, time] }}\n"
    )
}

/// What is written where an event lacks the field.
fn default(kind: &str) -> &'static str {
    match kind {
        "Bool" => "'false'",
        _ if kind.starts_with("DateTime64") => "'1970-01-01 00:00:00'",
        _ if kind.starts_with("Nullable") => "null",
        _ if kind.contains("Int") || kind.contains("Float") => "'0'",
        _ => "''",
    }
}

/// As many columns as the view types.
const TYPED: [(&str, &str, &str); 33] = [
    ("event_id", "String", "messageId"),
    ("source_name", "LowCardinality(String)", "source"),
    ("type", "LowCardinality(String)", "type"),
    ("name", "LowCardinality(String)", "event"),
    ("time", "DateTime64(3, 'UTC')", "timestamp"),
    ("original_time", "DateTime64(3, 'UTC')", "originalTimestamp"),
    ("received_at", "DateTime64(3, 'UTC')", "receivedAt"),
    ("anonymous_id", "String", "anonymousId"),
    ("user_id", "String", "userId"),
    ("session_id", "String", "context.sessionId"),
    ("path", "LowCardinality(String)", "context.page.path"),
    ("url", "String", "context.page.url"),
    ("title", "String", "context.page.title"),
    ("referrer", "String", "context.page.referrer"),
    ("search", "String", "context.page.search"),
    ("campaign", "LowCardinality(String)", "context.campaign.name"),
    ("campaign_source", "LowCardinality(String)", "context.campaign.source"),
    ("campaign_medium", "LowCardinality(String)", "context.campaign.medium"),
    ("locale", "LowCardinality(String)", "context.locale"),
    ("timezone", "LowCardinality(String)", "context.timezone"),
    ("library", "LowCardinality(String)", "context.library.name"),
    ("screen_width", "Nullable(Float64)", "context.screen.width"),
    ("screen_height", "Nullable(Float64)", "context.screen.height"),
    ("bot", "Bool", "request.bot"),
    ("country", "LowCardinality(String)", "request.country"),
    ("browser", "LowCardinality(String)", "request.browser.name"),
    ("os", "LowCardinality(String)", "request.os.name"),
    ("device_type", "LowCardinality(String)", "request.device.type"),
    ("device_model", "LowCardinality(String)", "request.device.model"),
    ("order_id", "String", "properties.order_id"),
    ("product_id", "String", "properties.product_id"),
    ("currency", "LowCardinality(String)", "properties.currency"),
    ("price", "String", "properties.price"),
];
