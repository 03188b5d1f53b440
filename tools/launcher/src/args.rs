//! The command line, read by hand: every start of a local server pays for
//! this program, and there is little to read.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, bail};

/// What the launcher was asked to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Args {
    /// Whose death ends the child.
    pub tie: Tie,
    /// What to run.
    pub job: Job,
}

/// Whose death ends the child.
#[derive(Debug, PartialEq, Eq)]
pub enum Tie {
    /// The parent's. With a process id the launcher also notices a parent
    /// that died before it could ask for the signal.
    Parent(Option<i32>),
    /// Nobody's: a session of its own.
    Detached,
}

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Job {
    /// ClickHouse out of `libchdb.so`.
    Chdb {
        /// The shared library.
        library: PathBuf,
        /// The arguments of `clickhouse local`.
        args: Vec<OsString>,
    },
    /// Any program.
    Exec {
        /// The program, looked up on PATH when it has no slash.
        program: PathBuf,
        /// Its arguments.
        args: Vec<OsString>,
    },
}

impl Args {
    /// Reads the arguments that follow the program's name.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<Self> {
        let mut args = args.into_iter();
        let mut tie = Tie::Parent(None);
        let job = loop {
            let arg = args.next().context("expected `chdb LIBRARY …` or `exec PROGRAM …`")?;
            match arg.to_str() {
                Some("--detach") => tie = Tie::Detached,
                Some("--parent") => tie = Tie::Parent(Some(parent(args.next())?)),
                Some("chdb") => {
                    let library =
                        args.next().context("chdb: expected the path of libchdb.so")?.into();
                    break Job::Chdb { library, args: args.collect() };
                }
                Some("exec") => {
                    let program = args.next().context("exec: expected a program")?.into();
                    break Job::Exec { program, args: args.collect() };
                }
                _ => bail!(
                    "unknown argument {}: expected --detach, --parent, chdb or exec",
                    arg.display()
                ),
            }
        };
        Ok(Self { tie, job })
    }
}

fn parent(value: Option<OsString>) -> anyhow::Result<i32> {
    value
        .as_ref()
        .and_then(|value| value.to_str())
        .and_then(|value| value.parse().ok())
        .context("--parent: expected a process id")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> anyhow::Result<Args> {
        Args::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn the_arguments_of_the_job_are_not_read_as_ours() {
        let args = parse(&["--parent", "7", "exec", "true", "--detach"]).unwrap();
        assert_eq!(args.tie, Tie::Parent(Some(7)));
        assert_eq!(args.job, Job::Exec { program: "true".into(), args: vec!["--detach".into()] });
    }

    #[test]
    fn a_library_and_its_arguments() {
        let args = parse(&["--detach", "chdb", "lib.so", "--path=x"]).unwrap();
        assert_eq!(args.tie, Tie::Detached);
        assert_eq!(args.job, Job::Chdb { library: "lib.so".into(), args: vec!["--path=x".into()] });
    }

    #[test]
    fn wrong_arguments_say_what_is_expected() {
        for wrong in [&["run"][..], &[], &["chdb"], &["--parent", "x", "exec", "true"]] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains("expected"), "{error}");
        }
    }
}
