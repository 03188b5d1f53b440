//! Dead letters of the drain: events that the pixel has spilled, and that Kafka did
//! not take afterwards.

use std::collections::HashMap;
use std::time::Duration;

use ingest::Ingest;
use kafka::spill::Spilled;

use super::Understood;

/// How long Kafka is waited for.
const TIME: Duration = Duration::from_secs(10);

/// What is known of topics: each is asked for once.
pub type Topics = HashMap<String, String>;

/// What a message names, and what is known of its topic.
pub async fn read(body: &str, ingest: &Ingest, topics: &mut Topics) -> Understood {
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
    let known = match topics.get(topic) {
        Some(known) => known.clone(),
        None => {
            let known = ask(topic, ingest).await;
            topics.insert(topic.clone(), known.clone());
            known
        }
    };
    let (places, reason) = (vec![format!("kafka://{topic}")], format!("{what}; {known}"));
    Understood { places, keys: vec![spilled.topic], reason }
}

async fn ask(topic: &str, ingest: &Ingest) -> String {
    let Some(reader) = &ingest.records else {
        return "MOTHERLODE_KAFKA_BROKERS is not set: Kafka was not asked".to_owned();
    };
    match reader.offsets(topic, 0, TIME).await {
        Ok(_) => "Kafka has the topic now".to_owned(),
        Err(error) => error.to_string(),
    }
}
