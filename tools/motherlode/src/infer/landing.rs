//! What is proposed for a file is valid, and lands every row of it in a real
//! server: none is put aside.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::objects::MemoryObjects;
use catalog::{Catalog as _, MemoryCatalog};
use devstack::AttachedStack;
use futures::StreamExt as _;
use ingest::{Ingest, Notice, Outcome, Settings};
use ledger::{MemoryLedger, MemoryPartitions};
use model::Clock;
use runtime::Deadline;
use serde_json::{Map, Value};
use testkit::Setup;
use warehouse::{ClickHouse, ClusterConfig, Credentials, Options, Role};

use super::{Proposal, Wishes, infer};

const CLUSTER: &str = "ingestion";

/// Texts of every way that is recognised: name and bytes.
fn texts() -> Vec<(&'static str, Vec<u8>)> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let many: String = (0..500)
        .map(|i| {
            format!(
                "{i},{},2024-{:02}-{:02},{}\n",
                ["a", "b"][i % 2],
                i % 12 + 1,
                i % 28 + 1,
                i as f64 / 7.0
            )
        })
        .collect();
    let events: String = (0..200)
        .map(|i| {
            format!(
                "{{\"id\": {i}, \"user\": {{\"name\": \"u{}\", \"tags\": [{i}, null]}}, \"at\": {}, \"ok\": {}, \"big\": {}}}\n",
                i % 9,
                1_700_000_000_000_u64 + i,
                i % 2 == 0,
                u128::from(u64::MAX) + u128::from(i),
            )
        })
        .collect();
    vec![
        ("many.csv", format!("id,kind,day,share\n{many}").into_bytes()),
        ("semicolons.csv", b"stadt;einwohner\nM\xfcnchen;1500000\nK\xf6ln;1087863\n".to_vec()),
        ("marked.csv", "\u{feff}a,b\nü,1\n".as_bytes().to_vec()),
        ("wide.csv", utf16("\u{feff}stadt,n\nMünchen,1\n東京,2\n")),
        ("wide-without-a-mark.tsv", utf16("stadt\tn\nMünchen\t1\n東京\t2\n")),
        ("dates.csv", b"de,us,iso,long\n31.01.2024,01/31/2024,2024-01-31T10:00:00.5+02:00,Jan 31 2024\n01.12.1999,12/01/1999,1999-12-01T00:00:00Z,Dec 01 1999\n".to_vec()),
        ("nulls.csv", b"n,t,s\n1,2024-01-01,x\nNA,NA,y\n,,\n".to_vec()),
        ("quoted.csv", b"a,b\n\"x\ny\",\"He said \"\"no\"\"\"\n,\n".to_vec()),
        ("no-header.csv", b"1,67e55044-10b1-426f-9247-bb680e5fe0c8\n2,67e55044-10b1-426f-9247-bb680e5fe0c9\n".to_vec()),
        ("edges.csv", b"i,u,f,z\n-9223372036854775808,18446744073709551615,1e300,007\n9223372036854775807,0,-1.5,010\n".to_vec()),
        ("events.jsonl", events.into_bytes()),
        ("array.json", br#"[{"a": [1, 2], "b": {"c": "2024-01-01"}}, {"a": [], "b": {"c": "2024-02-29", "d": [[1.5], []]}}]"#.to_vec()),
        ("document.json", br#"{"meta": {}, "rows": [{"x": null, "y": true}, {"x": "z", "y": false}, {"w": {}}]}"#.to_vec()),
    ]
}

/// The good files of `test-fixtures/parquet`.
fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-fixtures/parquet");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.ends_with(".parquet") && !name.starts_with("refused_")
        })
        .collect();
    files.sort();
    files
}

/// The stages on a real server; objects, catalog and ledger are their twins in memory.
pub struct Landing {
    ingest: Ingest,
    objects: MemoryObjects,
    client: clickhouse::Client,
}

impl Landing {
    /// The stages on the server of a stack.
    pub fn of(stack: &AttachedStack) -> Self {
        let cluster = stack.state().cluster(CLUSTER).unwrap();
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
        let clock = Clock::system();
        let objects = MemoryObjects::new();
        let ingest = Ingest {
            objects: Arc::new(objects.clone()),
            catalog: Arc::new(MemoryCatalog::new(clock.clone())),
            ledger: Arc::new(MemoryLedger::new(clock.clone())),
            partitions: Arc::new(MemoryPartitions::default()),
            records: None,
            warehouse: Arc::new(ClickHouse::new(
                vec![config],
                Arc::new(credentials),
                Arc::new(warehouse::NoBoard),
                model::Clock::system(),
                Options::default(),
            )),
            clock,
            settings: Settings {
                lease: Duration::from_secs(600),
                worker: "test".to_owned(),
                split_bytes: None,
            },
            told: ingest::Told::default(),
        };
        Self { ingest, objects, client }
    }

    /// Rows that landed of a file by what is proposed for it, or what went wrong.
    pub async fn load(
        &self,
        source: &str,
        file: &Path,
        proposal: &Proposal,
    ) -> Result<u64, String> {
        transform::check(&proposal.document).map_err(|error| format!("validate: {error}"))?;
        let put = self.ingest.catalog.put(&proposal.yaml, "test", None).await;
        put.map_err(|error| format!("put: {error:?}\n{}", proposal.yaml))?;
        let name = file.file_name().unwrap().to_string_lossy();
        let bytes = std::fs::read(file).unwrap();
        let id = self.objects.put("b", &format!("{source}/{name}"), bytes);
        let notice = Notice {
            bucket: id.bucket,
            key: id.key,
            source: None,
            etag: None,
            part: None,
            retry_failed: false,
            is_last: true,
        };
        let loaded = self.ingest.load(&notice, Deadline::none()).await;
        match loaded.map_err(|error| format!("load: {}\n{}", error.chain(), proposal.yaml))? {
            Outcome::Loaded(report)
                if report.counts.rows_inserted == report.counts.rows_read
                    && report.counts.rows_read >= proposal.rows =>
            {
                Ok(report.counts.rows_read)
            }
            other => Err(format!("{other:?}\n{}", proposal.yaml)),
        }
    }

    /// Rows of a query.
    pub async fn query(&self, sql: &str) -> Result<Vec<Map<String, Value>>, String> {
        let rows = self.ingest.warehouse.query(CLUSTER, sql, &[]).await;
        rows.map_err(|error| format!("{sql}: {error}"))
    }

    /// Sends bytes as the data of a statement, for the server to read.
    pub async fn insert(
        &self,
        statement: &str,
        settings: impl Iterator<Item = (&str, &str)>,
        bytes: Vec<u8>,
    ) -> Result<(), String> {
        let client = settings
            .fold(self.client.clone(), |client, (name, value)| client.with_setting(name, value));
        let mut insert = client.insert_formatted_with(statement);
        let sent = insert.send(bytes.into()).await;
        let done = sent.and(insert.end().await);
        done.map_err(|error| format!("{statement}: {error}"))
    }
}

async fn land(landing: &Landing, number: usize, file: &Path) -> Result<u64, String> {
    let source = format!("s{number}");
    let wishes = Wishes { name: Some(source.clone()), ..Wishes::default() };
    let proposal = infer(file, &wishes).await.map_err(|error| format!("infer: {error:#}"))?;
    landing.load(&source, file, &proposal).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_proposed_lands_every_row() {
    let start = || testkit::start(&Setup::new("infer")).unwrap();
    let stack = tokio::task::spawn_blocking(start).await.unwrap();
    let landing = Landing::of(&stack);
    let folder = tempfile::tempdir().unwrap();
    let mut files = fixtures();
    assert!(files.len() > 50, "{}", files.len());
    for (name, bytes) in texts() {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        files.push(file);
    }
    let landed = futures::stream::iter(files.iter().enumerate())
        .map(async |(number, file)| (file, land(&landing, number, file).await))
        .buffer_unordered(8)
        .collect::<Vec<_>>()
        .await;
    let name = |file: &Path| file.file_name().unwrap().to_string_lossy().into_owned();
    let wrong: Vec<_> = landed
        .iter()
        .filter_map(|(file, rows)| Some(format!("{}: {}", name(file), rows.as_ref().err()?)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    // Only files that say so have no rows.
    let empty = landed.iter().filter(|(_, rows)| rows.as_ref().is_ok_and(|rows| *rows == 0));
    let mut empty: Vec<_> = empty.map(|(file, _)| name(file)).collect();
    empty.sort();
    assert_eq!(empty, ["no_row_groups.parquet", "no_rows.parquet"]);
}
