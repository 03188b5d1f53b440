//! `cargo xtask fuzz`: the fuzz targets, one after the other.
//!
//! They need nightly Rust and `cargo-fuzz`; nothing else here does, and so
//! neither is installed without being asked for.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::command::{self, root, say, without_own_package};

/// Seconds of each target when nobody says another number.
const SECONDS: u64 = 60;
/// The folder of the targets, within the workspace.
const FOLDER: &str = "tools/fuzz";
/// What is missing, the call that shows it, and how to get it.
const NEEDED: [(&str, &[&str], &str); 4] = [
    ("rustup", &["rustup", "--version"], "see https://rustup.rs"),
    (
        "nightly Rust",
        &["rustup", "run", "nightly", "rustc", "--version"],
        "`rustup toolchain install nightly --profile minimal`",
    ),
    ("cargo-fuzz", &["cargo", "fuzz", "--version"], "`cargo install cargo-fuzz --locked`"),
    ("a C++ compiler", &["c++", "--version"], "Debian: `sudo apt-get install g++`"),
];

/// Runs the targets that are named, or all of them, each for so many seconds.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (wanted, seconds) = parse(arguments)?;
    let known = targets()?;
    if let Some(unknown) = wanted.iter().find(|wanted| !known.contains(wanted)) {
        bail!("no fuzz target is named `{unknown}`; there are {}", known.join(", "));
    }
    for (what, call, remedy) in NEEDED {
        if !works(call) {
            bail!("{what} is missing, which fuzzing needs: {remedy}");
        }
    }
    for target in if wanted.is_empty() { &known } else { &wanted } {
        say(&format!("fuzzing {target} for {seconds} s"));
        fuzz(target, seconds)?;
    }
    Ok(())
}

fn parse(arguments: &[String]) -> anyhow::Result<(Vec<String>, u64)> {
    let (mut wanted, mut seconds) = (Vec::new(), SECONDS);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            let number = arguments.next().context("--seconds needs a number")?;
            seconds = number
                .parse()
                .with_context(|| format!("--seconds: `{number}` is no number of seconds"))?;
        } else if argument.starts_with('-') {
            bail!("`{argument}` is unknown; usage: cargo xtask fuzz [TARGET…] [--seconds N]");
        } else {
            wanted.push(argument.clone());
        }
    }
    Ok((wanted, seconds))
}

/// The names of the targets.
fn targets() -> anyhow::Result<Vec<String>> {
    let folder = root()?.join(FOLDER).join("fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder)
        .with_context(|| format!("looking for targets in {}", folder.display()))?
    {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn fuzz(target: &str, seconds: u64) -> anyhow::Result<()> {
    let folder = root()?.join(FOLDER);
    let seeds = folder.join("seeds").join(target);
    let corpus = folder.join("corpus").join(target);
    let found = root()?.join("test-fixtures/regressions").join(target);
    // The target itself writes the seeds, before libFuzzer reads them.
    for folder in [&seeds, &corpus] {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut cargo = without_own_package(Command::new("rustup"));
    cargo
        .args(["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir", FOLDER])
        // The code is safe Rust: a sanitizer would look for what cannot be, and
        // hide how much memory is used.
        .args(["--sanitizer", "none", target])
        .args([&corpus, &seeds])
        .env("FUZZ_SEEDS", &seeds);
    if found.is_dir() {
        cargo.arg(found);
    }
    cargo.args(["--", "-timeout=10", "-rss_limit_mb=512", "-print_final_stats=1"]);
    cargo.arg(format!("-max_total_time={seconds}"));
    command::run(&mut cargo)
}

fn works(call: &[&str]) -> bool {
    without_own_package(Command::new(call[0]))
        .args(&call[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> anyhow::Result<(Vec<String>, u64)> {
        parse(&arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn targets_and_seconds_are_told_apart() {
        assert_eq!(parsed(&[]).unwrap(), (Vec::new(), SECONDS));
        let wanted = vec!["csv".to_owned(), "json".to_owned()];
        assert_eq!(parsed(&["csv", "--seconds", "5", "json"]).unwrap(), (wanted, 5));
        assert!(parsed(&["--seconds"]).is_err());
        assert!(parsed(&["--seconds", "x"]).is_err());
        assert!(parsed(&["--second", "1"]).is_err());
    }
}
