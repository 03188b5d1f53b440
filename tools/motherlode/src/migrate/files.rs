//! The files of `infra/clickhouse`: one statement each, in the order of their
//! names, written for one node.

use sha2::{Digest as _, Sha256};

/// A file.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its folder and its name without `.sql`: `clickstream/003_events`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(Migration {
            name: $name,
            text: include_str!(concat!("../../../../infra/clickhouse/", $name, ".sql")),
        }),+]
    };
}

/// Every file, in order.
pub const ALL: &[Migration] = files![
    "platform/001_database",
    "platform/002_migrations",
    "platform/003_quarantine",
    "platform/004_drift",
    "clickstream/001_database",
    "clickstream/002_raw_events",
    "clickstream/003_events",
    "clickstream/004_events_view",
    "clickstream/005_events_by_user",
    "clickstream/006_events_by_user_view",
    "clickstream/007_session_facts",
    "clickstream/008_session_facts_view",
    "clickstream/009_events_current",
    "clickstream/010_events_latest",
    "clickstream/011_sessions",
    "clickstream/012_funnel",
    "access/001_role_loader",
    "access/002_grants_loader",
    "access/003_role_sink",
    "access/004_grants_sink",
    "access/005_role_reader",
    "access/006_grants_reader",
];

/// The names of the folders, in order.
pub const SETS: [&str; 3] = ["platform", "clickstream", ACCESS];
/// Roles and grants, which only an administrator of users may make: applied when named.
pub const ACCESS: &str = "access";

impl Migration {
    /// The folder.
    #[must_use]
    pub fn set(&self) -> &'static str {
        self.name.split_once('/').map_or(self.name, |(set, _)| set)
    }

    /// Hash of the text: an applied file must not change.
    #[must_use]
    pub fn checksum(&self) -> String {
        Sha256::digest(self.text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it may be applied again when it has changed: it replaces what it made.
    #[must_use]
    pub fn replaces(&self) -> bool {
        self.statement_line().starts_with("CREATE OR REPLACE ") || self.grants()
    }

    /// Whether it grants something. That is done every time: on which databases is
    /// said by the command.
    #[must_use]
    pub fn grants(&self) -> bool {
        self.statement_line().starts_with("GRANT ")
    }

    /// The table that it makes, if it makes one that holds rows.
    #[must_use]
    pub fn table(&self) -> Option<(&'static str, &'static str)> {
        let name = self.statement_line().strip_prefix("CREATE TABLE IF NOT EXISTS ")?;
        name.trim().split_once('.')
    }

    /// The first line that is no comment.
    pub fn statement_line(&self) -> &'static str {
        let mut lines = self.text.lines();
        lines.find(|line| !line.starts_with("--")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_every_folder_is_in_the_list() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/clickhouse");
        let mut files = Vec::new();
        for set in SETS {
            let mut own: Vec<String> = std::fs::read_dir(root.join(set))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
                .map(|path| format!("{set}/{}", path.file_stem().unwrap().to_str().unwrap()))
                .collect();
            own.sort();
            files.extend(own);
        }
        assert_eq!(files, ALL.iter().map(|file| file.name).collect::<Vec<_>>());
        let folders = std::fs::read_dir(root)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir());
        assert_eq!(folders.count(), SETS.len());
    }

    #[test]
    fn every_file_can_be_applied_again() {
        for file in ALL {
            let line = file.statement_line();
            let kind = ["DATABASE", "TABLE", "MATERIALIZED VIEW", "ROLE"]
                .iter()
                .any(|kind| line.starts_with(&format!("CREATE {kind} IF NOT EXISTS ")));
            assert!(kind || file.replaces(), "{}: {line}", file.name);
            let code = |line: &str| line.split("--").next().unwrap_or_default().contains(';');
            assert!(!file.text.lines().any(code), "{}: one statement", file.name);
        }
    }
}
