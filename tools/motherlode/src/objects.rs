//! `objects`: the ledger, readable.

use anyhow::Context as _;
use clap::Args;
use ledger::{ListQuery, Record, State};

use crate::cli::Global;
use crate::failure::Advise as _;
use crate::table::{Table, grouped};
use crate::target::Target;
use crate::times::{seconds, utc};
use crate::ui::Ui;

/// Which objects.
#[derive(Debug, Args)]
pub struct ObjectsArgs {
    /// Only those of this source.
    #[arg(long)]
    source: Option<String>,
    /// Only those that failed, with the reason.
    #[arg(long)]
    failed: bool,
    /// At most this many, the last changed first.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// Lists the objects.
pub async fn run(args: &ObjectsArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::find(global).await?;
    let ingest = target.ingest()?;
    let query = ListQuery {
        source: args.source.clone(),
        state: args.failed.then_some(State::Failed),
        limit: args.limit,
    };
    let records = ingest
        .ledger
        .list(&query)
        .await
        .with_context(|| format!("reading the ledger of {}", target.name))
        .hint(|| "`motherlode stack status` says whether the stack is in order; on AWS, check region and credentials")?;
    if records.is_empty() {
        ui.note("no object is in the ledger (of this kind); load one with `motherlode load FILE --source SOURCE`");
    }
    ui.answer(&records, || render(&records))
}

/// The records as a table; under it, why objects failed.
pub fn render(records: &[Record]) -> String {
    let mut table = Table::new([
        "source",
        "object",
        "state",
        ">read",
        ">written",
        ">filtered",
        ">quarantined",
        ">chunks",
        ">seconds",
        "table",
        "changed (UTC)",
    ])
    .cut(60);
    for record in records {
        let counts = &record.counts;
        table.row([
            record.source.clone(),
            format!("s3://{}/{}", record.object.bucket, record.object.key),
            record.state.name().to_owned(),
            grouped(counts.rows_read),
            grouped(counts.rows_written),
            grouped(counts.rows_filtered),
            grouped(counts.rows_quarantined),
            counts.chunks.to_string(),
            seconds(record.duration_ms),
            record.table.clone().unwrap_or_default(),
            utc(record.updated_at_ms),
        ]);
    }
    let mut text = table.to_string();
    for record in records {
        if let Some(reason) = &record.reason {
            text.push_str(&format!("\n{} {}: {reason}", record.object, record.state.name()));
        }
    }
    text
}
