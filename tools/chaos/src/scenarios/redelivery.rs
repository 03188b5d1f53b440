//! 3: every event delivered ten times at once, and again when the ledger's
//! entries are old; the same key overwritten with other bytes.

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::try_join_all;
use testkit::Setup;

use crate::arena::{Arena, Feed};
use crate::rows::Rows;
use crate::run::Run;
use crate::verdict::{Expected, judge, oracle};

/// Deliveries of each event besides S3's own.
const DELIVERIES: u64 = 10;
/// Rows of an object; several chunks.
const ROWS: u64 = 10_000;

pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    let objects = run.pick(100, 4);
    let arena = Arena::start(run, setup(run)).await?;
    let feed = Feed::csv("again", 3_000);
    arena.feed(&feed).await?;
    let rows = Rows::new(run.dice.roll());
    let files = arena.land_many(&feed, rows, 0..objects, ROWS).await?;
    deliver(run, &arena, &feed, objects).await?;
    arena.loaded(feed.source, objects).await?;

    let before = arena.records(feed.source).await?;
    for record in &before {
        age(&arena, &record.source, &record.object).await?;
    }
    run.injected("entries made a year old", before.len() as u64);
    deliver(run, &arena, &feed, objects).await?;
    arena.loaded(feed.source, objects).await?;
    let fences =
        |records: &[ledger::Record]| records.iter().map(|record| record.fence).sum::<u64>();
    let after = arena.records(feed.source).await?;
    run.check(fences(&after) == fences(&before), || {
        "a delivery after a year claimed an object that was done".to_owned()
    });
    let first = oracle(&arena, &files, "CSVWithNames").await?;
    let expected = Expected { objects, ..Expected::default() };
    judge(run, &arena, &feed, &first, expected).await?;

    // The same keys with other rows: another etag is another object, and its
    // rows come besides those that are there.
    let overwritten = objects / 2;
    for object in 0..overwritten {
        let from = (objects + object) * ROWS;
        let text = rows.csv(from..from + ROWS);
        arena.keep(&format!("again-other-{object}.csv"), &text)?;
        let key = format!("again/again-{object:05}.csv");
        arena.lake.land(feed.source, &key, text).await?;
    }
    run.injected("keys overwritten", overwritten);
    deliver(run, &arena, &feed, objects).await?;
    let objects = objects + overwritten;
    arena.loaded(feed.source, objects).await?;
    let both = oracle(&arena, &files, "CSVWithNames").await?;
    judge(run, &arena, &feed, &both, Expected { objects, ..Expected::default() }).await
}

/// Sends the event of every object ten times, all at once.
async fn deliver(run: &mut Run, arena: &Arena, feed: &Feed, objects: u64) -> anyhow::Result<()> {
    for object in 0..objects {
        let key = format!("{0}/{0}-{object:05}.csv", feed.source);
        let body = serde_json::json!({"bucket": "landing", "key": key}).to_string();
        try_join_all((0..DELIVERIES).map(|_| arena.lake.send(&body))).await?;
    }
    run.injected("events delivered again", objects * DELIVERIES);
    Ok(())
}

/// Makes an entry of the ledger a year old: all its times.
async fn age(arena: &Arena, source: &str, object: &model::ObjectId) -> anyhow::Result<()> {
    let query = arena
        .lake
        .dynamodb
        .query()
        .table_name(devstack::LEDGER_TABLE)
        .index_name(ledger::BY_SOURCE)
        .key_condition_expression("#source = :source")
        .filter_expression("#key = :key AND etag = :etag")
        .expression_attribute_names("#source", "source")
        .expression_attribute_names("#key", "key")
        .expression_attribute_values(":source", text(source))
        .expression_attribute_values(":key", text(&object.key))
        .expression_attribute_values(":etag", text(&object.etag));
    let found = query.send().await?;
    for item in found.items() {
        let mut old = item.clone();
        for (name, value) in &mut old {
            if let (true, AttributeValue::S(time)) = (name.ends_with("_at"), value) {
                // Times are written as 2026-…: a year is a digit.
                let year: u32 = time.get(..4).unwrap_or_default().parse()?;
                *time = format!("{}{}", year - 1, &time[4..]);
            }
        }
        let put = arena.lake.dynamodb.put_item().table_name(devstack::LEDGER_TABLE);
        put.set_item(Some(old)).send().await?;
    }
    anyhow::ensure!(
        found.items().len() == 1,
        "{object} is {} times in the ledger",
        found.items().len()
    );
    Ok(())
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// Three instances; a delivery that finds the object taken looks again later.
fn setup(run: &Run) -> Setup {
    let lease = ("MOTHERLODE_LEASE_SECONDS".to_owned(), "3".to_owned());
    let setup = run.setup();
    Setup { concurrency: 3, env: setup.env.into_iter().chain([lease]).collect(), ..setup }
}
