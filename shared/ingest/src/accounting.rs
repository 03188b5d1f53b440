//! The accounting: rows read = written + filtered + quarantined, by the ledger;
//! and what the ledger says is what the tables hold.

use std::collections::{BTreeMap, HashMap};

use catalog::Registered;
use ledger::{ListQuery, Record, State};
use model::Counts;
use serde::Serialize;
use warehouse::{TableSpec, WarehouseError, quarantine};

use crate::destination::Destination;
use crate::{Ingest, IngestError};

/// Objects that a cluster is asked for at a time.
const OBJECTS_AT_ONCE: usize = 500;
const HOUR_MS: i64 = 3_600_000;

/// What a source took in an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// The source.
    pub source: String,
    /// The hour's begin, in milliseconds since 1970; objects count for the hour
    /// in which they were last changed.
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
    /// Objects whose rows were counted on every cluster that holds them.
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
        let records = records.map_err(|cause| IngestError::Ledger {
            object: format!("source {name}"),
            cause: Box::new(cause),
        })?;
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
        let whole: Vec<&Record> =
            records.iter().filter(|record| record.state == State::Done).collect();
        for cluster in &source.document.write.clusters {
            for some in whole.chunks(OBJECTS_AT_ONCE) {
                if let Err(error) = self.count(cluster, &table, some, accounts).await {
                    accounts.unchecked.push(format!("cluster {cluster}: {error}"));
                    break;
                }
            }
        }
        accounts.checked = whole.len() as u64;
    }

    /// Counts the rows of some objects on a cluster.
    async fn count(
        &self,
        cluster: &str,
        table: &TableSpec,
        records: &[&Record],
        accounts: &mut Accounts,
    ) -> Result<(), WarehouseError> {
        let rows = self.by_object(cluster, &warehouse::count_by_object(table), records).await?;
        let bad = match self.by_object(cluster, quarantine::COUNTS, records).await {
            // The table is made with the first row.
            Err(WarehouseError::Server { kind, .. }) if kind.is_unknown_table() => HashMap::new(),
            bad => bad?,
        };
        for record in records {
            let object = record.object.to_string();
            let mut leak = |what, expected, found| {
                if expected != found {
                    accounts.leaks.push(Leak {
                        source: record.source.clone(),
                        object: object.clone(),
                        cluster: cluster.to_owned(),
                        what,
                        expected,
                        found,
                    });
                }
            };
            // What it does not hold yet is a debt, not a leak.
            let on = record.extents.iter().filter(|extent| extent.on.contains(cluster));
            let expected: u64 = on.map(|extent| extent.inserted).sum();
            let holds_all = record.extents.iter().all(|extent| extent.on.contains(cluster));
            let mut found = rows.get(&object).copied().unwrap_or(0);
            let quarantined = bad.get(&object).copied().unwrap_or(0);
            if found > expected && quarantined > 0 {
                // Rows that were replayed from the quarantine.
                let params = [("source", record.source.clone()), ("object", object.clone())];
                let sql = warehouse::count_replayed(table);
                let answer = self.warehouse.query(cluster, &sql, &params).await?;
                let replayed = answer.first().and_then(|row| row.get("rows")?.as_u64());
                found = found.saturating_sub(replayed.unwrap_or(0));
            }
            let may_be = record.extents.iter().any(|extent| extent.maybe.contains(cluster));
            if !may_be {
                leak("rows in the table", expected, found);
            }
            if holds_all {
                leak("rows in quarantine", record.counts.rows_quarantined, quarantined);
            }
        }
        Ok(())
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

/// A text in hexadecimal: a list of them needs no quotes.
fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn hours(records: &[Record]) -> Vec<Hour> {
    let mut hours: BTreeMap<i64, Hour> = BTreeMap::new();
    for record in records {
        let hour_ms = record.updated_at_ms.div_euclid(HOUR_MS) * HOUR_MS;
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
