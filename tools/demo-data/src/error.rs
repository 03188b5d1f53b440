//! What can go wrong before the first file is in S3.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the demo's files cannot be had.
#[derive(Debug, Error)]
pub enum DemoDataError {
    /// A file or folder cannot be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A program that fetches the files is missing.
    #[error("the program `{program}` cannot be run; {remedy}")]
    Program {
        /// The program.
        program: &'static str,
        /// How to get it.
        remedy: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A program that fetches the files failed.
    #[error("`{command}` failed ({status}): {output}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        output: String,
    },
    /// A file of the package is not what the list says.
    #[error("{file} of {package} is not what the demo expects: {reason}", package = crate::PACKAGE)]
    Content {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl DemoDataError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
