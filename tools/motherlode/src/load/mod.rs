//! `load`: files go to S3 and are followed through the ledger to the end; or,
//! with `--local`, through the same pipeline in this process.

mod follow;
pub mod key;
mod local;
mod remote;

use std::path::PathBuf;

use clap::Args;
use futures::{StreamExt as _, stream};
use ingest::Ingest;
use ledger::Record;
use model::document::SourceDocument;
use serde::Serialize;

use crate::cli::Global;
use crate::failure::{Advise as _, advised, usage};
use crate::stack::LANDING;
use crate::table::{Table, grouped};
use crate::target::Target;
use crate::times::seconds;
use crate::ui::Ui;

pub use follow::progress_of;

/// Files that are under way at a time.
const AT_ONCE: usize = 4;

/// Files and their source.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The registered source that they belong to.
    #[arg(long)]
    source: String,
    /// Bucket to upload to; the one of the document's `match`, else `landing`.
    #[arg(long, conflicts_with = "local")]
    bucket: Option<String>,
    /// Key of the object; made from the document's `match` and the file's name
    /// when absent.
    #[arg(long)]
    key: Option<String>,
    /// Load in this process, straight from the file, without S3 and function.
    #[arg(long)]
    local: bool,
}

/// What became of one file.
#[derive(Debug, Serialize)]
pub struct Loaded {
    /// The file.
    pub file: String,
    /// What became of it: `loaded`, `already_loaded` or `failed`.
    pub state: &'static str,
    /// What the ledger says.
    pub record: Option<Record>,
    /// Why it failed.
    pub reason: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl LoadArgs {
    /// Refuses what clap cannot.
    ///
    /// # Errors
    /// A usage error.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.key.is_some() && self.files.len() > 1 {
            return Err(usage("--key names one object, and there are several files"));
        }
        Ok(())
    }
}

/// Loads the files.
pub async fn run(args: &LoadArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    args.check()?;
    let target = Target::find(global).await?;
    let ingest = target.ingest()?;
    let registered = ingest
        .catalog
        .get(&args.source, None)
        .await
        .hint(|| "propose a document with `motherlode sources infer FILE`, register it with `motherlode sources put`")?;
    let document = &registered.document;
    let done = if args.local {
        one_by_one(args, ingest, ui).await?
    } else {
        all_at_once(args, document, &ingest, &target, ui).await?
    };
    ui.answer(&done, || render(&done))?;
    let failed = done.iter().filter(|loaded| loaded.state == "failed").count();
    if failed == 0 {
        return Ok(());
    }
    let hint = done.iter().find_map(|loaded| loaded.hint.clone()).unwrap_or_default();
    Err(advised(format!("{failed} of {} files were not loaded", done.len()), hint))
}

async fn all_at_once(
    args: &LoadArgs,
    document: &SourceDocument,
    ingest: &Ingest,
    target: &Target,
    ui: &Ui,
) -> anyhow::Result<Vec<Loaded>> {
    let bucket = args.bucket.clone().or_else(|| document.matching.bucket.clone());
    let bucket = bucket.unwrap_or_else(|| LANDING.to_owned());
    let mut keyed = Vec::new();
    for file in &args.files {
        let key =
            key::derive(&args.source, &document.matching, &bucket, file, args.key.as_deref())?;
        keyed.push((file, key));
    }
    remote::check_route(ingest, &args.source, &bucket, &keyed).await?;
    let s3 = target.s3();
    let uploads = keyed.iter().map(|(file, key)| remote::Upload {
        s3: &s3,
        ingest,
        source: &args.source,
        bucket: &bucket,
        file,
        key,
    });
    Ok(stream::iter(uploads).map(|upload| upload.run(ui)).buffered(AT_ONCE).collect().await)
}

/// In this process one file at a time: decoding keeps a machine busy.
async fn one_by_one(args: &LoadArgs, ingest: Ingest, ui: &Ui) -> anyhow::Result<Vec<Loaded>> {
    let loader = local::Loader::new(ingest, &args.source);
    let mut done = Vec::new();
    for file in &args.files {
        done.push(loader.load(file, args.key.as_deref(), ui).await?);
    }
    Ok(done)
}

fn render(done: &[Loaded]) -> String {
    let mut table = Table::new([
        "file",
        "state",
        ">read",
        ">written",
        ">filtered",
        ">quarantined",
        ">seconds",
        "table",
    ])
    .cut(60);
    let mut notes = String::new();
    for loaded in done {
        let record = loaded.record.as_ref();
        let counts = record.map(|record| record.counts).unwrap_or_default();
        table.row([
            loaded.file.clone(),
            loaded.state.replace('_', " "),
            grouped(counts.rows_read),
            grouped(counts.rows_written),
            grouped(counts.rows_filtered),
            grouped(counts.rows_quarantined),
            record.map(|record| seconds(record.duration_ms)).unwrap_or_default(),
            record.and_then(|record| record.table.clone()).unwrap_or_default(),
        ]);
        if let Some(reason) = &loaded.reason {
            notes.push_str(&format!("\n{}: {reason}", loaded.file));
        }
        if counts.rows_quarantined > 0
            && let Some(record) = record
        {
            notes.push_str(&format!(
                "\nbad rows of {}: motherlode quarantine list --source {} --object {}",
                loaded.file, record.source, record.object.key
            ));
        }
    }
    format!("{table}{notes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_says_why() {
        let failed = Loaded {
            file: "a.csv".to_owned(),
            state: "failed",
            record: None,
            reason: Some("decoding: broken".to_owned()),
            hint: None,
        };
        assert_eq!(
            render(&[failed]),
            "file   state   read  written  filtered  quarantined  seconds  table\n\
             a.csv  failed     0        0         0            0\n\
             \na.csv: decoding: broken"
        );
    }
}
