//! Every source of the demo: what the function loads from the packed files
//! equals what ClickHouse itself reads from the originals, column by column.

use std::path::Path;

use demo_data::{DemoData, DemoSource, Oracle, SOURCES, fingerprint};
use ledger::State;
use model::document::SourceDocument;
use testkit::{Lake, Setup};

use crate::connect;

#[tokio::test(flavor = "multi_thread")]
async fn each_table_equals_what_clickhouse_reads_by_itself() {
    let setup = Setup::new("mother-oracle");
    let stack = tokio::task::spawn_blocking(move || testkit::start(&setup)).await.unwrap().unwrap();
    let lake = connect(stack.state()).await;
    lake.query("ingestion", "CREATE DATABASE oracle").await.unwrap();
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.motherlode/cache");
    let data = DemoData::fetch(&cache, &|_| ()).unwrap();
    for source in SOURCES {
        lake.register(source.document).await.unwrap();
    }
    for source in SOURCES {
        load(&lake, &data, source).await;
        read_by_itself(&lake, &data, source).await;
        compare(&lake, source).await;
    }
}

/// Loads the objects of a source; the ledger's counts are those of the list.
async fn load(lake: &Lake, data: &DemoData, source: &DemoSource) {
    let mut found = demo_data::Rows { read: 0, filtered: 0, quarantined: 0, inserted: 0 };
    for object in source.objects {
        let bytes = data.object(object).unwrap();
        let landed = lake.land(source.name, object.key, bytes).await.unwrap();
        let record = lake.settled(&landed).await.unwrap();
        assert_eq!(record.state, State::Done, "{}: {:?}", source.name, record.reason);
        assert!(record.counts.closes());
        found.read += record.counts.rows_read;
        found.filtered += record.counts.rows_filtered;
        found.quarantined += record.counts.rows_quarantined;
        found.inserted += record.counts.rows_inserted;
    }
    assert_eq!(found, source.rows, "{}", source.name);
}

async fn read_by_itself(lake: &Lake, data: &DemoData, source: &DemoSource) {
    let table = oracle_table(source);
    lake.query("ingestion", &source.oracle.create(&table)).await.unwrap();
    let cluster = lake.state.cluster("ingestion").unwrap();
    let client = clickhouse::Client::default()
        .with_url(&cluster.http)
        .with_user(&cluster.user)
        .with_password(&cluster.password);
    let client = Oracle::SETTINGS
        .iter()
        .fold(client, |client, (name, value)| client.with_setting(*name, *value));
    let body = data.oracle_body(&source.oracle).unwrap();
    let mut insert = client.insert_formatted_with(source.oracle.insert(&table));
    insert.send(body.into()).await.unwrap();
    insert.end().await.unwrap_or_else(|error| panic!("{}: {error}", source.name));
}

async fn compare(lake: &Lake, source: &DemoSource) {
    let document = SourceDocument::from_yaml(source.document).unwrap();
    let loaded = format!("{}.{}", document.table.database, document.table.name);
    let columns = format!(
        "SELECT name FROM system.columns WHERE database = 'oracle' AND table = '{}' ORDER BY position",
        source.name
    );
    let columns = lake.query("ingestion", &columns).await.unwrap();
    let columns: Vec<_> =
        columns.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    let columns: Vec<_> = columns.iter().map(String::as_str).collect();
    let own = lake.query("ingestion", &fingerprint(&loaded, &columns)).await.unwrap();
    let oracle =
        lake.query("ingestion", &fingerprint(&oracle_table(source), &columns)).await.unwrap();
    assert_eq!(own, oracle, "{}", source.name);
    let rows = own[0]["rows"].to_string();
    assert_eq!(rows.trim_matches('"'), source.rows.inserted.to_string(), "{}", source.name);
}

fn oracle_table(source: &DemoSource) -> String {
    format!("oracle.`{}`", source.name)
}
