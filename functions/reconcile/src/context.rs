//! What the function holds between invocations, checked at cold start.

use std::time::Duration;

use anyhow::Context as _;
use ingest::Ingest;
use runtime::Environment;

/// What the function holds between invocations.
pub struct Context {
    /// The stages.
    pub ingest: Ingest,
    /// Time before Lambda's deadline at which work is left for the next run.
    pub reserve: Duration,
}

impl Context {
    /// Reads the environment and makes the clients.
    pub async fn new(environment: &Environment) -> anyhow::Result<Self> {
        let config = runtime::aws::configuration().await;
        let worker = environment.get("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or("reconcile");
        let mut ingest =
            Ingest::wire(&config, environment, worker).context("reading the environment")?;
        let records = ingest.wire_records(&config, environment);
        records.context("reading how to reach Kafka")?;
        let reserve = environment.seconds("MOTHERLODE_DEADLINE_RESERVE_SECONDS", 5)?;
        Ok(Self { ingest, reserve })
    }
}
