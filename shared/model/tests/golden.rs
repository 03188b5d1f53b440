//! Old documents keep loading, and keep meaning what they meant: each document
//! under `test-fixtures/documents` is read and shown with every default written
//! out. A snapshot that changes means that stored documents change; make a new
//! version of the format instead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use model::document::SourceDocument;

fn documents() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test-fixtures/documents");
    let mut found: Vec<_> = std::fs::read_dir(&folder)
        .expect("test-fixtures/documents is there")
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    assert!(found.len() >= 5, "the golden documents are gone");
    found
}

#[test]
fn old_documents_mean_what_they_meant() {
    for (name, yaml) in documents() {
        let document =
            SourceDocument::from_yaml(&yaml).unwrap_or_else(|error| panic!("{name}: {error}"));
        insta::assert_json_snapshot!(name, document);
    }
}

#[test]
fn what_is_stored_is_read_again() {
    for (name, yaml) in documents() {
        let document = SourceDocument::from_yaml(&yaml).unwrap();
        let stored = document.to_json().unwrap();
        assert_eq!(SourceDocument::from_json(&stored).unwrap(), document, "{name}");
        assert_eq!(SourceDocument::from_yaml(&stored).unwrap(), document, "{name}: JSON is YAML");
    }
}

/// A field that the golden documents do not have could change unnoticed.
#[test]
fn the_golden_documents_have_every_field() {
    let mut have = BTreeSet::new();
    for (_, yaml) in documents() {
        let stored = SourceDocument::from_yaml(&yaml).unwrap().to_json().unwrap();
        names(&serde_json::from_str(&stored).unwrap(), &mut have);
    }
    let schema = SourceDocument::json_schema();
    let mut want = BTreeSet::new();
    properties(&schema, &mut want);
    let missing: Vec<_> = want.difference(&have).collect();
    assert!(missing.is_empty(), "no golden document uses {missing:?}");
}

fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, field) in fields {
                found.insert(name.clone());
                names(field, found);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

fn properties(schema: &serde_json::Value, found: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(fields) => {
            if let Some(serde_json::Value::Object(properties)) = fields.get("properties") {
                found.extend(properties.keys().cloned());
            }
            fields.values().for_each(|field| properties(field, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| properties(item, found)),
        _ => {}
    }
}
