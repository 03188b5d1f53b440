//! Two clusters: one that dies under load, debts, failback, mirrors.

use std::time::Instant;

use ingest::{Debt, Paid, Scope, Watch};
use runtime::Deadline;
use testkit::{Lake, Setup};

use crate::{connect, document, files};

const TWO: &[&str] = &["ingestion", "standby"];

/// Rows, distinct rows and a hash of whole rows of a table on a cluster.
async fn rows(lake: &Lake, cluster: &str, table: &str) -> (u64, u64, String) {
    let sql = format!(
        "SELECT count() AS rows, uniqExact(_object, _row) AS distinct_rows, \
         toString(groupBitXor(cityHash64(toString(tuple(*))))) AS hash FROM e2e.{table}"
    );
    match lake.query(cluster, &sql).await {
        Ok(answer) => {
            let number =
                |name: &str| answer[0][name].as_u64().unwrap_or_else(|| panic!("{answer:?}"));
            (
                number("rows"),
                number("distinct_rows"),
                answer[0]["hash"].as_str().unwrap().to_owned(),
            )
        }
        // The table is made by the first write.
        Err(error) if format!("{error:#}").contains("UNKNOWN_") => (0, 0, String::new()),
        Err(error) => panic!("{error:#}"),
    }
}

struct Silent;

impl Watch for Silent {
    fn begin(&self, _debts: &[Debt]) {}
    fn paid(&self, _cluster: &str, _paid: Paid) {}
}

/// Pays everything; gives the rows that were written.
async fn reconciled(lake: &Lake) -> u64 {
    let summary =
        lake.ingest.reconcile(&Scope::default(), Deadline::none(), &Silent).await.unwrap();
    assert!(summary.is_even(), "{summary:?}");
    assert!(lake.ingest.plan(&Scope::default()).await.unwrap().is_empty());
    summary.paid.rows_written
}

async fn stack(name: &'static str) -> (devstack::AttachedStack, Lake) {
    let setup = Setup { clusters: TWO, concurrency: 2, reconcile: true, ..Setup::new(name) };
    let stack = tokio::task::spawn_blocking(move || testkit::start(&setup)).await.unwrap().unwrap();
    let lake = connect(stack.state()).await;
    (stack, lake)
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_when_the_primary_dies_and_both_hold_every_row_in_the_end() {
    let (_stack, lake) = stack("mother-failover").await;
    let write = "write: { rows_per_chunk: 10000, clusters: [ingestion, standby] }";
    lake.register(&document("fov-dies", "{ csv: {} }", write)).await.unwrap();
    let first = lake.land("fov-dies", "fov-dies/a.csv", files::csv(400_000)).await.unwrap();
    // Somewhere in the middle.
    lake.until("progress", || async {
        let record = lake.ingest.ledger.get(&first.source, &first.id).await?;
        Ok(record.filter(|record| record.next_row >= 50_000).map(|_| ()))
    })
    .await
    .unwrap();
    lake.control.kill_cluster("ingestion").await.unwrap();
    let killed = Instant::now();
    lake.until("rows on the standby", || async {
        Ok((rows(&lake, "standby", "fov_dies").await.0 > 0).then_some(()))
    })
    .await
    .unwrap();
    assert!(killed.elapsed().as_secs() < 5, "{:?}", killed.elapsed());
    // A process that has just begun is told by the others, and does not try.
    let cold = connect(&lake.state).await;
    assert!(!cold.ingest.warehouse.is_up("ingestion").await);
    assert!(cold.ingest.warehouse.is_up("standby").await);
    let record = lake.done(&first).await.unwrap();
    // A new object does not wait for the dead one.
    let second = lake.land("fov-dies", "fov-dies/b.csv", files::csv(10_000)).await.unwrap();
    lake.done(&second).await.unwrap();
    assert!(record.is_owing);
    let sent_to_both = record.extents.iter().filter(|extent| !extent.maybe.is_empty()).count();
    assert!(sent_to_both <= 2, "{:?}", record.extents);

    lake.control.start_cluster("ingestion").await.unwrap();
    assert!(lake.ingest.warehouse.wake("ingestion").await);
    let owed = lake.ingest.plan(&Scope::default()).await.unwrap();
    assert!(owed.iter().any(|debt| debt.cluster == "ingestion"), "{owed:?}");
    let (before, standby) =
        (rows(&lake, "ingestion", "fov_dies").await, rows(&lake, "standby", "fov_dies").await);
    // What the primary took and could not say is on both.
    assert!(before.0 + standby.0 >= 410_000, "{before:?} {standby:?}");
    assert!(before.0 + standby.0 <= 410_000 + 10_000, "{before:?} {standby:?}");
    reconciled(&lake).await;
    let (a, b) =
        (rows(&lake, "ingestion", "fov_dies").await, rows(&lake, "standby", "fov_dies").await);
    assert_eq!((a.0, a.1), (410_000, 410_000));
    assert_eq!(a, b, "every row is the same on both");
    assert_eq!(reconciled(&lake).await, 0, "a second run writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_writes_to_both_and_owes_what_one_could_not_take() {
    let (_stack, lake) = stack("mother-mirror").await;
    let write = "write: { rows_per_chunk: 10000, clusters: [ingestion, standby], mode: mirror }";
    lake.register(&document("fov-mirror", "{ csv: {} }", write)).await.unwrap();
    let whole = lake.land("fov-mirror", "fov-mirror/a.csv", files::csv(50_000)).await.unwrap();
    let record = lake.done(&whole).await.unwrap();
    assert!(!record.is_owing, "{:?}", record.extents);
    assert_eq!(rows(&lake, "ingestion", "fov_mirror").await.0, 50_000);
    assert_eq!(
        rows(&lake, "ingestion", "fov_mirror").await,
        rows(&lake, "standby", "fov_mirror").await
    );
    lake.control.kill_cluster("standby").await.unwrap();
    let part = lake.land("fov-mirror", "fov-mirror/b.csv", files::csv(50_000)).await.unwrap();
    assert!(lake.done(&part).await.unwrap().is_owing);
    assert_eq!(rows(&lake, "ingestion", "fov_mirror").await.0, 100_000);
    lake.control.start_cluster("standby").await.unwrap();
    // By the function, as its schedule would.
    let event = r#"{"detail-type": "Scheduled Event", "source": "aws.events"}"#;
    let answer = lake.control.invoke("reconcile", event).await.unwrap().unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(summary["paid"]["rows_written"], 50_000, "{summary}");
    assert_eq!(summary["failures"], serde_json::json!([]), "{summary}");
    assert!(lake.ingest.warehouse.wake("standby").await);
    assert_eq!(reconciled(&lake).await, 0);
    assert_eq!(
        rows(&lake, "ingestion", "fov_mirror").await,
        rows(&lake, "standby", "fov_mirror").await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_with_a_sick_cluster_goes_on_and_its_schedule_makes_both_whole() {
    let setup = Setup {
        clusters: TWO,
        reconcile: true,
        reconcile_seconds: Some(2),
        ..Setup::new("mother-mirror-sick")
    };
    let stack = tokio::task::spawn_blocking(move || testkit::start(&setup)).await.unwrap().unwrap();
    let lake = connect(stack.state()).await;
    let write = "write: { rows_per_chunk: 10000, clusters: [ingestion, standby], mode: mirror }";
    lake.register(&document("fov-sick", "{ csv: {} }", write)).await.unwrap();
    let even = async || {
        lake.until("no debt", || async {
            Ok(lake.ingest.plan(&Scope::default()).await?.is_empty().then_some(()))
        })
        .await
        .unwrap();
        let (a, b) =
            (rows(&lake, "ingestion", "fov_sick").await, rows(&lake, "standby", "fov_sick").await);
        assert_eq!(a, b);
        assert_eq!(a.0, a.1);
        a.0
    };
    // It accepts and never answers.
    lake.control.pause_cluster("standby").await.unwrap();
    let deaf = lake.land("fov-sick", "fov-sick/deaf.csv", files::csv(50_000)).await.unwrap();
    assert!(lake.done(&deaf).await.unwrap().is_owing);
    assert_eq!(rows(&lake, "ingestion", "fov_sick").await.0, 50_000);
    lake.control.resume_cluster("standby").await.unwrap();
    assert!(lake.ingest.warehouse.wake("standby").await);
    assert_eq!(even().await, 50_000);

    // Then the other one dies; the first in order is no better than the rest.
    lake.control.kill_cluster("ingestion").await.unwrap();
    let dead = lake.land("fov-sick", "fov-sick/dead.csv", files::csv(50_000)).await.unwrap();
    assert!(lake.done(&dead).await.unwrap().is_owing);
    assert_eq!(rows(&lake, "standby", "fov_sick").await.0, 100_000);
    lake.control.start_cluster("ingestion").await.unwrap();
    assert!(lake.ingest.warehouse.wake("ingestion").await);
    assert_eq!(even().await, 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_refuses_a_row_is_owed_what_the_other_has_taken() {
    let (_stack, lake) = stack("mother-mirror-refuses").await;
    let write = "write: { rows_per_chunk: 1000, clusters: [ingestion, standby], mode: mirror }";
    lake.register(&document("fov-refuse", "{ csv: {} }", write)).await.unwrap();
    let first = lake.land("fov-refuse", "fov-refuse/a.csv", files::csv(1_000)).await.unwrap();
    lake.done(&first).await.unwrap();
    let constraint = "ALTER TABLE e2e.fov_refuse ADD CONSTRAINT small CHECK id < 1500";
    lake.query("standby", constraint).await.unwrap();
    let second = lake.land("fov-refuse", "fov-refuse/b.csv", files::csv(3_000)).await.unwrap();
    let record = lake.done(&second).await.unwrap();
    assert!(record.is_owing, "{record:?}");
    assert_eq!(rows(&lake, "ingestion", "fov_refuse").await.0, 4_000);
    let summary =
        lake.ingest.reconcile(&Scope::default(), Deadline::none(), &Silent).await.unwrap();
    assert_eq!(summary.failures.len(), 1, "{summary:?}");
    lake.query("standby", "ALTER TABLE e2e.fov_refuse DROP CONSTRAINT small").await.unwrap();
    reconciled(&lake).await;
    let (a, b) =
        (rows(&lake, "ingestion", "fov_refuse").await, rows(&lake, "standby", "fov_refuse").await);
    assert_eq!((a.0, a.1), (4_000, 4_000));
    assert_eq!(a, b);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_set_up_wrongly_gets_its_rows_once_it_is_mended() {
    let (_stack, lake) = stack("mother-misfit").await;
    lake.query("ingestion", "CREATE DATABASE e2e").await.unwrap();
    // A column of another type than the document says.
    lake.query(
        "ingestion",
        "CREATE TABLE e2e.fov_misfit (id String) ENGINE = MergeTree ORDER BY id",
    )
    .await
    .unwrap();
    let write = "write: { rows_per_chunk: 1000, clusters: [ingestion, standby] }";
    lake.register(&document("fov-misfit", "{ csv: {} }", write)).await.unwrap();
    let landed = lake.land("fov-misfit", "fov-misfit/a.csv", files::csv(5_000)).await.unwrap();
    let record = lake.done(&landed).await.unwrap();
    assert!(record.is_owing);
    assert_eq!(rows(&lake, "standby", "fov_misfit").await.0, 5_000);
    let summary =
        lake.ingest.reconcile(&Scope::default(), Deadline::none(), &Silent).await.unwrap();
    assert_eq!(summary.failures.len(), 1, "{summary:?}");
    assert!(summary.failures[0].contains("fov_misfit"), "{summary:?}");
    lake.query("ingestion", "DROP TABLE e2e.fov_misfit").await.unwrap();
    assert_eq!(reconciled(&lake).await, 5_000);
    assert_eq!(
        rows(&lake, "ingestion", "fov_misfit").await,
        rows(&lake, "standby", "fov_misfit").await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_landed_without_an_answer_are_found_and_not_written_twice() {
    let (_stack, lake) = stack("mother-found").await;
    let write = "write: { rows_per_chunk: 1000, clusters: [ingestion] }";
    lake.register(&document("fov-found", "{ csv: {} }", write)).await.unwrap();
    let landed = lake.land("fov-found", "fov-found/a.csv", files::csv(5_500)).await.unwrap();
    lake.done(&landed).await.unwrap();
    // The source gets a second cluster; a part of the rows is there already, and
    // its table knows of no tokens.
    let write = "write: { rows_per_chunk: 1000, clusters: [ingestion, standby] }";
    lake.register(&document("fov-found", "{ csv: {} }", write)).await.unwrap();
    let all = Scope { all: true, ..Scope::default() };
    assert!(lake.ingest.plan(&Scope::default()).await.unwrap().is_empty());
    assert_eq!(lake.ingest.plan(&all).await.unwrap()[0].rows, 5_500);
    let create = lake.query("ingestion", "SHOW CREATE TABLE e2e.fov_found").await.unwrap();
    lake.query("standby", "CREATE DATABASE e2e").await.unwrap();
    lake.query("standby", create[0]["statement"].as_str().unwrap()).await.unwrap();
    let some = lake
        .query("ingestion", "SELECT * FROM e2e.fov_found WHERE _row >= 1000 AND _row < 3400")
        .await
        .unwrap();
    let text: String = some.iter().map(|row| format!("{row}\n")).collect();
    lake.query("standby", &format!("INSERT INTO e2e.fov_found FORMAT JSONEachRow {text}"))
        .await
        .unwrap();
    // A chunk that is there in part can neither be sent nor be called there.
    let summary = lake.ingest.reconcile(&all, Deadline::none(), &Silent).await.unwrap();
    assert!(summary.failures[0].contains("holds 400 rows"), "{summary:?}");
    lake.query("standby", "DELETE FROM e2e.fov_found WHERE _row >= 3000").await.unwrap();
    let summary = lake.ingest.reconcile(&all, Deadline::none(), &Silent).await.unwrap();
    assert!(summary.is_even(), "{summary:?}");
    assert_eq!((summary.paid.rows_written, summary.paid.rows_found), (2_500, 0));
    let (a, b) =
        (rows(&lake, "ingestion", "fov_found").await, rows(&lake, "standby", "fov_found").await);
    assert_eq!((b.0, b.1), (5_500, 5_500));
    assert_eq!(a, b);
}
