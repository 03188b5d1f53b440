//! A function: a pool of instances that grows on demand and stays warm.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::Signal;
use tokio::sync::Semaphore;

use crate::child::Spec;
use crate::error::chain;
use crate::instance::{Attempt, FunctionError, Instance};
use crate::locked;
use crate::options::FunctionOptions;

/// A function and its instances.
#[derive(Debug)]
pub struct Function {
    /// How it was asked for.
    pub options: FunctionOptions,
    /// How many invocations ended well.
    pub succeeded: AtomicU64,
    /// How many did not.
    pub failed: AtomicU64,
    arn: String,
    launcher: PathBuf,
    logs: PathBuf,
    env: BTreeMap<String, String>,
    room: Semaphore,
    slots: Mutex<Vec<Slot>>,
}

/// The place of one instance. A process that died is replaced in its place,
/// and goes on with its log.
#[derive(Debug, Clone, Default)]
struct Slot {
    taken: bool,
    instance: Option<Arc<Instance>>,
}

impl Function {
    /// A function without instances. `env` is the stack's; the function's own
    /// variables come last.
    pub fn new(
        options: &FunctionOptions,
        region: &str,
        launcher: &Path,
        logs: &Path,
        env: BTreeMap<String, String>,
    ) -> Self {
        let name = &options.name;
        let mut env = env;
        for (key, value) in [
            ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", options.memory_mb.to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".into()),
            ("AWS_REGION", region.into()),
            ("AWS_DEFAULT_REGION", region.into()),
            ("_HANDLER", "bootstrap".into()),
        ] {
            env.insert(key.into(), value);
        }
        let level = std::env::var("RUST_LOG").unwrap_or_else(|_| crate::LOGGED.into());
        env.insert("RUST_LOG".into(), level);
        env.extend(options.env.clone());
        Self {
            arn: format!("arn:aws:lambda:{region}:123456789012:function:{name}"),
            options: options.clone(),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            launcher: launcher.into(),
            logs: logs.into(),
            env,
            room: Semaphore::new(options.concurrency),
            slots: Mutex::new(vec![Slot::default(); options.concurrency]),
        }
    }

    /// Has one instance handle one event; waits when all are busy.
    ///
    /// The work goes on when the caller stops waiting, as it does in Lambda.
    pub async fn invoke(self: &Arc<Self>, payload: Bytes) -> Result<Bytes, FunctionError> {
        let function = self.clone();
        let outcome = tokio::spawn(async move {
            // The semaphore is never closed.
            let _room = function.room.acquire().await;
            let slot = function.take_slot();
            let outcome = function.invoke_in(slot, payload).await;
            locked(&function.slots)[slot].taken = false;
            outcome
        });
        let outcome = outcome.await.unwrap_or_else(|_| Err(internal("the stack is shutting down")));
        match &outcome {
            Ok(_) => self.succeeded.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(function = self.options.name, %error, "invocation failed");
                self.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
        outcome
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The instances there are, with the number of their place.
    pub fn instances(&self) -> Vec<(usize, Arc<Instance>)> {
        let slots = locked(&self.slots);
        slots
            .iter()
            .enumerate()
            .filter_map(|(number, slot)| Some((number, slot.instance.clone()?)))
            .collect()
    }

    /// Kills one instance that is handling an event, with SIGKILL; answers
    /// its process id, or none when all are idle.
    pub fn kill_busy(&self) -> Option<u32> {
        let (_, instance) =
            self.instances().into_iter().find(|(_, instance)| instance.busy().is_some())?;
        instance.child.signal(Signal::KILL);
        Some(instance.child.pid())
    }

    /// Kills every instance.
    pub async fn stop(&self) {
        for (_, instance) in self.instances() {
            instance.child.kill().await;
        }
    }

    /// A free place, one with a warm instance if there is any. The semaphore
    /// sees to it that one is free.
    fn take_slot(&self) -> usize {
        let mut slots = locked(&self.slots);
        let warm = |slot: &Slot| {
            !slot.taken && slot.instance.as_ref().is_some_and(|instance| instance.alive())
        };
        let number = slots
            .iter()
            .position(warm)
            .or_else(|| slots.iter().position(|slot| !slot.taken))
            .unwrap_or_default();
        slots[number].taken = true;
        number
    }

    async fn invoke_in(&self, slot: usize, payload: Bytes) -> Result<Bytes, FunctionError> {
        let id = uuid::Uuid::new_v4().to_string();
        loop {
            let (instance, warm) = match self.warm(slot) {
                Some(instance) => (instance, true),
                None => (self.start(slot).await?, false),
            };
            match instance.invoke(&id, payload.clone()).await {
                Attempt::Done(outcome) => return outcome,
                // It died in its sleep, which is no fault of this event.
                Attempt::NotFetched(_) if warm => {}
                Attempt::NotFetched(error) => return Err(error),
            }
        }
    }

    fn warm(&self, slot: usize) -> Option<Arc<Instance>> {
        locked(&self.slots)[slot].instance.clone().filter(|instance| instance.alive())
    }

    async fn start(&self, slot: usize) -> Result<Arc<Instance>, FunctionError> {
        let stream = format!("{}-{}", self.options.name, slot + 1);
        let mut spec = Spec {
            launcher: self.launcher.clone(),
            args: vec!["exec".into(), self.options.binary.clone().into()],
            env: self.env.clone(),
            log: self.logs.join(format!("{stream}.log")),
        };
        spec.env.insert("AWS_LAMBDA_LOG_STREAM_NAME".into(), stream);
        let timeout = Duration::from_secs(self.options.timeout_seconds.into());
        let instance = Instance::start(&spec, &self.arn, timeout).await;
        let instance = Arc::new(instance.map_err(|error| internal(&chain(&error)))?);
        tracing::info!(
            function = self.options.name,
            pid = instance.child.pid(),
            "instance started"
        );
        locked(&self.slots)[slot].instance = Some(instance.clone());
        Ok(instance)
    }
}

fn internal(message: &str) -> FunctionError {
    FunctionError { error_type: "Devstack.Internal".into(), error_message: message.into() }
}
