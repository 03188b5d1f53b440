//! `cargo xtask check`: formatting, lints, layers. No server is needed.

use anyhow::{Context as _, bail};

use crate::command::{self, cargo, output, say};
use crate::layers;

/// Runs all checks.
pub fn run(_arguments: &[String]) -> anyhow::Result<()> {
    command::run(cargo().args(["fmt", "--all", "--check"]))?;
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata = serde_json::from_slice(&metadata).context("reading cargo metadata")?;
    let breaches = layers::breaches(&metadata)?;
    if !breaches.is_empty() {
        bail!("the workspace breaks its rules:\n{}", breaches.join("\n"));
    }
    say("the layers hold");
    command::run(cargo().args([
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}
