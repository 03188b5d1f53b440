//! The ledger's table: its name's variable, its index, and how it is made where
//! no template does it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use dynamo::{Fault, TableName};

/// The environment variable that names the table.
pub const VARIABLE: &str = "MOTHERLODE_LEDGER_TABLE";

/// The index that lists the records of a source, by the time of their last change.
pub const BY_SOURCE: &str = "by_source";

/// The sparse index of the records that a cluster lacks rows of: by source and
/// the time of their last change.
pub const BY_DEBT: &str = "by_debt";

/// The table of that name.
pub(crate) fn table_name(name: impl Into<String>) -> TableName {
    TableName { name: name.into(), variable: VARIABLE }
}

/// Creates the table and its indexes, paid per request: for the local stack and
/// for tests. On AWS the template does it.
///
/// # Errors
/// [`Fault`] when the service refuses; a table that is there already is refused.
pub async fn create_table(client: &Client, name: &str) -> Result<(), Fault> {
    let refused = |error: BuildError| Fault::Refused {
        table: name.to_owned(),
        variable: VARIABLE,
        code: "not built".to_owned(),
        cause: error.into(),
    };
    let index = |name: &str, hash: &str| {
        GlobalSecondaryIndex::builder()
            .index_name(name)
            .key_schema(key(hash, KeyType::Hash)?)
            .key_schema(key("updated_at", KeyType::Range)?)
            .projection(Projection::builder().projection_type(ProjectionType::All).build())
            .build()
    };
    client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(text_attribute("pk").map_err(refused)?)
        .attribute_definitions(text_attribute("source").map_err(refused)?)
        .attribute_definitions(text_attribute("owes").map_err(refused)?)
        .attribute_definitions(text_attribute("updated_at").map_err(refused)?)
        .key_schema(key("pk", KeyType::Hash).map_err(refused)?)
        .global_secondary_indexes(index(BY_SOURCE, "source").map_err(refused)?)
        .global_secondary_indexes(index(BY_DEBT, "owes").map_err(refused)?)
        .send()
        .await
        .map_err(|error| Fault::from_sdk(&table_name(name), error))?;
    Ok(())
}

fn key(name: &str, role: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(name).key_type(role).build()
}

fn text_attribute(name: &str) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
}
