//! `flatten`: makes a column of each field of a named tuple column.

use arrow::array::AsArray;
use model::ColumnType;
use model::document::{Flatten, OutputColumn};

use super::Frame;
use crate::MapError;

/// Changes the columns as the step will.
pub(super) fn plan(
    step: &Flatten,
    at: usize,
    columns: &mut Vec<OutputColumn>,
) -> Result<(), String> {
    let ColumnType::Tuple(fields) = columns[at].column_type.clone() else {
        return Err(format!(
            "`flatten` works on a Tuple; `{}` is {}",
            step.column, columns[at].column_type
        ));
    };
    if fields.iter().any(|(name, _)| name.is_empty()) {
        return Err(format!(
            "`flatten` needs a Tuple with named fields: `{}` has none",
            step.column
        ));
    }
    let prefix = step.prefix.clone().unwrap_or_else(|| format!("{}_", step.column));
    let made = fields
        .into_iter()
        .map(|(name, column_type)| OutputColumn { name: format!("{prefix}{name}"), column_type });
    columns.splice(at..=at, made);
    Ok(())
}

/// A Tuple column holds no NULL, so its fields are columns as they are.
pub(super) fn run(mut frame: Frame, at: usize) -> Result<Frame, MapError> {
    let fields = frame.columns[at].as_struct().columns().to_vec();
    frame.columns.splice(at..=at, fields);
    Ok(frame)
}
