//! The usual Python program: pyarrow reads, clickhouse-connect inserts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::cases::Case;
use crate::meter::say;

const PACKAGES: [&str; 2] = ["pyarrow==26.0.1", "clickhouse-connect==1.12.0"];

/// An environment with the packages.
pub struct Python {
    program: PathBuf,
    script: PathBuf,
}

/// What a run cost.
#[derive(Debug, Deserialize)]
pub struct Cost {
    pub cpu_s: f64,
    pub rows: u64,
}

impl Python {
    /// Installs the packages, once.
    pub fn set_up(cache: &Path, script: &Path) -> anyhow::Result<Self> {
        let folder = cache.join("bench-python");
        let program = folder.join("bin").join("python3");
        let marker = folder.join(".complete");
        let wanted = PACKAGES.join("\n");
        if std::fs::read_to_string(&marker).ok().as_deref() != Some(&wanted) {
            say(&format!("fetching {} (once)", PACKAGES.join(", ")));
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
            run(Command::new(&program).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
            std::fs::write(&marker, wanted)?;
        }
        Ok(Self { program, script: script.to_owned() })
    }

    /// Loads a file into a table.
    pub fn load(
        &self,
        case: &Case,
        table: &str,
        url: &str,
        user: &str,
        password: &str,
    ) -> anyhow::Result<Cost> {
        let columns = serde_json::to_string(&case.columns)?;
        let output = Command::new(&self.program)
            .arg(&self.script)
            .args([case.clickhouse_format, table, url, user, &columns])
            .arg(&case.file)
            .env("CLICKHOUSE_PASSWORD", password)
            .stderr(Stdio::inherit())
            .output()
            .context("running Python")?;
        if !output.status.success() {
            bail!("the Python program ended with {}", output.status);
        }
        serde_json::from_slice(&output.stdout).context("reading what the Python program says")
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if !status.success() {
        bail!("{:?} ended with {status}", command.get_program());
    }
    Ok(())
}
