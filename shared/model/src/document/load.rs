//! From YAML or JSON to a document that has been validated.

use std::fmt;

use thiserror::Error;

use super::SourceDocument;

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, such as `columns[2].type`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Why a text is no source document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// It is no YAML.
    #[error("not valid YAML: {0}")]
    Yaml(String),
    /// It is no JSON.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// A field is unknown, missing or of another kind.
    #[error("{0}")]
    Shape(Problem),
    /// The fields are there, but do not fit together.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
}

impl DocumentError {
    /// The problems, one by one.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Yaml(message) | Self::Json(message) => {
                vec![Problem { path: "document".to_owned(), message: message.clone() }]
            }
            Self::Shape(problem) => vec![problem.clone()],
            Self::Invalid(problems) => problems.clone(),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl SourceDocument {
    /// Reads and validates a YAML document.
    ///
    /// # Errors
    /// [`DocumentError`] with every problem that was found.
    pub fn from_yaml(text: &str) -> Result<Self, DocumentError> {
        // Through a YAML value first: it refuses duplicate keys. Then through
        // JSON's data model, in which an enum is a string or a one-key map.
        let yaml: serde_norway::Value =
            serde_norway::from_str(text).map_err(|error| DocumentError::Yaml(error.to_string()))?;
        if holds_no_json_number(&yaml) {
            // JSON would make null of it, that is another value without a word.
            let message = "`.nan` and `.inf` are no numbers here; write them as text, `\"nan\"`";
            return Err(DocumentError::Yaml(message.to_owned()));
        }
        let json =
            serde_json::to_value(yaml).map_err(|error| DocumentError::Yaml(error.to_string()))?;
        if let Some(problem) = lacks(&json) {
            return Err(DocumentError::Shape(problem));
        }
        Self::from_value(json)
    }

    /// Reads and validates a document as the catalog stores it.
    ///
    /// # Errors
    /// [`DocumentError`] with every problem that was found.
    pub fn from_json(text: &str) -> Result<Self, DocumentError> {
        let json =
            serde_json::from_str(text).map_err(|error| DocumentError::Json(error.to_string()))?;
        Self::from_value(json)
    }

    fn from_value(json: serde_json::Value) -> Result<Self, DocumentError> {
        if let Some(name @ ("csv" | "json")) =
            json.get("format").and_then(serde_json::Value::as_str)
        {
            let message = format!(
                "`{name}` has settings: write `format: {{{name}: {{}}}}` to take them all by default"
            );
            return Err(DocumentError::Shape(Problem { path: "format".to_owned(), message }));
        }
        let document: Self = serde_path_to_error::deserialize(json).map_err(|error| {
            let path = match error.path().to_string() {
                root if root == "." => "document".to_owned(),
                path => path,
            };
            DocumentError::Shape(Problem { path, message: error.into_inner().to_string() })
        })?;
        let problems = document.problems();
        if problems.is_empty() { Ok(document) } else { Err(DocumentError::Invalid(problems)) }
    }

    /// The document as the catalog stores it.
    ///
    /// # Errors
    /// [`DocumentError::Json`] when a value cannot be written as JSON.
    pub fn to_json(&self) -> Result<String, DocumentError> {
        serde_json::to_string(self).map_err(|error| DocumentError::Json(error.to_string()))
    }

    /// The JSON Schema of documents, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(SourceDocument).to_value()
    }
}

/// What a document of its kind must have, though it has a default for the other.
fn lacks(json: &serde_json::Value) -> Option<Problem> {
    let needed: &[&str] = match json.get("kind").and_then(serde_json::Value::as_str) {
        None | Some("files") => &["match", "format", "columns"],
        // What is wrong with another kind is told when it is read.
        Some(_) => return None,
    };
    let missing = needed.iter().find(|field| json.get(**field).is_none())?;
    Some(Problem { path: "document".to_owned(), message: format!("missing field `{missing}`") })
}

/// Whether a number in it is none of JSON's: infinite, or not a number.
fn holds_no_json_number(yaml: &serde_norway::Value) -> bool {
    use serde_norway::Value;
    match yaml {
        Value::Number(number) => number.as_f64().is_some_and(|number| !number.is_finite()),
        Value::Sequence(items) => items.iter().any(holds_no_json_number),
        Value::Mapping(members) => members.values().any(holds_no_json_number),
        Value::Tagged(tagged) => holds_no_json_number(&tagged.value),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}
