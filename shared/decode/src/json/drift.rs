//! Drift in JSON: rows name their fields one by one, so that each row can have
//! another key that is unknown, and a field is missing from the object when no
//! row has it.

use std::collections::HashSet;

use model::document::{MissingColumn, UnknownColumn};
use model::{Drift, DriftAction, DriftKind};

use crate::{DecodeError, Request};

/// Most columns that are told of one object: keys that are data would be
/// endless.
const MOST: usize = 1_000;

/// What was met in an object.
#[derive(Default)]
pub(super) struct Met {
    seen: HashSet<(DriftKind, String)>,
    /// What was not told yet.
    drift: Vec<Drift>,
}

impl Met {
    /// A row was put aside because of a column.
    pub(super) fn quarantined(&mut self, kind: DriftKind, field: &str, row: u64) {
        self.note(kind, field, DriftAction::Quarantined, Some(row));
    }

    /// Judges the keys of a batch that no field reads, each with the first row
    /// that has it. `first_row` is that of the batch.
    pub(super) fn judge_unknown(
        &mut self,
        keys: Vec<(String, u64)>,
        first_row: u64,
        request: &Request,
    ) -> Result<(), DecodeError> {
        let adds = request.drift.unknown == UnknownColumn::Add;
        // No column can be named by nothing.
        let (new, ignored): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|(key, _)| adds && !key.is_empty());
        for (key, row) in ignored {
            self.note(DriftKind::Unknown, &key, DriftAction::Ignored, Some(row));
        }
        if new.is_empty() {
            return Ok(());
        }
        let fields = new.into_iter().map(|(key, _)| key).collect();
        Err(DecodeError::NewFields { name: request.name.clone(), fields, row: first_row })
    }

    /// Judges the fields that no row had, at the end of the object.
    pub(super) fn judge_missing(&mut self, absent: impl Iterator<Item = usize>, request: &Request) {
        // Whoever goes on in the middle has not seen the rows before.
        if request.drift.missing == MissingColumn::Null && request.start_row == 0 {
            for field in absent {
                let field = &request.fields[field];
                if !field.is_optional {
                    self.note(
                        DriftKind::Missing,
                        &field.origin.to_string(),
                        DriftAction::Null,
                        None,
                    );
                }
            }
        }
    }

    /// What was not told yet.
    pub(super) fn take(&mut self) -> Vec<Drift> {
        std::mem::take(&mut self.drift)
    }

    fn note(&mut self, kind: DriftKind, field: &str, action: DriftAction, row: Option<u64>) {
        if self.seen.len() < MOST && self.seen.insert((kind, field.to_owned())) {
            self.drift.push(Drift { kind, field: field.to_owned(), action, row });
        }
    }
}
