//! One invocation: spilled messages go back into Kafka, in the order of their
//! arrival.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context as _;
use kafka::spill::Spilled;
use kafka::{KafkaConfig, Producer, Record};
use runtime::{BatchResponse, Environment, SqsEvent, SqsMessage};

/// How long Kafka has for the records of one message.
const KAFKA_TIME: Duration = Duration::from_secs(10);

/// What the function holds between invocations.
pub struct Context {
    kafka: Producer,
    bucket: Option<(aws_sdk_s3::Client, String)>,
}

impl Context {
    /// Reads the environment and makes the clients.
    pub async fn new(environment: &Environment) -> anyhow::Result<Self> {
        let config = runtime::aws::configuration_for(environment).await;
        environment.required(kafka::BROKERS, "the Kafka brokers, as host:port,host:port")?;
        let kafka = KafkaConfig::from_environment(environment, &config)?;
        let kafka = kafka.context("reading how to reach Kafka")?;
        let bucket = environment
            .get("MOTHERLODE_SPILL_BUCKET")
            .map(|bucket| (runtime::aws::s3(&config, environment), bucket.to_owned()));
        Ok(Self { kafka: Producer::new(kafka), bucket })
    }
}

/// Sends each message's records; what could not be sent comes again. Behind one
/// that failed, nothing of its group may be sent: the order would be lost.
pub async fn handle(context: &Context, batch: &SqsEvent) -> BatchResponse {
    let mut response = BatchResponse::default();
    let mut waiting = HashSet::new();
    for message in &batch.records {
        let group =
            message.attributes.get("MessageGroupId").map(String::as_str).unwrap_or_default();
        if waiting.contains(group) {
            response.fail(&message.message_id);
            continue;
        }
        match drain(context, message).await {
            Ok(records) => tracing::info!(message_id = message.message_id, records, "drained"),
            Err(error) => {
                tracing::error!(
                    message_id = message.message_id,
                    error = format!("{error:#}"),
                    "not drained"
                );
                waiting.insert(group);
                response.fail(&message.message_id);
            }
        }
    }
    response
}

async fn drain(context: &Context, message: &SqsMessage) -> anyhow::Result<usize> {
    let spilled: Spilled = serde_json::from_str(&message.body)
        .context("the message is none of the spill queue: it goes on to its dead letters")?;
    let (spilled, object) = match spilled.object.clone() {
        None => (spilled, None),
        Some(key) => (fetch(context, &key).await?, Some(key)),
    };
    let records: Vec<Record> = spilled
        .records
        .into_iter()
        .map(kafka::spill::SpilledRecord::into_record)
        .collect::<Result<_, _>>()
        .context("a record of the message is no base64")?;
    context.kafka.send(&spilled.topic, &records, KAFKA_TIME).await?;
    if let (Some(key), Some((client, bucket))) = (object, &context.bucket) {
        // Kafka has it; what is left behind is only litter.
        if let Err(error) = client.delete_object().bucket(bucket).key(&key).send().await {
            let error = aws_sdk_s3::error::DisplayErrorContext(&error).to_string();
            tracing::warn!(bucket, key, error, "a spilled object was not deleted");
        }
    }
    Ok(records.len())
}

async fn fetch(context: &Context, key: &str) -> anyhow::Result<Spilled> {
    let (client, bucket) = context
        .bucket
        .as_ref()
        .context("MOTHERLODE_SPILL_BUCKET is not set, and the message names an object")?;
    let name = || format!("reading s3://{bucket}/{key}");
    let object = client.get_object().bucket(bucket).key(key).send().await.with_context(name)?;
    let bytes = object.body.collect().await.with_context(name)?.into_bytes();
    serde_json::from_slice(&bytes).with_context(name)
}
