//! The stages of a deployment, from the environment: the same for every
//! function and for the operator's command line.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use catalog::{CachedCatalog, DynamoCatalog};
use kafka::{KafkaConfig, KafkaError};
use ledger::{DynamoLedger, DynamoPartitions, Outages};
use model::{Clock, Disposition};
use objects::S3Objects;
use runtime::{Environment, EnvironmentError};
use thiserror::Error;
use warehouse::{
    ClickHouse, ClusterConfig, ConfigError, Credentials, CredentialsError, CredentialsProvider,
    HealthBoard, NoBoard, Options,
};

use crate::health::SharedBoard;
use crate::{Ingest, Settings, Told};

/// A warm function asks for changed documents this often; with the time of one
/// load, a change is seen within 30 seconds.
const CATALOG_TTL: Duration = Duration::from_secs(15);

/// Why a deployment's stages cannot be wired.
#[derive(Debug, Error)]
pub enum WiringError {
    /// A variable is missing or wrong.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The list of clusters is wrong.
    #[error(transparent)]
    Clusters(#[from] ConfigError),
}

impl Ingest {
    /// Wires the stages of a deployment. Clients connect when they are first
    /// used.
    ///
    /// # Errors
    /// [`WiringError`] names the variable that is missing or wrong.
    pub fn wire(
        config: &SdkConfig,
        environment: &Environment,
        worker: &str,
    ) -> Result<Self, WiringError> {
        let clock = Clock::system();
        let ledger =
            environment.required("MOTHERLODE_LEDGER_TABLE", "the DynamoDB table of the ledger")?;
        let sources = environment
            .required("MOTHERLODE_SOURCES_TABLE", "the DynamoDB table of the source documents")?;
        let lease = environment.seconds("MOTHERLODE_LEASE_SECONDS", 60)?;
        let dynamodb = runtime::aws::dynamodb(config);
        let board = SharedBoard(Outages::new(dynamodb.clone(), ledger));
        let warehouse = Self::wire_clusters(config, environment, Arc::new(board))?;
        let catalog = DynamoCatalog::new(dynamodb.clone(), sources, clock.clone());
        Ok(Self {
            objects: Arc::new(S3Objects::new(runtime::aws::s3(config, environment))),
            catalog: Arc::new(CachedCatalog::new(catalog, CATALOG_TTL, clock.clone())),
            partitions: Arc::new(DynamoPartitions::new(dynamodb.clone(), ledger, clock.clone())),
            ledger: Arc::new(DynamoLedger::new(dynamodb, ledger, clock.clone())),
            records: None,
            warehouse: Arc::new(warehouse),
            clock,
            settings: Settings { lease, worker: worker.to_owned(), split_bytes: None },
            told: Told::default(),
        })
    }

    /// Lets records be read from Kafka once more, where the environment names
    /// brokers.
    ///
    /// # Errors
    /// When how to reach them is said wrongly.
    pub fn wire_records(
        &mut self,
        config: &SdkConfig,
        environment: &Environment,
    ) -> Result<(), KafkaError> {
        let kafka = KafkaConfig::from_environment(environment, config)?;
        self.records = kafka.map(|kafka| Arc::new(kafka::Reader::new(kafka)));
        Ok(())
    }

    /// Wires the clusters of a deployment alone, for an operator's queries.
    ///
    /// # Errors
    /// As [`Ingest::wire`].
    pub fn wire_warehouse(
        config: &SdkConfig,
        environment: &Environment,
    ) -> Result<ClickHouse, WiringError> {
        Self::wire_clusters(config, environment, Arc::new(NoBoard))
    }

    fn wire_clusters(
        config: &SdkConfig,
        environment: &Environment,
        board: Arc<dyn HealthBoard>,
    ) -> Result<ClickHouse, WiringError> {
        let clusters = ClusterConfig::parse_list(
            environment
                .required("MOTHERLODE_CLUSTERS", "the ClickHouse clusters, as a JSON list")?,
        )?;
        let secrets = Arc::new(Secrets(runtime::aws::secrets(config)));
        Ok(ClickHouse::new(clusters, secrets, board, Clock::system(), Options::default()))
    }
}

/// Credentials from Secrets Manager.
struct Secrets(aws_sdk_secretsmanager::Client);

#[async_trait]
impl CredentialsProvider for Secrets {
    async fn credentials(&self, secret: &str) -> Result<Credentials, CredentialsError> {
        let refuse = |reason: String, disposition| CredentialsError {
            secret: secret.to_owned(),
            reason,
            disposition,
        };
        let answer = self.0.get_secret_value().secret_id(secret).send().await.map_err(|error| {
            let service = error.as_service_error();
            let is_absent = service.is_some_and(|error| error.is_resource_not_found_exception());
            if is_absent {
                refuse("there is no such secret in Secrets Manager".to_owned(), Disposition::Fatal)
            } else {
                refuse(DisplayErrorContext(&error).to_string(), Disposition::Retry)
            }
        })?;
        let text = answer
            .secret_string()
            .ok_or_else(|| refuse("it holds no text".to_owned(), Disposition::Fatal))?;
        Credentials::parse(secret, text)
    }
}
