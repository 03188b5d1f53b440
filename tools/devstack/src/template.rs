//! The tables and queues of production, as `infra/local.json` has them from
//! `infra/template.yaml` (a check of the deployment holds the two together): the local
//! stack makes the same.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types as dynamodb;
use aws_sdk_sqs::types::QueueAttributeName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};

/// CloudFormation's names of what is made.
pub const LEDGER: &str = "LedgerTable";
/// The table of source documents.
pub const SOURCES: &str = "SourcesTable";

/// What of a queue the stack says itself: its name, which differs, and the times and
/// tries that a test sets.
const OWN: [&str; 2] = ["QueueName", "RedrivePolicy"];
/// What the stand-in has no use for.
const IDLE: [&str; 1] = ["SqsManagedSseEnabled"];

/// The template.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Template {
    resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    properties: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    billing_mode: String,
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    time_to_live_specification: Option<TimeToLive>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    attribute_name: String,
    key_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    key_schema: Vec<Key>,
    projection: Projection,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Projection {
    projection_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLive {
    attribute_name: String,
    enabled: bool,
}

impl Template {
    /// That of `infra/local.json`.
    ///
    /// # Errors
    /// When it is no such template.
    pub fn read() -> Result<Self> {
        serde_json::from_str(include_str!("../../../infra/local.json"))
            .map_err(Error::aws("read infra/local.json"))
    }

    fn properties<T: DeserializeOwned>(&self, resource: &str) -> Result<T> {
        let found = self.resources.get(resource);
        let properties = found.map_or(Value::Null, |found| found.properties.clone());
        serde_json::from_value(properties)
            .map_err(Error::aws(format!("read {resource} of infra/local.json")))
    }

    /// Makes one of its tables under a name.
    ///
    /// # Errors
    /// When the stand-in refuses it.
    pub async fn table(
        &self,
        client: &aws_sdk_dynamodb::Client,
        resource: &str,
        name: &str,
    ) -> Result<()> {
        let table: Table = self.properties(resource)?;
        let attributes = table.attribute_definitions.iter().map(Attribute::definition);
        let indexes = table.global_secondary_indexes.iter().map(Index::definition);
        client
            .create_table()
            .table_name(name)
            .billing_mode(table.billing_mode.as_str().into())
            .set_attribute_definitions(Some(attributes.collect::<Result<_>>()?))
            .set_key_schema(Some(schema(&table.key_schema)?))
            .set_global_secondary_indexes(match indexes.len() {
                0 => None,
                _ => Some(indexes.collect::<Result<_>>()?),
            })
            .send()
            .await
            .map_err(Error::aws(format!("create the table {name}")))?;
        let Some(expiry) = table.time_to_live_specification else { return Ok(()) };
        let expiry = dynamodb::TimeToLiveSpecification::builder()
            .attribute_name(expiry.attribute_name)
            .enabled(expiry.enabled)
            .build()
            .map_err(Error::aws("describe a time to live"))?;
        client
            .update_time_to_live()
            .table_name(name)
            .time_to_live_specification(expiry)
            .send()
            .await
            .map_err(Error::aws(format!("let items of {name} expire")))?;
        Ok(())
    }

    /// Attributes of one of its queues, but for its name and its dead letters.
    ///
    /// # Errors
    /// When it has no such queue.
    pub fn queue(&self, resource: &str) -> Result<BTreeMap<QueueAttributeName, String>> {
        let properties: BTreeMap<String, Value> = self.properties(resource)?;
        let kept = properties
            .into_iter()
            .filter(|(name, _)| !OWN.contains(&name.as_str()) && !IDLE.contains(&name.as_str()));
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(kept.map(|(name, value)| (name.as_str().into(), text(value))).collect())
    }
}

impl Attribute {
    fn definition(&self) -> Result<dynamodb::AttributeDefinition> {
        dynamodb::AttributeDefinition::builder()
            .attribute_name(&self.attribute_name)
            .attribute_type(self.attribute_type.as_str().into())
            .build()
            .map_err(Error::aws("describe an attribute"))
    }
}

impl Index {
    fn definition(&self) -> Result<dynamodb::GlobalSecondaryIndex> {
        let projection = dynamodb::Projection::builder()
            .projection_type(self.projection.projection_type.as_str().into());
        dynamodb::GlobalSecondaryIndex::builder()
            .index_name(&self.index_name)
            .set_key_schema(Some(schema(&self.key_schema)?))
            .projection(projection.build())
            .build()
            .map_err(Error::aws("describe an index"))
    }
}

fn schema(keys: &[Key]) -> Result<Vec<dynamodb::KeySchemaElement>> {
    let element = |key: &Key| {
        dynamodb::KeySchemaElement::builder()
            .attribute_name(&key.attribute_name)
            .key_type(key.key_type.as_str().into())
            .build()
            .map_err(Error::aws("describe a key"))
    };
    keys.iter().map(element).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_what_the_stack_makes() {
        let template = Template::read().unwrap();
        let ledger: Table = template.properties(LEDGER).unwrap();
        assert_eq!(ledger.global_secondary_indexes.len(), 2);
        assert_eq!(ledger.time_to_live_specification.unwrap().attribute_name, "expires_at");
        let _: Table = template.properties(SOURCES).unwrap();
        let spill = template.queue("SpillQueue").unwrap();
        assert_eq!(spill[&QueueAttributeName::FifoQueue], "true");
        assert!(!spill.contains_key(&QueueAttributeName::RedrivePolicy));
        for queue in ["FilesQueue", "FilesDeadLetters", "KafkaDeadLetters", "SpillDeadLetters"] {
            assert!(!template.queue(queue).unwrap().is_empty(), "{queue}");
        }
        assert!(template.queue("NoQueue").is_err());
    }
}
