//! What the function holds between invocations, checked at cold start. Nothing
//! connects before the first request.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use anyhow::Context as _;
use catalog::{CachedCatalog, Catalog, DynamoCatalog};
use kafka::{KafkaConfig, Producer};
use model::Clock;
use runtime::{Environment, Metric, Unit};

use crate::durable::{Durable, Kept};
use crate::handler::word;
use crate::schemas::Schemas;

/// A changed document is seen within this time.
const CATALOG_TTL: Duration = Duration::from_secs(15);

/// So long a request waits for the documents, before those at hand must do.
const CATALOG_PATIENCE: Duration = Duration::from_secs(2);

/// What the function holds between invocations.
pub struct Context {
    /// Which source a write key belongs to.
    pub catalog: Arc<dyn Catalog>,
    /// Where events are put.
    pub durable: Durable,
    /// Compiled JSON Schemas.
    pub schemas: Schemas,
}

impl Context {
    /// Reads the environment and makes the clients.
    pub async fn new(environment: &Environment) -> anyhow::Result<Self> {
        let config = runtime::aws::configuration_for(environment).await;
        let clock = Clock::system();
        let sources = environment
            .required("MOTHERLODE_SOURCES_TABLE", "the DynamoDB table of the source documents")?;
        let catalog = DynamoCatalog::new(runtime::aws::dynamodb(&config), sources, clock.clone());
        let queue = environment
            .get("MOTHERLODE_SPILL_QUEUE_URL")
            .map(|url| (runtime::aws::sqs(&config), url.to_owned()));
        let bucket = environment
            .get("MOTHERLODE_SPILL_BUCKET")
            .map(|bucket| (runtime::aws::s3(&config, environment), bucket.to_owned()));
        environment.required(kafka::BROKERS, "the Kafka brokers, as host:port,host:port")?;
        let kafka = KafkaConfig::from_environment(environment, &config)?;
        let kafka = kafka.context("reading how to reach Kafka")?;
        let durable = Durable {
            kafka: Producer::new(kafka),
            queue,
            bucket,
            clock: clock.clone(),
            rests_until_ms: AtomicI64::new(0),
        };
        Ok(Self {
            catalog: Arc::new(
                CachedCatalog::new(catalog, CATALOG_TTL, clock).with_patience(CATALOG_PATIENCE),
            ),
            durable,
            schemas: Schemas::default(),
        })
    }

    /// Writes the metrics of a request.
    pub fn count(&self, source: &str, taken: usize, rejected: usize, kept: Kept) {
        let count = |name, value: usize| Metric { name, unit: Unit::Count, value: value as u64 };
        let line = runtime::emf(
            u64::try_from(self.durable.clock.now_ms()).unwrap_or(0),
            &[("Source", source)],
            &[count(word(kept), taken), count("EventsRejected", rejected)],
            &[],
        );
        // Without standard output there is nobody to tell.
        drop(writeln!(std::io::stdout().lock(), "{line}"));
    }
}
