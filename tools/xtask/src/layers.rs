//! The layers of the workspace: dependencies point one way.
//!
//! functions and tools → ingest → the stages → model. Stages never name each
//! other; what runs in production never names what is for tests and for an
//! operator's machine.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::Value;

/// The crates of each layer; a crate may depend on lower layers only.
const LAYERS: &[(&str, &[&str])] = &[
    ("the vocabulary", &["model"]),
    ("the foundations", &["dynamo", "native", "runtime"]),
    ("the stages", &["objects", "decode", "transform", "warehouse", "ledger", "catalog", "kafka"]),
    ("the join", &["ingest"]),
    ("the functions", &["drain", "kafka-sink", "mother", "pixel", "reconcile"]),
    ("the tools", &["launcher", "xtask"]),
    ("the local stack", &["devstack", "demo-data"]),
    ("the command line", &["motherlode"]),
    ("the test kit", &["testkit"]),
    ("the measurements, the chaos suite and fuzz checks", &["bench", "chaos", "fuzz-checks"]),
];

/// Packages of which one version only may be in the tree.
const SINGLE: &[&str] = &[
    "arrow-schema",
    "parquet",
    "hyper",
    "rustls",
    "http",
    "tokio",
    "aws-smithy-runtime-api",
    "flate2",
    "zstd",
];

/// Every breach, in words.
pub fn breaches(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let members: BTreeSet<&str> = metadata["workspace_members"]
        .as_array()
        .context("members")?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let layer_of: BTreeMap<&str, usize> = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(layer, (_, crates))| crates.iter().map(move |name| (*name, layer)))
        .collect();
    let mut breaches = Vec::new();
    for package in packages
        .iter()
        .filter(|package| package["id"].as_str().is_some_and(|id| members.contains(id)))
    {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(layer) = layer_of.get(name) else {
            breaches.push(format!(
                "the crate `{name}` stands in no layer; add it to tools/xtask/src/layers.rs"
            ));
            continue;
        };
        let folder = package["manifest_path"].as_str().unwrap_or_default();
        if !folder.ends_with(&format!("/{name}/Cargo.toml")) {
            breaches.push(format!("the folder of `{name}` has another name than the crate"));
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let target = dependency["name"].as_str().unwrap_or_default();
            // Tests may use the test kit.
            if dependency["kind"].as_str() == Some("dev") {
                continue;
            }
            if let Some(below) = layer_of.get(target)
                && below >= layer
            {
                breaches.push(format!(
                    "`{name}` ({}) depends on `{target}` ({}); dependencies point the other way",
                    LAYERS[*layer].0, LAYERS[*below].0
                ));
            }
        }
    }
    for single in SINGLE {
        let versions: BTreeSet<&str> = packages
            .iter()
            .filter(|package| package["name"].as_str() == Some(single))
            .filter_map(|package| package["version"].as_str())
            .collect();
        if versions.len() > 1 {
            let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
            breaches.push(format!("{single} is in the tree in several versions: {versions}"));
        }
    }
    Ok(breaches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(dependencies: &Value) -> Value {
        json!({
            "workspace_members": ["a"],
            "packages": [{"id": "a", "name": "decode", "manifest_path": "/x/decode/Cargo.toml", "dependencies": dependencies}],
        })
    }

    #[test]
    fn a_stage_may_use_the_vocabulary_and_no_other_stage() {
        assert!(breaches(&metadata(&json!([{"name": "model", "kind": null}]))).unwrap().is_empty());
        let found = breaches(&metadata(&json!([{"name": "warehouse", "kind": null}]))).unwrap();
        assert!(found[0].contains("`decode` (the stages) depends on `warehouse`"), "{found:?}");
        assert!(
            breaches(&metadata(&json!([{"name": "testkit", "kind": "dev"}]))).unwrap().is_empty()
        );
    }

    #[test]
    fn two_versions_of_arrow_are_named() {
        let twice = json!({
            "workspace_members": [],
            "packages": [{"name": "arrow-schema", "version": "59.0.0"}, {"name": "arrow-schema", "version": "60.1.0"}],
        });
        assert_eq!(
            breaches(&twice).unwrap(),
            ["arrow-schema is in the tree in several versions: 59.0.0, 60.1.0"]
        );
    }
}
