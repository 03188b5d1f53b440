//! The documents under `infra/sources/` are valid, and each object of the demo
//! finds its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use demo_data::{BUCKET, SOURCES};
use model::document::SourceDocument;
use model::{Pattern, route};
use transform::Mapper;

#[test]
fn every_document_is_in_the_demo() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/sources");
    let documents: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        // Those of other lanes are in folders of their own.
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let demo: BTreeSet<String> =
        SOURCES.iter().map(|source| format!("{}.yaml", source.name)).collect();
    assert_eq!(documents, demo);
}

#[test]
fn every_object_finds_its_document() {
    let documents: Vec<SourceDocument> = SOURCES
        .iter()
        .map(|source| {
            let document = SourceDocument::from_yaml(source.document)
                .unwrap_or_else(|error| panic!("{}: {error}", source.name));
            assert_eq!(document.source, source.name);
            document
        })
        .collect();
    let patterns: Vec<Pattern> =
        documents.iter().map(|document| Pattern::new(&document.matching).unwrap()).collect();
    for source in SOURCES {
        for object in source.objects {
            let candidates = documents
                .iter()
                .zip(&patterns)
                .map(|(document, pattern)| (document.source.as_str(), pattern, document));
            let found = route(candidates, BUCKET, object.key).unwrap();
            assert_eq!(found.target.source, source.name, "{}", object.key);
            // Defaults, constants, formats of times and steps fit their columns.
            Mapper::new(found.target, &found.captures).unwrap();
        }
    }
}

/// What the demo shows is what the documents can do.
#[test]
fn the_documents_use_every_step_but_flatten() {
    let documents = SOURCES.iter().map(|source| source.document).collect::<String>();
    for step in ["filter", "explode", "hash", "mask", "trim", "map", "drop"] {
        assert!(documents.contains(&format!("\n  - {step}:")), "{step}");
    }
}
