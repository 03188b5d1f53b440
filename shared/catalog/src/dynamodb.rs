//! The catalog in DynamoDB: a change is one transaction over three items.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use dynamo::{Fault, Item, Row, TableName, number, text};
use model::Clock;

use crate::item::{CURRENT, history, item, key, revision_key, stored, version};
use crate::plan::{Plan, Proposal, rollback_note};
use crate::table::table_name;
use crate::{Catalog, CatalogError, PutOutcome, Registered, Snapshot, Stored};

/// Tries of one put: each further one means that another document was put in
/// between.
const PUT_TRIES: usize = 8;

/// The catalog in a DynamoDB table (see [`crate::create_table`] for its shape).
#[derive(Debug, Clone)]
pub struct DynamoCatalog {
    client: Client,
    table: TableName,
    clock: Clock,
}

/// What came of a transaction.
enum Written {
    Done,
    /// Somebody else changed the catalog first.
    Overtaken,
}

impl DynamoCatalog {
    /// A catalog in the table of that name. The clock gives `put_at_ms`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, clock: Clock) -> Self {
        Self { client, table: table_name(table), clock }
    }

    async fn read(&self, key: Item) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table.name)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Fault::from_sdk(&self.table, error))?;
        Ok(answer.item)
    }

    /// All documents of a partition, the highest sort key first.
    async fn partition(&self, pk: &str) -> Result<Vec<Stored>, Fault> {
        let mut found = Vec::new();
        let mut from: Option<Item> = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table.name)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", text(pk))
                .consistent_read(true)
                .scan_index_forward(false)
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(|error| Fault::from_sdk(&self.table, error))?;
            for item in page.items() {
                found.push(stored(&self.table, item)?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(found);
            }
        }
    }

    /// The revision is read before the documents: should one change in between,
    /// the snapshot looks older than it is and is read again, never the reverse.
    async fn read_all(&self) -> Result<Snapshot, CatalogError> {
        let revision = self.revision().await?;
        Ok(Snapshot::new(revision, self.partition(CURRENT).await?))
    }

    /// Writes the new current document, if the catalog is still at `revision`.
    async fn write(&self, new: &Stored, revision: u64) -> Result<Written, Fault> {
        let refused = |error: BuildError| Fault::Refused {
            table: self.table.name.clone(),
            variable: self.table.variable,
            code: "not built".to_owned(),
            cause: error.into(),
        };
        let name = &self.table.name;
        let seen = if revision == 0 { "attribute_not_exists(pk)" } else { "revision = :seen" };
        let mut counted = Update::builder()
            .table_name(name)
            .set_key(Some(revision_key()))
            .update_expression("SET revision = :next")
            .condition_expression(seen)
            .expression_attribute_values(":next", number(revision + 1));
        if revision > 0 {
            counted = counted.expression_attribute_values(":seen", number(revision));
        }
        let mut current =
            Put::builder().table_name(name).set_item(Some(item(key(CURRENT, &new.source), new)));
        current = if new.config_version == 1 {
            current.condition_expression("attribute_not_exists(pk)")
        } else {
            current
                .condition_expression("config_version = :last")
                .expression_attribute_values(":last", number(new.config_version - 1))
        };
        let kept = Put::builder()
            .table_name(name)
            .set_item(Some(item(key(history(&new.source), version(new.config_version)), new)))
            .condition_expression("attribute_not_exists(pk)");
        let sent = self
            .client
            .transact_write_items()
            .transact_items(
                TransactWriteItem::builder().update(counted.build().map_err(refused)?).build(),
            )
            .transact_items(
                TransactWriteItem::builder().put(current.build().map_err(refused)?).build(),
            )
            .transact_items(
                TransactWriteItem::builder().put(kept.build().map_err(refused)?).build(),
            )
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Written::Done),
            Err(error) if overtaken(&error) => Ok(Written::Overtaken),
            Err(error) => Err(Fault::from_sdk(&self.table, error)),
        }
    }

    /// Writes a version unchecked: what another program may have left.
    #[cfg(any(test, feature = "contract"))]
    pub(crate) async fn plant(&self, planted: &Stored) -> Result<(), CatalogError> {
        let keys = [
            key(CURRENT, &planted.source),
            key(history(&planted.source), version(planted.config_version)),
        ];
        for key in keys {
            let put = self
                .client
                .put_item()
                .table_name(&self.table.name)
                .set_item(Some(item(key, planted)));
            put.send().await.map_err(|error| Fault::from_sdk(&self.table, error))?;
        }
        let counted = self
            .client
            .update_item()
            .table_name(&self.table.name)
            .set_key(Some(revision_key()))
            .update_expression("ADD revision :one")
            .expression_attribute_values(":one", number(1));
        counted.send().await.map_err(|error| Fault::from_sdk(&self.table, error))?;
        Ok(())
    }
}

/// Whether a transaction failed only because another one came first.
fn overtaken(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) =
        error.as_service_error()
    else {
        return false;
    };
    let codes: Vec<&str> = canceled
        .cancellation_reasons()
        .iter()
        .filter_map(|reason| reason.code())
        .filter(|code| *code != "None")
        .collect();
    !codes.is_empty()
        && codes
            .iter()
            .all(|code| matches!(*code, "ConditionalCheckFailed" | "TransactionConflict"))
}

#[async_trait]
impl Catalog for DynamoCatalog {
    async fn revision(&self) -> Result<u64, CatalogError> {
        let found = self.read(revision_key()).await?;
        let revision =
            found.map(|item| Row::new(&self.table, &item).number("revision")).transpose()?;
        Ok(revision.unwrap_or(0))
    }

    async fn snapshot(&self) -> Result<Arc<Snapshot>, CatalogError> {
        Ok(Arc::new(self.read_all().await?))
    }

    async fn get(
        &self,
        source: &str,
        config_version: Option<u64>,
    ) -> Result<Arc<Registered>, CatalogError> {
        let feed = source.to_owned();
        let (key, unknown) = match config_version {
            None => (key(CURRENT, source), CatalogError::UnknownSource { feed }),
            Some(wanted) => (
                key(history(source), version(wanted)),
                CatalogError::UnknownVersion { feed, config_version: wanted },
            ),
        };
        let found = self.read(key).await?.ok_or(unknown)?;
        stored(&self.table, &found)?.read()
    }

    async fn put(
        &self,
        yaml: &str,
        by: &str,
        note: Option<&str>,
    ) -> Result<PutOutcome, CatalogError> {
        let proposal = Proposal::new(yaml, by, note)?;
        for _ in 0..PUT_TRIES {
            let there = self.read_all().await?;
            let new = match proposal.plan(&there, self.clock.now_ms())? {
                Plan::Keep(outcome) => return Ok(outcome),
                Plan::Write(new) => new,
            };
            if let Written::Done = self.write(&new, there.revision()).await? {
                return Ok(PutOutcome {
                    source: new.source,
                    config_version: new.config_version,
                    unchanged: false,
                });
            }
        }
        Err(CatalogError::Contended { feed: proposal.source().to_owned(), tries: PUT_TRIES })
    }

    async fn history(&self, source: &str) -> Result<Vec<Stored>, CatalogError> {
        let versions = self.partition(&history(source)).await?;
        if versions.is_empty() {
            return Err(CatalogError::UnknownSource { feed: source.to_owned() });
        }
        Ok(versions)
    }

    async fn rollback(&self, source: &str, to: u64, by: &str) -> Result<PutOutcome, CatalogError> {
        let old = self.get(source, Some(to)).await?;
        self.put(&old.yaml, by, Some(&rollback_note(to))).await
    }
}
