//! The catalog's table: its name's variable, and how it is made where no
//! template does it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use dynamo::{Fault, TableName};

/// The environment variable that names the table.
pub const VARIABLE: &str = "MOTHERLODE_SOURCES_TABLE";

/// The table of that name.
pub(crate) fn table_name(name: impl Into<String>) -> TableName {
    TableName { name: name.into(), variable: VARIABLE }
}

/// Creates the table, paid per request: for the local stack and for tests. On
/// AWS the template does it.
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
    let mut request =
        client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, role) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(refused)?;
        let key = KeySchemaElement::builder()
            .attribute_name(attribute)
            .key_type(role)
            .build()
            .map_err(refused)?;
        request = request.attribute_definitions(definition).key_schema(key);
    }
    request.send().await.map_err(|error| Fault::from_sdk(&table_name(name), error))?;
    Ok(())
}
