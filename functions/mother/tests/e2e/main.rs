//! The mother function, end to end: real servers, the real binary, and the
//! exact outcome of each fault asserted by query.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking, like the test")]

mod bad_input;
mod changed;
mod clusters;
mod delivery;
mod drift;
mod failover;
mod files;
mod formats;
mod messages;
mod oracle;
mod parts;
mod replay;

use std::sync::OnceLock;

use devstack::{AttachedStack, StackState};
use testkit::{Lake, Setup};

/// The stack that most tests share, each with a source and a table of its own.
async fn shared() -> Lake {
    static STACK: OnceLock<AttachedStack> = OnceLock::new();
    let state = tokio::task::spawn_blocking(|| {
        let setup = Setup { clusters: &["ingestion", "analytics"], ..Setup::new("mother-e2e") };
        STACK.get_or_init(|| testkit::start(&setup).unwrap()).state().clone()
    });
    connect(&state.await.unwrap()).await
}

async fn connect(state: &StackState) -> Lake {
    Lake::of(state).await.unwrap()
}

/// A document for rows `id, name, amount` under the prefix `SOURCE/`.
fn document(source: &str, format: &str, more: &str) -> String {
    let table = source.replace('-', "_");
    format!(
        "
source: {source}
version: 1
owner: tests
match: {{ prefix: {source}/ }}
format: {format}
columns:
  - {{ name: id, type: UInt32, required: true }}
  - {{ name: name, type: Nullable(String) }}
  - {{ name: amount, type: Float64, default: 0 }}
table: {{ database: e2e, name: {table}, order_by: [id] }}
{more}
"
    )
}
