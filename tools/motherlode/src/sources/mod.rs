//! `sources`: the documents that say what a feed is.

mod dry_run;
mod propose;
mod registry;
mod validate;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::document::SourceDocument;

pub use dry_run::{DryRunArgs, path_text};

use crate::cli::Global;
use crate::ui::Ui;

/// Commands on source documents.
#[derive(Debug, Subcommand)]
pub enum SourcesCommand {
    /// Propose a document from a sample of a file.
    Infer(InferArgs),
    /// Check documents; every problem with its path.
    Validate {
        /// The documents.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show what a document makes of a file; nothing is written.
    DryRun(DryRunArgs),
    /// Register documents: within 30 seconds, objects are loaded with the new ones.
    Put(PutArgs),
    /// All sources.
    List,
    /// The document of a source.
    Show(ShowArgs),
    /// Every version of a source's document, newest first.
    History {
        /// The source.
        name: String,
    },
    /// Make an old version the current one again, as a new version.
    Rollback {
        /// The source.
        name: String,
        /// The version to go back to.
        #[arg(long)]
        to: u64,
    },
    /// The JSON Schema of documents, for editors.
    Schema,
}

/// The sample and what is known about the source.
#[derive(Debug, Args)]
pub struct InferArgs {
    /// A file of the source, compressed or not.
    pub file: PathBuf,
    /// Name of the source; made from the file's name when absent.
    #[arg(long)]
    pub name: Option<String>,
    /// Bucket that the objects will come in; any when absent.
    #[arg(long)]
    pub bucket: Option<String>,
    /// Prefix that their keys will have; `NAME/` when absent.
    #[arg(long)]
    pub prefix: Option<String>,
    /// The document is written here; to standard output when absent.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Documents to register.
#[derive(Debug, Args)]
pub struct PutArgs {
    /// The documents.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Why, for the history.
    #[arg(long)]
    pub note: Option<String>,
}

/// Which document, and how it is shown.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The source.
    pub name: String,
    /// This version instead of the current one.
    #[arg(long)]
    pub version: Option<u64>,
    /// Only the text as it was put.
    #[arg(long)]
    pub yaml: bool,
}

/// Does what is asked of the source documents.
pub async fn run(command: SourcesCommand, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    match command {
        SourcesCommand::Infer(args) => propose::run(&args, ui).await,
        SourcesCommand::Validate { files } => validate::run(&files, ui),
        SourcesCommand::DryRun(args) => dry_run::run(&args, global, ui).await,
        SourcesCommand::Put(args) => registry::put(&args, global, ui).await,
        SourcesCommand::List => registry::list(global, ui).await,
        SourcesCommand::Show(args) => registry::show(&args, global, ui).await,
        SourcesCommand::History { name } => registry::history(&name, global, ui).await,
        SourcesCommand::Rollback { name, to } => registry::rollback(&name, to, global, ui).await,
        SourcesCommand::Schema => ui.json(&SourceDocument::json_schema()),
    }
}
