//! What can go wrong with the local stack, and what to do about it.

use std::path::{Path, PathBuf};

/// A failure of the local stack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something the machine lacks.
    #[error("{what} is missing: {remedy}")]
    Missing {
        /// What is missing.
        what: String,
        /// How to get it.
        remedy: String,
    },
    /// A file or folder could not be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A JSON document of ours could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Json {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: serde_json::Error,
    },
    /// An installer failed.
    #[error("`{command}` failed ({status}): {output}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        output: String,
    },
    /// The options contradict themselves.
    #[error("options: {0}")]
    Options(String),
    /// Another supervisor runs this stack.
    #[error("the stack in {} is already up", dir.display())]
    AlreadyUp {
        /// The stack's folder.
        dir: PathBuf,
    },
    /// No supervisor runs this stack.
    #[error("the stack in {} is not up", dir.display())]
    NotUp {
        /// The stack's folder.
        dir: PathBuf,
    },
    /// A part did not come up.
    #[error("{part} did not start: {reason}; the end of {}:\n{tail}", log.display())]
    Start {
        /// The part.
        part: String,
        /// What was seen.
        reason: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A call to the AWS stand-in failed.
    #[error("cannot {action}")]
    Aws {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A call to the Kafka broker failed.
    #[error(transparent)]
    Kafka(#[from] kafka::KafkaError),
    /// An HTTP exchange on loopback failed.
    #[error("no answer from http://{address}: {reason}")]
    Http {
        /// Host and port.
        address: String,
        /// What was seen.
        reason: String,
    },
    /// The control API refused.
    #[error("{path}: {status}: {message}")]
    Refused {
        /// What was asked.
        path: String,
        /// The HTTP status.
        status: u16,
        /// The reason it gave.
        message: String,
    },
    /// `serve` was called where its children could not be kept safe.
    #[error(
        "serve must run on the main thread, outside of any async runtime: children die with the thread that started them"
    )]
    NotMainThread,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn json(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(serde_json::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Json { action, path, source }
    }

    pub(crate) fn aws<E>(action: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let action = action.into();
        move |source| Self::Aws { action, source: Box::new(source) }
    }
}

/// An error and everything that caused it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
