//! One run of a scenario: its chance, and what it has done and found.

use std::io::Write as _;

use serde_json::Value;
use testkit::Setup;

use crate::dice::Dice;
use crate::report::Outcome;

/// How large the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Those of the issue.
    Full,
    /// Small ones, for every run of the tests.
    Quick,
}

/// A run of one scenario.
pub struct Run {
    /// How large the numbers are.
    pub size: Size,
    /// What everything random of it comes from.
    pub dice: Dice,
    /// Name of its stack.
    pub stack: &'static str,
    name: &'static str,
    outcome: Outcome,
}

impl Run {
    /// A run that has done nothing yet.
    pub fn new(number: u8, name: &'static str, size: Size, seed: u64) -> Self {
        let outcome = Outcome::new(number, name, size, seed);
        Self { size, dice: Dice::new(seed), stack: "chaos", name, outcome }
    }

    /// The number for this size.
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        match self.size {
            Size::Full => full,
            Size::Quick => quick,
        }
    }

    /// A stack for this run: the tests' and a person's may run side by side.
    pub fn setup(&self) -> Setup {
        Setup::new(self.stack)
    }

    /// Says something to the person who waits.
    pub fn say(&self, text: &str) {
        // Without standard error there is nobody to tell.
        drop(writeln!(std::io::stderr().lock(), "{}: {text}", self.name));
    }

    /// Notes what was done to the product. A scenario in which one of its
    /// faults never happened fails.
    pub fn injected(&mut self, what: &str, times: u64) {
        *self.outcome.injected.entry(what.to_owned()).or_default() += times;
    }

    /// Notes a figure for the report.
    pub fn figure(&mut self, what: &str, value: impl Into<Value>) {
        self.outcome.figures.insert(what.to_owned(), value.into());
    }

    /// Notes that something is not as it must be.
    pub fn problem(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.say(&format!("WRONG: {what}"));
        self.outcome.problems.push(what);
    }

    /// Notes a problem unless this holds.
    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.problem(what());
        }
    }

    /// The outcome, with the judgement of what was injected.
    pub fn finish(mut self, seconds: f64) -> Outcome {
        let idle: Vec<_> = self
            .outcome
            .injected
            .iter()
            .filter(|(_, times)| **times == 0)
            .map(|(what, _)| what.clone())
            .collect();
        if self.outcome.injected.is_empty() {
            self.problem("nothing was injected: the run has shown nothing");
        }
        for what in idle {
            self.problem(format!("`{what}` never happened: the run has not shown it"));
        }
        self.outcome.seconds = (seconds * 10.0).round() / 10.0;
        self.outcome
    }

    /// How many problems there are so far.
    #[cfg(test)]
    pub fn problems(&self) -> usize {
        self.outcome.problems.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_its_fault_fails() {
        let empty = Run::new(1, "one", Size::Quick, 1).finish(1.0);
        assert!(!empty.passed());
        let mut run = Run::new(1, "one", Size::Quick, 1);
        run.injected("kills", 0);
        assert!(!run.finish(1.0).passed());
        let mut run = Run::new(1, "one", Size::Quick, 1);
        run.injected("kills", 2);
        assert!(run.finish(1.0).passed());
    }
}
