//! A function for the tests: does what the body of each message says, and
//! notes what it saw in the folder that TOY_DIR names.
//!
//! `ok`, `fail` (this message only), `error` (the whole batch), `crash`,
//! `hang`; `wait NAME` handles the event once a file of that name is there.

use std::path::PathBuf;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let dir = PathBuf::from(std::env::var("TOY_DIR")?);
    let Some(records) = event.payload["Records"].as_array() else {
        act(event.payload["do"].as_str().unwrap_or("ok"), &dir).await?;
        return Ok(
            json!({ "pid": std::process::id(), "queue": std::env::var("MOTHERLODE_QUEUE_URL").ok() }),
        );
    };
    let mut failures = Vec::new();
    for record in records {
        let id = record["messageId"].as_str().unwrap_or_default();
        let count = record["attributes"]["ApproximateReceiveCount"].as_str().unwrap_or_default();
        let body = record["body"].as_str().unwrap_or_default();
        std::fs::write(dir.join(format!("seen-{id}-{count}")), body)?;
        if !act(body, &dir).await? {
            failures.push(json!({ "itemIdentifier": id }));
        }
    }
    Ok(json!({ "batchItemFailures": failures }))
}

async fn act(what: &str, dir: &std::path::Path) -> Result<bool, Error> {
    match what.split_once(' ').unwrap_or((what, "")) {
        ("fail", _) => return Ok(false),
        ("error", _) => return Err("asked to".into()),
        ("crash", _) => std::process::abort(),
        ("hang", _) => std::future::pending::<()>().await,
        ("wait", name) => {
            while !dir.join(name).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        _ => {}
    }
    Ok(true)
}
