//! `cargo xtask chaos`: builds everything, then breaks it on purpose.

use std::process::Command;

use crate::command::{self, cargo, programs, say};
use crate::prerequisites;

/// Builds and runs the scenarios; the arguments are theirs.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    prerequisites::check()?;
    say("building; the first time takes some minutes");
    command::run(cargo().args(["build", "--release", "--workspace", "--all-targets", "--locked"]))?;
    command::run(Command::new(programs()?.join("chaos")).args(arguments))
}
