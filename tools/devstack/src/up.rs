//! Starting a stack's supervisor, asking for it, and ending it, from another
//! process.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::child::{describe, tail};
use crate::client::Control;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::options::Options;
use crate::setup::{self, Progress};
use crate::state::{Phase, StackState, replace};
use crate::status::Status;
use crate::supervisor::lock_file;

/// How long a supervisor may take to get everything up.
const START_LIMIT: Duration = Duration::from_secs(240);
/// How long one may take to shut down before it is made to.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Brings a stack up in the background and returns when it is ready. When it
/// is up already, that is said through `progress` and its state returned.
///
/// # Errors
/// When something is missing or a part does not start; the message ends with
/// the tail of the log.
pub async fn up(options: &Options, progress: Progress<'_>) -> Result<StackState> {
    let options = Options { attached: false, ..options.resolved()? };
    let dir = options.dir();
    let _turn = turn(&dir, progress).await?;
    match running(&dir).await? {
        Some(state) => {
            progress("the stack is already up");
            Ok(state)
        }
        None => launch(&options, progress).await.map(|(_, state)| state),
    }
}

/// What the stack in `dir` is doing.
///
/// # Errors
/// [`Error::NotUp`] when it is not up.
pub async fn status(dir: &Path) -> Result<Status> {
    match running(dir).await? {
        Some(state) => Control::new(&state).status().await,
        None => Err(Error::NotUp { dir: dir.into() }),
    }
}

/// Takes the stack in `dir` down; false when it was not up.
///
/// # Errors
/// When it resists.
pub async fn down(dir: &Path) -> Result<bool> {
    let lock = lock_file(dir);
    if !dir.exists() || Lock::try_take(&lock)?.is_some() {
        // What a supervisor that was killed has left behind.
        StackState::remove(dir)?;
        return Ok(false);
    }
    let Some(state) = StackState::read(dir)? else { return Err(Error::NotUp { dir: dir.into() }) };
    if Control::new(&state).stop().await.is_ok() && Lock::wait_free(&lock, STOP_LIMIT).await? {
        return Ok(true);
    }
    // The lock is held, so the process id in the file is a living one's.
    for signal in [Signal::TERM, Signal::KILL] {
        if let Some(pid) = i32::try_from(state.pid).ok().and_then(Pid::from_raw) {
            // It may have ended between the question and the signal.
            let _ = kill_process(pid, signal);
        }
        if Lock::wait_free(&lock, STOP_LIMIT).await? {
            StackState::remove(dir)?;
            return Ok(true);
        }
    }
    Err(Error::AlreadyUp { dir: dir.into() })
}

/// A stack that ends with this process, however this process ends: the
/// supervisor reads from a pipe that only we hold open.
#[derive(Debug)]
pub struct AttachedStack {
    state: StackState,
    supervisor: Child,
}

impl AttachedStack {
    /// Starts a stack and returns when it is ready.
    ///
    /// # Errors
    /// As [`up`]; also when the stack is up already.
    pub async fn start(options: &Options, progress: Progress<'_>) -> Result<Self> {
        let options = Options { attached: true, ..options.resolved()? };
        let dir = options.dir();
        let _turn = turn(&dir, progress).await?;
        if running(&dir).await?.is_some() {
            return Err(Error::AlreadyUp { dir });
        }
        let (supervisor, state) = launch(&options, progress).await?;
        Ok(Self { state, supervisor })
    }

    /// What it consists of.
    pub fn state(&self) -> &StackState {
        &self.state
    }

    /// Its control API.
    pub fn control(&self) -> Control {
        Control::new(&self.state)
    }
}

impl Drop for AttachedStack {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let deadline = Instant::now() + STOP_LIMIT;
        while let Ok(None) = self.supervisor.try_wait() {
            if Instant::now() > deadline {
                // Its children follow it.
                let _ = self.supervisor.kill();
                let _ = self.supervisor.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// One starter at a time; the others find the stack up.
async fn turn(dir: &Path, progress: Progress<'_>) -> Result<Lock> {
    Lock::take(&dir.join("up.lock"), || {
        progress("waiting for another process that is starting the stack")
    })
    .await
}

/// The state of a living stack. A supervisor that is still starting, because
/// whoever started it was interrupted, is waited for.
async fn running(dir: &Path) -> Result<Option<StackState>> {
    if !dir.exists() {
        return Ok(None);
    }
    let deadline = Instant::now() + START_LIMIT;
    while Lock::try_take(&lock_file(dir))?.is_none() {
        if let Some(state) = StackState::read(dir)?.filter(|state| state.phase == Phase::Ready) {
            return Ok(Some(state));
        }
        if Instant::now() > deadline {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(None)
}

async fn launch(options: &Options, progress: Progress<'_>) -> Result<(Child, StackState)> {
    setup::ensure(options, progress).await?;
    let dir = options.dir();
    StackState::remove(&dir)?;
    let file = dir.join("options.json");
    let text = serde_json::to_vec_pretty(options).map_err(Error::json("write", &file))?;
    replace(&file, &text)?;
    let log = dir.join("supervisor.log");
    let mut supervisor = spawn(options, &file, &log)?;
    let failed = |reason: String| Error::Start {
        part: format!("the stack {}", options.name),
        reason,
        log: log.clone(),
        tail: tail(&log),
    };
    let mut last = String::new();
    let deadline = Instant::now() + START_LIMIT;
    loop {
        // Whether it lives is asked before what it wrote: what it wrote last
        // is then seen.
        let ended = supervisor.try_wait().map_err(Error::io("wait for", &options.program.path))?;
        match StackState::read(&dir)?.map(|state| (state.phase.clone(), state)) {
            Some((Phase::Ready, state)) if ended.is_none() => return Ok((supervisor, state)),
            Some((Phase::Failed(reason), _)) => return Err(failed(reason)),
            Some((Phase::Starting(step), _)) if step != last => {
                progress(&step);
                last = step;
            }
            _ => {}
        }
        if let Some(status) = ended {
            return Err(failed(format!("the supervisor ended ({})", describe(status))));
        }
        if Instant::now() > deadline {
            // A supervisor that hangs would hold the lock for ever.
            let _ = supervisor.kill();
            return Err(failed(format!("not ready within {START_LIMIT:?}")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Starts the supervisor in a session of its own, attached or not: Ctrl-C in
/// a terminal is for us, and what the supervisor has to hear of it is the end
/// of its input.
fn spawn(options: &Options, file: &Path, log: &Path) -> Result<Child> {
    let out =
        File::options().create(true).append(true).open(log).map_err(Error::io("open", log))?;
    let errors = out.try_clone().map_err(Error::io("open", log))?;
    Command::new(options.launcher())
        .args(["--detach", "exec"])
        .arg(&options.program.path)
        .args(&options.program.args)
        .arg(file)
        .stdin(if options.attached { Stdio::piped() } else { Stdio::null() })
        .stdout(out)
        .stderr(errors)
        .spawn()
        .map_err(Error::io("run", &options.launcher()))
}
