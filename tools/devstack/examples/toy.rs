//! A function for the tests: does what the body of each message says, and
//! notes what it saw in the folder that TOY_DIR names.
//!
//! `ok`, `fail` (this message only), `error` (the whole batch), `crash`,
//! `hang`; `wait NAME` handles the event once a file of that name is there,
//! `until NAME` is an error until then.
//!
//! Of Kafka's records it notes every batch as one line of the file `batches`,
//! a list of partition, offset and value, and the last event in `event`.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let dir = PathBuf::from(std::env::var("TOY_DIR")?);
    if let Some(partitions) = event.payload["records"].as_object() {
        return records(&event.payload, partitions, &dir).await;
    }
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

async fn records(
    event: &Value,
    partitions: &serde_json::Map<String, Value>,
    dir: &Path,
) -> Result<Value, Error> {
    let mut batch = Vec::new();
    for (name, records) in partitions {
        for record in records.as_array().into_iter().flatten() {
            let value = record["value"].as_str().unwrap_or_default();
            let value = String::from_utf8(BASE64_STANDARD.decode(value)?)?;
            batch.push((name, record["partition"].clone(), record["offset"].clone(), value));
        }
    }
    let noted: Vec<_> = batch
        .iter()
        .map(|(_, partition, offset, value)| {
            // Large ones are there for their size.
            json!([partition, offset, value.chars().take(40).collect::<String>()])
        })
        .collect();
    let mut batches = File::options().create(true).append(true).open(dir.join("batches"))?;
    batches.write_all(format!("{}\n", json!(noted)).as_bytes())?;
    std::fs::write(dir.join("event"), event.to_string())?;
    let mut failures = Vec::new();
    for (name, _, offset, value) in &batch {
        if !act(value, dir).await? {
            failures.push(json!({"itemIdentifier": {"partition": name, "offset": offset}}));
        }
    }
    Ok(json!({ "batchItemFailures": failures }))
}

async fn act(what: &str, dir: &Path) -> Result<bool, Error> {
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
        ("until", name) if !dir.join(name).exists() => return Err("not yet".into()),
        _ => {}
    }
    Ok(true)
}
