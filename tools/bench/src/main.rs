//! `cargo xtask bench`: what it costs to load a file, in CPU seconds per
//! million rows, of the function and of the server; beside the server loading
//! the same file by itself and the usual Python program, all in one run.
//!
//! The function is the real one: a process behind the queue of the local
//! stack, which fetches the file from S3 and writes the default provenance
//! columns besides the file's own. CPU time is read from the processes; the
//! server's idle rate is measured before and taken off.

mod cases;
mod data;
mod meter;
mod python;
mod rows;
mod run;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// What to measure.
#[derive(Debug, Clone, Parser)]
pub struct Options {
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
    /// Instead of the table: how many times all rows stand in one CSV.gz, to see
    /// that memory and the cost of a row stay as they are in a large object.
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
    match run::run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            meter::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
