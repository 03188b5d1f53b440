//! A database per test, batches to insert, and a server that can be cut.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use model::document::{Create, OutputColumn};
use model::{ChunkBounds, ColumnType, ObjectId, Token};
use warehouse::{ClickHouse, ClusterConfig, Credentials, Options, Role, TableSpec, Warehouse};

pub const CLUSTER: &str = "ingestion";

/// A ClickHouse with a database that is dropped at the end.
pub struct Database {
    pub warehouse: ClickHouse,
    pub name: String,
    pub url: String,
}

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} must be set: the tests need a real ClickHouse; `cargo xtask test` starts one and sets it")
    })
}

pub fn credentials() -> Credentials {
    Credentials {
        user: variable("MOTHERLODE_TEST_CLICKHOUSE_USER"),
        password: variable("MOTHERLODE_TEST_CLICKHOUSE_PASSWORD"),
    }
}

pub fn options() -> Options {
    Options {
        connect: Duration::from_secs(5),
        send: Duration::from_secs(60),
        receive: Duration::from_secs(60),
        compress: false,
    }
}

pub fn warehouse_at(urls: &[&str], credentials: Credentials, options: Options) -> ClickHouse {
    let config = ClusterConfig {
        name: CLUSTER.into(),
        role: Role::Ingestion,
        nodes: urls.iter().map(|url| (*url).to_owned()).collect(),
        secret: "test".into(),
    };
    ClickHouse::new(
        vec![config],
        Arc::new(credentials),
        Arc::new(warehouse::NoBoard),
        model::Clock::system(),
        options,
    )
}

impl Database {
    pub async fn new(test: &str) -> Self {
        let url = variable("MOTHERLODE_TEST_CLICKHOUSE");
        let warehouse = warehouse_at(&[&url], credentials(), options());
        let name = format!("test_{test}_{}", std::process::id());
        let this = Self { warehouse, name, url };
        this.run(&format!("DROP DATABASE IF EXISTS {}", this.name)).await;
        this.run(&format!("CREATE DATABASE {}", this.name)).await;
        this
    }

    pub async fn run(&self, sql: &str) {
        self.warehouse
            .query_raw(CLUSTER, sql, "Null", 1024)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The answer as tab-separated text.
    pub async fn ask(&self, sql: &str) -> String {
        let answer = self.warehouse.query_raw(CLUSTER, sql, "TSV", 1 << 20).await;
        let answer = answer.unwrap_or_else(|error| panic!("{sql}: {error}"));
        String::from_utf8(answer.to_vec()).expect("UTF-8").trim_end().to_owned()
    }

    /// Rows, distinct keys and parts of a table of [`events`].
    pub async fn rows(&self, table: &str) -> (u64, u64) {
        let answer =
            self.ask(&format!("SELECT count(), uniqExact(k) FROM {}.{table}", self.name)).await;
        let mut numbers = answer.split('\t').map(|number| number.parse().expect("a number"));
        (numbers.next().expect("count"), numbers.next().expect("distinct"))
    }

    pub async fn parts(&self, table: &str) -> u64 {
        let sql =
            "SELECT count() FROM system.parts WHERE active AND database = '{}' AND table = '{}'";
        let sql = sql.replacen("{}", &self.name, 1).replacen("{}", table, 1);
        self.ask(&sql).await.parse().expect("a number")
    }

    /// Waits until the server has nothing to do with this database any more.
    pub async fn quiet(&self) {
        let sql = format!(
            "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND query LIKE '%{}%'",
            self.name
        );
        while self.ask(&sql).await != "0" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn drop(self) {
        self.run(&format!("DROP DATABASE {}", self.name)).await;
    }

    /// The table that the batches of [`batch`] fit.
    pub fn events(&self) -> TableSpec {
        Self::events_of(&self.name)
    }

    /// The same, in a database that need not be there.
    pub fn events_of(database: &str) -> TableSpec {
        TableSpec {
            database: database.to_owned(),
            name: "events".into(),
            columns: columns(&[("k", "UInt64"), ("s", "String")]),
            select: None,
            engine: "MergeTree".into(),
            partition_by: None,
            order_by: vec!["k".into()],
            ttl: None,
            create: Create::Auto,
            deduplication_window: 1_000,
        }
    }
}

pub fn columns(columns: &[(&str, &str)]) -> Vec<OutputColumn> {
    columns
        .iter()
        .map(|(name, text)| OutputColumn {
            name: (*name).into(),
            column_type: ColumnType::parse(text).expect("a column type"),
        })
        .collect()
}

pub const BATCH: u64 = 32_768;

/// The batch that holds the keys from `number * BATCH` on.
pub fn batch(number: u64) -> RecordBatch {
    let keys = number * BATCH..(number + 1) * BATCH;
    let texts = StringArray::from_iter_values(keys.clone().map(|key| format!("text of {key}")));
    let columns: [(&str, ArrayRef); 2] =
        [("k", Arc::new(UInt64Array::from_iter_values(keys))), ("s", Arc::new(texts))];
    RecordBatch::try_from_iter(columns).expect("a batch")
}

pub fn token(number: u64) -> Token {
    let object = ObjectId { bucket: "b".into(), key: "k".into(), etag: "e".into() };
    Token::of_chunk("test", &object, 1, &ChunkBounds { start: number, end: number + 1 })
}

/// Writes batches with a token and finishes.
pub async fn load(
    warehouse: &dyn Warehouse,
    table: &TableSpec,
    token: Token,
    batches: &[RecordBatch],
) -> Result<(), warehouse::WarehouseError> {
    let mut insert = warehouse.insert(CLUSTER, table.insert(token)).await?;
    for batch in batches {
        insert.write(batch).await?;
    }
    insert.finish().await
}
