//! `cargo xtask demo | test | bench | chaos | package | fuzz | check`: the project's own commands.
//!
//! They need nothing but a Rust toolchain to start; what else they need they
//! install (`prerequisites.rs`, `devstack::setup`), or say precisely what is
//! missing.

mod bench;
mod chaos;
mod check;
mod command;
mod demo;
mod fuzz;
mod layers;
mod package;
mod prerequisites;
mod test;

use std::process::ExitCode;

use crate::command::say;

const USAGE: &str = "\
usage: cargo xtask <command>

  demo [--json FILE] [--keep]  set everything up and load real files, with progress and results
  test [FILTER…]               set everything up and run all tests against real servers
  bench [files|sink|pixel|funnel|cold] [--json FILE] [--only CASE] [--rows N] [--runs N]
                               [--bundles DIR]
                               CPU and memory of loading, beside ClickHouse by itself and Python; of records and
                               requests; a funnel; cold starts
  chaos [SCENARIO…] [--seed N] [--quick] [--list] [--json FILE]
                               kills, cuts, redelivery, dead clusters: every row is there once
  package [--arch arm64|x86_64|all] [--out DIR]
                               the functions as zips for Lambda, in dist/
  fuzz [TARGET…] [--seconds N] the fuzz targets, one after the other (tools/fuzz/README.md)
  check                        formatting, lints, the layers of the workspace, one version of what must be one
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let done = match command.as_str() {
        "demo" => demo::run(&rest),
        "test" => test::run(&rest),
        "bench" => bench::run(&rest),
        "chaos" => chaos::run(&rest),
        "package" => package::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "check" => check::run(&rest),
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
