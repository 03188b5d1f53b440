//! What a request is answered with.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use lambda_http::Body;
use serde::Serialize;

/// A transparent GIF of one pixel.
const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;";
/// The tracker, as it lies in the repository.
pub const TRACKER: &str = include_str!("../tracker/pixel.js");
/// Seconds after which a client may try again when nothing durable answered.
const RETRY_SECONDS: &str = "5";

/// An event that was not taken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// Its place in the batch.
    pub index: usize,
    /// Its id, when it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

/// The answer to events that were taken, but for those that were not.
#[derive(Debug, Serialize)]
struct Taken<'a> {
    success: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    rejected: &'a [Rejected],
}

fn response(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Events were taken.
#[must_use]
pub fn taken(rejected: &[Rejected]) -> Response<Body> {
    let taken = Taken { success: true, rejected };
    // It is made of texts and numbers.
    let text = serde_json::to_string(&taken).unwrap_or_default();
    response(StatusCode::OK, "application/json", text.into())
}

/// The pixel itself.
#[must_use]
pub fn gif() -> Response<Body> {
    response(StatusCode::OK, "image/gif", GIF.into())
}

/// The tracker.
#[must_use]
pub fn tracker() -> Response<Body> {
    let mut response = response(StatusCode::OK, "text/javascript; charset=utf-8", TRACKER.into());
    let hour = HeaderValue::from_static("public, max-age=3600");
    response.headers_mut().insert(CACHE_CONTROL, hour);
    response
}

/// It is alive.
#[must_use]
pub fn healthy() -> Response<Body> {
    response(StatusCode::OK, "application/json", r#"{"status":"ok"}"#.into())
}

/// Nothing to say.
#[must_use]
pub fn empty(status: StatusCode) -> Response<Body> {
    response(status, "text/plain", Body::Empty)
}

/// A request that cannot be taken.
#[must_use]
pub fn refused(status: StatusCode, reason: &str) -> Response<Body> {
    let text = serde_json::json!({"success": false, "reason": reason}).to_string();
    response(status, "application/json", text.into())
}

/// Nothing durable answered: the client keeps its events and comes again.
#[must_use]
pub fn unavailable() -> Response<Body> {
    let mut response = refused(
        StatusCode::SERVICE_UNAVAILABLE,
        "events cannot be kept at the moment; send them again",
    );
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
    response
}

/// Adds a cookie.
pub fn with_cookie(response: &mut Response<Body>, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// Lets pages of an origin send with credentials (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
pub fn with_cors(response: &mut Response<Body>, request: &HeaderMap) {
    let Some(origin) = request.get("origin") else { return };
    let mut set = |name: HeaderName, value: &'static str| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    set(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    set(ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, OPTIONS");
    set(ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, content-encoding");
    // Browsers hide it from scripts otherwise.
    set(ACCESS_CONTROL_EXPOSE_HEADERS, "retry-after");
    set(ACCESS_CONTROL_MAX_AGE, "86400");
    set(VARY, "origin");
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
}
