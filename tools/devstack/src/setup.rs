//! What the stack needs and no machine has: fetched once into the cache.
//!
//! Two processes may do this at the same time: each download has a lock, and
//! a marker that is written last says that it is whole. A folder without its
//! marker is the remains of an attempt that was interrupted, and is removed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::error::{Error, Result};
use crate::java::Java;
use crate::lock::Lock;
use crate::options::Options;
use crate::state::replace;

/// The version of the ClickHouse library. Its npm tag `latest` is older.
pub const CHDB_VERSION: &str = "26.7.3-stable.1";
/// The version of the AWS stand-in.
pub const MOTO_VERSION: &str = "5.2.5";
/// The version of Kafka.
pub const KAFKA_VERSION: &str = "4.4.0";

/// Hears what is being done.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// How ClickHouse is run; none when no cluster is wanted.
    pub clickhouse: Option<Engine>,
    /// The Python that has moto; none when AWS is not wanted.
    pub python: Option<PathBuf>,
    /// How Kafka is run; none when it is not wanted.
    pub kafka: Option<Java>,
}

/// How ClickHouse is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// Out of `libchdb.so`, by the launcher.
    Library(PathBuf),
    /// A `clickhouse` binary of the machine's.
    Binary(PathBuf),
}

/// Fetches whatever these options need and the cache lacks.
///
/// # Errors
/// When a program it needs is missing, with the remedy, or a download fails.
pub async fn ensure(options: &Options, progress: Progress<'_>) -> Result<Tools> {
    let cache = match &options.cache {
        Some(cache) => cache.clone(),
        None => options.resolved()?.cache(),
    };
    let mut tools = Tools { clickhouse: None, python: None, kafka: None };
    if !options.clusters.is_empty() {
        tools.clickhouse = Some(match clickhouse_binary()? {
            Some(binary) => Engine::Binary(binary),
            None => Engine::Library(library(&cache, progress).await?),
        });
    }
    if options.aws {
        tools.python = Some(moto(&cache, progress).await?);
    }
    if options.kafka.is_some() {
        tools.kafka = Some(Java::fetch(&cache, progress).await?);
    }
    Ok(tools)
}

/// A ClickHouse that the machine has: what `MOTHERLODE_CLICKHOUSE` names, or
/// `clickhouse` on PATH.
fn clickhouse_binary() -> Result<Option<PathBuf>> {
    match std::env::var_os("MOTHERLODE_CLICKHOUSE").filter(|value| !value.is_empty()) {
        Some(path) if Path::new(&path).is_file() => Ok(Some(path.into())),
        Some(path) => Err(Error::Missing {
            what: format!("{}, which MOTHERLODE_CLICKHOUSE names,", Path::new(&path).display()),
            remedy: "name a clickhouse binary, or unset the variable to have one fetched".into(),
        }),
        None => Ok(on_path("clickhouse")),
    }
}

async fn library(cache: &Path, progress: Progress<'_>) -> Result<PathBuf> {
    let dir = cache.join(format!("chdb-{CHDB_VERSION}"));
    let package = format!("@chdb/lib-{}@{CHDB_VERSION}", platform()?);
    let install = async |dir: &Path| {
        need(
            "npm",
            "install Node.js (Debian: apt-get install npm), or set MOTHERLODE_CLICKHOUSE to a clickhouse binary",
        )?;
        need("tar", "install tar")?;
        progress(&format!("fetching the ClickHouse engine, {package} (about 190 MB, once)"));
        let destination = dir.as_os_str();
        run(
            "npm",
            &["pack".as_ref(), package.as_ref(), "--pack-destination".as_ref(), destination],
        )
        .await?;
        let archive = find(dir, "tgz")?;
        progress("unpacking the ClickHouse engine");
        let strip: &[OsString] = &["--strip-components=1".into(), "package/libchdb.so".into()];
        run(
            "tar",
            &[
                "-xzf".as_ref(),
                archive.as_os_str(),
                "-C".as_ref(),
                destination,
                &strip[0],
                &strip[1],
            ],
        )
        .await?;
        std::fs::remove_file(&archive).map_err(Error::io("remove", &archive))
    };
    once(&dir, progress, install).await?;
    Ok(dir.join("libchdb.so"))
}

async fn moto(cache: &Path, progress: Progress<'_>) -> Result<PathBuf> {
    let dir = cache.join(format!("moto-{MOTO_VERSION}"));
    let python = dir.join("bin").join("python3");
    let install = async |dir: &Path| {
        need(
            "python3",
            "install Python 3.10 or newer (Debian: apt-get install python3 python3-venv)",
        )?;
        progress("making a Python environment for the AWS stand-in");
        run("python3", &["-m".as_ref(), "venv".as_ref(), "--clear".as_ref(), dir.as_os_str()])
            .await
            .map_err(|error| match error {
                Error::Command { output, .. } if output.contains("ensurepip") => Error::Missing {
                    what: "the Python module venv".into(),
                    remedy: "install it (Debian: apt-get install python3-venv)".into(),
                },
                other => other,
            })?;
        let package = format!("moto[server]=={MOTO_VERSION}");
        progress(&format!("fetching the AWS stand-in, {package} (once)"));
        let python = dir.join("bin").join("python3");
        let args = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &package];
        run(python, &args.map(AsRef::as_ref)).await
    };
    once(&dir, progress, install).await?;
    Ok(python)
}

/// Makes `dir` whole by `install`, once among all processes.
pub(crate) async fn once(
    dir: &Path,
    progress: Progress<'_>,
    install: impl AsyncFnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let marker = dir.join(".complete");
    if marker.is_file() {
        return Ok(());
    }
    // Not `with_extension`: that would cut the version short.
    let mut lock = dir.as_os_str().to_owned();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let _lock =
        Lock::take(&lock, || progress("waiting for another process that is fetching the same"))
            .await?;
    if marker.is_file() {
        return Ok(());
    }
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(Error::io("remove", dir))?;
    }
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    install(dir).await?;
    replace(&marker, b"")
}

/// The platform as the packages of the library name it.
fn platform() -> Result<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux-x64-gnu"),
        ("linux", "aarch64") => Ok("linux-arm64-gnu"),
        ("macos", "x86_64") => Ok("darwin-x64"),
        ("macos", "aarch64") => Ok("darwin-arm64"),
        (os, arch) => Err(Error::Missing {
            what: format!("a ClickHouse library for {os} on {arch}"),
            remedy: "set MOTHERLODE_CLICKHOUSE to a clickhouse binary".into(),
        }),
    }
}

pub(crate) fn need(program: &str, remedy: &str) -> Result<()> {
    match on_path(program) {
        Some(_) => Ok(()),
        None => {
            Err(Error::Missing { what: format!("the program {program}"), remedy: remedy.into() })
        }
    }
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|path| path.is_file())
}

pub(crate) async fn run(program: impl AsRef<Path>, args: &[&std::ffi::OsStr]) -> Result<()> {
    let program = program.as_ref();
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(Error::io("run", program))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let skip = text.lines().count().saturating_sub(20);
    let command: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    Err(Error::Command {
        command: format!("{} {}", program.display(), command.join(" ")),
        status: output.status.to_string(),
        output: text.lines().skip(skip).collect::<Vec<_>>().join("\n"),
    })
}

fn find(dir: &Path, extension: &str) -> Result<PathBuf> {
    let missing = || Error::Missing {
        what: format!("the .{extension} file in {}", dir.display()),
        remedy: "remove the folder and try again".into(),
    };
    std::fs::read_dir(dir)
        .map_err(Error::io("list", dir))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|found| found == extension))
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_interrupted_attempt_is_done_again_and_a_whole_one_is_not() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("thing");
        let failing = async |dir: &Path| {
            std::fs::write(dir.join("half"), "").unwrap();
            Err(Error::Options("interrupted".into()))
        };
        once(&dir, &|_| {}, failing).await.unwrap_err();
        let working = async |dir: &Path| {
            assert!(!dir.join("half").exists());
            Ok(())
        };
        once(&dir, &|_| {}, working).await.unwrap();
        once(&dir, &|_| {}, async |_: &Path| panic!("it is whole already")).await.unwrap();
    }
}
