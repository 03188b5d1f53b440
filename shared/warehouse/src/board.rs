//! What processes tell each other about nodes that are down, so that a cold
//! function does not wait for a node that others know to be dead.

use async_trait::async_trait;

/// A node that is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Name of the cluster.
    pub cluster: String,
    /// URL of the node.
    pub node: String,
    /// Until when it is left alone, in milliseconds since 1970.
    pub until_ms: i64,
    /// What happened, for people.
    pub reason: String,
}

/// Where outages are told. What it cannot do, it logs: that nobody hears of an
/// outage costs time and nothing else.
#[async_trait]
pub trait HealthBoard: Send + Sync {
    /// The outages that are known, those that are over among them or not.
    async fn outages(&self) -> Vec<Outage>;

    /// Tells of an outage, in place of what was told of this node before.
    async fn tell(&self, outage: &Outage);

    /// Takes back what was told of a node: it answers again.
    async fn take_back(&self, cluster: &str, node: &str);
}

/// Tells nobody: for tools of one process.
#[derive(Debug, Clone, Copy)]
pub struct NoBoard;

#[async_trait]
impl HealthBoard for NoBoard {
    async fn outages(&self) -> Vec<Outage> {
        Vec::new()
    }

    async fn tell(&self, _outage: &Outage) {}

    async fn take_back(&self, _cluster: &str, _node: &str) {}
}
