//! `sources validate`: every problem of every document, with its path.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model::document::{DocumentError, Problem, SourceDocument};
use serde_json::{Value, json};
use transform::MapError;

use crate::failure::{Advise as _, advised};
use crate::ui::Ui;

/// Checks documents.
pub fn run(files: &[PathBuf], ui: &Ui) -> anyhow::Result<()> {
    let mut lines = String::new();
    let mut answers: Vec<Value> = Vec::new();
    let mut broken = 0;
    for file in files {
        let text = read(file)?;
        let checked = SourceDocument::from_yaml(&text);
        let mut problems = checked.as_ref().err().map(DocumentError::problems).unwrap_or_default();
        if let Ok(document) = &checked
            && let Err(MapError::Document { path, problem }) = transform::check(document)
        {
            problems.push(Problem { path, message: problem });
        }
        problems.extend(checked.iter().flat_map(schemas));
        let is_valid = problems.is_empty();
        match &checked {
            Ok(document) if is_valid => lines.push_str(&format!(
                "{}: source {} is valid\n",
                file.display(),
                document.source
            )),
            _ => broken += 1,
        }
        for problem in &problems {
            lines.push_str(&format!("{}: {problem}\n", file.display()));
        }
        answers.push(json!({
            "file": file.display().to_string(),
            "source": checked.as_ref().ok().map(|document| document.source.clone()),
            "valid": is_valid,
            "problems": problems
                .iter()
                .map(|problem| json!({"path": problem.path, "message": problem.message}))
                .collect::<Vec<_>>(),
        }));
    }
    ui.answer(&answers, || lines)?;
    if broken == 0 {
        return Ok(());
    }
    Err(advised(
        format!("{broken} of {} documents are not valid", files.len()),
        "correct the fields named above; `motherlode sources schema` gives editors completion",
    ))
}

/// JSON Schemas of events that the pixel could not use: it would refuse every event
/// of that name.
fn schemas(document: &SourceDocument) -> Vec<Problem> {
    let pixel = document.stream.as_ref().and_then(|stream| stream.pixel.as_ref());
    let schemas = pixel.into_iter().flat_map(|pixel| &pixel.schemas);
    let problem = |(name, schema): (&String, &Value)| {
        let error = jsonschema::validator_for(schema).err()?;
        Some(Problem {
            path: format!("stream.pixel.schemas.{name}"),
            message: format!("is no JSON Schema that can be used: {error}"),
        })
    };
    schemas.filter_map(problem).collect()
}

/// The text of a document.
pub fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display())).hint(
        || "name a source document, a YAML file; `motherlode sources infer FILE` proposes one",
    )
}

/// The document of a file.
pub fn document(file: &Path) -> anyhow::Result<SourceDocument> {
    let checked = SourceDocument::from_yaml(&read(file)?).map_err(anyhow::Error::from);
    checked
        .and_then(|document| {
            transform::check(&document)?;
            match schemas(&document).into_iter().next() {
                Some(problem) => Err(anyhow::anyhow!("{problem}")),
                None => Ok(document),
            }
        })
        .with_context(|| format!("{} is no valid source document", file.display()))
        .hint(|| {
            format!("correct the fields; see `motherlode sources validate {}`", file.display())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_and_the_command_fails() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        std::fs::write(&file, "source: A\nversion: 2\nowner: me\nmatch: {prefix: a/}\nformat: parquet\ncolumns: []\ntable: {database: d, name: t}\n").unwrap();
        let problems = SourceDocument::from_yaml(&read(&file).unwrap()).unwrap_err().problems();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["source", "version", "columns"]);
        let error = run(&[file], &Ui::new(true)).unwrap_err();
        assert_eq!(error.to_string(), "1 of 1 documents are not valid");
    }

    #[test]
    fn a_schema_that_cannot_be_used_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("web.yaml");
        let text = |schema: &str| {
            format!(
                "source: web\nversion: 1\nowner: me\nkind: kafka\nstream:\n  topics: [events]\n  pixel:\n    \
                 keys: [wk_web_0001]\n    schemas: {{ Bought: {schema} }}\ntable: {{database: d, name: t}}\n"
            )
        };
        std::fs::write(&file, text("{ type: object }")).unwrap();
        document(&file).unwrap();
        for schema in ["{ type: text }", "{ pattern: '(' }", "{ $ref: 'https://example.com/a' }"] {
            std::fs::write(&file, text(schema)).unwrap();
            let error = format!("{:#}", document(&file).unwrap_err());
            assert!(error.contains("stream.pixel.schemas.Bought: is no JSON Schema"), "{error}");
            assert!(run(std::slice::from_ref(&file), &Ui::new(true)).is_err());
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = document(Path::new("nowhere.yaml")).unwrap_err();
        assert!(error.to_string().starts_with("reading nowhere.yaml: "), "{error}");
    }
}
