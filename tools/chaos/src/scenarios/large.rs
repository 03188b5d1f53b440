//! 10: an object of 2 GB decoded, through several invocations of less than a
//! minute. Each next one begins where the one before has stopped.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use testkit::Setup;

use crate::arena::{Arena, Feed};
use crate::rows::{self, Rows};
use crate::run::Run;
use crate::verdict::{Expected, judge, oracle};

/// Rows that are written at a time.
const PIECE: u64 = 50_000;

pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    let bytes = run.pick(2 << 30, 80 << 20);
    let arena = Arena::start(run, setup(run)).await?;
    let feed = Feed::csv("large", run.pick(200_000, 10_000));
    arena.feed(&feed).await?;
    let file = arena.keep("large.csv.gz", b"")?;
    run.say("making the file");
    let decoded = write(&file, Rows::new(run.dice.roll()), bytes)?;
    run.figure("MB decoded", decoded >> 20);
    let oracle = oracle(&arena, &file, "CSVWithNames").await?;
    run.say(&format!("landing {} rows", oracle.rows));
    let landed = arena.lake.land("large", "large/x.csv.gz", std::fs::read(&file)?).await?;
    let record = arena.lake.done(&landed).await?;
    arena.lake.drained().await?;
    // Every further invocation is a claim of its own.
    run.injected("invocations that the deadline ended", record.fence - 1);
    run.figure("invocations", record.fence);
    judge(run, &arena, &feed, &oracle, Expected { objects: 1, ..Expected::default() }).await
}

/// Writes rows until their text has so many bytes; gives how many it has.
fn write(path: &Path, rows: Rows, bytes: u64) -> anyhow::Result<u64> {
    let mut out = GzEncoder::new(BufWriter::new(File::create(path)?), Compression::fast());
    let mut text = rows::header();
    let (mut written, mut next) = (0, 0);
    while written < bytes {
        for id in next..next + PIECE {
            rows.row(id).padded(200).csv(&mut text);
        }
        next += PIECE;
        out.write_all(text.as_bytes())?;
        written += text.len() as u64;
        text.clear();
    }
    out.finish()?.into_inner().map_err(|error| error.into_error())?;
    Ok(written)
}

/// One instance; the issue allows a minute, less makes more of them. In the short
/// form a busy machine may not finish a chunk in time: such a try is one of many.
fn setup(run: &Run) -> Setup {
    Setup {
        concurrency: 1,
        timeout_seconds: run.pick(20, 3),
        visibility_timeout_s: run.pick(120, 5),
        max_receive_count: run.pick(3, 20),
        ..run.setup()
    }
}
