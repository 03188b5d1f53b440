//! The AWS resources of a stack, as the infrastructure code makes them in
//! AWS: queues with dead-letter queues, tables, buckets with notifications,
//! and a secret per cluster.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types as dynamodb;
use aws_sdk_s3::types as s3;
use aws_sdk_sqs::types::QueueAttributeName;

use crate::aws;
use crate::error::{Error, Result};
use crate::options::{BucketOptions, FunctionOptions, Options, QueueOptions};
use crate::state::{ClusterState, FUNCTION_USERS, FunctionState, LEDGER_TABLE, SOURCES_TABLE};

/// Makes everything; answers the functions with their queues.
pub async fn create(
    config: &SdkConfig,
    options: &Options,
    clusters: &[ClusterState],
) -> Result<Vec<FunctionState>> {
    let sqs = aws_sdk_sqs::Client::new(config);
    let mut functions = Vec::new();
    for function in &options.functions {
        functions.push(queues(&sqs, function).await?);
    }
    let client = aws::s3(config);
    for bucket in &options.buckets {
        create_bucket(&client, bucket, &options.region).await?;
    }
    let client = aws_sdk_dynamodb::Client::new(config);
    create_ledger(&client).await?;
    create_sources(&client).await?;
    let client = aws_sdk_secretsmanager::Client::new(config);
    for cluster in clusters {
        create_secret(&client, cluster).await?;
    }
    Ok(functions)
}

/// The ARN of a queue of the stand-in's only account.
pub fn queue_arn(region: &str, name: &str) -> String {
    format!("arn:aws:sqs:{region}:123456789012:{name}")
}

async fn queues(sqs: &aws_sdk_sqs::Client, function: &FunctionOptions) -> Result<FunctionState> {
    let mut state = FunctionState::new(&function.name);
    let letters = function.kafka.iter().any(|source| source.on_failure);
    if function.queue.is_none() && !letters {
        return Ok(state);
    }
    let is_fifo = function.queue.as_ref().is_some_and(|queue| queue.fifo);
    let (suffix, kind) = match is_fifo {
        true => (".fifo", vec![(QueueAttributeName::FifoQueue, "true".to_owned())]),
        false => ("", vec![]),
    };
    let dlq = format!("{}-dlq{suffix}", function.name);
    let url = create_queue(sqs, &dlq, &kind).await?;
    let arn = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .map_err(Error::aws(format!("describe the queue {dlq}")))?
        .attributes
        .and_then(|mut attributes| attributes.remove(&QueueAttributeName::QueueArn))
        .unwrap_or_default();
    state.dlq_url = Some(url);
    let Some(queue) = &function.queue else { return Ok(state) };
    let attributes = [kind, attributes(queue, &arn).to_vec()].concat();
    let name = format!("{}{suffix}", function.name);
    state.queue_url = Some(create_queue(sqs, &name, &attributes).await?);
    Ok(state)
}

fn attributes(queue: &QueueOptions, dlq: &str) -> [(QueueAttributeName, String); 2] {
    let redrive = serde_json::json!({
        "deadLetterTargetArn": dlq,
        "maxReceiveCount": queue.max_receive_count,
    });
    [
        (QueueAttributeName::VisibilityTimeout, queue.visibility_timeout_s.to_string()),
        (QueueAttributeName::RedrivePolicy, redrive.to_string()),
    ]
}

async fn create_queue(
    sqs: &aws_sdk_sqs::Client,
    name: &str,
    attributes: &[(QueueAttributeName, String)],
) -> Result<String> {
    let mut request = sqs.create_queue().queue_name(name);
    for (key, value) in attributes {
        request = request.attributes(key.clone(), value);
    }
    let queue = request.send().await.map_err(Error::aws(format!("create the queue {name}")))?;
    Ok(queue.queue_url.unwrap_or_default())
}

async fn create_bucket(
    client: &aws_sdk_s3::Client,
    bucket: &BucketOptions,
    region: &str,
) -> Result<()> {
    let name = &bucket.name;
    let location = s3::BucketLocationConstraint::from(region);
    let mut request = client.create_bucket().bucket(name);
    // The one region whose name S3 refuses to be told.
    if region != "us-east-1" {
        let place = s3::CreateBucketConfiguration::builder().location_constraint(location);
        request = request.create_bucket_configuration(place.build());
    }
    request.send().await.map_err(Error::aws(format!("create the bucket {name}")))?;
    let Some(queue) = &bucket.notify else { return Ok(()) };
    let notification = s3::QueueConfiguration::builder()
        .queue_arn(queue_arn(region, queue))
        .events(s3::Event::from("s3:ObjectCreated:*"))
        .build()
        .map_err(Error::aws("describe a notification"))?;
    client
        .put_bucket_notification_configuration()
        .bucket(name)
        .notification_configuration(
            s3::NotificationConfiguration::builder().queue_configurations(notification).build(),
        )
        .send()
        .await
        .map_err(Error::aws(format!("have the bucket {name} notify {queue}")))?;
    Ok(())
}

async fn create_ledger(client: &aws_sdk_dynamodb::Client) -> Result<()> {
    let index = |name: &str, hash: &str| {
        dynamodb::GlobalSecondaryIndex::builder()
            .index_name(name)
            .key_schema(key(hash, dynamodb::KeyType::Hash)?)
            .key_schema(key("updated_at", dynamodb::KeyType::Range)?)
            .projection(
                dynamodb::Projection::builder()
                    .projection_type(dynamodb::ProjectionType::All)
                    .build(),
            )
            .build()
            .map_err(Error::aws("describe an index"))
    };
    client
        .create_table()
        .table_name(LEDGER_TABLE)
        .billing_mode(dynamodb::BillingMode::PayPerRequest)
        .attribute_definitions(text("pk")?)
        .attribute_definitions(text("source")?)
        .attribute_definitions(text("owes")?)
        .attribute_definitions(text("updated_at")?)
        .key_schema(key("pk", dynamodb::KeyType::Hash)?)
        .global_secondary_indexes(index("by_source", "source")?)
        .global_secondary_indexes(index("by_debt", "owes")?)
        .send()
        .await
        .map_err(Error::aws(format!("create the table {LEDGER_TABLE}")))?;
    Ok(())
}

async fn create_sources(client: &aws_sdk_dynamodb::Client) -> Result<()> {
    client
        .create_table()
        .table_name(SOURCES_TABLE)
        .billing_mode(dynamodb::BillingMode::PayPerRequest)
        .attribute_definitions(text("pk")?)
        .attribute_definitions(text("sk")?)
        .key_schema(key("pk", dynamodb::KeyType::Hash)?)
        .key_schema(key("sk", dynamodb::KeyType::Range)?)
        .send()
        .await
        .map_err(Error::aws(format!("create the table {SOURCES_TABLE}")))?;
    Ok(())
}

fn text(name: &str) -> Result<dynamodb::AttributeDefinition> {
    dynamodb::AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(dynamodb::ScalarAttributeType::S)
        .build()
        .map_err(Error::aws("describe an attribute"))
}

fn key(name: &str, kind: dynamodb::KeyType) -> Result<dynamodb::KeySchemaElement> {
    dynamodb::KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .map_err(Error::aws("describe a key"))
}

async fn create_secret(
    client: &aws_sdk_secretsmanager::Client,
    cluster: &ClusterState,
) -> Result<()> {
    let own = (cluster.secret.clone(), cluster.user.as_str(), &cluster.password);
    let functions = FUNCTION_USERS
        .iter()
        .map(|(user, _)| (cluster.secret_of(user), *user, &cluster.function_password));
    for (name, user, password) in std::iter::once(own).chain(functions) {
        let secret = serde_json::json!({ "username": user, "password": password });
        client
            .create_secret()
            .name(&name)
            .secret_string(secret.to_string())
            .send()
            .await
            .map_err(Error::aws(format!("create the secret {name}")))?;
    }
    Ok(())
}
