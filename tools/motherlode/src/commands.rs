//! From a command to the module that does it.

use clap::CommandFactory as _;

use crate::cli::{Cli, Command};
use crate::ui::Ui;
use crate::{
    accounting, backfill, demo, dlq, drift, load, migrate, objects, partitions, quarantine, query,
    reconcile, reload, sources, stack,
};

/// Does what the command line asks for.
pub async fn run(cli: Cli, ui: &Ui) -> anyhow::Result<()> {
    let global = &cli.global;
    match cli.command {
        Command::Sources(command) => sources::run(command, global, ui).await,
        Command::Load(args) => load::run(&args, global, ui).await,
        Command::Objects(args) => objects::run(&args, global, ui).await,
        Command::Partitions(args) => partitions::run(&args, global, ui).await,
        Command::Quarantine(command) => quarantine::run(command, global, ui).await,
        Command::Drift(args) => drift::run(&args, global, ui).await,
        Command::Dlq(command) => dlq::run(command, global, ui).await,
        Command::Backfill(args) => backfill::run(&args, global, ui).await,
        Command::Accounting(args) => accounting::run(&args, global, ui).await,
        Command::Reload(args) => reload::run(&args, global, ui).await,
        Command::Reconcile(args) => reconcile::run(&args, global, ui).await,
        Command::Migrate(command) => migrate::run(command, global, ui).await,
        Command::Query(args) => query::run(&args, global, ui).await,
        Command::Stack(command) => stack::run(command, global, ui).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "motherlode", &mut script);
            ui.data(&script)
        }
        Command::Demo(args) => demo::run(args, ui).await,
    }
}
