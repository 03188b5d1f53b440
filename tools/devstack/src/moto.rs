//! The AWS stand-in: moto in server mode, one process for every service.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;

use crate::child::{Child, Spec, tail};
use crate::error::{Error, Result, chain};
use crate::{http, ports};

/// How long it may take until it answers; Python imports a lot.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The program that starts it.
const SERVER: &str = include_str!("moto_server.py");

/// A running stand-in. What it holds is in memory and ends with it.
#[derive(Debug)]
pub struct Moto {
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// Its process.
    pub child: Child,
    log: PathBuf,
}

impl Moto {
    /// Starts it on a free port.
    pub async fn start(python: &Path, launcher: &Path, log: PathBuf) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let [port] = ports::free()?;
            let port = port.to_string();
            let args = ["-c", SERVER, "-H", "127.0.0.1", "-p", &port];
            let spec = Spec {
                launcher: launcher.to_path_buf(),
                args: ["exec".into(), python.into()]
                    .into_iter()
                    .chain(args.map(Into::into))
                    .collect(),
                env: [("PYTHONUNBUFFERED".into(), "1".into())].into(),
                log: log.clone(),
            };
            let moto = Self {
                address: format!("127.0.0.1:{port}"),
                child: Child::spawn(&spec)?,
                log: log.clone(),
            };
            match moto.ready().await {
                Ok(()) => return Ok(moto),
                Err(error) if attempt == ports::ATTEMPTS => return Err(error),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "starting the AWS stand-in again on another port")
                }
            }
            attempt += 1;
        }
    }

    /// Whether it answers.
    pub async fn answers(&self) -> Result<()> {
        let request = http::request(Method::GET, &self.address, "/moto-api/", "")?;
        let answer = http::send(&self.address, request, Duration::from_secs(5)).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        // A server of another kind has taken the port.
        let reason = format!("it answers {}", answer.status());
        Err(Error::Http { address: self.address.clone(), reason })
    }

    async fn ready(&self) -> Result<()> {
        let started = tokio::time::timeout(START_LIMIT, async {
            loop {
                if self.answers().await.is_ok() {
                    // Somebody else may have taken the port and answered.
                    return self.child.exit().is_none();
                }
                if self.child.exit().is_some() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        let reason = match started.await {
            Ok(true) => return Ok(()),
            Ok(false) => "the process ended".into(),
            Err(_) => format!("no answer within {START_LIMIT:?}"),
        };
        Err(Error::Start {
            part: "the AWS stand-in (moto)".into(),
            reason,
            log: self.log.clone(),
            tail: tail(&self.log),
        })
    }
}
