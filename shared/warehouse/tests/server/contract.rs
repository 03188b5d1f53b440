//! The contract of the port `Warehouse`, for the server and its memory twin
//! alike.

use model::{Disposed, Disposition};
use rstest::rstest;
use warehouse::{MemoryWarehouse, Scripted, TableSpec, TransportKind, Warehouse};

use crate::support::{BATCH, CLUSTER, Database, batch, load, token};

/// A warehouse under test with a prepared table.
enum Place {
    Server(Database, TableSpec),
    Memory(MemoryWarehouse, TableSpec),
}

impl Place {
    async fn new(kind: &str, test: &str) -> Self {
        let this = match kind {
            "memory" => Self::Memory(MemoryWarehouse::new(), Database::events_of("d")),
            _ => {
                let database = Database::new(test).await;
                let table = database.events();
                Self::Server(database, table)
            }
        };
        this.warehouse().prepare(CLUSTER, this.table()).await.expect("prepare");
        this
    }

    fn warehouse(&self) -> &dyn Warehouse {
        match self {
            Self::Server(database, _) => &database.warehouse,
            Self::Memory(warehouse, _) => warehouse,
        }
    }

    fn table(&self) -> &TableSpec {
        match self {
            Self::Server(_, table) | Self::Memory(_, table) => table,
        }
    }

    async fn rows(&self) -> u64 {
        match self {
            Self::Server(database, table) => {
                database.quiet().await;
                database.rows(&table.name).await.0
            }
            Self::Memory(warehouse, table) => {
                warehouse.rows(CLUSTER, &table.database, &table.name) as u64
            }
        }
    }

    async fn drop(self) {
        if let Self::Server(database, _) = self {
            database.drop().await;
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_token_lands_once(#[values("server", "memory")] kind: &str) {
    let place = Place::new(kind, "contract_token").await;
    for (number, rows) in [(1, 2), (1, 2), (2, 4), (1, 4)] {
        load(place.warehouse(), place.table(), token(number), &[batch(0), batch(1)])
            .await
            .expect("load");
        assert_eq!(place.rows().await, rows * BATCH, "token {number}");
    }
    place.drop().await;
}

#[rstest]
#[tokio::test]
async fn a_dropped_insert_leaves_nothing_and_its_token_is_free(
    #[values("server", "memory")] kind: &str,
) {
    let place = Place::new(kind, "contract_drop").await;
    let spec = place.table().insert(token(1));
    let mut insert = place.warehouse().insert(CLUSTER, spec).await.expect("insert");
    insert.write(&batch(0)).await.expect("write");
    drop(insert);
    assert_eq!(place.rows().await, 0);
    load(place.warehouse(), place.table(), token(1), &[batch(0)]).await.expect("load");
    assert_eq!(place.rows().await, BATCH);
    place.drop().await;
}

#[rstest]
#[tokio::test]
async fn an_insert_without_rows_is_no_error(#[values("server", "memory")] kind: &str) {
    let place = Place::new(kind, "contract_empty").await;
    load(place.warehouse(), place.table(), token(1), &[batch(0).slice(0, 0)]).await.expect("load");
    assert_eq!(place.rows().await, 0);
    place.drop().await;
}

#[tokio::test]
async fn the_twin_fails_as_it_is_told() {
    let twin = MemoryWarehouse::new();
    let table = Database::events_of("d");
    let rows = || twin.rows(CLUSTER, "d", "events") as u64;
    twin.script(Scripted::RefusePrepare(497));
    assert_eq!(
        twin.prepare(CLUSTER, &table).await.expect_err("refused").disposition(),
        Disposition::Fatal
    );
    for (failure, code) in [
        (Scripted::RefuseBatch { after: 1, code: 241 }, Some(241)),
        (Scripted::RefuseFinish(252), Some(252)),
    ] {
        twin.script(failure);
        let error =
            load(&twin, &table, token(1), &[batch(0), batch(1)]).await.expect_err("refused");
        assert_eq!((error.server_code(), rows()), (code, 0));
    }
    for (failure, landed) in [(Scripted::LoseConnection, 0), (Scripted::LoseAnswer, 1)] {
        twin.script(failure);
        let error = load(&twin, &table, token(1), &[batch(0)]).await.expect_err("lost");
        assert_eq!((error.transport_kind(), rows()), (Some(TransportKind::Closed), landed * BATCH));
    }
    load(&twin, &table, token(1), &[batch(0)]).await.expect("the replay");
    assert_eq!((rows(), twin.dropped(CLUSTER, "d", "events"), twin.aborted()), (BATCH, 1, 1));
}

#[tokio::test]
#[should_panic(expected = "scripted and never met")]
async fn a_scripted_failure_that_was_never_met_fails_the_test() {
    MemoryWarehouse::new().script(Scripted::LoseAnswer);
}
