//! Errors: each with its kind and disposition, and nothing hangs.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use async_trait::async_trait;
use model::{Disposed, Disposition};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use warehouse::{
    ClickHouse, ClusterConfig, Credentials, CredentialsError, CredentialsProvider, Options, Role,
    ServerKind, TransportKind, Warehouse, WarehouseError,
};

use crate::support::{
    CLUSTER, Database, batch, credentials, load, options, token, variable, warehouse_at,
};

/// Gives each password in turn, the last for ever, and counts.
struct Passwords(Mutex<VecDeque<String>>, AtomicUsize);

impl Passwords {
    fn new(passwords: &[&str]) -> Arc<Self> {
        Arc::new(Self(
            Mutex::new(passwords.iter().map(|text| (*text).to_owned()).collect()),
            AtomicUsize::new(0),
        ))
    }
}

#[async_trait]
impl CredentialsProvider for Passwords {
    async fn credentials(&self, secret: &str) -> Result<Credentials, CredentialsError> {
        assert_eq!(secret, "the secret");
        self.1.fetch_add(1, Ordering::SeqCst);
        let mut passwords = self.0.lock().expect("lock");
        let password =
            if passwords.len() > 1 { passwords.pop_front() } else { passwords.front().cloned() };
        Ok(Credentials { user: "motherlode".into(), password: password.expect("a password") })
    }
}

fn with_passwords(url: &str, passwords: Arc<Passwords>) -> ClickHouse {
    let config = ClusterConfig {
        name: CLUSTER.into(),
        role: Role::Adhoc,
        nodes: vec![url.into()],
        secret: "the secret".into(),
    };
    ClickHouse::new(
        vec![config],
        passwords,
        Arc::new(warehouse::NoBoard),
        model::Clock::system(),
        options(),
    )
}

#[tokio::test]
async fn a_wrong_password_is_fatal_until_somebody_puts_it_right() {
    let right = credentials().password;
    let passwords = Passwords::new(&["wrong", &right]);
    let warehouse = with_passwords(&variable("MOTHERLODE_TEST_CLICKHOUSE"), passwords.clone());
    let error = warehouse.query(CLUSTER, "SELECT 1", &[]).await.expect_err("wrong");
    assert_eq!(error.server_kind(), Some(ServerKind::Authentication), "{error}");
    assert_eq!(error.disposition(), Disposition::Fatal);
    assert!(!error.to_string().contains("wrong"), "{error}");
    warehouse.query(CLUSTER, "SELECT 1", &[]).await.expect("read anew");
    warehouse.query(CLUSTER, "SELECT 1", &[]).await.expect("and kept");
    assert_eq!(passwords.1.load(Ordering::SeqCst), 2);
}

/// A server that answers as it is told: status, headers and body per request,
/// given the password of the request.
async fn scripted(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let (status, body) = answer(&String::from_utf8_lossy(&request));
                let head = format!(
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
                // Until the client is done: a close with unread bytes is a reset.
                while stream.read_buf(&mut request).await.unwrap_or(0) > 0 {}
            });
        }
    });
    url
}

#[tokio::test]
async fn a_rotated_password_is_read_anew() {
    let current = Arc::new(Mutex::new("old"));
    let seen = current.clone();
    let url = scripted(move |request| {
        // The crate sends user and password as headers or as basic authentication.
        let right = request.contains(*seen.lock().expect("lock"));
        if right {
            (200, "{\"a\":1}\n".into())
        } else {
            (403, "Code: 516. DB::Exception: Authentication failed. (version 26)".into())
        }
    })
    .await;
    let passwords = Passwords::new(&["old", "new"]);
    let warehouse = with_passwords(&url, passwords.clone());
    warehouse.query(CLUSTER, "SELECT 1", &[]).await.expect("old");
    *current.lock().expect("lock") = "new";
    // In the middle of a load: given back, and right at the next try.
    let mut insert =
        warehouse.insert(CLUSTER, Database::events_of("d").insert(token(1))).await.expect("insert");
    let error = match insert.write(&batch(0)).await {
        Err(error) => error,
        Ok(()) => insert.finish().await.expect_err("old"),
    };
    assert_eq!(error.server_kind(), Some(ServerKind::StaleCredentials), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry);
    warehouse.query(CLUSTER, "SELECT 1", &[]).await.expect("new");
    assert_eq!(passwords.1.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_rotated_password_does_not_even_show_in_a_query() {
    let current = Arc::new(Mutex::new("old"));
    let seen = current.clone();
    let url = scripted(move |request| {
        let right = request.contains(*seen.lock().expect("lock"));
        if right {
            (200, "{\"a\":1}\n".into())
        } else {
            (403, "Code: 516. DB::Exception: Authentication failed.".into())
        }
    })
    .await;
    let warehouse = with_passwords(&url, Passwords::new(&["old", "new"]));
    warehouse.query(CLUSTER, "SELECT 1", &[]).await.expect("old");
    *current.lock().expect("lock") = "new";
    warehouse.query(CLUSTER, "SELECT 1", &[]).await.expect("new");
}

async fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    format!("http://{}", listener.local_addr().expect("address"))
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again_later() {
    let warehouse = warehouse_at(&[&free_address().await], credentials(), options());
    let table = Database::events_of("d");
    let error = warehouse.prepare(CLUSTER, &table).await.expect_err("refused");
    assert_eq!(
        (error.transport_kind(), error.disposition()),
        (Some(TransportKind::Connect), Disposition::Retry)
    );
    let error = load(&warehouse, &table, token(1), &[batch(0)]).await.expect_err("refused");
    assert_eq!(
        (error.transport_kind(), error.disposition()),
        (Some(TransportKind::Connect), Disposition::Retry)
    );
}

#[tokio::test]
async fn the_next_node_is_asked() {
    let warehouse = warehouse_at(
        &[&free_address().await, &variable("MOTHERLODE_TEST_CLICKHOUSE")],
        credentials(),
        options(),
    );
    warehouse.query(CLUSTER, "SELECT 1", &[]).await.expect("the second node");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let short = Duration::from_millis(200);
    // Each its own: what does not answer is left alone from then on.
    let warehouse = || {
        warehouse_at(
            &[&url],
            credentials(),
            Options { connect: short, send: short, receive: short, compress: false },
        )
    };
    let first = warehouse();
    let error = first.query(CLUSTER, "SELECT 1", &[]).await.expect_err("silence");
    assert_eq!(
        (error.transport_kind(), error.disposition()),
        (Some(TransportKind::Timeout), Disposition::Retry)
    );
    // Small enough for the socket's buffers: the answer is waited for.
    let table = Database::events_of("d");
    let error =
        load(&warehouse(), &table, token(1), &[batch(0).slice(0, 10)]).await.expect_err("silence");
    assert_eq!(error.transport_kind(), Some(TransportKind::Timeout), "{error}");
    // Larger than them: the sending is.
    let batches: Vec<_> = (0..40).map(batch).collect();
    let error = load(&warehouse(), &table, token(1), &batches).await.expect_err("silence");
    assert_eq!(error.transport_kind(), Some(TransportKind::Timeout), "{error}");
    let began = std::time::Instant::now();
    let error = first.query(CLUSTER, "SELECT 1", &[]).await.expect_err("it is left alone");
    assert!(matches!(error, WarehouseError::Down { .. }), "{error}");
    assert!(began.elapsed() < short, "nobody is waited for");
    assert_eq!(error.disposition(), Disposition::Retry);
}

#[tokio::test]
async fn something_that_is_not_clickhouse_is_no_success() {
    let url = scripted(|_| (502, "<html>Bad Gateway</html>".into())).await;
    let warehouse = warehouse_at(&[&url], credentials(), options());
    let error = load(&warehouse, &Database::events_of("d"), token(1), &[batch(0)])
        .await
        .expect_err("a gateway");
    assert_eq!(
        (error.transport_kind(), error.disposition()),
        (Some(TransportKind::Gateway), Disposition::Retry)
    );
}

#[tokio::test]
async fn a_null_that_the_column_cannot_take_is_the_objects_fault() {
    let database = Database::new("nulls").await;
    let mut table = database.events();
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    // The document allows NULL where the table that is there does not.
    table.columns = crate::support::columns(&[("k", "UInt64"), ("s", "Nullable(String)")]);
    let keys: ArrayRef = Arc::new(UInt64Array::from(vec![1, 2]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    let batch = RecordBatch::try_from_iter([("k", keys), ("s", texts)]).expect("a batch");
    let error = load(&database.warehouse, &table, token(1), &[batch]).await.expect_err("NULL");
    assert_eq!(
        (error.server_code(), error.disposition()),
        (Some(349), Disposition::Quarantine),
        "{error}"
    );
    assert_eq!(database.rows("events").await, (0, 0));
    database.drop().await;
}

#[tokio::test]
async fn an_unknown_cluster_is_named_with_those_that_there_are() {
    let warehouse = warehouse_at(
        &["http://127.0.0.1:1"],
        Credentials { user: "u".into(), password: "p".into() },
        options(),
    );
    let error = warehouse.query("elsewhere", "SELECT 1", &[]).await.expect_err("unknown");
    assert_eq!(error.disposition(), Disposition::Fatal);
    assert!(
        error.to_string().contains("`elsewhere`") && error.to_string().contains(CLUSTER),
        "{error}"
    );
}
