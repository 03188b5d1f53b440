//! The connections: opened when they are first needed, thrown away when they
//! are in doubt, and every call over them bounded by the caller's time.
//!
//! The client library tries again without an end and never gives up on a
//! connection that is silent. So it is told not to try again at all, and both
//! are decided here.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use rskafka::BackoffConfig;
use rskafka::client::error::Error as ClientError;
use rskafka::client::partition::{PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, OauthBearerCredentials, SaslConfig};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

use crate::config::{KafkaConfig, Password, Security};
use crate::error::{KafkaError, Verdict, verdict};
use crate::tls;

/// How long opening the first connection may take before another broker is
/// tried.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// The pause after the second failure in a row; the first is tried again at
/// once, because a connection that died in its sleep is the usual one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the partitions of a topic are believed: more may be added.
const TOPICS_LIFETIME: Duration = Duration::from_secs(300);
/// How long a login that was read from a secret is believed.
const LOGIN_LIFETIME: Duration = Duration::from_secs(900);
/// One that a broker refuses is read again, unless it was read just now.
const LOGIN_GRACE: Duration = Duration::from_secs(1);
const CLIENT_ID: &str = "motherlode";

/// A cluster's brokers.
#[derive(Debug)]
pub struct Brokers {
    /// How to reach them.
    pub config: KafkaConfig,
    link: Mutex<Option<Arc<Link>>>,
    /// The login, once it was read, and when. By the wall clock, as [`Link::used`].
    login: Mutex<(SystemTime, Option<Security>)>,
    /// One opens connections, the others wait for it.
    opening: tokio::sync::Mutex<()>,
}

/// Open connections.
#[derive(Debug)]
pub struct Link {
    /// Metadata and administration.
    pub client: Client,
    leaders: Mutex<HashMap<(String, i32), Leader>>,
    topics: Mutex<Option<(Instant, Topics)>>,
    used: Mutex<SystemTime>,
}

/// The connection to the leader of a partition, once it is open.
type Leader = Arc<OnceCell<Arc<PartitionClient>>>;

/// The partitions of every topic.
pub type Topics = Arc<BTreeMap<String, Vec<i32>>>;

/// The time that a caller gives, and when it ends.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    given: Duration,
    deadline: Instant,
}

impl Budget {
    /// A time that begins now.
    pub fn new(given: Duration) -> Self {
        Self { given, deadline: Instant::now() + given }
    }

    /// What is left of it.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

impl Brokers {
    /// Knows how to reach them; opens nothing.
    pub fn new(config: KafkaConfig) -> Self {
        let login = Mutex::new((SystemTime::UNIX_EPOCH, None));
        Self { config, link: Mutex::default(), login, opening: tokio::sync::Mutex::default() }
    }

    /// Does `work`, again and again while another attempt can help, until the
    /// time is over. `what` names it in errors.
    pub async fn call<T, F>(
        &self,
        what: &str,
        budget: Budget,
        work: impl Fn(Arc<Link>) -> F,
    ) -> Result<T, KafkaError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut cause = None;
        let mut pause = Duration::ZERO;
        loop {
            let left = budget.left();
            if left.is_zero() {
                let (what, brokers) = (what.to_owned(), self.config.brokers());
                return Err(KafkaError::Unreachable {
                    what,
                    brokers,
                    timeout: budget.given,
                    cause,
                });
            }
            let used = OnceLock::new();
            let attempt = async {
                let link = self.link().await?;
                let _ = used.set(link.clone());
                work(link).await.map_err(Failure::Client)
            };
            let error = match timeout(left.min(self.config.attempt_timeout), attempt).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(Failure::Ours(error))) => return Err(error),
                Ok(Err(Failure::Client(error))) => Some(error),
                Err(_) => None,
            };
            let verdict = error.as_ref().map_or(Verdict::Reconnect, verdict);
            let reason = error.map(|error| error.to_string());
            match verdict {
                Verdict::Reconnect => self.forget(used.get()),
                Verdict::Again => {}
                // Somebody may have changed the secret.
                Verdict::Denied if self.may_be_outdated() => self.forget(used.get()),
                Verdict::Denied | Verdict::Undecodable | Verdict::Final(_) => {
                    self.forget(used.get().filter(|_| verdict == Verdict::Denied));
                    return Err(self.refused(what, reason.unwrap_or_default(), verdict));
                }
            }
            // An attempt that was cut off says less than the one before it.
            cause = reason.or(cause);
            sleep(pause.min(budget.left())).await;
            pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        }
    }

    /// The partitions of a topic. One that is not known is asked for once
    /// more: it may be new.
    pub async fn partitions(&self, topic: &str, budget: Budget) -> Result<Vec<i32>, KafkaError> {
        let what = format!("find the topic `{topic}`");
        let found = self.call(&what, budget, |link| async move {
            let known = link.topics(false).await?.get(topic).cloned();
            match known {
                Some(partitions) => Ok(Some(partitions)),
                None => Ok(link.topics(true).await?.get(topic).cloned()),
            }
        });
        match found.await? {
            Some(partitions) if !partitions.is_empty() => Ok(partitions),
            _ => {
                let (topic, brokers) = (topic.to_owned(), self.config.brokers());
                Err(KafkaError::NoTopic { topic, brokers })
            }
        }
    }

    fn refused(&self, what: &str, reason: String, verdict: Verdict) -> KafkaError {
        let (what, brokers) = (what.to_owned(), self.config.brokers());
        match verdict {
            Verdict::Final(disposition) => {
                KafkaError::Refused { what, brokers, reason, disposition }
            }
            Verdict::Undecodable => KafkaError::Undecodable { what, brokers, reason },
            _ => KafkaError::Denied { what, brokers, reason },
        }
    }

    /// The connections there are, or new ones.
    async fn link(&self) -> Result<Arc<Link>, Failure> {
        if let Some(link) = self.fresh() {
            return Ok(link);
        }
        let _turn = self.opening.lock().await;
        if let Some(link) = self.fresh() {
            return Ok(link);
        }
        let opened = timeout(CONNECT_LIMIT, self.open()).await;
        let link = Arc::new(opened.map_err(|_| Failure::Client(ClientError::Timeout))??);
        *locked(&self.link) = Some(link.clone());
        Ok(link)
    }

    fn fresh(&self) -> Option<Arc<Link>> {
        let mut current = locked(&self.link);
        let link = current.clone()?;
        let mut used = locked(&link.used);
        // The wall clock: it goes on while a function is frozen. One that was
        // set back says nothing.
        let idle = used.elapsed().unwrap_or_default();
        if idle >= self.config.max_idle {
            // For whoever asks next, too.
            *current = None;
            return None;
        }
        *used = SystemTime::now();
        drop(used);
        Some(link)
    }

    /// Lets these connections go, unless others have taken their place.
    fn forget(&self, link: Option<&Arc<Link>>) {
        let mut current = locked(&self.link);
        if let (Some(old), Some(now)) = (link, current.as_ref())
            && Arc::ptr_eq(old, now)
        {
            *current = None;
        }
    }

    /// Whether the login came from a secret that may hold another one by now; it is
    /// read again then.
    fn may_be_outdated(&self) -> bool {
        let mut login = locked(&self.login);
        let is_old = login.0.elapsed().is_ok_and(|age| age > LOGIN_GRACE);
        if self.config.login.is_none() || !is_old {
            return false;
        }
        login.0 = SystemTime::UNIX_EPOCH;
        true
    }

    /// How to speak to the brokers now. A secret is read when it is first needed: who
    /// cannot read it fails that call, and not the start of the function.
    async fn security(&self) -> Result<Security, KafkaError> {
        let Some(source) = &self.config.login else { return Ok(self.config.security.clone()) };
        let (read, known) = locked(&self.login).clone();
        if let Some(known) = &known
            && read.elapsed().is_ok_and(|age| age < LOGIN_LIFETIME)
        {
            return Ok(known.clone());
        }
        match (source.read().await, known) {
            (Ok(security), _) => {
                *locked(&self.login) = (SystemTime::now(), Some(security.clone()));
                Ok(security)
            }
            (Err(error), Some(known)) => {
                // What was good until now is the best there is.
                tracing::warn!(%error, "the login cannot be read again");
                Ok(known)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn open(&self) -> Result<Link, Failure> {
        let security = self.security().await.map_err(Failure::Ours)?;
        let once = BackoffConfig { deadline: Some(Duration::ZERO), ..BackoffConfig::default() };
        let mut builder = ClientBuilder::new(self.config.bootstrap.clone())
            .client_id(CLIENT_ID)
            .backoff_config(once);
        if let Some(tls) = security.tls() {
            builder = builder.tls_config(tls::client(tls).map_err(Failure::Ours)?);
        }
        if let Some(sasl) = sasl(&security) {
            builder = builder.sasl_config(sasl);
        }
        Ok(Link {
            client: builder.build().await.map_err(Failure::Client)?,
            leaders: Mutex::default(),
            topics: Mutex::default(),
            used: Mutex::new(SystemTime::now()),
        })
    }
}

impl Link {
    /// Every topic with its partitions; what was heard a while ago, unless
    /// `anew`.
    pub async fn topics(&self, anew: bool) -> Result<Topics, ClientError> {
        let known = locked(&self.topics).clone();
        if let Some((heard, topics)) = known
            && !anew
            && heard.elapsed() < TOPICS_LIFETIME
        {
            return Ok(topics);
        }
        let topics = self.client.list_topics().await?;
        let topics = topics
            .into_iter()
            .map(|topic| (topic.name, topic.partitions.into_iter().collect()))
            .collect();
        let topics = Arc::new(topics);
        *locked(&self.topics) = Some((Instant::now(), Arc::clone(&topics)));
        Ok(topics)
    }

    /// The connection to the leader of a partition; it follows the leader.
    pub async fn leader(
        &self,
        topic: &str,
        partition: i32,
    ) -> Result<Arc<PartitionClient>, ClientError> {
        let place = (topic.to_owned(), partition);
        let leader = locked(&self.leaders).entry(place).or_default().clone();
        let open = || async {
            let unknown = UnknownTopicHandling::Error;
            self.client.partition_client(topic, partition, unknown).await.map(Arc::new)
        };
        leader.get_or_try_init(open).await.cloned()
    }
}

/// How an attempt failed.
#[derive(Debug)]
enum Failure {
    /// The library says so.
    Client(ClientError),
    /// Trying again is of no use.
    Ours(KafkaError),
}

fn sasl(security: &Security) -> Option<SaslConfig> {
    let credentials = |Password { username, password }: &Password| {
        Credentials::new(username.clone(), password.reveal().to_owned())
    };
    match security {
        Security::Plaintext | Security::Tls(_) => None,
        Security::Plain(password, _) => Some(SaslConfig::Plain(credentials(password))),
        Security::ScramSha256(password, _) => Some(SaslConfig::ScramSha256(credentials(password))),
        Security::ScramSha512(password, _) => Some(SaslConfig::ScramSha512(credentials(password))),
        Security::Iam(iam, _) => {
            let iam = iam.clone();
            Some(SaslConfig::Oauthbearer(OauthBearerCredentials {
                callback: Arc::new(move || {
                    let iam = iam.clone();
                    Box::pin(async move { Ok(iam.token().await?) })
                }),
                authz_id: None,
                bearer_kvs: vec![],
            }))
        }
    }
}

/// The content of a mutex. No critical section here leaves anything half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
