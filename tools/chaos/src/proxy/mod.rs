//! A proxy in front of one server: it passes HTTP/1, and breaks it on purpose.
//!
//! What it does can be changed while it runs, and everything it does is
//! counted: a scenario whose fault never happened has shown nothing.

mod connection;
pub mod fault;
mod framing;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::dice::Dice;
use fault::{Act, Rule};
use framing::Head;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are passed, by the rules.
    Pass,
    /// They are accepted, and nothing on them is read or answered any more.
    BlackHole,
    /// They are reset as soon as they are made.
    Refuse,
}

/// How good the line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// Every piece that is read waits so long, either way.
    pub delay: Duration,
    /// Most bytes that pass in a second, either way and on each connection.
    pub bytes_per_second: Option<u64>,
}

/// A running proxy; it ends with this value.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    upstream: watch::Sender<Option<SocketAddr>>,
    mode: watch::Sender<Mode>,
    /// Rises whenever all connections are to be reset.
    cuts: watch::Sender<u64>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rules: Vec<Rule>,
    line: Line,
    dice: Dice,
    counts: BTreeMap<&'static str, u64>,
}

impl Proxy {
    /// Listens on a free port of loopback. Connections wait until the proxy is
    /// told what it stands for.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(dice: Dice) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("a free port")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: watch::Sender::new(None),
            mode: watch::Sender::new(Mode::Pass),
            cuts: watch::Sender::new(0),
            state: Mutex::new(State {
                rules: Vec::new(),
                line: Line::default(),
                dice,
                counts: BTreeMap::new(),
            }),
        });
        let listening = tokio::spawn(connection::listen(listener, shared.clone()));
        Ok(Self { address, shared, listening })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it stands for: `http://HOST:PORT`. Several proxies may stand for one
    /// server, as the nodes of a cluster.
    ///
    /// # Errors
    /// When that is no such URL.
    pub fn stands_for(&self, url: &str) -> anyhow::Result<()> {
        let address = url.trim_start_matches("http://").parse();
        let address = address.with_context(|| format!("`{url}` is no address"))?;
        self.shared.upstream.send_replace(Some(address));
        Ok(())
    }

    /// Sets what becomes of connections, of those that there are as well.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.count(match mode {
            Mode::Pass => "passing again",
            Mode::BlackHole => "black holes",
            Mode::Refuse => "refusals begun",
        });
        self.shared.mode.send_replace(mode);
    }

    /// Sets how good the line is.
    pub fn set_line(&self, line: Line) {
        self.shared.state().line = line;
    }

    /// Sets the rules in place of those before; the first that fits a request
    /// is rolled for.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        self.shared.state().rules = rules;
    }

    /// Resets every connection now.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// How often something was done.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.shared.state().counts.get(name).copied().unwrap_or(0)
    }

    /// Everything that was done, by name.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.shared.state().counts.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

/// What was decided for one request.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) name: &'static str,
    pub(crate) act: Act,
    /// A number below what the act says.
    pub(crate) after: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn line(&self) -> Line {
        self.state().line
    }

    pub(crate) fn count(&self, name: &'static str) {
        *self.state().counts.entry(name).or_default() += 1;
    }

    /// What is done to a request. A rule with a limit is used up when it is
    /// rolled, so that it is never done more often; see [`Shared::undone`].
    pub(crate) fn decide(&self, head: &Head) -> Option<Decided> {
        let mut state = self.state();
        let State { rules, dice, .. } = &mut *state;
        for rule in rules.iter_mut().filter(|rule| rule.on.matches(head)) {
            if rule.most == Some(0) || !dice.happens(rule.chance) {
                continue;
            }
            if let Some(most) = &mut rule.most {
                *most -= 1;
            }
            let after = match rule.act {
                Act::LoseRequest { within } | Act::CutBody { within } => dice.below(within.max(1)),
                _ => 0,
            };
            return Some(Decided { name: rule.name, act: rule.act.clone(), after });
        }
        None
    }

    /// Gives back what was decided and could not be done.
    pub(crate) fn undone(&self, decided: &Decided) {
        let mut state = self.state();
        let rule = state.rules.iter_mut().find(|rule| rule.name == decided.name);
        if let Some(most) = rule.and_then(|rule| rule.most.as_mut()) {
            *most += 1;
        }
    }
}
