//! AWS clients for the stand-in.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

use crate::state::{AwsState, StackState};

impl StackState {
    /// The configuration of an AWS SDK client for this stack; none when the
    /// stack has no AWS. S3 clients must use path-style addresses: see
    /// [`s3`](Self::s3).
    pub fn sdk_config(&self) -> Option<SdkConfig> {
        self.aws.as_ref().map(sdk_config)
    }

    /// An S3 client for this stack.
    pub fn s3(&self) -> Option<aws_sdk_s3::Client> {
        self.sdk_config().map(|config| s3(&config))
    }

    /// An SQS client for this stack.
    pub fn sqs(&self) -> Option<aws_sdk_sqs::Client> {
        self.sdk_config().map(|config| aws_sdk_sqs::Client::new(&config))
    }
}

/// Everything is taken from the state and nothing from the environment: a
/// developer's real AWS account must never be reached.
pub fn sdk_config(aws: &AwsState) -> SdkConfig {
    let credentials = Credentials::new("motherlode", "motherlode", None, None, "devstack");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(aws.region.clone()))
        .endpoint_url(&aws.endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(
            TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(60)).build(),
        )
        .build()
}

/// The stand-in has no host names for buckets.
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}
