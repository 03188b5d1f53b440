//! The clickstream lane of a local stack: its functions and its tables.

use std::path::Path;

use anyhow::Context as _;
use devstack::{
    BucketOptions, FunctionOptions, KafkaSourceOptions, Options, QueueOptions, TopicOptions,
};
use warehouse::{ClickHouse, Warehouse as _};

use crate::stack::sibling;

/// The topic of events; those that are refused go to `events.invalid`.
pub const TOPIC: &str = "events";

/// Partitions of the topic.
const PARTITIONS: i32 = 4;

/// What is run on a cluster, in this order, one statement each. All of it may be
/// run again.
const TABLES: [(&str, &str); 12] = [
    ("001_database", include_str!("../../../infra/clickhouse/clickstream/001_database.sql")),
    ("002_raw_events", include_str!("../../../infra/clickhouse/clickstream/002_raw_events.sql")),
    ("003_events", include_str!("../../../infra/clickhouse/clickstream/003_events.sql")),
    ("004_events_view", include_str!("../../../infra/clickhouse/clickstream/004_events_view.sql")),
    (
        "005_events_by_user",
        include_str!("../../../infra/clickhouse/clickstream/005_events_by_user.sql"),
    ),
    (
        "006_events_by_user_view",
        include_str!("../../../infra/clickhouse/clickstream/006_events_by_user_view.sql"),
    ),
    (
        "007_session_facts",
        include_str!("../../../infra/clickhouse/clickstream/007_session_facts.sql"),
    ),
    (
        "008_session_facts_view",
        include_str!("../../../infra/clickhouse/clickstream/008_session_facts_view.sql"),
    ),
    (
        "009_events_current",
        include_str!("../../../infra/clickhouse/clickstream/009_events_current.sql"),
    ),
    (
        "010_events_latest",
        include_str!("../../../infra/clickhouse/clickstream/010_events_latest.sql"),
    ),
    ("011_sessions", include_str!("../../../infra/clickhouse/clickstream/011_sessions.sql")),
    ("012_funnel", include_str!("../../../infra/clickhouse/clickstream/012_funnel.sql")),
];

/// The source document of the lane.
pub const DOCUMENT: &str = include_str!("../../../infra/sources/clickstream/web.yaml");

/// A stack with Kafka, the pixel and its drain, and the sink.
///
/// # Errors
/// When a function is not built.
pub fn added_to(mut options: Options) -> anyhow::Result<Options> {
    let this = std::env::current_exe()?;
    let function = |name: &str| -> anyhow::Result<FunctionOptions> {
        Ok(FunctionOptions::new(name, sibling(&this, name)?))
    };
    let mut pixel = function("pixel")?;
    pixel.http = true;
    pixel.concurrency = 4;
    let mut drain = function("drain")?;
    drain.queue = Some(QueueOptions {
        fifo: true,
        // An outage of Kafka lasts as long as it lasts.
        max_receive_count: 1000,
        ..QueueOptions::default()
    });
    let mut sink = function("kafka-sink")?;
    sink.timeout_seconds = 60;
    sink.kafka = vec![KafkaSourceOptions {
        topic: TOPIC.to_owned(),
        batch_size: 10_000,
        batch_window_ms: 1_000,
        bisect_on_error: true,
        report_batch_item_failures: true,
        on_failure: true,
        ..KafkaSourceOptions::default()
    }];
    options.functions.extend([pixel, drain, sink]);
    options.buckets.push(BucketOptions { name: devstack::SPILL_BUCKET.to_owned(), notify: None });
    let mut kafka = options.kafka.take().unwrap_or_default();
    let topic = |name: String, partitions| TopicOptions { name, partitions };
    kafka.topics.push(topic(TOPIC.to_owned(), PARTITIONS));
    kafka.topics.push(topic(format!("{TOPIC}.invalid"), 1));
    options.kafka = Some(kafka);
    Ok(options)
}

/// Makes the tables and views of the lane on a cluster.
///
/// # Errors
/// What the server says, with the name of the file.
pub async fn make_tables(warehouse: &ClickHouse, cluster: &str) -> anyhow::Result<()> {
    for (name, sql) in TABLES {
        let made = warehouse.query(cluster, sql, &[]).await;
        let file = Path::new("infra/clickhouse/clickstream").join(name).with_extension("sql");
        made.with_context(|| file.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_run() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/clickhouse/clickstream");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        assert_eq!(files, TABLES.map(|(name, _)| name));
    }

    #[test]
    fn the_document_takes_the_topic() {
        let document = model::document::SourceDocument::from_yaml(DOCUMENT).unwrap();
        assert_eq!(document.stream.unwrap().topics, [TOPIC]);
    }
}
