//! Which deployment a command talks to: a local stack, or AWS.

use anyhow::Context as _;
use aws_config::SdkConfig;
use devstack::StackState;
use ingest::Ingest;
use model::document::SourceDocument;
use runtime::Environment;

use crate::cli::Global;
use crate::failure::{Advise as _, advised};

/// The stack that is used when none is named.
pub const DEFAULT_STACK: &str = "local";

/// A deployment.
pub struct Target {
    /// What it is, in words: `the local stack local` or `AWS`.
    pub name: String,
    environment: Environment,
    config: SdkConfig,
}

impl Target {
    /// Finds the deployment that the command line names: a local stack when one
    /// is named, or is up; the AWS environment otherwise.
    ///
    /// # Errors
    /// When the named stack is not up.
    pub async fn find(global: &Global) -> anyhow::Result<Self> {
        if let Some(state) = local(global).await? {
            return Ok(Self::of_stack(&state).await);
        }
        let environment = Environment::of_process();
        // Before anything asks the network for a region and credentials.
        let named =
            environment.required("MOTHERLODE_CLUSTERS", "the ClickHouse clusters, as a JSON list");
        if global.aws {
            named.hint(no_deployment)?;
        } else {
            named
                .with_context(|| {
                    let root = global.root.display();
                    format!("the local stack {DEFAULT_STACK} under {root} is not up, and the environment names no deployment on AWS")
                })
                .hint(no_deployment)?;
        }
        let config = runtime::aws::configuration_for(&environment).await;
        Ok(Self { name: "AWS".to_owned(), environment, config })
    }

    /// The deployment that a local stack is.
    pub async fn of_stack(state: &StackState) -> Self {
        let environment = Environment::of(state.environment());
        let config = runtime::aws::configuration_for(&environment).await;
        Self { name: format!("the local stack {}", state.name), environment, config }
    }

    /// The stages of the deployment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn ingest(&self) -> anyhow::Result<Ingest> {
        let worker = format!("motherlode/{}", operator());
        Ingest::wire(&self.config, &self.environment, &worker).hint(no_deployment)
    }

    /// The stages of the deployment, with Kafka where it has it.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub async fn ingest_with_records(&self) -> anyhow::Result<Ingest> {
        let mut ingest = self.ingest()?;
        let records = ingest.wire_records(&self.config, &self.environment);
        records.context("reading how to reach Kafka")?;
        Ok(ingest)
    }

    /// The clusters of the deployment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn warehouse(&self) -> anyhow::Result<warehouse::ClickHouse> {
        Ingest::wire_warehouse(&self.config, &self.environment).hint(no_deployment)
    }

    /// The address of a queue.
    ///
    /// # Errors
    /// When the environment does not name it.
    pub fn url(&self, name: &'static str, what: &'static str) -> anyhow::Result<String> {
        self.environment.required(name, what).map(str::to_owned).hint(no_deployment)
    }

    /// The client of SQS.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        runtime::aws::sqs(&self.config)
    }

    /// The client of S3.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        runtime::aws::s3(&self.config, &self.environment)
    }
}

fn no_deployment() -> String {
    "start a local stack with `motherlode stack up`, or set the variables of the deployment on AWS"
        .to_owned()
}

/// The state of the local stack that is meant; none when AWS is.
async fn local(global: &Global) -> anyhow::Result<Option<StackState>> {
    if global.aws {
        return Ok(None);
    }
    let name = global.stack.as_deref().unwrap_or(DEFAULT_STACK);
    let dir = devstack::stack_dir(&global.root, name);
    match devstack::status(&dir).await {
        Ok(status) => Ok(Some(status.state)),
        Err(devstack::Error::NotUp { .. }) if global.stack.is_none() => Ok(None),
        Err(devstack::Error::NotUp { .. }) => Err(advised(
            format!("the local stack {name} under {} is not up", global.root.display()),
            format!("start it with `motherlode stack up --name {name}`, or leave out --stack to talk to AWS"),
        )),
        Err(error) => Err(error)
            .with_context(|| format!("asking the local stack {name}"))
            .hint(|| format!("restart it: `motherlode stack down --name {name}`, then `motherlode stack up --name {name}`")),
    }
}

/// Who works here, for the history of documents and the ledger.
#[must_use]
pub fn operator() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "operator".to_owned())
}

/// The cluster that holds the rows of a source: the first it is written to.
#[must_use]
pub fn cluster_of(document: &SourceDocument) -> &str {
    document.write.clusters.first().map_or("ingestion", String::as_str)
}
