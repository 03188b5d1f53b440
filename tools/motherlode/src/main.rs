//! `motherlode`, the operator's command line. The exit code is decided here and
//! nowhere else: 0 for done, 1 for not done, 2 for a command line that makes no
//! sense.

mod accounting;
mod backfill;
mod cli;
mod clickstream;
mod commands;
mod demo;
mod dlq;
mod drift;
mod failure;
mod infer;
mod load;
mod migrate;
mod objects;
mod partitions;
mod quarantine;
mod query;
mod reconcile;
mod reload;
mod sources;
mod stack;
mod table;
mod target;
mod times;
mod ui;
mod values;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::stack::StackCommand;
use crate::ui::Ui;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, a mistake to standard error; if
            // neither can be written there is nobody to tell.
            drop(error.print());
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let ui = Ui::new(cli.global.json);
    match run(cli, &ui) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has what they wanted (`motherlode objects | head`).
        Err(error) if failure::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            failure::report(&ui, &error);
            ExitCode::from(if failure::is_usage(&error) { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli, ui: &Ui) -> anyhow::Result<()> {
    // The supervisor of a stack starts its children on the main thread, outside
    // of any runtime: they die with the thread that started them.
    if let Command::Stack(StackCommand::Serve(args)) = &cli.command {
        return stack::serve(args);
    }
    ui::start_logging();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(commands::run(cli, ui))
}
