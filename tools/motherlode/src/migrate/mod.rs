//! `migrate`: the platform's own databases, tables and views on every cluster.
//!
//! `files` holds the statements, `engine` makes them fit a cluster, `history` says
//! which of them it has.

mod engine;
mod files;
mod history;

use std::collections::BTreeMap;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;
use warehouse::{Warehouse, WarehouseError};

pub use self::engine::Engine;
use self::engine::{Fit, statement};
use self::files::{ACCESS, ALL, Migration, SETS};
use self::history::{Applied, history, note};
use crate::cli::Global;
use crate::failure::{Advise as _, advised, usage};
use crate::table::Table;
use crate::target::{Target, operator};
use crate::ui::Ui;

/// Commands on what the platform keeps in ClickHouse.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Apply the files that a cluster lacks, in order. Safe to run again.
    Apply(ApplyArgs),
    /// Which files each cluster has.
    Status(Which),
}

/// Which files, on which clusters.
#[derive(Debug, Args)]
pub struct Which {
    /// Only these sets: `platform` (quarantine, drift), `clickstream`, `access` (roles and
    /// grants, which only an administrator of users may make). The first two when absent.
    #[arg(value_name = "SET")]
    sets: Vec<String>,
    /// Only this cluster; all of them when absent.
    #[arg(long)]
    cluster: Option<String>,
}

/// What is applied, and how.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    which: Which,
    /// What kind of tables the clusters have; asked of each when absent.
    #[arg(long)]
    engine: Option<Engine>,
    /// Run each statement on all nodes of this cluster of `remote_servers`, as
    /// replicated tables need where their database is not replicated itself.
    #[arg(long, value_name = "NAME")]
    on_cluster: Option<String>,
    /// With `access`: grant on this database (may be given several times) and on the
    /// platform's own, and not on all of them.
    #[arg(long = "database", value_name = "NAME")]
    databases: Vec<String>,
    /// Print the statements, and run none.
    #[arg(long)]
    plan: bool,
}

/// A file on a cluster.
#[derive(Debug, Serialize)]
struct Shown {
    cluster: String,
    name: &'static str,
    state: State,
    /// When it was applied last, UTC.
    applied_at: Option<String>,
    /// By whom.
    applied_by: Option<String>,
}

/// What a cluster has of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It was applied as it is.
    Applied,
    /// It was not applied.
    Missing,
    /// What was applied was another text, and it can be applied again.
    Outdated,
    /// What was applied was another text, and that must not be.
    Changed,
}

/// A file that was applied, or would be.
#[derive(Debug, Serialize)]
struct Done {
    cluster: String,
    name: &'static str,
    /// With `--plan`: what would run.
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
}

/// Does what is asked.
pub async fn run(command: MigrateCommand, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::find(global).await?;
    match command {
        MigrateCommand::Apply(args) => apply(&args, &target, ui).await,
        MigrateCommand::Status(which) => status(&which, &target, ui).await,
    }
}

impl Which {
    fn files(&self) -> anyhow::Result<Vec<&'static Migration>> {
        if let Some(unknown) = self.sets.iter().find(|set| !SETS.contains(&set.as_str())) {
            return Err(usage(format!("there is no set `{unknown}`, but {}", SETS.join(", "))));
        }
        let is_meant = |file: &&Migration| match self.sets.is_empty() {
            true => file.set() != ACCESS,
            false => self.sets.iter().any(|set| set == file.set()),
        };
        Ok(ALL.iter().filter(is_meant).collect())
    }

    fn clusters(&self, target: &Target) -> anyhow::Result<Vec<String>> {
        let warehouse = target.warehouse()?;
        let known: Vec<String> = warehouse.clusters().map(str::to_owned).collect();
        match &self.cluster {
            None => Ok(known),
            Some(name) if known.contains(name) => Ok(vec![name.clone()]),
            Some(name) => {
                Err(usage(format!("there is no cluster `{name}`, but {}", known.join(", "))))
            }
        }
    }
}

async fn status(which: &Which, target: &Target, ui: &Ui) -> anyhow::Result<()> {
    let (files, warehouse) = (which.files()?, target.warehouse()?);
    let mut shown = Vec::new();
    for cluster in which.clusters(target)? {
        let known = history(&warehouse, &cluster).await.hint(not_reached)?;
        shown.extend(files.iter().map(|file| {
            let applied = known.get(file.name);
            Shown {
                cluster: cluster.clone(),
                name: file.name,
                state: state_of(file, applied),
                applied_at: applied.map(|applied| applied.at.clone()),
                applied_by: applied.map(|applied| applied.by.clone()),
            }
        }));
    }
    ui.answer(&shown, || {
        let mut table = Table::new(["cluster", "file", "state", "applied (UTC)", "by"]);
        for one in &shown {
            table.row([
                one.cluster.clone(),
                one.name.to_owned(),
                one.state.word().to_owned(),
                one.applied_at.clone().unwrap_or_default(),
                one.applied_by.clone().unwrap_or_default(),
            ]);
        }
        table.to_string()
    })
}

fn not_reached() -> &'static str {
    "`motherlode stack status` says whether the cluster answers; on AWS, see its nodes and secret"
}

fn state_of(file: &Migration, applied: Option<&Applied>) -> State {
    match applied {
        None => State::Missing,
        Some(applied) if applied.checksum == file.checksum() => State::Applied,
        Some(_) if file.replaces() => State::Outdated,
        Some(_) => State::Changed,
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Missing => "missing",
            Self::Outdated => "outdated",
            Self::Changed => "CHANGED since it was applied",
        }
    }
}

async fn apply(args: &ApplyArgs, target: &Target, ui: &Ui) -> anyhow::Result<()> {
    let (files, warehouse) = (args.which.files()?, target.warehouse()?);
    let mut done = Vec::new();
    for cluster in args.which.clusters(target)? {
        let engine = match args.engine {
            Some(engine) => engine,
            None => found(&warehouse, &cluster).await.hint(not_reached)?,
        };
        let fit =
            Fit { engine, on_cluster: args.on_cluster.as_deref(), databases: &args.databases };
        if args.plan {
            let known = history(&warehouse, &cluster).await.hint(not_reached)?;
            done.extend(wanted(&files, &known)?.into_iter().map(|file| Done {
                cluster: cluster.clone(),
                name: file.name,
                statement: Some(statement(file, fit)),
            }));
            continue;
        }
        let task = ui.task(&format!("cluster {cluster}"));
        let applied =
            apply_to(&warehouse, &cluster, fit, &files, |name| task.at("applying", name)).await?;
        drop(task);
        done.extend(applied.into_iter().map(|name| Done {
            cluster: cluster.clone(),
            name,
            statement: None,
        }));
    }
    ui.answer(&done, || {
        let line = |done: &Done| match &done.statement {
            Some(text) => {
                format!("-- {} on cluster {}\n{};\n", done.name, done.cluster, text.trim_end())
            }
            None => format!("{}: {}\n", done.cluster, done.name),
        };
        match done.is_empty() {
            true => "every cluster has all of it\n".to_owned(),
            false => done.iter().map(line).collect(),
        }
    })
}

/// Applies the files of some sets that a cluster lacks, and gives their names.
///
/// # Errors
/// When one has changed since it was applied, or the server refuses one.
pub async fn apply_sets(
    warehouse: &dyn Warehouse,
    cluster: &str,
    sets: &[&str],
) -> anyhow::Result<Vec<&'static str>> {
    let files: Vec<_> = ALL.iter().filter(|file| sets.contains(&file.set())).collect();
    let engine = found(warehouse, cluster).await?;
    let fit = Fit { engine, on_cluster: None, databases: &[] };
    apply_to(warehouse, cluster, fit, &files, |_| ()).await
}

async fn apply_to(
    warehouse: &dyn Warehouse,
    cluster: &str,
    fit: Fit<'_>,
    files: &[&'static Migration],
    progress: impl Fn(&str),
) -> anyhow::Result<Vec<&'static str>> {
    let known = history(warehouse, cluster).await.hint(not_reached)?;
    let (mut applied, mut unnoted) = (Vec::new(), Vec::new());
    // The history is kept by the first two.
    let own = ALL.iter().filter(|file| file.set() == "platform").take(2);
    let own = own.filter(|file| !files.iter().any(|other| other.name == file.name));
    let all: Vec<_> = own.chain(files.iter().copied()).collect();
    for file in wanted(&all, &known)? {
        progress(file.name);
        let sql = statement(file, fit);
        let run = warehouse.query(cluster, &sql, &[]).await;
        run.with_context(|| format!("infra/clickhouse/{}.sql on cluster {cluster}", file.name))
            .hint(
                || "mend what the server says, and apply again: what was done before is skipped",
            )?;
        if let Some((database, table)) = file.table() {
            check_engine(warehouse, cluster, fit.engine, (database, table)).await?;
        }
        applied.push(file.name);
        unnoted.push(file);
        // The history has no table before the file behind this one.
        if file.name == ALL[0].name {
            continue;
        }
        for file in unnoted.drain(..) {
            note(warehouse, cluster, file, fit.engine, &operator())
                .await
                .hint(|| "what the file makes is there; apply again to note it")?;
        }
    }
    Ok(applied)
}

/// The files that a cluster lacks.
fn wanted<'a>(
    files: &[&'a Migration],
    known: &BTreeMap<String, Applied>,
) -> anyhow::Result<Vec<&'a Migration>> {
    let mut wanted = Vec::new();
    for file in files {
        match state_of(file, known.get(file.name)) {
            State::Applied if !file.grants() => {}
            State::Applied | State::Missing | State::Outdated => wanted.push(*file),
            State::Changed => {
                return Err(advised(
                    format!("infra/clickhouse/{}.sql has changed since it was applied", file.name),
                    "put the change into a new file behind the others; see `motherlode migrate status`",
                ));
            }
        }
    }
    Ok(wanted)
}

/// The kind of tables that a cluster has.
async fn found(warehouse: &dyn Warehouse, cluster: &str) -> Result<Engine, WarehouseError> {
    let sql = "SELECT (SELECT count() FROM system.settings WHERE name = 'cloud_mode' AND value = '1') AS cloud, \
               (SELECT count() FROM system.macros WHERE macro = 'replica') AS replicas";
    let rows = warehouse.query(cluster, sql, &[]).await?;
    let is_some = |name: &str| {
        let value = rows.first().and_then(|row| row.get(name));
        // Large numbers come as texts.
        value.is_some_and(|value| value.as_str().map_or(*value != 0, |text| text != "0"))
    };
    Ok(match (is_some("cloud"), is_some("replicas")) {
        (true, _) => Engine::Cloud,
        (false, true) => Engine::Replicated,
        (false, false) => Engine::Single,
    })
}

/// A table that was there before, of another kind, would hold other rows on each node.
async fn check_engine(
    warehouse: &dyn Warehouse,
    cluster: &str,
    wanted: Engine,
    (database, table): (&str, &str),
) -> anyhow::Result<()> {
    let sql = "SELECT engine FROM system.tables WHERE database = {database:String} AND name = {table:String}";
    let parameters = [("database", database.to_owned()), ("table", table.to_owned())];
    let rows = warehouse.query(cluster, sql, &parameters).await.hint(not_reached)?;
    let engine = rows.first().and_then(|row| row.get("engine")?.as_str()).unwrap_or_default();
    if engine.starts_with(wanted.prefix()) {
        return Ok(());
    }
    Err(advised(
        format!(
            "{database}.{table} on cluster {} is a {engine}, and {} tables are wanted",
            cluster,
            wanted.name()
        ),
        format!(
            "RENAME TABLE {database}.{table} TO {database}.{table}_before, apply again, copy its rows with INSERT … SELECT, \
             and drop it; or say --engine"
        ),
    ))
}
