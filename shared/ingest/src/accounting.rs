//! The accounting: rows read = written + filtered + quarantined, by the ledger;
//! and what the ledger says is what the tables hold.

use std::collections::{BTreeMap, HashMap};

use catalog::Registered;
use ledger::{Extent, ListQuery, Record, State};
use model::Counts;
use serde::Serialize;
use warehouse::{TableSpec, WarehouseError, quarantine};

use crate::destination::Destination;
use crate::{Ingest, IngestError};

/// Bytes of the names of the objects that a cluster is asked for at a time: it takes
/// 128 KiB as one parameter.
const NAMES_BYTES: usize = 64 * 1024;
const HOUR_MS: i64 = 3_600_000;

/// What a source took in an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// The source.
    pub source: String,
    /// The hour's begin, in milliseconds since 1970; objects count for the hour
    /// in which they were finished, open ones for that of their last change.
    pub hour_ms: i64,
    /// Objects that are whole.
    pub done: u64,
    /// Objects that failed, or are not whole yet.
    pub open: u64,
    /// Rows of their committed chunks.
    pub counts: Counts,
    /// Rows read that are neither written nor filtered nor quarantined; 0.
    pub unaccounted: i64,
}

/// A difference between what the ledger says and what a cluster holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// The source.
    pub source: String,
    /// The object, as `s3://bucket/key@etag`.
    pub object: String,
    /// The cluster; empty when the ledger contradicts itself.
    pub cluster: String,
    /// What was counted: `rows read`, `rows in the table` or `rows in quarantine`.
    pub what: &'static str,
    /// What the ledger says.
    pub expected: u64,
    /// What is there.
    pub found: u64,
}

/// The accounts of a source.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Accounts {
    /// By hour, the latest first.
    pub hours: Vec<Hour>,
    /// Differences; none when everything is in order.
    pub leaks: Vec<Leak>,
    /// Objects that nobody was loading, whose rows were counted on every cluster.
    pub checked: u64,
    /// Why objects were not checked.
    pub unchecked: Vec<String>,
}

impl Ingest {
    /// The accounts of a source by the ledger; with `check`, compared with what
    /// the clusters hold.
    ///
    /// # Errors
    /// When the ledger cannot be read. A cluster that cannot be asked is noted.
    pub async fn accounts(
        &self,
        source: &Registered,
        check: bool,
    ) -> Result<Accounts, IngestError> {
        let name = &source.document.source;
        let query = ListQuery { source: Some(name.clone()), state: None, limit: usize::MAX };
        let records = self.ledger.list(&query).await;
        let failed = |cause| IngestError::Ledger {
            object: format!("source {name}"),
            cause: Box::new(cause),
        };
        let mut records = records.map_err(failed)?;
        for record in records.iter_mut().filter(|record| record.state == State::Split) {
            for part in self.ledger.parts(record).await.map_err(failed)? {
                record.counts += part.counts;
            }
        }
        let mut accounts = Accounts { hours: hours(&records), ..Accounts::default() };
        for record in records.iter().filter(|record| !record.counts.closes()) {
            let counts = &record.counts;
            accounts.leaks.push(Leak {
                source: name.clone(),
                object: record.object.to_string(),
                cluster: String::new(),
                what: "rows read",
                expected: counts.rows_read,
                found: counts.rows_written + counts.rows_filtered + counts.rows_quarantined,
            });
        }
        if check {
            self.check_accounts(source, &records, &mut accounts).await;
        }
        Ok(accounts)
    }

    async fn check_accounts(
        &self,
        source: &Registered,
        records: &[Record],
        accounts: &mut Accounts,
    ) {
        if !source.document.table.provenance {
            let why = "its table has no provenance columns: rows cannot be told apart by object";
            accounts.unchecked.push(why.to_owned());
            return;
        }
        let table = Destination::of(&source.document, &[]).table;
        // What is being loaded changes while it is counted.
        let still: Vec<&Record> = records
            .iter()
            .filter(|record| !matches!(record.state, State::Loading | State::Split))
            .collect();
        for cluster in &source.document.write.clusters {
            for some in in_groups(&still) {
                if let Err(error) = self.count(cluster, &table, some, accounts).await {
                    accounts.unchecked.push(format!("cluster {cluster}: {error}"));
                    break;
                }
            }
        }
        accounts.checked = still.len() as u64;
    }

    /// Counts the rows of some objects on a cluster.
    async fn count(
        &self,
        cluster: &str,
        table: &TableSpec,
        records: &[&Record],
        accounts: &mut Accounts,
    ) -> Result<(), WarehouseError> {
        let sql = warehouse::count_by_object(table);
        let rows = or_none(self.by_object(cluster, &sql, records).await)?;
        // The table is made with the first row.
        let bad = or_none(self.by_object(cluster, quarantine::COUNTS, records).await)?;
        for record in records {
            let object = record.object.to_string();
            // What it does not hold yet is a debt, not a leak.
            let on: Vec<&Extent> =
                record.extents.iter().filter(|extent| extent.on.contains(cluster)).collect();
            let expected: u64 = on.iter().map(|extent| extent.inserted).sum();
            let mut found = rows.get(&object).copied().unwrap_or(0);
            let mut quarantined = bad.get(&object).copied().unwrap_or(0);
            if quarantined > 0 {
                quarantined =
                    self.committed(cluster, quarantine::COUNT_COMMITTED, record, &on).await?;
                // Rows that were replayed from the quarantine are nobody's loss.
                let sql = warehouse::count_replayed(table);
                found = found.saturating_sub(self.committed(cluster, &sql, record, &on).await?);
            }
            let mut leaks = Vec::new();
            let mut leak = |what, expected, found| {
                if expected != found {
                    leaks.push(Leak {
                        source: record.source.clone(),
                        object: object.clone(),
                        cluster: cluster.to_owned(),
                        what,
                        expected,
                        found,
                    });
                }
            };
            if !may_hold_more(record, cluster) {
                leak("rows in the table", expected, found);
            }
            if on.len() == record.extents.len() {
                leak("rows in quarantine", record.counts.rows_quarantined, quarantined);
            }
            if !leaks.is_empty() && self.is_unchanged(record).await {
                accounts.leaks.extend(leaks);
            }
        }
        Ok(())
    }

    /// Counts rows that chunks of these extents have put into the quarantine.
    async fn committed(
        &self,
        cluster: &str,
        sql: &str,
        record: &Record,
        on: &[&Extent],
    ) -> Result<u64, WarehouseError> {
        let list = |number: fn(&Extent) -> u64| {
            let numbers: Vec<String> = on.iter().map(|extent| number(extent).to_string()).collect();
            format!("[{}]", numbers.join(","))
        };
        let params = [
            ("source", record.source.clone()),
            ("object", record.object.to_string()),
            ("versions", list(|extent| extent.config_version)),
            ("starts", list(|extent| extent.start)),
            ("ends", list(|extent| extent.end)),
        ];
        let answer = self.warehouse.query(cluster, sql, &params).await?;
        Ok(answer.first().and_then(|row| row.get("rows")?.as_u64()).unwrap_or(0))
    }

    /// Whether an object is as it was when its record was read: otherwise the next
    /// check counts it.
    async fn is_unchanged(&self, record: &Record) -> bool {
        match self.ledger.get(&record.source, &record.object).await {
            Ok(Some(now)) => (now.fence, now.updated_at_ms) == (record.fence, record.updated_at_ms),
            Ok(None) | Err(_) => true,
        }
    }

    /// The counts that a query gives for some objects.
    async fn by_object(
        &self,
        cluster: &str,
        sql: &str,
        records: &[&Record],
    ) -> Result<HashMap<String, u64>, WarehouseError> {
        let objects: Vec<String> =
            records.iter().map(|record| hex(&record.object.to_string())).collect();
        let params = [("objects", objects.join(","))];
        let answer = self.warehouse.query(cluster, sql, &params).await?;
        let count = |row: &warehouse::JsonRow| {
            Some((row.get("object")?.as_str()?.to_owned(), row.get("rows")?.as_u64()?))
        };
        Ok(answer.iter().filter_map(count).collect())
    }
}

/// Whether a cluster may hold rows that the ledger does not count there.
fn may_hold_more(record: &Record, cluster: &str) -> bool {
    let is_sent = |pending: &ledger::Pending| pending.clusters.iter().any(|one| one == cluster);
    record.extents.iter().any(|extent| extent.maybe.contains(cluster))
        || record.pending.as_ref().is_some_and(is_sent)
}

/// What a table that is missing has of all objects.
fn or_none(
    counts: Result<HashMap<String, u64>, WarehouseError>,
) -> Result<HashMap<String, u64>, WarehouseError> {
    match counts {
        Err(WarehouseError::Server { kind, .. }) if kind.is_unknown_table() => Ok(HashMap::new()),
        counts => counts,
    }
}

/// Records whose names fit into one parameter of a query, in groups.
fn in_groups<'a>(records: &'a [&'a Record]) -> impl Iterator<Item = &'a [&'a Record]> {
    let mut left = records;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |record: &&&Record| {
            bytes += 2 * record.object.to_string().len() + 1;
            bytes <= NAMES_BYTES
        };
        let count = left.iter().take_while(fits).count().max(1);
        let (group, rest) = left.split_at(count.min(left.len()));
        left = rest;
        (!group.is_empty()).then_some(group)
    })
}

/// A text in hexadecimal: a list of them needs no quotes.
fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn hours(records: &[Record]) -> Vec<Hour> {
    let mut hours: BTreeMap<i64, Hour> = BTreeMap::new();
    for record in records {
        // Paying a debt later moves no rows into another hour.
        let at_ms = record.finished_at_ms.unwrap_or(record.updated_at_ms);
        let hour_ms = at_ms.div_euclid(HOUR_MS) * HOUR_MS;
        let hour = hours.entry(hour_ms).or_insert_with(|| Hour {
            source: record.source.clone(),
            hour_ms,
            ..Hour::default()
        });
        match record.state {
            State::Done | State::Replaced => hour.done += 1,
            State::Loading | State::Paused | State::Split | State::Failed => hour.open += 1,
        }
        hour.counts += record.counts;
        let Counts { rows_read, rows_written, rows_filtered, rows_quarantined, .. } = hour.counts;
        hour.unaccounted =
            rows_read.wrapping_sub(rows_written + rows_filtered + rows_quarantined).cast_signed();
    }
    hours.into_values().rev().collect()
}
