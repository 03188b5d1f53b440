//! 7: thousands of small objects into a table that refuses INSERTs from a few
//! hundred parts on. Merges are held up for a while, so that it does refuse.

use std::time::Duration;

use testkit::Setup;

use crate::arena::{Arena, DATABASE, Feed};
use crate::rows::Rows;
use crate::run::Run;
use crate::verdict::{Expected, judge, oracle};

/// Rows of an object.
const ROWS: u64 = 10;
/// `TOO_MANY_PARTS`, as `system.errors` counts it.
const REFUSALS: &str = "SELECT sum(value) FROM system.errors WHERE code = 252";

pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    let objects: u64 = run.pick(10_000, 30);
    let most = run.pick(300, 8);
    let mut arena = Arena::start(run, setup(run)).await?;
    // The stand-in for AWS takes most of the time.
    arena.lake.patience = Duration::from_secs(run.pick(3_600, 300));
    let feed = Feed::csv("parts", 1_000);
    arena.feed(&feed).await?;
    for table in ["parts", "parts_seen"] {
        let sql = format!(
            "ALTER TABLE {DATABASE}.{table} MODIFY SETTING parts_to_throw_insert = {most}, parts_to_delay_insert = {most}"
        );
        arena.lake.query("ingestion", &sql).await?;
    }
    let rows = Rows::new(run.dice.roll());
    let before = arena.number(REFUSALS).await?;
    let done = std::sync::atomic::AtomicBool::new(false);
    let (files, sampled) = futures::try_join!(
        async {
            let files = arena.land_many(&feed, rows, 0..objects, ROWS).await?;
            arena.loaded(feed.source, objects).await?;
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            anyhow::Ok(files)
        },
        sample(&arena, &done, before),
    )?;
    run.figure("most active parts", sampled.parts);
    run.injected("INSERTs refused with 252", arena.number(REFUSALS).await? - before);
    run.injected("small objects", objects);
    // Every worker that looked before the limit was reached may still add one.
    let bound = most + 2 * CONCURRENCY as u64;
    run.check(sampled.parts <= bound, || {
        format!("{} parts were active; at most {bound} may be", sampled.parts)
    });
    let oracle = oracle(&arena, &files, "CSVWithNames").await?;
    judge(run, &arena, &feed, &oracle, Expected { objects, ..Expected::default() }).await
}

struct Sampled {
    parts: u64,
}

/// Looks at the number of parts until the objects are loaded. Merges are stopped
/// at first, and go on once the server has refused some INSERTs.
async fn sample(
    arena: &Arena,
    done: &std::sync::atomic::AtomicBool,
    before: u64,
) -> anyhow::Result<Sampled> {
    const PARTS: &str = "SELECT max(n) FROM (SELECT count() AS n FROM system.parts \
        WHERE active AND database = 'chaos' GROUP BY table UNION ALL SELECT 0)";
    let merges = async |what: &str| -> anyhow::Result<()> {
        for table in ["parts", "parts_seen"] {
            let sql = format!("SYSTEM {what} MERGES {DATABASE}.{table}");
            arena.lake.query("ingestion", &sql).await?;
        }
        Ok(())
    };
    merges("STOP").await?;
    let (mut sampled, mut stopped) = (Sampled { parts: 0 }, true);
    while !done.load(std::sync::atomic::Ordering::Relaxed) {
        sampled.parts = sampled.parts.max(arena.number(PARTS).await?);
        if stopped && arena.number(REFUSALS).await? > before + 3 {
            merges("START").await?;
            stopped = false;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(sampled)
}

const CONCURRENCY: usize = 4;

/// As a queue is usually set up: five receives, then the dead letters. The quick
/// run has no time to wait for a message to come back.
fn setup(run: &Run) -> Setup {
    Setup {
        concurrency: CONCURRENCY,
        visibility_timeout_s: run.pick(30, 2),
        max_receive_count: run.pick(5, 20),
        ..run.setup()
    }
}
