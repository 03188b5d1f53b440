//! What a run found, and the table of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::run::Size;

/// What became of one scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Its number in the issue.
    pub number: u8,
    /// Its name.
    pub name: &'static str,
    /// `full` or `quick`.
    pub size: &'static str,
    /// The seed that repeats it.
    pub seed: u64,
    /// What was done to the product, and how often.
    pub injected: BTreeMap<String, u64>,
    /// What was measured.
    pub figures: BTreeMap<String, Value>,
    /// What was wrong; empty when it has passed.
    pub problems: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl Outcome {
    /// Nothing yet.
    #[must_use]
    pub fn new(number: u8, name: &'static str, size: Size, seed: u64) -> Self {
        Self {
            number,
            name,
            size: match size {
                Size::Full => "full",
                Size::Quick => "quick",
            },
            seed,
            injected: BTreeMap::new(),
            figures: BTreeMap::new(),
            problems: Vec::new(),
            seconds: 0.0,
        }
    }

    /// Whether nothing was wrong.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }

    /// `passed` or `FAILED`.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        if self.passed() { "passed" } else { "FAILED" }
    }

    fn details(&self) -> String {
        let injected = self.injected.iter().map(|(what, times)| format!("{times} {what}"));
        let figures = self.figures.iter().map(|(what, value)| format!("{what} {}", plain(value)));
        injected.chain(figures).collect::<Vec<_>>().join(", ")
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The table of a run, in Markdown.
#[must_use]
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| scenario | verdict | seed | seconds | what was done, and figures |\n| --- | --- | --- | --- | --- |\n",
    );
    for outcome in outcomes {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} {} | {} | {} | {:.1} | {} |",
            outcome.number,
            outcome.name,
            outcome.verdict(),
            outcome.seed,
            outcome.seconds,
            outcome.details().replace('|', "\\|"),
        );
    }
    text
}
