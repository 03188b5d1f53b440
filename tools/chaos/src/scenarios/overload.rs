//! 8: the server answers 252, 241 and 202 for a while. No row is lost, no
//! invocation outlives its deadline, and afterwards it goes on as before.

use std::time::{Duration, Instant};

use testkit::Setup;

use crate::arena::{Arena, Feed};
use crate::proxy::fault::{Act, Answer, On, Rule};
use crate::rows::Rows;
use crate::run::Run;
use crate::verdict::{Expected, judge, oracle};

/// Rows of an object; two chunks.
const ROWS: u64 = 2_000;

pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    let (objects, pause) = run.pick((60, Duration::from_secs(20)), (3, Duration::from_millis(800)));
    let arena = Arena::start(run, setup(run)).await?;
    let feed = Feed::csv("overload", ROWS / 2);
    arena.feed(&feed).await?;
    let rows = Rows::new(run.dice.roll());
    let mut landed = 0;
    // Once to warm up, once to measure.
    let mut before = Duration::ZERO;
    for _ in 0..2 {
        before = timed(&arena, &feed, rows, landed..landed + objects).await?;
        landed += objects;
    }
    for rule in refusals() {
        let name = rule.name;
        arena.clickhouse().set_rules(vec![rule]);
        arena.land_many(&feed, rows, landed..landed + objects, ROWS).await?;
        landed += objects;
        tokio::time::sleep(pause).await;
        arena.clickhouse().set_rules(Vec::new());
        arena.loaded(feed.source, landed).await?;
        run.injected(name, arena.clickhouse().count(name));
    }
    let after = timed(&arena, &feed, rows, landed..landed + objects).await?;
    landed += objects;
    run.figure("ms before", u64::try_from(before.as_millis())?);
    run.figure("ms afterwards", u64::try_from(after.as_millis())?);
    // What lingers, a breaker or a pause, is longer than what a busy machine adds.
    run.check(after < before * 2 + Duration::from_secs(2), || {
        format!("{objects} objects took {before:?} before, and {after:?} afterwards")
    });
    let files = arena.keep("none", b"")?.with_file_name("overload-*.csv");
    let oracle = oracle(&arena, &files, "CSVWithNames").await?;
    judge(run, &arena, &feed, &oracle, Expected { objects: landed, ..Expected::default() }).await
}

/// Loads objects and says how long it took.
async fn timed(
    arena: &Arena,
    feed: &Feed,
    rows: Rows,
    objects: std::ops::Range<u64>,
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let end = objects.end;
    arena.land_many(feed, rows, objects, ROWS).await?;
    arena.loaded(feed.source, end).await?;
    Ok(started.elapsed())
}

fn refusals() -> [Rule; 3] {
    let refuse = |name, code, word, text| {
        Rule::always(name, On::Insert, Act::Refuse(Answer::exception(code, word, text)))
    };
    [
        refuse(
            "INSERTs refused with 252",
            252,
            "TOO_MANY_PARTS",
            "Too many parts (300 with average size of 1.00 KiB) in table 'chaos.overload'. Merges are processing significantly slower than inserts",
        ),
        refuse(
            "INSERTs refused with 241",
            241,
            "MEMORY_LIMIT_EXCEEDED",
            "(total) memory limit exceeded: would use 10.00 GiB, maximum: 9.00 GiB",
        ),
        refuse(
            "INSERTs refused with 202",
            202,
            "TOO_MANY_SIMULTANEOUS_QUERIES",
            "Too many simultaneous queries. Maximum: 100",
        ),
    ]
}

/// Five receives, and a visibility timeout that outlasts the while.
fn setup(run: &Run) -> Setup {
    Setup {
        visibility_timeout_s: run.pick(10, 2),
        max_receive_count: run.pick(5, 20),
        timeout_seconds: run.pick(60, 20),
        ..run.setup()
    }
}
