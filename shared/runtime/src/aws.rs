//! The clients of AWS: one HTTP client (hyper 1, rustls with ring) for all of
//! them, and the settings that a stand-in needs.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls;

use crate::Environment;

/// Loads the configuration of AWS from the environment.
pub async fn configuration() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await
}

/// The client of S3. `MOTHERLODE_S3_PATH_STYLE=true` is for stand-ins whose
/// buckets are not host names.
#[must_use]
pub fn s3(config: &SdkConfig, environment: &Environment) -> aws_sdk_s3::Client {
    let path_style = environment.get("MOTHERLODE_S3_PATH_STYLE") == Some("true");
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The client of SQS.
#[must_use]
pub fn sqs(config: &SdkConfig) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(config)
}

/// The client of DynamoDB.
#[must_use]
pub fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(config)
}

/// The client of Secrets Manager.
#[must_use]
pub fn secrets(config: &SdkConfig) -> aws_sdk_secretsmanager::Client {
    aws_sdk_secretsmanager::Client::new(config)
}
