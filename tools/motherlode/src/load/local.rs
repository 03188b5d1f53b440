//! `load --local`: the pipeline of the function, in this process, on a file.

use std::convert::Infallible;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::objects::{Body, FileObjects, LOCAL_BUCKET, ObjectError, ObjectInfo, ObjectReader};
use async_trait::async_trait;
use futures::future::{self, Either};
use ingest::{Ingest, IngestError, Notice, Outcome};
use model::ObjectId;
use runtime::Deadline;

use super::Loaded;
use super::follow::progress_of;
use crate::sources::path_text;
use crate::ui::{Task, Ui};

/// How often the ledger is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Loads files in this process.
pub struct Loader<'a> {
    ingest: Ingest,
    files: Arc<KeyedFile>,
    source: &'a str,
}

impl<'a> Loader<'a> {
    /// The deployment's stages, with files in the place of S3.
    #[must_use]
    pub fn new(mut ingest: Ingest, source: &'a str) -> Self {
        let files = Arc::new(KeyedFile::default());
        ingest.objects = files.clone();
        Self { ingest, files, source }
    }

    /// Loads one file. A failure of its own is part of the answer.
    ///
    /// # Errors
    /// When the path cannot be a key.
    pub async fn load(&self, file: &Path, key: Option<&str>, ui: &Ui) -> anyhow::Result<Loaded> {
        let path = path_text(file)?;
        // One file is one object, however its path is written.
        let whole = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let key =
            key.map_or_else(|| path_text(&whole).map(str::to_owned), |key| Ok(key.to_owned()))?;
        let key = key.as_str();
        self.files.set(key, path);
        let notice = Notice {
            bucket: LOCAL_BUCKET.to_owned(),
            key: key.to_owned(),
            source: Some(self.source.to_owned()),
            etag: None,
            part: None,
            retry_failed: true,
            is_last: false,
        };
        let task = ui.task(path);
        let outcome = {
            let loading = std::pin::pin!(self.ingest.load(&notice, Deadline::none()));
            let watching = std::pin::pin!(self.watch(key, &task));
            match future::select(loading, watching).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right((never, _)) => match never {},
            }
        };
        let id = self.files.head(LOCAL_BUCKET, key).await.ok().map(|info| info.id);
        let record = match &id {
            Some(id) => self.ingest.ledger.get(self.source, id).await.ok().flatten(),
            None => None,
        };
        let (state, reason, hint) = match outcome {
            Ok(Outcome::Loaded(_)) => ("loaded", None, None),
            Ok(Outcome::AlreadyLoaded(_)) => ("already_loaded", None, None),
            Ok(Outcome::Ignored(_)) => ("ignored", None, None),
            // No split is asked for here.
            Ok(Outcome::Paused(_) | Outcome::Split { .. }) => (
                "failed",
                Some("it was paused".to_owned()),
                Some("load it again to go on".to_owned()),
            ),
            Ok(Outcome::Deferred { error, .. }) => {
                ("failed", Some(error.chain()), Some(hint(&error)))
            }
            Ok(Outcome::Busy { lease_until_ms }) => {
                let left = (lease_until_ms - self.ingest.clock.now_ms()).max(0) / 1000 + 1;
                let hint = format!(
                    "wait for it, or try again in {left} seconds should that process be dead"
                );
                ("failed", Some("another process is loading it".to_owned()), Some(hint))
            }
            Err(error) => ("failed", Some(error.chain()), Some(hint(&error))),
        };
        Ok(Loaded { file: path.to_owned(), state, record, reason, hint })
    }

    /// Shows how far the object is; never ends.
    async fn watch(&self, key: &str, task: &Task<'_>) -> Infallible {
        task.at("loading", "");
        let id = self.files.head(LOCAL_BUCKET, key).await.ok().map(|info| info.id);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Some(id) = &id
                && let Ok(Some(record)) = self.ingest.ledger.get(self.source, id).await
            {
                let (stage, detail) = progress_of(Some(&record));
                task.at(stage, &detail);
            }
        }
    }
}

fn hint(error: &IngestError) -> String {
    match error {
        IngestError::Fetch { .. } => "name a file that can be read".to_owned(),
        IngestError::Transform { .. } => {
            "correct the document; when a column takes a part of the key, give the key with --key".to_owned()
        }
        IngestError::TooManyBadRows { .. } => {
            "see the bad rows with `motherlode quarantine list`, and try the document with `motherlode sources dry-run`"
                .to_owned()
        }
        IngestError::Write { .. } => "see `motherlode stack status`, and the message of the server above".to_owned(),
        _ => "try the file with `motherlode sources dry-run`".to_owned(),
    }
}

/// One file that goes by a key of its own, so that `--key` gives a local file
/// what a document captures from keys.
#[derive(Debug, Default)]
struct KeyedFile {
    files: FileObjects,
    /// Key and path.
    current: Mutex<(String, String)>,
}

impl KeyedFile {
    fn set(&self, key: &str, path: &str) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
            (key.to_owned(), path.to_owned());
    }

    fn path_of(&self, key: &str) -> String {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == key { current.1.clone() } else { key.to_owned() }
    }
}

#[async_trait]
impl ObjectReader for KeyedFile {
    async fn head(&self, bucket: &str, key: &str) -> Result<ObjectInfo, ObjectError> {
        let info = self.files.head(bucket, &self.path_of(key)).await?;
        Ok(ObjectInfo { id: ObjectId { key: key.to_owned(), ..info.id }, size: info.size })
    }

    async fn read(&self, id: &ObjectId, range: Option<Range<u64>>) -> Result<Body, ObjectError> {
        self.files.read(&ObjectId { key: self.path_of(&id.key), ..id.clone() }, range).await
    }
}
