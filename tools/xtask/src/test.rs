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

/// Events that the tables of the clickstream lane are tested with.
const CLICKSTREAM_ROWS: u32 = 200_000;

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
    let tested = command::run(&mut tests);
    if filter.is_empty() {
        scripts(&stack)?;
    }
    tested
}

/// What is tested by scripts: the tracker, the tables of the clickstream lane, and the
/// deployment.
fn scripts(stack: &Stack) -> anyhow::Result<()> {
    say("testing the tracker");
    let tracker = root()?.join("functions/pixel/tracker/test");
    let suites = ["delivery.test.mjs", "events.test.mjs"].map(|name| tracker.join(name));
    command::run(Command::new("node").arg("--test").args(suites))?;
    say("testing the tables of the clickstream lane");
    let [url, user, password] = stack.cluster()?;
    command::run(
        Command::new("bash")
            .arg(root()?.join("infra/clickhouse/clickstream/test/check.sh"))
            .args([url, format!("{user}:{password}"), CLICKSTREAM_ROWS.to_string()]),
    )?;
    say("checking the deployment; the first time its tools are installed");
    command::run(Command::new("bash").arg(root()?.join("infra/check.sh")))
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
        let aws = text(&self.0["state"]["aws"]["endpoint"], "state.aws.endpoint")?;
        let [url, user, password] = self.cluster()?;
        Ok(vec![
            ("MOTHERLODE_TEST_AWS", aws),
            ("MOTHERLODE_TEST_CLICKHOUSE", url),
            ("MOTHERLODE_TEST_CLICKHOUSE_USER", user),
            ("MOTHERLODE_TEST_CLICKHOUSE_PASSWORD", password),
        ])
    }

    /// URL, user and password of the first cluster.
    fn cluster(&self) -> anyhow::Result<[String; 3]> {
        let cluster = &self.0["state"]["clusters"][0];
        Ok([
            text(&cluster["http"], "state.clusters[0].http")?,
            text(&cluster["user"], "state.clusters[0].user")?,
            text(&cluster["password"], "state.clusters[0].password")?,
        ])
    }
}

fn text(value: &Value, what: &str) -> anyhow::Result<String> {
    let text = value.as_str().map(str::to_owned);
    text.with_context(|| format!("`stack up --json` does not say {what}"))
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
