//! `sources dry-run`: what a document makes of a file. Nothing is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::objects::{FileObjects, LOCAL_BUCKET, ObjectReader};
use anyhow::Context as _;
use clap::Args;
use ingest::Preview;
use model::document::{FromSpec, OutputColumn, SourceDocument};
use model::{ColumnType, RejectedRow};
use serde_json::{Map, Value, json};

use super::validate;
use crate::cli::Global;
use crate::failure::{Advise as _, advised};
use crate::load::key;
use crate::table::{Table, grouped};
use crate::target::Target;
use crate::ui::Ui;
use crate::values::{json_of, text_of};

/// The column that says which row of the file a row comes from.
const ROW: &str = "_row";

/// A file, a document, and how much is shown.
#[derive(Debug, Args)]
pub struct DryRunArgs {
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    document: WhichDocument,
    /// Rows, and bad rows, that are shown.
    #[arg(long, default_value_t = 10)]
    rows: usize,
    /// Key that the file would have in S3, for documents with captures;
    /// derived from the document when absent.
    #[arg(long)]
    key: Option<String>,
}

/// Where the document is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct WhichDocument {
    /// A document in a file; it need not be registered.
    #[arg(long, value_name = "FILE")]
    source_file: Option<PathBuf>,
    /// The registered document of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// Shows what the document makes of the file.
pub async fn run(args: &DryRunArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let document = document(&args.document, global).await?;
    let preview = {
        let task = ui.task(&args.file.display().to_string());
        task.at("decoding and mapping", "");
        preview(args, Arc::new(document.clone())).await?
    };
    let columns = columns(&preview.document);
    let rows = rows(&preview, &columns);
    for found in drift(&document, &preview) {
        ui.note(&found);
    }
    if document.select.is_some() {
        ui.note("the document has a `select`, which the server runs: the rows are shown as they go into it");
    }
    if ui.is_json() {
        ui.json(&json!({
            "source": document.source,
            "counts": preview.counts,
            "rows": rows,
            "rejected": preview.rejected.iter().map(bad_row).collect::<Vec<_>>(),
            "drift": drift(&document, &preview),
        }))?;
    } else {
        ui.text(&render(&document, &preview, &columns, &rows))?;
    }
    verdict(&document, &preview)
}

async fn document(which: &WhichDocument, global: &Global) -> anyhow::Result<SourceDocument> {
    match (&which.source_file, &which.source) {
        (Some(file), _) => validate::document(file),
        (None, Some(name)) => {
            let ingest = Target::find(global).await?.ingest()?;
            let registered = ingest
                .catalog
                .get(name, None)
                .await
                .hint(|| "or name a document in a file with --source-file")?;
            Ok(registered.document.clone())
        }
        // clap wants one of them.
        (None, None) => {
            Err(crate::failure::usage("name a document with --source-file or --source"))
        }
    }
}

async fn preview(args: &DryRunArgs, document: Arc<SourceDocument>) -> anyhow::Result<Preview> {
    let objects = FileObjects::new();
    let path = path_text(&args.file)?;
    let object = objects
        .head(LOCAL_BUCKET, path)
        .await
        .with_context(|| format!("opening {}", args.file.display()))
        .hint(|| "name a file that can be read")?;
    let captures = key::captures(&document, &args.file, args.key.as_deref())?;
    ingest::preview(Arc::new(objects), object, document, captures, args.rows, None)
        .await
        .hint(|| "correct the document (`format`, `compression`, `columns`) or the file")
}

/// The path as the key of a local object.
pub fn path_text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().ok_or_else(|| {
        advised(
            format!("the path {} is no UTF-8", path.display()),
            "rename the file, or link it under another name",
        )
    })
}

/// What is shown: the row's number and the document's own columns. The other
/// provenance columns are the same in every row.
fn columns(document: &SourceDocument) -> Vec<OutputColumn> {
    let mut columns = document.output_columns();
    if document.table.provenance {
        columns.insert(0, OutputColumn { name: ROW.to_owned(), column_type: ColumnType::UInt(64) });
    }
    columns
}

fn rows(preview: &Preview, columns: &[OutputColumn]) -> Vec<Map<String, Value>> {
    let mut rows = Vec::new();
    for batch in &preview.batches {
        for row in 0..batch.num_rows() {
            let value = |column: &OutputColumn| {
                let array = batch.column_by_name(&column.name);
                array.map_or(Value::Null, |array| json_of(array, row, &column.column_type))
            };
            rows.push(columns.iter().map(|column| (column.name.clone(), value(column))).collect());
        }
    }
    rows
}

/// What the file has beside the document's columns, or lacks, in words.
fn drift(document: &SourceDocument, preview: &Preview) -> Vec<String> {
    let added = preview.document.columns.iter().skip(document.columns.len());
    let added = added.map(|column| {
        let FromSpec::Column(field) = column.origin() else { return column.name.clone() };
        format!(
            "`{field}` is unknown: column {} {} would be added",
            column.name, column.column_type
        )
    });
    let met = preview.drift.iter();
    added
        .chain(met.map(|drift| format!("`{}` is {}: {}", drift.field, drift.kind, drift.action)))
        .collect()
}

fn bad_row(row: &RejectedRow) -> Value {
    json!({
        "row": row.row,
        "column": row.column,
        "column_type": row.column_type,
        "reason": row.reason,
        "raw": String::from_utf8_lossy(&row.raw),
    })
}

fn render(
    document: &SourceDocument,
    preview: &Preview,
    columns: &[OutputColumn],
    rows: &[Map<String, Value>],
) -> String {
    let mut table = Table::new(columns.iter().map(|column| column.name.clone())).cut(32);
    for row in rows {
        table.row(
            columns.iter().map(|column| text_of(row.get(&column.name).unwrap_or(&Value::Null))),
        );
    }
    let counts = &preview.counts;
    let mut text = format!(
        "{table}\n{} rows read: {} would be written to {}.{}, {} filtered, {} quarantined\n",
        grouped(counts.rows_read),
        grouped(counts.rows_inserted),
        document.table.database,
        document.table.name,
        grouped(counts.rows_filtered),
        grouped(counts.rows_quarantined),
    );
    if !preview.rejected.is_empty() {
        let mut table = Table::new([">row", "column", "type", "reason", "raw"]).cut(72);
        for row in &preview.rejected {
            let raw = String::from_utf8_lossy(&row.raw);
            table.row([
                row.row.to_string().as_str(),
                &row.column,
                &row.column_type,
                &row.reason,
                &raw,
            ]);
        }
        text.push_str(&format!("\nbad rows:\n{table}"));
    }
    text
}

/// Whether a load of this file would end well.
fn verdict(document: &SourceDocument, preview: &Preview) -> anyhow::Result<()> {
    let (bad, read) = (preview.counts.rows_quarantined, preview.counts.rows_read);
    let errors = document.errors;
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    let too_many = bad as f64 > read as f64 * errors.max_bad_share
        || errors.max_bad_rows.is_some_and(|limit| bad > limit);
    if !too_many {
        return Ok(());
    }
    Err(advised(
        format!(
            "{bad} of {read} rows are bad, which is more than the document tolerates: a load would fail"
        ),
        "correct the columns named above, give them `on_error`, or raise errors.max_bad_share",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::{Wishes, infer};

    /// Texts come as views of what was read, at the top, in lists and in maps.
    #[tokio::test(flavor = "multi_thread")]
    async fn every_text_of_parquet_is_shown() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-fixtures/parquet");
        let mut texts = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with(".parquet") || name.starts_with("refused_") {
                continue;
            }
            let proposal = infer(&file, &Wishes::default()).await.unwrap();
            let which = WhichDocument { source_file: None, source: None };
            let args = DryRunArgs { file, document: which, rows: 1_000, key: None };
            let preview = preview(&args, Arc::new(proposal.document)).await.unwrap();
            let columns = columns(&preview.document);
            let shown = serde_json::to_string(&rows(&preview, &columns)).unwrap();
            assert!(!shown.contains("View)"), "{name}: {shown}");
            texts +=
                columns.iter().filter(|it| it.column_type.to_string().contains("String")).count();
        }
        assert!(texts > 50, "{texts}");
    }
}
