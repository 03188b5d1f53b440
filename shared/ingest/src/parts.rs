//! Parts: a large Parquet object is loaded by several invocations at once.
//!
//! The first claim splits it where chunks begin, so that the chunks, their tokens
//! and what is owed are the same as without. Each part is claimed, committed and
//! finished by itself; whoever finishes the last one unites them.

use std::sync::Arc;

use catalog::Registered;
use ledger::{Claim, ClaimRequest, LedgerError, Part, Record, State, Totals};
use model::document::Format;
use model::{ChunkPlan, ObjectId};

use crate::destination::table_name;
use crate::fetch::FetchFailure;
use crate::object::Loading;
use crate::reader::input;
use crate::{Ingest, IngestError, Notice, Outcome};

/// Most parts of one object: each finished part looks at all.
const MOST_PARTS: u64 = 100;

/// What is to be asked of the ledger for a notice.
pub(crate) enum Asked {
    /// This.
    Claim(ClaimRequest),
    /// Nothing: all parts of the object are in.
    Done(Box<Record>),
}

impl Ingest {
    /// The claim that a notice asks for: of the whole object, or of the part that
    /// it names.
    pub(crate) async fn request_for(
        &self,
        source: &Registered,
        object: &ObjectId,
        notice: &Notice,
    ) -> Result<Asked, IngestError> {
        let request = self.request(source, object, notice.retry_failed);
        let Some(index) = notice.part else { return Ok(Asked::Claim(request)) };
        let failed = |cause| ledger_failed(object, cause);
        let whole = self.ledger.get(&request.source, object).await.map_err(failed)?;
        let part = |whole: &Record| whole.parts.iter().find(|part| part.index == index).copied();
        let Some((whole, part)) = whole.and_then(|whole| part(&whole).map(|part| (whole, part)))
        else {
            return Err(IngestError::NoPart { object: object.to_string(), part: index });
        };
        if whole.state == State::Done {
            return Ok(Asked::Done(Box::new(whole)));
        }
        // A part that failed is tried again with the document as it is now, every
        // other one with what the object was begun with.
        let parts = self.ledger.parts(&whole).await.map_err(failed)?;
        let is_failed = |record: &Record| {
            record.part == Some(part) && record.state == State::Failed && notice.retry_failed
        };
        let config_version = match parts.iter().any(is_failed) {
            true => request.config_version,
            false => whole.config_version,
        };
        Ok(Asked::Claim(ClaimRequest { part: Some(part), config_version, ..request }))
    }

    /// The parts to split an object into; none when it is loaded as a whole.
    pub(crate) async fn parts_of(
        &self,
        loading: &Loading,
        claim: &Claim,
    ) -> Result<Option<Vec<Part>>, IngestError> {
        let Some(bytes) = self.settings.split_bytes.filter(|bytes| loading.object.size > *bytes)
        else {
            return Ok(None);
        };
        let is_begun = claim.next_row > 0 || claim.pending.is_some();
        if is_begun
            || claim.again_ms > 0
            || claim.part.is_some()
            || loading.source.document.format != Format::Parquet
        {
            return Ok(None);
        }
        let failed = FetchFailure::default();
        let decode::Input::Ranges(ranges) = input(&self.read_plan(loading, claim), &failed) else {
            return Ok(None);
        };
        let name = loading.object.id.key.clone();
        let groups =
            tokio::task::spawn_blocking(move || decode::row_groups(ranges.as_ref(), &name));
        let object = loading.object.id.to_string();
        let groups = groups
            .await
            .map_err(|error| IngestError::Thread { object, reason: error.to_string() })?;
        // What is wrong with the file is told, and judged, when it is loaded.
        let Ok(groups) = groups else { return Ok(None) };
        let bytes = bytes.max(loading.object.size.div_ceil(MOST_PARTS));
        let parts = split(&groups, bytes, loading.source.document.write.rows_per_chunk);
        Ok((parts.len() > 1).then_some(parts))
    }

    /// What is left to do of a split object.
    pub(crate) async fn parts_left(&self, whole: Record) -> Result<Outcome, IngestError> {
        let done = self.ledger.parts(&whole).await;
        let done = done.map_err(|cause| ledger_failed(&whole.object, cause))?;
        let is_done = |part: &Part| {
            done.iter().any(|record| record.part == Some(*part) && record.state == State::Done)
        };
        let left: Vec<&Part> = whole.parts.iter().filter(|part| !is_done(part)).collect();
        // Should none be left, one of them unites all.
        let parts = match left.is_empty() {
            true => vec![0],
            false => left.into_iter().map(|part| part.index).collect(),
        };
        Ok(Outcome::Split { source: whole.source, object: whole.object, parts })
    }

    /// Sees to the object after the try of one of its parts.
    pub(crate) async fn settle_part(
        &self,
        source: &Arc<Registered>,
        object: &ObjectId,
        part: Part,
        mut outcome: Result<Outcome, IngestError>,
    ) -> Result<Outcome, IngestError> {
        match &mut outcome {
            Ok(Outcome::Loaded(report)) => {
                report.is_whole = self.unite_if_whole(source, object).await?;
            }
            Ok(_) => {}
            Err(_) => self.fail_with(source, object, part).await?,
        }
        outcome
    }

    /// Fails the object if a part of it has failed.
    async fn fail_with(
        &self,
        source: &Arc<Registered>,
        object: &ObjectId,
        part: Part,
    ) -> Result<(), IngestError> {
        let failed = |cause| ledger_failed(object, cause);
        let whole = self.ledger.get(&source.document.source, object).await.map_err(failed)?;
        let Some(whole) = whole else { return Ok(()) };
        let parts = self.ledger.parts(&whole).await.map_err(failed)?;
        let is_it = |record: &&Record| record.part == Some(part) && record.state == State::Failed;
        let Some(record) = parts.iter().find(is_it) else { return Ok(()) };
        let reason = format!(
            "part {} (source rows {} to {}): {}",
            part.index,
            part.start,
            part.end,
            record.reason.as_deref().unwrap_or_default()
        );
        let named = &source.document.write.clusters;
        self.ledger.fail_split(&whole, &parts, named, &reason).await.map_err(failed)
    }

    /// Unites the parts of an object of which one was found done: its last try may
    /// have ended between the part and the whole.
    pub(crate) async fn gather(
        &self,
        source: &Arc<Registered>,
        record: &Record,
    ) -> Result<(), IngestError> {
        match record.part {
            None => Ok(()),
            Some(_) => self.unite_if_whole(source, &record.object).await.map(drop),
        }
    }

    /// Whether all parts were in, and are one now.
    async fn unite_if_whole(
        &self,
        source: &Arc<Registered>,
        object: &ObjectId,
    ) -> Result<bool, IngestError> {
        let failed = |cause| ledger_failed(object, cause);
        let document = &source.document;
        let whole = self.ledger.get(&document.source, object).await.map_err(failed)?;
        let Some(whole) = whole.filter(|whole| whole.state != State::Done) else {
            return Ok(false);
        };
        let parts = self.ledger.parts(&whole).await.map_err(failed)?;
        let are_done = parts.iter().all(|record| record.state == State::Done);
        if parts.len() < whole.parts.len() || !are_done {
            return Ok(false);
        }
        let clusters: std::collections::BTreeSet<&str> =
            parts.iter().filter_map(|record| record.cluster.as_deref()).collect();
        let totals = Totals {
            cluster: clusters.into_iter().collect::<Vec<_>>().join(", "),
            table: table_name(document),
            bytes: parts.iter().map(|record| record.bytes).max().unwrap_or(0),
            ..Totals::default()
        };
        self.replace_others(source, object).await?;
        let done = self.ledger.unite(&whole, &parts, totals, &document.write.clusters).await;
        let done = done.map_err(failed)?;
        tracing::info!(
            state = "united",
            source = document.source,
            object = %object,
            parts = parts.len(),
            rows_read = done.counts.rows_read,
            rows_written = done.counts.rows_written,
            rows_filtered = done.counts.rows_filtered,
            rows_quarantined = done.counts.rows_quarantined,
            "object"
        );
        Ok(true)
    }
}

fn ledger_failed(object: &ObjectId, cause: LedgerError) -> IngestError {
    IngestError::Ledger { object: object.to_string(), cause: Box::new(cause) }
}

/// Cuts a file into parts of about so many bytes: at the chunk in which a row group
/// begins, so that a part reads little that is not its own.
fn split(groups: &[decode::RowGroup], bytes: u64, rows_per_chunk: u64) -> Vec<Part> {
    let plan = ChunkPlan { rows_per_chunk };
    let mut starts = vec![0];
    let (mut row, mut in_part) = (0_u64, 0_u64);
    for group in groups {
        if in_part >= bytes {
            let start = plan.chunk_of(row).start;
            if starts.last().is_some_and(|last| *last < start) {
                starts.push(start);
                in_part = 0;
            }
        }
        row += group.rows;
        in_part += group.bytes;
    }
    let ends = starts.iter().skip(1).copied().chain([row]);
    let parts = starts.iter().zip(ends).enumerate();
    parts
        .map(|(index, (start, end))| Part {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            start: *start,
            end,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use decode::RowGroup;

    fn bounds(groups: &[(u64, u64)], bytes: u64, rows_per_chunk: u64) -> Vec<(u64, u64)> {
        let groups: Vec<RowGroup> =
            groups.iter().map(|(rows, bytes)| RowGroup { rows: *rows, bytes: *bytes }).collect();
        split(&groups, bytes, rows_per_chunk).iter().map(|part| (part.start, part.end)).collect()
    }

    #[test]
    fn parts_begin_with_the_chunk_in_which_a_row_group_begins() {
        let groups = [(100, 10); 6];
        assert_eq!(bounds(&groups, 20, 50), [(0, 200), (200, 400), (400, 600)]);
        assert_eq!(bounds(&groups, 20, 64), [(0, 192), (192, 384), (384, 600)]);
        assert_eq!(bounds(&groups, 20, 1_000), [(0, 600)], "one chunk is one part");
        assert_eq!(bounds(&groups, 25, 100), [(0, 300), (300, 600)]);
        assert_eq!(bounds(&[(1_000_000, 99)], 10, 10), [(0, 1_000_000)], "one row group is one");
        assert_eq!(bounds(&[], 10, 10), [(0, 0)]);
    }
}
