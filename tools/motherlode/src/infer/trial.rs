//! Tries a proposal on its file: a type that refuses a value of the very file
//! it was made from is no good.

use std::path::Path;
use std::sync::Arc;

use ::objects::{FileObjects, LOCAL_BUCKET, ObjectReader};
use ingest::Preview;
use model::Captures;
use model::document::SourceDocument;

use super::sample::Sample;
use super::types::Chosen;
use crate::sources::path_text;

/// Bad rows that are looked at in one round.
const KEPT: usize = 1_000;

/// Whether a column had to become a text. What is wrong with a row as a whole,
/// or with the file, is noted in the sample and corrects nothing.
pub async fn corrects(
    file: &Path,
    document: &SourceDocument,
    columns: &mut [Chosen],
    sample: &mut Sample,
) -> bool {
    let until_row = (!sample.is_whole).then_some(sample.rows);
    let preview = match preview(file, document, until_row).await {
        Ok(preview) => preview,
        Err(error) => {
            let note = format!("trying the proposal on the file failed: {error:#}");
            let is_new = !sample.notes.contains(&note);
            if is_new {
                sample.notes.push(note);
            }
            return is_new;
        }
    };
    let mut corrected = false;
    for bad in &preview.rejected {
        let of_its_name = |column: &&mut Chosen| column.name == bad.column;
        if let Some(column) = columns.iter_mut().find(of_its_name)
            && column.column_type.to_string() == bad.column_type
        {
            corrected |= column.becomes_text(bad.own_reason());
        }
    }
    corrected
}

/// The rows that were looked at, by the way that they are loaded.
async fn preview(
    file: &Path,
    document: &SourceDocument,
    until_row: Option<u64>,
) -> anyhow::Result<Preview> {
    let objects = FileObjects::new();
    let object = objects.head(LOCAL_BUCKET, path_text(file)?).await?;
    let document = Arc::new(document.clone());
    let (objects, captures) = (Arc::new(objects), Captures::default());
    Ok(ingest::preview(objects, object, document, captures, KEPT, until_row).await?)
}
