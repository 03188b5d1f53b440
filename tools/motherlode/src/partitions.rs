//! `partitions`: what has been written of Kafka's partitions, and what waits.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use ledger::PartitionRecord;
use model::Counts;
use model::document::Kind;
use serde::Serialize;

use crate::cli::Global;
use crate::failure::Advise as _;
use crate::table::{Table, grouped};
use crate::target::Target;
use crate::times::utc;
use crate::ui::Ui;

/// How long Kafka may take to say which offsets a partition holds.
const TIME: Duration = Duration::from_secs(5);

/// Which partitions.
#[derive(Debug, Args)]
pub struct PartitionsArgs {
    /// Only those of this source.
    #[arg(long)]
    source: Option<String>,
}

/// A partition.
#[derive(Debug, Serialize)]
struct Shown {
    /// The source.
    source: String,
    /// The topic.
    topic: String,
    /// The partition.
    partition: i32,
    /// The offset behind the last that is accounted for.
    next_offset: Option<i64>,
    /// Records that Kafka holds behind it; none when Kafka does not say.
    lag: Option<i64>,
    /// Offsets between batches that nobody has brought yet.
    in_holes: i64,
    /// Whether an INSERT is pending.
    is_pending: bool,
    /// Clusters that lack records.
    owed_to: Vec<String>,
    /// What became of the records.
    counts: Counts,
    /// Records that are neither written nor filtered nor quarantined; 0.
    unaccounted: i64,
    /// When the newest of them was made, UTC.
    newest: String,
}

/// Lists the partitions.
pub async fn run(args: &PartitionsArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::find(global).await?;
    let ingest = target.ingest_with_records().await?;
    let hint = || "`motherlode stack status` says whether the stack is in order; on AWS, check region and credentials";
    let snapshot = ingest.catalog.snapshot().await.hint(hint)?;
    let mut shown = Vec::new();
    for (name, _) in snapshot.entries() {
        if args.source.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        let source = snapshot.get(name).hint(hint)?;
        if source.document.kind != Kind::Kafka {
            continue;
        }
        let records = ingest.partitions.list(name, false).await;
        let records =
            records.with_context(|| format!("reading the ledger of {}", target.name)).hint(hint)?;
        for record in records {
            let end = match &ingest.records {
                Some(reader) => {
                    let held = reader.offsets(&record.topic, record.partition, TIME).await;
                    held.inspect_err(|error| ui.note(&format!("{}: {error}", record.topic))).ok()
                }
                None => None,
            };
            let named = &source.document.write.clusters;
            shown.push(show(&record, named, end.map(|held| held.end)));
        }
    }
    shown.sort_by(|a, b| {
        (&a.source, &a.topic, a.partition).cmp(&(&b.source, &b.topic, b.partition))
    });
    if shown.is_empty() {
        ui.note("nothing was written of any partition (of this source)");
    }
    ui.answer(&shown, || render(&shown))
}

fn show(record: &PartitionRecord, named: &[String], end: Option<i64>) -> Shown {
    let counts = record.counts;
    let accounted = counts.rows_written + counts.rows_filtered + counts.rows_quarantined;
    let lacks = |cluster: &&String| record.debts.iter().any(|debt| !debt.on.contains(*cluster));
    let next_offset = record.next_offset();
    Shown {
        source: record.source.clone(),
        topic: record.topic.clone(),
        partition: record.partition,
        next_offset,
        lag: end.zip(next_offset).map(|(end, next)| (end - next).max(0)),
        in_holes: record.holes().map(|hole| hole.end - hole.start).sum(),
        is_pending: record.pending.is_some(),
        owed_to: named.iter().filter(lacks).cloned().collect(),
        counts,
        unaccounted: counts.rows_read.wrapping_sub(accounted).cast_signed(),
        newest: utc(record.newest_ms),
    }
}

fn render(shown: &[Shown]) -> String {
    let mut table = Table::new([
        "source",
        "topic",
        ">partition",
        ">next offset",
        ">lag",
        ">in holes",
        "pending",
        ">read",
        ">written",
        ">filtered",
        ">quarantined",
        "owed to",
        "newest (UTC)",
    ])
    .cut(40);
    let offset = |offset: Option<i64>| offset.map_or("?".to_owned(), |offset| offset.to_string());
    for one in shown {
        table.row([
            one.source.clone(),
            one.topic.clone(),
            one.partition.to_string(),
            offset(one.next_offset),
            offset(one.lag),
            one.in_holes.to_string(),
            if one.is_pending { "yes" } else { "" }.to_owned(),
            grouped(one.counts.rows_read),
            grouped(one.counts.rows_written),
            grouped(one.counts.rows_filtered),
            grouped(one.counts.rows_quarantined),
            one.owed_to.join(", "),
            one.newest.clone(),
        ]);
    }
    table.to_string()
}
