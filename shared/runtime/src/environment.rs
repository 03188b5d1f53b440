//! The environment of a function, read once at cold start: everything that can
//! be wrong there is said there, with the variable's name.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// A variable that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvironmentError {
    /// It is not set.
    #[error("the environment variable {name} is not set: {meaning}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it is for.
        meaning: &'static str,
    },
    /// It cannot be read.
    #[error("the environment variable {name} is `{value}`: {reason}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it is set to. Never a secret: secrets come from Secrets Manager.
        value: String,
        /// What would be right.
        reason: String,
    },
}

/// The variables of the process, or of a test.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    /// Variables that are given.
    pub fn of<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// A variable that may be absent; an empty one counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that must be there.
    ///
    /// # Errors
    /// [`EnvironmentError::Missing`] with its meaning.
    pub fn required(
        &self,
        name: &'static str,
        meaning: &'static str,
    ) -> Result<&str, EnvironmentError> {
        self.get(name).ok_or(EnvironmentError::Missing { name, meaning })
    }

    /// A variable that is parsed, or a value when it is absent.
    ///
    /// # Errors
    /// [`EnvironmentError::Invalid`] when it is there and cannot be parsed.
    pub fn parsed<T: FromStr>(
        &self,
        name: &'static str,
        expected: &'static str,
        absent: T,
    ) -> Result<T, EnvironmentError> {
        match self.get(name) {
            None => Ok(absent),
            Some(value) => value.parse().map_err(|_| EnvironmentError::Invalid {
                name,
                value: value.to_owned(),
                reason: format!("{expected} expected"),
            }),
        }
    }

    /// A duration in whole seconds.
    ///
    /// # Errors
    /// [`EnvironmentError::Invalid`] when it is no number.
    pub fn seconds(&self, name: &'static str, absent: u64) -> Result<Duration, EnvironmentError> {
        self.parsed(name, "a number of seconds", absent).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named() {
        let environment = Environment::of([("A", "")]);
        let error = environment.required("A", "the queue to poll").unwrap_err().to_string();
        assert_eq!(error, "the environment variable A is not set: the queue to poll");
    }

    #[test]
    fn a_wrong_variable_is_shown() {
        let environment = Environment::of([("N", "x")]);
        let error = environment.seconds("N", 3).unwrap_err().to_string();
        assert_eq!(error, "the environment variable N is `x`: a number of seconds expected");
        assert_eq!(environment.seconds("M", 3), Ok(Duration::from_secs(3)));
    }
}
