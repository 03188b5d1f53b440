//! 4 and 5: the first of two clusters dies, or is sick in one of many ways.
//! Writes go on at the second; once the first is well, `motherlode reconcile`
//! pays what it is owed, and each cluster holds every row once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use runtime::Environment;
use rustix::process::Signal;
use testkit::Setup;

use super::alone::flap;
use crate::arena::{Arena, DATABASE, Feed, signal};
use crate::dice::Dice;
use crate::proxy::{Line, Mode};
use crate::rows::Rows;
use crate::run::Run;
use crate::verdict::{Expected, Fingerprint, judge, oracle, union};

/// The clusters in their order.
const CLUSTERS: &[&str] = &["first", "second"];
/// Rows of an object; several chunks.
const ROWS: u64 = 5_000;
/// From the moment the first cluster dies to the first row on the second.
const PROMISED: Duration = Duration::from_secs(5);

/// 4: the first cluster is killed at a random moment under load.
pub async fn killed(run: &mut Run) -> anyhow::Result<()> {
    let objects = run.pick(600, 40);
    let times = run.pick(5, 1);
    let arena = Arena::start(run, setup(run)).await?;
    let feed = Feed { clusters: CLUSTERS, ..Feed::csv("failover", ROWS / 5) };
    arena.feed(&feed).await?;
    let rows = Rows::new(run.dice.roll());
    for time in 0..times {
        let range = time * objects..(time + 1) * objects;
        let wait = run.dice.time(Duration::from_millis(300)..Duration::from_millis(1_500));
        let landing = arena.land_many(&feed, rows, range.clone(), ROWS);
        let dying = async {
            let start = format!("SELECT count() FROM {DATABASE}.failover");
            let before: u64 = count(&arena, "first", &start).await?;
            arena
                .lake
                .until("the first rows", || async {
                    Ok((count(&arena, "first", &start).await? > before).then_some(()))
                })
                .await?;
            tokio::time::sleep(wait).await;
            let before = count(&arena, "second", &start).await?;
            arena.lake.control.kill_cluster("first").await?;
            let killed = Instant::now();
            arena
                .lake
                .until("a row on the second cluster", || async {
                    Ok((count(&arena, "second", &start).await? > before).then_some(()))
                })
                .await?;
            anyhow::Ok(killed.elapsed())
        };
        let (files, took) = futures::try_join!(landing, dying)?;
        run.injected("clusters killed", 1);
        run.figure("ms to the first row on the second", u64::try_from(took.as_millis())?);
        run.check(took < PROMISED, || format!("writes went on after {took:?}"));
        arena.loaded(feed.source, range.end).await?;
        arena.lake.control.start_cluster("first").await?;
        let oracle = oracle_of(&arena, &files).await?;
        judge_union(run, &arena, &feed, &oracle).await?;
        kill_reconcile(run, &arena).await?;
        reconcile(&arena).await?;
        let expected = Expected { objects: range.end, ..Expected::default() };
        judge(run, &arena, &feed, &oracle, expected).await?;
    }
    Ok(())
}

/// 5: the first cluster is there, and sick.
pub async fn sick(run: &mut Run) -> anyhow::Result<()> {
    let objects = run.pick(60, 6);
    let arena = Arena::start(run, setup(run)).await?;
    let feed = Feed { clusters: CLUSTERS, ..Feed::csv("sick", ROWS / 5) };
    arena.feed(&feed).await?;
    // With `auto` the function would make a missing table again and write into
    // it, which heals that sickness by itself.
    let never = feed.document().replace("order_by: [id] }", "order_by: [id], create: never }");
    arena.lake.register(&never).await?;
    let rows = Rows::new(run.dice.roll());
    let mut landed = 0;
    for sickness in SICKNESSES {
        run.say(sickness.name());
        // Well at first: the function knows the cluster when it falls sick.
        arena.land_many(&feed, rows, landed..landed + objects, ROWS).await?;
        let over = AtomicBool::new(false);
        let there = format!("SELECT count() FROM {DATABASE}.sick");
        let before = count(&arena, "second", &there).await?;
        let seed = run.dice.fork().below(1 << 32);
        let befall = sickness.befall(&arena, seed, &over);
        let falling: BoxFuture<'_, anyhow::Result<()>> = match sickness {
            Sickness::Password => {
                // Instances are exchanged while they have nothing to do: no invocation
                // may end badly.
                arena.loaded(feed.source, landed + objects).await?;
                befall.await?;
                ready(Ok(())).boxed()
            }
            _ => befall.boxed(),
        };
        let loading = async {
            arena.land_many(&feed, rows, landed + objects..landed + 2 * objects, ROWS).await?;
            arena.loaded(feed.source, landed + 2 * objects).await?;
            over.store(true, Ordering::Relaxed);
            anyhow::Ok(())
        };
        futures::try_join!(falling, loading)?;
        landed += 2 * objects;
        let elsewhere = count(&arena, "second", &there).await? - before;
        // A sickness that nobody noticed has not been shown. Who is slow or comes back
        // may be waited for.
        let is_shown = elsewhere > 0 || matches!(sickness, Sickness::Slow | Sickness::Flaps);
        run.injected(sickness.name(), u64::from(is_shown));
        sickness.heal(&arena).await?;
        let files = arena.keep("none", b"")?.with_file_name("sick-*.csv");
        let oracle = oracle_of(&arena, &files).await?;
        judge_union(run, &arena, &feed, &oracle).await?;
        reconcile(&arena).await?;
        let expected = Expected { objects: landed, ..Expected::default() };
        judge(run, &arena, &feed, &oracle, expected).await?;
    }
    Ok(())
}

/// What may befall a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sickness {
    BlackHole,
    Slow,
    Flaps,
    Password,
    TableMissing,
    OtherType,
}

const SICKNESSES: [Sickness; 6] = [
    Sickness::BlackHole,
    Sickness::Slow,
    Sickness::Flaps,
    Sickness::Password,
    Sickness::TableMissing,
    Sickness::OtherType,
];

impl Sickness {
    fn name(self) -> &'static str {
        match self {
            Self::BlackHole => "black holes",
            Self::Slow => "slow clusters",
            Self::Flaps => "flapping clusters",
            Self::Password => "passwords refused",
            Self::TableMissing => "tables missing",
            Self::OtherType => "columns of another type",
        }
    }

    /// Makes the first cluster sick; returns once it is over, or at once.
    async fn befall(self, arena: &Arena, seed: u64, over: &AtomicBool) -> anyhow::Result<()> {
        let proxy = arena.clickhouse();
        match self {
            Self::BlackHole => proxy.set_mode(Mode::BlackHole),
            Self::Slow => proxy
                .set_line(Line { delay: Duration::from_secs(2), bytes_per_second: Some(2_000) }),
            Self::Flaps => {
                let mut dice = Dice::new(seed);
                while !over.load(Ordering::Relaxed) {
                    flap(proxy, Duration::from_secs(1), dice.fork()).await;
                }
            }
            Self::Password => {
                password(arena, "wrong").await?;
                // Who has begun knows the right one for a while.
                let status = arena.lake.control.status().await?;
                let mother = status.function("mother").context("no mother")?;
                for instance in &mother.instances {
                    signal(instance.pid, Signal::KILL);
                }
            }
            Self::TableMissing => {
                run_on_first(arena, &format!("RENAME TABLE {DATABASE}.sick TO {DATABASE}.away"))
                    .await?;
            }
            Self::OtherType => {
                // A column with values cannot become an array: another table takes the
                // place of the right one, at once. What a table took that was right for
                // a moment would go with it.
                for sql in [
                    format!("CREATE TABLE {DATABASE}.other AS {DATABASE}.sick"),
                    format!(
                        "ALTER TABLE {DATABASE}.other DROP COLUMN amount, ADD COLUMN amount Array(String)"
                    ),
                    format!(
                        "RENAME TABLE {DATABASE}.sick TO {DATABASE}.away, {DATABASE}.other TO {DATABASE}.sick"
                    ),
                ] {
                    run_on_first(arena, &sql).await?;
                }
            }
        }
        Ok(())
    }

    async fn heal(self, arena: &Arena) -> anyhow::Result<()> {
        let proxy = arena.clickhouse();
        proxy.set_mode(Mode::Pass);
        proxy.set_line(Line::default());
        match self {
            Self::Password => {
                let right = arena.lake.state.cluster("first").context("no cluster")?;
                password(arena, &right.function_password).await
            }
            Self::TableMissing => {
                let back = format!("RENAME TABLE {DATABASE}.away TO {DATABASE}.sick");
                run_on_first(arena, &back).await
            }
            Self::OtherType => {
                let back = format!(
                    "RENAME TABLE {DATABASE}.sick TO {DATABASE}.other, {DATABASE}.away TO {DATABASE}.sick"
                );
                run_on_first(arena, &back).await?;
                // Nothing can have come into it.
                let there = format!("SELECT count() FROM {DATABASE}.other");
                anyhow::ensure!(
                    count(arena, "first", &there).await? == 0,
                    "rows came into a table of other columns"
                );
                run_on_first(arena, &format!("DROP TABLE {DATABASE}.other SYNC")).await
            }
            _ => Ok(()),
        }
    }
}

async fn password(arena: &Arena, password: &str) -> anyhow::Result<()> {
    let environment = Environment::of(arena.lake.state.environment());
    let secrets = runtime::aws::secrets(&runtime::aws::configuration_for(&environment).await);
    let cluster = arena.lake.state.cluster("first").context("no cluster")?;
    let user = devstack::user_of("mother");
    let text = serde_json::json!({"username": user, "password": password}).to_string();
    let secret = cluster.secret_of(user);
    secrets.put_secret_value().secret_id(secret).secret_string(text).send().await?;
    Ok(())
}

async fn run_on_first(arena: &Arena, sql: &str) -> anyhow::Result<()> {
    arena.lake.query("first", sql).await.map(drop)
}

async fn count(arena: &Arena, cluster: &str, sql: &str) -> anyhow::Result<u64> {
    let rows = arena.lake.query(cluster, sql).await?;
    let row = rows.first().and_then(|row| row.as_object()).context("a count has a row")?;
    row.values().next().and_then(serde_json::Value::as_u64).context("a count is a number")
}

async fn oracle_of(arena: &Arena, files: &std::path::Path) -> anyhow::Result<Fingerprint> {
    oracle(arena, files, "CSVWithNames").await
}

/// Before reconciliation: no cluster holds a row twice, and together they hold
/// every row.
async fn judge_union(
    run: &mut Run,
    arena: &Arena,
    feed: &Feed,
    oracle: &Fingerprint,
) -> anyhow::Result<()> {
    let found = union(run, arena, feed).await?;
    run.check(found == *oracle, || format!("the union: {found:?}; the oracle: {oracle:?}"));
    Ok(())
}

/// Kills the function that pays, at random moments of its work. One that was done
/// before its moment came is asked again, and killed sooner.
async fn kill_reconcile(run: &mut Run, arena: &Arena) -> anyhow::Result<()> {
    let event = r#"{"detail-type": "Scheduled Event", "source": "aws.events"}"#;
    let wanted = run.pick(5, 2);
    // The little that is owed in the short form is paid by a run that lives that long.
    let mut latest = Duration::from_millis(run.pick(900, 100));
    let mut kills = 0;
    for _ in 0..10 * wanted {
        if kills == wanted {
            break;
        }
        let wait = run.dice.time(Duration::from_millis(5)..latest);
        let dying = async {
            tokio::time::sleep(wait).await;
            arena.lake.control.kill_busy("reconcile").await
        };
        let (paid, killed) =
            futures::join!(arena.lake.control.invoke("reconcile", event.to_owned()), dying);
        // One that is killed is an error of the function, not of the control.
        paid?.ok();
        match killed? {
            Some(_) => kills += 1,
            None => latest = (latest / 2).max(Duration::from_millis(10)),
        }
    }
    run.injected("reconciles killed", kills);
    Ok(())
}

/// Runs `motherlode reconcile`, which must end well and leave nothing owed: once the
/// lease of one that was killed is over.
async fn reconcile(arena: &Arena) -> anyhow::Result<()> {
    arena
        .lake
        .until("everything to be paid", || async {
            match arena.motherlode(&["reconcile"]).await {
                Ok(_) => Ok(Some(())),
                Err(error) if format!("{error:#}").contains("0 objects still owe") => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
}

/// Two clusters; patience for what is tried again.
fn setup(run: &Run) -> Setup {
    Setup {
        clusters: CLUSTERS,
        concurrency: 3,
        reconcile: true,
        visibility_timeout_s: 5,
        max_receive_count: 10,
        ..run.setup()
    }
}
