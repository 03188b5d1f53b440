//! `accounting`: every row that was read is accounted for, and is where the
//! ledger says.

use clap::Args;
use ingest::Accounts;

use crate::cli::Global;
use crate::failure::{Advise as _, advised};
use crate::table::{Table, grouped};
use crate::target::Target;
use crate::times::utc;
use crate::ui::Ui;

/// Which accounts.
#[derive(Debug, Args)]
pub struct AccountingArgs {
    /// Only those of this source.
    #[arg(long)]
    source: Option<String>,
    /// Count the rows of every object on every cluster, and compare. It reads
    /// two columns of the whole tables.
    #[arg(long)]
    check: bool,
}

/// Shows the accounts; fails when a row is missing or too many.
pub async fn run(args: &AccountingArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::find(global).await?;
    let ingest = target.ingest()?;
    let hint = || "see which sources there are: `motherlode sources list`";
    let snapshot = ingest.catalog.snapshot().await.hint(hint)?;
    let names: Vec<String> = match &args.source {
        Some(name) => vec![name.clone()],
        None => snapshot.entries().map(|(name, _)| name.to_owned()).collect(),
    };
    let mut all = Accounts::default();
    for name in &names {
        let source = snapshot.get(name).hint(hint)?;
        let accounts = ingest.accounts(&source, args.check).await.hint(|| {
            "`motherlode stack status` says whether the stack is in order; on AWS, check region and credentials"
        })?;
        all.hours.extend(accounts.hours);
        all.leaks.extend(accounts.leaks);
        all.unchecked.extend(accounts.unchecked.iter().map(|why| format!("source {name}: {why}")));
        all.checked += accounts.checked;
    }
    ui.answer(&all, || render(&all, args.check))?;
    match (all.leaks.len(), all.unchecked.len()) {
        (0, 0) => Ok(()),
        (0, some) => Err(advised(
            format!("{some} checks could not be made"),
            "the reasons stand above; mend them and run it again",
        )),
        (some, _) => Err(advised(
            format!("the accounts of {some} objects do not close"),
            "look at the object with `motherlode objects` and at its rows by `_object` and `_row`",
        )),
    }
}

fn render(accounts: &Accounts, check: bool) -> String {
    let mut table = Table::new([
        "source",
        "hour (UTC)",
        ">done",
        ">open",
        ">read",
        ">written",
        ">filtered",
        ">quarantined",
        ">unaccounted",
    ]);
    for hour in &accounts.hours {
        table.row([
            hour.source.clone(),
            utc(hour.hour_ms),
            grouped(hour.done),
            grouped(hour.open),
            grouped(hour.counts.rows_read),
            grouped(hour.counts.rows_written),
            grouped(hour.counts.rows_filtered),
            grouped(hour.counts.rows_quarantined),
            hour.unaccounted.to_string(),
        ]);
    }
    let mut text = table.to_string();
    for leak in &accounts.leaks {
        let place = match leak.cluster.as_str() {
            "" => "by the ledger itself".to_owned(),
            cluster => format!("on cluster {cluster}"),
        };
        text.push_str(&format!(
            "\n{} {place}: {} {}, expected {}",
            leak.object,
            leak.what,
            grouped(leak.found),
            grouped(leak.expected)
        ));
    }
    for why in &accounts.unchecked {
        text.push_str(&format!("\nnot checked: {why}"));
    }
    if check && accounts.leaks.is_empty() && accounts.unchecked.is_empty() {
        text.push_str(&format!(
            "\n{} objects were counted on their clusters: every row is where the ledger says",
            grouped(accounts.checked)
        ));
    }
    text
}
