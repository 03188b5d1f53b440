//! One server for all tests: loads bytes through the pipeline, lets the server
//! read the same bytes by itself, and compares the tables value by value.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use catalog::{Catalog as _, MemoryCatalog};
use devstack::AttachedStack;
use ingest::{Ingest, IngestError, Notice, Outcome, Report, Settings};
use ledger::{MemoryLedger, MemoryPartitions};
use model::Clock;
use objects::MemoryObjects;
use runtime::Deadline;
use testkit::Setup;
use warehouse::{ClickHouse, ClusterConfig, Credentials, Options, Role};

const CLUSTER: &str = "ingestion";
/// Loads at the same time.
const AT_ONCE: usize = 16;

/// Nothing is filled in or rounded, and no feature is behind a switch.
const SETTINGS: &[(&str, &str)] = &[
    ("input_format_null_as_default", "0"),
    ("insert_null_as_default", "0"),
    ("precise_float_parsing", "1"),
    ("allow_suspicious_low_cardinality_types", "1"),
    ("enable_time_time64_type", "1"),
    ("session_timezone", "UTC"),
];

/// The stages of a test, and the server behind them.
pub struct Server {
    ingest: Ingest,
    objects: MemoryObjects,
    warehouse: ClickHouse,
    client: clickhouse::Client,
}

/// Columns of a table: name and ClickHouse type.
pub type Columns = Vec<(String, String)>;

/// `a Int32; b Map(String, Int8)` as columns.
pub fn columns(text: &str) -> Columns {
    let column = |column: &str| {
        let (name, column_type) = column.trim().split_once(' ').expect("a name and a type");
        (name.to_owned(), column_type.to_owned())
    };
    text.split(';').map(column).collect()
}

/// Bytes to load, and what they are loaded into.
pub struct Load {
    /// Name of the file, for the key of the object.
    pub file: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// `format:` of the document.
    pub format: &'static str,
    /// Columns of the table, beginning with `n`.
    pub columns: Columns,
    /// Lines of the document for each column but `n`, such as `on_error: fail`;
    /// after a line break, further columns.
    pub policy: String,
}

/// A table that was loaded.
pub struct Table {
    /// `database.name`.
    pub name: String,
    /// What became of the rows.
    pub report: Report,
}

impl Server {
    /// The stages of one test.
    pub async fn connect() -> Self {
        static STACK: OnceLock<AttachedStack> = OnceLock::new();
        let state = tokio::task::spawn_blocking(|| {
            let start = || testkit::start(&Setup::new("ingest-agreement")).expect("a stack");
            STACK.get_or_init(start).state().clone()
        });
        let state = state.await.expect("a stack");
        let cluster = state.cluster(CLUSTER).expect("a cluster");
        let config = ClusterConfig {
            name: CLUSTER.to_owned(),
            role: Role::Ingestion,
            nodes: vec![cluster.http.clone()],
            secret: "test".to_owned(),
        };
        let credentials =
            Credentials { user: cluster.user.clone(), password: cluster.password.clone() };
        let client = clickhouse::Client::default()
            .with_url(&cluster.http)
            .with_user(&cluster.user)
            .with_password(&cluster.password);
        let client = SETTINGS
            .iter()
            .fold(client, |client, (name, value)| client.with_setting(*name, *value));
        let connect = || {
            ClickHouse::new(
                vec![config.clone()],
                Arc::new(credentials.clone()),
                Arc::new(warehouse::NoBoard),
                model::Clock::system(),
                Options::default(),
            )
        };
        let clock = Clock::system();
        let objects = MemoryObjects::new();
        let ingest = Ingest {
            objects: Arc::new(objects.clone()),
            catalog: Arc::new(MemoryCatalog::new(clock.clone())),
            ledger: Arc::new(MemoryLedger::new(clock.clone())),
            partitions: Arc::new(MemoryPartitions::default()),
            records: None,
            warehouse: Arc::new(connect()),
            clock,
            settings: Settings {
                lease: Duration::from_secs(600),
                worker: "test".to_owned(),
                split_bytes: None,
            },
            told: ingest::Told::default(),
        };
        let this = Self { ingest, objects, warehouse: connect(), client };
        this.run("CREATE DATABASE IF NOT EXISTS oracle").await.expect("a database");
        this
    }

    /// Runs a statement.
    pub async fn run(&self, sql: &str) -> Result<(), String> {
        self.client.query(sql).execute().await.map_err(|error| error.to_string())
    }

    /// The bytes of an answer in some format.
    pub async fn ask(&self, sql: &str, format: &str) -> Result<Vec<u8>, String> {
        let answer = self.warehouse.query_raw(CLUSTER, sql, format, 1 << 26).await;
        answer.map(Into::into).map_err(|error| format!("{sql}: {error}"))
    }

    /// Loads bytes through the pipeline into a table of their own.
    pub async fn load(&self, load: &Load) -> Result<Table, IngestError> {
        self.load_as(&next_source(), load).await
    }

    /// Loads bytes into a table that is there already, whose columns have these types.
    pub async fn load_into(&self, types: &str, load: &Load) -> Result<Table, IngestError> {
        let source = next_source();
        self.run("CREATE DATABASE IF NOT EXISTS landed").await.expect("a database");
        let create = format!(
            "CREATE TABLE landed.{source} ({types}) ENGINE = MergeTree ORDER BY n \
             SETTINGS non_replicated_deduplication_window = 1000"
        );
        self.run(&create).await.unwrap_or_else(|error| panic!("{error}"));
        self.load_as(&source, load).await
    }

    async fn load_as(&self, source: &str, load: &Load) -> Result<Table, IngestError> {
        let mut document = format!(
            "source: {source}\nversion: 1\nowner: tests\nmatch: {{ prefix: {source}/ }}\nformat: {}\n\
             table: {{ database: landed, name: {source}, provenance: false }}\nerrors: {{ max_bad_share: 1 }}\ncolumns:\n",
            load.format
        );
        let (policy, further) = load.policy.split_once('\n').unwrap_or((&load.policy, ""));
        for (name, column_type) in &load.columns {
            let policy = if name == "n" { "" } else { policy };
            // JSON's quotes are YAML's as well.
            let line = writeln!(document, "  - {{ name: {name}, type: {column_type:?}{policy} }}");
            line.expect("a String takes everything");
        }
        document.push_str(further);
        self.ingest.catalog.put(&document, "test", None).await.unwrap_or_else(|error| {
            panic!("{}: {error:?}\n{document}", load.file);
        });
        let id = self.objects.put("b", &format!("{source}/{}", load.file), load.bytes.clone());
        let notice = Notice {
            bucket: id.bucket,
            key: id.key,
            // Named, because finding it asks the catalog for the hundreds of others.
            source: Some(source.to_owned()),
            etag: None,
            part: None,
            retry_failed: false,
            is_last: true,
        };
        match self.ingest.load(&notice, Deadline::none()).await? {
            Outcome::Loaded(report) => {
                assert!(report.counts.closes(), "{}: {:?}", load.file, report.counts);
                Ok(Table { name: format!("landed.{source}"), report })
            }
            other => panic!("{}: {other:?}", load.file),
        }
    }

    /// Lets the server read the bytes by itself, into a table of the same columns.
    pub async fn read_by_itself(
        &self,
        load: &Load,
        format: &str,
        settings: &[(&str, &str)],
    ) -> Result<String, String> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let table = format!("oracle.t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let columns: Vec<_> = load
            .columns
            .iter()
            .map(|(name, column_type)| {
                // Read as rows, which the server does not do for a `Nested`.
                match column_type.strip_prefix("Nested") {
                    Some(fields) => format!("`{name}` Array(Tuple{fields})"),
                    None => format!("`{name}` {column_type}"),
                }
            })
            .collect();
        let create = format!("CREATE TABLE {table} ({}) ENGINE = Memory", columns.join(", "));
        self.run(&create).await?;
        let client = settings
            .iter()
            .fold(self.client.clone(), |client, (name, value)| client.with_setting(*name, *value));
        let mut insert =
            client.insert_formatted_with(format!("INSERT INTO {table} FORMAT {format}"));
        insert.send(load.bytes.clone().into()).await.map_err(|error| error.to_string())?;
        insert.end().await.map_err(|error| error.to_string())?;
        Ok(table)
    }

    /// The rows of a table in the order of `n`, as tab-separated text; bytes
    /// that are none are spelled out.
    pub async fn rows(&self, table: &str, columns: &Columns) -> Vec<String> {
        let names: Vec<_> = columns.iter().map(|(name, kind)| selected(name, kind)).collect();
        let sql = format!("SELECT {} FROM {table} ORDER BY n", names.join(", "));
        let answer = self.ask(&sql, "TSV").await.unwrap_or_else(|error| panic!("{error}"));
        let lines = answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(shown).collect()
    }
}

/// A name that no source has yet.
fn next_source() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("s{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A column as a query names it. The server keeps a `Nested` as one array for
/// each field; here they are rows again.
fn selected(name: &str, column_type: &str) -> String {
    let Some(fields) = column_type.strip_prefix("Nested(") else { return format!("`{name}`") };
    let fields = fields.trim_end_matches(')').split(", ");
    let arrays = fields.filter_map(|field| Some(format!("`{name}.{}`", field.split_once(' ')?.0)));
    format!("arrayZip({})", arrays.collect::<Vec<_>>().join(", "))
}

/// A line as it is, or with its bytes spelled out where it is no text.
fn shown(line: &[u8]) -> String {
    match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => line.escape_ascii().to_string(),
    }
}

/// The first differences between two readings, in words; empty when there is none.
pub fn differences(columns: &Columns, own: &[String], other: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    if own.len() != other.len() {
        found.push(format!("{} rows instead of {}", own.len(), other.len()));
    }
    for (own, other) in own.iter().zip(other) {
        let (own, other): (Vec<_>, Vec<_>) =
            (own.split('\t').collect(), other.split('\t').collect());
        for (((name, column_type), own_value), value) in columns.iter().zip(&own).zip(&other) {
            if own_value != value {
                found.push(format!(
                    "`{name}` {column_type}, row {}: {own_value} instead of {value}",
                    own[0]
                ));
            }
        }
    }
    found.truncate(5);
    found
}

/// Runs a check for every case, some at a time, and fails with all that went wrong.
pub async fn all<C>(cases: Vec<C>, check: impl AsyncFn(&C) -> Result<(), String>) {
    use futures::stream::{StreamExt as _, iter};
    let count = cases.len();
    let checked = iter(&cases).map(|case| check(case)).buffer_unordered(AT_ONCE);
    let wrong: Vec<_> = checked.filter_map(|done| async { done.err() }).collect().await;
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
