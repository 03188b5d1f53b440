//! The little HTTP that the stack speaks on loopback: one request on one
//! connection, and a server of one handler.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::error::{Error, Result};

/// An answer with its body read.
pub type Answer = Response<Bytes>;

/// Sends one request to `127.0.0.1:PORT` and reads the whole answer.
pub async fn send(
    address: &str,
    request: Request<Full<Bytes>>,
    timeout: Duration,
) -> Result<Answer> {
    let exchange = async {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        connection.abort();
        Ok(Response::from_parts(parts, body))
    };
    let outcome = match tokio::time::timeout(timeout, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("nothing within {timeout:?}")),
    };
    outcome.map_err(|reason: String| Error::Http { address: address.into(), reason })
}

/// A request with a host header, as HTTP/1.1 wants it.
pub fn request(
    method: Method,
    address: &str,
    path: &str,
    body: impl Into<Bytes>,
) -> Result<Request<Full<Bytes>>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", address)
        .body(Full::new(body.into()))
        .map_err(|error| Error::Http { address: address.into(), reason: error.to_string() })
}

/// An answer of ours.
pub fn answer(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}

/// An answer of ours in JSON.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = answer(status, body.to_string());
    response
        .headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    response
}

/// Answers every request on this listener until the future is dropped.
///
/// `open` always holds the number of connections, so that the owner can
/// wait until nothing that was sent is left unread.
pub async fn serve<H, F>(listener: TcpListener, handler: H, open: tokio::sync::watch::Sender<usize>)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Failing to accept is a matter of file descriptors; the next
                // attempt may do better and there is nobody to tell.
                let Ok((stream, _)) = accepted else { continue };
                let handler = handler.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let answer = handler(request);
                        async move { Ok::<_, Infallible>(answer.await) }
                    });
                    // A connection that breaks is the client's affair.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
        open.send_replace(connections.len());
    }
}
