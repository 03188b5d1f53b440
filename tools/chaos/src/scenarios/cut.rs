//! 2: the connection is cut after the server has committed and before the
//! answer arrives. The function cannot know that its rows are there; it sends
//! them again, and the token must keep them single.

use testkit::Setup;

use crate::arena::{Arena, Feed};
use crate::proxy::fault::{Act, On, Rule};
use crate::rows::Rows;
use crate::run::Run;
use crate::verdict::{Expected, judge, oracle};

/// Chunks of an object.
const CHUNKS: u64 = 2;
/// Rows of a chunk.
const ROWS: u64 = 500;

pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    let (objects, cuts) = run.pick((600, 1_000), (12, 12));
    let arena = Arena::start(run, setup(run)).await?;
    let feed = Feed { more: "errors: { retries: 8 }", ..Feed::csv("cut", ROWS) };
    arena.feed(&feed).await?;
    let rules = vec![
        Rule::always("answers lost after the commit", On::Insert, Act::LoseAnswer)
            .with_chance(0.5)
            .at_most(cuts),
        Rule::always("requests cut in the middle", On::Insert, Act::LoseRequest { within: 20_000 })
            .with_chance(run.pick(0.1, 0.4)),
    ];
    arena.clickhouse().set_rules(rules.clone());
    let rows = Rows::new(run.dice.roll());
    let files = arena.land_many(&feed, rows, 0..objects, CHUNKS * ROWS).await?;
    arena.loaded(feed.source, objects).await?;
    Arena::note(run, arena.clickhouse(), &rules);
    let lost = arena.clickhouse().count(rules[0].name);
    run.check(lost == cuts, || format!("{lost} cuts instead of {cuts}: there were too few chunks"));
    let oracle = oracle(&arena, &files, "CSVWithNames").await?;
    judge(run, &arena, &feed, &oracle, Expected { objects, ..Expected::default() }).await
}

/// Messages come back often: an object of many cuts uses up its tries in one
/// invocation, and goes on in another.
fn setup(run: &Run) -> Setup {
    Setup {
        concurrency: 6,
        visibility_timeout_s: run.pick(20, 2),
        max_receive_count: 20,
        ..run.setup()
    }
}
