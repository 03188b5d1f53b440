//! What a request is answered with.

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE,
    VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use lambda_http::Body;
use serde::Serialize;

/// A transparent GIF of one pixel.
const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;";
/// The tracker, as it lies in the repository.
pub const TRACKER: &str = include_str!("../tracker/pixel.js");
/// The tracker, compressed once.
static TRACKER_GZIP: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Memory takes everything.
    encoder.write_all(TRACKER.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default()
});

/// Most bytes of a reason: what is refused is not said again in full.
const MAX_REASON: usize = 300;
/// Most bytes of an answer within the JSON in which Lambda carries it: 6 MB.
const MAX_ANSWER: usize = 5 * 1024 * 1024;

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

/// A reason, as much of it as an answer has room for.
#[must_use]
pub fn cut(reason: &str) -> &str {
    let mut bytes = 0;
    let end = reason.char_indices().find(|(_, letter)| {
        bytes += carried(*letter);
        bytes > MAX_REASON
    });
    end.map_or(reason, |(at, _)| &reason[..at])
}

/// Bytes that a letter takes as a text of JSON within a text of JSON.
fn carried(letter: char) -> usize {
    match letter {
        '"' | '\\' => 4,
        letter if letter.is_ascii_control() => 7,
        letter => letter.len_utf8(),
    }
}

/// Events were taken.
#[must_use]
pub fn taken(mut rejected: Vec<Rejected>) -> Response<Body> {
    let ids = rejected.iter().filter_map(|one| one.message_id.as_deref());
    let reasons = rejected.iter().map(|one| one.reason.as_str());
    let texts: usize = ids.chain(reasons).flat_map(str::chars).map(carried).sum();
    // The names of the members, and the index.
    if texts + rejected.len() * 80 > MAX_ANSWER {
        // The index says which event it is.
        rejected.iter_mut().for_each(|one| one.message_id = None);
    }
    let rejected = rejected.as_slice();
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

/// The tracker, compressed for whoever takes it so.
#[must_use]
pub fn tracker(request: &HeaderMap) -> Response<Body> {
    let is_gzip = takes_gzip(request) && !TRACKER_GZIP.is_empty();
    let body = if is_gzip { Body::from(TRACKER_GZIP.as_slice()) } else { TRACKER.into() };
    let mut response = response(StatusCode::OK, "text/javascript; charset=utf-8", body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    // What lies between keeps one for each of these.
    headers.insert(VARY, HeaderValue::from_static("accept-encoding, origin"));
    if is_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let named = request.get_all(ACCEPT_ENCODING).into_iter();
    named.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=").map(str::parse::<f32>);
        name.trim().eq_ignore_ascii_case("gzip") && weight != Some(Ok(0.0))
    })
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
    if !response.headers().contains_key(VARY) {
        response.headers_mut().insert(VARY, HeaderValue::from_static("origin"));
    }
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_and_no_answer_is_too_large_for_lambda() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ü".repeat(1_000)).len(), MAX_REASON);
        for letter in ["\u{1}", "\"", "ü", "x"] {
            let rejected = |index| Rejected {
                index,
                message_id: Some(letter.repeat(512 / letter.len())),
                reason: cut(&letter.repeat(30_000)).to_owned(),
            };
            let response = taken((0..10_000).map(rejected).collect());
            let Body::Text(text) = response.body() else { panic!("no text") };
            let carried = serde_json::to_string(text).unwrap().len();
            assert!(carried < 6_000_000, "{letter:?}: {carried}");
            assert!(text.contains(r#""index":9999,"#));
        }
        let one = Rejected { index: 0, message_id: Some("m1".to_owned()), reason: "r".to_owned() };
        let response = taken(vec![one]);
        assert!(matches!(response.body(), Body::Text(text) if text.contains("m1")));
    }

    #[test]
    fn whoever_takes_gzip_gets_it() {
        let takes = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
            takes_gzip(&headers)
        };
        assert!(takes("gzip") && takes("br, GZIP;q=0.5"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes("identity"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
