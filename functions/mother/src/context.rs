//! What the function holds between invocations, checked at cold start.

use std::time::Duration;

use anyhow::Context as _;
use ingest::Ingest;
use runtime::Environment;

use crate::queue::Queue;

/// Bytes above which a Parquet object is loaded in parts, unless it is said
/// otherwise: a few minutes' work of one invocation.
const SPLIT_BYTES: u64 = 1 << 30;

/// What the function holds between invocations.
pub struct Context {
    /// The stages.
    pub ingest: Ingest,
    /// The function's own queue; none when it is only invoked directly.
    pub queue: Option<Queue>,
    /// Time before Lambda's deadline at which work is given back.
    pub reserve: Duration,
    /// Deliveries after which the queue gives a message to the dead letters;
    /// none when it is not known.
    pub max_receives: Option<u32>,
}

impl Context {
    /// Reads the environment and makes the clients.
    pub async fn new(environment: &Environment) -> anyhow::Result<Self> {
        let config = runtime::aws::configuration().await;
        let worker = environment.get("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or("mother");
        let mut ingest =
            Ingest::wire(&config, environment, worker).context("reading the environment")?;
        let queue = environment
            .get("MOTHERLODE_QUEUE_URL")
            .map(|url| Queue { client: runtime::aws::sqs(&config), url: url.to_owned() });
        // The parts of an object travel through the queue.
        let split_bytes =
            environment.parsed("MOTHERLODE_SPLIT_BYTES", "a number of bytes", SPLIT_BYTES)?;
        ingest.settings.split_bytes = queue.as_ref().map(|_| split_bytes);
        let reserve = environment.seconds("MOTHERLODE_DEADLINE_RESERVE_SECONDS", 5)?;
        let max_receives = environment
            .get("MOTHERLODE_MAX_RECEIVES")
            .map(|number| number.parse().context("MOTHERLODE_MAX_RECEIVES must be a whole number"))
            .transpose()?;
        Ok(Self { ingest, queue, reserve, max_receives })
    }
}
