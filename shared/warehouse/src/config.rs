//! Which clusters there are: the JSON text of `MOTHERLODE_CLUSTERS`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

/// One ClickHouse cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// Name, as in `write.clusters`.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// URLs of the HTTP interface of its nodes. The first that can be reached is
    /// used; several only make sense when the tables are replicated, because
    /// the memory of tokens is per table and replica set.
    pub nodes: Vec<String>,
    /// Name of the secret with its user and password.
    pub secret: String,
}

/// What a cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes what is loaded.
    Ingestion,
    /// Serves dashboards.
    Analytics,
    /// Serves people who explore.
    Adhoc,
}

/// Why a cluster list is refused.
#[derive(Debug, Error)]
#[error(
    "MOTHERLODE_CLUSTERS: {0}; it is a JSON list of {{\"name\", \"role\", \"nodes\", \"secret\"}}"
)]
pub struct ConfigError(String);

impl ClusterConfig {
    /// Parses the list.
    ///
    /// # Errors
    /// [`ConfigError`] when it is no such list, is empty, or says something twice.
    pub fn parse_list(json: &str) -> Result<Vec<Self>, ConfigError> {
        let clusters: Vec<Self> =
            serde_json::from_str(json).map_err(|error| ConfigError(error.to_string()))?;
        if clusters.is_empty() {
            return Err(ConfigError("it names no cluster".to_owned()));
        }
        let mut names = BTreeSet::new();
        for cluster in &clusters {
            let refuse =
                |what: String| Err(ConfigError(format!("cluster `{}` {what}", cluster.name)));
            if cluster.name.is_empty() || !names.insert(&cluster.name) {
                return refuse("has no name of its own".to_owned());
            }
            if cluster.nodes.is_empty() {
                return refuse("has no nodes".to_owned());
            }
            for node in &cluster.nodes {
                let authority =
                    node.strip_prefix("http://").or_else(|| node.strip_prefix("https://"));
                // A password in a URL would show in messages.
                if !authority
                    .is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '?', '#']))
                {
                    return refuse("has a node that is no URL of the form http://host:8123 or https://host:8443".to_owned());
                }
            }
        }
        Ok(clusters)
    }
}

/// Times after which a node is given up, and how bytes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// For a connection to be made.
    pub connect: Duration,
    /// For the server to take one batch of an INSERT.
    pub send: Duration,
    /// For the server to answer: a query, or an INSERT after its last batch.
    pub receive: Duration,
    /// Whether batches are compressed with LZ4 on the wire. It costs about 0.1 s
    /// of CPU per million rows and halves the bytes.
    pub compress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            send: Duration::from_secs(30),
            receive: Duration::from_secs(120),
            compress: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_list_is_parsed() {
        let json = r#"[{"name":"a","role":"ingestion","nodes":["http://h:8123"],"secret":"s"}]"#;
        let clusters = ClusterConfig::parse_list(json).expect("valid");
        assert_eq!((clusters[0].name.as_str(), clusters[0].role), ("a", Role::Ingestion));
    }

    #[rstest]
    #[case("[]", "names no cluster")]
    #[case(r#"[{"name":"a","role":"ingestion","nodes":[],"secret":"s"}]"#, "`a` has no nodes")]
    #[case(r#"[{"name":"a","role":"ingestion","nodes":["h:1"],"secret":"s"}]"#, "no URL")]
    #[case(
        r#"[{"name":"a","role":"ingestion","nodes":["http://u:p@h:1"],"secret":"s"}]"#,
        "no URL"
    )]
    #[case(r#"[{"name":"a","role":"boss","nodes":["http://h:1"],"secret":"s"}]"#, "boss")]
    #[case(r#"[{"name":"a","role":"adhoc","nodes":["http://h:1"],"secret":"s"},{"name":"a","role":"adhoc","nodes":["http://h:1"],"secret":"s"}]"#, "no name of its own")]
    fn a_broken_list_is_refused(#[case] json: &str, #[case] words: &str) {
        let error = ClusterConfig::parse_list(json).expect_err("broken").to_string();
        assert!(error.contains(words) && error.starts_with("MOTHERLODE_CLUSTERS"), "{error}");
    }
}
