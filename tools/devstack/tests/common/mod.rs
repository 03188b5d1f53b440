//! What the tests share: options for a small stack in a folder of the test's
//! own, and waiting for a condition.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::{Duration, Instant};

use devstack::{FunctionOptions, Options, Program, QueueOptions, StackState};

/// A stack's options and the folder it lies in.
pub struct Place {
    pub dir: tempfile::TempDir,
    pub options: Options,
}

/// A stack with nothing in it yet.
pub fn place(name: &str) -> Place {
    static LAUNCHER: Once = Once::new();
    // Cargo builds the examples for these tests, but no other package's
    // programs. One that is there is taken as it is: a build would wait for
    // every other build that runs.
    LAUNCHER.call_once(|| {
        if release().join("launcher").is_file() {
            return;
        }
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "-p", "launcher"])
            .status()
            .unwrap();
        assert!(status.success());
    });
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        name: name.into(),
        root: dir.path().into(),
        cache: Some(workspace().join(".motherlode").join("cache")),
        program: Program { path: example("serve"), args: vec![] },
        launcher: Some(release().join("launcher")),
        clusters: vec![],
        aws: false,
        buckets: vec![],
        ..Options::default()
    };
    Place { dir, options }
}

impl Place {
    /// Adds the toy function, with a queue if one is given.
    pub fn toy(&mut self, queue: Option<QueueOptions>) -> &mut FunctionOptions {
        let mut toy = FunctionOptions::new("toy", example("toy"));
        toy.env.insert("TOY_DIR".into(), self.dir.path().to_string_lossy().into_owned());
        self.options.aws |= queue.is_some();
        toy.queue = queue;
        self.options.functions.push(toy);
        self.options.functions.last_mut().unwrap()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The bodies of the messages the toy function has seen, a message once
    /// per receive.
    pub fn seen(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let seen =
            |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("seen-");
        files.filter(seen).map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

pub fn progress(step: &str) {
    eprintln!("{step}");
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().into()
}

fn release() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().into()
}

pub fn example(name: &str) -> PathBuf {
    release().join("examples").join(name)
}

/// Waits until the condition holds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sends a message to the toy function's queue.
pub async fn send(state: &StackState, body: &str) {
    let queue = state.function("toy").unwrap().queue_url.clone().unwrap();
    state.sqs().unwrap().send_message().queue_url(queue).message_body(body).send().await.unwrap();
}

/// Whether a process runs; one that nobody has waited for does not.
pub fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}
