//! `query`: one statement on a cluster, its answer as the server gives it.

use clap::Args;
use serde_json::value::RawValue;
use warehouse::WarehouseError;

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
    let answer = match warehouse.query_raw(&args.cluster, &args.sql, format, MOST_BYTES).await {
        Ok(answer) => answer,
        Err(error) => {
            let remedy = remedy(&error);
            return Err(error).hint(|| remedy);
        }
    };
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

fn remedy(error: &WarehouseError) -> &'static str {
    match error {
        WarehouseError::UnknownCluster { .. } => "choose one with --cluster",
        WarehouseError::Server { .. } => "correct the statement as the server says",
        _ => "`motherlode stack status` says whether the cluster answers",
    }
}
