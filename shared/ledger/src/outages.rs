//! Which nodes are down, told between processes: one item of the ledger's
//! table, with an attribute for each node.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::{Fault, Item, Row, TableName, number, text};

use crate::table::table_name;

/// The item's key. An object's key has more than one `#`.
pub(crate) const KEY: &str = "#outages";

/// A node that is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOutage {
    /// Name of the cluster.
    pub cluster: String,
    /// URL of the node.
    pub node: String,
    /// Until when, in milliseconds since 1970.
    pub until_ms: i64,
    /// What happened.
    pub reason: String,
}

/// The outages that are noted in the ledger's table.
#[derive(Debug, Clone)]
pub struct Outages {
    client: Client,
    table: TableName,
}

impl Outages {
    /// Those in the table of that name.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table_name(table) }
    }

    /// All that are noted, also those that are over.
    ///
    /// # Errors
    /// [`Fault`] when the table cannot be read.
    pub async fn list(&self) -> Result<Vec<NodeOutage>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table.name)
            .key("pk", text(KEY))
            .send()
            .await
            .map_err(|error| Fault::from_sdk(&self.table, error))?;
        let Some(item) = answer.item else { return Ok(Vec::new()) };
        let row = Row::new(&self.table, &item);
        let nodes = item.keys().filter(|name| *name != "pk");
        nodes.filter_map(|name| row.map_if_any(name).transpose()).map(|row| outage(&row?)).collect()
    }

    /// Notes an outage in place of what was noted of the node before.
    ///
    /// # Errors
    /// [`Fault`] when the table cannot be written.
    pub async fn note(&self, outage: &NodeOutage) -> Result<(), Fault> {
        let value = AttributeValue::M(Item::from([
            ("cluster".to_owned(), text(&outage.cluster)),
            ("node".to_owned(), text(&outage.node)),
            ("until_ms".to_owned(), number(outage.until_ms)),
            ("reason".to_owned(), text(&outage.reason)),
        ]));
        let name = attribute(&outage.cluster, &outage.node);
        self.update("SET #node = :outage", name, Some(value)).await
    }

    /// Takes back what was noted of a node.
    ///
    /// # Errors
    /// [`Fault`] when the table cannot be written.
    pub async fn remove(&self, cluster: &str, node: &str) -> Result<(), Fault> {
        self.update("REMOVE #node", attribute(cluster, node), None).await
    }

    async fn update(
        &self,
        expression: &str,
        name: String,
        value: Option<AttributeValue>,
    ) -> Result<(), Fault> {
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table.name)
            .key("pk", text(KEY))
            .update_expression(expression)
            .expression_attribute_names("#node", name);
        if let Some(value) = value {
            request = request.expression_attribute_values(":outage", value);
        }
        request.send().await.map_err(|error| Fault::from_sdk(&self.table, error))?;
        Ok(())
    }
}

fn attribute(cluster: &str, node: &str) -> String {
    format!("{cluster} {node}")
}

fn outage(row: &Row<'_>) -> Result<NodeOutage, Fault> {
    Ok(NodeOutage {
        cluster: row.text("cluster")?.to_owned(),
        node: row.text("node")?.to_owned(),
        until_ms: row.number("until_ms")?,
        reason: row.text("reason")?.to_owned(),
    })
}
