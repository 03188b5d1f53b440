//! One instance of a function by itself, and the Lambda Runtime API for it: how long
//! it takes to ask for work, and to answer.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running instance.
pub struct Instance {
    child: Child,
    started: Instant,
    events: mpsc::UnboundedSender<Bytes>,
    answers: mpsc::UnboundedReceiver<(Duration, Bytes)>,
    asked: watch::Receiver<Option<Instant>>,
    server: JoinHandle<()>,
}

/// What the server holds.
struct Shared {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Bytes>>,
    answers: mpsc::UnboundedSender<(Duration, Bytes)>,
    asked: watch::Sender<Option<Instant>>,
    given: Mutex<Instant>,
}

impl Instance {
    /// Starts a program as Lambda does.
    pub async fn start(program: &Path, env: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (events, waiting) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let (asked_sender, asked) = watch::channel(None);
        let shared = Arc::new(Shared {
            events: waiting.into(),
            answers: answered,
            asked: asked_sender,
            given: Mutex::new(Instant::now()),
        });
        let server = tokio::spawn(serve(listener, shared));
        let name = program.file_name().and_then(|name| name.to_str()).unwrap_or("function");
        let started = Instant::now();
        let child = Command::new(program)
            .env_clear()
            .envs(env)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { child, started, events, answers, asked, server })
    }

    /// Its process.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the function has ended")
    }

    /// From the start of the process until it asked for work.
    pub async fn ready(&mut self) -> anyhow::Result<Duration> {
        let asked = self.asked.wait_for(Option::is_some);
        let asked =
            *tokio::time::timeout(PATIENCE, asked).await.context("it asks for no work")??;
        Ok(asked.context("it asked")?.duration_since(self.started))
    }

    /// From the start of the process until now.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Gives it an event; the answer, and the time from the event to the answer.
    pub async fn invoke(&mut self, event: impl Into<Bytes>) -> anyhow::Result<(Duration, Bytes)> {
        self.events.send(event.into()).ok().context("the function has ended")?;
        let answer = tokio::time::timeout(PATIENCE, self.answers.recv()).await;
        answer.context("it does not answer")?.context("the function has ended")
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let shared = shared.clone();
                async move { Ok::<_, Infallible>(handle(&shared, request).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // A connection that ends is the function's affair.
            drop(connection.serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}

async fn handle(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() == Method::GET {
        shared.asked.send_if_modified(|asked| {
            let is_first = asked.is_none();
            asked.get_or_insert_with(Instant::now);
            is_first
        });
        let Some(event) = shared.events.lock().await.recv().await else {
            return Response::default();
        };
        *shared.given.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let mut response = Response::new(Full::new(event));
        let deadline_ms = model::Clock::system().now_ms() + 60_000;
        for (name, value) in [
            ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
            ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-central-1:123456789012:function:bench".to_owned(),
            ),
        ] {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        return response;
    }
    let took = shared.given.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    // Whoever measures may have gone.
    drop(shared.answers.send((took, body)));
    let mut response = Response::default();
    *response.status_mut() = hyper::StatusCode::ACCEPTED;
    response
}
