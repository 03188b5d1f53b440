//! Running other programs, and saying so.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// Says something to the person who waits; data goes to standard output.
pub fn say(text: &str) {
    // Without standard error there is nobody to tell.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// The folder of the workspace.
pub fn root() -> anyhow::Result<PathBuf> {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").context("run this through `cargo xtask`")?;
    let root = Path::new(&manifest)
        .ancestors()
        .nth(2)
        .context("tools/xtask lies two folders below the root")?;
    Ok(root.to_owned())
}

/// The folder of the built programs.
pub fn programs() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("finding this program")?;
    Ok(this.parent().context("this program lies in a folder")?.to_owned())
}

/// `cargo`, as it was called.
pub fn cargo() -> Command {
    without_own_package(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())))
}

/// The command without what `cargo run` has told this program about its own
/// package: build scripts that look at it would run again.
pub fn without_own_package(mut command: Command) -> Command {
    let own = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    for (name, _) in std::env::vars_os() {
        if own.iter().any(|own| name.to_string_lossy().starts_with(own)) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program to its end, in the folder of the workspace.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let text = format!("{} {}", name(command), arguments(command));
    say(&format!("› {}", text.trim_end()));
    let status = command
        .current_dir(root()?)
        .status()
        .with_context(|| format!("starting {}", name(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", text.trim_end());
    }
    Ok(())
}

/// Runs a program and gives what it prints.
pub fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command
        .current_dir(root()?)
        .output()
        .with_context(|| format!("starting {}", name(command)))?;
    if !output.status.success() {
        bail!(
            "`{} {}` ended with {}:\n{}",
            name(command),
            arguments(command),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output.stdout)
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn arguments(command: &Command) -> String {
    command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
