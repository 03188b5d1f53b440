//! The clickstream lane of a local stack: its functions and its tables.

use devstack::{
    BucketOptions, FunctionOptions, KafkaSourceOptions, Options, QueueOptions, TopicOptions,
};
use warehouse::ClickHouse;

use crate::migrate;
use crate::stack::sibling;

/// The topic of events; those that are refused go to `events.invalid`.
pub const TOPIC: &str = "events";

/// Partitions of the topic.
const PARTITIONS: i32 = 4;

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
        // As it is deployed: an outage of every cluster lasts as long as it lasts.
        maximum_retry_attempts: Some(-1),
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
    migrate::apply_sets(warehouse, cluster, &["platform", "clickstream"]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Locally records are given up as seldom as where it is deployed.
    #[test]
    fn the_sink_is_tried_for_ever_beside_its_destination() {
        let options = added_to(Options::default());
        // Not every build has the functions beside it.
        let Ok(options) = options else { return };
        let sink = options.functions.iter().find(|function| function.name == "kafka-sink");
        let trigger = &sink.unwrap().kafka[0];
        assert!(trigger.on_failure);
        assert_eq!(trigger.maximum_retry_attempts, Some(-1));
    }

    #[test]
    fn the_document_takes_the_topic() {
        let document = model::document::SourceDocument::from_yaml(DOCUMENT).unwrap();
        assert_eq!(document.stream.unwrap().topics, [TOPIC]);
    }
}
