//! Dead letters of the drain: events that the pixel has spilled, and that Kafka did
//! not take afterwards.

use std::time::Duration;

use ingest::Ingest;
use kafka::spill::Spilled;

use super::Understood;

/// How long Kafka is waited for.
const TIME: Duration = Duration::from_secs(10);

/// What a message names, and what is known of its topic.
pub async fn read(body: &str, ingest: &Ingest) -> Understood {
    let spilled: Spilled = match serde_json::from_str(body) {
        Ok(spilled) => spilled,
        Err(error) => {
            return Understood::nothing(format!("the message is none of the spill queue: {error}"));
        }
    };
    let what = match &spilled.object {
        Some(key) => format!("the events in {key} of the spill bucket"),
        None => format!("{} events", spilled.records.len()),
    };
    let topic = &spilled.topic;
    let reason = match &ingest.records {
        None => format!("{what}; MOTHERLODE_KAFKA_BROKERS is not set: Kafka was not asked"),
        Some(reader) => match reader.offsets(topic, 0, TIME).await {
            Ok(_) => format!("{what}; Kafka has the topic now"),
            Err(error) => format!("{what}; {error}"),
        },
    };
    Understood { places: vec![format!("kafka://{topic}")], keys: vec![spilled.topic], reason }
}
