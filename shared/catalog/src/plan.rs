//! What a put would do, decided without I/O.

use model::document::SourceDocument;

use crate::{CatalogError, Entry, PutOutcome, Snapshot, Stored};

/// Most bytes of a document, as JSON and as text together: an item of DynamoDB
/// holds 400 KB with all its names.
const MAX_BYTES: usize = 350 * 1024;

/// A document that somebody wants to put; valid by itself.
#[derive(Debug)]
pub(crate) struct Proposal {
    document: SourceDocument,
    json: String,
    yaml: String,
    by: String,
    note: Option<String>,
}

/// What a put does.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Nothing: the current document says the same.
    Keep(PutOutcome),
    /// Write this as the new current document.
    Write(Stored),
}

impl Proposal {
    /// Reads and validates a document.
    pub(crate) fn new(yaml: &str, by: &str, note: Option<&str>) -> Result<Self, CatalogError> {
        let document = SourceDocument::from_yaml(yaml).map_err(CatalogError::Invalid)?;
        let json = document.to_json().map_err(CatalogError::Invalid)?;
        let bytes = json.len() + yaml.len() + by.len() + note.map_or(0, str::len);
        if bytes > MAX_BYTES {
            return Err(CatalogError::TooLarge { feed: document.source, bytes, limit: MAX_BYTES });
        }
        Ok(Self {
            document,
            json,
            yaml: yaml.to_owned(),
            by: by.to_owned(),
            note: note.map(str::to_owned),
        })
    }

    /// Name of the source.
    pub(crate) fn source(&self) -> &str {
        &self.document.source
    }

    /// What putting it does to the documents that are there.
    pub(crate) fn plan(&self, there: &Snapshot, now_ms: i64) -> Result<Plan, CatalogError> {
        let source = self.source();
        let last = match there.entries().find(|(name, _)| *name == source) {
            None => 0,
            Some((_, Entry::Ready(current))) if current.document == self.document => {
                return Ok(Plan::Keep(PutOutcome {
                    source: source.to_owned(),
                    config_version: current.config_version,
                    unchanged: true,
                }));
            }
            Some((_, Entry::Ready(current))) => current.config_version,
            Some((_, Entry::Broken { config_version, .. })) => *config_version,
        };
        if self.document.enabled
            && let Some((other, what)) = there.same_claim(&self.document)
        {
            return Err(CatalogError::SameMatch {
                feed: source.to_owned(),
                other: other.to_owned(),
                what,
            });
        }
        Ok(Plan::Write(Stored {
            source: source.to_owned(),
            document: self.json.clone(),
            yaml: self.yaml.clone(),
            config_version: last + 1,
            put_at_ms: now_ms,
            put_by: self.by.clone(),
            note: self.note.clone(),
        }))
    }
}

/// The note of a rollback.
pub(crate) fn rollback_note(to: u64) -> String {
    format!("rollback to version {to}")
}
