//! Where the records of partitions are kept: read, and written under the
//! condition that nobody has changed them since.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use dynamo::{Fault, Item, Row, TableName, number, text, time};
use model::Clock;

use crate::partition::PartitionRecord;
use crate::table::table_name;
use crate::{BY_DEBT, BY_SOURCE, LedgerError};

/// Most records that are changed at once: what a transaction of DynamoDB takes.
pub const MOST_AT_ONCE: usize = 100;

/// The records of the partitions.
#[async_trait]
pub trait Partitions: Send + Sync {
    /// The record of a partition; a new one when nothing has been written.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn get(
        &self,
        source: &str,
        topic: &str,
        partition: i32,
    ) -> Result<PartitionRecord, LedgerError>;

    /// Writes all of these or none; at most [`MOST_AT_ONCE`]. Their revisions rise.
    ///
    /// # Errors
    /// [`LedgerError::Overtaken`] when somebody has changed one of them since it
    /// was read: nothing is written then.
    async fn put(&self, records: &mut [PartitionRecord]) -> Result<(), LedgerError>;

    /// The records of a source; with `owing`, those of which a cluster lacks
    /// something.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be used.
    async fn list(&self, source: &str, owing: bool) -> Result<Vec<PartitionRecord>, LedgerError>;
}

/// The records in the ledger's table in DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoPartitions {
    client: Client,
    table: TableName,
    clock: Clock,
}

impl DynamoPartitions {
    /// Those in the table of that name.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, clock: Clock) -> Self {
        Self { client, table: table_name(table), clock }
    }

    fn item(&self, record: &PartitionRecord, writer: &str) -> Result<Item, Fault> {
        let body = serde_json::to_string(record).map_err(|error| Fault::Refused {
            table: self.table.name.clone(),
            variable: self.table.variable,
            code: "not built".to_owned(),
            cause: error.into(),
        })?;
        let index = index_of(&record.source);
        let mut item = Item::from([
            ("pk".to_owned(), text(key_of(record))),
            ("source".to_owned(), text(&index)),
            ("updated_at".to_owned(), time(record.updated_at_ms)),
            ("revision".to_owned(), number(record.revision)),
            ("writer".to_owned(), text(writer)),
            ("partition".to_owned(), text(body)),
        ]);
        if let Some(next) = record.next_offset() {
            item.insert("next_offset".to_owned(), number(next));
        }
        if record.is_owing() {
            item.insert("owes".to_owned(), text(index));
        }
        Ok(item)
    }

    fn read(&self, item: &Item) -> Result<PartitionRecord, Fault> {
        let row = Row::new(&self.table, item);
        let body = row.text("partition")?;
        let mut record: PartitionRecord = serde_json::from_str(body)
            .map_err(|error| row.damaged("partition", &format!("cannot be read: {error}")))?;
        record.revision = row.number("revision")?;
        Ok(record)
    }

    /// Whether a record is what this writer made it: its answer may have been lost.
    async fn is_ours(&self, record: &PartitionRecord, writer: &str) -> Result<bool, Fault> {
        let item = self.stored(key_of(record)).await?;
        let stored = item.as_ref().and_then(|item| item.get("writer"));
        Ok(stored.is_some_and(|stored| stored.as_s().is_ok_and(|stored| stored == writer)))
    }

    async fn stored(&self, key: String) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table.name)
            .key("pk", text(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Fault::from_sdk(&self.table, error))?;
        Ok(answer.item)
    }

    /// False when the condition of one of the puts does not hold.
    async fn write(&self, items: Vec<(Item, Guard)>, writer: &str) -> Result<bool, Fault> {
        if let [(item, guard)] = items.as_slice() {
            let put = self
                .client
                .put_item()
                .table_name(&self.table.name)
                .set_item(Some(item.clone()))
                .condition_expression(guard.condition)
                .set_expression_attribute_names(Some(guard.names()))
                .set_expression_attribute_values(guard.values());
            return match put.send().await {
                Ok(_) => Ok(true),
                Err(SdkError::ServiceError(error))
                    if error.err().is_conditional_check_failed_exception() =>
                {
                    Ok(false)
                }
                Err(error) => Err(Fault::from_sdk(&self.table, error)),
            };
        }
        let mut transaction =
            self.client.transact_write_items().client_request_token(writer.to_owned());
        for (item, guard) in items {
            let put = Put::builder()
                .table_name(&self.table.name)
                .set_item(Some(item))
                .condition_expression(guard.condition)
                .set_expression_attribute_names(Some(guard.names()))
                .set_expression_attribute_values(guard.values())
                .build()
                .map_err(|error| Fault::Refused {
                    table: self.table.name.clone(),
                    variable: self.table.variable,
                    code: "not built".to_owned(),
                    cause: error.into(),
                })?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match transaction.send().await {
            Ok(_) => Ok(true),
            // A condition that does not hold, or another transaction on the same
            // records: in both cases somebody else is at them.
            Err(SdkError::ServiceError(error))
                if error.err().is_transaction_canceled_exception()
                    || error.err().is_transaction_in_progress_exception() =>
            {
                Ok(false)
            }
            Err(error) => Err(Fault::from_sdk(&self.table, error)),
        }
    }
}

/// Under which condition a record is written.
struct Guard {
    condition: &'static str,
    revision: u64,
}

impl Guard {
    fn of(revision: u64) -> Self {
        let condition = match revision {
            0 => "attribute_not_exists(#pk)",
            _ => "#revision = :was",
        };
        Self { condition, revision }
    }

    fn names(&self) -> std::collections::HashMap<String, String> {
        crate::change::names(self.condition).collect()
    }

    fn values(&self) -> Option<std::collections::HashMap<String, AttributeValue>> {
        (self.revision > 0).then(|| [(":was".to_owned(), number(self.revision))].into())
    }
}

/// The key of a partition's item. No source begins with `#`, so it is no object's.
fn key_of(record: &PartitionRecord) -> String {
    key(&record.source, &record.topic, record.partition)
}

fn key(source: &str, topic: &str, partition: i32) -> String {
    format!("#partition#{source}#{topic}#{partition}")
}

/// What stands for a source in the indexes: objects are listed there, too.
fn index_of(source: &str) -> String {
    format!("#partition#{source}")
}

#[async_trait]
impl Partitions for DynamoPartitions {
    async fn get(
        &self,
        source: &str,
        topic: &str,
        partition: i32,
    ) -> Result<PartitionRecord, LedgerError> {
        match self.stored(key(source, topic, partition)).await? {
            Some(item) => Ok(self.read(&item)?),
            None => Ok(PartitionRecord::new(source, topic, partition)),
        }
    }

    async fn put(&self, records: &mut [PartitionRecord]) -> Result<(), LedgerError> {
        if records.is_empty() {
            return Ok(());
        }
        let writer = uuid::Uuid::new_v4().simple().to_string();
        let now_ms = self.clock.now_ms();
        let mut after = records.to_vec();
        let mut items = Vec::with_capacity(after.len());
        for record in &mut after {
            let guard = Guard::of(record.revision);
            record.revision += 1;
            record.updated_at_ms = now_ms;
            items.push((self.item(record, &writer)?, guard));
        }
        // The SDK repeats a call whose answer was lost.
        if !self.write(items, &writer).await? && !self.is_ours(&after[0], &writer).await? {
            return Err(overtaken(records));
        }
        records.clone_from_slice(&after);
        Ok(())
    }

    async fn list(&self, source: &str, owing: bool) -> Result<Vec<PartitionRecord>, LedgerError> {
        let (index, name) = if owing { (BY_DEBT, "owes") } else { (BY_SOURCE, "source") };
        let mut found = Vec::new();
        let mut from: Option<Item> = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table.name)
                .index_name(index)
                .key_condition_expression("#index = :index")
                .expression_attribute_names("#index", name)
                .expression_attribute_values(":index", text(index_of(source)))
                .set_exclusive_start_key(from.take())
                .send()
                .await
                .map_err(|error| Fault::from_sdk(&self.table, error))?;
            for item in page.items() {
                found.push(self.read(item)?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                found.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
                return Ok(found);
            }
        }
    }
}

fn overtaken(records: &[PartitionRecord]) -> LedgerError {
    let name = |record: &PartitionRecord| format!("{}/{}", record.topic, record.partition);
    LedgerError::Overtaken {
        feed: records.first().map(|record| record.source.clone()).unwrap_or_default(),
        partitions: records.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

/// The records in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryPartitions {
    records: Mutex<BTreeMap<String, PartitionRecord>>,
}

impl MemoryPartitions {
    fn records(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, PartitionRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Partitions for MemoryPartitions {
    async fn get(
        &self,
        source: &str,
        topic: &str,
        partition: i32,
    ) -> Result<PartitionRecord, LedgerError> {
        let known = self.records().get(&key(source, topic, partition)).cloned();
        Ok(known.unwrap_or_else(|| PartitionRecord::new(source, topic, partition)))
    }

    async fn put(&self, records: &mut [PartitionRecord]) -> Result<(), LedgerError> {
        let mut stored = self.records();
        let is_as_read = |record: &PartitionRecord| {
            stored.get(&key_of(record)).map_or(0, |known| known.revision) == record.revision
        };
        if !records.iter().all(is_as_read) {
            return Err(overtaken(records));
        }
        for record in records {
            record.revision += 1;
            stored.insert(key_of(record), record.clone());
        }
        Ok(())
    }

    async fn list(&self, source: &str, owing: bool) -> Result<Vec<PartitionRecord>, LedgerError> {
        let stored = self.records();
        let meant =
            |record: &&PartitionRecord| record.source == source && (!owing || record.is_owing());
        Ok(stored.values().filter(meant).cloned().collect())
    }
}
