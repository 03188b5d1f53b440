//! 9: DynamoDB, SQS and S3 throttle and fail at random, also after they have
//! done what was asked; and workers are paused beyond their lease while their
//! successors go on.

use std::time::Duration;

use anyhow::Context as _;
use ledger::{Record, State};
use rustix::process::Signal;
use testkit::{Landed, Setup};

use crate::arena::{Arena, Feed, signal};
use crate::proxy::Mode;
use crate::proxy::fault::{Act, Answer, On, Rule};
use crate::rows::Rows;
use crate::run::{Run, Size};
use crate::verdict::{Expected, judge, oracle};

/// Rows of a small object; three chunks.
const ROWS: u64 = 3_000;
/// Seconds of an invocation.
const TIMEOUT_SECONDS: u32 = 60;
/// What a worker logs whose object was taken over.
const TAKEN_OVER: &str = "another worker has taken the object over";

pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    {
        let arena = Arena::start(run, setup(run, run.pick(25, 5))).await?;
        faults(run, &arena).await?;
        if run.size == Size::Full {
            black_hole(run, &arena).await?;
        }
    }
    // Whoever is paused must be missed soon.
    let arena = Arena::start(run, setup(run, run.pick(4, 2))).await?;
    pauses(run, &arena).await
}

async fn faults(run: &mut Run, arena: &Arena) -> anyhow::Result<()> {
    let objects = run.pick(150, 10);
    let feed = Feed::csv("aws", ROWS / 3);
    arena.feed(&feed).await?;
    let rules = rules(run.pick(0.02, 0.05));
    arena.aws.set_rules(rules.clone());
    let rows = Rows::new(run.dice.roll());
    let files = arena.land_many(&feed, rows, 0..objects, ROWS).await?;
    // Whoever finds an object taken says so to the queue: that asks SQS for
    // something, too.
    for object in 0..objects {
        let key = format!("aws/aws-{object:05}.csv");
        arena.lake.send(&serde_json::json!({"bucket": "landing", "key": key}).to_string()).await?;
    }
    arena.loaded(feed.source, objects).await?;
    arena.aws.set_rules(Vec::new());
    // Each by chance: that all kinds happened can be asked of many only.
    let kinds = rules.iter().filter(|rule| arena.aws.count(rule.name) > 0).count();
    let all: u64 = rules.iter().map(|rule| arena.aws.count(rule.name)).sum();
    run.injected("faults of AWS", all);
    for rule in &rules {
        run.figure(rule.name, arena.aws.count(rule.name));
    }
    let needed = run.pick(rules.len(), rules.len() / 2);
    run.check(kinds >= needed, || format!("only {kinds} kinds of faults happened"));
    let oracle = oracle(arena, &files, "CSVWithNames").await?;
    judge(run, arena, &feed, &oracle, Expected { objects, ..Expected::default() }).await
}

fn rules(chance: f64) -> Vec<Rule> {
    const BAD: &str = "400 Bad Request";
    const FAILED: &str = "500 Internal Server Error";
    let json = Answer::aws_json;
    [
        (
            "DynamoDB throttled",
            On::DynamoDb,
            Act::Refuse(json(
                BAD,
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
            )),
        ),
        (
            "DynamoDB 500",
            On::DynamoDb,
            Act::Refuse(json(FAILED, "com.amazonaws.dynamodb.v20120810#InternalServerError")),
        ),
        (
            "DynamoDB 500 after it was done",
            On::DynamoDb,
            Act::DoneAndRefused(json(
                FAILED,
                "com.amazonaws.dynamodb.v20120810#InternalServerError",
            )),
        ),
        ("DynamoDB answers lost", On::DynamoDb, Act::LoseAnswer),
        ("SQS throttled", On::Sqs, Act::Refuse(json(BAD, "com.amazonaws.sqs#RequestThrottled"))),
        (
            "SQS 500 after it was done",
            On::Sqs,
            Act::DoneAndRefused(json(FAILED, "com.amazonaws.sqs#InternalError")),
        ),
        ("S3 SlowDown", On::S3, Act::Refuse(Answer::aws_xml("503 Slow Down", "SlowDown"))),
        ("S3 500", On::S3, Act::Refuse(Answer::aws_xml(FAILED, "InternalError"))),
        ("S3 bodies cut", On::S3Get, Act::CutBody { within: 100_000 }),
    ]
    .into_iter()
    // DynamoDB is asked many times for each object, the others seldom.
    .map(|(name, on, act)| {
        let times = match on {
            On::Sqs => 25.0,
            On::S3Get => 4.0,
            _ => 1.0,
        };
        Rule::always(name, on, act).with_chance(f64::min(chance * times, 0.4))
    })
    .collect()
}

/// AWS does not answer at all for longer than an invocation may take: whatever
/// hangs, each invocation ends before its deadline.
async fn black_hole(run: &mut Run, arena: &Arena) -> anyhow::Result<()> {
    let objects = 60;
    let feed = Feed::csv("hole", ROWS / 3);
    arena.feed(&feed).await?;
    let rows = Rows::new(run.dice.roll());
    let files = arena.land_many(&feed, rows, 0..objects, ROWS).await?;
    tokio::time::sleep(run.dice.time(Duration::ZERO..Duration::from_secs(2))).await;
    arena.aws.set_mode(Mode::BlackHole);
    tokio::time::sleep(Duration::from_secs(u64::from(TIMEOUT_SECONDS) + 10)).await;
    arena.aws.set_mode(Mode::Pass);
    arena.aws.cut();
    run.injected("black holes instead of AWS", 1);
    arena.loaded(feed.source, objects).await?;
    let oracle = oracle(arena, &files, "CSVWithNames").await?;
    judge(run, arena, &feed, &oracle, Expected { objects, ..Expected::default() }).await
}

/// A worker is stopped (SIGSTOP) in the middle; when its lease is over, another
/// goes on; then the first is let go (SIGCONT), and must not commit any more.
async fn pauses(run: &mut Run, arena: &Arena) -> anyhow::Result<()> {
    let (times, count) = run.pick((10, 100_000), (1, 20_000));
    let rows = Rows::new(run.dice.roll());
    let feed = Feed::csv("paused", 500);
    arena.feed(&feed).await?;
    let told_before = arena.logged(TAKEN_OVER).await?;
    for time in 0..times {
        let text = rows.csv(time * count..(time + 1) * count);
        arena.keep(&format!("paused-{time}.csv"), &text)?;
        let landed = arena.lake.land("paused", &format!("paused/{time}.csv"), text).await?;
        let row = run.dice.below(count / 4);
        let (pid, stopped) = owner_behind(arena, &landed, row).await?;
        tokio::time::sleep(run.dice.time(Duration::ZERO..Duration::from_millis(60))).await;
        anyhow::ensure!(signal(pid, Signal::STOP), "the worker has gone");
        run.injected("workers paused beyond their lease", 1);
        let going_on = successor(arena, &landed, &stopped).await;
        // Whatever came of it, the process must not stay stopped.
        let is_awake = signal(pid, Signal::CONT);
        let going_on = going_on?;
        run.check(is_awake, || "the paused worker was gone before it was let go".to_owned());
        let record = arena.lake.done(&landed).await?;
        run.check(record.owner != stopped.owner && record.fence >= going_on.fence, || {
            format!("{} was finished by the worker that had lost it: {record:?}", landed.id)
        });
    }
    arena.lake.drained().await?;
    let told = arena.logged(TAKEN_OVER).await? - told_before;
    run.figure("late commits refused", told);
    run.check(told >= times, || {
        format!("{told} of {times} paused workers were told that they had lost the object")
    });
    let files = arena.keep("none", b"")?.with_file_name("paused-*.csv");
    let oracle = oracle(arena, &files, "CSVWithNames").await?;
    judge(run, arena, &feed, &oracle, Expected { objects: times, ..Expected::default() }).await
}

/// Process and record of the owner once it has come to the row.
async fn owner_behind(arena: &Arena, landed: &Landed, row: u64) -> anyhow::Result<(u32, Record)> {
    arena
        .lake
        .until(&format!("an owner to reach row {row}"), || async {
            let Some(record) = record(arena, landed).await? else { return Ok(None) };
            anyhow::ensure!(record.state != State::Done, "the object was too small");
            if record.next_row < row || record.state != State::Loading {
                return Ok(None);
            }
            Ok(arena.owner_pid(&record).await?.map(|pid| (pid, record)))
        })
        .await
}

/// The record once somebody else has the object and has committed a chunk.
async fn successor(arena: &Arena, landed: &Landed, of: &Record) -> anyhow::Result<Record> {
    arena
        .lake
        .until("a successor to go on", || async {
            let now = record(arena, landed).await?.context("the record has gone")?;
            let has_gone_on = now.fence > of.fence && now.next_row > of.next_row;
            Ok((has_gone_on || now.state == State::Done).then_some(now))
        })
        .await
}

async fn record(arena: &Arena, landed: &Landed) -> anyhow::Result<Option<Record>> {
    Ok(arena.lake.ingest.ledger.get(&landed.source, &landed.id).await?)
}

/// Short leases; tries enough for all the throttling.
fn setup(run: &Run, visibility_timeout_s: u32) -> Setup {
    let setup = Setup {
        concurrency: 3,
        visibility_timeout_s,
        max_receive_count: 20,
        timeout_seconds: TIMEOUT_SECONDS,
        ..run.setup()
    };
    let lease = ("MOTHERLODE_LEASE_SECONDS".to_owned(), "2".to_owned());
    Setup { env: setup.env.into_iter().chain([lease]).collect(), ..setup }
}
