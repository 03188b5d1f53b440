//! Where the rows of an object are: which runs of rows are on which cluster.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A run of committed chunks that are on the same clusters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Source rows, from this one.
    pub start: u64,
    /// Up to this one, exclusive.
    pub end: u64,
    /// Rows that its INSERTs brought.
    pub inserted: u64,
    /// Version of the source document that its chunks were cut and mapped by.
    pub config_version: u64,
    /// What its rows say in `_loaded_at`, in milliseconds since 1970.
    pub loaded_at_ms: i64,
    /// Clusters that have said that they hold it.
    pub on: BTreeSet<String>,
    /// Clusters that may hold it: it was sent to them, and no answer is known.
    pub maybe: BTreeSet<String>,
}

impl Extent {
    /// Its source rows.
    #[must_use]
    pub fn rows(&self) -> Range<u64> {
        self.start..self.end
    }

    /// Whether a cluster is not known to hold it.
    #[must_use]
    pub fn is_owed_to(&self, cluster: &str) -> bool {
        !self.on.contains(cluster)
    }

    fn is_like(&self, other: &Self) -> bool {
        self.config_version == other.config_version
            && self.loaded_at_ms == other.loaded_at_ms
            && self.on == other.on
            && self.maybe == other.maybe
    }
}

/// Whether any of the clusters is owed any of the extents.
#[must_use]
pub fn is_owing(extents: &[Extent], named: &[String]) -> bool {
    extents.iter().any(|extent| named.iter().any(|cluster| extent.is_owed_to(cluster)))
}

/// Adds a chunk behind the others; chunks that are alike become one extent.
pub(crate) fn append(extents: &mut Vec<Extent>, next: Extent) {
    match extents.last_mut() {
        Some(last) if last.end == next.start && last.is_like(&next) => {
            last.end = next.end;
            last.inserted += next.inserted;
        }
        _ => extents.push(next),
    }
}

/// The extents after a cluster has got the first rows, up to `end`, of the
/// first extent that it was owed at `start`. They brought `inserted` rows.
#[must_use]
pub fn paid(extents: &[Extent], cluster: &str, rows: &Range<u64>, inserted: u64) -> Vec<Extent> {
    let mut after = Vec::with_capacity(extents.len() + 1);
    for extent in extents {
        if extent.start != rows.start || !extent.is_owed_to(cluster) {
            append(&mut after, extent.clone());
            continue;
        }
        let end = extent.end.min(rows.end);
        let is_whole = end == extent.end;
        let mut first = Extent {
            end,
            inserted: if is_whole { extent.inserted } else { inserted },
            ..extent.clone()
        };
        first.maybe.remove(cluster);
        first.on.insert(cluster.to_owned());
        let rest = extent.inserted.saturating_sub(first.inserted);
        append(&mut after, first);
        if !is_whole {
            append(&mut after, Extent { start: end, inserted: rest, ..extent.clone() });
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(rows: Range<u64>, on: &[&str], maybe: &[&str]) -> Extent {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Extent {
            start: rows.start,
            end: rows.end,
            inserted: (rows.end - rows.start) * 2,
            config_version: 1,
            loaded_at_ms: 7,
            on: set(on),
            maybe: set(maybe),
        }
    }

    #[test]
    fn chunks_that_are_alike_are_one_extent() {
        let mut extents = Vec::new();
        for start in [0, 10, 20] {
            append(&mut extents, extent(start..start + 10, &["a"], &[]));
        }
        append(&mut extents, extent(30..40, &["b"], &["a"]));
        append(&mut extents, extent(40..50, &["b"], &[]));
        assert_eq!(
            extents,
            [
                extent(0..30, &["a"], &[]),
                extent(30..40, &["b"], &["a"]),
                extent(40..50, &["b"], &[])
            ]
        );
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(is_owing(&extents, &names(&["a"])));
        assert!(!is_owing(&extents[..1], &names(&["a"])));
        assert!(is_owing(&extents[..1], &names(&["a", "b"])));
    }

    #[test]
    fn debts_are_paid_chunk_by_chunk() {
        let before = [extent(0..20, &["a"], &[]), extent(20..45, &["b"], &["a"])];
        let first = paid(&before, "a", &(20..30), 20);
        assert_eq!(
            first,
            [
                extent(0..20, &["a"], &[]),
                extent(20..30, &["a", "b"], &[]),
                extent(30..45, &["b"], &["a"])
            ]
        );
        let second = paid(&first, "a", &(30..40), 20);
        let third = paid(&second, "a", &(40..50), 10);
        assert_eq!(third, [extent(0..20, &["a"], &[]), extent(20..45, &["a", "b"], &[])]);
        let both = paid(&third, "b", &(0..20), 40);
        assert_eq!(both, [extent(0..45, &["a", "b"], &[])]);
        assert_eq!(paid(&both, "b", &(0..20), 40), both, "paying twice changes nothing");
    }
}
