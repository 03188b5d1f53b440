//! The memory twin: tokens, aborts and failures as a test scripts them.
//!
//! A fake fails loudly: an answer that was scripted and never asked for fails
//! the test when the twin is dropped, and so does a query without an answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type, UInt64Type};
use async_trait::async_trait;
use model::{ObjectId, Run, Token};

use crate::error::{Attempt, TransportKind, WarehouseError};
use crate::port::{ExtraColumn, Insert, InsertSpec, JsonRow, TableSpec, Warehouse};
use crate::server_code::ServerKind;

/// What goes wrong next. Each is used once, in order, by the first call that it
/// fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripted {
    /// `prepare` is refused with this server code.
    RefusePrepare(u32),
    /// The batch after this many of an INSERT is refused with this server code.
    RefuseBatch {
        /// Batches that go through before.
        after: usize,
        /// The server's code.
        code: u32,
    },
    /// `finish` is refused with this server code; nothing lands.
    RefuseFinish(u32),
    /// `finish` lands the rows and then loses the answer.
    LoseAnswer,
    /// `finish` loses the connection; nothing lands.
    LoseConnection,
}

/// A warehouse in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryWarehouse {
    state: Arc<Shared>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    tables: BTreeMap<(String, String, String), Table>,
    prepared: Vec<(String, TableSpec)>,
    extras: BTreeMap<(String, String, String), Vec<ExtraColumn>>,
    script: VecDeque<Scripted>,
    answers: VecDeque<Vec<JsonRow>>,
    down: BTreeSet<String>,
    aborted: usize,
}

#[derive(Default)]
struct Table {
    batches: Vec<RecordBatch>,
    tokens: BTreeSet<String>,
    dropped: usize,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !std::thread::panicking() {
            assert!(state.script.is_empty(), "scripted and never met: {:?}", state.script);
            assert!(
                state.answers.is_empty(),
                "{} scripted answers were never asked for",
                state.answers.len()
            );
        }
    }
}

impl MemoryWarehouse {
    /// No tables yet; every cluster that is asked for exists.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Scripts a failure.
    pub fn script(&self, failure: Scripted) {
        self.lock().script.push_back(failure);
    }

    /// Scripts the answer to a query.
    pub fn answer(&self, rows: Vec<JsonRow>) {
        self.lock().answers.push_back(rows);
    }

    /// Takes a cluster down, or up again: what is sent to it meanwhile fails.
    pub fn set_up(&self, cluster: &str, is_up: bool) {
        let mut state = self.lock();
        match is_up {
            true => state.down.remove(cluster),
            false => state.down.insert(cluster.to_owned()),
        };
    }

    fn up(&self, cluster: &str) -> Result<(), WarehouseError> {
        match self.lock().down.contains(cluster) {
            true => Err(WarehouseError::Down { cluster: cluster.to_owned(), until_ms: 0 }),
            false => Ok(()),
        }
    }

    /// The batches that landed in a table, in order.
    #[must_use]
    pub fn batches(&self, cluster: &str, database: &str, table: &str) -> Vec<RecordBatch> {
        self.table(cluster, database, table, |table| table.batches.clone())
    }

    /// How many rows landed in a table.
    #[must_use]
    pub fn rows(&self, cluster: &str, database: &str, table: &str) -> usize {
        self.table(cluster, database, table, |table| {
            table.batches.iter().map(RecordBatch::num_rows).sum()
        })
    }

    /// How many INSERTs into a table were dropped because of their token.
    #[must_use]
    pub fn dropped(&self, cluster: &str, database: &str, table: &str) -> usize {
        self.table(cluster, database, table, |table| table.dropped)
    }

    /// The tables that were prepared, with their clusters, in order.
    #[must_use]
    pub fn prepared(&self) -> Vec<(String, TableSpec)> {
        self.lock().prepared.clone()
    }

    /// How many INSERTs were begun and never finished.
    #[must_use]
    pub fn aborted(&self) -> usize {
        self.lock().aborted
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table<T: Default>(
        &self,
        cluster: &str,
        database: &str,
        table: &str,
        ask: impl Fn(&Table) -> T,
    ) -> T {
        let key = (cluster.to_owned(), database.to_owned(), table.to_owned());
        self.lock().tables.get(&key).map(ask).unwrap_or_default()
    }

    /// Takes the next scripted failure if it fits.
    fn next(&self, fits: impl Fn(&Scripted) -> bool) -> Option<Scripted> {
        self.lock().script.pop_front_if(|next| fits(next))
    }
}

#[async_trait]
impl Warehouse for MemoryWarehouse {
    async fn prepare(&self, cluster: &str, table: &TableSpec) -> Result<(), WarehouseError> {
        if let Some(Scripted::RefusePrepare(code)) =
            self.next(|next| matches!(next, Scripted::RefusePrepare(_)))
        {
            return Err(refused(attempt(cluster, "prepare"), code));
        }
        self.up(cluster)?;
        self.lock().prepared.push((cluster.to_owned(), table.clone()));
        Ok(())
    }

    async fn extras(
        &self,
        cluster: &str,
        table: &TableSpec,
        wanted: &[ExtraColumn],
    ) -> Result<Vec<ExtraColumn>, WarehouseError> {
        let key = (cluster.to_owned(), table.database.clone(), table.name.clone());
        let mut state = self.lock();
        let extras = state.extras.entry(key).or_default();
        for one in wanted {
            if !extras.iter().any(|there| there.column.name == one.column.name) {
                extras.push(one.clone());
            }
        }
        Ok(extras.clone())
    }

    async fn insert(
        &self,
        cluster: &str,
        insert: InsertSpec,
    ) -> Result<Box<dyn Insert>, WarehouseError> {
        self.up(cluster)?;
        Ok(Box::new(MemoryInsert {
            warehouse: self.clone(),
            attempt: attempt(cluster, &format!("insert into {}.{}", insert.database, insert.table)),
            key: (cluster.to_owned(), insert.database, insert.table),
            token: insert.token,
            batches: Vec::new(),
            finished: false,
        }))
    }

    async fn is_up(&self, cluster: &str) -> bool {
        !self.lock().down.contains(cluster)
    }

    async fn wake(&self, cluster: &str) -> bool {
        self.is_up(cluster).await
    }

    async fn landed(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
        rows: &Range<u64>,
    ) -> Result<u64, WarehouseError> {
        let batches = self.batches(cluster, &table.database, &table.name);
        Ok(batches.iter().map(|batch| count(batch, &object.to_string(), rows)).sum())
    }

    async fn remembers(
        &self,
        _cluster: &str,
        _table: &TableSpec,
        _since_ms: i64,
    ) -> Result<bool, WarehouseError> {
        Ok(true)
    }

    async fn landed_rows(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
        rows: &[u64],
    ) -> Result<BTreeSet<u64>, WarehouseError> {
        let mut there = BTreeSet::new();
        for row in rows {
            if self.landed(cluster, table, object, &(*row..row + 1)).await? > 0 {
                there.insert(*row);
            }
        }
        Ok(there)
    }

    async fn landed_offsets(
        &self,
        cluster: &str,
        table: &TableSpec,
        run: &Run,
    ) -> Result<BTreeSet<i64>, WarehouseError> {
        let batches = self.batches(cluster, &table.database, &table.name);
        Ok(batches.iter().flat_map(|batch| offsets_of(batch, run)).collect())
    }

    async fn other_versions(
        &self,
        _cluster: &str,
        _table: &TableSpec,
        _object: &ObjectId,
    ) -> Result<Vec<ObjectId>, WarehouseError> {
        Ok(Vec::new())
    }

    async fn delete_object(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
        _before_ms: Option<i64>,
    ) -> Result<(), WarehouseError> {
        let landed = self.landed(cluster, table, object, &(0..u64::MAX)).await?;
        assert_eq!(landed, 0, "the twin deletes nothing");
        Ok(())
    }

    async fn query(
        &self,
        _cluster: &str,
        sql: &str,
        _params: &[(&str, String)],
    ) -> Result<Vec<JsonRow>, WarehouseError> {
        let answer = self.lock().answers.pop_front();
        assert!(answer.is_some(), "no answer is scripted for: {sql}");
        Ok(answer.unwrap_or_default())
    }
}

struct MemoryInsert {
    warehouse: MemoryWarehouse,
    attempt: Attempt,
    key: (String, String, String),
    token: Token,
    batches: Vec<RecordBatch>,
    finished: bool,
}

impl MemoryInsert {
    /// Lands the rows unless their token was seen.
    fn land(&mut self) {
        let mut state = self.warehouse.lock();
        let table = state.tables.entry(self.key.clone()).or_default();
        if table.tokens.insert(self.token.to_string()) {
            table.batches.append(&mut self.batches);
        } else {
            table.dropped += 1;
        }
    }
}

#[async_trait]
impl Insert for MemoryInsert {
    async fn write(&mut self, batch: &RecordBatch) -> Result<(), WarehouseError> {
        let sent = self.batches.len();
        let due =
            |next: &Scripted| matches!(next, Scripted::RefuseBatch { after, .. } if *after == sent);
        if let Some(Scripted::RefuseBatch { code, .. }) = self.warehouse.next(due) {
            return Err(refused(self.attempt.clone(), code));
        }
        self.batches.push(batch.clone());
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), WarehouseError> {
        use Scripted::{LoseAnswer, LoseConnection, RefuseFinish};
        let failure = self
            .warehouse
            .next(|next| matches!(next, RefuseFinish(_) | LoseAnswer | LoseConnection));
        self.finished = true;
        if matches!(failure, None | Some(LoseAnswer)) {
            self.land();
        }
        match failure {
            None => Ok(()),
            Some(RefuseFinish(code)) => Err(refused(self.attempt.clone(), code)),
            Some(_) => Err(WarehouseError::Transport {
                attempt: self.attempt.clone(),
                kind: TransportKind::Closed,
                source: clickhouse::error::Error::Network("scripted".into()),
            }),
        }
    }
}

impl Drop for MemoryInsert {
    fn drop(&mut self) {
        if !self.finished {
            self.warehouse.lock().aborted += 1;
        }
    }
}

/// Rows of a batch whose provenance is these rows of an object.
/// The offsets of a run that a batch has rows of.
fn offsets_of(batch: &RecordBatch, run: &Run) -> Vec<i64> {
    let columns = ["_topic", "_partition", "_offset"].map(|name| batch.column_by_name(name));
    let [Some(topics), Some(partitions), Some(offsets)] = columns else { return Vec::new() };
    let Ok(topics) = cast(topics, &DataType::Utf8) else { return Vec::new() };
    let (topics, partitions) = (topics.as_string::<i32>(), partitions.as_primitive::<Int32Type>());
    let offsets = offsets.as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .filter(|row| run.is_of(topics.value(*row), partitions.value(*row)))
        .map(|row| offsets.value(row))
        .filter(|offset| run.offsets().contains(offset))
        .collect()
}

fn count(batch: &RecordBatch, object: &str, rows: &Range<u64>) -> u64 {
    let texts =
        batch.column_by_name("_object").and_then(|column| cast(column, &DataType::Utf8).ok());
    let numbers =
        batch.column_by_name("_row").and_then(|column| cast(column, &DataType::UInt64).ok());
    let (Some(texts), Some(numbers)) = (texts, numbers) else { return 0 };
    let (texts, numbers) = (texts.as_string::<i32>(), numbers.as_primitive::<UInt64Type>());
    let is_one = |at: &usize| texts.value(*at) == object && rows.contains(&numbers.value(*at));
    (0..batch.num_rows()).filter(is_one).count() as u64
}

fn attempt(cluster: &str, what: &str) -> Attempt {
    Attempt { cluster: cluster.to_owned(), node: "memory".to_owned(), what: what.to_owned() }
}

fn refused(attempt: Attempt, code: u32) -> WarehouseError {
    WarehouseError::Server {
        attempt,
        code,
        kind: ServerKind::of(code, ""),
        message: "scripted".to_owned(),
    }
}
