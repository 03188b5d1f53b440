//! A Kafka broker: the real server, alone, its own controller (KRaft).

use std::path::{Path, PathBuf};
use std::time::Duration;

use kafka::{Admin, KafkaConfig, Reader, TopicPattern};

use crate::child::{Spec, tail};
use crate::error::{Error, Result, chain};
use crate::java::Java;
use crate::options::{KafkaOptions, KafkaTls, TopicOptions};
use crate::ports;
use crate::process::{Health, Process};
use crate::state::{KafkaLogin, KafkaState, replace};

/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(90);
/// How long one question to it may take.
const ASK_LIMIT: Duration = Duration::from_secs(5);
const USER: &str = "motherlode";
/// The name of the listener that anybody may use.
const CLIENTS: &str = "CLIENTS";

/// A broker.
#[derive(Debug)]
pub struct Broker {
    /// How to reach it.
    pub state: KafkaState,
    java: Java,
    launcher: PathBuf,
    dir: PathBuf,
    log: PathBuf,
    process: Process,
}

impl Broker {
    /// Formats a folder and starts a server on it, on ports that are free.
    pub async fn start(
        options: &KafkaOptions,
        java: &Java,
        launcher: &Path,
        dir: PathBuf,
        log: PathBuf,
    ) -> Result<Self> {
        let mut attempt = 1;
        loop {
            // What an earlier run has left: nobody remembers how far it was
            // read.
            if dir.exists() {
                std::fs::remove_dir_all(&dir).map_err(Error::io("remove", &dir))?;
            }
            std::fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
            let [clients, controller, logins, tls] = ports::free()?;
            let login = options.login.then(|| KafkaLogin {
                bootstrap: format!("127.0.0.1:{logins}"),
                user: USER.into(),
                password: uuid::Uuid::new_v4().simple().to_string(),
            });
            let broker = Self {
                state: KafkaState {
                    bootstrap: format!("127.0.0.1:{clients}"),
                    login,
                    tls: options.tls.is_some().then(|| format!("127.0.0.1:{tls}")),
                },
                java: java.clone(),
                launcher: launcher.to_path_buf(),
                dir: dir.clone(),
                log: log.clone(),
                process: Process::default(),
            };
            broker.format(controller, options).await?;
            match broker.restart().await {
                Ok(()) => break broker.create_topics(&options.topics).await.map(|()| broker),
                Err(error) if attempt == ports::ATTEMPTS => return Err(error),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "starting Kafka again on other ports")
                }
            }
            attempt += 1;
        }
    }

    /// Starts the server, on the same ports and data as before, unless it
    /// runs; returns when it answers.
    pub async fn restart(&self) -> Result<()> {
        if !self.process.runs() {
            let mut args = vec!["exec".into(), self.java.program().into()];
            args.extend(self.java.args("kafka.Kafka")?);
            args.push(self.properties().into());
            let spec = Spec {
                launcher: self.launcher.clone(),
                args,
                env: Default::default(),
                log: self.log.clone(),
            };
            self.process.start(&spec)?;
        }
        let started = tokio::time::timeout(START_LIMIT, async {
            loop {
                if self.answers(ASK_LIMIT / 10).await.is_ok() {
                    // Somebody else may have taken the port and answered.
                    return self.process.runs();
                }
                if !self.process.runs() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        let reason = match started.await {
            Ok(true) => return Ok(()),
            Ok(false) => "the process ended".into(),
            Err(_) => format!("no answer within {START_LIMIT:?}"),
        };
        self.kill().await;
        Err(Error::Start {
            part: "Kafka".into(),
            reason,
            log: self.log.clone(),
            tail: tail(&self.log),
        })
    }

    /// Makes a topic; one that is there is left as it is.
    pub async fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        let made = Admin::new(self.config()).create_topic(name, partitions, 1, START_LIMIT).await;
        made.map(|_| ()).map_err(Error::from)
    }

    /// Kills the server with SIGKILL, as a machine that loses power would.
    pub async fn kill(&self) {
        self.process.kill().await;
    }

    /// Has the server shut down in order.
    pub async fn stop(&self) {
        self.process.terminate().await;
    }

    /// Stops the server from running (SIGSTOP) or lets it go on.
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
        match self.answers(ASK_LIMIT).await {
            Ok(()) => Health::Up,
            Err(error) => Health::Silent(chain(&error)),
        }
    }

    /// How a client of this process reaches it.
    pub fn config(&self) -> KafkaConfig {
        KafkaConfig::new(&self.state.bootstrap)
    }

    async fn answers(&self, limit: Duration) -> Result<()> {
        let Ok(all) = "*".parse::<TopicPattern>();
        Reader::new(self.config()).topics(&all, limit).await?;
        Ok(())
    }

    async fn create_topics(&self, topics: &[TopicOptions]) -> Result<()> {
        for TopicOptions { name, partitions } in topics {
            self.create_topic(name, *partitions).await?;
        }
        Ok(())
    }

    fn properties(&self) -> PathBuf {
        self.dir.join("server.properties")
    }

    /// Writes the configuration and formats the folder.
    async fn format(&self, controller: u16, options: &KafkaOptions) -> Result<()> {
        let KafkaState { bootstrap, login, tls: tls_listener } = &self.state;
        let mut listeners = format!("{CLIENTS}://{bootstrap}");
        let mut more = String::new();
        let mut users = vec![];
        if let Some(login) = login {
            listeners.push_str(&format!(",LOGIN://{}", login.bootstrap));
            more.push_str(&login_properties(login));
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                let KafkaLogin { user, password, .. } = login;
                users.push("--add-scram".to_owned());
                users.push(format!("{mechanism}=[name={user},password={password}]"));
            }
        }
        if let (Some(listener), Some(tls)) = (tls_listener, &options.tls) {
            listeners.push_str(&format!(",TLS://{listener}"));
            more.push_str(&tls_properties(tls));
        }
        if let Some(compression) = &options.compression {
            more.push_str(&format!("compression.type={compression}\n"));
        }
        let text = server_properties(&self.dir.join("data"), controller, &listeners, &more);
        replace(&self.properties(), text.as_bytes())?;
        self.java.format(&self.properties(), &users).await
    }
}

/// The listener of whoever comes, on a port.
pub fn plain_listener(port: u16) -> String {
    format!("{CLIENTS}://127.0.0.1:{port}")
}

/// A server for one machine: little memory, no replicas, no topic by accident.
/// One that was killed is let in again only when its old session is over, which
/// is therefore short.
pub fn server_properties(data: &Path, controller: u16, listeners: &str, more: &str) -> String {
    let data = escaped(&data.display().to_string());
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
inter.broker.listener.name={CLIENTS}
listener.security.protocol.map={CLIENTS}:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT,TLS:SSL
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=1000
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=4194304
log.index.size.max.bytes=1048576
{more}"
    )
}

fn login_properties(KafkaLogin { user, password, .. }: &KafkaLogin) -> String {
    let listener = "listener.name.login";
    let module = "org.apache.kafka.common.security";
    format!(
        "{listener}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
{listener}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{user}=\"{password}\";
{listener}.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
{listener}.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
"
    )
}

fn tls_properties(KafkaTls { certificate, key, client_authority }: &KafkaTls) -> String {
    let (certificate, key) = (escaped(certificate), escaped(key));
    let client_authority = escaped(client_authority);
    let listener = "listener.name.tls.ssl";
    format!(
        "{listener}.client.auth=required
{listener}.keystore.type=PEM
{listener}.keystore.certificate.chain={certificate}
{listener}.keystore.key={key}
{listener}.truststore.type=PEM
{listener}.truststore.certificates={client_authority}
"
    )
}

/// A value as Java's properties want it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\r', "").replace('\n', "\\n")
}
