//! The Lambda Runtime API, for one instance of a function.
//!
//! Every instance talks to a listener of its own. That is how the stack knows
//! which process holds which invocation, which a shared endpoint cannot tell.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::{http, locked};

const PREFIX: &str = "/2018-06-01/runtime/";

/// What a function said to an invocation: its response, or the error document
/// it posted.
pub type Reply = std::result::Result<Bytes, Bytes>;

/// One invocation on its way to an instance.
#[derive(Debug)]
pub struct Invocation {
    /// The request id.
    pub id: String,
    /// The event.
    pub payload: Bytes,
    /// Told when the instance has fetched it.
    pub delivered: oneshot::Sender<()>,
    /// Told what the function said.
    pub reply: oneshot::Sender<Reply>,
}

/// The endpoint of one instance.
#[derive(Debug)]
pub struct RuntimeApi {
    /// Where it listens.
    pub address: SocketAddr,
    invocations: mpsc::UnboundedSender<Invocation>,
    shared: Arc<Shared>,
    open: watch::Receiver<usize>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    current: Mutex<Option<(String, oneshot::Sender<Reply>)>>,
    init_error: watch::Sender<Option<Bytes>>,
    arn: HeaderValue,
    timeout: Duration,
}

impl RuntimeApi {
    /// Listens on a free port.
    pub async fn start(arn: &str, timeout: Duration) -> Result<Self> {
        let loopback = Path::new("127.0.0.1");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(Error::io("listen on", loopback))?;
        let address = listener.local_addr().map_err(Error::io("listen on", loopback))?;
        let (invocations, waiting) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            waiting: waiting.into(),
            current: Mutex::default(),
            init_error: watch::Sender::new(None),
            arn: header(arn),
            timeout,
        });
        let (open_sender, open) = watch::channel(0);
        let handler = {
            let shared = shared.clone();
            move |request| handle(shared.clone(), request)
        };
        let server = tokio::spawn(http::serve(listener, handler, open_sender));
        Ok(Self { address, invocations, shared, open, server })
    }

    /// Gives the instance an invocation, to be fetched by its next `next`.
    pub fn send(&self, invocation: Invocation) {
        // The receiver lives in `shared`, as long as we do.
        let _ = self.invocations.send(invocation);
    }

    /// Waits for the function to say that it cannot start.
    pub async fn init_error(&self) -> Bytes {
        let mut error = self.shared.init_error.subscribe();
        // The sender lives in `shared`, as long as we do.
        let error = error.wait_for(Option::is_some).await.map(|error| error.clone());
        error.ok().flatten().unwrap_or_default()
    }

    /// Waits until everything that a dead process had sent is read: a
    /// response that was posted just before the end counts.
    pub async fn drained(&self) {
        let mut open = self.open.clone();
        // A descendant of the process may hold a connection open.
        let _ =
            tokio::time::timeout(Duration::from_secs(1), open.wait_for(|open| *open == 0)).await;
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let Some(path) = path.strip_prefix(PREFIX) else {
        return refuse(StatusCode::NOT_FOUND, "unknown path");
    };
    if method == Method::GET && path == "invocation/next" {
        return next(&shared).await;
    }
    let Ok(body) = request.into_body().collect().await else {
        return refuse(StatusCode::BAD_REQUEST, "the body ended early");
    };
    let body = body.to_bytes();
    match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
        (Method::POST, ["init", "error"]) => {
            shared.init_error.send_replace(Some(body));
            accepted()
        }
        (Method::POST, ["invocation", id, "response"]) => finish(&shared, id, Ok(body)),
        (Method::POST, ["invocation", id, "error"]) => finish(&shared, id, Err(body)),
        _ => refuse(StatusCode::NOT_FOUND, "unknown path"),
    }
}

async fn next(shared: &Shared) -> Response<Full<Bytes>> {
    let invocation = shared.waiting.lock().await.recv().await;
    let Some(invocation) = invocation else {
        return refuse(StatusCode::GONE, "the function is shut down");
    };
    let deadline = SystemTime::now() + shared.timeout;
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let trace =
        format!("Root=1-{:08x}-{:.24};Sampled=0", deadline / 1000, uuid::Uuid::new_v4().simple());
    let mut response = http::answer(StatusCode::OK, invocation.payload);
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("lambda-runtime-aws-request-id", header(&invocation.id));
    headers.insert("lambda-runtime-deadline-ms", header(&deadline.to_string()));
    headers.insert("lambda-runtime-invoked-function-arn", shared.arn.clone());
    headers.insert("lambda-runtime-trace-id", header(&trace));
    *locked(&shared.current) = Some((invocation.id, invocation.reply));
    // Nobody listens when the invoker has given up; the process is then about
    // to be killed.
    let _ = invocation.delivered.send(());
    response
}

fn finish(shared: &Shared, id: &str, reply: Reply) -> Response<Full<Bytes>> {
    let Some((_, sender)) = locked(&shared.current).take_if(|(current, _)| current == id) else {
        return refuse(StatusCode::BAD_REQUEST, "no invocation of that request id is running here");
    };
    let _ = sender.send(reply);
    accepted()
}

fn accepted() -> Response<Full<Bytes>> {
    http::json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "OK" }))
}

fn refuse(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    http::json(
        status,
        &serde_json::json!({ "errorType": "InvalidRequest", "errorMessage": message }),
    )
}

fn header(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}
