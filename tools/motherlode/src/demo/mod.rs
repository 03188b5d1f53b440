//! `motherlode demo`: the whole platform on one machine, with real files.
//!
//! [`show`] is the demo on one screen; everything in it is what an operator
//! would do: register documents, put files into S3, look at the ledger, query.

mod deliver;
mod follow;
mod landed;
mod platform;
mod stream;
mod tour;
mod visitors;

use std::path::PathBuf;

use anyhow::Context as _;
use demo_data::DemoData;
use devstack::StackState;

use crate::failure::advised;
use crate::target::Target;
use crate::ui::Ui;
use platform::Platform;

/// What the demo is asked for.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// With --json: write the table of what has landed as JSON to this file, and
    /// the rest to the terminal as ever.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Leave the stack running at the end.
    #[arg(long)]
    keep: bool,
    /// Folder that local stacks lie under.
    #[arg(long, env = "MOTHERLODE_ROOT", value_name = "DIR", default_value = ".motherlode")]
    root: PathBuf,
}

/// Runs the demo: sets everything up, loads the files, shows what has landed,
/// and takes everything down again unless it is to be kept.
///
/// # Errors
/// When a part does not start, a source has not landed, or Ctrl-C was pressed.
pub async fn run(args: DemoArgs, ui: &Ui) -> anyhow::Result<()> {
    if args.file.is_some() && !ui.is_json() {
        return Err(crate::failure::usage("a file is for --json: `motherlode demo --json FILE`"));
    }
    // While the stack starts there is nothing yet that could be ended in order:
    // Ctrl-C ends this process, and a supervisor without its starter ends too.
    let platform = Platform::start(&args, ui).await?;
    let shown = tokio::select! {
        shown = show(&args, platform.state(), ui) => shown,
        () = interrupted() => Err(anyhow::anyhow!("the demo was interrupted")),
    };
    platform.end(shown, ui)
}

/// The demo itself, on a stack that is up.
async fn show(args: &DemoArgs, state: &StackState, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::of_stack(state).await;
    let ingest = target.ingest()?;
    let data = fetch(&args.root, ui)?;
    let logs = state.dir.join("logs");

    deliver::register(&ingest, ui).await?;
    let delivered = deliver::put(&data, &ingest, &target.s3(), ui).await?;
    let landed = follow::to_the_end(&ingest, delivered, &logs, ui).await?;

    match &args.file {
        Some(file) => {
            landed::write(file, &landed)?;
            ui.text(&landed::table(&landed))?;
        }
        None => ui.answer(&landed::rows(&landed), || landed::table(&landed))?,
    }
    let problems = landed::problems(&landed);
    if !problems.is_empty() {
        return Err(advised(
            format!(
                "{} of {} sources have not landed as they should:\n  {}",
                problems.len(),
                landed.len(),
                problems.join("\n  ")
            ),
            format!("see the logs under {}", logs.display()),
        ));
    }
    let warehouse = target.warehouse()?;
    if args.file.is_some() || !ui.is_json() {
        tour::take(&warehouse, ui).await?;
    }
    stream::show(&ingest, &warehouse, state, ui).await
}

/// The real files. npm and tar block, and nothing else is under way.
fn fetch(root: &std::path::Path, ui: &Ui) -> anyhow::Result<DemoData> {
    let task = ui.task("files");
    tokio::task::block_in_place(|| DemoData::fetch(&root.join("cache"), &|step| task.at(step, "")))
        .context("fetching the demo's files")
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals nobody can interrupt.
        std::future::pending::<()>().await;
    }
}
