//! The verdict, the same for every scenario: without FINAL, every row of the
//! oracle is in the table once, and in the target of its materialized view
//! once; and the ledger's counts close.

use std::path::Path;

use anyhow::Context as _;
use ledger::State;
use serde_json::Value;

use crate::arena::{Arena, DATABASE, Feed};
use crate::rows::{COLUMNS, HASH};
use crate::run::Run;

/// What a set of rows is: their number, and sums over the values of whole rows
/// that no other rows have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many rows.
    pub rows: u64,
    /// How many different ones, by their place or their id.
    pub distinct: u64,
    /// Sum of the hashes of all rows, modulo 2^64.
    sum: u64,
    /// Exclusive or of them.
    xor: u64,
}

/// What must be there besides the rows of the oracle.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected {
    /// Objects in the ledger.
    pub objects: u64,
    /// Rows that are in the quarantine instead of the table.
    pub quarantined: u64,
    /// Messages that are among the dead letters.
    pub dead_letters: u64,
    /// Whether invocations may have ended badly: their processes were killed.
    /// Otherwise none may, least of all by outliving its deadline.
    pub killed: bool,
}

/// What ClickHouse itself reads from files whose names fit the pattern.
///
/// # Errors
/// What the server says.
pub async fn oracle(arena: &Arena, files: &Path, format: &str) -> anyhow::Result<Fingerprint> {
    // Any server reads files alike; the last is never the one that is broken.
    let cluster = &arena.lake.state.clusters.last().context("a stack has a cluster")?.name;
    let structure = COLUMNS.map(|(name, kind)| format!("{name} {kind}")).join(", ");
    let table =
        format!("file('{}', '{format}', '{}')", files.display(), structure.replace('\'', "\\'"));
    fingerprint(arena, cluster, &table, "id").await
}

/// What the tables of all clusters hold together, each row once. That no cluster
/// holds one twice is checked on the way.
///
/// # Errors
/// What a server says.
pub async fn union(run: &mut Run, arena: &Arena, feed: &Feed) -> anyhow::Result<Fingerprint> {
    let table = format!("{DATABASE}.{}", feed.table());
    for cluster in feed.clusters {
        for table in [&table, &format!("{table}_seen")] {
            let own = fingerprint(arena, cluster, table, "_object, _row").await?;
            run.check(own.rows == own.distinct, || {
                format!("{cluster} holds rows of {table} twice: {own:?}")
            });
        }
    }
    let names = COLUMNS.map(|(name, _)| name).join(", ");
    let selects: Vec<_> = arena
        .lake
        .state
        .clusters
        .iter()
        .filter(|cluster| feed.clusters.contains(&cluster.name.as_str()))
        .map(|cluster| {
            format!(
                "SELECT {names} FROM remote('{}', {table}, '{}', '{}')",
                cluster.native, cluster.user, cluster.password
            )
        })
        .collect();
    let all = format!("({})", selects.join(" UNION DISTINCT "));
    let last = feed.clusters.last().context("a feed has a cluster")?;
    fingerprint(arena, last, &all, "id").await
}

/// The fingerprint of a table; rows are told apart by `identity`.
async fn fingerprint(
    arena: &Arena,
    cluster: &str,
    table: &str,
    identity: &str,
) -> anyhow::Result<Fingerprint> {
    let sql = format!(
        "SELECT count() AS n, uniqExact({identity}) AS distinct, sum({HASH}) AS s, groupBitXor({HASH}) AS x FROM {table}"
    );
    let rows = arena.lake.query(cluster, &sql).await?;
    let row = rows.first().context("an aggregate has a row")?;
    let number = |name: &str| {
        let value = row.get(name).and_then(Value::as_u64);
        value.with_context(|| format!("`{sql}` gives no number `{name}`: {row}"))
    };
    Ok(Fingerprint {
        rows: number("n")?,
        distinct: number("distinct")?,
        sum: number("s")?,
        xor: number("x")?,
    })
}

/// Judges one cluster's tables against the oracle.
///
/// # Errors
/// What the server says.
pub async fn judge_tables(
    run: &mut Run,
    arena: &Arena,
    feed: &Feed,
    cluster: &str,
    oracle: &Fingerprint,
) -> anyhow::Result<()> {
    for suffix in ["", "_seen"] {
        let table = format!("{DATABASE}.{}{suffix}", feed.table());
        for identity in ["id", "_object, _row"] {
            let found = fingerprint(arena, cluster, &table, identity).await?;
            run.check(found == *oracle, || {
                format!("{cluster} {table} by {identity}: {found:?}, the oracle: {oracle:?}")
            });
        }
    }
    Ok(())
}

/// Judges everything, once the queue is empty.
///
/// # Errors
/// What a server says.
pub async fn judge(
    run: &mut Run,
    arena: &Arena,
    feed: &Feed,
    oracle: &Fingerprint,
    expected: Expected,
) -> anyhow::Result<()> {
    for cluster in feed.clusters {
        judge_tables(run, arena, feed, cluster, oracle).await?;
    }
    judge_ledger(run, arena, feed, oracle, expected).await?;
    let dead = arena.dead_letters().await?;
    run.check(dead == expected.dead_letters, || format!("{dead} messages are dead letters"));
    let failed = arena.failed_invocations().await?;
    run.check(expected.killed || failed == 0, || {
        format!("{failed} invocations did not end well: see {}", arena.supervisor_log().display())
    });
    run.figure("rows", oracle.rows);
    Ok(())
}

async fn judge_ledger(
    run: &mut Run,
    arena: &Arena,
    feed: &Feed,
    oracle: &Fingerprint,
    expected: Expected,
) -> anyhow::Result<()> {
    let records = arena.records(feed.source).await?;
    let mut counts = model::Counts::default();
    for record in &records {
        run.check(record.state == State::Done && record.pending.is_none(), || {
            format!(
                "{} is {:?}, pending {:?}: {:?}",
                record.object, record.state, record.pending, record.reason
            )
        });
        run.check(record.counts.closes(), || {
            format!("{}: the counts do not close: {:?}", record.object, record.counts)
        });
        counts += record.counts;
    }
    run.check(records.len() as u64 == expected.objects, || {
        format!("{} objects are in the ledger, not {}", records.len(), expected.objects)
    });
    let read = oracle.rows + expected.quarantined;
    let is_right =
        (counts.rows_read, counts.rows_inserted, counts.rows_quarantined, counts.rows_filtered)
            == (read, oracle.rows, expected.quarantined, 0);
    run.check(is_right, || format!("the ledger counts {counts:?}; the oracle: {oracle:?}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Rows;
    use crate::run::Size;

    /// A verdict that could not fail would be worth nothing: it sees one row
    /// twice, one missing, one changed, and a ledger that counts otherwise.
    #[tokio::test(flavor = "multi_thread")]
    async fn one_wrong_row_is_found() {
        let mut run = Run::new(0, "verdict", Size::Quick, 1);
        let setup = testkit::Setup::new("chaos-verdict");
        let arena = Arena::start(&mut run, setup).await.unwrap();
        let feed = Feed::csv("verdict", 100);
        arena.feed(&feed).await.unwrap();
        let files = arena.land_many(&feed, Rows::new(1), 0..2, 300).await.unwrap();
        arena.loaded(feed.source, 2).await.unwrap();
        let oracle = oracle(&arena, &files, "CSVWithNames").await.unwrap();
        assert_eq!((oracle.rows, oracle.distinct), (600, 600));
        let expected = Expected { objects: 2, ..Expected::default() };
        let mut problems = 0;
        // Each adds to what was wrong before.
        for (sql, more) in [
            ("SELECT 1", 0),
            // Twice in the view's target alone: its two fingerprints.
            ("INSERT INTO chaos.verdict_seen SELECT * FROM chaos.verdict_seen WHERE id = 7", 2),
            // One missing in the raw table, too.
            ("ALTER TABLE chaos.verdict DELETE WHERE id = 8 SETTINGS mutations_sync = 1", 4),
            (
                "ALTER TABLE chaos.verdict UPDATE note = 'x' WHERE id = 9 SETTINGS mutations_sync = 1",
                4,
            ),
        ] {
            arena.lake.query("ingestion", sql).await.unwrap();
            let before = run.problems();
            judge(&mut run, &arena, &feed, &oracle, expected).await.unwrap();
            assert_eq!(run.problems() - before, more, "{sql}");
            problems += more;
        }
        // One row more read, and one dead letter less, than there are.
        let expected = Expected { objects: 2, quarantined: 1, dead_letters: 1, killed: false };
        judge(&mut run, &arena, &feed, &oracle, expected).await.unwrap();
        assert_eq!(run.problems(), problems + 4 + 2);
    }
}
