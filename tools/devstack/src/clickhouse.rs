//! One ClickHouse cluster: a real server process with a user and a password.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::{Method, StatusCode};

use crate::child::{Spec, tail};
use crate::error::{Error, Result, chain};
use crate::http;
use crate::options::ClusterOptions;
use crate::ports;
use crate::process::{Health, Process};
use crate::setup::Engine;
use crate::state::{CLICKHOUSE_USER, ClusterState, FUNCTION_USERS, replace};

/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);

/// `clickhouse local` serves while its own query runs, so it gets one that
/// opens the listeners and then never ends.
const SERVE_FOREVER: &str = "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; \
    SELECT sleepEachRow(3) FROM numbers(100000000) SETTINGS max_block_size = 1, \
    function_sleep_max_microseconds_per_block = 0, max_execution_time = 0 FORMAT Null";

/// A cluster of one node.
#[derive(Debug)]
pub struct Cluster {
    /// How to reach it.
    pub state: ClusterState,
    engine: Engine,
    launcher: PathBuf,
    dir: PathBuf,
    log: PathBuf,
    process: Process,
}

impl Cluster {
    /// Starts a server under `dir` on ports that are free.
    pub async fn start(
        options: &ClusterOptions,
        engine: &Engine,
        launcher: &Path,
        dir: PathBuf,
        log: PathBuf,
    ) -> Result<Self> {
        std::fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        let mut attempt = 1;
        loop {
            let [http, native] = ports::free()?;
            let cluster = Self {
                state: ClusterState {
                    name: options.name.clone(),
                    role: options.role.clone(),
                    http: format!("http://127.0.0.1:{http}"),
                    native: format!("127.0.0.1:{native}"),
                    user: CLICKHOUSE_USER.into(),
                    password: uuid::Uuid::new_v4().simple().to_string(),
                    secret: format!("motherlode/clickhouse/{}", options.name),
                    function_password: uuid::Uuid::new_v4().simple().to_string(),
                },
                engine: engine.clone(),
                launcher: launcher.to_path_buf(),
                dir: dir.clone(),
                log: log.clone(),
                process: Process::default(),
            };
            match cluster.restart().await {
                Ok(()) => return Ok(cluster),
                Err(error) if attempt == ports::ATTEMPTS => return Err(error),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "starting a cluster again on other ports")
                }
            }
            attempt += 1;
        }
    }

    /// Starts the server, on the same ports and data as before, unless it
    /// runs.
    pub async fn restart(&self) -> Result<()> {
        if !self.process.runs() {
            self.write_configuration()?;
            let spec = Spec {
                launcher: self.launcher.clone(),
                args: self.args(),
                // The server's watchdog would be the child instead of the server.
                env: [("CLICKHOUSE_WATCHDOG_ENABLE".into(), "0".into())].into(),
                log: self.log.clone(),
            };
            self.process.start(&spec)?;
        }
        let started = tokio::time::timeout(START_LIMIT, async {
            loop {
                if !self.process.runs() {
                    return Err("the process ended".to_owned());
                }
                // The password is this run's own, so no other server that
                // happens to listen there can answer this.
                if self.query("CREATE DATABASE IF NOT EXISTS motherlode").await.is_ok() {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        let reason = match started.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(reason)) => reason,
            Err(_) => format!("no answer within {START_LIMIT:?}"),
        };
        self.kill().await;
        Err(Error::Start {
            part: format!("the cluster {}", self.state.name),
            reason,
            log: self.log.clone(),
            tail: tail(&self.log),
        })
    }

    /// Kills the server with SIGKILL, as a machine that loses power would.
    pub async fn kill(&self) {
        self.process.kill().await;
    }

    /// Stops the server from running (SIGSTOP) or lets it go on: a server
    /// that accepts connections and never answers.
    pub fn pause(&self, paused: bool) {
        self.process.pause(paused);
    }

    /// The server's process, unless it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// What the server is doing.
    pub async fn health(&self) -> Health {
        if let Some(health) = self.process.health() {
            return health;
        }
        match self.query("SELECT 1").await {
            Ok(()) => Health::Up,
            Err(error) => Health::Silent(chain(&error)),
        }
    }

    async fn query(&self, sql: &str) -> Result<()> {
        let address = self.state.http.trim_start_matches("http://");
        let mut request = http::request(Method::POST, address, "/", sql.to_owned())?;
        for (name, value) in
            [("x-clickhouse-user", &self.state.user), ("x-clickhouse-key", &self.state.password)]
        {
            let value = hyper::header::HeaderValue::from_str(value).map_err(|error| {
                Error::Http { address: address.into(), reason: error.to_string() }
            })?;
            request.headers_mut().insert(name, value);
        }
        let answer = http::send(address, request, Duration::from_secs(5)).await?;
        match answer.status() {
            StatusCode::OK => Ok(()),
            status => Err(Error::Refused {
                path: self.state.http.clone(),
                status: status.as_u16(),
                message: String::from_utf8_lossy(answer.body()).trim().into(),
            }),
        }
    }

    fn args(&self) -> Vec<OsString> {
        let config = self.dir.join("config.xml");
        let with = |option: &str, value: &dyn AsRef<Path>| {
            let mut arg = OsString::from(option);
            arg.push(value.as_ref());
            arg
        };
        match &self.engine {
            Engine::Library(library) => vec![
                "chdb".into(),
                library.into(),
                with("--config-file=", &config),
                with("--path=", &self.dir.join("data")),
                // `clickhouse local` does not heed the level in the file.
                "--log-level=warning".into(),
                "--listen_host=127.0.0.1".into(),
                with("--http_port=", &self.http_port()),
                with("--tcp_port=", &self.native_port()),
                "--query".into(),
                SERVE_FOREVER.into(),
            ],
            Engine::Binary(binary) => {
                vec!["exec".into(), binary.into(), "server".into(), with("--config-file=", &config)]
            }
        }
    }

    fn write_configuration(&self) -> Result<()> {
        let users = self.dir.join("users.xml");
        replace(&users, users_xml(&self.state, &self.engine).as_bytes())?;
        let config =
            config_xml(&users, &self.dir.join("data"), &self.http_port(), &self.native_port());
        replace(&self.dir.join("config.xml"), config.as_bytes())
    }

    fn http_port(&self) -> String {
        port(&self.state.http)
    }

    fn native_port(&self) -> String {
        port(&self.state.native)
    }
}

fn port(address: &str) -> String {
    address.rsplit(':').next().unwrap_or_default().into()
}

/// The server's configuration. The query log is on, because tests and
/// benchmarks ask it what a query cost.
fn config_xml(users: &Path, data: &Path, http: &str, native: &str) -> String {
    let (users, data) = (escape(users), escape(data));
    format!(
        "<clickhouse>
  <users_config>{users}</users_config>
  <path>{data}/</path>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{http}</http_port>
  <tcp_port>{native}</tcp_port>
  <logger><level>warning</level><console>1</console></logger>
  <query_log>
    <database>system</database>
    <table>query_log</table>
    <flush_interval_milliseconds>1000</flush_interval_milliseconds>
  </query_log>
  <part_log>
    <database>system</database>
    <table>part_log</table>
    <flush_interval_milliseconds>1000</flush_interval_milliseconds>
  </part_log>
</clickhouse>
"
    )
}

/// One user with a password, on loopback only. `clickhouse local` runs its
/// own query as `default` without a password, so there that user stays, with
/// no right but to open the listeners.
fn users_xml(state: &ClusterState, engine: &Engine) -> String {
    let session = match engine {
        Engine::Binary(_) => "",
        Engine::Library(_) => {
            "
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT SYSTEM LISTEN ON *.*</query></grants>
    </default>"
        }
    };
    let ClusterState { user, password, function_password, .. } = state;
    let functions: String = FUNCTION_USERS
        .iter()
        .map(|(user, grants)| {
            format!(
                "
    <{user}>
      <password>{function_password}</password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>{}</query></grants>
    </{user}>",
                grant(grants)
            )
        })
        .collect();
    format!(
        "<clickhouse>
  <profiles><default></default></profiles>
  <quotas><default></default></quotas>
  <users>
    <{user}>
      <password>{password}</password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </{user}>{functions}{session}
  </users>
</clickhouse>
"
    )
}

/// A file's statement without its comments, and without the role: here the user has it.
fn grant(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("--"));
    let statement = lines.collect::<Vec<_>>().join(" ");
    statement.split(" TO ").next().unwrap_or_default().to_owned()
}

fn escape(path: &Path) -> String {
    path.to_string_lossy().replace('&', "&amp;").replace('<', "&lt;")
}
