//! One file to S3, and through the ledger to the end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use ingest::Ingest;
use ledger::Record;
use model::ObjectId;

use super::Loaded;
use super::follow::{Next, judge, progress_of};
use crate::failure::{Advise as _, advised};
use crate::ui::{Task, Ui};

/// How often the ledger is asked.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// S3 takes no more in one request.
const LARGEST_PUT: u64 = 5 << 30;

/// A file on its way.
pub struct Upload<'a> {
    pub s3: &'a Client,
    pub ingest: &'a Ingest,
    pub source: &'a str,
    pub bucket: &'a str,
    pub file: &'a Path,
    pub key: &'a str,
}

/// Makes sure that the objects will go to the source that was named, and not to
/// another one whose `match` fits better.
pub async fn check_route(
    ingest: &Ingest,
    source: &str,
    bucket: &str,
    keyed: &[(&PathBuf, String)],
) -> anyhow::Result<()> {
    let snapshot = ingest.catalog.snapshot().await?;
    for (file, key) in keyed {
        let (found, _) = snapshot.route(bucket, key)?;
        let other = &found.document.source;
        if other != source {
            return Err(advised(
                format!("s3://{bucket}/{key} would go to source {other}, not to {source}"),
                format!(
                    "give {} another key with --key, or make the `match` of {source} more specific",
                    file.display()
                ),
            ));
        }
    }
    Ok(())
}

impl Upload<'_> {
    /// Uploads and follows. A failure is part of the answer: the other files
    /// go on.
    pub async fn run(self, ui: &Ui) -> Loaded {
        let file = self.file.display().to_string();
        let task = ui.task(&file);
        match self.upload_and_follow(&task).await {
            Ok((state, record)) => {
                Loaded { file, state, record: Some(record), reason: None, hint: None }
            }
            Err(Ended { record, reason, hint }) => {
                Loaded { file, state: "failed", record, reason: Some(reason), hint: Some(hint) }
            }
        }
    }

    async fn upload_and_follow(&self, task: &Task<'_>) -> Result<(&'static str, Record), Ended> {
        let before = self.before().await?;
        task.at("uploading", &format!("s3://{}/{}", self.bucket, self.key));
        let object = self.put().await?;
        if let Some(before) = &before
            && before.object == object
            && before.state == ledger::State::Done
        {
            return Ok(("already_loaded", before.clone()));
        }
        let claims =
            before.filter(|before| before.object == object).map_or(0, |before| before.fence);
        self.follow(&object, claims, task).await
    }

    /// What the ledger says about the object that the upload will replace.
    async fn before(&self) -> Result<Option<Record>, Ended> {
        match self.ingest.objects.head(self.bucket, self.key).await {
            Ok(info) => Ok(self.record(&info.id).await?),
            // The upload tells better what is wrong.
            Err(_) => Ok(None),
        }
    }

    async fn record(&self, object: &ObjectId) -> Result<Option<Record>, Ended> {
        let found = self.ingest.ledger.get(self.source, object).await;
        found.context("reading the ledger").map_err(|error| {
            Ended::new(&error, "the upload is done; `motherlode objects` shows how far it is once the ledger answers")
        })
    }

    async fn put(&self) -> Result<ObjectId, Ended> {
        let body = self
            .body()
            .await
            .map_err(|error| Ended::new(&error, "name a file that can be read"))?;
        let sent = self.s3.put_object().bucket(self.bucket).key(self.key).body(body).send().await;
        let output = sent.map_err(|error| {
            // S3's own words where it has answered; else what became of the request.
            let said = match (error.code(), error.message()) {
                (Some(code), message) => {
                    anyhow::anyhow!("{}: {code}", message.unwrap_or("refused"))
                }
                (None, _) => anyhow::Error::from(error),
            };
            let error = said.context(format!("uploading to s3://{}/{}", self.bucket, self.key));
            Ended::new(&error, "check that the bucket is there and that you may write to it")
        })?;
        let etag = output.e_tag().unwrap_or_default().trim_matches('"').to_owned();
        Ok(ObjectId { bucket: self.bucket.to_owned(), key: self.key.to_owned(), etag })
    }

    async fn body(&self) -> anyhow::Result<ByteStream> {
        let size = tokio::fs::metadata(self.file)
            .await
            .with_context(|| format!("opening {}", self.file.display()))?;
        anyhow::ensure!(size.is_file(), "{} is no file", self.file.display());
        if size.len() > LARGEST_PUT {
            return Err(anyhow::anyhow!("{} is larger than 5 GB", self.file.display()))
                .hint(|| "upload it in parts with `aws s3 cp`; it is loaded all the same");
        }
        ByteStream::from_path(self.file)
            .await
            .with_context(|| format!("opening {}", self.file.display()))
    }

    async fn follow(
        &self,
        object: &ObjectId,
        claims: u64,
        task: &Task<'_>,
    ) -> Result<(&'static str, Record), Ended> {
        let uploaded_ms = self.ingest.clock.now_ms();
        loop {
            let record = self.record(object).await?;
            let next = judge(record.as_ref(), claims, uploaded_ms, self.ingest.clock.now_ms());
            match (next, record) {
                (Next::Landed, Some(record)) => return Ok(("loaded", record)),
                (Next::Failed(reason), record) => {
                    let hint = "correct the document or the file and load it again; the message waits in the dead letters";
                    return Err(Ended { record, reason, hint: hint.to_owned() });
                }
                (Next::Stalled { seen, check }, record) => {
                    return Err(Ended { record, reason: seen, hint: check });
                }
                (Next::Wait | Next::Landed, record) => {
                    let (stage, detail) = progress_of(record.as_ref());
                    task.at(stage, &detail);
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }
}

/// How a file ended that was not loaded.
struct Ended {
    record: Option<Record>,
    reason: String,
    hint: String,
}

impl Ended {
    fn new(error: &anyhow::Error, hint: &str) -> Self {
        Self { record: None, reason: format!("{error:#}"), hint: hint.to_owned() }
    }
}
