//! The real warehouse: ClickHouse clusters over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use model::{Clock, ObjectId, Run};

use crate::board::HealthBoard;
use crate::cluster::{Cluster, World};
use crate::config::{ClusterConfig, Options};
use crate::credentials::CredentialsProvider;
use crate::error::WarehouseError;
use crate::extras;
use crate::insert::StreamInsert;
use crate::port::{ExtraColumn, Insert, InsertSpec, JsonRow, TableSpec, Warehouse};
use crate::{prepare, schema};

/// Offsets that are looked for at a time: the rows of one answer.
const OFFSETS_AT_ONCE: i64 = 10_000;
/// The last moment of ClickHouse's `DateTime64`: the end of 2299, in milliseconds.
const MOST_MS: i64 = 10_413_791_999_999;

/// Clusters, reached when they are first used.
pub struct ClickHouse {
    clusters: BTreeMap<String, Arc<Cluster>>,
}

impl ClickHouse {
    /// Knows these clusters; opens no connection and reads no secret yet.
    #[must_use]
    pub fn new(
        clusters: Vec<ClusterConfig>,
        provider: Arc<dyn CredentialsProvider>,
        board: Arc<dyn HealthBoard>,
        clock: Clock,
        options: Options,
    ) -> Self {
        let world = Arc::new(World::new(provider, board, clock));
        let cluster = |config: ClusterConfig| {
            let name = config.name.clone();
            (name, Arc::new(Cluster::new(config, options, world.clone())))
        };
        Self { clusters: clusters.into_iter().map(cluster).collect() }
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
            let node = cluster.node().await?;
            match node.run("query", sql, &[], format, limit).await {
                Err(error) if cluster.learn(&node, &error).await && tries > 0 => {}
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
            let node = cluster.node().await?;
            match prepare::prepare(&node, table).await {
                Err(error) if cluster.learn(&node, &error).await && tries > 0 => {}
                Err(error) => return Err(error),
                Ok(prepared) => {
                    cluster.succeeded(&node).await;
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
            let node = cluster.node().await?;
            match extras::extras(&node, table, wanted).await {
                Err(error) if cluster.learn(&node, &error).await && tries > 0 => {}
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
        let node = cluster.node().await?;
        let columns = match (&insert.select, cluster.prepared(&insert.database, &insert.table)) {
            (None, _) => insert.columns.iter().map(|column| column.name.clone()).collect(),
            (Some(_), Some(prepared)) if prepared.spec.select == insert.select => {
                prepared.columns.clone()
            }
            (Some(select), _) => match prepare::selected_names(&node, &insert, select).await {
                Ok(names) => names,
                Err(error) => {
                    cluster.learn(&node, &error).await;
                    return Err(error);
                }
            },
        };
        Ok(Box::new(StreamInsert::begin(cluster.clone(), node, insert, &columns)?))
    }

    async fn is_up(&self, cluster: &str) -> bool {
        match self.cluster(cluster) {
            // Whatever else is wrong with it is said by the call that meets it.
            Ok(cluster) => !matches!(cluster.node().await, Err(WarehouseError::Down { .. })),
            Err(_) => true,
        }
    }

    async fn wake(&self, cluster: &str) -> bool {
        match self.cluster(cluster) {
            Ok(cluster) => cluster.wake().await,
            Err(_) => false,
        }
    }

    async fn landed(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
        rows: &Range<u64>,
    ) -> Result<u64, WarehouseError> {
        let sql = schema::count_landed(table);
        let params = [
            ("object", object.to_string()),
            ("start", rows.start.to_string()),
            ("end", rows.end.to_string()),
        ];
        let answer = self.query(cluster, &sql, &params).await?;
        let count =
            answer.first().and_then(|row| row.get("landed")).and_then(|count| count.as_u64());
        Ok(count.unwrap_or(0))
    }

    async fn remembers(
        &self,
        cluster: &str,
        table: &TableSpec,
        since_ms: i64,
    ) -> Result<bool, WarehouseError> {
        // A repeated INSERT reaches the targets of views, too: each has to know it.
        let mut left = vec![(table.database.clone(), table.name.clone())];
        let mut seen = BTreeSet::new();
        while let Some((database, name)) = left.pop() {
            if !seen.insert((database.clone(), name.clone())) {
                continue;
            }
            let is_base = seen.len() == 1;
            let window = if is_base { table.deduplication_window } else { u64::MAX };
            let of_table = [("database", database), ("table", name)];
            let since = [("since_ms", since_ms.to_string())];
            let params = [&of_table[..], &since[..]].concat();
            let answer = self.query(cluster, schema::MEMORY, &params).await?;
            if !answer.first().is_some_and(|row| is_remembered(row, window)) {
                return Ok(false);
            }
            for row in self.query(cluster, schema::TARGETS, &of_table).await? {
                let text = |name: &str| row.get(name)?.as_str().map(str::to_owned);
                match (text("database_name"), text("table_name")) {
                    (Some(database), Some(name)) if !name.is_empty() => {
                        left.push((database, name));
                    }
                    _ => return Ok(false),
                }
            }
        }
        Ok(true)
    }

    async fn landed_rows(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
        rows: &[u64],
    ) -> Result<BTreeSet<u64>, WarehouseError> {
        let sql = schema::select_landed(table);
        let list = rows.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let params = [("object", object.to_string()), ("rows", format!("[{list}]"))];
        let answer = self.query(cluster, &sql, &params).await?;
        Ok(answer.iter().filter_map(|row| row.get("row")?.as_u64()).collect())
    }

    async fn landed_offsets(
        &self,
        cluster: &str,
        table: &TableSpec,
        run: &Run,
    ) -> Result<BTreeSet<i64>, WarehouseError> {
        let sql = schema::select_landed_offsets(table);
        let mut found = BTreeSet::new();
        let mut start = run.start;
        while start < run.end {
            let end = run.end.min(start + OFFSETS_AT_ONCE);
            let params = [
                ("topic", run.topic.clone()),
                ("partition", run.partition.to_string()),
                ("start", start.to_string()),
                ("end", end.to_string()),
            ];
            let answer = or_missing(self.query(cluster, &sql, &params).await, Vec::new())?;
            found.extend(answer.iter().filter_map(|row| row.get("offset")?.as_i64()));
            start = end;
        }
        Ok(found)
    }

    async fn other_versions(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
    ) -> Result<Vec<ObjectId>, WarehouseError> {
        let of_key = ObjectId { etag: String::new(), ..object.clone() }.to_string();
        let sql = schema::select_other_versions(table);
        let params = [("of_key", of_key), ("etag", object.etag.clone())];
        let answer = or_missing(self.query(cluster, &sql, &params).await, Vec::new())?;
        let etags = answer.iter().filter_map(|row| row.get("etag")?.as_str());
        Ok(etags.map(|etag| ObjectId { etag: etag.to_owned(), ..object.clone() }).collect())
    }

    async fn delete_object(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
        before_ms: Option<i64>,
    ) -> Result<(), WarehouseError> {
        // A deletion that finds nothing would be a mutation all the same.
        let landed = self.landed(cluster, table, object, &(0..u64::MAX)).await;
        if or_missing(landed, 0)? == 0 {
            return Ok(());
        }
        let sql = schema::delete_object(table);
        let before_ms = before_ms.unwrap_or(i64::MAX).min(MOST_MS);
        let params = [("object", object.to_string()), ("before", before_ms.to_string())];
        self.query(cluster, &sql, &params).await.map(drop)
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
            let node = cluster.node().await?;
            match node.rows("query", sql, params).await {
                Err(error) if cluster.learn(&node, &error).await && tries > 0 => {}
                answer => return answer,
            }
        }
    }
}

/// Whether a table that is asked by [`schema::MEMORY`] surely remembers tokens of
/// the moment: half of each window is left for INSERTs that come meanwhile.
fn is_remembered(row: &JsonRow, window: u64) -> bool {
    let number = |name: &str| row.get(name).and_then(serde_json::Value::as_u64);
    let is_within = |since: Option<u64>, window: Option<u64>| {
        since.zip(window).is_some_and(|(since, window)| since < window / 2)
    };
    let own = number("window").map(|own| own.min(window));
    let seconds = row.get("window_seconds").is_none_or(serde_json::Value::is_null)
        || is_within(
            row.get("age_seconds").and_then(|age| u64::try_from(age.as_i64()?.max(0)).ok()),
            number("window_seconds"),
        );
    number("remembers") == Some(1) && is_within(number("since"), own) && seconds
}

/// What a table that is missing answers.
fn or_missing<T>(answer: Result<T, WarehouseError>, missing: T) -> Result<T, WarehouseError> {
    match answer {
        Err(WarehouseError::Server { kind, .. }) if kind.is_unknown_table() => Ok(missing),
        answer => answer,
    }
}
