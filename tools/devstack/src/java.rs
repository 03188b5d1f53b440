//! What Kafka needs: a Java of the machine's, and its jars from Maven Central.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use crate::broker::{plain_listener, server_properties};
use crate::error::{Error, Result, chain};
use crate::setup::{KAFKA_VERSION, Progress, need, once, run};
use crate::{ports, setup};

/// The oldest Java that a Kafka server runs on.
const OLDEST: u32 = 17;
const REMEDY: &str = "install Java 17 or newer and Maven (Debian: apt-get install \
    default-jre-headless maven), or leave Kafka out of the stack";
const POM: &str = include_str!("kafka_pom.xml");
/// The classes of a server that has started once, laid out as the machine has
/// them in memory: the next start takes half the time.
const ARCHIVE: &str = "classes.jsa";
/// How long that first start may take; without the archive everything works.
const TRAINING_LIMIT: Duration = Duration::from_secs(60);

/// A Java and the jars of Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Java {
    program: PathBuf,
    jars: PathBuf,
}

impl Java {
    /// Fetches the jars that the cache lacks.
    pub(crate) async fn fetch(cache: &Path, progress: Progress<'_>) -> Result<Self> {
        let program = java().await?;
        let jars = cache.join(format!("kafka-{KAFKA_VERSION}"));
        let java = Self { program, jars: jars.clone() };
        let install = async |dir: &Path| {
            need("mvn", REMEDY)?;
            progress(&format!("fetching Kafka {KAFKA_VERSION} (about 43 MB, once)"));
            let pom = dir.join("pom.xml");
            std::fs::write(&pom, POM).map_err(Error::io("write", &pom))?;
            let option = |name: &str, value: &dyn AsRef<std::ffi::OsStr>| {
                let mut option = OsString::from(name);
                option.push(value.as_ref());
                option
            };
            let args = [
                "--batch-mode".into(),
                "--quiet".into(),
                option("--file=", &pom),
                option("-Dkafka.version=", &KAFKA_VERSION),
                option("-DoutputDirectory=", &dir),
                "-DincludeScope=runtime".into(),
                "dependency:copy-dependencies".into(),
            ];
            let args: Vec<_> = args.iter().map(OsString::as_os_str).collect();
            run("mvn", &args).await?;
            progress("starting Kafka once, so that it starts faster");
            if let Err(error) = java.train(dir).await {
                progress(&format!("Kafka will start slowly: {}", chain(&error)));
            }
            Ok(())
        };
        once(&jars, progress, install).await?;
        Ok(java)
    }

    /// The program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The arguments that run a class of Kafka's.
    pub(crate) fn args(&self, class: &str) -> Result<Vec<OsString>> {
        let mut archive = OsString::from("-XX:SharedArchiveFile=");
        archive.push(self.jars.join(ARCHIVE));
        self.args_with(archive, class)
    }

    fn args_with(&self, archive: OsString, class: &str) -> Result<Vec<OsString>> {
        let options = [
            "-Xmx256m",
            "-XX:+UseSerialGC",
            // Compiled in a hurry: a stack lives for minutes.
            "-XX:TieredStopAtLevel=1",
            // An archive of another Java is passed over without a word.
            "-Xshare:auto",
            "-Xlog:disable",
            "-Xlog:all=error:stderr",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
            "-cp",
        ];
        let options = options.into_iter().map(OsString::from);
        let rest = [self.class_path()?, class.into()];
        Ok(std::iter::once(archive).chain(options).chain(rest).collect())
    }

    /// The jars in a fixed order: the archive holds for this order only.
    fn class_path(&self) -> Result<OsString> {
        let entries = std::fs::read_dir(&self.jars).map_err(Error::io("list", &self.jars))?;
        let mut jars: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "jar"))
            .collect();
        jars.sort();
        std::env::join_paths(jars)
            .map_err(|error| Error::Options(format!("{}: {error}", self.jars.display())))
    }

    /// Writes a formatted folder, as a server wants to find it.
    pub(crate) async fn format(&self, properties: &Path, more: &[String]) -> Result<()> {
        let mut args = self.args("kafka.tools.StorageTool")?;
        // As one argument: an id may begin like an option.
        let id = BASE64_URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4());
        let id = format!("--cluster-id={id}");
        args.extend(["format", &id, "--config"].map(OsString::from));
        args.push(properties.into());
        args.extend(more.iter().map(OsString::from));
        let args: Vec<_> = args.iter().map(OsString::as_os_str).collect();
        run(&self.program, &args).await
    }

    /// Starts a server and ends it, and keeps what it has loaded.
    async fn train(&self, dir: &Path) -> Result<()> {
        let place = dir.join("training");
        std::fs::create_dir_all(&place).map_err(Error::io("create", &place))?;
        let [clients, controller] = ports::free()?;
        let properties = place.join("server.properties");
        let text = server_properties(&place.join("data"), controller, &plain_listener(clients), "");
        std::fs::write(&properties, text).map_err(Error::io("write", &properties))?;
        self.format(&properties, &[]).await?;
        let mut archive = OsString::from("-XX:ArchiveClassesAtExit=");
        archive.push(dir.join(ARCHIVE));
        let mut server = Command::new(&self.program)
            .args(self.args_with(archive, "kafka.Kafka")?)
            .arg(&properties)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io("run", &self.program))?;
        let deadline = Instant::now() + TRAINING_LIMIT;
        while tokio::net::TcpStream::connect(("127.0.0.1", clients)).await.is_err() {
            let ended = server.try_wait().map_err(Error::io("wait for", &self.program))?;
            if ended.is_some() || Instant::now() > deadline {
                return Err(Error::Options("its first start failed".into()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if let Some(pid) = server.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
            // It may have ended between the question and the signal.
            let _ = kill_process(pid, Signal::TERM);
        }
        // Writing the archive is the last thing it does.
        let _ = tokio::time::timeout(TRAINING_LIMIT, server.wait()).await;
        std::fs::remove_dir_all(&place).map_err(Error::io("remove", &place))
    }
}

/// The machine's Java: that of `JAVA_HOME`, or the one on PATH.
async fn java() -> Result<PathBuf> {
    let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let java = match home.map(|home| Path::new(&home).join("bin").join("java")) {
        Some(java) if java.is_file() => java,
        _ => setup::on_path("java").ok_or_else(|| missing("the program java"))?,
    };
    let output = Command::new(&java)
        .arg("-version")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(Error::io("run", &java))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match version(&said) {
        Some(found) if found >= OLDEST => Ok(java),
        _ => Err(missing(&format!("Java {OLDEST} ({} is another)", java.display()))),
    }
}

fn missing(what: &str) -> Error {
    Error::Missing { what: what.into(), remedy: REMEDY.into() }
}

/// The major version in what `java -version` says.
fn version(said: &str) -> Option<u32> {
    let quoted = said.split('"').nth(1)?;
    let mut numbers = quoted.split(['.', '-', '+']).map(str::parse);
    match numbers.next()?.ok()? {
        // Java 8 calls itself 1.8.
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_java_says() {
        for (said, expected) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime", Some(17)),
            ("openjdk version \"21\" 2023-09-19", Some(21)),
            ("java version \"1.8.0_292\"", Some(8)),
            ("openjdk version \"25-ea\" 2025-09-16", Some(25)),
            ("command not found", None),
        ] {
            assert_eq!(version(said), expected, "{said}");
        }
    }
}
