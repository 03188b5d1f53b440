//! `quarantine`: the rows that could not be loaded, with everything it takes to
//! mend them.

use std::sync::Arc;

use catalog::Registered;
use clap::{Args, Subcommand};
use ingest::{Ingest, IngestError, Replayed};
use model::ObjectId;
use model::document::Kind;
use runtime::Deadline;
use serde_json::{Value, json};
use warehouse::quarantine::{DATABASE, TABLE};
use warehouse::{JsonRow, ServerKind, Warehouse as _, WarehouseError};

use crate::cli::Global;
use crate::failure::{Advise as _, advised};
use crate::table::{Table, grouped};
use crate::target::{Target, cluster_of};
use crate::ui::Ui;

/// Commands on the quarantine.
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// Bad rows with their reasons, newest first.
    List(ListArgs),
    /// One bad row as it stands in its object, and everything known about it.
    Show(ShowArgs),
    /// Write the bad rows that a corrected document takes, each once: after
    /// `sources put`. What is still bad stays where it is.
    Replay(ReplayArgs),
}

/// Which rows.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The source.
    #[arg(long)]
    source: String,
    /// Only those of objects with this key; of a stream, of the partition of this number.
    #[arg(long, value_name = "KEY")]
    object: Option<String>,
}

/// Which rows.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of this source; else those of all sources on one cluster.
    #[arg(long)]
    source: Option<String>,
    /// Only those of objects with this key (or, with an `@`, this object).
    #[arg(long, value_name = "KEY")]
    object: Option<String>,
    /// The cluster that is asked; the source's own, else `ingestion`.
    #[arg(long)]
    cluster: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

/// Which row.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The source.
    #[arg(long)]
    source: String,
    /// The object's key (or, with an `@`, the object as `list` writes it).
    #[arg(long, value_name = "KEY")]
    object: String,
    /// Ordinal of the row in the object, from 0, as `list` gives it.
    #[arg(long)]
    row: u64,
    /// The cluster that is asked; the source's own when absent.
    #[arg(long)]
    cluster: Option<String>,
}

/// What both commands ask for. An absent filter is an empty text.
const FILTER: &str = "({source:String} = '' OR source = {source:String}) \
                      AND ({object:String} = '' OR key = {object:String} OR object = {object:String})";

/// Does what is asked of the quarantine.
pub async fn run(command: QuarantineCommand, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::find(global).await?;
    match command {
        QuarantineCommand::List(args) => list(&args, &target, ui).await,
        QuarantineCommand::Show(args) => show(&args, &target, ui).await,
        QuarantineCommand::Replay(args) => replay(&args, &target, ui).await,
    }
}

async fn list(args: &ListArgs, target: &Target, ui: &Ui) -> anyhow::Result<()> {
    let sql = format!(
        "SELECT toString(at) AS time, source, object, row, column, column_type, reason, config_version \
         FROM {DATABASE}.{TABLE} WHERE {FILTER} ORDER BY at DESC, object, row LIMIT {{limit:UInt32}}"
    );
    let source = args.source.as_deref();
    let cluster = cluster(args.cluster.as_deref(), source, target).await?;
    let params = [
        ("source", source.unwrap_or_default().to_owned()),
        ("object", args.object.clone().unwrap_or_default()),
        ("limit", args.limit.to_string()),
    ];
    let rows = ask(target, &cluster, &sql, &params).await?;
    if rows.is_empty() {
        ui.note(&format!("no such row is in the quarantine of cluster {cluster}"));
    }
    ui.answer(&rows, || {
        let mut table =
            Table::new(["time (UTC)", "source", "object", ">row", "column", "type", "reason"])
                .cut(80);
        for row in &rows {
            table.row(
                ["time", "source", "object", "row", "column", "column_type", "reason"]
                    .map(|name| word(row, name)),
            );
        }
        table.to_string()
    })
}

async fn show(args: &ShowArgs, target: &Target, ui: &Ui) -> anyhow::Result<()> {
    // The raw bytes need not be UTF-8, which JSON must be.
    let sql = format!(
        "SELECT * EXCEPT (raw, at), toString(at) AS time, hex(raw) AS raw_hex FROM {DATABASE}.{TABLE} \
         WHERE {FILTER} AND row = {{row:UInt64}} ORDER BY at DESC LIMIT 1"
    );
    let cluster = cluster(args.cluster.as_deref(), Some(&args.source), target).await?;
    let params = [
        ("source", args.source.clone()),
        ("object", args.object.clone()),
        ("row", args.row.to_string()),
    ];
    let Some(mut row) = ask(target, &cluster, &sql, &params).await?.into_iter().next() else {
        return Err(advised(
            format!(
                "row {} of {} is not in the quarantine of cluster {cluster}",
                args.row, args.object
            ),
            format!("see which rows are: motherlode quarantine list --source {}", args.source),
        ));
    };
    let hex = row.get("raw_hex").and_then(Value::as_str).unwrap_or_default().to_owned();
    let raw = unhex(&hex);
    let text = std::str::from_utf8(&raw).ok();
    row.insert("raw".to_owned(), text.map_or(Value::Null, |text| json!(text)));
    ui.answer(&row, || {
        let mut lines = String::new();
        for name in [
            "source",
            "object",
            "row",
            "column",
            "column_type",
            "reason",
            "config_version",
            "time",
            "token",
        ] {
            lines.push_str(&format!("{name:<15} {}\n", word(&row, name)));
        }
        lines.push_str("\nthe row as it stands in the object");
        match text {
            Some(text) => lines.push_str(&format!(":\n{text}\n")),
            None => lines.push_str(&format!(" (no UTF-8; in hexadecimal):\n{hex}\n")),
        }
        let source = &args.source;
        lines.push_str(&format!(
            "\nto mend it: where the document is wrong (`motherlode sources show {source} --yaml`), put a corrected \
             one and run `motherlode quarantine replay --source {source}`, which writes each such row once. "
        ));
        lines.push_str(if word(&row, "object").starts_with("kafka://") {
            "It reads the record from Kafka, by its offset: do it before the topic forgets it. \
             Where the record is wrong, send a corrected one"
        } else {
            "Where the row is wrong, load a new file that holds the corrected row alone: the rows of this \
             file that were good are in the table already, so that loading it again under another name, or \
             corrected as a whole, would write them twice"
        });
        lines
    })
}

/// On every cluster that the source names: each has a quarantine of its own.
async fn replay(args: &ReplayArgs, target: &Target, ui: &Ui) -> anyhow::Result<()> {
    let ingest = target.ingest_with_records().await?;
    let hint = || "see which rows are bad: `motherlode quarantine list --source SOURCE`";
    let source = ingest.catalog.get(&args.source, None).await.hint(hint)?;
    let mut done = Vec::new();
    let mut failures = Vec::new();
    let mut busy = 0;
    for cluster in &source.document.write.clusters {
        let objects = match ingest.quarantined_objects(&args.source, cluster).await {
            Ok(objects) => objects,
            // The other clusters are replayed to all the same.
            Err(error) => {
                failures.push(error.chain());
                continue;
            }
        };
        for object in objects {
            if args.object.as_ref().is_some_and(|key| *key != object.key) {
                continue;
            }
            let replaying = replay_one(&ingest, &source, &object, cluster, ui);
            match replaying.await {
                Ok(Some(replayed)) => done.push(replayed),
                Ok(None) => busy += 1,
                Err(error) => failures.push(error.chain()),
            }
        }
    }
    if done.is_empty() && busy == 0 && failures.is_empty() {
        ui.note(&format!("no row of source {} is in quarantine", args.source));
    }
    ui.answer(&done, || {
        let mut table = Table::new([
            "object",
            "cluster",
            ">quarantined",
            ">there already",
            ">not loaded yet",
            ">written",
            ">filtered",
            ">still bad",
        ])
        .cut(80);
        for one in &done {
            let number = |number: u64| grouped(number);
            table.row([
                one.object.clone(),
                one.cluster.clone(),
                number(one.quarantined),
                number(one.there),
                number(one.waiting),
                number(one.written),
                number(one.filtered),
                number(one.bad),
            ]);
        }
        let mut text = table.to_string();
        for (one, example) in done.iter().flat_map(|one| one.examples.iter().map(move |e| (one, e)))
        {
            text.push_str(&format!("\nstill bad in {}: {example}", one.object));
        }
        text
    })?;
    if let Some(first) = failures.first() {
        return Err(advised(
            format!("{} objects or clusters were not replayed; the first: {first}", failures.len()),
            "mend that and run it again: what was written is found",
        ));
    }
    if busy == 0 {
        return Ok(());
    }
    Err(advised(
        format!("{busy} objects are being loaded, reconciled or replayed by somebody else"),
        "run it again when that is done",
    ))
}

/// The rows of one object, or the records of one partition; none when somebody else is
/// at it.
async fn replay_one(
    ingest: &Ingest,
    source: &Arc<Registered>,
    object: &ObjectId,
    cluster: &str,
    ui: &Ui,
) -> Result<Option<Replayed>, IngestError> {
    let partition = object.key.parse().ok().filter(|_| source.document.kind == Kind::Kafka);
    let task = ui.task(&match partition {
        Some(_) => format!("{}/{}", object.bucket, object.key),
        None => object.to_string(),
    });
    task.at(&format!("to {cluster}"), "");
    let deadline = Deadline::none();
    match partition {
        Some(partition) => {
            let topic = &object.bucket;
            let replaying = ingest.replay_partition(source, topic, partition, cluster, deadline);
            replaying.await.map(Some)
        }
        None => ingest.replay(source, object, cluster, deadline).await,
    }
}

/// The cluster that holds the rows.
pub async fn cluster(
    named: Option<&str>,
    source: Option<&str>,
    target: &Target,
) -> anyhow::Result<String> {
    match (named, source) {
        (Some(name), _) => Ok(name.to_owned()),
        (None, None) => Ok("ingestion".to_owned()),
        (None, Some(source)) => {
            let registered = target.ingest()?.catalog.get(source, None).await?;
            Ok(cluster_of(&registered.document).to_owned())
        }
    }
}

/// The rows of a table of the platform; none when there is no such table yet.
pub async fn ask(
    target: &Target,
    cluster: &str,
    sql: &str,
    params: &[(&str, String)],
) -> anyhow::Result<Vec<JsonRow>> {
    match target.warehouse()?.query(cluster, sql, params).await {
        // The table is made with the first row.
        Err(WarehouseError::Server {
            kind: ServerKind::UnknownTable | ServerKind::UnknownDatabase,
            ..
        }) => Ok(Vec::new()),
        answer => {
            answer.hint(|| "name another cluster with --cluster, or see `motherlode stack status`")
        }
    }
}

/// A value as text.
pub fn word(row: &JsonRow, name: &str) -> String {
    match row.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The bytes of hexadecimal digits; the server writes nothing else.
fn unhex(digits: &str) -> Vec<u8> {
    let nibble = |byte: &u8| {
        char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0)
    };
    digits.as_bytes().chunks_exact(2).map(|pair| nibble(&pair[0]) << 4 | nibble(&pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_bytes_come_back() {
        assert_eq!(unhex("00FF61"), [0, 255, b'a']);
        assert_eq!(unhex(""), Vec::<u8>::new());
    }
}
