//! One INSERT: batches out as Native blocks, rows in the table all at once.
//!
//! What makes it exactly-once, seen on 26.7 (`tests/exactly_once.rs`):
//!
//! - The batches of one INSERT are squashed into one block on the server, and a
//!   block lands whole or not at all. With the server's default limits a chunk
//!   of more than 256 MB would be several blocks, of which the first land while
//!   the last are still on their way.
//! - A body that is cut anywhere, also between two batches, is refused: HTTP's
//!   chunked coding has an end mark, and ours is sent by [`Insert::finish`] only.
//!   Native itself has none: a stream of blocks is complete behind any of them.
//! - The token makes a repetition harmless, whatever became of the first try.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use clickhouse::insert_formatted::InsertFormatted;
use native::BlockEncoder;

use crate::cluster::Cluster;
use crate::error::{Attempt, Reaction, WarehouseError};
use crate::node::Node;
use crate::port::{Insert, InsertSpec};
use crate::prepare::prepare;
use crate::schema;
use crate::sql::Qualified;

/// Bytes in the server's memory from which a chunk is more than one block. Such
/// a chunk is still exactly once after its replay, because a replay cuts the
/// same blocks; only an aborted try may leave whole blocks behind.
const BLOCK_BYTES: u64 = 2 << 30;
/// More rows than any chunk has: rows never end a block. The server takes no more.
const BLOCK_ROWS: u64 = 1 << 32;
/// Partitions that one chunk may touch; ClickHouse's own limit of 100 is meant
/// for streams, ours load years of history.
const PARTITIONS: u64 = 1_000;

/// The settings of every INSERT.
fn settings(spec: &InsertSpec) -> Vec<(&'static str, String)> {
    let flag = |name, value: u64| (name, value.to_string());
    vec![
        ("insert_deduplication_token", spec.token.to_string()),
        flag("insert_deduplicate", 1),
        flag("deduplicate_blocks_in_dependent_materialized_views", 1),
        // An asynchronous INSERT is answered before its rows are in the table.
        flag("async_insert", 0),
        flag("wait_end_of_query", 1),
        // One block: nothing splits the rows, no thread reorders them.
        flag("min_insert_block_size_rows", BLOCK_ROWS),
        flag("min_insert_block_size_bytes", BLOCK_BYTES),
        flag("max_insert_block_size", BLOCK_ROWS),
        flag("max_insert_threads", 1),
        flag("max_threads", 1),
        flag("input_format_parallel_parsing", 0),
        flag("max_partitions_per_insert_block", PARTITIONS),
        // NULL and absence are errors here: defaults are the document's business.
        flag("input_format_null_as_default", 0),
        flag("insert_null_as_default", 0),
        ("date_time_overflow_behavior", "throw".to_owned()),
        // In a JSON column a text that looks like a day stays a text: the server's guess
        // follows the block's first values, and takes 1969 for 1970. Nor is `true` a 1.
        flag("input_format_try_infer_dates", 0),
        flag("input_format_try_infer_datetimes", 0),
        flag("input_format_json_read_bools_as_numbers", 0),
        ("log_comment", format!("motherlode {}", spec.token)),
    ]
}

/// An INSERT into a real server.
pub(crate) struct StreamInsert {
    cluster: Arc<Cluster>,
    node: Node,
    spec: InsertSpec,
    encoder: BlockEncoder,
    /// Bytes of the block before: the next is about as large.
    last_bytes: usize,
    request: InsertFormatted,
    /// False while a batch is on its way, and after one has failed: a call that
    /// was dropped in the middle must not be finished as if it had not been.
    intact: bool,
}

impl StreamInsert {
    /// `columns` are the table's, in the order of the stream or of the SQL over it.
    pub(crate) fn begin(
        cluster: Arc<Cluster>,
        node: Node,
        spec: InsertSpec,
        columns: &[String],
    ) -> Result<Self, WarehouseError> {
        let sql = schema::insert(&spec, columns)?;
        let request = node.insert(sql, &settings(&spec));
        let columns =
            spec.columns.iter().map(|column| (column.name.clone(), column.column_type.clone()));
        let encoder = BlockEncoder::new(columns);
        Ok(Self { cluster, node, spec, encoder, last_bytes: 0, request, intact: true })
    }

    /// Sends a block. When the server has closed the body, the error is its
    /// answer, not the broken connection.
    async fn send(&mut self, block: Vec<u8>) -> Result<(), WarehouseError> {
        let sent = self.node.alive(self.request.send(Bytes::from(block))).await;
        match sent.unwrap_or(Err(clickhouse::error::Error::TimedOut)) {
            Ok(()) => Ok(()),
            Err(error) => Err(failure(&self.cluster, &self.node, &self.spec, error).await),
        }
    }

    /// Takes the INSERT as broken until the caller puts it right.
    fn begin_step(&mut self) -> Result<(), WarehouseError> {
        if std::mem::replace(&mut self.intact, false) {
            return Ok(());
        }
        Err(WarehouseError::Broken { attempt: attempt(&self.node, &self.spec) })
    }
}

#[async_trait]
impl Insert for StreamInsert {
    async fn write(&mut self, batch: &RecordBatch) -> Result<(), WarehouseError> {
        self.begin_step()?;
        let mut block = Vec::with_capacity(self.last_bytes + self.last_bytes / 8);
        self.encoder.encode(batch, &mut block).map_err(|source| WarehouseError::Encode {
            table: table(&self.spec).to_string(),
            source: source.into(),
        })?;
        self.last_bytes = block.len();
        self.send(block).await?;
        self.intact = true;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), WarehouseError> {
        self.begin_step()?;
        let Self { cluster, node, spec, request, .. } = *self;
        let ended = node.alive(request.end()).await;
        match ended.unwrap_or(Err(clickhouse::error::Error::TimedOut)) {
            Ok(()) => {
                node.accepted();
                cluster.succeeded(&node).await;
                Ok(())
            }
            Err(error) => Err(failure(&cluster, &node, &spec, error).await),
        }
    }
}

/// What an error means, for this INSERT and for those that come after it.
async fn failure(
    cluster: &Cluster,
    node: &Node,
    spec: &InsertSpec,
    error: clickhouse::error::Error,
) -> WarehouseError {
    let mut error = node.error(attempt(node, spec), error);
    cluster.learn(node, &error).await;
    let known = cluster.prepared(&spec.database, &spec.table);
    // Whatever the server refuses, the table is looked at again before the next try.
    if error.server_code().is_some() && cluster.forget(&spec.database, &spec.table) {
        error.was_in_order();
    }
    // Before the rows are blamed: a column may have another type since the table was
    // found in order.
    if error.reaction() == Reaction::Quarantine
        && let Some(known) = known
        && let Err(misfit @ WarehouseError::Table { .. }) = prepare(node, &known.spec).await
    {
        return misfit;
    }
    error
}

fn attempt(node: &Node, spec: &InsertSpec) -> Attempt {
    node.attempt(format!("insert into {}", table(spec)))
}

fn table(spec: &InsertSpec) -> Qualified<'_> {
    Qualified { database: &spec.database, name: &spec.table }
}
