//! What a process knows about one cluster: its connections, its credentials,
//! which node answered last, and which tables were found in order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clickhouse::Client;

use crate::config::{ClusterConfig, Options};
use crate::credentials::{Credentials, CredentialsProvider};
use crate::error::{TransportKind, WarehouseError};
use crate::node::{Node, connect};
use crate::port::TableSpec;
use crate::server_code::ServerKind;

/// One cluster.
pub(crate) struct Cluster {
    config: ClusterConfig,
    options: Options,
    /// Connections of each node, made when it is first used.
    connections: Mutex<HashMap<usize, Client>>,
    preferred: AtomicUsize,
    access: tokio::sync::Mutex<Option<Access>>,
    prepared: Mutex<HashMap<(String, String), Arc<Prepared>>>,
}

/// Credentials as they were read.
#[derive(Clone)]
struct Access {
    credentials: Credentials,
    /// Whether a server has accepted them.
    proven: Arc<AtomicBool>,
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

impl Cluster {
    pub(crate) fn new(config: ClusterConfig, options: Options) -> Self {
        Self {
            config,
            options,
            connections: Mutex::default(),
            preferred: AtomicUsize::new(0),
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

    /// The node to ask now.
    pub(crate) async fn node(
        &self,
        provider: &dyn CredentialsProvider,
    ) -> Result<Node, WarehouseError> {
        let access = self.access(provider).await?;
        let index = self.preferred.load(Ordering::Relaxed) % self.config.nodes.len();
        let url = &self.config.nodes[index];
        let connections = {
            let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
            match connections.get(&index) {
                Some(client) => client.clone(),
                None => {
                    let client = connect(url, &self.options).map_err(|source| {
                        WarehouseError::Trust { cluster: self.config.name.clone(), source }
                    })?;
                    connections.insert(index, client.clone());
                    client
                }
            }
        };
        Ok(Node::new(
            connections,
            &self.config.name,
            url,
            access.credentials,
            access.proven,
            self.options,
        ))
    }

    async fn access(&self, provider: &dyn CredentialsProvider) -> Result<Access, WarehouseError> {
        let mut access = self.access.lock().await;
        if let Some(access) = &*access {
            return Ok(access.clone());
        }
        let credentials = provider.credentials(&self.config.secret).await.map_err(|source| {
            WarehouseError::Credentials { cluster: self.config.name.clone(), source }
        })?;
        let read = Access { credentials, proven: Arc::default() };
        *access = Some(read.clone());
        Ok(read)
    }

    /// Learns from an error. True when asking once more, now, makes sense: with
    /// credentials read anew, or on another node.
    pub(crate) async fn learn(&self, error: &WarehouseError) -> bool {
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
            (_, Some(TransportKind::Connect)) => {
                self.preferred.fetch_add(1, Ordering::Relaxed);
                self.config.nodes.len() > 1
            }
            _ => false,
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
