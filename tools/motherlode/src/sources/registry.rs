//! `sources put|list|show|history|rollback`: the registered documents.

use std::sync::Arc;

use anyhow::Context as _;
use catalog::{Catalog, Entry, PutOutcome, Registered, Stored};
use model::document::SourceDocument;
use serde_json::json;

use super::{PutArgs, ShowArgs, validate};
use crate::cli::Global;
use crate::failure::Advise as _;
use crate::table::Table;
use crate::target::{Target, operator};
use crate::times::utc;
use crate::ui::Ui;

/// Registers documents.
pub async fn put(args: &PutArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    // All are read before one is put: half a change is worse than none.
    let documents = args
        .files
        .iter()
        .map(|file| validate::document(file).and(validate::read(file)).map(|text| (file, text)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (target, catalog) = open(global).await?;
    let mut outcomes = Vec::new();
    for (file, yaml) in &documents {
        let outcome = catalog
            .put(yaml, &operator(), args.note.as_deref())
            .await
            .with_context(|| format!("putting {}", file.display()))
            .hint(|| remedy(&target))?;
        outcomes.push(outcome);
    }
    ui.answer(&outcomes, || outcomes.iter().map(|outcome| said(outcome, &target)).collect())
}

/// Lists all sources.
pub async fn list(global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let (target, catalog) = open(global).await?;
    let snapshot = catalog.snapshot().await.hint(|| remedy(&target))?;
    let mut table = Table::new([
        "source",
        ">version",
        "format",
        "match",
        "table",
        "owner",
        "put (UTC)",
        "state",
    ])
    .cut(60);
    let mut answers = Vec::new();
    for (name, entry) in snapshot.entries() {
        match entry {
            Entry::Ready(registered) => {
                table.row(row(registered));
                answers.push(json!({
                    "source": name,
                    "config_version": registered.config_version,
                    "enabled": registered.document.enabled,
                    "format": registered.document.format.name(),
                    "match": registered.document.matching,
                    "table": destination(&registered.document),
                    "owner": registered.document.owner,
                    "put_at_ms": registered.put_at_ms,
                    "put_by": registered.put_by,
                }));
            }
            Entry::Broken { config_version, error } => {
                let state = format!("broken: {error}");
                table.row([name, &config_version.to_string(), "", "", "", "", "", &state]);
                answers.push(json!({"source": name, "config_version": config_version, "broken": error.to_string()}));
            }
        }
    }
    if table.is_empty() {
        ui.note(&format!(
            "{} has no source; register one with `motherlode sources put FILE`",
            target.name
        ));
    }
    ui.answer(&answers, || table.to_string())
}

/// Shows a source's document.
pub async fn show(args: &ShowArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let (target, catalog) = open(global).await?;
    let registered = catalog.get(&args.name, args.version).await.hint(|| remedy(&target))?;
    if args.yaml {
        return ui.text(&registered.yaml);
    }
    ui.answer(registered.as_ref(), || describe(&registered))
}

/// Lists the versions of a source's document.
pub async fn history(name: &str, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let (target, catalog) = open(global).await?;
    let versions: Vec<Stored> = catalog.history(name).await.hint(|| remedy(&target))?;
    ui.answer(&versions, || {
        let mut table = Table::new([">version", "put (UTC)", "by", "note"]).cut(80);
        for version in &versions {
            table.row([
                version.config_version.to_string(),
                utc(version.put_at_ms),
                version.put_by.clone(),
                version.note.clone().unwrap_or_default(),
            ]);
        }
        table.to_string()
    })
}

/// Makes an old version current again.
pub async fn rollback(name: &str, to: u64, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let (target, catalog) = open(global).await?;
    let outcome = catalog.rollback(name, to, &operator()).await.hint(|| remedy(&target))?;
    ui.answer(&outcome, || said(&outcome, &target))
}

async fn open(global: &Global) -> anyhow::Result<(Target, Arc<dyn Catalog>)> {
    let target = Target::find(global).await?;
    let catalog = target.ingest()?.catalog;
    Ok((target, catalog))
}

/// What helps when the error itself does not say it.
fn remedy(target: &Target) -> String {
    format!(
        "this was asked of {}; `motherlode sources list` shows what is registered there",
        target.name
    )
}

fn said(outcome: &PutOutcome, target: &Target) -> String {
    let PutOutcome { source, config_version, unchanged } = outcome;
    if *unchanged {
        format!("{source}: version {config_version} says the same already ({})\n", target.name)
    } else {
        format!(
            "{source}: version {config_version} is current ({}); functions see it within 30 seconds\n",
            target.name
        )
    }
}

fn row(registered: &Registered) -> [String; 8] {
    let document = &registered.document;
    [
        document.source.clone(),
        registered.config_version.to_string(),
        document.format.name().to_owned(),
        pattern(document),
        destination(document),
        document.owner.clone(),
        utc(registered.put_at_ms),
        if document.enabled { "enabled" } else { "disabled" }.to_owned(),
    ]
}

fn destination(document: &SourceDocument) -> String {
    format!("{}.{}", document.table.database, document.table.name)
}

/// The `match` of a document in one line: `s3://landing/flights/*.parquet`.
fn pattern(document: &SourceDocument) -> String {
    let matching = &document.matching;
    let key = match &matching.glob {
        Some(glob) => glob.clone(),
        None => format!(
            "{}**{}",
            matching.prefix.as_deref().unwrap_or_default(),
            matching.suffix.as_deref().unwrap_or_default()
        ),
    };
    format!("s3://{}/{key}", matching.bucket.as_deref().unwrap_or("*"))
}

fn describe(registered: &Registered) -> String {
    let document = &registered.document;
    let mut text = String::new();
    let note = registered.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    let put = format!("{} by {}{note}", utc(registered.put_at_ms), registered.put_by);
    for (name, value) in [
        ("source", document.source.clone()),
        ("version", registered.config_version.to_string()),
        ("put (UTC)", put),
        ("owner", document.owner.clone()),
        ("enabled", document.enabled.to_string()),
        ("match", pattern(document)),
        ("format", document.format.name().to_owned()),
        ("table", destination(document)),
        ("order by", document.table.order_by.join(", ")),
        ("clusters", document.write.clusters.join(", ")),
    ] {
        text.push_str(&format!("{name:<10} {value}\n"));
    }
    let mut table = Table::new(["column", "type"]).cut(100);
    for column in document.output_columns() {
        table.row([column.name, column.column_type.to_string()]);
    }
    format!(
        "{text}\n{table}\nthe text as it was put: motherlode sources show {} --yaml",
        document.source
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "source: movies\nversion: 1\nowner: me\nmatch: {bucket: landing, prefix: m/, suffix: .json}\n\
                        format: {json: {layout: array}}\ncolumns: [{name: title, type: String}]\n\
                        table: {database: d, name: movies}\n";

    #[test]
    fn a_document_is_described() {
        let registered = Registered {
            document: SourceDocument::from_yaml(YAML).unwrap(),
            config_version: 3,
            put_at_ms: 0,
            put_by: "ann".to_owned(),
            yaml: YAML.to_owned(),
            note: Some("first".to_owned()),
        };
        let text = describe(&registered);
        assert!(text.contains("put (UTC)  1970-01-01 00:00:00 by ann (first)\n"), "{text}");
        assert!(text.contains("match      s3://landing/m/**.json\n"), "{text}");
        assert!(text.contains("title   String\n"), "{text}");
        assert_eq!(row(&registered)[7], "enabled");
    }
}
