//! A cluster of two nodes that share their tables: two doors to one server, each
//! of which can be shut.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use warehouse::{ClickHouse, Reaction, Warehouse};

use crate::support::{
    BATCH, CLUSTER, Database, batch, credentials, load, options, token, warehouse_at,
};

/// A node: passes bytes on, and counts the requests.
struct Door {
    url: String,
    server: String,
    requests: Arc<AtomicUsize>,
    work: JoinHandle<()>,
}

impl Door {
    async fn open(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let requests = Arc::new(AtomicUsize::new(0));
        let server = server.strip_prefix("http://").expect("http").to_owned();
        let work = tokio::spawn(serve(listener, server.clone(), requests.clone()));
        Self { url, server, requests, work }
    }

    /// Closes every connection; nobody listens any more.
    async fn shut(&mut self) {
        self.work.abort();
        assert!((&mut self.work).await.expect_err("it was ended").is_cancelled());
    }

    async fn open_again(&mut self) {
        let address = self.url.strip_prefix("http://").expect("http");
        let listener = TcpListener::bind(address).await.expect("bind");
        self.work = tokio::spawn(serve(listener, self.server.clone(), self.requests.clone()));
    }

    fn requests(&self) -> usize {
        self.requests.swap(0, Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, server: String, requests: Arc<AtomicUsize>) {
    // Ends its connections when it is dropped.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(&server).await.expect("connect");
        let requests = requests.clone();
        connections.spawn(async move {
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let up = async {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
                    // A client that reuses connections begins a request at the
                    // beginning of what it sends.
                    if bytes[..count].starts_with(b"POST ") {
                        requests.fetch_add(1, Ordering::SeqCst);
                    }
                    if to_server.write_all(&bytes[..count]).await.is_err() {
                        return;
                    }
                }
            };
            let down = tokio::io::copy(&mut from_server, &mut to_client);
            tokio::select! {
                () = up => {}
                _ = down => {}
            }
        });
    }
}

const LOADS: u64 = 12;

/// Loads so many batches from this number on, one INSERT each; what meets a node that
/// has died is sent again. Gives how often that was so.
async fn all(warehouse: &ClickHouse, database: &Database, from: u64) -> u64 {
    let mut met = 0;
    for number in from..from + LOADS {
        let load =
            || async { load(warehouse, &database.events(), token(number), &[batch(number)]).await };
        while let Err(error) = load().await {
            assert_eq!(error.reaction(), Reaction::RetryHere, "batch {number}: {error}");
            met += 1;
        }
    }
    met
}

#[tokio::test]
async fn load_is_spread_over_nodes_and_one_that_dies_is_left_alone() {
    let database = Database::new("nodes").await;
    database.warehouse.prepare(CLUSTER, &database.events()).await.expect("prepare");
    let (mut a, b) = (Door::open(&database.url).await, Door::open(&database.url).await);
    let warehouse = warehouse_at(&[&a.url, &b.url], credentials(), options());

    assert_eq!(all(&warehouse, &database, 0).await, 0);
    let (at_a, at_b) = (a.requests(), b.requests());
    assert!(at_a >= 4 && at_b >= 4, "{at_a} and {at_b} requests");

    a.shut().await;
    // Three failures, and it is left alone.
    let met = all(&warehouse, &database, LOADS).await;
    assert!((1..=3).contains(&met), "{met}");
    assert!(warehouse.is_up(CLUSTER).await, "one node is enough");
    assert!(b.requests() >= 12);

    a.open_again().await;
    assert!(warehouse.wake(CLUSTER).await);
    a.requests();
    assert_eq!(all(&warehouse, &database, 2 * LOADS).await, 0);
    let (at_a, at_b) = (a.requests(), b.requests());
    assert!(at_a >= 4 && at_b >= 4, "{at_a} and {at_b} requests");

    // A token is the table's, whichever node it comes by.
    assert_eq!(all(&warehouse, &database, LOADS).await, 0);
    assert_eq!(database.rows("events").await, (3 * LOADS * BATCH, 3 * LOADS * BATCH));
    database.drop().await;
}
