//! How long a token is surely remembered: by its table, and by the target of each
//! materialized view on it.

use warehouse::{TableSpec, Warehouse};

use crate::support::{CLUSTER, Database, batch, load, token};

async fn is_remembered(database: &Database, table: &TableSpec, since_ms: i64) -> bool {
    let remembers = database.warehouse.remembers(CLUSTER, table, since_ms).await;
    remembers.expect("an answer")
}

fn now_ms() -> i64 {
    model::Clock::system().now_ms()
}

#[tokio::test]
async fn the_window_that_counts_is_the_tables_own() {
    let database = Database::new("memory_own").await;
    let table = database.events();
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    let since_ms = now_ms();
    let small = "MODIFY SETTING non_replicated_deduplication_window = 8";
    database.run(&format!("ALTER TABLE {}.events {small}", database.name)).await;
    assert!(is_remembered(&database, &table, since_ms).await);
    for number in 0..5 {
        let loaded = load(&database.warehouse, &table, token(number), &[batch(number)]).await;
        loaded.expect("load");
    }
    assert!(!is_remembered(&database, &table, since_ms).await, "5 blocks of 8 came since");
    let missing = TableSpec { name: "none".into(), ..table };
    assert!(!is_remembered(&database, &missing, since_ms).await);
    database.drop().await;
}

#[tokio::test]
async fn the_target_of_every_view_has_to_remember_it() {
    let database = Database::new("memory_views").await;
    let (table, name) = (database.events(), &database.name);
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    let since_ms = now_ms();
    let make = async |target: &str, from: &str, window: u32| {
        database
            .run(&format!(
                "CREATE TABLE {name}.`{target}` (k UInt64) ENGINE = MergeTree ORDER BY k \
                 SETTINGS non_replicated_deduplication_window = {window}"
            ))
            .await;
        database
            .run(&format!(
                "CREATE MATERIALIZED VIEW {name}.`view of {target}` TO {name}.`{target}` AS \
                 SELECT k FROM {name}.`{from}`"
            ))
            .await;
    };
    make("first", "events", 1_000).await;
    make("a target", "first", 8).await;
    assert!(is_remembered(&database, &table, since_ms).await);
    // Others write there, too; the table itself has got nothing.
    for number in 0..5 {
        database.run(&format!("INSERT INTO {name}.`a target` VALUES ({number})")).await;
    }
    assert!(!is_remembered(&database, &table, since_ms).await, "behind two views");
    database.run(&format!("DROP VIEW {name}.`view of a target`")).await;
    assert!(is_remembered(&database, &table, since_ms).await);
    // A table of its own, which remembers nothing.
    database
        .run(&format!(
            "CREATE MATERIALIZED VIEW {name}.inner ENGINE = MergeTree ORDER BY k AS \
             SELECT k FROM {name}.events"
        ))
        .await;
    assert!(!is_remembered(&database, &table, since_ms).await);
    database.drop().await;
}
