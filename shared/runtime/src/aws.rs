//! The clients of AWS: one HTTP client (hyper 1, rustls with ring) for all of
//! them, and the settings that a stand-in needs.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedHttpClient};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::Environment;

/// Loads the configuration of AWS from the environment.
pub async fn configuration() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest()).http_client(http_client()).load().await
}

/// The configuration of AWS from variables that are given instead of the
/// process's own: those of a local stack. What they do not name is looked up as
/// usual.
pub async fn configuration_for(environment: &Environment) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client());
    if let Some(region) = environment.get("AWS_REGION") {
        loader = loader.region(Region::new(region.to_owned()));
    }
    // Said here it would stand above AWS_ENDPOINT_URL_SQS and its like, which the SDK
    // reads from the process's own variables.
    let own = std::env::var("AWS_ENDPOINT_URL").ok();
    if let Some(endpoint) =
        environment.get("AWS_ENDPOINT_URL").filter(|it| own.as_deref() != Some(it))
    {
        loader = loader.endpoint_url(endpoint);
    }
    if let (Some(id), Some(secret)) =
        (environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY"))
    {
        let token = environment.get("AWS_SESSION_TOKEN").map(str::to_owned);
        loader =
            loader.credentials_provider(Credentials::new(id, secret, token, None, "environment"));
    }
    loader.load().await
}

fn http_client() -> SharedHttpClient {
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    SharedHttpClient::new(Late(client))
}

/// A client that reads the system's certificates for its first request, and not when
/// it is made: they are a third of a cold start, and many an invocation needs none.
#[derive(Debug)]
struct Late(SharedHttpClient);

impl HttpClient for Late {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    // `validate_base_client_config`, which is not passed on, is what reads them early.

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

/// The client of S3. `MOTHERLODE_S3_PATH_STYLE=true` is for stand-ins whose
/// buckets are not host names.
#[must_use]
pub fn s3(config: &SdkConfig, environment: &Environment) -> aws_sdk_s3::Client {
    let path_style = environment.get("MOTHERLODE_S3_PATH_STYLE") == Some("true");
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// How long one attempt of a call may take whose answer is small: without it, a service
/// that takes connections and does not answer holds an invocation to its end. Not for
/// S3, whose bodies take as long as they are large.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

/// The longest that SQS may be asked to wait for a message.
const LONGEST_POLL: Duration = Duration::from_secs(20);

fn attempts_within(limit: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(limit).build()
}

/// The client of SQS.
#[must_use]
pub fn sqs(config: &SdkConfig) -> aws_sdk_sqs::Client {
    let limit = attempts_within(LONGEST_POLL + ATTEMPT_LIMIT);
    let config = aws_sdk_sqs::config::Builder::from(config).timeout_config(limit).build();
    aws_sdk_sqs::Client::from_conf(config)
}

/// The client of DynamoDB.
#[must_use]
pub fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let limit = attempts_within(ATTEMPT_LIMIT);
    let config = aws_sdk_dynamodb::config::Builder::from(config).timeout_config(limit).build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// The client of Secrets Manager.
#[must_use]
pub fn secrets(config: &SdkConfig) -> aws_sdk_secretsmanager::Client {
    aws_sdk_secretsmanager::Client::new(config)
}
