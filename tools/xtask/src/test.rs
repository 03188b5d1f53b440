//! `cargo xtask test`: all tests, against real servers.
//!
//! One stack (a ClickHouse and the AWS stand-in) serves the crates' own tests,
//! each in its own database and tables; the end-to-end tests start stacks of
//! their own. A part that is missing fails the run: no test is skipped.

use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::command::{self, cargo, output, programs, root, say};
use crate::prerequisites;

/// Name of the stack that serves the crates' tests.
const STACK: &str = "tests";

/// Runs all tests, or those whose names hold the filter.
pub fn run(filter: &[String]) -> anyhow::Result<()> {
    prerequisites::check()?;
    say("building; the first time takes some minutes");
    command::run(cargo().args(["build", "--release", "--workspace", "--all-targets", "--locked"]))?;
    let stack = Stack::up()?;
    let mut tests = cargo();
    tests
        .args(["test", "--release", "--workspace", "--locked", "--no-fail-fast", "--"])
        .args(filter);
    for (name, value) in stack.variables()? {
        tests.env(name, value);
    }
    command::run(&mut tests)
}

/// The running stack; it ends with this value.
struct Stack(Value);

impl Stack {
    fn up() -> anyhow::Result<Self> {
        // Left over from a run that was killed: its data is nobody's.
        stack(&["down"]).and_then(|mut down| output(&mut down))?;
        let answer = stack(&["up", "--json"]).and_then(|mut up| output(&mut up))?;
        Ok(Self(
            serde_json::from_slice(&answer)
                .context("reading what `motherlode stack up --json` says")?,
        ))
    }

    /// What the tests read their servers' addresses from.
    fn variables(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let text = |value: &Value, what: &str| {
            value
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("`stack up --json` does not say {what}"))
        };
        let cluster = &self.0["state"]["clusters"][0];
        Ok(vec![
            (
                "MOTHERLODE_TEST_AWS",
                text(&self.0["state"]["aws"]["endpoint"], "state.aws.endpoint")?,
            ),
            ("MOTHERLODE_TEST_CLICKHOUSE", text(&cluster["http"], "state.clusters[0].http")?),
            ("MOTHERLODE_TEST_CLICKHOUSE_USER", text(&cluster["user"], "state.clusters[0].user")?),
            (
                "MOTHERLODE_TEST_CLICKHOUSE_PASSWORD",
                text(&cluster["password"], "state.clusters[0].password")?,
            ),
        ])
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Err(error) = stack(&["down"]).and_then(|mut down| output(&mut down)) {
            say(&format!("the stack `{STACK}` was not stopped: {error:#}"));
        }
    }
}

fn stack(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(programs()?.join("motherlode"));
    command
        .arg("--root")
        .arg(root()?.join(".motherlode"))
        .args(["--stack", STACK, "stack"])
        .args(arguments);
    Ok(command)
}
