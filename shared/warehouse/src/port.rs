//! The port: what the rest of Motherlode knows about where rows land.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use model::document::{Create, OutputColumn, SourceDocument};
use model::{ColumnType, ObjectId, Run, Token};

use crate::WarehouseError;

/// A row of a query's answer.
pub type JsonRow = serde_json::Map<String, serde_json::Value>;

/// Where rows land.
#[async_trait]
pub trait Warehouse: Send + Sync {
    /// Makes sure that a table is there and takes what will be inserted: creates
    /// it when its source document says so, then checks its columns and that it
    /// remembers tokens. Remembered per process until an INSERT meets another
    /// shape.
    ///
    /// # Errors
    /// [`WarehouseError::Table`] says what is wrong with the table and the
    /// statement that mends it.
    async fn prepare(&self, cluster: &str, table: &TableSpec) -> Result<(), WarehouseError>;

    /// The columns of a table that the INSERT of `table` does not bring and that
    /// an object may bring besides: those that take NULL or are empty where
    /// there is no value. Adds those of `wanted` that are not there; the table
    /// must have been prepared then. A table that is missing has none.
    ///
    /// The answer has the types that the columns have in the table, whoever
    /// added them.
    ///
    /// # Errors
    /// [`WarehouseError::Table`] when a column that is wanted has no place.
    async fn extras(
        &self,
        cluster: &str,
        table: &TableSpec,
        wanted: &[ExtraColumn],
    ) -> Result<Vec<ExtraColumn>, WarehouseError>;

    /// Begins one INSERT. Nothing is in the table before [`Insert::finish`] has
    /// said so.
    ///
    /// # Errors
    /// When the cluster or its credentials cannot be had. What the server says
    /// comes with the batches.
    async fn insert(
        &self,
        cluster: &str,
        insert: InsertSpec,
    ) -> Result<Box<dyn Insert>, WarehouseError>;

    /// Whether a cluster is worth asking: false while all its nodes are left
    /// alone because they did not answer.
    async fn is_up(&self, cluster: &str) -> bool;

    /// Asks the nodes of a cluster whether they live, also those that are left
    /// alone, and uses those that do from then on. True when one does.
    async fn wake(&self, cluster: &str) -> bool;

    /// How many rows of a table come from these source rows of an object: what
    /// has landed of an INSERT whose answer was lost. The table must have the
    /// provenance columns.
    ///
    /// # Errors
    /// As [`Warehouse::query`].
    async fn landed(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
        rows: &Range<u64>,
    ) -> Result<u64, WarehouseError>;

    /// Whether a table surely remembers the token of every INSERT since a
    /// moment, in milliseconds since 1970. Where that cannot be said, it does not.
    ///
    /// # Errors
    /// As [`Warehouse::query`].
    async fn remembers(
        &self,
        cluster: &str,
        table: &TableSpec,
        since_ms: i64,
    ) -> Result<bool, WarehouseError>;

    /// Which of these source rows of an object are in a table; at most 10,000 at
    /// a time. The table must have the provenance columns.
    ///
    /// # Errors
    /// As [`Warehouse::query`].
    async fn landed_rows(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
        rows: &[u64],
    ) -> Result<BTreeSet<u64>, WarehouseError>;

    /// Which offsets of a run of Kafka's records a table has rows of; none when the
    /// table is missing. The table must have the columns of a stream.
    ///
    /// # Errors
    /// As [`Warehouse::query`].
    async fn landed_offsets(
        &self,
        cluster: &str,
        table: &TableSpec,
        run: &Run,
    ) -> Result<BTreeSet<i64>, WarehouseError>;

    /// The other versions of an object's key of which a table has rows; none when
    /// the table is missing. The table must have the provenance columns.
    ///
    /// # Errors
    /// As [`Warehouse::query`].
    async fn other_versions(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
    ) -> Result<Vec<ObjectId>, WarehouseError>;

    /// Deletes the rows of an object from a table, if it is there and has any; where
    /// `before_ms` is given, only those whose `_loaded_at` is earlier (milliseconds
    /// since 1970). They are gone from every query when this returns. The table must
    /// have the provenance columns.
    ///
    /// # Errors
    /// As [`Warehouse::query`].
    async fn delete_object(
        &self,
        cluster: &str,
        table: &TableSpec,
        object: &ObjectId,
        before_ms: Option<i64>,
    ) -> Result<(), WarehouseError>;

    /// Runs a query and gives its rows; at most 10,000 and 16 MB of them.
    /// `{name:Type}` in the SQL stands for the parameter `name`.
    ///
    /// # Errors
    /// [`WarehouseError::Server`] with the server's code.
    async fn query(
        &self,
        cluster: &str,
        sql: &str,
        params: &[(&str, String)],
    ) -> Result<Vec<JsonRow>, WarehouseError>;
}

/// A column of a table that its source document does not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraColumn {
    /// The column of the object that it takes.
    pub field: String,
    /// Its name and type in the table.
    pub column: OutputColumn,
}

impl ExtraColumn {
    /// A column for a field of an object. Names are kept, but for a `.`, which
    /// would make the column a part of a `Nested`, and for control characters.
    #[must_use]
    pub fn for_field(field: &str, column_type: ColumnType) -> Self {
        let name = field.chars().map(|c| if c == '.' || c.is_control() { '_' } else { c });
        Self { field: field.to_owned(), column: OutputColumn { name: name.collect(), column_type } }
    }
}

/// One INSERT that is under way. Dropping it aborts it: nothing lands.
#[async_trait]
pub trait Insert: Send {
    /// Sends a batch as one block of the INSERT.
    ///
    /// # Errors
    /// What the server or the connection says; the INSERT is then over and
    /// nothing was written.
    async fn write(&mut self, batch: &RecordBatch) -> Result<(), WarehouseError>;

    /// Ends the INSERT and waits until its rows are in the table, and in the
    /// targets of its materialized views.
    ///
    /// # Errors
    /// After an error it is not known whether the rows are there; the same
    /// INSERT with the same token makes sure that they are, once.
    async fn finish(self: Box<Self>) -> Result<(), WarehouseError>;
}

/// SQL that the server runs over the rows of an INSERT.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Select {
    /// The expressions, as in the source document.
    pub expressions: String,
    /// Columns of the stream that are written as they are, behind them.
    pub passed: Vec<String>,
}

/// A table as a source document describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    /// Name of the database.
    pub database: String,
    /// Name of the table.
    pub name: String,
    /// The columns of the stream that is inserted, provenance included.
    pub columns: Vec<OutputColumn>,
    /// SQL between the stream and the table; the table's columns are then what
    /// it gives.
    pub select: Option<Select>,
    /// SQL of `ENGINE =`.
    pub engine: String,
    /// SQL of `PARTITION BY`.
    pub partition_by: Option<String>,
    /// SQL of `ORDER BY`; `tuple()` when empty.
    pub order_by: Vec<String>,
    /// SQL of `TTL`.
    pub ttl: Option<String>,
    /// Whether the table is created when it is missing.
    pub create: Create,
    /// How many of the newest inserted blocks the table remembers.
    pub deduplication_window: u64,
}

impl TableSpec {
    /// The table of a source document. `provenance` columns are written behind
    /// its own.
    #[must_use]
    pub fn of(document: &SourceDocument, provenance: Vec<OutputColumn>) -> Self {
        let table = &document.table;
        let passed = provenance.iter().map(|column| column.name.clone()).collect();
        let mut columns = document.output_columns();
        columns.extend(provenance);
        Self {
            database: table.database.clone(),
            name: table.name.clone(),
            columns,
            select: document.select.clone().map(|expressions| Select { expressions, passed }),
            engine: table.engine.clone(),
            partition_by: table.partition_by.clone(),
            order_by: table.order_by.clone(),
            ttl: table.ttl.clone(),
            create: table.create,
            deduplication_window: table.deduplication_window,
        }
    }

    /// The same table, with columns of the stream that pass by the SQL.
    #[must_use]
    pub fn passing(mut self, extras: &[ExtraColumn]) -> Self {
        if let Some(select) = &mut self.select {
            let names = extras.iter().map(|extra| extra.column.name.clone());
            select.passed.splice(0..0, names);
        }
        self
    }

    /// The INSERT of a chunk into this table.
    #[must_use]
    pub fn insert(&self, token: Token) -> InsertSpec {
        InsertSpec {
            database: self.database.clone(),
            table: self.name.clone(),
            columns: self.columns.clone(),
            select: self.select.clone(),
            token,
        }
    }
}

/// One INSERT.
#[derive(Debug, Clone)]
pub struct InsertSpec {
    /// Name of the database.
    pub database: String,
    /// Name of the table.
    pub table: String,
    /// The columns of the stream: those of every batch, in this order, held as
    /// [`native::arrow_type`] says.
    pub columns: Vec<OutputColumn>,
    /// SQL between the stream and the table.
    pub select: Option<Select>,
    /// The token that makes a repetition harmless.
    pub token: Token,
}
