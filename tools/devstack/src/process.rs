//! The process of a server that is killed, paused and started again on
//! purpose.

use std::sync::Mutex;

use rustix::process::Signal;

use crate::child::{Child, Spec, describe};
use crate::error::Result;
use crate::locked;

/// What a server is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Up,
    /// It was stopped with SIGSTOP.
    Paused,
    /// Its process has ended.
    Dead(String),
    /// Its process runs but does not answer.
    Silent(String),
}

/// A server's process, or the place of one.
#[derive(Debug, Default)]
pub struct Process(Mutex<Running>);

#[derive(Debug, Default)]
struct Running {
    child: Option<Child>,
    paused: bool,
}

impl Process {
    /// Starts it; what ran before is killed.
    pub fn start(&self, spec: &Spec) -> Result<()> {
        *locked(&self.0) = Running { child: Some(Child::spawn(spec)?), paused: false };
        Ok(())
    }

    /// Whether it runs, paused or not.
    pub fn runs(&self) -> bool {
        self.pid().is_some()
    }

    /// Its id, unless it has ended.
    pub fn pid(&self) -> Option<u32> {
        let running = locked(&self.0);
        running.child.as_ref().filter(|child| child.exit().is_none()).map(Child::pid)
    }

    /// Sends SIGKILL, as a machine that loses power would, and waits for the
    /// end.
    pub async fn kill(&self) {
        self.end(Signal::KILL).await;
    }

    /// Asks it to end in order, and waits until it has.
    pub async fn terminate(&self) {
        self.end(Signal::TERM).await;
    }

    /// Stops it from running (SIGSTOP) or lets it go on: a server that
    /// accepts connections and never answers.
    pub fn pause(&self, paused: bool) {
        let mut running = locked(&self.0);
        if let Some(child) = &running.child {
            child.signal(if paused { Signal::STOP } else { Signal::CONT });
            running.paused = paused;
        }
    }

    /// What can be said without asking the server; none when it has to be
    /// asked.
    pub fn health(&self) -> Option<Health> {
        let running = locked(&self.0);
        match running.child.as_ref().map(Child::exit) {
            None => Some(Health::Dead("it is being stopped".into())),
            Some(Some(status)) => Some(Health::Dead(describe(status))),
            Some(None) if running.paused => Some(Health::Paused),
            Some(None) => None,
        }
    }

    async fn end(&self, signal: Signal) {
        // Out of the lock first: waiting must not hold it.
        let child = locked(&self.0).child.take();
        if let Some(child) = child {
            child.signal(signal);
            // What is paused would hear of it only when it goes on.
            child.signal(Signal::CONT);
            child.wait().await;
            *locked(&self.0) = Running { child: Some(child), paused: false };
        }
    }
}
