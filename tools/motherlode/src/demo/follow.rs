//! Looks at the ledger until every object has landed or failed, and says how
//! far each source is.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use demo_data::SOURCES;
use ingest::Ingest;
use ledger::{ListQuery, Record, State};
use model::ObjectId;

use super::deliver::Delivered;
use super::landed::{Landed, Outcome};
use crate::load::progress_of;
use crate::table::grouped;
use crate::times::seconds;
use crate::ui::{Task, Ui};

/// How often the ledger is asked.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// After this long without another row nothing will come: longer than a message
/// of a worker that died stays hidden.
const PATIENCE: Duration = Duration::from_secs(150);
/// More records than a ledger of a demo has.
const RECORDS: usize = 10_000;
/// Looks at the ledger that may fail in a row: the AWS stand-in lets readers see
/// an item while it is being written, which DynamoDB never does.
const TRIES: usize = 5;

/// The ledger's records by object.
type Records = HashMap<ObjectId, Record>;

/// A source on its way, with its line on the terminal.
struct Underway<'a> {
    delivered: Delivered,
    task: Option<Task<'a>>,
}

/// Follows the sources to the end. A failed source is part of the answer: the
/// others go on. `logs` is where the functions' logs are, which know more than
/// the ledger when an object does not even get as far as failing.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn to_the_end(
    ingest: &Ingest,
    delivered: Vec<Delivered>,
    logs: &Path,
    ui: &Ui,
) -> anyhow::Result<Vec<Landed>> {
    let mut underway: Vec<Underway> = delivered
        .into_iter()
        .map(|delivered| Underway {
            task: (!delivered.before).then(|| ui.task(delivered.source.name)),
            delivered,
        })
        .collect();
    let mut landed: Vec<Landed> = Vec::new();
    let (mut seen, mut changed) = ((0, 0), Instant::now());
    loop {
        let records = records(ingest).await?;
        let mut left = Vec::new();
        for source in underway {
            match source.look(&records)? {
                Look::Ended(ended) => {
                    ui.note(&ended.line());
                    landed.push(ended);
                }
                Look::Underway(source) => left.push(source),
            }
        }
        underway = left;
        if underway.is_empty() {
            break;
        }
        // A worker that takes an object up and gives it up again moves nothing.
        let now = (landed.len(), underway.iter().map(|source| source.rows(&records)).sum::<u64>());
        if now != seen {
            (seen, changed) = (now, Instant::now());
        }
        if changed.elapsed() >= PATIENCE {
            for source in underway {
                let ended = source.give_up(&records, logs)?;
                ui.note(&ended.line());
                landed.push(ended);
            }
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    // In the order of the list, not of arrival.
    landed
        .sort_by_key(|landed| SOURCES.iter().position(|source| source.name == landed.source.name));
    Ok(landed)
}

async fn records(ingest: &Ingest) -> anyhow::Result<Records> {
    let query = ListQuery { limit: RECORDS, ..ListQuery::default() };
    for _ in 1..TRIES {
        if let Ok(records) = ingest.ledger.list(&query).await {
            return Ok(by_object(records));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(by_object(ingest.ledger.list(&query).await.context("reading the ledger")?))
}

fn by_object(records: Vec<Record>) -> Records {
    records.into_iter().map(|record| (record.object.clone(), record)).collect()
}

/// What a look at the ledger says about a source.
enum Look<'a> {
    Ended(Landed),
    Underway(Underway<'a>),
}

impl<'a> Underway<'a> {
    fn look(self, records: &Records) -> anyhow::Result<Look<'a>> {
        let own = self.own(records);
        let is_done = own.len() == self.delivered.objects.len()
            && own.iter().all(|record| record.state == State::Done);
        let failed = own.iter().find(|record| record.state == State::Failed);
        if let Some(record) = failed {
            let reason =
                record.reason.clone().unwrap_or_else(|| "the ledger gives no reason".to_owned());
            let reason = format!("{}: {reason}", record.object.key);
            return Ok(Look::Ended(Landed::new(
                self.delivered.source,
                Outcome::Failed(reason),
                &own,
            )?));
        }
        if is_done {
            let outcome = if self.delivered.before { Outcome::Before } else { Outcome::Loaded };
            return Ok(Look::Ended(Landed::new(self.delivered.source, outcome, &own)?));
        }
        if let Some((task, newest)) =
            self.task.as_ref().zip(own.iter().max_by_key(|record| record.updated_at_ms))
        {
            let (stage, _) = progress_of(Some(newest));
            let (rows, all) =
                (grouped(self.rows(records)), grouped(self.delivered.source.rows.read));
            task.at("on its way", &format!("{stage}, {rows} of {all} rows"));
        }
        Ok(Look::Underway(self))
    }

    fn own<'r>(&self, records: &'r Records) -> Vec<&'r Record> {
        self.delivered.objects.iter().filter_map(|object| records.get(object)).collect()
    }

    fn rows(&self, records: &Records) -> u64 {
        self.own(records).iter().map(|record| record.counts.rows_read).sum()
    }

    fn give_up(self, records: &Records, logs: &Path) -> anyhow::Result<Landed> {
        let said = self.delivered.objects.iter().find_map(|object| last_error(logs, &object.key));
        let said = said.unwrap_or_else(|| "the functions' logs do not say why".to_owned());
        let reason = format!("nothing has moved for {} seconds: {said}", PATIENCE.as_secs());
        Landed::new(self.delivered.source, Outcome::Failed(reason), &self.own(records))
    }
}

/// The last error about an object in the functions' logs.
fn last_error(logs: &Path, key: &str) -> Option<String> {
    let files = std::fs::read_dir(logs)
        .ok()?
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
    let errors = files.flat_map(|text| {
        let lines =
            text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.filter(|line| line["key"] == key && line["error"].is_string()).collect::<Vec<_>>()
    });
    let last =
        errors.max_by_key(|line| line["timestamp"].as_str().unwrap_or_default().to_owned())?;
    last["error"].as_str().map(str::to_owned)
}

impl Landed {
    /// What is said when a source has come to its end.
    fn line(&self) -> String {
        let name = self.source.name;
        match &self.outcome {
            Outcome::Loaded => {
                format!(
                    "{name}: {} rows in {} s",
                    grouped(self.counts.rows_inserted),
                    seconds(self.millis)
                )
            }
            Outcome::Before => {
                format!("{name}: already loaded, {} rows", grouped(self.counts.rows_inserted))
            }
            // Why is said in the end, once.
            Outcome::Failed(_) => format!("{name}: failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_about_an_object_is_found_in_the_logs() {
        let logs = tempfile::tempdir().unwrap();
        let line = |time: u8, key: &str, error: &str| {
            format!(
                "{{\"timestamp\":\"2026-01-01T00:00:0{time}Z\",\"key\":\"{key}\",\"error\":\"{error}\"}}\n"
            )
        };
        std::fs::write(
            logs.path().join("mother-1.log"),
            line(2, "a", "newer") + "no JSON\n" + &line(3, "b", "other"),
        )
        .unwrap();
        std::fs::write(logs.path().join("mother-2.log"), line(1, "a", "older")).unwrap();
        assert_eq!(last_error(logs.path(), "a").as_deref(), Some("newer"));
        assert_eq!(last_error(logs.path(), "c"), None);
    }
}
