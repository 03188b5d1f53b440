//! How to reach the brokers, from a function's environment: the same variables
//! for every function.

use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use runtime::Environment;

use crate::config::{KafkaConfig, LoginSource, Security, Tls};
use crate::error::KafkaError;
use crate::iam::IamCredentials;

/// The variable that names the brokers, `host:port,host:port`.
pub const BROKERS: &str = "MOTHERLODE_KAFKA_BROKERS";
/// The variable that says how to log in: `PLAINTEXT` (so when absent), `TLS`,
/// `IAM`, or a name that [`Security::of_secret`] takes.
const LOGIN: &str = "MOTHERLODE_KAFKA_AUTH";
/// The variable that names the secret of Secrets Manager with the login.
const SECRET: &str = "MOTHERLODE_KAFKA_SECRET";
/// The variable that holds certificates to trust instead of the system's, as PEM.
const ROOTS: &str = "MOTHERLODE_KAFKA_CA";

impl KafkaConfig {
    /// The configuration that the environment describes; none without brokers. A
    /// secret is read from Secrets Manager when a connection is opened.
    ///
    /// # Errors
    /// When a variable is wrong.
    pub fn from_environment(
        environment: &Environment,
        config: &SdkConfig,
    ) -> Result<Option<Self>, KafkaError> {
        let Some(brokers) = environment.get(BROKERS) else { return Ok(None) };
        let roots = environment.get(ROOTS).map(str::to_owned);
        let security = match environment.get(LOGIN).unwrap_or("PLAINTEXT") {
            "PLAINTEXT" => Security::Plaintext,
            "TLS" => Security::Tls(Tls { roots, client: None }),
            "IAM" => Security::Iam(credentials(config)?, Tls { roots, client: None }),
            kind => {
                let secret = environment.get(SECRET).ok_or_else(|| KafkaError::Settings {
                    problem: format!("{LOGIN} is {kind}, and {SECRET} does not name its secret"),
                })?;
                let login = SecretLogin {
                    client: runtime::aws::secrets(config),
                    secret: secret.to_owned(),
                    kind: kind.to_owned(),
                    roots,
                };
                let login: Option<Arc<dyn LoginSource>> = Some(Arc::new(login));
                return Ok(Some(Self { login, ..Self::new(brokers) }));
            }
        };
        Ok(Some(Self::new(brokers).with_security(security)))
    }
}

fn credentials(config: &SdkConfig) -> Result<IamCredentials, KafkaError> {
    let missing = |what: &str| KafkaError::Settings {
        problem: format!("{LOGIN} is IAM, and there is no {what} in the environment"),
    };
    let region = config.region().ok_or_else(|| missing("region"))?.to_string();
    let provider = config.credentials_provider().ok_or_else(|| missing("source of credentials"))?;
    Ok(IamCredentials { region, provider })
}

/// A login in Secrets Manager.
#[derive(Debug)]
struct SecretLogin {
    client: aws_sdk_secretsmanager::Client,
    secret: String,
    kind: String,
    roots: Option<String>,
}

#[async_trait]
impl LoginSource for SecretLogin {
    async fn read(&self) -> Result<Security, KafkaError> {
        let refuse = |reason: String| KafkaError::Settings {
            problem: format!("secret `{}` cannot be read: {reason}", self.secret),
        };
        let answer = self.client.get_secret_value().secret_id(&self.secret).send().await;
        let answer = answer.map_err(|error| refuse(DisplayErrorContext(error).to_string()))?;
        let text = answer.secret_string.ok_or_else(|| refuse("it holds no text".to_owned()))?;
        Security::of_secret(&self.kind, &text, self.roots.clone())
    }
}
