//! `reload`: objects of S3 are loaded now, by what their document says about a
//! changed key; or once more, though they are loaded.

use anyhow::Context as _;
use clap::Args;
use ingest::{Ingest, Notice, Outcome};
use ledger::{Record, State};
use model::document::Changed;
use runtime::Deadline;

use crate::cli::Global;
use crate::failure::{Advise as _, advised};
use crate::objects;
use crate::target::Target;
use crate::ui::Ui;

/// Which objects.
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// Objects, as `s3://bucket/key`.
    #[arg(required = true, value_parser = address)]
    objects: Vec<(String, String)>,
    /// The source that they belong to, when `match` does not say.
    #[arg(long)]
    source: Option<String>,
    /// Also an object whose bytes are loaded already: its rows are deleted, on
    /// every cluster that its document names, and loaded anew with the document
    /// as it is now. Targets of materialized views keep what they got.
    #[arg(long)]
    again: bool,
}

fn address(text: &str) -> Result<(String, String), String> {
    let parts = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    match parts {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
            Ok((bucket.to_owned(), key.to_owned()))
        }
        _ => Err("an object is written as s3://bucket/key".to_owned()),
    }
}

/// Loads them, one after the other.
pub async fn run(args: &ReloadArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::find(global).await?;
    let ingest = target.ingest()?;
    let mut records = Vec::new();
    for (bucket, key) in &args.objects {
        let task = ui.task(&format!("s3://{bucket}/{key}"));
        task.at("loading", "");
        records.push(reload(&ingest, bucket, key, args).await?);
    }
    ui.answer(&records, || objects::render(&records))
}

async fn reload(
    ingest: &Ingest,
    bucket: &str,
    key: &str,
    args: &ReloadArgs,
) -> anyhow::Result<Record> {
    let name = format!("s3://{bucket}/{key}");
    let hint =
        || "see which sources there are: `motherlode sources list`; or name one with --source";
    let snapshot = ingest.catalog.snapshot().await.hint(hint)?;
    let source = match &args.source {
        Some(source) => snapshot.get(source).hint(hint)?,
        None => snapshot.route(bucket, key).hint(hint)?.0,
    };
    let document = &source.document;
    let object = ingest.objects.head(bucket, key).await.with_context(|| format!("finding {name}"));
    let id = object.hint(|| "look at the bucket and the key; the operator needs s3:GetObject")?.id;
    let known = ingest.ledger.get(&document.source, &id).await?;
    if known.is_some_and(|record| record.state == State::Done) {
        if !args.again && document.changed != Changed::Replace {
            return Err(advised(
                format!("{name} is loaded (etag {}): its rows would be there twice", id.etag),
                "`--again` deletes its rows and loads them anew",
            ));
        }
        if ingest.ledger.reopen(&document.source, &id).await?.is_none() {
            return Err(advised(
                format!("{name} is being loaded by somebody else"),
                "look at it with `motherlode objects`, and try again",
            ));
        }
    }
    let notice = Notice {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        source: Some(document.source.clone()),
        etag: None,
        part: None,
        retry_failed: true,
        is_last: false,
    };
    let mut outcome = ingest.load(&notice, Deadline::none()).await;
    // The function has split it: those of its parts that are missing, one by one.
    if let Ok(Outcome::Split { parts, .. }) = &outcome {
        for part in parts.clone() {
            let notice = Notice { part: Some(part), ..notice.clone() };
            outcome = ingest.load(&notice, Deadline::none()).await;
            if !matches!(outcome, Ok(Outcome::Loaded(_) | Outcome::AlreadyLoaded(_))) {
                break;
            }
        }
    }
    let again = || "mend what it says, and run it again: it goes on where it stopped";
    match outcome.map_err(|error| anyhow::anyhow!(error.chain())).hint(again)? {
        Outcome::Loaded(_) | Outcome::AlreadyLoaded(_) => {}
        Outcome::Ignored(_) => {
            return Err(advised(
                format!(
                    "{name}: another version of the key is loaded, and the document of {} says `changed: ignore`",
                    document.source
                ),
                "put a document with `changed: replace` or `changed: append`",
            ));
        }
        Outcome::Busy { .. } | Outcome::Split { .. } | Outcome::Paused(_) => {
            return Err(advised(
                format!("{name} is being loaded by the function"),
                "follow it with `motherlode objects`",
            ));
        }
        Outcome::Deferred { error, .. } => {
            return Err(anyhow::anyhow!(error.chain())).hint(again);
        }
    }
    let record = ingest.ledger.get(&document.source, &id).await?;
    record.with_context(|| format!("{name} was overwritten while it was loaded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_a_bucket_and_a_key() {
        assert_eq!(address("s3://b/a/c.csv"), Ok(("b".to_owned(), "a/c.csv".to_owned())));
        for wrong in ["b/a", "s3://b", "s3://b/", "s3:///a"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
