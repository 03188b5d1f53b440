//! Which column of a CSV object each requested field is.

use std::collections::HashMap;

use model::document::{MissingColumn, UnknownColumn};
use model::{Drift, DriftAction, DriftKind};

use crate::{DecodeError, FieldRequest, Place, Request};

/// The columns of an object, as the request sees them.
pub(super) struct Columns {
    /// The column of each requested field; `None` when the object lacks it.
    pub(super) of_field: Vec<Option<usize>>,
    /// How many columns a row has.
    pub(super) width: usize,
    /// Why no row of this object may pass, and the destination column at fault.
    pub(super) verdict: Option<(String, String)>,
    /// What was judged, until it is told.
    pub(super) drift: Vec<Drift>,
}

impl Columns {
    /// The columns of an object without any.
    pub(super) fn of_nothing(fields: usize) -> Self {
        Self { of_field: vec![None; fields], width: 0, verdict: None, drift: Vec::new() }
    }

    /// Finds the fields among the object's columns, and judges drift.
    pub(super) fn find(names: &[String], request: &Request) -> Result<Self, DecodeError> {
        let mut at = HashMap::with_capacity(names.len());
        for (i, name) in names.iter().enumerate() {
            // Columns without a name cannot be asked for; several do no harm.
            if at.insert(name.as_str(), i).is_some() && !name.is_empty() {
                return Err(DecodeError::Malformed {
                    name: request.name.clone(),
                    format: "csv",
                    place: Place::default(),
                    reason: format!(
                        "two columns are named `{name}`; every column needs its own name"
                    ),
                });
            }
        }
        let mut found = Self::of_nothing(0);
        found.width = names.len();
        for field in &request.fields {
            let column = at.get(field.origin.to_string().as_str()).copied();
            if column.is_none() && !field.is_optional {
                found.miss(field, request)?;
            }
            found.of_field.push(column);
        }
        if !request.fields.is_empty() && found.of_field.iter().all(Option::is_none) {
            return Err(request.nothing_in_common(names.iter().map(String::as_str)));
        }
        found.check_unknown(names, request)?;
        Ok(found)
    }

    fn miss(&mut self, field: &FieldRequest, request: &Request) -> Result<(), DecodeError> {
        let origin = field.origin.to_string();
        match request.drift.missing {
            MissingColumn::Null => self.note(DriftKind::Missing, &origin, DriftAction::Null),
            MissingColumn::Quarantine => {
                self.note(DriftKind::Missing, &origin, DriftAction::Quarantined);
                let reason =
                    format!("the object has no column `{origin}` (drift.missing: quarantine)");
                self.verdict.get_or_insert((field.required_by.clone(), reason));
            }
            MissingColumn::Fail => {
                return Err(DecodeError::MissingField {
                    name: request.name.clone(),
                    origin,
                    column: field.required_by.clone(),
                    place: Place::default(),
                });
            }
        }
        Ok(())
    }

    fn check_unknown(&mut self, names: &[String], request: &Request) -> Result<(), DecodeError> {
        let mut added = Vec::new();
        for (i, field) in names.iter().enumerate() {
            if self.of_field.contains(&Some(i)) {
                continue;
            }
            match request.drift.unknown {
                UnknownColumn::Add if !field.is_empty() => added.push(field.clone()),
                UnknownColumn::Ignore | UnknownColumn::Add => {
                    self.note(DriftKind::Unknown, field, DriftAction::Ignored);
                }
                UnknownColumn::Quarantine => {
                    self.note(DriftKind::Unknown, field, DriftAction::Quarantined);
                    let reason = format!(
                        "column `{field}` is not in the source document (drift.unknown: quarantine)"
                    );
                    self.verdict.get_or_insert((String::new(), reason));
                }
                UnknownColumn::Fail => {
                    return Err(DecodeError::UnknownField {
                        name: request.name.clone(),
                        field: field.clone(),
                        place: Place::default(),
                    });
                }
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        let (name, row) = (request.name.clone(), request.start_row);
        Err(DecodeError::NewFields { name, fields: added, row })
    }

    fn note(&mut self, kind: DriftKind, field: &str, action: DriftAction) {
        self.drift.push(Drift { kind, field: field.to_owned(), action, row: None });
    }
}
