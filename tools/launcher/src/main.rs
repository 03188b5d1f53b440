//! A small program that stands between the local stack and the servers it
//! runs.
//!
//! It exists for two things that a plain `spawn` cannot do without `unsafe`:
//! a child that dies with its parent even when the parent is killed with
//! SIGKILL, and a ClickHouse server out of a shared library.
//!
//! ```text
//! launcher [--parent PID | --detach] chdb LIBRARY ARGS…
//! launcher [--parent PID | --detach] exec PROGRAM ARGS…
//! ```

mod args;
mod chdb;
mod tether;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::args::{Args, Job, Tie};

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse(std::env::args_os().skip(1))?;
    match args.tie {
        Tie::Parent(parent) => tether::die_with(parent)?,
        Tie::Detached => tether::detach()?,
    }
    match args.job {
        Job::Chdb { library, args } => chdb::run(&library, args),
        // `exec` comes back only when it failed.
        Job::Exec { program, args } => Err(Command::new(&program).args(args).exec())
            .with_context(|| format!("cannot run {}", program.display())),
    }
}
