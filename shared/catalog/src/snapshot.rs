//! All current documents at one moment, and the source that an object belongs to.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::document::{DocumentError, Kind, Match, SourceDocument, Stream};
use model::{Captures, Pattern, route};

use crate::{CatalogError, Registered, Stored};

/// The current document of one source.
#[derive(Debug, Clone)]
pub enum Entry {
    /// It can be used.
    Ready(Arc<Registered>),
    /// This program cannot read it. It stands for itself alone: the other
    /// sources go on.
    Broken {
        /// Number of the version.
        config_version: u64,
        /// What is wrong with it.
        error: DocumentError,
    },
}

/// All current documents at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    revision: u64,
    entries: BTreeMap<String, Entry>,
    /// What is routed to: name and pattern of every entry whose `match` can be
    /// read, but for a disabled source that an enabled one has replaced.
    patterns: Vec<(String, Pattern)>,
}

impl Snapshot {
    /// The snapshot of these documents at that revision.
    #[must_use]
    pub fn new(revision: u64, documents: impl IntoIterator<Item = Stored>) -> Self {
        let mut entries = BTreeMap::new();
        let mut matches: Vec<(String, Match, bool)> = Vec::new();
        for stored in documents {
            let source = stored.source.clone();
            let config_version = stored.config_version;
            let raw = match_of(&stored.document);
            let entry = match stored.read() {
                Ok(registered) => Entry::Ready(registered),
                Err(CatalogError::Broken { error, .. }) => Entry::Broken { config_version, error },
                Err(other) => {
                    Entry::Broken { config_version, error: DocumentError::Json(other.to_string()) }
                }
            };
            let (matching, enabled) = match &entry {
                Entry::Ready(registered) => {
                    let matching = &registered.document.matching;
                    let has_objects = registered.document.kind == Kind::Files;
                    (has_objects.then(|| matching.clone()), registered.document.enabled)
                }
                Entry::Broken { .. } => (raw, true),
            };
            matches.extend(matching.map(|matching| (source.clone(), matching, enabled)));
            entries.insert(source, entry);
        }
        let patterns = matches
            .iter()
            .filter(|(_, matching, enabled)| {
                *enabled || !matches.iter().any(|(_, other, enabled)| *enabled && other == matching)
            })
            .filter_map(|(source, matching, _)| {
                Some((source.clone(), Pattern::new(matching).ok()?))
            })
            .collect();
        Self { revision, entries, patterns }
    }

    /// The catalog's revision that this snapshot shows.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Every source by name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(source, entry)| (source.as_str(), entry))
    }

    /// The current document of a source, enabled or not.
    ///
    /// # Errors
    /// [`CatalogError::UnknownSource`], or [`CatalogError::Broken`].
    pub fn get(&self, source: &str) -> Result<Arc<Registered>, CatalogError> {
        match self.entries.get(source) {
            None => Err(CatalogError::UnknownSource { feed: source.to_owned() }),
            Some(Entry::Ready(registered)) => Ok(Arc::clone(registered)),
            Some(Entry::Broken { config_version, error }) => Err(CatalogError::Broken {
                feed: source.to_owned(),
                config_version: *config_version,
                error: error.clone(),
            }),
        }
    }

    /// The source that an object belongs to. Disabled sources take part, so
    /// that their objects do not end in a less specific one.
    ///
    /// # Errors
    /// [`CatalogError::Route`] when none or several match, or
    /// [`CatalogError::Disabled`] or [`CatalogError::Broken`] when the one that
    /// matches cannot be used.
    pub fn route(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<(Arc<Registered>, Captures), CatalogError> {
        let candidates =
            self.patterns.iter().map(|(source, pattern)| (source.as_str(), pattern, source));
        let found = route(candidates, bucket, key)?;
        let registered = self.get(found.target)?;
        if !registered.document.enabled {
            return Err(CatalogError::Disabled {
                feed: found.target.clone(),
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            });
        }
        Ok((registered, found.captures))
    }

    /// The enabled source that a record of a topic belongs to: the one that names
    /// the topic, else the one with the longest pattern.
    #[must_use]
    pub fn for_topic(&self, topic: &str) -> Option<&Arc<Registered>> {
        let fitting = self.enabled().filter_map(|registered| {
            let fit = registered.document.stream.as_ref()?.fit(topic)?;
            Some((fit, registered))
        });
        fitting.max_by_key(|(fit, _)| *fit).map(|(_, registered)| registered)
    }

    /// The enabled source that events with a write key belong to.
    #[must_use]
    pub fn for_key(&self, key: &str) -> Option<&Arc<Registered>> {
        self.enabled().find(|registered| {
            let pixel =
                registered.document.stream.as_ref().and_then(|stream| stream.pixel.as_ref());
            pixel.is_some_and(|pixel| pixel.keys.iter().any(|known| known == key))
        })
    }

    fn enabled(&self) -> impl Iterator<Item = &Arc<Registered>> {
        self.entries.values().filter_map(|entry| match entry {
            Entry::Ready(registered) if registered.document.enabled => Some(registered),
            _ => None,
        })
    }

    /// An enabled source that claims the very same objects, topic or write key as
    /// a document, and what that is.
    pub(crate) fn same_claim(&self, document: &SourceDocument) -> Option<(&str, String)> {
        let others = self.enabled().filter(|other| other.document.source != document.source);
        others.filter(|other| other.document.kind == document.kind).find_map(|other| {
            let what = match (&document.stream, &other.document.stream) {
                (Some(own), Some(theirs)) => same_stream(own, theirs)?,
                _ if document.matching == other.document.matching => "`match`".to_owned(),
                _ => return None,
            };
            Some((other.document.source.as_str(), what))
        })
    }
}

fn same_stream(own: &Stream, theirs: &Stream) -> Option<String> {
    let keys =
        |stream: &Stream| stream.pixel.as_ref().map(|pixel| pixel.keys.clone()).unwrap_or_default();
    let topic = own.topics.iter().find(|topic| theirs.topics.contains(topic));
    let known = keys(theirs);
    let key = keys(own).into_iter().find(|key| known.contains(key));
    topic
        .map(|topic| format!("topic `{topic}`"))
        .or_else(|| key.map(|key| format!("write key `{key}`")))
}

/// The `match` of a document, even where the rest cannot be read.
fn match_of(document: &str) -> Option<Match> {
    let mut value: serde_json::Value = serde_json::from_str(document).ok()?;
    serde_json::from_value(value.get_mut("match")?.take()).ok()
}
