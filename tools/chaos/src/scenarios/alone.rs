//! 11: the only cluster is away for a while: a black hole, a bad line, flapping,
//! killed, stopped. There is nowhere else to write; the rows wait.

use std::time::Duration;

use testkit::Setup;

use crate::arena::{Arena, Feed};
use crate::dice::Dice;
use crate::proxy::{Line, Mode, Proxy};
use crate::rows::Rows;
use crate::run::Run;
use crate::verdict::{Expected, judge, oracle};

/// Rows of an object; three chunks.
const ROWS: u64 = 3_000;

/// What befalls the cluster.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    BlackHole,
    BadLine,
    Flaps,
    Killed,
    Stopped,
}

pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    let objects = run.pick(60, 2);
    let time = run.pick(Duration::from_secs(15), Duration::from_millis(800));
    let arena = Arena::start(run, setup(run)).await?;
    let feed = Feed::csv("alone", ROWS / 3);
    arena.feed(&feed).await?;
    let rows = Rows::new(run.dice.roll());
    let mut landed = 0;
    for (name, trouble) in [
        ("black holes", Trouble::BlackHole),
        ("bad lines", Trouble::BadLine),
        ("flapping clusters", Trouble::Flaps),
        ("clusters killed", Trouble::Killed),
        ("clusters stopped", Trouble::Stopped),
    ] {
        run.say(name);
        let dice = run.dice.fork();
        // Some are under way when it begins.
        arena.land_many(&feed, rows, landed..landed + objects, ROWS).await?;
        futures::try_join!(
            trouble.last(&arena, time, dice),
            arena.land_many(&feed, rows, landed + objects..landed + 2 * objects, ROWS),
        )?;
        run.injected(name, 1);
        landed += 2 * objects;
        arena.loaded(feed.source, landed).await?;
    }
    run.injected("connections cut", arena.clickhouse().count("connections cut"));
    run.injected("connections refused", arena.clickhouse().count("connections refused"));
    let files = arena.keep("none", b"")?.with_file_name("alone-*.csv");
    let oracle = oracle(&arena, &files, "CSVWithNames").await?;
    judge(run, &arena, &feed, &oracle, Expected { objects: landed, ..Expected::default() }).await
}

impl Trouble {
    /// Lasts so long, and is over.
    async fn last(self, arena: &Arena, time: Duration, dice: Dice) -> anyhow::Result<()> {
        let (proxy, control) = (arena.clickhouse(), &arena.lake.control);
        match self {
            Self::BlackHole => {
                proxy.set_mode(Mode::BlackHole);
                tokio::time::sleep(time).await;
                proxy.set_mode(Mode::Pass);
                proxy.cut();
            }
            Self::BadLine => {
                let delay = Duration::from_millis(300);
                proxy.set_line(Line { delay, bytes_per_second: Some(30_000) });
                tokio::time::sleep(time).await;
                proxy.set_line(Line::default());
            }
            Self::Flaps => {
                // A short run of luck must not let everybody by: it is away until one
                // has come in vain.
                proxy.set_mode(Mode::Refuse);
                proxy.cut();
                let refused =
                    || async { Ok((proxy.count("connections refused") > 0).then_some(())) };
                arena.lake.until("a connection to be refused", refused).await?;
                flap(proxy, time, dice).await;
            }
            Self::Killed => {
                control.kill_cluster("ingestion").await?;
                tokio::time::sleep(time).await;
                control.start_cluster("ingestion").await?;
            }
            Self::Stopped => {
                control.pause_cluster("ingestion").await?;
                tokio::time::sleep(time).await;
                control.resume_cluster("ingestion").await?;
            }
        }
        Ok(())
    }
}

/// Goes and comes at random, for so long.
pub async fn flap(proxy: &Proxy, time: Duration, mut dice: Dice) {
    let some = Duration::from_millis(50)..Duration::from_millis(800);
    let end = tokio::time::Instant::now() + time;
    while tokio::time::Instant::now() < end {
        proxy.set_mode(Mode::Refuse);
        proxy.cut();
        tokio::time::sleep(dice.time(some.clone())).await;
        proxy.set_mode(Mode::Pass);
        tokio::time::sleep(dice.time(some.clone())).await;
    }
}

/// Five receives, and a visibility timeout that outlasts the trouble.
fn setup(run: &Run) -> Setup {
    Setup {
        visibility_timeout_s: run.pick(15, 2),
        max_receive_count: run.pick(5, 20),
        timeout_seconds: run.pick(60, 15),
        ..run.setup()
    }
}
