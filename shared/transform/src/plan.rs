//! What is done with each column of a document: decided once per object, with
//! defaults, constants and captures checked before the first row is read.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, new_null_array};
use model::document::{Column, FromSpec, SourceDocument};
use model::{Captures, ColumnType};

use crate::MapError;
use crate::cast::{Target, TimeRules};
use crate::settle::Policy;

/// A field that must be decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedField {
    /// Where the object has it: `FromSpec::Column` or `FromSpec::Path`.
    pub origin: FromSpec,
    /// Whether an empty text is a value, not NULL: so for texts that take no
    /// NULL, unless the column is `required` or has a default for it.
    pub empty_is_text: bool,
    /// The type that the decoder may build the column as, where its values are
    /// written plainly. None for a column with rules of its own for times.
    pub column_type: Option<ColumnType>,
    /// The destination column, for messages.
    pub column: String,
}

/// What is done with one column.
#[derive(Debug, Clone)]
pub(crate) struct ColumnPlan {
    pub name: String,
    pub target: Target,
    pub origin: Origin,
    pub policy: Policy,
}

/// Where a column's values are.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// This column of the decoded batch.
    Field(usize),
    /// The same one value in every row, settled already.
    Same(ArrayRef),
}

/// The plan of every column of the document, and the fields they need. Without
/// captures, the columns that take a part of the key are not looked at.
pub(crate) fn columns(
    document: &SourceDocument,
    captures: Option<&Captures>,
) -> Result<(Vec<ColumnPlan>, Vec<MappedField>), MapError> {
    let mut fields = Vec::new();
    let mut plans = Vec::with_capacity(document.columns.len());
    for (i, column) in document.columns.iter().enumerate() {
        let problem = |field: &str, problem: String| MapError::Document {
            path: format!("columns[{i}]{field}"),
            problem,
        };
        let column_type = ColumnType::parse(&column.column_type)
            .map_err(|error| problem(".type", error.to_string()))?;
        let times =
            TimeRules::new(column.timestamp.as_ref()).map_err(|words| problem("", words))?;
        let target = Target::new(&column_type, &Arc::new(times));
        let target = if document.transform.is_empty() { target.untouched() } else { target };
        let default = match &column.default {
            None => None,
            Some(value) => {
                Some(literal(&target, value).map_err(|words| problem(".default", words))?)
            }
        };
        let policy = Policy {
            required: column.required,
            nullable: column_type.is_nullable(),
            default,
            on_error: column.on_error,
        };
        let origin = match column.origin() {
            FromSpec::Capture(name) => Origin::Same(match captures {
                Some(captures) => capture(&name, captures, column, &target, &policy)?,
                None => new_null_array(&target.data_type, 1),
            }),
            FromSpec::Constant(value) => {
                let one =
                    literal(&target, &value).map_err(|words| problem(".from.constant", words))?;
                if one.null_count() > 0 && !policy.nullable {
                    return Err(problem(
                        ".from.constant",
                        format!("NULL does not go into {column_type}"),
                    ));
                }
                Origin::Same(one)
            }
            origin => {
                fields.push(MappedField {
                    origin,
                    empty_is_text: empty_is_text(column, &column_type),
                    column_type: column.timestamp.is_none().then(|| column_type.clone()),
                    column: column.name.clone(),
                });
                Origin::Field(fields.len() - 1)
            }
        };
        plans.push(ColumnPlan { name: column.name.clone(), target, origin, policy });
    }
    Ok((plans, fields))
}

fn empty_is_text(column: &Column, column_type: &ColumnType) -> bool {
    matches!(column_type.bare(), ColumnType::String | ColumnType::FixedString(_))
        && !column_type.is_nullable()
        && !column.required
        && column.default.is_none()
}

/// A value of the document as one value of the column. Dates and times may be
/// written in the column's formats or by ISO 8601.
pub(crate) fn literal(target: &Target, value: &serde_json::Value) -> Result<ArrayRef, String> {
    let text = match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let one: ArrayRef = Arc::new(StringArray::from(vec![text.clone()]));
    let iso = TimeRules::new(None).map(|rules| Target::new(&target.column_type, &Arc::new(rules)));
    let mut fault = None;
    for target in std::iter::once(target).chain(iso.iter()) {
        let casted = target.cast(&one).map_err(|error| error.to_string())?;
        match casted.bad.into_iter().next() {
            None => return Ok(casted.array),
            Some(bad) => fault = fault.or(Some(bad.fault)),
        }
    }
    let words =
        fault.map(|fault| fault.describe(text.as_deref().unwrap_or("NULL"), &target.column_type));
    Err(words.unwrap_or_else(|| "does not fit".to_owned()))
}

/// A part of the key as one value of the column. `on_error` may put NULL or
/// the default; there is no row that could go to the quarantine.
fn capture(
    name: &str,
    captures: &Captures,
    column: &Column,
    target: &Target,
    policy: &Policy,
) -> Result<ArrayRef, MapError> {
    let error = |reason: String| MapError::Capture {
        capture: name.to_owned(),
        column: column.name.clone(),
        reason,
    };
    let text = captures
        .get(name)
        .ok_or_else(|| error("`match.glob` did not capture it from this key".to_owned()))?;
    let one: ArrayRef = Arc::new(StringArray::from(vec![text.as_str()]));
    let settled = target
        .cast(&one)
        .and_then(|casted| policy.settle(casted))
        .map_err(MapError::arrow(&column.name))?;
    match settled.failed.or(settled.rejected.into_iter().next()) {
        None => Ok(settled.array),
        Some(bad) => Err(error(bad.fault.describe(text, &target.column_type))),
    }
}
