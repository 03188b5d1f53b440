//! Exactly once: an INSERT that does not finish leaves nothing, a repeated one
//! lands every row once. Through the table, its materialized view, and
//! `INSERT … SELECT … FROM input(…)`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{Disposed, Disposition};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use warehouse::{Select, TableSpec, Warehouse};

use crate::support::{
    BATCH, CLUSTER, Database, batch, credentials, load, options, token, warehouse_at,
};

/// A table with a materialized view behind it, and with SQL before it or not.
async fn table(database: &Database, select: bool) -> TableSpec {
    let mut table = database.events();
    if select {
        let expressions = "k, upper(s) AS s".to_owned();
        table.select = Some(Select { expressions, passed: vec![] });
    }
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    let name = &database.name;
    database
        .run(&format!(
            "CREATE TABLE {name}.view_rows (k UInt64, s String) ENGINE = MergeTree ORDER BY k \
             SETTINGS non_replicated_deduplication_window = 1000"
        ))
        .await;
    database.run(&format!("CREATE MATERIALIZED VIEW {name}.view TO {name}.view_rows AS SELECT k, s FROM {name}.events")).await;
    table
}

async fn both(database: &Database) -> [(u64, u64); 2] {
    [database.rows("events").await, database.rows("view_rows").await]
}

#[rstest]
#[tokio::test]
async fn a_dropped_insert_leaves_nothing_and_its_replay_lands_once(
    #[values(0, 1, 2, 5)] sent: u64,
    #[values(false, true)] select: bool,
    #[values(false, true)] compress: bool,
) {
    let database = Database::new(&format!("dropped_{sent}_{select}_{compress}")).await;
    let table = table(&database, select).await;
    let options = warehouse::Options { compress, ..options() };
    let warehouse = warehouse_at(&[&database.url], credentials(), options);

    let mut insert = warehouse.insert(CLUSTER, table.insert(token(1))).await.expect("insert");
    for number in 0..sent {
        insert.write(&batch(number)).await.expect("write");
    }
    drop(insert);
    database.quiet().await;
    assert_eq!(both(&database).await, [(0, 0); 2]);

    let batches: Vec<_> = (0..5).map(batch).collect();
    for _ in 0..3 {
        load(&warehouse, &table, token(1), &batches).await.expect("load");
        assert_eq!(both(&database).await, [(5 * BATCH, 5 * BATCH); 2]);
    }
    database.drop().await;
}

/// Passes bytes between client and server and breaks every connection: after so
/// many bytes of its request, or when the answer comes.
async fn cutting_proxy(server: &str, after: usize, how: Cut) -> (String, Arc<AtomicUsize>) {
    let target = server.strip_prefix("http://").expect("http").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let cuts = Arc::new(AtomicUsize::new(0));
    let counted = cuts.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&target).await.expect("connect");
            let counted = counted.clone();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let answers = tokio::spawn(async move {
                    if how == Cut::Answer {
                        // The server is done when it answers; nobody hears it.
                        let mut byte = [0; 1];
                        let _ = from_server.read(&mut byte).await;
                        counted.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
                });
                let limit = if how == Cut::Answer { u64::MAX } else { after as u64 };
                let mut limited = (&mut from_client).take(limit);
                let _ = tokio::io::copy(&mut limited, &mut to_server).await;
                if how == Cut::HalfClose {
                    // The server sees an end of the body that is no end.
                    let _ = to_server.shutdown().await;
                    let _ = answers.await;
                } else if how == Cut::Request {
                    answers.abort();
                } else {
                    let _ = answers.await;
                }
            });
        }
    });
    (url, cuts)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Both directions end.
    Request,
    /// Only the server's input ends.
    HalfClose,
    /// Only the answer is lost.
    Answer,
}

#[rstest]
#[tokio::test]
async fn a_cut_connection_leaves_nothing(
    #[values(2_000, 700_000, 3_000_000)] after: usize,
    #[values(Cut::Request, Cut::HalfClose)] how: Cut,
    #[values(false, true)] select: bool,
) {
    let database = Database::new(&format!("cut_{after}_{how:?}_{select}").to_lowercase()).await;
    let table = table(&database, select).await;
    let (url, _) = cutting_proxy(&database.url, after, how).await;
    let warehouse = warehouse_at(&[&url], credentials(), options());
    let batches: Vec<_> = (0..5).map(batch).collect();
    let error =
        load(&warehouse, &table, token(1), &batches).await.expect_err("the connection was cut");
    assert_eq!(error.disposition(), Disposition::Retry, "{error}");
    database.quiet().await;
    assert_eq!(both(&database).await, [(0, 0); 2]);
    load(&database.warehouse, &table, token(1), &batches).await.expect("the replay");
    assert_eq!(both(&database).await, [(5 * BATCH, 5 * BATCH); 2]);
    database.drop().await;
}

#[rstest]
#[tokio::test]
async fn a_lost_answer_is_no_second_copy(#[values(false, true)] select: bool) {
    let database = Database::new(&format!("lost_{select}")).await;
    let table = table(&database, select).await;
    let (url, cuts) = cutting_proxy(&database.url, 0, Cut::Answer).await;
    // Without SQL, so that the first request is the INSERT itself.
    let warehouse = warehouse_at(&[&url], credentials(), options());
    let batches: Vec<_> = (0..2).map(batch).collect();
    if !select {
        let error =
            load(&warehouse, &table, token(1), &batches).await.expect_err("the answer was lost");
        assert_eq!(error.disposition(), Disposition::Retry, "{error}");
        assert_eq!(cuts.load(Ordering::SeqCst), 1);
        database.quiet().await;
        assert_eq!(both(&database).await, [(2 * BATCH, 2 * BATCH); 2], "the server had written it");
    }
    for _ in 0..2 {
        load(&database.warehouse, &table, token(1), &batches).await.expect("the replay");
        assert_eq!(both(&database).await, [(2 * BATCH, 2 * BATCH); 2]);
    }
    database.drop().await;
}

#[tokio::test]
async fn the_same_insert_at_the_same_time_lands_once() {
    let database = Database::new("racing").await;
    let table = table(&database, false).await;
    let batches: Vec<_> = (0..3).map(batch).collect();
    let one = || load(&database.warehouse, &table, token(1), &batches);
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    for result in [a, b, c, d] {
        result.expect("every one of them says that the rows are there");
    }
    assert_eq!(both(&database).await, [(3 * BATCH, 3 * BATCH); 2]);
    database.drop().await;
}

#[tokio::test]
async fn a_chunk_is_one_part_and_other_tokens_are_other_chunks() {
    let database = Database::new("one_part").await;
    let table = database.events();
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    database.run(&format!("SYSTEM STOP MERGES {}.events", database.name)).await;
    // The largest chunk that there is: 32 batches of 32,768 rows.
    let batches: Vec<_> = (0..32).map(batch).collect();
    load(&database.warehouse, &table, token(1), &batches).await.expect("load");
    assert_eq!(database.parts("events").await, 1);
    // The same rows with another token are another chunk.
    load(&database.warehouse, &table, token(2), &batches).await.expect("load");
    assert_eq!(database.rows("events").await, (64 * BATCH, 32 * BATCH));
    database.drop().await;
}

#[tokio::test]
async fn a_chunk_over_many_partitions_is_repeated_harmlessly() {
    let database = Database::new("partitions").await;
    let mut table = database.events();
    table.partition_by = Some("intDiv(k, 200)".into());
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    let batches: Vec<_> = (0..4).map(batch).collect();
    for _ in 0..2 {
        load(&database.warehouse, &table, token(1), &batches).await.expect("load");
        assert_eq!(database.rows("events").await, (4 * BATCH, 4 * BATCH));
    }
    let batches: Vec<_> = (4..12).map(batch).collect();
    let error = load(&database.warehouse, &table, token(2), &batches)
        .await
        .expect_err("over 1,000 partitions");
    assert_eq!(error.disposition(), Disposition::Fatal, "{error}");
    assert_eq!(database.rows("events").await, (4 * BATCH, 4 * BATCH), "nothing of it");
    database.drop().await;
}

#[tokio::test]
async fn a_write_that_was_dropped_in_the_middle_cannot_be_finished() {
    let database = Database::new("broken").await;
    let table = database.events();
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    // Nobody reads there: after some batches a write waits.
    let warehouse = warehouse_at(&[&url], credentials(), options());
    let mut insert = warehouse.insert(CLUSTER, table.insert(token(1))).await.expect("insert");
    let mut number = 0;
    loop {
        let next = batch(number);
        let write = insert.write(&next);
        if tokio::time::timeout(std::time::Duration::from_millis(200), write).await.is_err() {
            break;
        }
        number += 1;
    }
    let error = insert.finish().await.expect_err("a batch is missing");
    assert!(matches!(error, warehouse::WarehouseError::Broken { .. }), "{error}");
    database.drop().await;
}
