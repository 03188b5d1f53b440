//! One instance of a function: a process and the endpoint it asks for work.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::child::{Child, Spec, describe};
use crate::error::Result;
use crate::locked;
use crate::runtime_api::{Invocation, Reply, RuntimeApi};

/// How long a process may take from its start to its first request for work,
/// as in Lambda.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// A running instance.
#[derive(Debug)]
pub struct Instance {
    /// Its process.
    pub child: Child,
    /// How many invocations it has fetched.
    pub fetched: AtomicU64,
    api: RuntimeApi,
    timeout: Duration,
    busy: Mutex<Option<String>>,
}

/// Why an invocation failed, in Lambda's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct FunctionError {
    /// The kind of error, `Runtime.ExitError` for example.
    #[serde(rename = "errorType", default)]
    pub error_type: String,
    /// What happened.
    #[serde(rename = "errorMessage", default)]
    pub error_message: String,
}

/// How an attempt at an invocation ended.
#[derive(Debug)]
pub enum Attempt {
    /// The function answered, or failed.
    Done(std::result::Result<Bytes, FunctionError>),
    /// The process ended before it fetched the invocation, which can
    /// therefore be given to another.
    NotFetched(FunctionError),
}

impl Instance {
    /// Starts a process. The invoker fills `spec.env` with everything but the
    /// endpoint.
    pub async fn start(spec: &Spec, arn: &str, timeout: Duration) -> Result<Self> {
        let api = RuntimeApi::start(arn, timeout).await?;
        let mut spec = spec.clone();
        spec.env.insert("AWS_LAMBDA_RUNTIME_API".into(), api.address.to_string());
        let child = Child::spawn(&spec)?;
        Ok(Self { child, fetched: AtomicU64::new(0), api, timeout, busy: Mutex::default() })
    }

    /// Whether the process can still take work.
    pub fn alive(&self) -> bool {
        self.child.exit().is_none()
    }

    /// The request id it has fetched and not answered yet.
    pub fn busy(&self) -> Option<String> {
        locked(&self.busy).clone()
    }

    /// Has the process handle one event. Whatever does not end well ends the
    /// process too, except an error that the function itself reports.
    pub async fn invoke(&self, id: &str, payload: Bytes) -> Attempt {
        let (delivered, fetched) = oneshot::channel();
        let (sender, reply) = oneshot::channel();
        self.api.send(Invocation { id: id.into(), payload, delivered, reply: sender });
        if let Err(error) = self.fetched(id, fetched).await {
            self.child.kill().await;
            return Attempt::NotFetched(error);
        }
        self.fetched.fetch_add(1, Ordering::Relaxed);
        *locked(&self.busy) = Some(id.into());
        let outcome = self.answered(id, reply).await;
        *locked(&self.busy) = None;
        Attempt::Done(outcome)
    }

    async fn fetched(
        &self,
        id: &str,
        fetched: oneshot::Receiver<()>,
    ) -> std::result::Result<(), FunctionError> {
        tokio::select! {
            biased;
            Ok(()) = fetched => Ok(()),
            error = self.api.init_error() => Err(reported(&error, "Runtime.InitError")),
            status = self.child.wait() => {
                self.api.drained().await;
                match tokio::time::timeout(Duration::ZERO, self.api.init_error()).await {
                    Ok(error) => Err(reported(&error, "Runtime.InitError")),
                    Err(_) => Err(exited(id, &describe(status))),
                }
            }
            () = tokio::time::sleep(INIT_LIMIT) => Err(FunctionError {
                error_type: "Runtime.InitTimeout".into(),
                error_message: format!("the process did not ask for work within {INIT_LIMIT:?}"),
            }),
        }
    }

    async fn answered(
        &self,
        id: &str,
        mut reply: oneshot::Receiver<Reply>,
    ) -> std::result::Result<Bytes, FunctionError> {
        tokio::select! {
            biased;
            Ok(reply) = &mut reply => reply.map_err(|error| reported(&error, "Unhandled")),
            status = self.child.wait() => {
                self.api.drained().await;
                match reply.try_recv() {
                    Ok(reply) => reply.map_err(|error| reported(&error, "Unhandled")),
                    Err(_) => Err(exited(id, &describe(status))),
                }
            }
            () = tokio::time::sleep(self.timeout) => {
                self.child.kill().await;
                Err(FunctionError {
                    error_type: "Sandbox.Timedout".into(),
                    error_message: format!(
                        "RequestId: {id} Error: Task timed out after {}.00 seconds",
                        self.timeout.as_secs()
                    ),
                })
            }
        }
    }
}

fn exited(id: &str, how: &str) -> FunctionError {
    FunctionError {
        error_type: "Runtime.ExitError".into(),
        error_message: format!("RequestId: {id} Error: Runtime exited with error: {how}"),
    }
}

/// The error document of a function, or what it sent instead of one.
fn reported(document: &[u8], fallback: &str) -> FunctionError {
    serde_json::from_slice(document).unwrap_or_else(|_| FunctionError {
        error_type: fallback.into(),
        error_message: String::from_utf8_lossy(document).into_owned(),
    })
}
