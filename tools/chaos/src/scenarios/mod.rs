//! The scenarios, numbered as in the issue; those from 11 on came besides.

mod alone;
mod aws;
mod bad_row;
mod cut;
mod failover;
mod kill;
mod large;
mod overload;
mod parts;
mod pixel;
mod redelivery;
mod stream;

use std::time::Instant;

use crate::report::Outcome;
use crate::run::{Run, Size};

/// One scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its number in the issue.
    pub number: u8,
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        number: 1,
        name: "kill",
        about: "kill -9 at 200 random moments while a file of a million rows loads",
    },
    Scenario {
        number: 2,
        name: "cut",
        about: "the connection is cut after the commit and before the answer, 1,000 times",
    },
    Scenario {
        number: 3,
        name: "redelivery",
        about: "each event ten times at once, and again a year later; keys overwritten",
    },
    Scenario {
        number: 4,
        name: "failover",
        about: "the first cluster is killed under load, stays away, comes back",
    },
    Scenario {
        number: 5,
        name: "sick",
        about: "the first cluster is a black hole, slow, flaps, refuses its password, has other tables",
    },
    Scenario {
        number: 6,
        name: "bad-row",
        about: "one bad row in a million, in CSV, JSON, Parquet and Arrow",
    },
    Scenario {
        number: 7,
        name: "parts",
        about: "10,000 small objects into a table that takes 300 parts",
    },
    Scenario {
        number: 8,
        name: "overload",
        about: "the server answers 252, 241 and 202 for a while",
    },
    Scenario {
        number: 9,
        name: "aws",
        about: "DynamoDB, SQS and S3 throttle and fail; workers paused beyond their lease",
    },
    Scenario {
        number: 10,
        name: "large",
        about: "2 GB decoded through several invocations of less than a minute",
    },
    Scenario {
        number: 11,
        name: "alone",
        about: "the only cluster is a black hole, on a bad line, flaps, is killed, is stopped",
    },
    Scenario {
        number: 12,
        name: "stream",
        about: "records of Kafka in batches cut anew and repeated, the sink and a cluster killed, answers lost",
    },
    Scenario {
        number: 13,
        name: "pixel",
        about: "the pixel is killed at 2,000 requests a second; what it acknowledged is there",
    },
    Scenario {
        number: 14,
        name: "away",
        about: "the broker is away for minutes; what was acknowledged is there once it is back",
    },
];

/// Runs a scenario to its verdict, on a stack of that name. Whatever keeps it from one
/// is a problem of the outcome.
pub async fn run(scenario: &Scenario, size: Size, seed: u64, stack: &'static str) -> Outcome {
    let started = Instant::now();
    let mut run = Run::new(scenario.number, scenario.name, size, seed);
    run.stack = stack;
    let ended = match scenario.number {
        1 => kill::run(&mut run).await,
        2 => cut::run(&mut run).await,
        3 => redelivery::run(&mut run).await,
        4 => failover::killed(&mut run).await,
        5 => failover::sick(&mut run).await,
        6 => bad_row::run(&mut run).await,
        7 => parts::run(&mut run).await,
        8 => overload::run(&mut run).await,
        9 => aws::run(&mut run).await,
        10 => large::run(&mut run).await,
        11 => alone::run(&mut run).await,
        12 => stream::run(&mut run).await,
        13 => pixel::killed(&mut run).await,
        14 => pixel::away(&mut run).await,
        number => Err(anyhow::anyhow!("there is no scenario {number}")),
    };
    if let Err(error) = ended {
        run.problem(format!("it did not come to a verdict: {error:#}"));
    }
    run.finish(started.elapsed().as_secs_f64())
}
