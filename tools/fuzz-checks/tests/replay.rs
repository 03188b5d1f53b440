//! What the fuzz targets found, and what they begin with, through the same
//! checks on stable Rust.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking, like the test")]

use std::path::{Path, PathBuf};

use fuzz_checks::{CHECKS, seeds};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-fixtures/regressions")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_was_found_once_holds() {
    let mut count = 0;
    for (name, check) in CHECKS {
        for file in files(&folder().join(name)) {
            // A failure names what it was at.
            println!("{}", file.display());
            check(&std::fs::read(&file).unwrap());
            count += 1;
        }
    }
    assert!(count > 0, "{} holds nothing", folder().display());
}

#[test]
fn every_folder_of_findings_has_its_check() {
    let known: Vec<_> = CHECKS.iter().map(|(name, _)| *name).collect();
    for folder in files(&folder()) {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(known.contains(&name), "no check is named `{name}`");
    }
}

#[test]
fn every_seed_holds() {
    for (name, check) in CHECKS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "`{name}` has no seeds");
        for (place, seed) in seeds.iter().enumerate() {
            println!("seed {place} of {name}");
            check(seed);
        }
    }
}
