//! Drift: columns that are added to the destination, and events of what was met.

use catalog::Registered;
use decode::DecodeError;
use ledger::Claim;
use model::document::UnknownColumn;
use model::{Drift, DriftAction, DriftKind, Token};
use warehouse::drift::Place;
use warehouse::{ExtraColumn, WarehouseError, drift as events};

use crate::IngestError;
use crate::destination::{Destination, table_name};
use crate::object::{Ingest, Loading};
use crate::reader::ReadPlan;
use crate::report::Stage;
use crate::survey::survey;

/// Most columns of a table that come from drift: keys that are data would make
/// a table that nobody can use.
const MOST_EXTRAS: usize = 100;
/// Most events that a process remembers having written.
const MOST_TOLD: usize = 10_000;

impl Ingest {
    /// The destination of an object on a cluster, in order and with the columns
    /// that drift has added so far.
    pub(crate) async fn destination(
        &self,
        loading: &Loading,
        cluster: &str,
    ) -> Result<Destination, IngestError> {
        let document = &loading.source.document;
        let base = Destination::of(document, &[]);
        let failed = |cause| write_error(loading, cause);
        if document.drift.unknown != UnknownColumn::Add {
            self.warehouse.prepare(cluster, &base.table).await.map_err(failed)?;
            return Ok(base);
        }
        let extras = self.extras(&base, cluster, &loading.wanted).await.map_err(failed)?;
        let destination = Destination::of(document, &extras);
        self.warehouse.prepare(cluster, &destination.table).await.map_err(failed)?;
        Ok(destination)
    }

    /// Puts the table of another cluster in order for the rows of a destination.
    pub(crate) async fn fit(
        &self,
        loading: &Loading,
        destination: &Destination,
        cluster: &str,
    ) -> Result<(), WarehouseError> {
        if !destination.added.is_empty() {
            let base = Destination::of(&loading.source.document, &[]);
            self.extras(&base, cluster, &destination.added).await?;
        }
        self.warehouse.prepare(cluster, &destination.table).await
    }

    async fn extras(
        &self,
        base: &Destination,
        cluster: &str,
        wanted: &[ExtraColumn],
    ) -> Result<Vec<ExtraColumn>, WarehouseError> {
        if !wanted.is_empty() {
            self.warehouse.prepare(cluster, &base.table).await?;
        }
        self.warehouse.extras(cluster, &base.table, wanted).await
    }

    /// Adds the columns that a decoder met, on every cluster of the source, so
    /// that the chunk can be read anew with them. Hands every other error back,
    /// with its event written where it is one of drift.
    pub(crate) async fn widen(
        &self,
        loading: &mut Loading,
        claim: &Claim,
        error: IngestError,
    ) -> Result<(), IngestError> {
        let document = &loading.source.document;
        let pinned = loading.target.clone();
        let IngestError::Decode { cause, .. } = &error else { return Err(error) };
        let (fields, row) = match cause.as_ref() {
            DecodeError::NewFields { fields, row, .. } => (fields, *row),
            other => {
                if let Some(drift) = failed(other) {
                    self.tell(loading, &pinned, &[drift]).await?;
                }
                return Err(error);
            }
        };
        let base = Destination::of(document, &[]);
        let there = self.extras(&base, &pinned, &[]).await;
        let there = there.map_err(|cause| write_error(loading, cause))?.len() + fields.len();
        if there > MOST_EXTRAS {
            return Err(IngestError::TooManyColumns {
                object: loading.object.id.to_string(),
                new: fields.len(),
                there,
                table: table_name(document),
                most: MOST_EXTRAS,
            });
        }
        let plan = ReadPlan { from_row: row, ..self.read_plan(loading, claim) };
        let new = survey(plan, fields).await?;
        let added = self.extras(&base, &pinned, &new).await;
        let added = added.map_err(|cause| write_error(loading, cause))?;
        for cluster in document.write.clusters.iter().filter(|cluster| **cluster != pinned) {
            // It gets them when it is written to, at the latest.
            if let Err(error) = self.extras(&base, cluster, &new).await {
                tracing::warn!(cluster, %error, "columns that drift adds wait for this cluster");
            }
        }
        let met = new.iter().map(|extra| Drift {
            kind: DriftKind::Unknown,
            field: extra.field.clone(),
            action: DriftAction::Added,
            row: Some(row),
        });
        self.tell_with(loading, &pinned, &met.collect::<Vec<_>>(), &added).await?;
        loading.wanted.extend(new);
        Ok(())
    }

    /// Writes the events of drift that this process has not written.
    pub(crate) async fn tell(
        &self,
        loading: &Loading,
        cluster: &str,
        met: &[Drift],
    ) -> Result<(), IngestError> {
        self.tell_with(loading, cluster, met, &[]).await
    }

    /// All in one INSERT: an object may have thousands of unknown columns.
    async fn tell_with(
        &self,
        loading: &Loading,
        cluster: &str,
        met: &[Drift],
        added: &[ExtraColumn],
    ) -> Result<(), IngestError> {
        let place = Place::from(&loading.object.id);
        let told = self.tell_of(&loading.source, &place, cluster, met, added);
        let told = loading.stopwatches.time(Stage::Write, told).await;
        told.map_err(|cause| write_error(loading, cause))
    }

    /// Writes the events that were not written before on this day.
    pub(crate) async fn tell_of(
        &self,
        source: &Registered,
        place: &Place<'_>,
        cluster: &str,
        met: &[Drift],
        added: &[ExtraColumn],
    ) -> Result<(), WarehouseError> {
        let (mut new, mut tokens) = (Vec::new(), Vec::new());
        for drift in met {
            let column = added.iter().find(|extra| extra.field == drift.field);
            let event = events::DriftEvent {
                source: &source.document.source,
                place,
                config_version: source.config_version,
                drift,
                column: column.map(|extra| &extra.column),
                at_ms: self.clock.now_ms(),
            };
            let token = Token::of_drift(event.source, event.config_version, drift, event.day());
            if !self.told.has(&token) {
                new.push(event);
                tokens.push(token);
            }
        }
        let Some(first) = new.first() else { return Ok(()) };
        tracing::warn!(
            object = place.name,
            source = first.source,
            columns = new.len(),
            kind = %first.drift.kind,
            field = first.drift.field,
            action = %first.drift.action,
            "drift"
        );
        self.write_events(cluster, &new, Token::of_all(&tokens)).await?;
        self.told.note(tokens);
        Ok(())
    }

    async fn write_events(
        &self,
        cluster: &str,
        new: &[events::DriftEvent<'_>],
        token: Token,
    ) -> Result<(), WarehouseError> {
        let table = events::table();
        let batch = events::batch(new).map_err(|source| WarehouseError::Encode {
            table: events::TABLE.to_owned(),
            source: source.into(),
        })?;
        self.warehouse.prepare(cluster, &table).await?;
        let mut insert = self.warehouse.insert(cluster, table.insert(token)).await?;
        insert.write(&batch).await?;
        insert.finish().await
    }
}

/// Drift that failed an object.
fn failed(error: &DecodeError) -> Option<Drift> {
    let (kind, field, place) = match error {
        DecodeError::UnknownField { field, place, .. } => (DriftKind::Unknown, field, place),
        DecodeError::MissingField { origin, place, .. } => (DriftKind::Missing, origin, place),
        _ => return None,
    };
    Some(Drift { kind, field: field.clone(), action: DriftAction::Failed, row: place.row })
}

fn write_error(loading: &Loading, cause: WarehouseError) -> IngestError {
    IngestError::Write { object: loading.object.id.to_string(), cause: Box::new(cause) }
}

/// Events that this process has written: an event a day is enough, and an
/// INSERT for each object would be too many.
#[derive(Debug, Default)]
pub struct Told(std::sync::Mutex<std::collections::HashSet<Token>>);

impl Told {
    fn has(&self, token: &Token) -> bool {
        self.lock().contains(token)
    }

    fn note(&self, tokens: Vec<Token>) {
        let mut told = self.lock();
        if told.len() >= MOST_TOLD {
            // At worst an event is there twice.
            told.clear();
        }
        told.extend(tokens);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, std::collections::HashSet<Token>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
