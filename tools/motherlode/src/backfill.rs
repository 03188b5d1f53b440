//! `backfill`: objects that lie in S3 already are loaded, those that the ledger
//! does not know as loaded.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Output};
use aws_sdk_s3::types::Object;
use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;
use ingest::Ingest;
use ledger::State;
use model::ObjectId;
use model::notification::Named;
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use crate::cli::Global;
use crate::failure::{Advise as _, advised};
use crate::stack::LANDING;
use crate::table::grouped;
use crate::target::Target;
use crate::ui::Ui;

/// Which objects.
#[derive(Debug, Args)]
pub struct BackfillArgs {
    /// The source that they belong to.
    #[arg(long)]
    source: String,
    /// Bucket to list; the one of the document's `match`, else `landing`.
    #[arg(long)]
    bucket: Option<String>,
    /// Only keys that begin so; the prefix of the document's `match` when absent.
    #[arg(long)]
    prefix: Option<String>,
    /// Only objects that were last changed at this time or later: a day or a
    /// time of RFC 3339, UTC.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<DateTime<Utc>>,
    /// Objects a second at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Show what would be loaded, and load nothing.
    #[arg(long)]
    plan: bool,
}

/// What was found, and done.
#[derive(Debug, Default, Serialize)]
struct Backfill {
    /// Objects that were listed.
    listed: u64,
    /// Those that the ledger knows as loaded.
    loaded_before: u64,
    /// Those that go to another source, or to none.
    not_of_the_source: u64,
    /// Those that were sent to the queue, or would be.
    sent: u64,
    /// Bytes of them.
    bytes: u64,
    /// The first of them.
    first: Vec<String>,
}

/// Objects that the answer names.
const NAMED: usize = 20;

/// Lists, compares with the ledger, and sends messages.
pub async fn run(args: &BackfillArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::find(global).await?;
    let ingest = target.ingest()?;
    let hint = || "see which sources there are: `motherlode sources list`";
    let source = ingest.catalog.get(&args.source, None).await.hint(hint)?;
    let matching = &source.document.matching;
    let bucket = args.bucket.clone().or_else(|| matching.bucket.clone());
    let bucket = bucket.unwrap_or_else(|| LANDING.to_owned());
    let prefix = args.prefix.clone().or_else(|| matching.prefix.clone()).unwrap_or_default();
    let (sqs, queue) =
        (target.sqs(), target.url("MOTHERLODE_QUEUE_URL", "the SQS queue of mother")?);
    let s3 = target.s3();
    let task = ui.task("backfill");
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / args.rate);
    // Objects that are left out bring no right to a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut done = Backfill::default();
    let pages = || s3.list_objects_v2().bucket(&bucket).prefix(&prefix).into_paginator().send();
    let listed = |page: Result<ListObjectsV2Output, SdkError<ListObjectsV2Error>>| {
        page.with_context(|| format!("listing s3://{bucket}/{prefix}"))
            .hint(|| "the operator needs s3:ListBucket on the bucket; does it exist?")
    };
    let is_meant = |object: &Object| {
        let changed_ms = object.last_modified().and_then(|at| at.to_millis().ok());
        let is_old =
            |since: DateTime<Utc>| changed_ms.is_some_and(|at| at < since.timestamp_millis());
        !args.since.is_some_and(is_old)
    };
    // Counted first, a request for a thousand of them: who waits wants to know how long.
    let (mut all, mut counting) = (0, pages());
    while let Some(page) = counting.next().await {
        all += listed(page)?.contents().iter().filter(|object| is_meant(object)).count() as u64;
        task.at("counting", &grouped(all));
    }
    let mut pages = pages();
    while let Some(page) = pages.next().await {
        for object in listed(page)?.contents().iter().filter(|object| is_meant(object)) {
            let Some(key) = object.key() else { continue };
            done.listed += 1;
            let id = ObjectId {
                bucket: bucket.clone(),
                key: key.to_owned(),
                etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            };
            match judge(&ingest, &args.source, &id).await? {
                Judged::Loaded => done.loaded_before += 1,
                Judged::Others => done.not_of_the_source += 1,
                Judged::Missing => {
                    done.sent += 1;
                    done.bytes +=
                        object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
                    if done.first.len() < NAMED {
                        done.first.push(format!("s3://{bucket}/{key}"));
                    }
                    if !args.plan {
                        ticks.tick().await;
                        let named = Named {
                            bucket: bucket.clone(),
                            key: key.to_owned(),
                            source: None,
                            etag: None,
                            part: None,
                        };
                        let body = serde_json::to_string(&named)?;
                        let sent = sqs.send_message().queue_url(&queue).message_body(body);
                        sent.send().await.context("sending a message to the queue").hint(|| {
                            "the operator needs sqs:SendMessage on the queue; run it again to go on"
                        })?;
                    }
                }
            }
            let stage = if args.plan { "looking" } else { "sending" };
            task.of(stage, done.listed, all, &format!("objects, {} to load", grouped(done.sent)));
        }
    }
    drop(task);
    if done.listed == 0 {
        return Err(advised(
            format!("no object lies under s3://{bucket}/{prefix} (since that time)"),
            "give another --bucket, --prefix or --since",
        ));
    }
    ui.answer(&done, || render(&done, args))
}

enum Judged {
    Loaded,
    Others,
    Missing,
}

async fn judge(ingest: &Ingest, source: &str, id: &ObjectId) -> anyhow::Result<Judged> {
    let snapshot = ingest.catalog.snapshot().await?;
    let is_ours =
        snapshot.route(&id.bucket, &id.key).is_ok_and(|(found, _)| found.document.source == source);
    if !is_ours {
        return Ok(Judged::Others);
    }
    let record = ingest.ledger.get(source, id).await?;
    Ok(match record {
        Some(record) if record.state == State::Done => Judged::Loaded,
        _ => Judged::Missing,
    })
}

fn render(done: &Backfill, args: &BackfillArgs) -> String {
    let mut text = format!(
        "{} objects listed: {} were loaded before, {} belong to another source or none, {} ({} MB) {}",
        grouped(done.listed),
        grouped(done.loaded_before),
        grouped(done.not_of_the_source),
        grouped(done.sent),
        grouped(done.bytes.div_ceil(1_000_000)),
        if args.plan { "would be loaded" } else { "were sent to the queue" },
    );
    for object in &done.first {
        text.push_str(&format!("\n  {object}"));
    }
    if done.sent > done.first.len() as u64 {
        text.push_str("\n  …");
    }
    if !args.plan && done.sent > 0 {
        text.push_str(&format!("\nfollow them with `motherlode objects --source {}`", args.source));
    }
    text
}

/// A day, or a time of RFC 3339.
fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|_| {
        "give a day (2026-11-23) or a time of RFC 3339 (2026-11-23T08:00:00Z)".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_or_rfc_3339() {
        assert_eq!(time("2026-11-23").unwrap().to_rfc3339(), "2026-11-23T00:00:00+00:00");
        let zoned = time("2026-11-23T01:00:00+01:00").unwrap();
        assert_eq!(zoned.to_rfc3339(), "2026-11-23T00:00:00+00:00");
        assert!(time("yesterday").is_err());
    }
}
