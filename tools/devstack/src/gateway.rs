//! The HTTP API in front of a function: what Amazon API Gateway does between a
//! browser and Lambda, payload format 2.0
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, Response, StatusCode};
use model::Clock;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::function::Function;
use crate::http;
use crate::kafka_batch::PAYLOAD_LIMIT;

/// Most bytes of a request's body.
const MAX_BODY: usize = 10 * 1024 * 1024;

type Answer = Response<Full<Bytes>>;

/// An HTTP API whose every route leads to one function.
#[derive(Debug)]
pub struct Gateway {
    /// The function.
    pub function: Arc<Function>,
    /// Where it listens, `127.0.0.1:PORT`.
    pub address: String,
}

impl Gateway {
    /// Answers a request with what the function says.
    pub async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        };
        let event = event(&self.address, &head, &body.to_bytes()).to_string();
        // What a function is given and what it answers, a body as base64 or as text within
        // JSON (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
        if event.len() > PAYLOAD_LIMIT {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        }
        match self.function.invoke(event.into()).await {
            Ok(answer) if answer.len() <= PAYLOAD_LIMIT => response(&answer),
            Ok(answer) => {
                tracing::error!(
                    function = self.function.options.name,
                    bytes = answer.len(),
                    limit = PAYLOAD_LIMIT,
                    "a function answers more than Lambda carries"
                );
                message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
            Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        }
    }
}

/// The event of a request.
fn event(address: &str, head: &hyper::http::request::Parts, body: &Bytes) -> Value {
    let query = head.uri.query().unwrap_or_default();
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let joined = parameters.entry(name.into_owned()).or_default();
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(&value);
    }
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    let mut cookies = Vec::new();
    for (name, value) in &head.headers {
        let Ok(value) = value.to_str() else { continue };
        if name == "cookie" {
            cookies.extend(value.split(';').map(|cookie| cookie.trim().to_owned()));
            continue;
        }
        let joined = headers.entry(name.as_str()).or_default();
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(value);
    }
    let agent = headers.get("user-agent").cloned().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": head.uri.path(),
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": address,
            "domainPrefix": "local",
            "http": {
                "method": head.method.as_str(),
                "path": head.uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": agent,
            },
            "requestId": uuid::Uuid::new_v4().to_string(),
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": Clock::system().now_ms(),
        },
        "isBase64Encoded": false,
    });
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !parameters.is_empty() {
        event["queryStringParameters"] = json!(parameters);
    }
    match std::str::from_utf8(body) {
        _ if body.is_empty() => {}
        Ok(text) if is_text(&head.headers) => event["body"] = text.into(),
        _ => {
            event["body"] = STANDARD.encode(body).into();
            event["isBase64Encoded"] = true.into();
        }
    }
    event
}

/// Whether a body is handed over as it is; everything else comes as base64.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_plain = !headers.contains_key("content-encoding");
    let texts = ["text/", "application/json", "application/xml", "application/javascript"];
    is_plain && texts.iter().any(|text| kind.starts_with(text))
}

/// What a function answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

fn response(answer: &[u8]) -> Answer {
    let Ok(said) = serde_json::from_slice::<Said>(answer) else {
        // Whatever is no response is the body of one.
        return http::answer(StatusCode::OK, answer.to_vec());
    };
    let body = said.body.unwrap_or_default();
    let body = match said.is_base64_encoded {
        true => STANDARD.decode(&body).unwrap_or_default(),
        false => body.into_bytes(),
    };
    let status = StatusCode::from_u16(said.status_code).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = http::answer(status, body);
    let cookies = said.cookies.into_iter().map(|cookie| ("set-cookie".to_owned(), cookie));
    for (name, value) in said.headers.into_iter().chain(cookies) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn message(status: StatusCode, text: &str) -> Answer {
    http::json(status, &json!({ "message": text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(request: hyper::http::request::Builder, body: &'static [u8]) -> Value {
        let (head, ()) = request.body(()).unwrap().into_parts();
        event("127.0.0.1:1", &head, &Bytes::from_static(body))
    }

    #[test]
    fn a_request_becomes_an_event_of_version_2() {
        let request = Request::post("/e?k=a%20b&x=1&x=2")
            .header("Content-Type", "text/plain")
            .header("Cookie", "a=1; b=2")
            .header("X-Many", "one")
            .header("X-Many", "two");
        let event = of(request, b"{}");
        assert_eq!(
            (&event["rawPath"], &event["rawQueryString"]),
            (&"/e".into(), &"k=a%20b&x=1&x=2".into())
        );
        assert_eq!(event["queryStringParameters"], json!({"k": "a b", "x": "1,2"}));
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(event["headers"]["x-many"], "one,two");
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&"{}".into(), &false.into()));
        let event = of(Request::post("/e").header("content-encoding", "gzip"), b"{}");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&"e30=".into(), &true.into()));
    }

    #[test]
    fn an_answer_becomes_a_response() {
        let answer = json!({
            "statusCode": 200, "headers": {"content-type": "image/gif"}, "cookies": ["a=1", "b=2"],
            "body": "R0lG", "isBase64Encoded": true,
        });
        let response = response(answer.to_string().as_bytes());
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(response.headers()["content-type"], "image/gif");
    }
}
