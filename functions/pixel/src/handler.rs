//! One request: from bytes to events, from events to where they are safe, and to
//! an answer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
use crate::event::{self, Arrival, Event};
use crate::facts::{self, Visitor};
use crate::{cookie, key};

/// Most bytes of a body: what a function gets (6 MB), decompressed too.
const MAX_BODY: u32 = 6 * 1024 * 1024;

/// Most events of a body: what is answered of each must fit into an answer, too.
const MAX_EVENTS: usize = 10_000;

/// Most bytes of the events of a body, once each has what all of them share: some
/// hundreds of bytes of gzip may ask for hundreds of megabytes otherwise.
const MAX_TAKEN: usize = 4 * MAX_BODY as usize;

/// Most bytes of a refused event in the topic of invalid events; brokers take a little
/// over 1 MB. What is larger lies in the bucket, and the topic says where.
const MAX_INVALID: usize = 900_000;

/// Answers a request.
pub async fn handle(context: &Context, request: Request) -> Response<Body> {
    let path = request.raw_http_path().trim_end_matches('/').to_owned();
    let mut response = match (request.method(), path.as_str()) {
        (&Method::OPTIONS, _) => answer::empty(StatusCode::NO_CONTENT),
        (&Method::GET | &Method::HEAD, "/health") => answer::healthy(),
        (&Method::GET | &Method::HEAD, "/pixel.js") => answer::tracker(request.headers()),
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
    let outcome = take(context, request, Ok(data.as_bytes()), Some(None)).await;
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
        Ok(text) => Ok(text),
        Err(BodyError::TooLarge(limit)) => {
            let reason = format!("the body has more than {limit} bytes; send several batches");
            return answer::refused(StatusCode::PAYLOAD_TOO_LARGE, &reason);
        }
        Err(BodyError::NotGzip(reason)) => Err(format!("the body is no gzip: {reason}")),
    };
    let text = text.as_deref().map_err(|reason| Unreadable { bytes: request.body(), reason });
    match take(context, request, text, kind.map(Some)).await {
        Ok(taken) => {
            let mut response = answer::taken(taken.rejected);
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

/// A body that cannot be read.
#[derive(Clone, Copy)]
struct Unreadable<'a> {
    bytes: &'a [u8],
    reason: &'a str,
}

/// What a body holds.
#[derive(Default)]
struct Content {
    events: Vec<Box<RawValue>>,
    sent_at: Option<Box<RawValue>>,
    context: Option<Box<RawValue>>,
    integrations: Option<Box<RawValue>>,
    key: Option<String>,
}

/// `kind`: none for a batch, `Some(None)` for one event that says its kind.
fn content(text: &[u8], kind: Option<Option<&str>>) -> serde_json::Result<Content> {
    if kind.is_none() {
        let batch: event::Batch = serde_json::from_slice(text)?;
        return Ok(Content {
            key: batch.write_key(),
            sent_at: batch.sent_at,
            context: batch.context,
            integrations: batch.integrations,
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
    Ok(Content { events: vec![one], key, ..Content::default() })
}

async fn take(
    context: &Context,
    request: &Request,
    text: Result<&[u8], Unreadable<'_>>,
    kind: Option<Option<&str>>,
) -> Result<Taken, Refusal> {
    // What follows may wait for others: a client is never kept longer than this.
    let end = Instant::now() + left(request);
    let headers = request.headers();
    let named = key::of(request.uri().query(), headers);
    let (read, body) = match text {
        Ok(text) => {
            let read = content(text, kind);
            (read.map_err(|error| format!("the body is not readable: {error}")), text)
        }
        Err(Unreadable { bytes, reason }) => (Err(reason.to_owned()), bytes),
    };
    let (content, unreadable) = match read {
        Ok(content) => (content, None),
        // Of whoever has a key it is kept as it is, among the invalid events.
        Err(reason) if named.is_some() => (Content::default(), Some(reason)),
        Err(reason) => return Err(refusal(StatusCode::BAD_REQUEST, &reason)),
    };
    if content.events.len() > MAX_EVENTS {
        let reason = format!("the batch has more than {MAX_EVENTS} events; send several");
        return Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, &reason));
    }
    let named = named.or_else(|| content.key.clone());
    let source = source_of(context, named.as_deref()).await?;
    let Some((stream, pixel)) = stream_of(&source) else {
        return Err(unknown_key());
    };
    check_origin(pixel, headers)?;
    let visitor = Visitor::of(headers).map_err(|_| Box::new(answer::unavailable()))?;
    let known = pixel.cookie.as_ref().and_then(|cookie| cookie::id(headers, cookie));
    let anonymous = known.map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned);
    if pixel.do_not_track == Keep::Drop && facts::wants_no_tracking(headers) {
        return Ok(Taken { rejected: Vec::new(), cookie: None });
    }
    let address = address_of(request);
    let shared = event::members_of(content.context.as_deref());
    let integrations = event::members_of(content.integrations.as_deref());
    let arrival = Arrival {
        at: now(context),
        sent_at: event::moment_of(content.sent_at.as_deref()),
        source: &source.document.source,
        anonymous_id: &anonymous,
        address: address.as_deref(),
        policy: pixel.address,
        visitor: &visitor,
        context: shared.as_ref(),
        integrations: integrations.as_ref(),
    };
    check_size(&content, &visitor)?;
    let mut sorted = sort(context, &source, pixel, &content, kind.flatten(), &arrival);
    if let Some(reason) = unreadable.as_deref().filter(|_| !is_unwanted(pixel, visitor.bot)) {
        sorted.invalid.push(unreadable_body(reason, body, &arrival));
    }
    // A page's script has an id of its own: pictures of the same visitor are to have it.
    let id = sorted.anonymous_id.as_deref().filter(|id| cookie::is_id(id)).unwrap_or(&anonymous);
    let is_dropped = sorted.dropped > 0 && sorted.records.is_empty();
    let cookie = pixel.cookie.as_ref().filter(|_| !is_dropped);
    let cookie = cookie.map(|cookie| cookie::set(cookie, id));
    keep_large(context, &mut sorted, &arrival, end).await?;
    let (count, refused) = (sorted.records.len(), sorted.invalid.len());
    let batches = batches(stream, pixel, sorted.records, sorted.invalid);
    match context.durable.keep(batches, end).await {
        Ok(kept) => {
            context.count(&source.document.source, count, refused, kept);
            if let Some(reason) = unreadable {
                return Err(refusal(StatusCode::BAD_REQUEST, &reason));
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

fn refusal(status: StatusCode, reason: &str) -> Refusal {
    Box::new(answer::refused(status, reason))
}

fn is_unwanted(pixel: &Pixel, bot: bool) -> bool {
    bot && pixel.bots == Keep::Drop
}

/// Bytes that every event of a batch may be given by it.
fn shared_bytes(content: &Content) -> usize {
    let shared = [&content.context, &content.integrations];
    shared.into_iter().flatten().map(|raw| raw.get().len()).sum()
}

/// Refuses a body whose events are too much together once each has what all of them
/// share.
fn check_size(content: &Content, visitor: &Visitor<'_>) -> Result<(), Refusal> {
    let agent = visitor.agent.map_or(0, str::len);
    let sent_at = content.sent_at.as_ref().map_or(0, |raw| raw.get().len());
    let each = shared_bytes(content) + sent_at + agent + visitor.facts.get().len();
    let own: usize = content.events.iter().map(|raw| raw.get().len()).sum();
    let all = own.saturating_add(each.saturating_mul(content.events.len()));
    if all <= MAX_TAKEN {
        return Ok(());
    }
    let reason = format!(
        "its {} events have {all} bytes together once each has the batch's context, and \
         {MAX_TAKEN} are taken; send several batches, or a smaller context",
        content.events.len()
    );
    Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, &reason))
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
    /// Events of crawlers that the source does not want.
    dropped: usize,
    /// The first anonymous id that a sender gave.
    anonymous_id: Option<String>,
}

/// A refused event as it is kept.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invalid<'a> {
    reason: &'a str,
    received_at: String,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a RawValue>,
    /// What its batch says of all of its events.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a RawValue>,
    /// When its batch says that it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<&'a RawValue>,
    /// A body that is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
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

/// A body that cannot be read, as it is kept: as text where it is one.
fn unreadable_body(reason: &str, body: &[u8], arrival: &Arrival<'_>) -> Record {
    let text = std::str::from_utf8(body).ok();
    let event = text.and_then(|text| serde_json::value::to_raw_value(text).ok());
    let invalid = Invalid {
        reason: answer::cut(reason),
        received_at: event::iso(arrival.at),
        source: arrival.source,
        body_base64: event.is_none().then(|| STANDARD.encode(body)),
        event: event.as_deref(),
        ..Invalid::default()
    };
    record(arrival, arrival.anonymous_id.to_owned(), invalid.to_bytes())
}

fn record(arrival: &Arrival<'_>, key: String, value: Vec<u8>) -> Record {
    Record {
        key: Some(key.into_bytes()),
        value: Some(value),
        timestamp_ms: arrival.at.timestamp_millis(),
        ..Record::default()
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
            object: Some(&place),
            ..Invalid::default()
        };
        record.value = Some(invalid.to_bytes());
    }
    Ok(())
}

fn sort(
    context: &Context,
    source: &Registered,
    pixel: &Pixel,
    content: &Content,
    kind: Option<&str>,
    arrival: &Arrival<'_>,
) -> Sorted {
    let mut sorted = Sorted::default();
    // Every event that lacks it gets it: it counts for each.
    let shared = shared_bytes(content);
    let batch_context = content.context.as_deref();
    let hidden =
        batch_context.and_then(|context| event::context_without_address(context, arrival.policy));
    let batch_context = hidden.as_deref().or(batch_context);
    for (index, raw) in content.events.iter().enumerate() {
        let read = if raw.get().len().saturating_add(shared) > pixel.max_event_bytes as usize {
            let (has, most) = (raw.get().len(), pixel.max_event_bytes);
            let beside = match shared {
                0 => String::new(),
                shared => format!(" beside the {shared} of its batch's context"),
            };
            let reason = format!("it has {has} bytes{beside}, and {most} are taken");
            Err(event::Refused { id: event::id_of(raw), reason })
        } else {
            Event::read(raw, kind, arrival).and_then(|event| {
                match context.schemas.problem(source, pixel, &event.name, raw) {
                    None => Ok(event),
                    Some(reason) => Err(event::Refused { id: Some(event.id), reason }),
                }
            })
        };
        let bot = read.as_ref().map_or(arrival.visitor.bot, |event| event.bot);
        if is_unwanted(pixel, bot) {
            sorted.dropped += 1;
            continue;
        }
        let written = read.and_then(|event| {
            let (id, key) = (event.id.clone(), event.key.clone());
            let anonymous = event.anonymous_id.clone();
            let bytes = event.into_bytes();
            let bytes = bytes
                .map_err(|error| event::Refused { id: Some(id), reason: error.to_string() })?;
            Ok((record(arrival, key, bytes), anonymous))
        });
        match written {
            Ok((record, anonymous)) => {
                sorted.records.push(record);
                sorted.anonymous_id = sorted.anonymous_id.take().or(anonymous);
            }
            Err(refused) => {
                let reason = answer::cut(&refused.reason);
                let hidden = event::without_address(raw, arrival.policy);
                let invalid = Invalid {
                    reason,
                    received_at: event::iso(arrival.at),
                    source: arrival.source,
                    event: Some(hidden.as_deref().unwrap_or(raw)),
                    context: batch_context,
                    sent_at: content.sent_at.as_deref(),
                    ..Invalid::default()
                };
                let key = arrival.anonymous_id.to_owned();
                sorted.invalid.push(record(arrival, key, invalid.to_bytes()));
                sorted.rejected.push(Rejected {
                    index,
                    message_id: refused.id,
                    reason: reason.to_owned(),
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

/// Where the gateway was called from: the visitor's address, or that of an edge before
/// it. What headers say of it could be anybody's word, so it is not read.
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
