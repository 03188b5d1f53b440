//! The control API, typed.

use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::http::{self, Answer};
use crate::instance::FunctionError;
use crate::state::StackState;
use crate::status::Status;

/// A synchronous invocation may take as long as Lambda ever lets one.
const INVOKE_LIMIT: Duration = Duration::from_secs(900);

/// The supervisor of one stack.
#[derive(Debug, Clone)]
pub struct Control {
    address: String,
}

/// Every method fails when the supervisor does not answer, or refuses.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Control {
    /// The supervisor that wrote this state.
    pub fn new(state: &StackState) -> Self {
        Self { address: state.control.clone() }
    }

    /// What the stack is doing.
    pub async fn status(&self) -> Result<Status> {
        let answer =
            self.call(Method::GET, "/status", Bytes::new(), Duration::from_secs(30)).await?;
        serde_json::from_slice(answer.body()).map_err(|error| Error::Http {
            address: self.address.clone(),
            reason: error.to_string(),
        })
    }

    /// Has the supervisor shut everything down; it answers before it has.
    pub async fn stop(&self) -> Result<()> {
        self.post("/stop").await
    }

    /// Kills a cluster's server with SIGKILL.
    pub async fn kill_cluster(&self, name: &str) -> Result<()> {
        self.post(&format!("/clusters/{name}/kill")).await
    }

    /// Starts a cluster's server again, on its ports and data; returns when
    /// it answers.
    pub async fn start_cluster(&self, name: &str) -> Result<()> {
        self.post(&format!("/clusters/{name}/start")).await
    }

    /// Stops a cluster's server from running: it accepts connections and
    /// never answers.
    pub async fn pause_cluster(&self, name: &str) -> Result<()> {
        self.post(&format!("/clusters/{name}/pause")).await
    }

    /// Lets a paused server go on.
    pub async fn resume_cluster(&self, name: &str) -> Result<()> {
        self.post(&format!("/clusters/{name}/resume")).await
    }

    /// Kills the Kafka broker with SIGKILL.
    pub async fn kill_kafka(&self) -> Result<()> {
        self.post("/kafka/kill").await
    }

    /// Has the Kafka broker shut down in order; returns when it has.
    pub async fn stop_kafka(&self) -> Result<()> {
        self.post("/kafka/stop").await
    }

    /// Starts the Kafka broker again, on its ports and data; returns when it
    /// answers.
    pub async fn start_kafka(&self) -> Result<()> {
        self.post("/kafka/start").await
    }

    /// Stops the Kafka broker from running: it accepts connections and never
    /// answers.
    pub async fn pause_kafka(&self) -> Result<()> {
        self.post("/kafka/pause").await
    }

    /// Lets a paused Kafka broker go on.
    pub async fn resume_kafka(&self) -> Result<()> {
        self.post("/kafka/resume").await
    }

    /// Makes a Kafka topic; one that is there is left as it is.
    pub async fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        self.post(&format!("/kafka/topics/{name}/{partitions}")).await
    }

    /// Has every record of a function's topics delivered again, from the first
    /// that there is.
    pub async fn rewind(&self, function: &str) -> Result<()> {
        self.post(&format!("/functions/{function}/topics/rewind")).await
    }

    /// Has the next batch of each of a function's topics delivered a second
    /// time after it was handled.
    pub async fn deliver_twice(&self, function: &str) -> Result<()> {
        self.post(&format!("/functions/{function}/topics/deliver-twice")).await
    }

    /// Kills one busy instance of a function with SIGKILL; answers its
    /// process id, or none when all are idle.
    pub async fn kill_busy(&self, function: &str) -> Result<Option<u32>> {
        let path = format!("/functions/{function}/kill-busy");
        match self.call(Method::POST, &path, Bytes::new(), Duration::from_secs(10)).await {
            Ok(answer) => {
                let answer: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
                Ok(answer["pid"].as_u64().and_then(|pid| pid.try_into().ok()))
            }
            Err(Error::Refused { status: 409, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Invokes a function and waits; the inner result is what it said.
    pub async fn invoke(
        &self,
        function: &str,
        event: impl Into<Bytes>,
    ) -> Result<std::result::Result<Bytes, FunctionError>> {
        let path = invocations(function);
        let answer = self.call(Method::POST, &path, event.into(), INVOKE_LIMIT).await?;
        if answer.headers().contains_key("x-amz-function-error") {
            return serde_json::from_slice(answer.body()).map(Err).map_err(|error| Error::Http {
                address: self.address.clone(),
                reason: error.to_string(),
            });
        }
        Ok(Ok(answer.into_body()))
    }

    /// Invokes a function and does not wait.
    pub async fn invoke_event(&self, function: &str, event: impl Into<Bytes>) -> Result<()> {
        let path = invocations(function);
        let mut request = http::request(Method::POST, &self.address, &path, event)?;
        let kind = hyper::header::HeaderValue::from_static("Event");
        request.headers_mut().insert("x-amz-invocation-type", kind);
        self.accept(&path, http::send(&self.address, request, Duration::from_secs(10)).await?)
            .map(|_| ())
    }

    async fn post(&self, path: &str) -> Result<()> {
        // A server may take its time to start.
        self.call(Method::POST, path, Bytes::new(), Duration::from_secs(90)).await.map(|_| ())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<Answer> {
        let request = http::request(method, &self.address, path, body)?;
        self.accept(path, http::send(&self.address, request, limit).await?)
    }

    fn accept(&self, path: &str, answer: Answer) -> Result<Answer> {
        match answer.status() {
            StatusCode::OK | StatusCode::ACCEPTED => Ok(answer),
            status => {
                let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
                Err(Error::Refused {
                    path: format!("{}{path}", self.address),
                    status: status.as_u16(),
                    message: body["message"].as_str().unwrap_or_default().into(),
                })
            }
        }
    }
}

fn invocations(function: &str) -> String {
    format!("/2015-03-31/functions/{function}/invocations")
}
