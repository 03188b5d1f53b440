//! From the text for one node to that for replicated tables, or ClickHouse Cloud.

use clap::ValueEnum;

use super::files::Migration;

/// Seconds that a replicated table of ours remembers tokens: a week. Newer servers
/// forget after an hour what they have numbers for.
const REMEMBERED_SECONDS: u32 = 604_800;

/// What kind of tables a cluster has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// One node: MergeTree.
    Single,
    /// Several nodes with a Keeper: ReplicatedMergeTree.
    Replicated,
    /// ClickHouse Cloud, which makes shared tables of MergeTree by itself.
    Cloud,
}

impl Engine {
    /// Its name, as on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Replicated => "replicated",
            Self::Cloud => "cloud",
        }
    }

    /// The engines of tables that keep rows begin so.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Single => "",
            Self::Replicated => "Replicated",
            Self::Cloud => "Shared",
        }
    }
}

/// How statements are made to fit a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Fit<'a> {
    /// The kind of its tables.
    pub engine: Engine,
    /// A cluster of `remote_servers` on all of whose nodes each statement runs;
    /// without it a replicated database does that.
    pub on_cluster: Option<&'a str>,
    /// What is granted on every database is granted on these alone, and on those of
    /// the platform; on every one when there are none.
    pub databases: &'a [String],
}

/// The databases that the platform's own tables are in.
const OWN: [&str; 2] = ["motherlode", "clickstream"];

/// The statement of a file for a cluster.
#[must_use]
pub fn statement(file: &Migration, fit: Fit<'_>) -> String {
    let Fit { engine, on_cluster, databases } = fit;
    let head = file.statement_line();
    let mut text = String::with_capacity(file.text.len() + 100);
    for line in file.text.lines() {
        match line.strip_prefix("ENGINE = ") {
            Some(own) if engine == Engine::Replicated => {
                text.push_str(&format!("ENGINE = Replicated{own}"));
            }
            _ if line == head => text.push_str(&on(&granted(line, databases), on_cluster)),
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    match engine {
        Engine::Single => text,
        Engine::Replicated | Engine::Cloud => remembering(&text),
    }
}

/// `CREATE … name` with the cluster behind the name.
fn on(line: &str, cluster: Option<&str>) -> String {
    let Some(cluster) = cluster else { return line.to_owned() };
    let words: Vec<&str> = line.split(' ').collect();
    let behind =
        |word: &str, more: usize| Some(words.iter().position(|other| *other == word)? + more);
    // Behind the name, which is behind EXISTS, or behind VIEW where a view is replaced.
    let name = match words[0] {
        "GRANT" => Some(1),
        _ => behind("EXISTS", 2).or_else(|| behind("VIEW", 2)),
    };
    let name = name.unwrap_or(words.len());
    let quoted = cluster.replace('\\', "\\\\").replace('\'', "\\'");
    let mut all: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    all.insert(name.min(all.len()), format!("ON CLUSTER '{quoted}'"));
    all.join(" ")
}

/// `GRANT … ON *.*,` on some databases alone.
fn granted(line: &str, databases: &[String]) -> String {
    let what = line.strip_prefix("GRANT ").and_then(|rest| rest.strip_suffix(" ON *.*,"));
    let Some(what) = what.filter(|_| !databases.is_empty()) else { return line.to_owned() };
    let all = OWN.into_iter().chain(databases.iter().map(String::as_str));
    let quoted = |name: &str| name.replace('\\', "\\\\").replace('`', "\\`");
    let on: Vec<String> = all.map(|name| format!("{what} ON `{}`.*,", quoted(name))).collect();
    format!("GRANT {}", on.join(" "))
}

/// The settings by which replicated tables remember tokens.
fn remembering(text: &str) -> String {
    let mut all = String::with_capacity(text.len() + 100);
    for line in text.lines() {
        all.push_str(
            &line.replace("non_replicated_deduplication_window", "replicated_deduplication_window"),
        );
        if line.contains("non_replicated_deduplication_window") {
            all.push_str(&format!(
                ", replicated_deduplication_window_seconds = {REMEMBERED_SECONDS}"
            ));
        }
        all.push('\n');
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::files::ALL;
    use super::*;

    fn of(name: &str, engine: Engine, on_cluster: Option<&str>) -> String {
        let file = ALL.iter().find(|file| file.name == name).unwrap();
        statement(file, Fit { engine, on_cluster, databases: &[] })
    }

    #[test]
    fn one_text_gives_all_of_them() {
        for file in ALL {
            let [single, replicated, cloud] = [Engine::Single, Engine::Replicated, Engine::Cloud]
                .map(|one| of(file.name, one, None));
            assert_eq!(single.trim(), file.text.trim());
            if file.table().is_some() {
                assert!(replicated.contains("\nENGINE = Replicated"), "{replicated}");
                assert!(!cloud.contains("\nENGINE = Replicated"), "{cloud}");
            }
            for text in [replicated, cloud] {
                assert!(!text.contains("non_replicated"), "{text}");
            }
        }
        let events = of("clickstream/003_events", Engine::Replicated, None);
        assert!(events.contains("ENGINE = ReplicatedReplacingMergeTree(version)"), "{events}");
        assert!(
            events.contains(
                "replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800"
            ),
            "{events}"
        );
    }

    #[test]
    fn grants_are_on_the_databases_that_are_named() {
        let sink = ALL.iter().find(|file| file.name == "access/004_grants_sink").unwrap();
        let databases = ["la`nding".to_owned()];
        let fit = Fit { engine: Engine::Single, on_cluster: Some("c"), databases: &databases };
        let text = statement(sink, fit);
        let rights = "SELECT, INSERT, CREATE DATABASE, CREATE TABLE, ALTER ADD COLUMN";
        let expected = format!(
            "GRANT ON CLUSTER 'c' {rights} ON `motherlode`.*, {rights} ON `clickstream`.*, {rights} ON `la\\`nding`.*,\n"
        );
        assert!(text.contains(&expected), "{text}");
    }

    #[test]
    fn a_cluster_stands_behind_the_name() {
        for (name, expected) in [
            (
                "platform/001_database",
                "CREATE DATABASE IF NOT EXISTS motherlode ON CLUSTER 'it\\'s'",
            ),
            (
                "clickstream/003_events",
                "CREATE TABLE IF NOT EXISTS clickstream.events ON CLUSTER 'it\\'s'",
            ),
            (
                "clickstream/004_events_view",
                "CREATE MATERIALIZED VIEW IF NOT EXISTS clickstream.events_view ON CLUSTER 'it\\'s' TO",
            ),
            (
                "clickstream/012_funnel",
                "CREATE OR REPLACE VIEW clickstream.funnel ON CLUSTER 'it\\'s' AS",
            ),
        ] {
            let text = of(name, Engine::Replicated, Some("it's"));
            assert!(text.lines().any(|line| line.starts_with(expected)), "{expected}: {text}");
        }
    }
}
