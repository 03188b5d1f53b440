//! The scenarios, numbered as in the issue.

mod kill;

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
    /// What the product still lacks for it, if anything: such a scenario is not
    /// among those that run when none is named.
    pub not_yet: Option<&'static str>,
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[Scenario {
    number: 1,
    name: "kill",
    about: "kill -9 at 200 random moments while a file of a million rows loads",
    not_yet: None,
}];

/// Runs a scenario to its verdict. Whatever keeps it from one is a problem of
/// the outcome.
pub async fn run(scenario: &Scenario, size: Size, seed: u64) -> Outcome {
    let started = Instant::now();
    let mut run = Run::new(scenario.number, scenario.name, size, seed);
    let ended = match scenario.number {
        1 => kill::run(&mut run).await,
        number => Err(anyhow::anyhow!("there is no scenario {number}")),
    };
    if let Err(error) = ended {
        run.problem(format!("it did not come to a verdict: {error:#}"));
    }
    run.finish(started.elapsed().as_secs_f64())
}
