//! How to reach the brokers, and as whom.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use crate::error::KafkaError;
use crate::iam::IamCredentials;

/// How to reach a Kafka cluster.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// Some of its brokers, `HOST:PORT`; they name the others.
    pub bootstrap: Vec<String>,
    /// How to speak to them.
    pub security: Security,
    /// How records are compressed on their way and at rest.
    pub compression: Compression,
    /// The largest record, and the largest batch before compression. Kafka's
    /// own limit (`message.max.bytes`) is a little over 1 MB.
    pub max_batch_bytes: usize,
    /// How long one exchange with a broker may take before another connection
    /// is tried; the time a caller gives bounds all of them together.
    pub attempt_timeout: Duration,
    /// Connections that nothing has used for so long are opened anew: a
    /// function may have been frozen, and what lies between it and the broker
    /// forgets a connection without a word.
    pub max_idle: Duration,
    /// Where `security` comes from, when it may change: it is read again when it is
    /// old, and when a broker has refused it.
    pub login: Option<Arc<dyn LoginSource>>,
}

/// Where a login is kept.
#[async_trait]
pub trait LoginSource: fmt::Debug + Send + Sync {
    /// The login as it is now.
    ///
    /// # Errors
    /// When it cannot be had, or is none; it is not in the message.
    async fn read(&self) -> Result<Security, KafkaError>;
}

/// How to speak to the brokers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Security {
    /// In the clear, without names: on loopback and in closed networks.
    Plaintext,
    /// Encrypted; with a client certificate the broker knows who asks.
    Tls(Tls),
    /// SASL/PLAIN; the password is in the clear when there is no TLS.
    Plain(Password, Option<Tls>),
    /// SASL/SCRAM-SHA-256.
    ScramSha256(Password, Option<Tls>),
    /// SASL/SCRAM-SHA-512, which MSK offers.
    ScramSha512(Password, Option<Tls>),
    /// MSK's access control by IAM, always with TLS.
    Iam(IamCredentials, Tls),
}

/// What TLS needs beside the system's certificates.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Certificates to trust instead of the system's, as PEM.
    pub roots: Option<String>,
    /// What to show of ourselves.
    pub client: Option<ClientCertificate>,
}

/// A client certificate and its key.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate and what leads to its issuer, as PEM.
    pub certificates: String,
    /// Its key, as PEM, not encrypted.
    pub key: Secret,
}

/// A user's name and password.
#[derive(Debug, Clone)]
pub struct Password {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// How records are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4.
    #[default]
    Lz4,
}

/// Kafka's limit less what a batch takes beside its records.
const MAX_BATCH_BYTES: usize = 1_000_000;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_IDLE: Duration = Duration::from_secs(120);

impl KafkaConfig {
    /// The brokers of a list like `a:9092,b:9092`, in the clear.
    #[must_use]
    pub fn new(bootstrap: &str) -> Self {
        let brokers = bootstrap.split(',').map(str::trim).filter(|broker| !broker.is_empty());
        Self {
            bootstrap: brokers.map(str::to_owned).collect(),
            security: Security::Plaintext,
            compression: Compression::default(),
            max_batch_bytes: MAX_BATCH_BYTES,
            attempt_timeout: ATTEMPT_TIMEOUT,
            max_idle: MAX_IDLE,
            login: None,
        }
    }

    /// The same brokers, spoken to in another way.
    #[must_use]
    pub fn with_security(self, security: Security) -> Self {
        Self { security, ..self }
    }

    /// The brokers as one text, for messages.
    pub(crate) fn brokers(&self) -> String {
        self.bootstrap.join(",")
    }
}

impl Security {
    /// Takes a way to log in, by the name that Lambda's event source mappings
    /// have for it, and a secret in the form that they want it in:
    /// `SASL_SCRAM_512_AUTH`, `SASL_SCRAM_256_AUTH` and `BASIC_AUTH` with
    /// `{"username": …, "password": …}`, `CLIENT_CERTIFICATE_TLS_AUTH` with
    /// `{"certificate": PEM, "privateKey": PEM}`. One secret then serves the
    /// trigger and the functions.
    ///
    /// # Errors
    /// When the name is another, or the secret lacks something. The secret is
    /// not in the message.
    pub fn of_secret(kind: &str, secret: &str, roots: Option<String>) -> Result<Self, KafkaError> {
        #[derive(Deserialize)]
        struct Login {
            username: String,
            password: Secret,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Certificate {
            certificate: String,
            private_key: Secret,
        }
        fn read<T: for<'a> Deserialize<'a>>(
            kind: &str,
            secret: &str,
            fields: &str,
        ) -> Result<T, KafkaError> {
            // serde's message can hold a piece of the secret.
            serde_json::from_str(secret).map_err(|_| KafkaError::Settings {
                problem: format!("the secret of {kind} is no JSON object with {fields}"),
            })
        }
        let tls = Tls { roots, client: None };
        let login = || -> Result<Password, KafkaError> {
            let Login { username, password } = read(kind, secret, "username and password")?;
            Ok(Password { username, password })
        };
        match kind {
            "BASIC_AUTH" => Ok(Self::Plain(login()?, Some(tls))),
            "SASL_SCRAM_256_AUTH" => Ok(Self::ScramSha256(login()?, Some(tls))),
            "SASL_SCRAM_512_AUTH" => Ok(Self::ScramSha512(login()?, Some(tls))),
            "CLIENT_CERTIFICATE_TLS_AUTH" => {
                let Certificate { certificate, private_key } =
                    read(kind, secret, "certificate and privateKey")?;
                let client = ClientCertificate { certificates: certificate, key: private_key };
                Ok(Self::Tls(Tls { client: Some(client), ..tls }))
            }
            other => Err(KafkaError::Settings {
                problem: format!(
                    "`{other}` is no way to log in; there are BASIC_AUTH, SASL_SCRAM_256_AUTH, \
                     SASL_SCRAM_512_AUTH and CLIENT_CERTIFICATE_TLS_AUTH"
                ),
            }),
        }
    }

    /// What TLS needs, if there is TLS.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Plaintext => None,
            Self::Tls(tls) | Self::Iam(_, tls) => Some(tls),
            Self::Plain(_, tls) | Self::ScramSha256(_, tls) | Self::ScramSha512(_, tls) => {
                tls.as_ref()
            }
        }
    }
}

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_brokers_is_read_as_it_is_written() {
        let config = KafkaConfig::new("a:9092, b:9092,");
        assert_eq!(config.bootstrap, ["a:9092", "b:9092"]);
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let login = r#"{"username":"pixel","password":"s3cret"}"#;
        for kind in ["BASIC_AUTH", "SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH"] {
            let config = KafkaConfig::new("a:9092")
                .with_security(Security::of_secret(kind, login, None).unwrap());
            let shown = format!("{config:?}");
            assert!(shown.contains("pixel") && !shown.contains("s3cret"), "{shown}");
        }
        let key = r#"{"certificate":"PEM","privateKey":"s3cret"}"#;
        let security = Security::of_secret("CLIENT_CERTIFICATE_TLS_AUTH", key, None).unwrap();
        assert!(!format!("{security:?}").contains("s3cret"));
    }

    #[test]
    fn a_secret_that_lacks_something_is_refused_without_being_told() {
        for (kind, secret) in [
            ("BASIC_AUTH", r#"{"username":"u","pass":"s3cret"}"#),
            ("SASL_SCRAM_512_AUTH", "s3cret"),
            ("CLIENT_CERTIFICATE_TLS_AUTH", r#"{"certificate":"s3cret"}"#),
            ("PASSWORD", "s3cret"),
        ] {
            let error = Security::of_secret(kind, secret, None).unwrap_err().to_string();
            assert!(error.contains(kind) && !error.contains("s3cret"), "{error}");
        }
    }
}
