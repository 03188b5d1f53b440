//! The real warehouse: ClickHouse clusters over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::cluster::Cluster;
use crate::config::{ClusterConfig, Options};
use crate::credentials::CredentialsProvider;
use crate::error::WarehouseError;
use crate::extras;
use crate::insert::StreamInsert;
use crate::port::{ExtraColumn, Insert, InsertSpec, JsonRow, TableSpec, Warehouse};
use crate::prepare;

/// Clusters, reached when they are first used.
pub struct ClickHouse {
    clusters: BTreeMap<String, Arc<Cluster>>,
    provider: Arc<dyn CredentialsProvider>,
}

impl ClickHouse {
    /// Knows these clusters; opens no connection and reads no secret yet.
    #[must_use]
    pub fn new(
        clusters: Vec<ClusterConfig>,
        provider: Arc<dyn CredentialsProvider>,
        options: Options,
    ) -> Self {
        let clusters = clusters
            .into_iter()
            .map(|config| (config.name.clone(), Arc::new(Cluster::new(config, options))))
            .collect();
        Self { clusters, provider }
    }

    /// The names of the clusters.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        self.clusters.keys().map(String::as_str)
    }

    /// Runs one statement and gives the server's answer as it comes, up to
    /// `limit` bytes, in `format` unless the SQL names one.
    ///
    /// # Errors
    /// As [`Warehouse::query`]; an answer of more bytes is refused.
    pub async fn query_raw(
        &self,
        cluster: &str,
        sql: &str,
        format: &str,
        limit: usize,
    ) -> Result<Bytes, WarehouseError> {
        let cluster = self.cluster(cluster)?;
        let mut tries = cluster.tries();
        loop {
            tries -= 1;
            let node = cluster.node(&*self.provider).await?;
            match node.run("query", sql, &[], format, limit).await {
                Err(error) if cluster.learn(&error).await && tries > 0 => {}
                answer => return answer,
            }
        }
    }

    fn cluster(&self, name: &str) -> Result<&Arc<Cluster>, WarehouseError> {
        self.clusters.get(name).ok_or_else(|| WarehouseError::UnknownCluster {
            cluster: name.to_owned(),
            known: self.clusters().collect::<Vec<_>>().join(", "),
        })
    }
}

#[async_trait]
impl Warehouse for ClickHouse {
    async fn prepare(&self, cluster: &str, table: &TableSpec) -> Result<(), WarehouseError> {
        let cluster = self.cluster(cluster)?;
        if cluster
            .prepared(&table.database, &table.name)
            .is_some_and(|prepared| prepared.spec == *table)
        {
            return Ok(());
        }
        let mut tries = cluster.tries();
        loop {
            tries -= 1;
            let node = cluster.node(&*self.provider).await?;
            match prepare::prepare(&node, table).await {
                Err(error) if cluster.learn(&error).await && tries > 0 => {}
                Err(error) => return Err(error),
                Ok(prepared) => {
                    tracing::debug!(
                        cluster = cluster.name(),
                        table = table.name,
                        "table is in order"
                    );
                    cluster.remember(prepared);
                    return Ok(());
                }
            }
        }
    }

    async fn extras(
        &self,
        cluster: &str,
        table: &TableSpec,
        wanted: &[ExtraColumn],
    ) -> Result<Vec<ExtraColumn>, WarehouseError> {
        let cluster = self.cluster(cluster)?;
        let mut tries = cluster.tries();
        loop {
            tries -= 1;
            let node = cluster.node(&*self.provider).await?;
            match extras::extras(&node, table, wanted).await {
                Err(error) if cluster.learn(&error).await && tries > 0 => {}
                answer => return answer,
            }
        }
    }

    async fn insert(
        &self,
        cluster: &str,
        insert: InsertSpec,
    ) -> Result<Box<dyn Insert>, WarehouseError> {
        let cluster = self.cluster(cluster)?;
        let node = cluster.node(&*self.provider).await?;
        let columns = match (&insert.select, cluster.prepared(&insert.database, &insert.table)) {
            (None, _) => insert.columns.iter().map(|column| column.name.clone()).collect(),
            (Some(_), Some(prepared)) if prepared.spec.select == insert.select => {
                prepared.columns.clone()
            }
            (Some(select), _) => match prepare::selected_names(&node, &insert, select).await {
                Ok(names) => names,
                Err(error) => {
                    cluster.learn(&error).await;
                    return Err(error);
                }
            },
        };
        Ok(Box::new(StreamInsert::begin(cluster.clone(), node, insert, &columns)?))
    }

    async fn query(
        &self,
        cluster: &str,
        sql: &str,
        params: &[(&str, String)],
    ) -> Result<Vec<JsonRow>, WarehouseError> {
        let cluster = self.cluster(cluster)?;
        let mut tries = cluster.tries();
        loop {
            tries -= 1;
            let node = cluster.node(&*self.provider).await?;
            match node.rows("query", sql, params).await {
                Err(error) if cluster.learn(&error).await && tries > 0 => {}
                answer => return answer,
            }
        }
    }
}
