//! What the machine itself must have: looked at before the build, so that
//! nobody learns after twenty minutes that a package is missing.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::command::{self, say};

/// Debian's package, what it is for, and the call that shows that it is there.
const NEEDED: [(&str, &str, &[&str]); 8] = [
    ("npm", "to fetch the ClickHouse engine and the demo's files", &["npm", "--version"]),
    ("python3", "to run the stand-in for AWS", &["python3", "--version"]),
    (
        "python3-venv",
        "to install it for this project alone",
        &["python3", "-c", "import ensurepip"],
    ),
    ("curl", "to ask servers in scripts", &["curl", "--version"]),
    ("chromium", "to visit a page with the tracker", &["chromium", "--version"]),
    ("tar", "to unpack what is fetched", &["tar", "--version"]),
    ("default-jre-headless", "to run Kafka (Java 17 or newer)", &["java", "-version"]),
    ("maven", "to fetch Kafka", &["mvn", "--version"]),
];

/// Installs what is missing where this process may (root on Debian), and says
/// the command where it may not.
///
/// # Errors
/// When something is missing and could not be installed.
pub fn check() -> anyhow::Result<()> {
    let missing: Vec<_> = NEEDED.iter().filter(|(_, _, call)| !works(call)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|(package, _, _)| *package).collect();
    for (package, purpose, _) in &missing {
        say(&format!("{package} is missing: {purpose}"));
    }
    let install = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if !is_root() || !works(&["apt-get", "--version"]) {
        bail!(
            "install {} first (Debian: `sudo {install}`), then run this again",
            packages.join(", ")
        );
    }
    say("installing with apt-get, because this runs as root");
    command::run(Command::new("apt-get").args(["update", "-qq"]))?;
    command::run(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    match missing.iter().find(|(_, _, call)| !works(call)) {
        None => Ok(()),
        Some((package, _, call)) => {
            bail!("{package} was installed, and yet `{}` fails", call.join(" "))
        }
    }
}

fn works(call: &[&str]) -> bool {
    Command::new(call[0])
        .args(&call[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    // Whoever owns this process owns its folder under /proc.
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|process| process.uid() == 0)
}
