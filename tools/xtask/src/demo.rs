//! `cargo xtask demo`: builds what the demo runs, then runs it.

use std::process::Command;

use crate::command::{self, cargo, programs, say};
use crate::prerequisites;

/// Builds and runs the demo; the arguments are the demo's own.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    prerequisites::check()?;
    say("building; the first time takes some minutes");
    // The same selection as `cargo xtask test`: another one would choose other
    // features, and compile the dependencies once more.
    command::run(cargo().args(["build", "--release", "--workspace", "--all-targets", "--locked"]))?;
    command::run(Command::new(programs()?.join("motherlode")).arg("demo").args(arguments))
}
