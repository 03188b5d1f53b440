//! The memory twin: tokens, aborts and failures as a test scripts them.
//!
//! A fake fails loudly: an answer that was scripted and never asked for fails
//! the test when the twin is dropped, and so does a query without an answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use model::Token;

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
        Ok(Box::new(MemoryInsert {
            warehouse: self.clone(),
            attempt: attempt(cluster, &format!("insert into {}.{}", insert.database, insert.table)),
            key: (cluster.to_owned(), insert.database, insert.table),
            token: insert.token,
            batches: Vec::new(),
            finished: false,
        }))
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
