//! What a process knows about one cluster: its connections, its credentials,
//! which of its nodes are well, and which tables were found in order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::Clock;

use crate::board::{HealthBoard, Outage};
use crate::breaker::{Admission, Breaker};
use crate::config::{ClusterConfig, Options};
use crate::credentials::{Credentials, CredentialsProvider};
use crate::error::{TransportKind, WarehouseError};
use crate::node::{Connections, Node, connect};
use crate::port::TableSpec;
use crate::server_code::ServerKind;

/// How long what the board said is taken for true.
const BOARD_AGE: Duration = Duration::from_secs(3);

/// How long a success of our own counts for more than what the board says.
const OWN_AGE_MS: i64 = 5_000;

/// How long credentials are believed; a server that refuses them has them read again
/// at once.
const CREDENTIALS_AGE_MS: i64 = 900_000;

/// How long old ones are kept when they cannot be read again.
const CREDENTIALS_PAUSE_MS: i64 = 60_000;

/// One cluster.
pub(crate) struct Cluster {
    config: ClusterConfig,
    options: Options,
    world: Arc<World>,
    nodes: Vec<Mutex<NodeState>>,
    /// Whose turn it is: load is spread over the nodes.
    turn: AtomicUsize,
    access: tokio::sync::Mutex<Option<Access>>,
    prepared: Mutex<HashMap<(String, String), Arc<Prepared>>>,
}

/// What all clusters of a process share.
pub(crate) struct World {
    pub(crate) provider: Arc<dyn CredentialsProvider>,
    pub(crate) board: Arc<dyn HealthBoard>,
    pub(crate) clock: Clock,
    /// What the board said last, and when.
    heard: tokio::sync::Mutex<Option<(Instant, Arc<Vec<Outage>>)>>,
}

/// What is known of a node.
#[derive(Default)]
struct NodeState {
    breaker: Breaker,
    /// Made when it is first used.
    connections: Option<Connections>,
    /// When it last did what was asked, in milliseconds since 1970.
    succeeded_ms: i64,
}

/// Credentials as they were read.
#[derive(Clone)]
struct Access {
    credentials: Credentials,
    /// Whether a server has accepted them.
    proven: Arc<AtomicBool>,
    /// When they are to be read again, in milliseconds since 1970.
    until_ms: i64,
}

/// A table that was found in order.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What was asked for.
    pub spec: TableSpec,
    /// The table's columns that an INSERT names, in the order of the stream or
    /// of the SQL over it.
    pub columns: Vec<String>,
}

impl World {
    pub(crate) fn new(
        provider: Arc<dyn CredentialsProvider>,
        board: Arc<dyn HealthBoard>,
        clock: Clock,
    ) -> Self {
        Self { provider, board, clock, heard: tokio::sync::Mutex::new(None) }
    }

    /// What others know, asked again when it is old.
    async fn outages(&self) -> Arc<Vec<Outage>> {
        let mut heard = self.heard.lock().await;
        match &*heard {
            Some((at, outages)) if at.elapsed() < BOARD_AGE => outages.clone(),
            _ => {
                let outages = Arc::new(self.board.outages().await);
                *heard = Some((Instant::now(), outages.clone()));
                outages
            }
        }
    }
}

impl Cluster {
    pub(crate) fn new(config: ClusterConfig, options: Options, world: Arc<World>) -> Self {
        let nodes = config.nodes.iter().map(|_| Mutex::default()).collect();
        // Functions that start together do not begin with the same node.
        let turn = AtomicUsize::new(usize::from(uuid::Uuid::new_v4().as_bytes()[0]));
        Self {
            config,
            options,
            world,
            nodes,
            turn,
            access: tokio::sync::Mutex::new(None),
            prepared: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// How often something that can be done anew is done before it is given up:
    /// once on every node, and once more with credentials read anew.
    pub(crate) fn tries(&self) -> usize {
        self.config.nodes.len() + 1
    }

    /// The node to ask now: the next one in turn that is well. A node whose
    /// pause is over is asked whether it lives first.
    pub(crate) async fn node(&self) -> Result<Node, WarehouseError> {
        let access = self.access().await?;
        let outages = self.world.outages().await;
        let count = self.config.nodes.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let order: Vec<usize> = (0..count).map(|step| (first + step) % count).collect();
        let mut probes = Vec::new();
        let mut soonest = i64::MAX;
        for index in order {
            match self.admission(index, &outages) {
                Admission::Use => return self.made(index, &access),
                Admission::Probe => probes.push(index),
                Admission::Wait { until_ms } => soonest = soonest.min(until_ms),
            }
        }
        for index in probes {
            let node = self.made(index, &access)?;
            if node.ping().await {
                self.succeeded(&node).await;
                return Ok(node);
            }
            let until_ms = self.failed(&node, true, "it does not answer a ping").await;
            soonest = soonest.min(until_ms.unwrap_or(i64::MAX));
        }
        Err(WarehouseError::Down { cluster: self.config.name.clone(), until_ms: soonest })
    }

    /// Asks every node whether it lives, and uses those that do from then on.
    pub(crate) async fn wake(&self) -> bool {
        let Ok(access) = self.access().await else { return false };
        let mut lives = false;
        for index in 0..self.config.nodes.len() {
            if let Ok(node) = self.made(index, &access)
                && node.ping().await
            {
                self.succeeded(&node).await;
                // Others may have told of it, and this process not heard yet.
                self.world.board.take_back(&self.config.name, node.url()).await;
                lives = true;
            }
        }
        lives
    }

    fn admission(&self, index: usize, outages: &[Outage]) -> Admission {
        let url = &self.config.nodes[index];
        let mut state = self.state(index);
        let now_ms = self.world.clock.now_ms();
        let told = outages
            .iter()
            .find(|outage| outage.cluster == self.config.name && outage.node == *url)
            .filter(|outage| outage.until_ms > now_ms);
        if let Some(outage) = told
            // What this process has just seen itself counts for more.
            && now_ms.saturating_sub(state.succeeded_ms) > OWN_AGE_MS
        {
            state.breaker.hear(outage.until_ms);
        }
        state.breaker.admit(now_ms)
    }

    fn state(&self, index: usize) -> std::sync::MutexGuard<'_, NodeState> {
        self.nodes[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self, index: usize, access: &Access) -> Result<Node, WarehouseError> {
        let url = &self.config.nodes[index];
        let mut state = self.state(index);
        let connections = match &state.connections {
            Some(connections) => connections.clone(),
            None => {
                let connections = connect(url, &self.options).map_err(|source| {
                    WarehouseError::Trust { cluster: self.config.name.clone(), source }
                })?;
                state.connections = Some(connections.clone());
                connections
            }
        };
        Ok(Node::new(
            connections,
            &self.config.name,
            (index, url),
            access.credentials.clone(),
            access.proven.clone(),
            self.options,
        ))
    }

    async fn access(&self) -> Result<Access, WarehouseError> {
        let mut access = self.access.lock().await;
        let now_ms = self.world.clock.now_ms();
        if let Some(access) = &*access
            && now_ms < access.until_ms
        {
            return Ok(access.clone());
        }
        let read = self.world.provider.credentials(&self.config.secret).await;
        let next = match (read, access.take()) {
            (Ok(credentials), Some(known)) if known.credentials == credentials => {
                Access { until_ms: now_ms + CREDENTIALS_AGE_MS, ..known }
            }
            (Ok(credentials), _) => Access {
                credentials,
                proven: Arc::default(),
                until_ms: now_ms + CREDENTIALS_AGE_MS,
            },
            (Err(error), Some(known)) => {
                // What was good until now is the best there is.
                tracing::warn!(cluster = self.config.name, %error, "credentials cannot be read again");
                Access { until_ms: now_ms + CREDENTIALS_PAUSE_MS, ..known }
            }
            (Err(source), None) => {
                let cluster = self.config.name.clone();
                return Err(WarehouseError::Credentials { cluster, source });
            }
        };
        *access = Some(next.clone());
        Ok(next)
    }

    /// Learns that a node did what was asked.
    pub(crate) async fn succeeded(&self, node: &Node) {
        let was_open = {
            let mut state = self.state(node.index());
            state.succeeded_ms = self.world.clock.now_ms();
            state.breaker.succeed()
        };
        if was_open {
            tracing::info!(cluster = self.config.name, node = node.url(), "the node answers again");
            self.world.board.take_back(&self.config.name, node.url()).await;
        }
    }

    /// Learns that a node failed; gives the end of the pause that begins.
    async fn failed(&self, node: &Node, is_silent: bool, reason: &str) -> Option<i64> {
        let chance = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
        let now_ms = self.world.clock.now_ms();
        let until_ms = self.state(node.index()).breaker.fail(now_ms, is_silent, chance)?;
        tracing::warn!(
            cluster = self.config.name,
            node = node.url(),
            pause_ms = until_ms - now_ms,
            reason,
            "the node is left alone"
        );
        let outage = Outage {
            cluster: self.config.name.clone(),
            node: node.url().to_owned(),
            until_ms,
            reason: reason.to_owned(),
        };
        self.world.board.tell(&outage).await;
        Some(until_ms)
    }

    /// Learns from an error. True when asking once more, now, makes sense: with
    /// credentials read anew, or on another node.
    pub(crate) async fn learn(&self, node: &Node, error: &WarehouseError) -> bool {
        match (error.server_kind(), error.transport_kind()) {
            (Some(ServerKind::StaleCredentials), _) => {
                *self.access.lock().await = None;
                true
            }
            (Some(ServerKind::Authentication), _) => {
                // Wrong from the start: somebody must put them right, and then
                // the next try must see it.
                *self.access.lock().await = None;
                false
            }
            (Some(_), _) => {
                // It answers, whatever it says.
                self.succeeded(node).await;
                false
            }
            (None, Some(kind)) => {
                let is_silent = kind == TransportKind::Timeout;
                self.failed(node, is_silent, &kind.to_string()).await;
                kind == TransportKind::Connect && self.config.nodes.len() > 1
            }
            (None, None) => false,
        }
    }

    /// The table as it was found, if it was.
    pub(crate) fn prepared(&self, database: &str, table: &str) -> Option<Arc<Prepared>> {
        let key = (database.to_owned(), table.to_owned());
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    pub(crate) fn remember(&self, prepared: Prepared) {
        let key = (prepared.spec.database.clone(), prepared.spec.name.clone());
        self.prepared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::new(prepared));
    }

    /// Forgets a table; true when it was known.
    pub(crate) fn forget(&self, database: &str, table: &str) -> bool {
        let key = (database.to_owned(), table.to_owned());
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).remove(&key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use async_trait::async_trait;

    use super::*;
    use crate::board::NoBoard;
    use crate::config::Role;
    use crate::credentials::CredentialsError;

    /// Secrets that change, or cannot be read.
    struct Changing(Mutex<Option<&'static str>>);

    #[async_trait]
    impl CredentialsProvider for Changing {
        async fn credentials(&self, secret: &str) -> Result<Credentials, CredentialsError> {
            let password = *self.0.lock().unwrap();
            let refused = || CredentialsError {
                secret: secret.to_owned(),
                reason: "throttled".to_owned(),
                disposition: model::Disposition::Retry,
            };
            let password = password.ok_or_else(refused)?.to_owned();
            Ok(Credentials { user: "u".to_owned(), password })
        }
    }

    #[tokio::test]
    async fn credentials_are_read_again_when_they_are_old() {
        let (now_ms, secret) = (Arc::new(AtomicI64::new(0)), Arc::new(Changing(Mutex::default())));
        let clock = now_ms.clone();
        let clock = Clock::new(move || clock.load(Ordering::Relaxed));
        let config = ClusterConfig {
            name: "a".to_owned(),
            role: Role::Ingestion,
            nodes: vec!["http://localhost:1".to_owned()],
            secret: "s".to_owned(),
        };
        let world = Arc::new(World::new(secret.clone(), Arc::new(NoBoard), clock));
        let cluster = Cluster::new(config, Options::default(), world);
        let set = |password| *secret.0.lock().unwrap() = password;
        let at = |ms| now_ms.store(ms, Ordering::Relaxed);
        let password =
            async || Ok::<_, WarehouseError>(cluster.access().await?.credentials.password);
        assert!(password().await.is_err());
        set(Some("old"));
        assert_eq!(password().await.unwrap(), "old");
        cluster.access().await.unwrap().proven.store(true, Ordering::Relaxed);
        set(Some("new"));
        at(CREDENTIALS_AGE_MS - 1);
        assert_eq!(password().await.unwrap(), "old");
        // They cannot be read: the old ones are kept for a minute.
        set(None);
        at(CREDENTIALS_AGE_MS);
        assert_eq!(password().await.unwrap(), "old");
        set(Some("new"));
        assert_eq!(password().await.unwrap(), "old");
        at(CREDENTIALS_AGE_MS + CREDENTIALS_PAUSE_MS);
        let access = cluster.access().await.unwrap();
        assert_eq!(access.credentials.password, "new");
        assert!(!access.proven.load(Ordering::Relaxed), "no server has seen them");
    }
}
