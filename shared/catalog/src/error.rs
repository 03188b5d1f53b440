//! What can go wrong with source documents.

use dynamo::Fault;
use model::document::DocumentError;
use model::{Disposed, Disposition, RouteError};
use thiserror::Error;

/// What can go wrong with source documents.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// The text is no valid document.
    #[error("the document is not valid:\n{0}")]
    Invalid(DocumentError),
    /// Another source claims the very same objects, records or events.
    #[error(
        "source {feed}: {what} is the same as that of source {other}; disable {other} or make one of them more specific"
    )]
    SameMatch {
        /// The source that was to be put.
        feed: String,
        /// The enabled source that claims the same.
        other: String,
        /// What both claim.
        what: String,
    },
    /// A table's item cannot hold it.
    #[error(
        "source {feed}: the document takes {bytes} bytes, as JSON and as text together; at most {limit} can be stored. Shorten long `map` lists and comments"
    )]
    TooLarge {
        /// The source.
        feed: String,
        /// What it takes.
        bytes: usize,
        /// What it may take.
        limit: usize,
    },
    /// No document has that name.
    #[error(
        "there is no source {feed}; put its document with `motherlode sources put FILE`, or see `motherlode sources list`"
    )]
    UnknownSource {
        /// The name that was asked for.
        feed: String,
    },
    /// The source has no such version.
    #[error(
        "source {feed} has no version {config_version}; see `motherlode sources history {feed}`"
    )]
    UnknownVersion {
        /// The source.
        feed: String,
        /// The version that was asked for.
        config_version: u64,
    },
    /// A stored document cannot be read by this program.
    #[error(
        "source {feed}: the stored document, version {config_version}, cannot be read by this program; deploy the newer one or put a document that it can read:\n{error}"
    )]
    Broken {
        /// The source.
        feed: String,
        /// The version.
        config_version: u64,
        /// What is wrong with it.
        error: DocumentError,
    },
    /// No source, or more than one, matches an object.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The source that the object belongs to is switched off.
    #[error(
        "source {feed} matches s3://{bucket}/{key} and is disabled; set `enabled: true` in its document, then redrive the message"
    )]
    Disabled {
        /// The source.
        feed: String,
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Others kept changing the catalog while a document was being put.
    #[error(
        "source {feed}: the catalog changed {tries} times while the document was being put; the same call can succeed later"
    )]
    Contended {
        /// The source.
        feed: String,
        /// How often it was tried.
        tries: usize,
    },
    /// The table did not answer in time.
    #[error(
        "the table of the source documents did not answer within {patience:?}; it is asked again later"
    )]
    Silent {
        /// The time that it had.
        patience: std::time::Duration,
    },
    /// The table cannot be used.
    #[error(transparent)]
    Table(#[from] Fault),
}

impl Disposed for CatalogError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Contended { .. } | Self::Silent { .. } => Disposition::Retry,
            Self::Invalid(_)
            | Self::SameMatch { .. }
            | Self::TooLarge { .. }
            | Self::UnknownSource { .. }
            | Self::Route(_)
            | Self::Disabled { .. } => Disposition::Quarantine,
            Self::UnknownVersion { .. } | Self::Broken { .. } => Disposition::Fatal,
            Self::Table(fault) => fault.disposition(),
        }
    }
}
