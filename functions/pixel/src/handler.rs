//! One request: from bytes to events, from events to where they are safe, and to
//! an answer.

use std::sync::Arc;
use std::time::Duration;

use catalog::Registered;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, Response, StatusCode};
use kafka::Record;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _};
use model::document::{Keep, Pixel, Stream};
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::answer::{self, Rejected};
use crate::body::{self, BodyError};
use crate::context::Context;
use crate::durable::{Batch, Kept};
use crate::event::{self, Arrival, Event, Members};
use crate::{cookie, facts, key};

/// Most bytes of a body: what a function gets (6 MB), decompressed too.
const MAX_BODY: u32 = 6 * 1024 * 1024;

/// Most events of a body: what is answered of each must fit into an answer, too.
const MAX_EVENTS: usize = 10_000;

/// Most bytes of a refused event in the topic of invalid events; brokers take a little
/// over 1 MB. What is larger lies in the bucket, and the topic says where.
const MAX_INVALID: usize = 900_000;

/// Answers a request.
pub async fn handle(context: &Context, request: Request) -> Response<Body> {
    let path = request.raw_http_path().trim_end_matches('/').to_owned();
    let mut response = match (request.method(), path.as_str()) {
        (&Method::OPTIONS, _) => answer::empty(StatusCode::NO_CONTENT),
        (&Method::GET | &Method::HEAD, "/health") => answer::healthy(),
        (&Method::GET | &Method::HEAD, "/pixel.js") => answer::tracker(),
        (&Method::HEAD, "/p.gif") => answer::gif(),
        (&Method::GET, "/p.gif") => pixel(context, &request).await,
        (&Method::POST, "/e") => collect(context, &request, None).await,
        (&Method::POST, path) => match kind_of(path) {
            Some(kind) => collect(context, &request, kind).await,
            None => answer::refused(StatusCode::NOT_FOUND, "there is nothing here"),
        },
        (&Method::GET | &Method::HEAD, _) => {
            answer::refused(StatusCode::NOT_FOUND, "there is nothing here")
        }
        _ => answer::refused(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST"),
    };
    answer::with_cors(&mut response, request.headers());
    if request.method() == Method::HEAD {
        *response.body_mut() = Body::Empty;
    }
    response
}

/// The kind of events that are sent to an address: none for a batch. The short
/// forms are those of Segment's library for browsers.
fn kind_of(path: &str) -> Option<Option<&'static str>> {
    Some(match path.strip_prefix("/v1/")? {
        "track" | "t" => Some("track"),
        "page" | "p" => Some("page"),
        "screen" | "s" => Some("screen"),
        "identify" | "i" => Some("identify"),
        "group" | "g" => Some("group"),
        "alias" | "a" => Some("alias"),
        "batch" | "b" | "import" => None,
        _ => return None,
    })
}

/// `GET /p.gif?k=KEY&d=EVENT`: always a picture, unless the event cannot be kept.
async fn pixel(context: &Context, request: &Request) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let data = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "d");
    let Some((_, data)) = data else { return answer::gif() };
    // Nobody reads what a picture is answered with: what is no JSON is kept as the text
    // that it is, among the invalid events.
    let data = match serde_json::from_str::<IgnoredAny>(&data) {
        Ok(_) => data.into_owned(),
        Err(_) => serde_json::Value::from(data.as_ref()).to_string(),
    };
    let outcome = take(context, request, data.as_bytes(), Some(None)).await;
    match outcome {
        Ok(taken) => {
            let mut response = answer::gif();
            if let Some(cookie) = taken.cookie {
                answer::with_cookie(&mut response, &cookie);
            }
            response
        }
        // A picture is shown by pages that cannot read what is wrong.
        Err(refusal) if refusal.status() == StatusCode::SERVICE_UNAVAILABLE => *refusal,
        Err(_) => answer::gif(),
    }
}

/// Takes the events of a body: one of that kind, or a batch.
async fn collect(context: &Context, request: &Request, kind: Option<&str>) -> Response<Body> {
    let encoding = facts::text(request.headers(), "content-encoding");
    let text = match body::read(request.body(), encoding, MAX_BODY) {
        Ok(text) => text,
        Err(BodyError::TooLarge(limit)) => {
            let reason = format!("the body has more than {limit} bytes; send several batches");
            return answer::refused(StatusCode::PAYLOAD_TOO_LARGE, &reason);
        }
        Err(BodyError::NotGzip(reason)) => {
            let reason = format!("the body is no gzip: {reason}");
            return answer::refused(StatusCode::BAD_REQUEST, &reason);
        }
    };
    match take(context, request, &text, kind.map(Some)).await {
        Ok(taken) => {
            let mut response = answer::taken(&taken.rejected);
            if let Some(cookie) = taken.cookie {
                answer::with_cookie(&mut response, &cookie);
            }
            response
        }
        Err(refusal) => *refusal,
    }
}

/// An answer to a request of which nothing was taken.
type Refusal = Box<Response<Body>>;

/// What became of the events of a request.
struct Taken {
    rejected: Vec<Rejected>,
    /// `Set-Cookie`, when the source wants one.
    cookie: Option<String>,
}

/// What a body holds.
struct Content {
    events: Vec<Box<RawValue>>,
    sent_at: Option<DateTime<Utc>>,
    context: Option<Members>,
    key: Option<String>,
}

/// `kind`: none for a batch, `Some(None)` for one event that says its kind.
fn content(text: &[u8], kind: Option<Option<&str>>) -> serde_json::Result<Content> {
    if kind.is_none() {
        let batch: event::Batch = serde_json::from_slice(text)?;
        return Ok(Content {
            sent_at: batch.sent_at(),
            context: batch.context(),
            key: batch.write_key(),
            events: batch.batch,
        });
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Keyed {
        write_key: Option<String>,
    }
    let one: Box<RawValue> = serde_json::from_slice(text)?;
    let key = serde_json::from_str::<Keyed>(one.get()).ok().and_then(|keyed| keyed.write_key);
    Ok(Content { events: vec![one], sent_at: None, context: None, key })
}

async fn take(
    context: &Context,
    request: &Request,
    text: &[u8],
    kind: Option<Option<&str>>,
) -> Result<Taken, Refusal> {
    let headers = request.headers();
    let named = key::of(request.uri().query(), headers);
    let (content, unreadable) = match content(text, kind) {
        Ok(content) => (content, None),
        // Of whoever has a key it is kept as the text that it is, among the invalid events.
        Err(error) => match serde_json::value::to_raw_value(&String::from_utf8_lossy(text)) {
            Ok(whole) if named.is_some() => {
                let content =
                    Content { events: vec![whole], sent_at: None, context: None, key: None };
                (content, Some(unreadable(&error)))
            }
            _ => return Err(unreadable(&error)),
        },
    };
    if content.events.len() > MAX_EVENTS {
        let reason = format!("the batch has more than {MAX_EVENTS} events; send several");
        return Err(Box::new(answer::refused(StatusCode::PAYLOAD_TOO_LARGE, &reason)));
    }
    let named = named.or_else(|| content.key.clone());
    let source = source_of(context, named.as_deref()).await?;
    let Some((stream, pixel)) = stream_of(&source) else {
        return Err(unknown_key());
    };
    check_origin(pixel, headers)?;
    let (bot, facts) = facts::of(headers).map_err(|_| Box::new(answer::unavailable()))?;
    let known = pixel.cookie.as_ref().and_then(|cookie| cookie::id(headers, cookie));
    let anonymous = known.map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned);
    let is_unwanted = (bot && pixel.bots == Keep::Drop)
        || (pixel.do_not_track == Keep::Drop && facts::wants_no_tracking(headers));
    if is_unwanted {
        return Ok(Taken { rejected: Vec::new(), cookie: None });
    }
    let address = address_of(request);
    let arrival = Arrival {
        at: now(context),
        sent_at: content.sent_at,
        source: &source.document.source,
        anonymous_id: &anonymous,
        address: address.as_deref(),
        policy: pixel.address,
        user_agent: facts::text(headers, "user-agent"),
        facts: &facts,
        context: content.context.as_ref(),
    };
    let mut sorted = sort(context, &source, pixel, &content.events, kind.flatten(), &arrival);
    // A page's script has an id of its own: pictures of the same visitor are to have it.
    let id = sorted.anonymous_id.as_deref().filter(|id| cookie::is_id(id)).unwrap_or(&anonymous);
    let cookie = pixel.cookie.as_ref().map(|cookie| cookie::set(cookie, id));
    let end = Instant::now() + left(request);
    keep_large(context, &mut sorted, &arrival, end).await?;
    let batches = batches(stream, pixel, sorted.records, sorted.invalid);
    let count = content.events.len() - sorted.rejected.len();
    match context.durable.keep(batches, end).await {
        Ok(kept) => {
            context.count(&source.document.source, count, sorted.rejected.len(), kept);
            if let Some(refusal) = unreadable {
                return Err(refusal);
            }
        }
        Err(error) => {
            tracing::error!(
                source = source.document.source,
                events = count,
                error = format!("{error:#}"),
                "events could not be kept; the client was told to come again"
            );
            return Err(Box::new(answer::unavailable()));
        }
    }
    Ok(Taken { rejected: sorted.rejected, cookie })
}

fn unreadable(error: &serde_json::Error) -> Refusal {
    let reason = format!("the body is not readable: {error}");
    Box::new(answer::refused(StatusCode::BAD_REQUEST, &reason))
}

/// The source of a write key.
async fn source_of(context: &Context, key: Option<&str>) -> Result<Arc<Registered>, Refusal> {
    let Some(key) = key else { return Err(unknown_key()) };
    let snapshot = context.catalog.snapshot().await.map_err(|error| {
        tracing::error!(%error, "the source documents cannot be read");
        Box::new(answer::unavailable())
    })?;
    snapshot.for_key(key).cloned().ok_or_else(unknown_key)
}

fn stream_of(source: &Registered) -> Option<(&Stream, &Pixel)> {
    let stream = source.document.stream.as_ref()?;
    Some((stream, stream.pixel.as_ref()?))
}

fn unknown_key() -> Refusal {
    Box::new(answer::refused(
        StatusCode::UNAUTHORIZED,
        "the write key is missing or unknown; give it as ?k=, as the user of HTTP Basic, or as writeKey",
    ))
}

fn check_origin(pixel: &Pixel, headers: &HeaderMap) -> Result<(), Refusal> {
    match facts::text(headers, "origin") {
        Some(origin)
            if !pixel.origins.is_empty() && !pixel.origins.iter().any(|one| one == origin) =>
        {
            let reason = "pages of this origin may not send with this key";
            Err(Box::new(answer::refused(StatusCode::FORBIDDEN, reason)))
        }
        _ => Ok(()),
    }
}

/// Events, sorted into those that are taken and those that are not.
#[derive(Default)]
struct Sorted {
    records: Vec<Record>,
    invalid: Vec<Record>,
    rejected: Vec<Rejected>,
    /// The first anonymous id that a sender gave.
    anonymous_id: Option<String>,
}

/// A refused event as it is kept.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invalid<'a> {
    reason: &'a str,
    received_at: String,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a RawValue>,
    /// Where one lies that is too large to be here.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
}

impl Invalid<'_> {
    fn to_bytes(&self) -> Vec<u8> {
        // It is made of JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Puts refused events that no broker takes into the bucket; what is left of them says
/// where they are.
async fn keep_large(
    context: &Context,
    sorted: &mut Sorted,
    arrival: &Arrival<'_>,
    end: Instant,
) -> Result<(), Refusal> {
    let is_large =
        |record: &&mut Record| record.value.as_ref().is_some_and(|value| value.len() > MAX_INVALID);
    for record in sorted.invalid.iter_mut().filter(is_large) {
        let text = record.value.take().unwrap_or_default();
        let bytes = text.len();
        if context.durable.bucket.is_none() {
            let reason = format!("an event of {bytes} bytes is too large to be kept");
            return Err(Box::new(answer::refused(StatusCode::PAYLOAD_TOO_LARGE, &reason)));
        }
        let folder = format!("invalid/{}/{}", arrival.source, arrival.at.format("%Y-%m-%d"));
        let place = context.durable.keep_whole(&folder, text, end).await.map_err(|error| {
            tracing::error!(
                source = arrival.source,
                bytes,
                error = format!("{error:#}"),
                "a large event could not be kept; the client was told to come again"
            );
            Box::new(answer::unavailable())
        })?;
        let invalid = Invalid {
            reason: &format!("it has {bytes} bytes, and lies in a bucket"),
            received_at: event::iso(arrival.at),
            source: arrival.source,
            event: None,
            object: Some(&place),
        };
        record.value = Some(invalid.to_bytes());
    }
    Ok(())
}

fn sort(
    context: &Context,
    source: &Registered,
    pixel: &Pixel,
    events: &[Box<RawValue>],
    kind: Option<&str>,
    arrival: &Arrival<'_>,
) -> Sorted {
    let mut sorted = Sorted::default();
    let timestamp_ms = arrival.at.timestamp_millis();
    // Every event that lacks it gets it: it counts for each.
    let shared: usize = arrival.context.map_or(0, |members| {
        members.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum()
    });
    for (index, raw) in events.iter().enumerate() {
        let read = if raw.get().len().saturating_add(shared) > pixel.max_event_bytes as usize {
            let (has, most) = (raw.get().len(), pixel.max_event_bytes);
            let beside = match shared {
                0 => String::new(),
                shared => format!(" beside the {shared} of its batch's context"),
            };
            let reason = format!("it has {has} bytes{beside}, and {most} are taken");
            Err(event::Refused { id: None, reason })
        } else {
            Event::read(raw, kind, arrival).and_then(|event| {
                match context.schemas.problem(source, pixel, &event.name, raw) {
                    None => Ok(event),
                    Some(reason) => Err(event::Refused { id: Some(event.id), reason }),
                }
            })
        };
        let record = |key: String, value: Vec<u8>| Record {
            key: Some(key.into_bytes()),
            value: Some(value),
            timestamp_ms,
            ..Record::default()
        };
        let written = read.and_then(|event| {
            let (id, key) = (event.id.clone(), event.key.clone());
            let anonymous = event.anonymous_id.clone();
            let bytes = event.into_bytes();
            let bytes = bytes
                .map_err(|error| event::Refused { id: Some(id), reason: error.to_string() })?;
            Ok((record(key, bytes), anonymous))
        });
        match written {
            Ok((record, anonymous)) => {
                sorted.records.push(record);
                sorted.anonymous_id = sorted.anonymous_id.take().or(anonymous);
            }
            Err(refused) => {
                let invalid = Invalid {
                    reason: &refused.reason,
                    received_at: event::iso(arrival.at),
                    source: arrival.source,
                    event: Some(raw),
                    object: None,
                };
                let key = arrival.anonymous_id.to_owned();
                sorted.invalid.push(record(key, invalid.to_bytes()));
                sorted.rejected.push(Rejected {
                    index,
                    message_id: refused.id,
                    reason: refused.reason,
                });
            }
        }
    }
    sorted
}

/// What is sent together: a request that is larger than a batch may be is split
/// by event.
fn batches(
    stream: &Stream,
    pixel: &Pixel,
    records: Vec<Record>,
    invalid: Vec<Record>,
) -> Vec<Batch> {
    let most = pixel.max_batch_bytes as usize;
    let mut batches: Vec<Batch> = Vec::new();
    let topics =
        [(stream.event_topic().map(str::to_owned), records), (stream.invalid_topic(), invalid)];
    for (topic, records) in topics {
        let Some(topic) = topic else { continue };
        let mut filled = usize::MAX;
        for record in records {
            if filled.saturating_add(record.size()) > most {
                batches.push(Batch { topic: topic.clone(), records: Vec::new() });
                filled = 0;
            }
            filled += record.size();
            if let Some(batch) = batches.last_mut() {
                batch.records.push(record);
            }
        }
    }
    batches
}

/// The visitor's address: the edge's own word, or that of the gateway.
fn address_of(request: &Request) -> Option<String> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(gateway) => gateway.http.source_ip.clone(),
        _ => None,
    }
}

fn now(context: &Context) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(context.durable.clock.now_ms()).unwrap_or_default()
}

/// Time until the function must have answered: a second before Lambda's deadline,
/// and never longer than a browser waits.
fn left(request: &Request) -> Duration {
    const PATIENCE: Duration = Duration::from_secs(10);
    let deadline = request.lambda_context_ref().map(lambda_http::Context::deadline);
    let left = deadline.and_then(|at| at.duration_since(std::time::SystemTime::now()).ok());
    left.map_or(PATIENCE, |left| left.saturating_sub(Duration::from_secs(1)).min(PATIENCE))
}

/// How events were kept, as the metrics say it.
#[must_use]
pub fn word(kept: Kept) -> &'static str {
    match kept {
        Kept::Kafka => "EventsAccepted",
        Kept::Spilled => "EventsSpilled",
    }
}
