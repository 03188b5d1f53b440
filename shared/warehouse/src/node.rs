//! One node: an HTTP endpoint with a user.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use clickhouse::Client;
use clickhouse::insert_formatted::InsertFormatted;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::config::Options;
use crate::credentials::Credentials;
use crate::error::{Attempt, WarehouseError};
use crate::port::JsonRow;
use crate::server_code::ServerKind;

/// Most bytes of the answer to a query whose rows are parsed.
const ROWS_BYTES: usize = 16 * 1024 * 1024;
/// Most rows of it.
const ROWS: u32 = 10_000;

/// How long a call may be silent before the node is asked whether it lives. A
/// server that merges or waits for a disk is silent for longer and answers a
/// ping all the same; one that is dead, or behind a cut network, does not.
const SILENCE: Duration = Duration::from_millis(1_500);
/// How long a ping may take. Two in a row must fail.
const PING: Duration = Duration::from_millis(1_000);

/// One node of a cluster, ready to be asked.
#[derive(Clone)]
pub(crate) struct Node {
    client: Client,
    pinger: Arc<dyn Pinger>,
    cluster: String,
    index: usize,
    url: String,
    /// Whether the server has accepted these credentials before.
    proven: Arc<AtomicBool>,
    options: Options,
}

/// The connections of a node, without a user.
#[derive(Clone)]
pub(crate) struct Connections {
    client: Client,
    pinger: Arc<dyn Pinger>,
}

/// Asks a server whether it lives.
#[async_trait]
trait Pinger: Send + Sync {
    /// Whether `GET /ping` was answered, by a connection of its own.
    async fn ping(&self, uri: hyper::Uri) -> bool;
}

#[async_trait]
impl<C: Connect + Clone + Send + Sync + 'static> Pinger for HttpClient<C, String> {
    async fn ping(&self, uri: hyper::Uri) -> bool {
        let answer = tokio::time::timeout(PING, self.get(uri)).await;
        // Whatever it says: somebody is there.
        matches!(answer, Ok(Ok(_)))
    }
}

/// Opens no connection yet; fails only when the system has no certificates to
/// trust.
pub(crate) fn connect(url: &str, options: &Options) -> std::io::Result<Connections> {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(options.connect));
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    let mut pool = HttpClient::builder(TokioExecutor::new());
    // ClickHouse closes idle connections after 3 seconds in older versions.
    pool.pool_idle_timeout(Duration::from_secs(2)).pool_timer(TokioTimer::new());
    let mut fresh = HttpClient::builder(TokioExecutor::new());
    fresh.pool_max_idle_per_host(0);
    let (client, pinger): (Client, Arc<dyn Pinger>) = if url.starts_with("https://") {
        tcp.enforce_http(false);
        let tls = tls(tcp)?;
        let pinger = fresh.build::<_, String>(tls.clone());
        (Client::with_http_client(pool.build(tls)), Arc::new(pinger))
    } else {
        // The system's certificates are read only where they are needed: that
        // costs a cold start some milliseconds.
        let pinger = fresh.build::<_, String>(tcp.clone());
        (Client::with_http_client(pool.build(tcp)), Arc::new(pinger))
    };
    let client = client.with_url(url).with_compression(clickhouse::Compression::None);
    let client = client.with_product_info("motherlode", env!("CARGO_PKG_VERSION"));
    Ok(Connections { client, pinger })
}

/// Trusts the system's certificates.
fn tls(tcp: HttpConnector) -> std::io::Result<hyper_rustls::HttpsConnector<HttpConnector>> {
    let provider = rustls::crypto::ring::default_provider();
    let builder =
        hyper_rustls::HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
    Ok(builder.https_only().enable_http1().wrap_connector(tcp))
}

impl Node {
    pub(crate) fn new(
        connections: Connections,
        cluster: &str,
        (index, url): (usize, &str),
        credentials: Credentials,
        proven: Arc<AtomicBool>,
        options: Options,
    ) -> Self {
        let Connections { client, pinger } = connections;
        let client = client.with_user(credentials.user).with_password(credentials.password);
        let (cluster, url) = (cluster.to_owned(), url.to_owned());
        Self { client, pinger, cluster, index, url, proven, options }
    }

    /// Its place among the nodes of the cluster.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether it answers at all.
    pub(crate) async fn ping(&self) -> bool {
        match format!("{}/ping", self.url.trim_end_matches('/')).parse() {
            Ok(uri) => self.pinger.ping(uri).await,
            // The list of clusters was checked; the call itself will say more.
            Err(_) => true,
        }
    }

    /// Does a call as long as the node lives; nothing when it does not.
    pub(crate) async fn alive<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let mut call = std::pin::pin!(call);
        loop {
            if let Ok(done) = tokio::time::timeout(SILENCE, &mut call).await {
                return Some(done);
            }
            for last in [false, true] {
                tokio::select! {
                    biased;
                    done = &mut call => return Some(done),
                    lives = self.ping() => match lives {
                        true => break,
                        false if last => return None,
                        false => {}
                    },
                }
            }
        }
    }

    pub(crate) fn attempt(&self, what: impl Into<String>) -> Attempt {
        Attempt { cluster: self.cluster.clone(), node: self.url.clone(), what: what.into() }
    }

    /// Classifies an error, and learns from it whether the credentials work.
    pub(crate) fn error(
        &self,
        attempt: Attempt,
        error: clickhouse::error::Error,
    ) -> WarehouseError {
        let mut error = WarehouseError::classify(attempt, error);
        if let WarehouseError::Server { kind, .. } = &mut error {
            if *kind != ServerKind::Authentication {
                self.accepted();
            } else if self.proven.load(Ordering::Relaxed) {
                *kind = ServerKind::StaleCredentials;
            }
        }
        error
    }

    /// Notes that the server took the credentials.
    pub(crate) fn accepted(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    /// Runs a statement and gives its answer in a format, up to `limit` bytes.
    pub(crate) async fn run(
        &self,
        what: &str,
        sql: &str,
        params: &[(&str, String)],
        format: &str,
        limit: usize,
    ) -> Result<Bytes, WarehouseError> {
        let mut query = self
            .client
            .query_raw(sql)
            .with_setting("wait_end_of_query", "1")
            .with_setting("output_format_json_quote_64bit_integers", "0")
            .with_setting("output_format_json_quote_decimals", "1")
            .with_setting("output_format_json_quote_denormals", "1");
        if format == "JSONEachRow" {
            query = query
                .with_setting("max_result_rows", ROWS.to_string())
                .with_setting("result_overflow_mode", "throw");
        }
        for (name, value) in params {
            query = query.param(name, value);
        }
        let failed = |error| self.error(self.attempt(what), error);
        let answer = async {
            let mut cursor = query.fetch_bytes(format).map_err(failed)?;
            let mut all = BytesMut::new();
            while let Some(piece) = cursor.next().await.map_err(failed)? {
                if all.len() + piece.len() > limit {
                    return Err(WarehouseError::Server {
                        attempt: self.attempt(what),
                        code: 396,
                        kind: ServerKind::TooLarge,
                        message: format!("the answer is larger than {limit} bytes"),
                    });
                }
                all.extend_from_slice(&piece);
            }
            self.accepted();
            Ok(all.freeze())
        };
        match tokio::time::timeout(self.options.receive, self.alive(answer)).await {
            Ok(Some(answer)) => answer,
            Ok(None) | Err(_) => Err(failed(clickhouse::error::Error::TimedOut)),
        }
    }

    /// Runs a query and parses its rows.
    pub(crate) async fn rows(
        &self,
        what: &str,
        sql: &str,
        params: &[(&str, String)],
    ) -> Result<Vec<JsonRow>, WarehouseError> {
        let answer = self.run(what, sql, params, "JSONEachRow", ROWS_BYTES).await?;
        answer
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                serde_json::from_slice(line).map_err(|error| WarehouseError::Answer {
                    attempt: self.attempt(what),
                    reason: error.to_string(),
                })
            })
            .collect()
    }

    /// Begins an INSERT whose body is streamed.
    pub(crate) fn insert(&self, sql: String, settings: &[(&str, String)]) -> InsertFormatted {
        let mut client = self.client.clone();
        if self.options.compress {
            client = client.with_compression(clickhouse::Compression::Lz4);
        }
        for (name, value) in settings {
            client = client.with_setting(*name, value);
        }
        client
            .insert_formatted_with(sql)
            .with_timeouts(Some(self.options.send), Some(self.options.receive))
    }
}
