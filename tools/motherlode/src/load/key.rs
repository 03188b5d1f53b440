//! Under which key a file is uploaded: decided from the source's `match`.

use std::path::Path;

use model::document::{FromSpec, Match, SourceDocument};
use model::{Captures, Pattern};

use crate::failure::{Advise as _, advised};

/// The key of a file: `key` when it is given and matches, else one that is made
/// from the source's `match` and the file's name.
///
/// # Errors
/// When no such key belongs to the source; the remedy is `--key`.
pub fn derive(
    source: &str,
    matching: &Match,
    bucket: &str,
    file: &Path,
    key: Option<&str>,
) -> anyhow::Result<String> {
    let pattern = Pattern::new(matching)
        .hint(|| format!("put a document of {source} with a valid `match`"))?;
    if matching.bucket.as_deref().is_some_and(|own| own != bucket) {
        let own = matching.bucket.as_deref().unwrap_or_default();
        return Err(advised(
            format!("objects of source {source} come in the bucket {own}, not in {bucket}"),
            format!("leave out --bucket, or give --bucket {own}"),
        ));
    }
    if let Some(key) = key {
        return match pattern.matches(bucket, key) {
            Some(_) => Ok(key.to_owned()),
            None => Err(advised(
                format!("the key {key} does not belong to source {source}: {}", words(matching)),
                "give a key that does, or change the document's `match`",
            )),
        };
    }
    let name = file.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        advised(
            format!("{} has no file name that can be part of a key", file.display()),
            "give one with --key",
        )
    })?;
    candidates(matching, name)
        .into_iter()
        .find(|key| pattern.matches(bucket, key).is_some())
        .ok_or_else(|| {
            advised(
                format!(
                    "no key of source {source} can be made from the name {name}: {}",
                    words(matching)
                ),
                "give the key with --key, as it would be in S3",
            )
        })
}

/// What the document captures from the key of a file that is not in S3: from
/// `key`, else from one that can be derived, else from the path itself.
///
/// # Errors
/// When a column needs a capture and no key gives it.
pub fn captures(
    document: &SourceDocument,
    file: &Path,
    key: Option<&str>,
) -> anyhow::Result<Captures> {
    let matching = &document.matching;
    let bucket = matching.bucket.as_deref().unwrap_or_default();
    let pattern = Pattern::new(matching)?;
    let path = file.to_str().unwrap_or_default();
    let found = match key {
        Some(key) => pattern.matches(bucket, key),
        None => derive(&document.source, matching, bucket, file, None)
            .ok()
            .and_then(|key| pattern.matches(bucket, &key))
            .or_else(|| pattern.matches(bucket, path)),
    };
    let needed = document.columns.iter().find_map(|column| match column.origin() {
        FromSpec::Capture(name) => Some((column.name.clone(), name)),
        _ => None,
    });
    match (found, needed) {
        (Some(captures), _) => Ok(captures),
        (None, None) => Ok(Captures::new()),
        (None, Some((column, capture))) => Err(advised(
            format!(
                "column {column} takes `{capture}` from the object's key, and {} gives none",
                file.display()
            ),
            format!("give the key that the file would have in S3 with --key ({})", words(matching)),
        )),
    }
}

/// Keys that may belong to the source, the plainest first.
fn candidates(matching: &Match, name: &str) -> Vec<String> {
    let prefix = matching.prefix.as_deref().unwrap_or_default();
    let suffix = matching.suffix.as_deref().unwrap_or_default();
    let mut keys = vec![format!("{prefix}{name}"), format!("{prefix}{name}{suffix}")];
    if let Some(glob) = &matching.glob {
        let literal = &glob[..glob.find(['*', '{']).unwrap_or(glob.len())];
        let folder = &literal[..literal.rfind('/').map_or(0, |slash| slash + 1)];
        keys.extend([
            format!("{folder}{name}"),
            format!("{literal}{name}"),
            format!("{literal}{name}{suffix}"),
        ]);
        if literal.len() == glob.len() {
            keys.push(glob.clone());
        }
    }
    keys
}

/// A `match` in words.
fn words(matching: &Match) -> String {
    let part = |word: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("{word} `{value}`"))
    };
    let parts = [
        part("prefix", &matching.prefix),
        part("suffix", &matching.suffix),
        part("glob", &matching.glob),
    ];
    format!("its `match` has {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn matching(prefix: &str, suffix: &str, glob: &str) -> Match {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Match { bucket: None, prefix: given(prefix), suffix: given(suffix), glob: given(glob) }
    }

    #[rstest]
    #[case("flights/", "", "", "flights/f.csv")]
    #[case("flights/", ".csv", "", "flights/f.csv")]
    #[case("flights/", ".csv.gz", "", "flights/f.csv.csv.gz")]
    #[case("flights-", "", "", "flights-f.csv")]
    #[case("", ".csv", "", "f.csv")]
    #[case("", "", "a/b/*.csv", "a/b/f.csv")]
    #[case("", "", "a/b/x-*.csv", "a/b/x-f.csv")]
    #[case("", "", "a/b/**", "a/b/f.csv")]
    #[case("", "", "a/{name}.csv", "a/f.csv")]
    #[case("", "", "a/one.csv", "a/one.csv")]
    #[case("a/", "", "a/**.csv", "a/f.csv")]
    fn keys_come_from_the_match(
        #[case] prefix: &str,
        #[case] suffix: &str,
        #[case] glob: &str,
        #[case] key: &str,
    ) {
        let derived =
            derive("s", &matching(prefix, suffix, glob), "landing", Path::new("/tmp/f.csv"), None);
        assert_eq!(derived.unwrap(), key);
    }

    #[test]
    fn a_key_that_cannot_be_made_asks_for_one() {
        let matching = matching("", "", "a/dt={dt}/*.json");
        let error = derive("s", &matching, "landing", Path::new("f.csv"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no key of source s can be made from the name f.csv: its `match` has glob `a/dt={dt}/*.json`"
        );
        let key = derive("s", &matching, "landing", Path::new("f.csv"), Some("a/dt=1/f.json"));
        assert_eq!(key.unwrap(), "a/dt=1/f.json");
        let error = derive("s", &matching, "landing", Path::new("f.csv"), Some("b")).unwrap_err();
        assert!(error.to_string().contains("does not belong to source s"), "{error}");
    }

    #[test]
    fn another_bucket_is_refused() {
        let matching = Match { bucket: Some("raw".to_owned()), ..matching("a/", "", "") };
        let error = derive("s", &matching, "landing", Path::new("f.csv"), None).unwrap_err();
        assert!(error.to_string().contains("come in the bucket raw"), "{error}");
    }

    #[test]
    fn captures_come_from_the_key_the_path_or_an_error() {
        let yaml = "source: s\nversion: 1\nowner: me\nmatch: {glob: 'a/dt={dt}/*.json'}\nformat: {json: {}}\n\
                    columns: [{name: dt, type: Date, from: {capture: dt}}]\ntable: {database: d, name: t}\n";
        let document = SourceDocument::from_yaml(yaml).unwrap();
        let found =
            captures(&document, Path::new("x.json"), Some("a/dt=2026-01-01/x.json")).unwrap();
        assert_eq!(found["dt"], "2026-01-01");
        let found = captures(&document, Path::new("a/dt=2026-01-02/x.json"), None).unwrap();
        assert_eq!(found["dt"], "2026-01-02");
        let error = captures(&document, Path::new("x.json"), None).unwrap_err();
        assert!(error.to_string().contains("column dt takes `dt`"), "{error}");
    }
}
