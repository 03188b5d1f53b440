//! The AWS resources of a stack: queues with dead-letter queues and tables, as
//! [`Template`] has them, buckets with notifications, and secrets of clusters.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_s3::types as s3;
use aws_sdk_sqs::types::QueueAttributeName;

use crate::aws;
use crate::error::{Error, Result};
use crate::options::{BucketOptions, FunctionOptions, Options, QueueOptions};
use crate::state::{ClusterState, FUNCTION_USERS, FunctionState, LEDGER_TABLE, SOURCES_TABLE};
use crate::template::{LEDGER, SOURCES, Template};

/// Makes everything; answers the functions with their queues.
pub async fn create(
    config: &SdkConfig,
    options: &Options,
    clusters: &[ClusterState],
) -> Result<Vec<FunctionState>> {
    let template = Template::read()?;
    let sqs = aws_sdk_sqs::Client::new(config);
    let mut functions = Vec::new();
    for function in &options.functions {
        functions.push(queues(&sqs, &template, function).await?);
    }
    let client = aws::s3(config);
    for bucket in &options.buckets {
        create_bucket(&client, bucket, &options.region).await?;
    }
    let client = aws_sdk_dynamodb::Client::new(config);
    template.table(&client, LEDGER, LEDGER_TABLE).await?;
    template.table(&client, SOURCES, SOURCES_TABLE).await?;
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

async fn queues(
    sqs: &aws_sdk_sqs::Client,
    template: &Template,
    function: &FunctionOptions,
) -> Result<FunctionState> {
    let mut state = FunctionState::new(&function.name);
    let letters = function.kafka.iter().any(|source| source.on_failure);
    if function.queue.is_none() && !letters {
        return Ok(state);
    }
    let [own, dead_letters, suffix] = match &function.queue {
        Some(queue) if queue.fifo => ["SpillQueue", "SpillDeadLetters", ".fifo"],
        Some(_) => ["FilesQueue", "FilesDeadLetters", ""],
        None => ["", "KafkaDeadLetters", ""],
    };
    let dlq = format!("{}-dlq{suffix}", function.name);
    let url = create_queue(sqs, &dlq, template.queue(dead_letters)?).await?;
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
    let mut attributes = template.queue(own)?;
    attributes.extend(set_here(queue, &arn));
    let name = format!("{}{suffix}", function.name);
    state.queue_url = Some(create_queue(sqs, &name, attributes).await?);
    Ok(state)
}

/// What differs from production: times, which are short here, and tries.
fn set_here(queue: &QueueOptions, dlq: &str) -> [(QueueAttributeName, String); 2] {
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
    attributes: BTreeMap<QueueAttributeName, String>,
) -> Result<String> {
    let request = sqs.create_queue().queue_name(name);
    let request = request.set_attributes(Some(attributes.into_iter().collect()));
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
