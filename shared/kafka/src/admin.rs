//! Making and removing topics: for the local stack, tests and an operator.

use std::time::Duration;

use crate::brokers::{Brokers, Budget};
use crate::config::KafkaConfig;
use crate::error::{KafkaError, is_already_there};

/// Makes and removes topics.
#[derive(Debug)]
pub struct Admin {
    brokers: Brokers,
}

impl Admin {
    /// Connects when it is first asked.
    #[must_use]
    pub fn new(config: KafkaConfig) -> Self {
        Self { brokers: Brokers::new(config) }
    }

    /// Makes a topic; false when there is one of that name already, whatever
    /// its partitions.
    ///
    /// # Errors
    /// When the brokers refuse, or do not answer in `time`.
    pub async fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        replicas: i16,
        time: Duration,
    ) -> Result<bool, KafkaError> {
        let what = format!("create the topic `{name}`");
        let limit = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        let made = self.brokers.call(&what, Budget::new(time), |link| async move {
            let controller = link.client.controller_client()?;
            match controller.create_topic(name, partitions, replicas, limit).await {
                Ok(()) => Ok(true),
                Err(error) if is_already_there(&error) => Ok(false),
                Err(error) => Err(error),
            }
        });
        made.await
    }

    /// Removes the records of a partition before an offset, as retention
    /// would.
    ///
    /// # Errors
    /// When the brokers refuse, or do not answer in `time`.
    pub async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: i64,
        time: Duration,
    ) -> Result<(), KafkaError> {
        let what = format!("remove records of `{topic}`, partition {partition}");
        let limit = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        let removed = self.brokers.call(&what, Budget::new(time), |link| async move {
            link.leader(topic, partition).await?.delete_records(before, limit).await
        });
        removed.await
    }
}
