//! `cargo xtask chaos`: the scenarios, their verdicts, a table at the end.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use chaos::{Dice, Outcome, SCENARIOS, Scenario, Size};
use clap::Parser;

/// What to run.
#[derive(Debug, Clone, Parser)]
#[command(name = "cargo xtask chaos", bin_name = "cargo xtask chaos")]
struct Options {
    /// Scenarios by number or name; all when none is named.
    scenarios: Vec<String>,
    /// The seed of everything random; a fresh one for each scenario by default.
    #[arg(long)]
    seed: Option<u64>,
    /// Smaller numbers: what the tests run.
    #[arg(long)]
    quick: bool,
    /// Name of the stack: runs side by side need one each.
    #[arg(long, default_value = "chaos")]
    stack: String,
    /// Only shows which scenarios there are.
    #[arg(long)]
    list: bool,
    /// Writes the outcomes as JSON, too.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match chaos(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs what is wanted; false when something has failed.
async fn chaos(options: &Options) -> anyhow::Result<bool> {
    let wanted = wanted(&options.scenarios)?;
    if options.list {
        let lines: String = wanted.iter().map(|scenario| line(scenario)).collect();
        print(&lines)?;
        return Ok(true);
    }
    let size = if options.quick { Size::Quick } else { Size::Full };
    // As long as the process.
    let stack: &'static str = options.stack.clone().leak();
    let mut outcomes = Vec::new();
    for scenario in wanted {
        let seed = options.seed.unwrap_or_else(Dice::fresh_seed);
        say(&format!("{} {}: seed {seed}", scenario.number, scenario.name));
        let outcome = chaos::run(scenario, size, seed, stack).await;
        say(&format!("{} {}: {}", outcome.number, outcome.name, outcome.verdict()));
        outcomes.push(outcome);
        if let Some(file) = &options.json {
            std::fs::write(file, serde_json::to_vec_pretty(&outcomes)?)
                .with_context(|| format!("writing {}", file.display()))?;
        }
    }
    print(&chaos::table(&outcomes))?;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.problems.is_empty()).collect();
    for outcome in &failed {
        tell(outcome);
    }
    Ok(failed.is_empty())
}

/// Says what was wrong, and how to see it again.
fn tell(outcome: &Outcome) {
    for problem in &outcome.problems {
        say(&format!("{} {}: {problem}", outcome.number, outcome.name));
    }
    let quick = if outcome.size == "quick" { " --quick" } else { "" };
    say(&format!(
        "the same again: cargo xtask chaos {} --seed {}{quick}",
        outcome.number, outcome.seed
    ));
}

fn wanted(names: &[String]) -> anyhow::Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(SCENARIOS.iter().collect());
    }
    let mut found = Vec::new();
    for name in names {
        let is_it =
            |scenario: &&Scenario| scenario.name == name || scenario.number.to_string() == *name;
        match SCENARIOS.iter().find(is_it) {
            Some(scenario) => found.push(scenario),
            None => bail!("no scenario is `{name}`: see --list"),
        }
    }
    Ok(found)
}

fn line(scenario: &Scenario) -> String {
    format!("{:>2} {:<14} {}\n", scenario.number, scenario.name, scenario.about)
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

fn say(text: &str) {
    // Without standard error there is nobody to tell.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
