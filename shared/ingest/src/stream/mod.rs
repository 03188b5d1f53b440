//! The whole way of a batch of Kafka's records, on one screen: [`Ingest::take`].
//!
//! Lambda cuts the batches, and cuts the same records differently when it tries
//! again. So the ledger holds, for each partition, which offsets are accounted
//! for and which INSERT is pending. What is accounted for is dropped; what is
//! pending is sent again as it was, whatever the new batch holds of it.

mod again;
mod land;
mod map;
mod pay;
mod replay;
mod resume;

pub(crate) use pay::debts_of_partition;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{CatalogError, Registered, Snapshot};
use futures::FutureExt as _;
use ledger::{LedgerError, MOST_AT_ONCE, PartitionRecord};
use model::{Counts, Disposed as _, Disposition, Run, StreamRecord, Token};
use runtime::{Deadline, Metric, Unit};
use warehouse::ServerKind;

use self::land::Planned;
use crate::destination::table_name;
use crate::{Ingest, IngestError};

/// Times that a group of partitions is begun anew when others are at them, too.
const TRIES_AGAINST_OTHERS: usize = 3;

/// Records of one partition, as they were delivered.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Its records, in order of their offsets.
    pub records: Vec<StreamRecord>,
}

/// Records that were not taken: they are to be delivered again.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The first offset that is to be delivered again.
    pub offset: i64,
    /// Why.
    pub error: Arc<IngestError>,
}

/// What has become of the records of a source in one invocation.
#[derive(Debug, Clone)]
pub struct StreamReport {
    /// The source.
    pub source: String,
    /// The destination, `database.table`.
    pub table: String,
    /// The clusters that were written to.
    pub clusters: Vec<String>,
    /// Records that were delivered.
    pub delivered: u64,
    /// Those of them that were accounted for before.
    pub repeated: u64,
    /// What has become of the others, and of the records of a pending INSERT.
    pub counts: Counts,
    /// When the newest of them was made, in milliseconds since 1970.
    pub newest_ms: i64,
}

/// What has become of a batch.
#[derive(Debug, Default)]
pub struct Taken {
    /// By source.
    pub reports: Vec<StreamReport>,
    /// What is to be delivered again.
    pub refused: Vec<Refused>,
}

impl Taken {
    fn refuse(&mut self, delivered: &[Delivered], error: IngestError) {
        let error = Arc::new(error);
        self.refused.extend(delivered.iter().filter_map(|some| {
            let offset = some.records.first()?.offset;
            let (topic, partition) = (some.topic.clone(), some.partition);
            Some(Refused { topic, partition, offset, error: error.clone() })
        }));
    }
}

impl StreamReport {
    fn new(source: &Registered, delivered: &[Delivered]) -> Self {
        Self {
            source: source.document.source.clone(),
            table: table_name(&source.document),
            clusters: Vec::new(),
            delivered: delivered.iter().map(|some| some.records.len() as u64).sum(),
            repeated: 0,
            counts: Counts::default(),
            newest_ms: 0,
        }
    }

    /// Writes the one log line of the source.
    pub fn log(&self) {
        tracing::info!(
            state = "taken",
            source = self.source,
            table = self.table,
            clusters = self.clusters.join(","),
            records = self.delivered,
            repeated = self.repeated,
            rows_read = self.counts.rows_read,
            rows_written = self.counts.rows_written,
            rows_filtered = self.counts.rows_filtered,
            rows_quarantined = self.counts.rows_quarantined,
            rows_inserted = self.counts.rows_inserted,
            inserts = self.counts.chunks,
            "records"
        );
    }

    /// The one EMF record of the source.
    #[must_use]
    pub fn emf(&self, now_ms: i64) -> String {
        let count = |name, value| Metric { name, unit: Unit::Count, value };
        let lag = if self.newest_ms == 0 { 0 } else { now_ms.saturating_sub(self.newest_ms) };
        runtime::emf(
            u64::try_from(now_ms).unwrap_or(0),
            &[("Source", &self.source)],
            &[
                count("RecordsDelivered", self.delivered),
                count("RecordsRepeated", self.repeated),
                count("RowsRead", self.counts.rows_read),
                count("RowsWritten", self.counts.rows_written),
                count("RowsFiltered", self.counts.rows_filtered),
                count("RowsQuarantined", self.counts.rows_quarantined),
                count("Inserts", self.counts.chunks),
                Metric {
                    name: "Lag",
                    unit: Unit::Milliseconds,
                    value: u64::try_from(lag).unwrap_or(0),
                },
            ],
            &[("clusters", self.clusters.join(",").into())],
        )
    }
}

impl Ingest {
    /// Takes records: drops those that are accounted for, and writes the others
    /// with one INSERT for each source. What was not taken is to be delivered
    /// again; one source never fails another.
    pub async fn take(&self, delivered: Vec<Delivered>, deadline: Deadline) -> Taken {
        let mut taken = Taken::default();
        for (source, delivered) in self.by_source(delivered, &mut taken).await {
            // Partitions whose records the ledger can change together.
            for some in delivered.chunks(MOST_AT_ONCE) {
                match self.take_of_source(&source, some, deadline).await {
                    Ok(report) => taken.reports.push(report),
                    Err(error) => taken.refuse(some, error),
                }
            }
        }
        taken
    }

    async fn by_source(
        &self,
        delivered: Vec<Delivered>,
        taken: &mut Taken,
    ) -> Vec<(Arc<Registered>, Vec<Delivered>)> {
        let mut by_source: BTreeMap<String, (Arc<Registered>, Vec<Delivered>)> = BTreeMap::new();
        for some in delivered {
            match self.source_of_topic(&some.topic).await {
                Ok(source) => {
                    let name = source.document.source.clone();
                    by_source.entry(name).or_insert((source, Vec::new())).1.push(some);
                }
                Err(error) => taken.refuse(&[some], error),
            }
        }
        by_source.into_values().collect()
    }

    async fn source_of_topic(&self, topic: &str) -> Result<Arc<Registered>, IngestError> {
        let failed = |cause: CatalogError| IngestError::Catalog { cause: Box::new(cause) };
        let found = |snapshot: &Snapshot| snapshot.for_topic(topic).cloned();
        if let Some(source) = found(&*self.catalog.snapshot().await.map_err(failed)?) {
            return Ok(source);
        }
        // The document may have been put a moment ago.
        let snapshot = self.catalog.recheck().await.map_err(failed)?;
        found(&snapshot).ok_or_else(|| IngestError::NoTopic { topic: topic.to_owned() })
    }

    async fn take_of_source(
        &self,
        source: &Arc<Registered>,
        delivered: &[Delivered],
        deadline: Deadline,
    ) -> Result<StreamReport, IngestError> {
        let mut tries = TRIES_AGAINST_OTHERS;
        let mut report = StreamReport::new(source, delivered);
        loop {
            tries -= 1;
            // Boxed: the way of an INSERT is deep.
            match self.take_once(source, delivered, deadline, &mut report).boxed().await {
                Ok(()) => return Ok(report),
                Err(error) if error.is_overtaken() && tries > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn take_once(
        &self,
        source: &Arc<Registered>,
        delivered: &[Delivered],
        deadline: Deadline,
        report: &mut StreamReport,
    ) -> Result<(), IngestError> {
        let mut held = self.hold(source, delivered).await?;
        self.settle_pending(source, delivered, &mut held, deadline, report).await?;
        let fresh = fresh(&held, delivered);
        report.repeated = report.delivered.saturating_sub(fresh.len() as u64);
        self.land_all(source, fresh, &mut held, deadline, report).await
    }

    /// What the ledger knows of the partitions that were delivered.
    async fn hold(
        &self,
        source: &Registered,
        delivered: &[Delivered],
    ) -> Result<Vec<PartitionRecord>, IngestError> {
        let name = &source.document.source;
        let records = delivered.iter().map(|some| self.known(name, &some.topic, some.partition));
        futures::future::try_join_all(records).await
    }

    /// Lands records that are new. Where the server refuses them for what they
    /// hold, the halves are tried by themselves, until the record is found.
    async fn land_all(
        &self,
        source: &Arc<Registered>,
        records: Vec<StreamRecord>,
        held: &mut [PartitionRecord],
        deadline: Deadline,
        report: &mut StreamReport,
    ) -> Result<(), IngestError> {
        let mut waiting = vec![records];
        while let Some(mut records) = waiting.pop() {
            if records.is_empty() {
                continue;
            }
            let runs = runs_of(held, &records);
            let planned = Planned {
                token: Token::of_runs(&source.document.source, source.config_version, &runs),
                runs,
                config_version: source.config_version,
                loaded_at_ms: self.clock.now_ms(),
                sent_to: Vec::new(),
                is_looked_for: false,
                is_hopeless: false,
                until_ms: 0,
            };
            let landing = self.land(source, &planned, &records, held, deadline, report);
            match landing.boxed().await {
                Ok(()) => {}
                Err(error) if !is_of_the_data(&error) => return Err(error),
                Err(error) if records.len() == 1 => {
                    tracing::warn!(error = error.chain(), "the server refuses a record");
                    let planned = Planned { is_hopeless: true, ..planned };
                    let landing = self.land(source, &planned, &records, held, deadline, report);
                    landing.boxed().await?;
                }
                Err(_) => {
                    let second = records.split_off(records.len() / 2);
                    waiting.push(second);
                    waiting.push(records);
                }
            }
        }
        Ok(())
    }
}

/// Whether the server has refused rows for what they hold: one of them, or all of them
/// together, which are of too many partitions of its table. One record is of one.
fn is_of_the_data(error: &IngestError) -> bool {
    let IngestError::Write { cause, .. } = error else { return false };
    error.disposition() == Disposition::Quarantine
        || cause.server_kind() == Some(ServerKind::TooManyPartitions)
}

/// The records that are not accounted for, in the order of `held`.
fn fresh(held: &[PartitionRecord], delivered: &[Delivered]) -> Vec<StreamRecord> {
    let mut fresh = Vec::new();
    for (record, some) in held.iter().zip(delivered) {
        let mut last = None;
        for one in &some.records {
            if last < Some(one.offset) && !record.is_done(one.offset) {
                fresh.push(one.clone());
                last = Some(one.offset);
            }
        }
    }
    fresh
}

/// The runs of these records.
fn runs_of(held: &[PartitionRecord], records: &[StreamRecord]) -> Vec<Run> {
    let of = |held: &PartitionRecord| {
        let own = records
            .iter()
            .filter(|record| *record.topic == *held.topic && record.partition == held.partition);
        held.runs_of(&own.map(|record| record.offset).collect::<Vec<_>>())
    };
    held.iter().flat_map(of).collect()
}

fn partition_error(topic: &str, partition: i32, cause: LedgerError) -> IngestError {
    IngestError::Ledger { object: format!("kafka://{topic}/{partition}"), cause: Box::new(cause) }
}
