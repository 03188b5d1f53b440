//! The operator's commands on a running stack, each as the program itself.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking, like the test")]

mod backfill;
mod dead_letters;
mod letters_of_streams;
mod migrate;
mod quarantine;
mod reload;
mod tls;

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use devstack::AttachedStack;
use serde_json::Value;
use testkit::{Lake, Setup};

/// The stack that the tests share, each with a source and a table of its own.
async fn shared() -> Lake {
    static STACK: OnceLock<AttachedStack> = OnceLock::new();
    let state = tokio::task::spawn_blocking(|| {
        let setup = Setup { max_receive_count: 1, ..Setup::new("commands") };
        STACK.get_or_init(|| testkit::start(&setup).unwrap()).state().clone()
    });
    Lake::of(&state.await.unwrap()).await.unwrap()
}

/// What a command did.
struct Done {
    is_success: bool,
    /// Its answer as JSON; null when there is none.
    answer: Value,
    /// What it said beside it.
    said: String,
}

/// Runs `motherlode` with `--json` on the shared stack.
async fn motherlode(lake: &Lake, arguments: &[&str]) -> Done {
    // DIR/stacks/NAME is the stack's own folder.
    let root = lake.state.dir.ancestors().nth(2).map(Path::to_owned).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_motherlode"));
    command.args(["--json", "--stack", &lake.state.name, "--root"]).arg(root).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    Done {
        is_success: output.status.success(),
        answer: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        said: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The same, of a command that must succeed.
async fn answer(lake: &Lake, arguments: &[&str]) -> Value {
    let done = motherlode(lake, arguments).await;
    assert!(done.is_success, "{arguments:?}: {}", done.said);
    done.answer
}

/// A document for rows `id, amount` under the prefix `SOURCE/`.
fn document(source: &str, amount: &str, more: &str) -> String {
    let table = source.replace('-', "_");
    format!(
        "
source: {source}
version: 1
owner: tests
match: {{ prefix: {source}/ }}
format: {{ csv: {{}} }}
columns:
  - {{ name: id, type: UInt32, required: true }}
  - {{ name: amount, type: {amount} }}
table: {{ database: commands, name: {table}, order_by: [id] }}
{more}
"
    )
}

/// Rows and distinct rows of a table.
async fn rows(lake: &Lake, table: &str) -> (u64, u64) {
    let sql = format!(
        "SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(id)) AS ids FROM commands.{table}"
    );
    let found = lake.query("ingestion", &sql).await.unwrap();
    (found[0]["rows"].as_u64().unwrap(), found[0]["ids"].as_u64().unwrap())
}
