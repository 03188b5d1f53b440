//! Which column of a CSV object each requested field is.

use std::collections::HashMap;

use model::document::{Drift, MissingColumn, UnknownColumn};

use crate::{DecodeError, FieldRequest, Place};

/// The columns of an object, as the request sees them.
pub(super) struct Columns {
    /// The column of each requested field; `None` when the object lacks it.
    pub(super) of_field: Vec<Option<usize>>,
    /// How many columns a row has.
    pub(super) width: usize,
    /// Why no row of this object may pass, and the destination column at fault.
    pub(super) verdict: Option<(String, String)>,
}

impl Columns {
    /// Finds the fields among the object's columns.
    pub(super) fn find(
        names: &[String],
        fields: &[FieldRequest],
        drift: Drift,
        object: &str,
    ) -> Result<Self, DecodeError> {
        let mut at = HashMap::with_capacity(names.len());
        for (i, name) in names.iter().enumerate() {
            // Columns without a name cannot be asked for; several do no harm.
            if at.insert(name.as_str(), i).is_some() && !name.is_empty() {
                return Err(DecodeError::Malformed {
                    name: object.to_owned(),
                    format: "csv",
                    place: Place::default(),
                    reason: format!(
                        "two columns are named `{name}`; every column needs its own name"
                    ),
                });
            }
        }
        let mut found =
            Self { of_field: Vec::with_capacity(fields.len()), width: names.len(), verdict: None };
        for field in fields {
            let origin = field.origin.to_string();
            let column = at.get(origin.as_str()).copied();
            if column.is_none() {
                found.miss(origin, field, drift.missing, object)?;
            }
            found.of_field.push(column);
        }
        found.check_unknown(names, drift.unknown, object)?;
        Ok(found)
    }

    fn miss(
        &mut self,
        origin: String,
        field: &FieldRequest,
        policy: MissingColumn,
        object: &str,
    ) -> Result<(), DecodeError> {
        match policy {
            MissingColumn::Null => {}
            MissingColumn::Quarantine => {
                let reason =
                    format!("the object has no column `{origin}` (drift.missing: quarantine)");
                self.verdict.get_or_insert((field.required_by.clone(), reason));
            }
            MissingColumn::Fail => {
                return Err(DecodeError::MissingField {
                    name: object.to_owned(),
                    origin,
                    column: field.required_by.clone(),
                    place: Place::default(),
                });
            }
        }
        Ok(())
    }

    fn check_unknown(
        &mut self,
        names: &[String],
        policy: UnknownColumn,
        object: &str,
    ) -> Result<(), DecodeError> {
        let unknown = names.iter().enumerate().find(|(i, _)| !self.of_field.contains(&Some(*i)));
        let Some((_, field)) = unknown else { return Ok(()) };
        match policy {
            UnknownColumn::Ignore => {}
            UnknownColumn::Quarantine => {
                let reason = format!(
                    "column `{field}` is not in the source document (drift.unknown: quarantine)"
                );
                self.verdict.get_or_insert((String::new(), reason));
            }
            UnknownColumn::Fail => {
                return Err(DecodeError::UnknownField {
                    name: object.to_owned(),
                    field: field.clone(),
                    place: Place::default(),
                });
            }
        }
        Ok(())
    }
}
