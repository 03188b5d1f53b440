//! A document as it is stored, and as it is used.

use std::sync::Arc;

use model::document::SourceDocument;
use serde::{Deserialize, Serialize};

use crate::CatalogError;

/// One version of a source's document, as it was written. It may have been
/// written by a newer program, in a form that this one cannot read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The source.
    pub source: String,
    /// The document as JSON, with every default written out.
    pub document: String,
    /// The text as it was given, comments and all.
    pub yaml: String,
    /// Number of the version, from 1.
    pub config_version: u64,
    /// When it was put, in milliseconds since 1970.
    pub put_at_ms: i64,
    /// Who put it.
    pub put_by: String,
    /// Why, if that was said.
    pub note: Option<String>,
}

impl Stored {
    /// Reads the document.
    ///
    /// # Errors
    /// [`CatalogError::Broken`] when this program cannot read it.
    pub fn read(self) -> Result<Arc<Registered>, CatalogError> {
        match SourceDocument::from_json(&self.document) {
            Ok(document) => Ok(Arc::new(Registered {
                document,
                config_version: self.config_version,
                put_at_ms: self.put_at_ms,
                put_by: self.put_by,
                yaml: self.yaml,
                note: self.note,
            })),
            Err(error) => Err(CatalogError::Broken {
                feed: self.source,
                config_version: self.config_version,
                error,
            }),
        }
    }
}

/// One version of a source's document, read and valid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Registered {
    /// The document.
    pub document: SourceDocument,
    /// Number of the version, from 1.
    pub config_version: u64,
    /// When it was put, in milliseconds since 1970.
    pub put_at_ms: i64,
    /// Who put it.
    pub put_by: String,
    /// The text as it was given, comments and all.
    pub yaml: String,
    /// Why it was put, if that was said.
    pub note: Option<String>,
}

/// What came of a put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PutOutcome {
    /// The source that the document names.
    pub source: String,
    /// The version that is current now.
    pub config_version: u64,
    /// The document says what the current one says; nothing was written.
    pub unchanged: bool,
}
