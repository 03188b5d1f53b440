//! What can go wrong with a warehouse: the one file that classifies.
//!
//! The `clickhouse` crate hands a server's error over as one string and a
//! transport's as a chain of causes; here they become a code and a kind, once.

use std::error::Error as StdError;
use std::fmt;

use model::{Disposed, Disposition};
use thiserror::Error;

use crate::credentials::CredentialsError;
use crate::server_code::ServerKind;

/// Which node of which cluster was asked, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Name of the cluster.
    pub cluster: String,
    /// URL of the node.
    pub node: String,
    /// What was tried: `insert into landing.flights`.
    pub what: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on cluster `{}` ({})", self.what, self.cluster, self.node)
    }
}

/// Why something could not be done in a warehouse.
#[derive(Debug, Error)]
pub enum WarehouseError {
    /// The cluster list does not have this name.
    #[error(
        "no cluster is named `{cluster}`; there are {known}: name one of them in write.clusters, or add it"
    )]
    UnknownCluster {
        /// The name that was asked for.
        cluster: String,
        /// The names that there are.
        known: String,
    },
    /// User and password of a cluster could not be had.
    #[error("no credentials for cluster `{cluster}`")]
    Credentials {
        /// Name of the cluster.
        cluster: String,
        /// Why.
        #[source]
        source: CredentialsError,
    },
    /// The system has no certificates to trust a server by.
    #[error(
        "cluster `{cluster}`: the certificates of this system cannot be read; install ca-certificates"
    )]
    Trust {
        /// Name of the cluster.
        cluster: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The server refused.
    #[error("{attempt}: {kind} (server code {code}): {message}; {}", .kind.remedy())]
    Server {
        /// What was tried where.
        attempt: Attempt,
        /// The server's code.
        code: u32,
        /// What the code means.
        kind: ServerKind,
        /// What the server says, without version and stack.
        message: String,
    },
    /// All nodes of a cluster are left alone for now, because they did not
    /// answer.
    #[error("cluster `{cluster}` does not answer; it is asked again later")]
    Down {
        /// Name of the cluster.
        cluster: String,
        /// When it is asked again, in milliseconds since 1970.
        until_ms: i64,
    },
    /// The server could not be asked, or its answer was lost.
    #[error("{attempt}: {kind}")]
    Transport {
        /// What was tried where.
        attempt: Attempt,
        /// What happened to the connection.
        kind: TransportKind,
        /// As the HTTP client tells it.
        #[source]
        source: clickhouse::error::Error,
    },
    /// The server's answer is not what was asked for.
    #[error("{attempt}: the answer makes no sense: {reason}")]
    Answer {
        /// What was tried where.
        attempt: Attempt,
        /// What is wrong with it.
        reason: String,
    },
    /// The table does not fit the source document.
    #[error("table {table} on cluster `{cluster}`: {problem}")]
    Table {
        /// Name of the cluster.
        cluster: String,
        /// Database and name, quoted.
        table: String,
        /// What is wrong and what mends it.
        problem: String,
    },
    /// A piece of SQL of the source document would not stay where it is put.
    #[error("`{field}` of the source document cannot be used: {problem}")]
    Fragment {
        /// The field of the document, such as `table.ttl`.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A batch is not what the columns of its INSERT take.
    #[error("a batch for {table} cannot be encoded")]
    Encode {
        /// Database and name, quoted.
        table: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An INSERT was used on after one of its calls had failed or been dropped.
    #[error(
        "{attempt}: an earlier batch of this INSERT was not sent completely; nothing was written"
    )]
    Broken {
        /// What was tried where.
        attempt: Attempt,
    },
}

impl WarehouseError {
    /// Classifies what the HTTP client reports.
    pub(crate) fn classify(attempt: Attempt, error: clickhouse::error::Error) -> Self {
        if let clickhouse::error::Error::BadResponse(text) = &error
            && let Some((code, message)) = parse(text)
        {
            return Self::Server { attempt, code, kind: ServerKind::of(code, &message), message };
        }
        Self::Transport { attempt, kind: TransportKind::of(&error), source: error }
    }

    /// The server's code, when the server answered.
    #[must_use]
    pub fn server_code(&self) -> Option<u32> {
        match self {
            Self::Server { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// What the server's code means, when the server answered.
    #[must_use]
    pub fn server_kind(&self) -> Option<ServerKind> {
        match self {
            Self::Server { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// What happened to the connection, when that was it.
    #[must_use]
    pub fn transport_kind(&self) -> Option<TransportKind> {
        match self {
            Self::Transport { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// Learns that the table was in order when it was last looked at: what was
    /// wrong for good may be right once somebody looks again.
    pub(crate) fn was_in_order(&mut self) {
        use ServerKind::{StaleTable, UnknownColumn, UnknownDatabase, UnknownTable};
        if let Self::Server { kind, .. } = self
            && matches!(kind, UnknownTable | UnknownDatabase | UnknownColumn)
        {
            *kind = StaleTable;
        }
    }
}

/// What a writer does about an error, as long as it has time and other clusters.
/// When it has not, the error's disposition says what becomes of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reaction {
    /// Try again here, a little later.
    RetryHere,
    /// Try again here, much later: the cluster needs time, and another one would
    /// not help it.
    SlowDown,
    /// Write to the next cluster, and owe it to this one.
    FailOver,
    /// The object is at fault, wherever it is written.
    Quarantine,
    /// The platform is set up wrongly, wherever it is written.
    Fatal,
}

impl WarehouseError {
    /// The cluster that it is about, where there is one.
    #[must_use]
    pub fn cluster(&self) -> Option<&str> {
        match self {
            Self::Server { attempt, .. }
            | Self::Transport { attempt, .. }
            | Self::Answer { attempt, .. }
            | Self::Broken { attempt } => Some(&attempt.cluster),
            Self::UnknownCluster { cluster, .. }
            | Self::Credentials { cluster, .. }
            | Self::Trust { cluster, .. }
            | Self::Down { cluster, .. }
            | Self::Table { cluster, .. } => Some(cluster),
            Self::Fragment { .. } | Self::Encode { .. } => None,
        }
    }

    /// What a writer does about it.
    #[must_use]
    pub fn reaction(&self) -> Reaction {
        match self {
            Self::Server { kind, .. } => kind.reaction(),
            Self::Transport { .. } | Self::Answer { .. } | Self::Broken { .. } => {
                Reaction::RetryHere
            }
            Self::Credentials { source, .. } if source.disposition == Disposition::Retry => {
                Reaction::RetryHere
            }
            Self::Down { .. } | Self::Table { .. } | Self::Credentials { .. } => Reaction::FailOver,
            Self::UnknownCluster { .. }
            | Self::Trust { .. }
            | Self::Fragment { .. }
            | Self::Encode { .. } => Reaction::Fatal,
        }
    }

    /// Whether the cluster needs time and nothing else: the same work will
    /// succeed once it is well again, however often it fails until then.
    #[must_use]
    pub fn needs_time(&self) -> bool {
        match self {
            Self::Down { .. } | Self::Transport { .. } => true,
            Self::Server { kind, .. } => kind.needs_time(),
            _ => false,
        }
    }

    /// Whether nothing of an INSERT that ended so can have landed: it was never
    /// sent.
    #[must_use]
    pub fn was_never_sent(&self) -> bool {
        match self {
            Self::Transport { kind, .. } => *kind == TransportKind::Connect,
            Self::Server { .. } | Self::Answer { .. } | Self::Broken { .. } => false,
            _ => true,
        }
    }
}

impl Disposed for WarehouseError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Server { kind, .. } => kind.disposition(),
            Self::Credentials { source, .. } => source.disposition,
            Self::Down { .. }
            | Self::Transport { .. }
            | Self::Answer { .. }
            | Self::Broken { .. } => Disposition::Retry,
            Self::UnknownCluster { .. }
            | Self::Trust { .. }
            | Self::Table { .. }
            | Self::Fragment { .. }
            | Self::Encode { .. } => Disposition::Fatal,
        }
    }
}

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportKind {
    /// Nobody listens, or the name or the way there is unknown.
    Connect,
    /// No answer in the time that was given.
    Timeout,
    /// The connection was reset or closed before the answer was complete.
    Closed,
    /// Something between us and the server answered in its place.
    Gateway,
    /// Anything else.
    Other,
}

impl TransportKind {
    fn of(error: &clickhouse::error::Error) -> Self {
        use clickhouse::error::Error;
        match error {
            Error::TimedOut => return Self::Timeout,
            Error::BadResponse(_) => return Self::Gateway,
            _ => {}
        }
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        let mut kind = Self::Other;
        while let Some(error) = cause {
            if let Some(client) = error.downcast_ref::<hyper_util::client::legacy::Error>()
                && client.is_connect()
            {
                kind = Self::Connect;
            }
            if let Some(http) = error.downcast_ref::<hyper::Error>()
                && (http.is_incomplete_message()
                    || http.is_closed()
                    || http.is_canceled()
                    || http.is_body_write_aborted())
            {
                kind = Self::Closed;
            }
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                use std::io::ErrorKind;
                match io.kind() {
                    // A connection that takes too long is no better than none.
                    ErrorKind::TimedOut if kind != Self::Connect => kind = Self::Timeout,
                    ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::UnexpectedEof
                        if kind != Self::Connect =>
                    {
                        kind = Self::Closed;
                    }
                    ErrorKind::ConnectionRefused
                    | ErrorKind::HostUnreachable
                    | ErrorKind::NetworkUnreachable => {
                        kind = Self::Connect;
                    }
                    _ => {}
                }
            }
            cause = error.source();
        }
        kind
    }
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => {
                "no connection; check that the server runs and that its address is right"
            }
            Self::Timeout => "no answer in time",
            Self::Closed => "the connection was closed before the answer was complete",
            Self::Gateway => "the answer is not from ClickHouse",
            Self::Other => "the connection failed",
        })
    }
}

/// Code and message of `Code: 60. DB::Exception: … (UNKNOWN_TABLE) (version …)`.
fn parse(text: &str) -> Option<(u32, String)> {
    let text = text.trim();
    // An answer to an empty body holds the bare code of the response header.
    if let Ok(code) = text.parse() {
        return Some((code, "the server gave no words".to_owned()));
    }
    let (code, rest) = text.strip_prefix("Code: ")?.split_once('.')?;
    let code = code.parse().ok()?;
    let message = rest.split_once("Exception: ").map_or(rest, |(_, message)| message);
    let message = message.split(" (version ").next().unwrap_or(message);
    const LONGEST: usize = 1_000;
    let mut message = message.trim().to_owned();
    if message.len() > LONGEST {
        message.truncate(message.floor_char_boundary(LONGEST));
        message.push('…');
    }
    Some((code, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn attempt() -> Attempt {
        Attempt {
            cluster: "ingestion".into(),
            node: "http://n:1".into(),
            what: "insert into `a`.`b`".into(),
        }
    }

    #[rstest]
    #[case(
        "Code: 60. DB::Exception: Table a.b does not exist. (UNKNOWN_TABLE) (version 26.7.2.1)",
        60,
        "Table a.b does not exist. (UNKNOWN_TABLE)"
    )]
    #[case(
        "Code: 210. DB::NetException: I/O error: Broken pipe. (NETWORK_ERROR) (version 23.8)",
        210,
        "I/O error: Broken pipe. (NETWORK_ERROR)"
    )]
    #[case("516", 516, "the server gave no words")]
    fn a_server_error_is_parsed(#[case] text: &str, #[case] code: u32, #[case] message: &str) {
        let error =
            WarehouseError::classify(attempt(), clickhouse::error::Error::BadResponse(text.into()));
        let WarehouseError::Server { code: got, message: said, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((*got, said.as_str()), (code, message));
    }

    proptest::proptest! {
        /// Whatever a server or something before it answers is classified, in
        /// words that are not endless.
        #[test]
        fn no_answer_panics(text in "(Code: )?[0-9]{0,12}\\.?( DB::Exception: )?\\PC{0,40}( \\(version)?") {
            let long = text.repeat(60);
            for answer in [text, long] {
                let answer = clickhouse::error::Error::BadResponse(answer);
                let words = WarehouseError::classify(attempt(), answer).to_string();
                proptest::prop_assert!(!words.is_empty() && words.len() < 10_000, "{}", words.len());
            }
        }

        #[test]
        fn a_code_is_found_whatever_the_words(code: u32, words in "[^(]{0,40}") {
            let text = format!("Code: {code}. DB::Exception: {words} (version 26.7)");
            let (found, said) = parse(&text).unwrap();
            proptest::prop_assert_eq!(found, code);
            let said_or_cut = words.split("Exception: ").last().unwrap_or_default().trim();
            proptest::prop_assert!(words.contains(&said) || said == said_or_cut, "{said}");
        }
    }

    #[rstest]
    #[case(clickhouse::error::Error::BadResponse("502 Bad Gateway".into()), TransportKind::Gateway)]
    #[case(clickhouse::error::Error::BadResponse("<html>Code: no</html>".into()), TransportKind::Gateway)]
    #[case(clickhouse::error::Error::TimedOut, TransportKind::Timeout)]
    #[case(network(std::io::ErrorKind::ConnectionRefused), TransportKind::Connect)]
    #[case(network(std::io::ErrorKind::ConnectionReset), TransportKind::Closed)]
    #[case(network(std::io::ErrorKind::BrokenPipe), TransportKind::Closed)]
    #[case(network(std::io::ErrorKind::TimedOut), TransportKind::Timeout)]
    #[case(clickhouse::error::Error::Custom("?".into()), TransportKind::Other)]
    fn a_transport_error_has_its_kind(
        #[case] error: clickhouse::error::Error,
        #[case] kind: TransportKind,
    ) {
        let error = WarehouseError::classify(attempt(), error);
        assert_eq!(error.transport_kind(), Some(kind), "{error}");
        assert_eq!(error.disposition(), Disposition::Retry);
    }

    fn network(kind: std::io::ErrorKind) -> clickhouse::error::Error {
        clickhouse::error::Error::Network(Box::new(std::io::Error::from(kind)))
    }

    #[test]
    fn an_error_names_place_and_remedy() {
        let text =
            "Code: 60. DB::Exception: Table a.b does not exist. (UNKNOWN_TABLE) (version 26)";
        let error =
            WarehouseError::classify(attempt(), clickhouse::error::Error::BadResponse(text.into()));
        assert_eq!(
            error.to_string(),
            "insert into `a`.`b` on cluster `ingestion` (http://n:1): unknown table (server code 60): Table a.b does \
             not exist. (UNKNOWN_TABLE); create the table, or set table.create: auto in the source document"
        );
    }
}
