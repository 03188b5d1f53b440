//! From records to rows: the values of a batch through the decoder and the mapper
//! of the document, in one pass, with their place behind them.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use decode::{Input, Request};
use model::document::{EventColumn, SourceDocument};
use model::{Captures, Counts, Disposed as _, Disposition, Drift, RejectedRow, StreamRecord};
use transform::{Coordinates, MapError, Mapper};

use crate::IngestError;
use crate::reader::request_of;

/// Rows of a block, as in every INSERT.
const BLOCK_ROWS: usize = 65_536;

/// What has become of the records of an INSERT.
#[derive(Debug, Default)]
pub(crate) struct MappedRecords {
    /// The rows, each with the place of its record among the records.
    pub(crate) batches: Vec<(RecordBatch, Vec<usize>)>,
    /// Bad records: their place among the records, and what is wrong with them.
    pub(crate) rejected: Vec<(usize, RejectedRow)>,
    /// Keys that the document does not know and fields that records lack, each once,
    /// with the place of the first record that shows it among the records.
    pub(crate) drift: Vec<(usize, Drift)>,
}

impl MappedRecords {
    /// What has become of those records that `is_meant`.
    pub(crate) fn counts(
        &self,
        records: &[StreamRecord],
        is_meant: impl Fn(&StreamRecord) -> bool,
    ) -> Counts {
        let meant: Vec<bool> = records.iter().map(is_meant).collect();
        let mut written = vec![false; records.len()];
        let mut counts = Counts { chunks: 1, ..Counts::default() };
        for &record in self.batches.iter().flat_map(|(_, rows)| rows) {
            counts.rows_inserted += u64::from(meant[record]);
            written[record] = true;
        }
        for (is_meant, is_written) in meant.iter().zip(written) {
            counts.rows_read += u64::from(*is_meant);
            counts.rows_written += u64::from(*is_meant && is_written);
        }
        let bad = self.rejected.iter().filter(|(record, _)| meant[*record]);
        counts.rows_quarantined = bad.count() as u64;
        counts.rows_filtered = counts.rows_read - counts.rows_written - counts.rows_quarantined;
        counts
    }
}

impl MappedRecords {
    /// The drift by topic and partition, with offsets for rows.
    pub(crate) fn drift_by_partition<'a>(
        &self,
        records: &'a [StreamRecord],
    ) -> BTreeMap<(&'a str, i32), Vec<Drift>> {
        let mut by_partition: BTreeMap<_, Vec<Drift>> = BTreeMap::new();
        for (at, drift) in &self.drift {
            let record = &records[*at];
            let drift = Drift { row: Some(record.offset.cast_unsigned()), ..drift.clone() };
            by_partition.entry((&*record.topic, record.partition)).or_default().push(drift);
        }
        by_partition
    }

    fn note_drift(&mut self, at: usize, drift: Drift) {
        let is_known = |(_, known): &(usize, Drift)| {
            (known.kind, known.action, &known.field) == (drift.kind, drift.action, &drift.field)
        };
        if !self.drift.iter().any(is_known) {
            self.drift.push((at, drift));
        }
    }
}

/// How the records of a document become rows.
pub(crate) struct RecordMapper {
    document: Arc<SourceDocument>,
    mapper: Option<Mapper>,
    coordinates: Coordinates,
    types: HashMap<String, String>,
}

impl RecordMapper {
    pub(crate) fn new(
        document: Arc<SourceDocument>,
        config_version: u64,
        loaded_at_ms: i64,
    ) -> Result<Self, IngestError> {
        let event = document.stream.as_ref().map_or(EventColumn::None, |stream| stream.event);
        let mapper = match document.columns.is_empty() {
            true => None,
            false => {
                let mapper = Mapper::new(&document, &Captures::default());
                Some(mapper.map_err(|cause| transform_error(&document, cause))?)
            }
        };
        let columns = document.columns.iter();
        let types =
            columns.map(|column| (column.name.clone(), column.column_type.clone())).collect();
        let coordinates = Coordinates { event, config_version, loaded_at_ms };
        Ok(Self { document, mapper, coordinates, types })
    }

    /// Maps records. One that cannot be mapped is among the bad ones, whatever is
    /// wrong with it: a partition is never held up by a record.
    pub(crate) fn map(&self, records: &[StreamRecord]) -> Result<MappedRecords, IngestError> {
        let mut mapped = MappedRecords::default();
        let mut good = Vec::with_capacity(records.len());
        for (at, record) in records.iter().enumerate() {
            match self.judge(record) {
                Ok(()) => good.push(at),
                Err(reason) => mapped.rejected.push((at, whole(record, reason))),
            }
        }
        match &self.mapper {
            Some(mapper) => self.typed(mapper, records, &good, &mut mapped)?,
            None => {
                for rows in good.chunks(BLOCK_ROWS) {
                    self.place(None, records, rows.to_vec(), &mut mapped)?;
                }
            }
        }
        mapped.rejected.sort_by_key(|(at, _)| *at);
        Ok(mapped)
    }

    /// Whether a value can be an event at all.
    fn judge(&self, record: &StreamRecord) -> Result<(), String> {
        let Some(value) = &record.value else {
            return Err("the record has no value; an event is a JSON object".to_owned());
        };
        let text = simdutf8::compat::from_utf8(value)
            .map_err(|error| format!("is no UTF-8 text: byte {}", error.valid_up_to()))?;
        if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
            let start: String = text.chars().take(40).collect();
            return Err(format!("`{start}` is no JSON object"));
        }
        // What the server would not take, or change, in the column of the whole event.
        if self.coordinates.event == EventColumn::Json
            && let Some(problem) = transform::json_problem(text)
        {
            return Err(problem);
        }
        // The decoder of the document's columns looks at the rest.
        if self.mapper.is_none()
            && let Some(problem) = decode::json_object_problem(text)
        {
            return Err(problem);
        }
        Ok(())
    }

    /// Maps records with the document's columns. Where what is wrong cannot be
    /// told from the others, the halves are tried by themselves.
    fn typed(
        &self,
        mapper: &Mapper,
        records: &[StreamRecord],
        good: &[usize],
        mapped: &mut MappedRecords,
    ) -> Result<(), IngestError> {
        if good.is_empty() {
            return Ok(());
        }
        let mut found = MappedRecords::default();
        match (self.decode(mapper, records, good, &mut found), good) {
            (Ok(()), _) => {
                mapped.batches.append(&mut found.batches);
                mapped.rejected.append(&mut found.rejected);
                for (at, drift) in found.drift {
                    mapped.note_drift(at, drift);
                }
                Ok(())
            }
            (Err(error), _) if error.disposition() != Disposition::Quarantine => Err(error),
            (Err(error), [one]) => {
                mapped.rejected.push((*one, whole(&records[*one], error.chain())));
                Ok(())
            }
            (Err(_), many) => {
                let (first, second) = many.split_at(many.len() / 2);
                self.typed(mapper, records, first, mapped)?;
                self.typed(mapper, records, second, mapped)
            }
        }
    }

    fn decode(
        &self,
        mapper: &Mapper,
        records: &[StreamRecord],
        good: &[usize],
        mapped: &mut MappedRecords,
    ) -> Result<(), IngestError> {
        let name = self.name();
        let undecodable =
            |cause| IngestError::Decode { object: name.clone(), cause: Box::new(cause) };
        let request = Request {
            name: name.clone(),
            // Behind a row of nothing: a batch of a stream is no object, whose first
            // row tells whether it is one of the source.
            start_row: 1,
            ..request_of(&self.document, 0, mapper)
        };
        let input = Input::Stream(Box::new(Cursor::new(lines(records, good))));
        let mut decoder = decode::open(input, request).map_err(undecodable)?;
        let record_of = |row: u64| {
            let at = usize::try_from(row).ok().and_then(|row| row.checked_sub(1));
            at.and_then(|at| good.get(at)).copied()
        };
        while let Some(decoded) = decoder.next_batch().map_err(undecodable)? {
            let raw = |row| decoded.raw.get(row);
            let rows = mapper
                .apply(&decoded.batch, &decoded.row_numbers, &raw)
                .map_err(|cause| transform_error(&self.document, cause))?;
            for row in decoded.rejected.into_iter().chain(rows.rejected) {
                if let Some(at) = record_of(row.row) {
                    mapped.rejected.push((at, self.bad(&records[at], row)));
                }
            }
            let places = rows.source_rows.iter().filter_map(|row| record_of(*row)).collect();
            self.place(Some(&rows.batch), records, places, mapped)?;
        }
        for drift in decoder.take_drift() {
            if let Some(at) = drift.row.map_or_else(|| good.first().copied(), record_of) {
                mapped.note_drift(at, drift);
            }
        }
        Ok(())
    }

    /// Puts the place of each row's record behind its columns.
    fn place(
        &self,
        batch: Option<&RecordBatch>,
        records: &[StreamRecord],
        rows: Vec<usize>,
        mapped: &mut MappedRecords,
    ) -> Result<(), IngestError> {
        if rows.is_empty() {
            return Ok(());
        }
        let of: Vec<&StreamRecord> = rows.iter().map(|at| &records[*at]).collect();
        let placed = self.coordinates.append(batch, &of);
        let placed = placed.map_err(|cause| transform_error(&self.document, cause))?;
        mapped.batches.push((placed, rows));
        Ok(())
    }

    fn bad(&self, record: &StreamRecord, row: RejectedRow) -> RejectedRow {
        let column_type = match self.types.get(&row.column) {
            Some(known) if row.column_type.is_empty() => known.clone(),
            _ => row.column_type,
        };
        RejectedRow {
            row: record.offset.cast_unsigned(),
            raw: record.value.clone().unwrap_or_default(),
            column_type,
            ..row
        }
    }

    fn name(&self) -> String {
        format!("records of {}", self.document.source)
    }
}

/// A record of which no column is at fault.
pub(crate) fn whole(record: &StreamRecord, reason: String) -> RejectedRow {
    RejectedRow {
        row: record.offset.cast_unsigned(),
        column: String::new(),
        column_type: String::new(),
        reason,
        raw: record.value.clone().unwrap_or_default(),
    }
}

/// The values as JSON lines, behind a first line of nothing.
fn lines(records: &[StreamRecord], good: &[usize]) -> Vec<u8> {
    let values = || good.iter().map(|at| records[*at].value.as_deref().unwrap_or_default());
    let mut text = Vec::with_capacity(3 + values().map(|value| value.len() + 1).sum::<usize>());
    text.extend_from_slice(b"{}\n");
    for value in values() {
        let start = text.len();
        text.extend_from_slice(value);
        // Between the tokens of JSON a line's end is a space; within them there is none.
        if memchr::memchr2(b'\n', b'\r', value).is_some() {
            for byte in &mut text[start..] {
                if matches!(byte, b'\n' | b'\r') {
                    *byte = b' ';
                }
            }
        }
        text.push(b'\n');
    }
    text
}

fn transform_error(document: &SourceDocument, cause: MapError) -> IngestError {
    IngestError::Transform {
        object: format!("records of {}", document.source),
        cause: Box::new(cause),
    }
}
