//! `cargo xtask package`: the functions as zips for Lambda's `provided.al2023`,
//! for arm64 and x86-64, the same bytes from the same sources.
//!
//! cargo-lambda and zig come from PyPI into a folder of the project; Rust's own
//! libraries for the other processor by rustup.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::command::{self, root, say};

/// The functions, and the most megabytes of each one's zip.
const FUNCTIONS: [(&str, &str); 5] =
    [("mother", "15"), ("kafka-sink", "15"), ("reconcile", "15"), ("pixel", "8"), ("drain", "8")];
/// Names of processors as Lambda and the deployment write them, and as Rust does.
const ARCHITECTURES: [(&str, &str); 2] = [("arm64", "aarch64"), ("x86_64", "x86_64")];
/// What a function may need of the C library: what Amazon Linux 2023 has.
const GLIBC: &str = "2.34";
/// Where the tools come from, and what packs.
const FOLDER: &str = "tools/xtask/package";

/// Builds and packs.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (wanted, out) = parse(arguments)?;
    let tools = tools()?;
    for (name, rust) in ARCHITECTURES {
        if wanted.contains(&name.to_owned()) {
            one(name, rust, &tools, &out)?;
        }
    }
    say(&format!("the zips are in {}", out.display()));
    Ok(())
}

fn parse(arguments: &[String]) -> anyhow::Result<(Vec<String>, PathBuf)> {
    let usage = "usage: cargo xtask package [--arch arm64|x86_64|all] [--out DIR]";
    let (mut arch, mut out) = ("arm64".to_owned(), root()?.join("dist"));
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{argument} needs a value; {usage}"));
        match argument.as_str() {
            "--arch" => arch = value?.clone(),
            "--out" => out = std::path::absolute(value?)?,
            _ => bail!("`{argument}` is unknown; {usage}"),
        }
    }
    let known: Vec<String> = ARCHITECTURES.iter().map(|(name, _)| (*name).to_owned()).collect();
    match arch.as_str() {
        "all" => Ok((known, out)),
        _ if known.contains(&arch) => Ok((vec![arch], out)),
        _ => bail!("`{arch}` is no processor of Lambda; {usage}"),
    }
}

/// The programs of a virtual environment that holds cargo-lambda and zig.
fn tools() -> anyhow::Result<PathBuf> {
    let folder = root()?.join(".motherlode/tools/package-venv");
    let (stamp, wanted) =
        (folder.join(".installed"), root()?.join(FOLDER).join("requirements.txt"));
    let asked = std::fs::read(&wanted).with_context(|| format!("reading {}", wanted.display()))?;
    if std::fs::read(&stamp).is_ok_and(|installed| installed == asked) {
        return Ok(folder.join("bin"));
    }
    say("installing cargo-lambda and zig");
    command::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    command::run(
        Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&wanted),
    )?;
    std::fs::write(&stamp, asked).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(folder.join("bin"))
}

fn one(name: &str, rust: &str, tools: &Path, out: &Path) -> anyhow::Result<()> {
    let target = format!("{rust}-unknown-linux-gnu");
    has_target(&target)?;
    // Apart from what other builds have made: the flags are others.
    let folder = root()?.join("target/package");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        std::iter::once(tools.to_owned()).chain(std::env::split_paths(&path)),
    )?;
    let mut build = command::cargo();
    build
        .args(["lambda", "build", "--locked", "--profile", "lambda", "--target"])
        .arg(format!("{target}.{GLIBC}"))
        .args(FUNCTIONS.iter().flat_map(|(function, _)| ["--bin", function]))
        .env("PATH", path)
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", anonymous()?);
    command::run(&mut build)?;
    let budgets = FUNCTIONS.iter().map(|(function, most)| format!("{function}={most}"));
    command::run(
        Command::new(tools.join("python"))
            .arg(root()?.join(FOLDER).join("pack.py"))
            .args([folder.join("lambda").as_os_str(), name.as_ref(), out.as_os_str()])
            .args(budgets),
    )
}

/// Flags by which no path of this machine is in a function: the same sources give
/// the same bytes wherever they lie.
fn anonymous() -> anyhow::Result<String> {
    let home = |name: &str, folder: &str| {
        let own = std::env::var_os(name).map(PathBuf::from);
        own.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(folder)))
    };
    let mut flags = format!("--remap-path-prefix={}=/motherlode", root()?.display());
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        if let Some(path) = home(name, folder) {
            flags.push_str(&format!(" --remap-path-prefix={}=/{}", path.display(), &folder[1..]));
        }
    }
    Ok(flags)
}

/// Adds Rust's libraries for a processor, where they are missing.
fn has_target(target: &str) -> anyhow::Result<()> {
    let remedy =
        "cargo xtask package needs rustup (https://rustup.rs), or a toolchain with this target";
    let listed = command::output(Command::new("rustup").args(["target", "list", "--installed"]));
    let listed = listed.with_context(|| format!("{target}: {remedy}"))?;
    if String::from_utf8_lossy(&listed).lines().any(|line| line == target) {
        return Ok(());
    }
    command::run(Command::new("rustup").args(["target", "add", target])).with_context(|| {
        format!("{target} cannot be added; try `rustup target add {target}`, or --arch")
    })
}
