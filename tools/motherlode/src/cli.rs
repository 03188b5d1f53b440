//! What can be asked: one struct per command is its arguments and its
//! configuration.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::accounting::AccountingArgs;
use crate::backfill::BackfillArgs;
use crate::demo::DemoArgs;
use crate::dlq::DlqCommand;
use crate::drift::DriftArgs;
use crate::load::LoadArgs;
use crate::migrate::MigrateCommand;
use crate::objects::ObjectsArgs;
use crate::partitions::PartitionsArgs;
use crate::quarantine::QuarantineCommand;
use crate::query::QueryArgs;
use crate::reconcile::ReconcileArgs;
use crate::reload::ReloadArgs;
use crate::sources::SourcesCommand;
use crate::stack::StackCommand;

/// Motherlode: files land in ClickHouse, each row once.
///
/// Commands talk to the local stack `local` when it is up, else to AWS as the
/// environment says (AWS_… and MOTHERLODE_… variables).
#[derive(Debug, Parser)]
#[command(name = "motherlode", version, max_term_width = 100)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Write the answer as JSON on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Talk to this local stack.
    #[arg(long, global = true, env = "MOTHERLODE_STACK", value_name = "NAME")]
    pub stack: Option<String>,
    /// Folder that local stacks lie under.
    #[arg(
        long,
        global = true,
        env = "MOTHERLODE_ROOT",
        value_name = "DIR",
        default_value = ".motherlode"
    )]
    pub root: PathBuf,
    /// Talk to AWS even when a local stack is up.
    #[arg(long, global = true, conflicts_with = "stack")]
    pub aws: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Source documents: propose, check, try, register, look up, go back.
    #[command(subcommand)]
    Sources(SourcesCommand),
    /// Upload files and follow them until they have landed.
    Load(LoadArgs),
    /// The ledger: what was loaded, and what was not.
    Objects(ObjectsArgs),
    /// Kafka's partitions: what was written of them, what waits, what is owed.
    Partitions(PartitionsArgs),
    /// Rows read, written, filtered and quarantined by source and hour; with
    /// `--check`, compared with what the clusters hold.
    Accounting(AccountingArgs),
    /// Rows that could not be loaded.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Objects whose columns were not those of their source document, and what
    /// was done: newest first, one event a day of each kind.
    Drift(DriftArgs),
    /// Messages that could not be handled.
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Load objects that lie in S3 already, those that the ledger lacks.
    Backfill(BackfillArgs),
    /// Load objects of S3 now, by what their document says about a changed key.
    Reload(ReloadArgs),
    /// Write to each cluster what it lacks: rows that went to another one while
    /// it was away, or before it was named.
    Reconcile(ReconcileArgs),
    /// The platform's own tables and views in ClickHouse.
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Run one statement on a cluster.
    Query(QueryArgs),
    /// The local stack: ClickHouse, AWS and the functions on this machine.
    #[command(subcommand)]
    Stack(StackCommand),
    /// Write the completions of a shell to standard output.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Show the whole platform with real files (`cargo xtask demo`).
    #[command(hide = true)]
    Demo(DemoArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_commands_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[rstest]
    #[case("sources infer a.csv -o a.yaml --name a --bucket b --prefix p/")]
    #[case("sources validate a.yaml b.yaml")]
    #[case("sources dry-run a.csv --source-file a.yaml --rows 5 --json")]
    #[case("sources dry-run a.csv --source a --key x/a.csv")]
    #[case("sources put a.yaml --note why")]
    #[case("sources list")]
    #[case("--stack two sources show a --version 3 --yaml")]
    #[case("sources history a")]
    #[case("sources rollback a --to 2")]
    #[case("sources schema")]
    #[case("load a.csv b.csv --source s --bucket landing")]
    #[case("load a.csv --source s --local --key x")]
    #[case("objects --source s --failed --limit 3")]
    #[case("partitions --source s")]
    #[case("migrate status platform --cluster a")]
    #[case("migrate apply platform clickstream --engine replicated --on-cluster c --plan")]
    #[case("quarantine list --source s --object k --limit 3")]
    #[case("quarantine show --source s --object k --row 7")]
    #[case("quarantine replay --source s --object k")]
    #[case("reload s3://b/k s3://b/l --source s --again")]
    #[case("query SELECT --cluster adhoc --format CSV")]
    #[case("accounting --source s --check")]
    #[case("dlq list --limit 5")]
    #[case("dlq replay --object orders/")]
    #[case("dlq list --of spill --topic events")]
    #[case("dlq replay --of kafka")]
    #[case("backfill --source s --prefix p/ --since 2026-11-01 --rate 5 --plan")]
    #[case("reconcile --plan")]
    #[case("reconcile --source s --all --json")]
    #[case("stack up --name two")]
    #[case("stack up --kafka --topic events:6 --topic pages")]
    #[case("stack serve --options file")]
    #[case("completions zsh")]
    fn command_lines_are_understood(#[case] line: &str) {
        let words = std::iter::once("motherlode").chain(line.split(' '));
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{error}");
        }
    }

    #[rstest]
    #[case("load --source s")]
    #[case("load a.csv")]
    #[case("load a.csv b.csv --source s --key k")]
    #[case("load a.csv --source s --local --bucket b")]
    #[case("sources dry-run a.csv")]
    #[case("sources dry-run a.csv --source a --source-file b")]
    #[case("sources rollback a")]
    #[case("--aws --stack a objects")]
    #[case("dlq list --of nobody")]
    #[case("dlq list --object a --topic b")]
    fn contradictions_are_refused(#[case] line: &str) {
        let words = std::iter::once("motherlode").chain(line.split(' '));
        match Cli::try_parse_from(words) {
            // What clap cannot express is refused by the command itself.
            Ok(Cli { command: Command::Load(args), .. }) => assert!(args.check().is_err()),
            Ok(_) => panic!("{line} was understood"),
            Err(error) => assert!(error.use_stderr()),
        }
    }
}
