//! `query`: one statement on a cluster, its answer as the server gives it.

use clap::Args;
use serde_json::value::RawValue;

use crate::cli::Global;
use crate::failure::Advise as _;
use crate::target::Target;
use crate::ui::Ui;

/// Most bytes of an answer: it is held in memory before it is written.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// A statement and where it runs.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The statement.
    sql: String,
    /// The cluster it runs on.
    #[arg(long, default_value = "ingestion")]
    cluster: String,
    /// ClickHouse format of the answer, unless the statement names one; without
    /// meaning for --json.
    #[arg(long, default_value = "PrettyCompact")]
    format: String,
}

/// Runs the statement.
pub async fn run(args: &QueryArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let warehouse = Target::find(global).await?.warehouse()?;
    let format = if ui.is_json() { "JSONEachRow" } else { &args.format };
    let answer = warehouse
        .query_raw(&args.cluster, &args.sql, format, MOST_BYTES)
        .await
        .hint(|| "see the message of the server; `motherlode stack status` says whether the cluster answers")?;
    if !ui.is_json() {
        return ui.data(&answer);
    }
    // The rows keep the server's spelling: numbers are not read and rewritten.
    let rows: Vec<&RawValue> = answer
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()
        .hint(|| "the statement names a FORMAT of its own: leave it out with --json")?;
    ui.json(&rows)
}
