//! `reconcile`: what clusters lack is written to them.

use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use ingest::{Debt, Paid, Scope, Summary, Watch};
use runtime::Deadline;

use crate::cli::Global;
use crate::failure::{Advise as _, advised};
use crate::table::{Table, grouped};
use crate::target::Target;
use crate::ui::{Task, Ui};

/// What is to be paid.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// Show what is owed, and write nothing.
    #[arg(long)]
    plan: bool,
    /// Only what objects of this source owe.
    #[arg(long)]
    source: Option<String>,
    /// Look at every object in the ledger, also at those that no debt is noted
    /// of: after a cluster was added to `write.clusters`.
    #[arg(long)]
    all: bool,
}

/// Pays, or shows what is owed.
pub async fn run(args: &ReconcileArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::find(global).await?;
    let ingest = target.ingest_with_records().await?;
    let scope = Scope { source: args.source.clone(), all: args.all };
    let hint = || "`motherlode stack status` says whether the stack is in order; on AWS, check region and credentials";
    if args.plan {
        let debts = ingest.plan(&scope).await.hint(hint)?;
        if debts.is_empty() {
            ui.note("every cluster holds what its sources say");
        }
        return ui.answer(&debts, || plan(&debts));
    }
    let task = ui.task("reconcile");
    task.at("looking for debts", "");
    let all = ingest.plan(&scope).await.hint(hint)?.iter().map(|debt| debt.rows).sum();
    let progress = Progress { task, all, before: AtomicU64::new(0), here: AtomicU64::new(0) };
    let summary = ingest.reconcile(&scope, Deadline::none(), &progress).await.hint(hint)?;
    drop(progress);
    ui.answer(&summary, || done(&summary))?;
    if summary.is_even() {
        return Ok(());
    }
    Err(advised(
        format!(
            "{} objects still owe something, {} more are being loaded or paid for by somebody else",
            summary.failures.len() as u64 + summary.interrupted,
            summary.busy
        ),
        "`motherlode reconcile --plan` shows which; mend the reason and run it again",
    ))
}

/// Shows how far it is.
struct Progress<'a> {
    task: Task<'a>,
    /// Rows that were owed at first.
    all: u64,
    /// Rows of the objects before this one, and of this one, that are paid.
    before: AtomicU64,
    here: AtomicU64,
}

impl Watch for Progress<'_> {
    fn begin(&self, debts: &[Debt]) {
        self.before.fetch_add(self.here.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        if let Some(debt) = debts.first() {
            self.task.at(&debt.object, "");
        }
    }

    fn paid(&self, cluster: &str, paid: Paid) {
        self.here.store(paid.rows_written + paid.rows_found, Ordering::Relaxed);
        let done = self.before.load(Ordering::Relaxed) + self.here.load(Ordering::Relaxed);
        self.task.of(&format!("to {cluster}"), done, self.all, "rows");
    }
}

fn plan(debts: &[Debt]) -> String {
    let mut table =
        Table::new(["source", "object", "cluster that lacks", ">rows", ">may be there", "on"])
            .cut(60);
    for debt in debts {
        table.row([
            debt.source.clone(),
            debt.object.split('@').next().unwrap_or_default().to_owned(),
            debt.cluster.clone(),
            grouped(debt.rows),
            grouped(debt.ambiguous_rows),
            debt.on.join(", "),
        ]);
    }
    table.to_string()
}

fn done(summary: &Summary) -> String {
    let Summary { objects, paid, failures, .. } = summary;
    let mut text = format!(
        "{} objects are even: {} rows written in {} chunks, {} rows were there already",
        grouped(*objects),
        grouped(paid.rows_written),
        grouped(paid.chunks_written),
        grouped(paid.rows_found)
    );
    for failure in failures {
        text.push_str(&format!("\nnot paid: {failure}"));
    }
    text
}
