//! Ties the life of this process to its parent's, or cuts the tie.
//!
//! Invariant for whoever starts the launcher: Linux sends the death signal
//! when the *thread* that forked dies, not the process. A supervisor must
//! therefore start its children from a thread that lives as long as it does;
//! ours uses a current-thread runtime on the main thread.

use anyhow::{Context, bail};
use rustix::process::{Pid, getppid, setsid};

/// Asks the kernel to kill this process when its parent dies. The wish
/// survives `exec`.
pub fn die_with(parent: Option<i32>) -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .context("cannot ask for a signal at the parent's death")?;
    // A parent that died before the line above sends no signal any more; then
    // this process has been given to another parent already.
    let now = getppid().map(Pid::as_raw_pid);
    if parent.is_some() && now != parent {
        bail!("the parent process is gone: expected {parent:?}, found {now:?}");
    }
    Ok(())
}

/// Starts a session of its own, so that neither the terminal's signals nor
/// the parent's end reach this process.
pub fn detach() -> anyhow::Result<()> {
    setsid().context("cannot start a session")?;
    Ok(())
}
