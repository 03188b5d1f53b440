//! Which source an object belongs to: a pure function of documents and key.

use std::collections::BTreeMap;

use regex_lite::Regex;
use thiserror::Error;

use crate::document::Match;

/// Values that a glob's captures have in one key.
pub type Captures = BTreeMap<String, String>;

/// The compiled `match` of a document.
#[derive(Debug, Clone)]
pub struct Pattern {
    bucket: Option<String>,
    prefix: Option<String>,
    suffix: Option<String>,
    glob: Option<Regex>,
    names: Vec<String>,
    literal: usize,
}

/// Why a glob is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// A brace has no partner.
    #[error("`{glob}`: a `{{` is not closed by `}}`")]
    Unclosed {
        /// The glob.
        glob: String,
    },
    /// A capture's name is none.
    #[error("`{name}` is no capture name; use letters, digits and `_`, beginning with a letter")]
    Name {
        /// The name as it was written.
        name: String,
    },
    /// A name stands twice.
    #[error("`{{{name}}}` stands twice; every capture needs its own name")]
    Twice {
        /// The name.
        name: String,
    },
    /// The glob is too large to compile.
    #[error("`{glob}` cannot be compiled: {reason}")]
    Compile {
        /// The glob.
        glob: String,
        /// What the compiler says.
        reason: String,
    },
}

impl Pattern {
    /// Compiles the `match` of a document.
    ///
    /// # Errors
    /// [`PatternError`] when the glob is none.
    pub fn new(matching: &Match) -> Result<Self, PatternError> {
        let mut names = Vec::new();
        let glob = matching.glob.as_deref().map(|glob| compile(glob, &mut names)).transpose()?;
        let literal = matching.prefix.as_deref().map_or(0, str::len).max(
            matching.glob.as_deref().map_or(0, |glob| glob.find(['*', '{']).unwrap_or(glob.len())),
        );
        Ok(Self {
            bucket: matching.bucket.clone(),
            prefix: matching.prefix.clone(),
            suffix: matching.suffix.clone(),
            glob,
            names,
            literal,
        })
    }

    /// Names of the glob's captures.
    #[must_use]
    pub fn capture_names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// The captures, when the object belongs to the source.
    #[must_use]
    pub fn matches(&self, bucket: &str, key: &str) -> Option<Captures> {
        let fits = self.bucket.as_deref().is_none_or(|own| own == bucket)
            && self.prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix))
            && self.suffix.as_deref().is_none_or(|suffix| key.ends_with(suffix));
        if !fits {
            return None;
        }
        let Some(glob) = &self.glob else { return Some(Captures::new()) };
        let found = glob.captures(key)?;
        Some(
            self.names
                .iter()
                .filter_map(|name| Some((name.clone(), found.name(name)?.as_str().to_owned())))
                .collect(),
        )
    }

    /// How specific the pattern is: a bucket first, then the literal start of the key.
    fn rank(&self) -> (bool, usize, usize) {
        (self.bucket.is_some(), self.literal, self.suffix.as_deref().map_or(0, str::len))
    }
}

fn compile(glob: &str, names: &mut Vec<String>) -> Result<Regex, PatternError> {
    let mut regex = String::from("(?s)^");
    let mut rest = glob;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**") {
            regex.push_str(".*");
            rest = after;
        } else if let Some(after) = rest.strip_prefix('*') {
            regex.push_str("[^/]*");
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end =
                after.find('}').ok_or_else(|| PatternError::Unclosed { glob: glob.to_owned() })?;
            let name = &after[..end];
            let mut chars = name.chars();
            if !(chars.next().is_some_and(|c| c.is_ascii_alphabetic())
                && chars.all(|c| c.is_ascii_alphanumeric() || c == '_'))
            {
                return Err(PatternError::Name { name: name.to_owned() });
            }
            if names.iter().any(|known| known == name) {
                return Err(PatternError::Twice { name: name.to_owned() });
            }
            names.push(name.to_owned());
            regex.push_str(&format!("(?P<{name}>[^/]+)"));
            rest = &after[end + 1..];
        } else {
            regex.push_str(&regex_lite::escape(&rest[..c.len_utf8()]));
            rest = &rest[c.len_utf8()..];
        }
    }
    regex.push('$');
    Regex::new(&regex)
        .map_err(|error| PatternError::Compile { glob: glob.to_owned(), reason: error.to_string() })
}

/// The source that an object belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'a, T> {
    /// What the winning pattern stands for.
    pub target: &'a T,
    /// Values of the glob's captures.
    pub captures: Captures,
}

/// Why an object has no one source.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteError {
    /// No pattern matches.
    #[error(
        "no source matches s3://{bucket}/{key}; register one whose `match` fits, or send the object elsewhere"
    )]
    NoSource {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Two patterns match and neither is more specific.
    #[error(
        "sources {first} and {second} both match s3://{bucket}/{key}; make the `match` of one more specific"
    )]
    Ambiguous {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// One source.
        first: String,
        /// The other.
        second: String,
    },
}

/// Finds the one target whose pattern fits best: one that names the bucket
/// before one that does not, then the longest literal start, then the longest
/// suffix.
///
/// # Errors
/// [`RouteError`] when none matches, or two are equally specific.
pub fn route<'a, T>(
    candidates: impl IntoIterator<Item = (&'a str, &'a Pattern, &'a T)>,
    bucket: &str,
    key: &str,
) -> Result<Route<'a, T>, RouteError> {
    let mut best: Option<(&str, &Pattern, Route<'a, T>)> = None;
    let mut tie: Option<&str> = None;
    for (name, pattern, target) in candidates {
        let Some(captures) = pattern.matches(bucket, key) else { continue };
        match &best {
            Some((_, other, _)) if other.rank() > pattern.rank() => {}
            Some((_, other, _)) if other.rank() == pattern.rank() => tie = Some(name),
            _ => {
                tie = None;
                best = Some((name, pattern, Route { target, captures }));
            }
        }
    }
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    match (best, tie) {
        (None, _) => Err(RouteError::NoSource { bucket, key }),
        (Some((first, ..)), Some(second)) => Err(RouteError::Ambiguous {
            bucket,
            key,
            first: first.to_owned(),
            second: second.to_owned(),
        }),
        (Some((.., route)), None) => Ok(route),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn glob(glob: &str) -> Pattern {
        Pattern::new(&Match { bucket: None, prefix: None, suffix: None, glob: Some(glob.into()) })
            .unwrap()
    }

    fn prefix(text: &str) -> Pattern {
        Pattern::new(&Match { bucket: None, prefix: Some(text.into()), suffix: None, glob: None })
            .unwrap()
    }

    #[rstest]
    #[case("a/*.csv", "a/b.csv", true)]
    #[case("a/*.csv", "a/b/c.csv", false)]
    #[case("a/**.csv", "a/b/c.csv", true)]
    #[case("a.b", "axb", false)]
    #[case("ä/*", "ä/ö", true)]
    #[case("a/{dt}/x", "a/b/c/x", false)]
    fn globs_match_whole_keys(#[case] pattern: &str, #[case] key: &str, #[case] expected: bool) {
        assert_eq!(glob(pattern).matches("bucket", key).is_some(), expected);
    }

    #[test]
    fn captures_have_their_values() {
        let found =
            glob("e/dt={dt}/{hour}-*.json").matches("b", "e/dt=2026-01-01/07-x.json").unwrap();
        assert_eq!(found["dt"], "2026-01-01");
        assert_eq!(found["hour"], "07");
    }

    #[rstest]
    #[case("a/{b", "not closed")]
    #[case("a/{1b}", "is no capture name")]
    #[case("{a}/{a}", "stands twice")]
    fn broken_globs_are_named(#[case] text: &str, #[case] message: &str) {
        let error = Pattern::new(&Match {
            bucket: None,
            prefix: None,
            suffix: None,
            glob: Some(text.into()),
        })
        .unwrap_err()
        .to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn the_most_specific_source_wins() {
        let (wide, narrow) = (prefix("a/"), prefix("a/b/"));
        let candidates = [("wide", &wide, &1), ("narrow", &narrow, &2)];
        assert_eq!(*route(candidates, "x", "a/b/c").unwrap().target, 2);
        assert_eq!(*route(candidates, "x", "a/c").unwrap().target, 1);
        assert!(matches!(route(candidates, "x", "z"), Err(RouteError::NoSource { .. })));
        let other = prefix("a/");
        assert!(matches!(
            route([("one", &wide, &1), ("two", &other, &2)], "x", "a/c"),
            Err(RouteError::Ambiguous { .. })
        ));
    }
}
