//! 1: kill -9 at random moments while a file loads.
//!
//! The moments are rows of the file, chosen before, plus some milliseconds: the
//! worker that has reached the row is killed that much later, whatever it does
//! then. Between two kills the next worker must have taken the object over.

use std::time::Duration;

use ledger::State;
use rustix::process::Signal;
use testkit::Setup;

use crate::arena::{Arena, Feed, signal};
use crate::rows::Rows;
use crate::run::Run;
use crate::verdict::{Expected, judge, oracle};

pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    let rows = run.pick(1_000_000, 60_000);
    let kills = run.pick(200, 4);
    let arena = Arena::start(run, setup(run)).await?;
    let feed = Feed::csv("kill", run.pick(1_000, 500));
    arena.feed(&feed).await?;
    let text = Rows::new(run.dice.roll()).csv(0..rows);
    let file = arena.keep("kill.csv", &text)?;
    let oracle = oracle(&arena, &file, "CSVWithNames").await?;
    // Not near the end: the file would be done before the last kill.
    let mut moments: Vec<u64> = (0..kills).map(|_| run.dice.below(rows / 4 * 3)).collect();
    moments.sort_unstable();
    let landed = arena.lake.land("kill", "kill/million.csv", text).await?;
    // The event comes several times: whenever a worker has died, somebody is
    // about to look again, and the next need not wait for the queue.
    for _ in 0..5 {
        arena.lake.send(r#"{"bucket":"landing","key":"kill/million.csv"}"#).await?;
    }
    let (mut killed, mut fence) = (0, 0);
    for row in moments {
        let wait = run.dice.time(Duration::ZERO..Duration::from_millis(120));
        let Some(owner) = owner_behind(&arena, &landed, row, fence).await? else { break };
        tokio::time::sleep(wait).await;
        if signal(owner.0, Signal::KILL) {
            killed += 1;
            fence = owner.1;
            if killed % 20 == 0 {
                run.say(&format!("{killed} kills, row {row}"));
            }
        }
    }
    run.injected("kills", killed);
    run.check(killed == kills, || {
        format!("{killed} kills instead of {kills}: the file was too short")
    });
    let record = arena.lake.done(&landed).await?;
    arena.lake.drained().await?;
    run.figure("owners", record.fence);
    run.check(record.fence > killed / 2, || format!("only {} owners", record.fence));
    judge(run, &arena, &feed, &oracle, Expected { objects: 1, killed: true, ..Expected::default() })
        .await
}

/// Short times: whoever dies is missed after a second. A message may be received
/// often, because each kill of its worker costs one of its tries; it stays invisible for
/// as long as looking at a batch takes a busy machine, or each look would leave two.
fn setup(run: &Run) -> Setup {
    let setup =
        Setup { visibility_timeout_s: 3, max_receive_count: 1000, concurrency: 3, ..run.setup() };
    let lease = ("MOTHERLODE_LEASE_SECONDS".to_owned(), "1".to_owned());
    Setup { env: setup.env.into_iter().chain([lease]).collect(), ..setup }
}

/// Process and fence of the next owner once it has come to the row; none when
/// the object is done.
async fn owner_behind(
    arena: &Arena,
    landed: &testkit::Landed,
    row: u64,
    fence: u64,
) -> anyhow::Result<Option<(u32, u64)>> {
    arena
        .lake
        .until(&format!("an owner to reach row {row}"), || async {
            let record = arena.lake.ingest.ledger.get(&landed.source, &landed.id).await?;
            let Some(record) = record else { return Ok(None) };
            if record.state == State::Done {
                return Ok(Some(None));
            }
            if record.state != State::Loading || record.fence <= fence || record.next_row < row {
                return Ok(None);
            }
            Ok(arena.owner_pid(&record).await?.map(|pid| Some((pid, record.fence))))
        })
        .await
}
