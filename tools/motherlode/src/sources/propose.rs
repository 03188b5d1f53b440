//! `sources infer`: writes down what a sample gives away.

use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use super::InferArgs;
use crate::failure::{Advise as _, advised};
use crate::infer::{Wishes, infer};
use crate::ui::Ui;

/// Proposes a document.
pub async fn run(args: &InferArgs, ui: &Ui) -> anyhow::Result<()> {
    let wishes = Wishes {
        name: args.name.clone(),
        bucket: args.bucket.clone(),
        prefix: args.prefix.clone(),
    };
    let proposal = {
        let task = ui.task(&args.file.display().to_string());
        task.at("reading a sample", "");
        infer(&args.file, &wishes).await?
    };
    if let Some(output) = &args.output {
        write_new(output, &proposal.yaml)?;
        ui.note(&format!("wrote {}", output.display()));
    }
    ui.note(&format!(
        "source {}: {} columns from {} rows{}; read the comments, then: motherlode sources dry-run {} --source-file {}",
        proposal.document.source,
        proposal.document.columns.len(),
        proposal.rows,
        if proposal.is_whole { " (the whole file)" } else { " (the beginning of the file)" },
        args.file.display(),
        args.output.as_deref().unwrap_or(Path::new("DOCUMENT.yaml")).display(),
    ));
    if ui.is_json() {
        return ui.json(&json!({
            "source": proposal.document.source,
            "rows": proposal.rows,
            "is_whole": proposal.is_whole,
            "document": proposal.document,
            "yaml": proposal.yaml,
        }));
    }
    if args.output.is_none() { ui.text(&proposal.yaml) } else { Ok(()) }
}

/// Writes a file that was not there: a document somebody has corrected must not
/// be lost to a second proposal.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    match std::fs::File::create_new(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(advised(
            format!("{} is there already", path.display()),
            "name another file with -o, or remove that one",
        )),
        created => created
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .with_context(|| format!("writing {}", path.display()))
            .hint(|| "name another file with -o"),
    }
}
