//! `sources infer`: from a sample of a file to a source document that is valid,
//! with every choice explained in a comment.
//!
//! In the order of the way: `sample` recognises the file and reads its
//! beginning (`delimited`, `json`, `columnar`), `profile` sums up what each
//! field holds, `types` chooses a type for it, `document` writes YAML, `trial`
//! tries it on the file.

mod columnar;
mod delimited;
mod document;
mod json;
mod json_value;
mod moments;
mod names;
mod profile;
mod sample;
mod trial;
mod types;

use std::path::Path;

use model::document::SourceDocument;

use crate::failure::advised;

/// What is known about the source beside the sample.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Its name.
    pub name: Option<String>,
    /// The bucket its objects come in.
    pub bucket: Option<String>,
    /// The prefix of their keys.
    pub prefix: Option<String>,
}

/// A document that fits the sample.
#[derive(Debug)]
pub struct Proposal {
    /// The document.
    pub document: SourceDocument,
    /// Its text, with comments.
    pub yaml: String,
    /// Rows that were looked at.
    pub rows: u64,
    /// Whether these are all rows of the file.
    pub is_whole: bool,
}

/// Proposes a document for the source that a file belongs to, and tries it on
/// the rows of the file that were looked at.
///
/// # Errors
/// When the file cannot be read, or holds no rows with named fields.
pub async fn infer(file: &Path, wishes: &Wishes) -> anyhow::Result<Proposal> {
    let mut sample = sample::take(file)?;
    let mut columns = types::columns(&sample);
    loop {
        let yaml = document::write(file, wishes, &sample, &columns);
        let document = SourceDocument::from_yaml(&yaml).map_err(|error| {
            advised(
                format!("the proposal for {} is not valid: {error}", file.display()),
                "give a --name of lower-case letters, digits, `-` and `_`; if that does not help, report it as a bug",
            )
        })?;
        // Every round makes a text of one column at least, or is the last.
        if trial::corrects(file, &document, &mut columns, &mut sample).await {
            continue;
        }
        return Ok(Proposal { document, yaml, rows: sample.rows, is_whole: sample.is_whole });
    }
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod landing;
#[cfg(test)]
mod tests;
