//! What a data engineer does: registers the documents, puts the files into S3.

use anyhow::Context as _;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use demo_data::{BUCKET, DemoData, DemoObject, DemoSource, SOURCES};
use ingest::Ingest;
use ledger::State;
use model::ObjectId;

use crate::failure::Advise as _;
use crate::target::operator;
use crate::ui::Ui;

/// A source whose objects are all in S3.
pub struct Delivered {
    /// The source.
    pub source: &'static DemoSource,
    /// Its objects.
    pub objects: Vec<ObjectId>,
    /// Whether the ledger had all of them as done before.
    pub before: bool,
}

/// Puts the demo's documents into the catalog.
///
/// # Errors
/// When the catalog refuses one.
pub async fn register(ingest: &Ingest, ui: &Ui) -> anyhow::Result<()> {
    let task = ui.task("documents");
    let mut changed = 0;
    for source in SOURCES {
        task.at("registering source documents", source.name);
        let outcome = ingest.catalog.put(source.document, &operator(), Some("the demo")).await;
        let outcome = outcome
            .with_context(|| format!("registering infra/sources/{}.yaml", source.name))
            .hint(|| "another document of this stack may claim the same keys: see `motherlode --stack demo sources list`")?;
        changed += usize::from(!outcome.unchanged);
    }
    drop(task);
    ui.note(&match changed {
        0 => format!("{} source documents were registered before", SOURCES.len()),
        _ => format!("{changed} source documents registered"),
    });
    Ok(())
}

/// Puts every object into S3 that was not loaded before.
///
/// # Errors
/// When a file cannot be made, or S3 refuses it.
pub async fn put(
    data: &DemoData,
    ingest: &Ingest,
    s3: &Client,
    ui: &Ui,
) -> anyhow::Result<Vec<Delivered>> {
    let task = ui.task("files");
    let (mut delivered, mut files, mut bytes) = (Vec::new(), 0_usize, 0_usize);
    for source in SOURCES {
        let mut there = Delivered { source, objects: Vec::new(), before: true };
        for object in source.objects {
            task.at(&format!("putting files into s3://{BUCKET}"), object.key);
            let body = tokio::task::block_in_place(|| data.object(object))?;
            let id = match loaded(ingest, source, object, body.len()).await? {
                Some(id) => id,
                None => {
                    there.before = false;
                    files += 1;
                    bytes += body.len();
                    upload(s3, object, body).await?
                }
            };
            there.objects.push(id);
        }
        delivered.push(there);
    }
    drop(task);
    ui.note(&match files {
        0 => "already loaded: the ledger has every file of the demo, and no row is loaded twice"
            .to_owned(),
        _ => format!("{files} files ({:.1} MB) put into s3://{BUCKET}", megabytes(bytes)),
    });
    Ok(delivered)
}

/// The object, when it is in S3 and the ledger has it as done. Its bytes are
/// the same for every run of one version of the package.
async fn loaded(
    ingest: &Ingest,
    source: &DemoSource,
    object: &DemoObject,
    size: usize,
) -> anyhow::Result<Option<ObjectId>> {
    // Whatever hinders this hinders the upload too, which tells it better.
    let Ok(info) = ingest.objects.head(BUCKET, object.key).await else { return Ok(None) };
    if usize::try_from(info.size).ok() != Some(size) {
        return Ok(None);
    }
    let record = ingest.ledger.get(source.name, &info.id).await.context("reading the ledger")?;
    Ok(record.filter(|record| record.state == State::Done).map(|_| info.id))
}

async fn upload(s3: &Client, object: &DemoObject, body: Vec<u8>) -> anyhow::Result<ObjectId> {
    let sent = s3.put_object().bucket(BUCKET).key(object.key).body(body.into()).send().await;
    let sent = sent
        .map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(&error)))
        .with_context(|| format!("putting s3://{BUCKET}/{}", object.key))
        .hint(|| "see `motherlode stack status --name demo`")?;
    let etag = sent.e_tag().unwrap_or_default().trim_matches('"').to_owned();
    Ok(ObjectId { bucket: BUCKET.to_owned(), key: object.key.to_owned(), etag })
}

fn megabytes(bytes: usize) -> f64 {
    // Only for people.
    f64::from(u32::try_from(bytes / 1_000).unwrap_or(u32::MAX)) / 1_000.0
}
