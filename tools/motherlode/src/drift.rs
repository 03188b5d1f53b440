//! `drift`: what objects brought that their documents do not know, or lacked.

use clap::Args;
use warehouse::drift::{DATABASE, TABLE};

use crate::cli::Global;
use crate::quarantine::{ask, cluster, word};
use crate::table::Table;
use crate::target::Target;
use crate::ui::Ui;

/// Which events.
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Only those of this source; else those of all sources on one cluster.
    #[arg(long)]
    source: Option<String>,
    /// The cluster that is asked; the source's own, else `ingestion`.
    #[arg(long)]
    cluster: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

/// Lists the events.
pub async fn run(args: &DriftArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::find(global).await?;
    let sql = format!(
        "SELECT toString(at) AS time, source, kind, field, action, column, column_type, key, row, config_version \
         FROM {DATABASE}.{TABLE} WHERE {{source:String}} = '' OR source = {{source:String}} \
         ORDER BY at DESC, field LIMIT {{limit:UInt32}}"
    );
    let source = args.source.as_deref();
    let cluster = cluster(args.cluster.as_deref(), source, &target).await?;
    let params =
        [("source", source.unwrap_or_default().to_owned()), ("limit", args.limit.to_string())];
    let rows = ask(&target, &cluster, &sql, &params).await?;
    if rows.is_empty() {
        ui.note(&format!("cluster {cluster} knows of no drift"));
    }
    ui.answer(&rows, || {
        let names = ["time", "source", "kind", "field", "action", "column", "column_type", "key"];
        let mut table = Table::new([
            "time (UTC)",
            "source",
            "kind",
            "field",
            "action",
            "column",
            "type",
            "first object",
        ])
        .cut(60);
        for row in &rows {
            table.row(names.map(|name| word(row, name)));
        }
        table.to_string()
    })
}
