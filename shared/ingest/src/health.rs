//! Outages, told between processes through the ledger's table.

use async_trait::async_trait;
use ledger::{NodeOutage, Outages};
use warehouse::{HealthBoard, Outage};

/// The board that all functions of a deployment share.
pub(crate) struct SharedBoard(pub(crate) Outages);

#[async_trait]
impl HealthBoard for SharedBoard {
    async fn outages(&self) -> Vec<Outage> {
        match self.0.list().await {
            Ok(outages) => outages.into_iter().map(heard).collect(),
            Err(error) => {
                tracing::warn!(%error, "what others know of the clusters cannot be read");
                Vec::new()
            }
        }
    }

    async fn tell(&self, outage: &Outage) {
        if let Err(error) = self.0.note(&told(outage)).await {
            tracing::warn!(%error, "an outage could not be told");
        }
    }

    async fn take_back(&self, cluster: &str, node: &str) {
        if let Err(error) = self.0.remove(cluster, node).await {
            tracing::warn!(%error, "an outage could not be taken back");
        }
    }
}

fn heard(outage: NodeOutage) -> Outage {
    let NodeOutage { cluster, node, until_ms, reason } = outage;
    Outage { cluster, node, until_ms, reason }
}

fn told(outage: &Outage) -> NodeOutage {
    let Outage { cluster, node, until_ms, reason } = outage.clone();
    NodeOutage { cluster, node, until_ms, reason }
}
