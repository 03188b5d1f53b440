//! Users and passwords of clusters: where they come from, and that they never
//! show in a log.

use std::fmt;

use async_trait::async_trait;
use model::Disposition;
use serde::Deserialize;
use thiserror::Error;

/// User and password of a cluster.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Credentials {
    /// Name of the user; the secret calls it `username`, as those of AWS do.
    #[serde(rename = "username")]
    pub user: String,
    /// Their password.
    pub password: String,
}

impl Credentials {
    /// Parses a secret's text: `{"username": "…", "password": "…"}`.
    ///
    /// # Errors
    /// [`CredentialsError`] when it is something else. The text itself is never
    /// part of the message.
    pub fn parse(secret: &str, text: &str) -> Result<Self, CredentialsError> {
        serde_json::from_str(text).map_err(|error| CredentialsError {
            secret: secret.to_owned(),
            reason: format!(
                "it must be the JSON text {{\"username\": …, \"password\": …}} (line {}, column {})",
                error.line(),
                error.column()
            ),
            disposition: Disposition::Fatal,
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("password", &"…").finish()
    }
}

/// Why a secret could not be had.
#[derive(Debug, Error)]
#[error("secret `{secret}`: {reason}")]
pub struct CredentialsError {
    /// Name of the secret.
    pub secret: String,
    /// Why.
    pub reason: String,
    /// Whether it can succeed later.
    pub disposition: Disposition,
}

/// Where credentials are kept: Secrets Manager, wired by the function.
#[async_trait]
pub trait CredentialsProvider: Send + Sync {
    /// Reads a secret. It is asked once per cluster and process, every quarter of an
    /// hour, and again after the server has refused what was read before.
    ///
    /// # Errors
    /// [`CredentialsError`], saying whether it can succeed later.
    async fn credentials(&self, secret: &str) -> Result<Credentials, CredentialsError>;
}

/// The same credentials for every cluster, from a command line or a test.
#[async_trait]
impl CredentialsProvider for Credentials {
    async fn credentials(&self, _secret: &str) -> Result<Credentials, CredentialsError> {
        Ok(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_shows() {
        let credentials =
            Credentials::parse("s", r#"{"username": "u", "password": "hidden"}"#).expect("valid");
        assert!(!format!("{credentials:?}").contains("hidden"));
        let error = Credentials::parse("s", r#"{"username": "u", "password": hidden"#)
            .expect_err("not JSON");
        assert!(!format!("{error} {error:?}").contains("hidden"));
    }
}
