//! `migrate`: statements are applied once, in order, and a changed one is noticed.

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::Lake;

use crate::{answer, motherlode, shared};

/// The files that a command names, by their state where it gives one.
fn named(answer: &Value, state: Option<&str>) -> Vec<String> {
    let rows = answer.as_array().unwrap().iter();
    rows.filter(|row| state.is_none_or(|state| row["state"] == state))
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn run(lake: &Lake, sql: &str) {
    lake.query("ingestion", sql).await.unwrap();
}

/// Writes into the history that another text was applied.
async fn was_another(lake: &Lake, file: &str) {
    let sql = format!(
        "INSERT INTO motherlode.migrations SELECT '{file}', 'another', 'single', 'test', now64(3, 'UTC') + 1"
    );
    run(lake, &sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_applied_once_and_in_every_kind() {
    let lake = shared().await;
    // Every kind is SQL that the server understands.
    for kind in [&["--engine", "replicated", "--on-cluster", "it's"][..], &["--engine", "cloud"]] {
        let plan = answer(&lake, &[&["migrate", "apply", "--plan"], kind].concat()).await;
        let plan = plan.as_array().unwrap();
        assert!(plan.len() > 10, "{plan:?}");
        for file in plan {
            let text = [("text", file["statement"].as_str().unwrap().to_owned())];
            let sql = "SELECT formatQuery({text:String}) AS text";
            let said = lake.ingest.warehouse.query("ingestion", sql, &text).await;
            let said = said.unwrap_or_else(|error| panic!("{}: {error}", file["name"]));
            let said = said[0]["text"].as_str().unwrap();
            assert_eq!(said.contains("ON CLUSTER"), kind.len() > 2, "{said}");
        }
    }
    // There is no Keeper here, and a table of another kind is not taken for it.
    run(&lake, "CREATE DATABASE IF NOT EXISTS motherlode").await;
    let replicated = ["migrate", "apply", "platform", "--engine", "replicated"];
    let refused = motherlode(&lake, &replicated).await;
    assert!(!refused.is_success && refused.said.contains("002_migrations.sql"), "{}", refused.said);
    let table = "CREATE TABLE motherlode.migrations (name String, checksum String, engine String, applied_by String, \
                 applied_at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY name";
    run(&lake, table).await;
    let refused = motherlode(&lake, &replicated).await;
    assert!(!refused.is_success && refused.said.contains("is a MergeTree"), "{}", refused.said);
    run(&lake, "DROP TABLE motherlode.migrations").await;

    let missing = named(&answer(&lake, &["migrate", "status"]).await, Some("missing"));
    let applied = named(&answer(&lake, &["migrate", "apply"]).await, None);
    assert_eq!(applied, missing);
    assert!(named(&answer(&lake, &["migrate", "apply"]).await, None).is_empty());
    let status = answer(&lake, &["migrate", "status"]).await;
    assert_eq!(named(&status, Some("applied")), missing);

    was_another(&lake, "clickstream/012_funnel").await;
    let status = answer(&lake, &["migrate", "status"]).await;
    assert_eq!(named(&status, Some("outdated")), ["clickstream/012_funnel"]);
    let again = named(&answer(&lake, &["migrate", "apply"]).await, None);
    // The history's clock is a second ahead of the server's.
    assert_eq!(again, ["clickstream/012_funnel"]);
    was_another(&lake, "clickstream/003_events").await;
    let refused = motherlode(&lake, &["migrate", "apply"]).await;
    assert!(
        !refused.is_success && refused.said.contains("003_events.sql has changed"),
        "{}",
        refused.said
    );
}

/// What the files make is what the functions would make themselves.
#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_tables_are_those_of_the_functions() {
    let lake = shared().await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = folder.join("../../infra/clickhouse/platform");
    run(&lake, "CREATE DATABASE IF NOT EXISTS platform_of_files").await;
    for (file, table) in [
        ("003_quarantine.sql", warehouse::quarantine::table()),
        ("004_drift.sql", warehouse::drift::table()),
    ] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        run(&lake, &text.replace("motherlode.", "platform_of_files.")).await;
        let of_files = warehouse::TableSpec { database: "platform_of_files".to_owned(), ..table };
        lake.ingest.warehouse.prepare("ingestion", &of_files).await.unwrap();
        let by_itself =
            warehouse::TableSpec { database: "platform_of_code".to_owned(), ..of_files.clone() };
        lake.ingest.warehouse.prepare("ingestion", &by_itself).await.unwrap();
        let sql = format!(
            "SELECT DISTINCT replaceRegexpOne(create_table_query, '^CREATE TABLE \\\\S+ ', '') AS made FROM system.tables \
             WHERE name = '{}' AND database LIKE 'platform_of_%'",
            of_files.name
        );
        let made = lake.query("ingestion", &sql).await.unwrap();
        let made: BTreeSet<_> = made.iter().map(|row| row["made"].to_string()).collect();
        assert_eq!(made.len(), 1, "{made:#?}");
    }
}
