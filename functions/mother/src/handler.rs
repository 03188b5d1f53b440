//! One invocation: from messages to objects to a response that names what
//! failed. One bad object never fails its neighbours.

use std::io::Write as _;
use std::time::Duration;

use futures::StreamExt as _;
use ingest::{IngestError, Notice, Outcome};
use lambda_runtime::LambdaEvent;
use model::{Disposed as _, Disposition, ObjectId};
use runtime::{BatchResponse, Deadline, SqsEvent, SqsMessage};
use serde_json::{Value, json};

use crate::context::Context;
use model::notification::{Named, objects_of};

/// Messages that are worked on at a time: one decodes while another waits.
const CONCURRENT: usize = 2;

/// Handles an SQS batch, or a direct invocation `{bucket, key, source?}`.
pub async fn handle(
    context: &Context,
    event: LambdaEvent<Value>,
) -> Result<Value, lambda_runtime::Error> {
    let deadline = Deadline::from_lambda(event.context.deadline, context.reserve);
    if event.payload.get("Records").is_some_and(is_sqs) {
        let batch: SqsEvent = serde_json::from_value(event.payload)?;
        return Ok(serde_json::to_value(handle_batch(context, &batch, deadline).await)?);
    }
    handle_direct(context, &event.payload.to_string(), deadline).await
}

/// A direct invocation may also carry an S3 notification, as `cargo lambda
/// invoke` does with a fixture.
fn is_sqs(records: &Value) -> bool {
    records.get(0).is_none_or(|first| first.get("messageId").is_some())
}

async fn handle_batch(context: &Context, batch: &SqsEvent, deadline: Deadline) -> BatchResponse {
    let time = Time::new(deadline, context.reserve);
    let done = futures::stream::iter(&batch.records)
        .map(|message| async move {
            let handled =
                tokio::time::timeout_at(time.answer, handle_message(context, message, time));
            (message, handled.await.unwrap_or(Verdict::Later))
        })
        .buffered(CONCURRENT)
        .collect::<Vec<_>>()
        .await;
    let mut response = BatchResponse::default();
    for (message, verdict) in done {
        if verdict == Verdict::Delete {
            continue;
        }
        response.fail(&message.message_id);
        if let (Some(queue), Verdict::Hopeless) = (&context.queue, verdict) {
            queue.show_now(&message.receipt_handle).await;
        }
    }
    response
}

/// The time of one invocation.
#[derive(Debug, Clone, Copy)]
struct Time {
    deadline: Deadline,
    /// What it was at the beginning.
    whole: Duration,
    /// When a load that has not come back by itself is dropped, as if the function
    /// had been killed: a service that never answers must not cost the other
    /// messages their answer.
    stop: tokio::time::Instant,
    /// When the answer must be given, whatever the queue says.
    answer: tokio::time::Instant,
}

impl Time {
    fn new(deadline: Deadline, reserve: Duration) -> Self {
        let whole = deadline.left();
        let after = |share| tokio::time::Instant::now() + whole + reserve.mul_f32(share);
        Self { deadline, whole, stop: after(0.4), answer: after(0.8) }
    }

    /// Whether those that came before have used up most of it.
    fn is_late(self) -> bool {
        self.deadline.left() < self.whole / 2
    }
}

/// What becomes of a message; of several objects, the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// It is done.
    Delete,
    /// Nothing gets better by waiting: on to the dead letters at once.
    Hopeless,
    /// It is to be seen again after the queue's visibility timeout.
    Later,
}

async fn handle_message(context: &Context, message: &SqsMessage, time: Time) -> Verdict {
    let named = match objects_of(&message.body) {
        Ok(named) => named,
        Err(error) => {
            tracing::error!(
                message_id = message.message_id,
                error = error.to_string(),
                "message not understood"
            );
            return Verdict::Hopeless;
        }
    };
    // A redelivery of an object that has failed only travels on to the dead
    // letters; a first delivery, a replay among them, tries it again.
    let tries = message.receive_count();
    let try_of = TryOf {
        is_first: tries <= 1,
        is_last: context.max_receives.is_some_and(|most| tries >= most),
    };
    let mut verdict = Verdict::Delete;
    for object in named {
        verdict = verdict.max(load(context, &object, try_of, time).await);
    }
    verdict
}

/// Which of the deliveries of a message this is.
#[derive(Debug, Clone, Copy)]
struct TryOf {
    is_first: bool,
    is_last: bool,
}

async fn load(context: &Context, object: &Named, try_of: TryOf, time: Time) -> Verdict {
    let is_late = time.is_late();
    // An object that is not begun, or had not the time for one chunk because of
    // those before it, has had no try: a new message gives it a whole invocation.
    if time.deadline.left().is_zero() {
        return continued(context, [object.clone()], Duration::ZERO).await;
    }
    let loaded = ingest(context, object, try_of, time.deadline);
    let Ok(loaded) = tokio::time::timeout_at(time.stop, loaded).await else {
        tracing::error!(bucket = object.bucket, key = object.key, "given up at the deadline");
        return if is_late {
            continued(context, [object.clone()], Duration::ZERO).await
        } else {
            Verdict::Later
        };
    };
    // The continuation is about the version that was begun,
    // and about its source, whatever other document may match the key by then.
    let of = |source: String, id: &ObjectId| Named {
        source: Some(source),
        etag: Some(id.etag.clone()),
        ..object.clone()
    };
    let (object, again) = match loaded {
        Ok(Outcome::Loaded(_) | Outcome::AlreadyLoaded(_) | Outcome::Ignored(_)) => {
            return Verdict::Delete;
        }
        Err(IngestError::NoProgress { .. }) if is_late => (object.clone(), Duration::ZERO),
        Err(error) if error.disposition() == Disposition::Quarantine => return Verdict::Hopeless,
        Err(_) => return Verdict::Later,
        Ok(Outcome::Split { source, object, parts }) => {
            let whole = of(source, &object);
            let parts = parts.into_iter().map(|part| Named { part: Some(part), ..whole.clone() });
            return continued(context, parts, Duration::ZERO).await;
        }
        Ok(Outcome::Paused(report)) => (of(report.source.clone(), &report.id), Duration::ZERO),
        Ok(Outcome::Deferred { source, object, after, .. }) => (of(source, &object), after),
        // Whoever has it may die: somebody looks again when the lease is over.
        Ok(Outcome::Busy { lease_until_ms }) => {
            let left = lease_until_ms.saturating_sub(context.ingest.clock.now_ms());
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
            (object.clone(), left + Duration::from_secs(1))
        }
    };
    continued(context, [object], again).await
}

/// The verdict on a message in whose place others go on.
async fn continued(
    context: &Context,
    objects: impl IntoIterator<Item = Named>,
    after: Duration,
) -> Verdict {
    for object in objects {
        if let Err(error) = go_on(context, &object, after).await {
            tracing::error!(error = format!("{error:#}"), "continuation not sent");
            return Verdict::Later;
        }
    }
    Verdict::Delete
}

async fn handle_direct(
    context: &Context,
    payload: &str,
    deadline: Deadline,
) -> Result<Value, lambda_runtime::Error> {
    let mut answers = Vec::new();
    for object in objects_of(payload)? {
        // The caller sees the error, and is free to call again.
        let try_of = TryOf { is_first: true, is_last: false };
        answers.push(match ingest(context, &object, try_of, deadline).await {
            Ok(Outcome::Loaded(report)) => json!({"state": "loaded", "report": report}),
            Ok(Outcome::AlreadyLoaded(record)) => {
                json!({"state": "already_loaded", "record": record})
            }
            Ok(Outcome::Ignored(id)) => json!({"state": "ignored", "object": id}),
            Ok(Outcome::Paused(report)) => {
                let (source, etag) = (report.source.clone(), report.id.etag.clone());
                let object = Named { source: Some(source), etag: Some(etag), ..object };
                go_on(context, &object, Duration::ZERO).await?;
                json!({"state": "paused", "report": report})
            }
            Ok(Outcome::Split { source, object: id, parts }) => {
                for part in &parts {
                    let named = Named {
                        source: Some(source.clone()),
                        etag: Some(id.etag.clone()),
                        part: Some(*part),
                        ..object.clone()
                    };
                    go_on(context, &named, Duration::ZERO).await?;
                }
                json!({"state": "split", "parts": parts})
            }
            Ok(Outcome::Busy { lease_until_ms }) => {
                json!({"state": "busy", "lease_until_ms": lease_until_ms})
            }
            Ok(Outcome::Deferred { error, .. }) => return Err(error.chain().into()),
            Err(error) => return Err(error.chain().into()),
        });
    }
    Ok(json!({"objects": answers}))
}

/// Loads one object; its log line and its metrics are written here.
async fn ingest(
    context: &Context,
    object: &Named,
    try_of: TryOf,
    deadline: Deadline,
) -> Result<Outcome, IngestError> {
    let notice = Notice {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        source: object.source.clone(),
        etag: object.etag.clone(),
        part: object.part,
        retry_failed: try_of.is_first,
        is_last: try_of.is_last,
    };
    let outcome = context.ingest.load(&notice, deadline).await;
    match &outcome {
        Ok(Outcome::Loaded(report)) => {
            report.log("loaded");
            publish(&report.emf(now(context)));
        }
        Ok(Outcome::Paused(report)) => report.log("paused"),
        Ok(Outcome::Ignored(id)) => {
            tracing::info!(state = "ignored", object = %id, "object");
        }
        Ok(Outcome::Split { object, parts, .. }) => {
            tracing::info!(state = "split", object = %object, parts = parts.len(), "object");
        }
        Ok(Outcome::AlreadyLoaded(record)) => {
            tracing::info!(state = "already_loaded", source = record.source, object = %record.object, "object");
        }
        Ok(Outcome::Busy { lease_until_ms }) => {
            tracing::info!(
                state = "busy",
                bucket = object.bucket,
                key = object.key,
                lease_until_ms,
                "object"
            );
        }
        Ok(Outcome::Deferred { after, error, .. }) => {
            let source = context.ingest.source_of(&notice).await;
            let source = source.as_deref().unwrap_or("unknown");
            tracing::warn!(
                state = "deferred",
                source,
                bucket = object.bucket,
                key = object.key,
                ?after,
                error = error.chain(),
                "object"
            );
            publish(&runtime::emf(
                now(context),
                &[("Source", source)],
                &[runtime::Metric {
                    name: "ObjectsDeferred",
                    unit: runtime::Unit::Count,
                    value: 1,
                }],
                &[("bucket", object.bucket.clone().into()), ("key", object.key.clone().into())],
            ));
        }
        // It has been counted when it failed.
        Err(error @ IngestError::FailedBefore { .. }) => {
            tracing::info!(state = "failed_before", error = error.chain(), "object");
        }
        Err(error) => {
            let disposition = error.disposition();
            let source = context.ingest.source_of(&notice).await;
            let source = source.as_deref().unwrap_or("unknown");
            tracing::error!(
                state = "failed",
                source,
                bucket = object.bucket,
                key = object.key,
                ?disposition,
                error = error.chain(),
                "object"
            );
            publish(&runtime::emf(
                now(context),
                &[("Source", source)],
                &[runtime::Metric { name: "ObjectsFailed", unit: runtime::Unit::Count, value: 1 }],
                &[("bucket", object.bucket.clone().into()), ("key", object.key.clone().into())],
            ));
        }
    }
    outcome
}

async fn go_on(context: &Context, object: &Named, delay: Duration) -> anyhow::Result<()> {
    match &context.queue {
        Some(queue) => queue.go_on(object, delay).await,
        None => anyhow::bail!(
            "s3://{}/{} is not complete and MOTHERLODE_QUEUE_URL is not set: invoke again to go on",
            object.bucket,
            object.key
        ),
    }
}

fn now(context: &Context) -> u64 {
    u64::try_from(context.ingest.clock.now_ms()).unwrap_or(0)
}

/// Writes a line to standard output, where CloudWatch reads metrics from.
fn publish(record: &str) {
    let mut out = std::io::stdout().lock();
    // Without standard output there is nobody to tell.
    drop(writeln!(out, "{record}"));
}
