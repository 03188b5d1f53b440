//! `cargo xtask bench`: what it costs to load a file, in CPU seconds per
//! million rows, of the function and of the server; beside the server loading
//! the same file by itself and the usual Python program, all in one run.
//!
//! The function is the real one: a process behind the queue of the local
//! stack, which fetches the file from S3 and writes the default provenance
//! columns besides the file's own. CPU time is read from the processes; the
//! server's idle rate is measured before and taken off.

mod cases;
mod cold;
mod data;
mod funnel;
mod lambda;
mod meter;
mod pixel;
mod python;
mod rows;
mod run;
mod sink;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use testkit::Lake;

/// What is measured.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum What {
    /// Files through the mother.
    #[default]
    Files,
    /// Records of Kafka through the sink.
    Sink,
    /// Requests through the pixel.
    Pixel,
    /// A funnel over raw JSON and over typed events.
    Funnel,
    /// From the start of a process to its first answer.
    Cold,
}

/// What to measure.
#[derive(Debug, Clone, Parser)]
pub struct Options {
    /// What is measured.
    #[arg(value_enum, default_value_t)]
    pub what: What,
    /// Events of `funnel`.
    #[arg(long, default_value_t = 20_000_000)]
    pub events: u64,
    /// Where the zips of `cargo xtask package` for this processor lie: `cold` starts the
    /// functions that are deployed, and not those of the usual build.
    #[arg(long, value_name = "DIR")]
    pub bundles: Option<PathBuf>,
    /// Requests of each case of `pixel`.
    #[arg(long, default_value_t = 5_000)]
    pub requests: usize,
    /// Events of `sink`.
    #[arg(long, default_value_t = 200_000)]
    pub events_of_sink: usize,
    /// Rows of the generated files.
    #[arg(long, default_value_t = 1_000_000)]
    pub rows: usize,
    /// Runs of each case; medians are shown.
    #[arg(long, default_value_t = 3)]
    pub runs: usize,
    /// Only cases whose names hold this.
    #[arg(long)]
    pub only: Option<String>,
    /// Write the file's own columns alone, as ClickHouse by itself does.
    #[arg(long)]
    pub no_provenance: bool,
    /// Leave Python out.
    #[arg(long)]
    pub no_python: bool,
    /// Instead of the table: how many times all rows stand in one object of each format,
    /// to see that memory and the cost of a row stay as they are in a large one.
    #[arg(long, value_name = "TIMES")]
    pub large: Option<u64>,
    /// Instead of the table: how many times all columns stand side by side in one
    /// CSV.gz, to see that the cost of a value stays as it is in a wide one.
    #[arg(long, value_name = "TIMES", conflicts_with = "large")]
    pub wide: Option<usize>,
    /// Writes the table as JSON, too.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.what {
        What::Files => run::run(&options).await,
        What::Sink => sink::run(&options).await,
        What::Pixel => pixel::run(&options).await,
        What::Funnel => funnel::run(&options).await,
        What::Cold => cold::run(&options).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            meter::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn workspace() -> anyhow::Result<&'static Path> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).context("the workspace's folder")
}

/// Runs the files of a folder that are named by a number, in their order.
async fn tables(lake: &Lake, folder: &Path) -> anyhow::Result<()> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    for file in files {
        let sql = std::fs::read_to_string(&file)?;
        lake.query("ingestion", &sql).await.with_context(|| file.display().to_string())?;
    }
    Ok(())
}
