//! One child process of the supervisor.
//!
//! Every child is started through the launcher, which has the kernel kill it
//! when the supervisor's main thread dies, and in a process group of its own,
//! so that a Ctrl-C meant for the supervisor does not race with its orderly
//! shutdown.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;
use tokio::sync::watch;

use crate::error::{Error, Result};

/// What of our own environment a child gets. Anything else, above all a
/// developer's AWS profile, must not reach it.
const INHERITED: [&str; 11] = [
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "TZ",
    "LANG",
    "SSL_CERT_FILE",
    "LD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
    "RUST_BACKTRACE",
    "RUST_LOG",
];

/// How to start a child.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The launcher.
    pub launcher: PathBuf,
    /// The launcher's arguments: `exec PROGRAM …` or `chdb LIBRARY …`.
    pub args: Vec<OsString>,
    /// Variables beside the inherited ones.
    pub env: BTreeMap<String, String>,
    /// Where its output is appended.
    pub log: PathBuf,
}

/// A running child, killed when dropped.
#[derive(Debug)]
pub struct Child {
    pid: u32,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Child {
    /// Starts a child. Must be called on the supervisor's main thread.
    pub fn spawn(spec: &Spec) -> Result<Self> {
        let log = append(&spec.log)?;
        let errors = log.try_clone().map_err(Error::io("open", &spec.log))?;
        let mut child = Command::new(&spec.launcher)
            .arg("--parent")
            .arg(std::process::id().to_string())
            .args(&spec.args)
            .env_clear()
            .envs(INHERITED.iter().filter_map(|key| Some((key, std::env::var_os(key)?))))
            .envs(&spec.env)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(Error::io("run", &spec.launcher))?;
        // A child that was not waited for has an id.
        let pid = child.id().unwrap_or_default();
        let (sender, exit) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await.unwrap_or_default();
            sender.send_replace(Some(status));
        });
        Ok(Self { pid, exit })
    }

    /// Its process id, and its process group's.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits for its end.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            // The sender lives until it has sent, or the runtime is gone.
            Err(_) => ExitStatus::default(),
        }
    }

    /// Sends a signal to the child and whatever it has started. Without
    /// effect when it has ended: its number may belong to another by now.
    pub fn signal(&self, signal: Signal) {
        if self.exit().is_some() {
            return;
        }
        if let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // The child may have ended a moment ago; then this is no failure.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Kills it with SIGKILL and waits for its end.
    pub async fn kill(&self) {
        self.signal(Signal::KILL);
        self.wait().await;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// An end in words.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status: {code}"),
        (None, Some(9)) => "signal: killed".into(),
        (None, Some(signal)) => format!("signal: {signal}"),
        (None, None) => "unknown".into(),
    }
}

/// The last lines of a log, for an error message.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn append(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    File::options().create(true).append(true).open(path).map_err(Error::io("open", path))
}
