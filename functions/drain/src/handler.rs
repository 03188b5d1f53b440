//! One invocation: spilled messages go back into Kafka, in the order of their
//! arrival. What Kafka will never take goes to the dead letters at once, so that
//! nothing waits behind it.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sqs::types::MessageAttributeValue;
use kafka::spill::{Spilled, SpilledRecord};
use kafka::{KafkaConfig, KafkaError, Producer, Record};
use model::{Disposed as _, Disposition};
use runtime::{BatchResponse, Deadline, Environment, SqsEvent, SqsMessage};

/// How long Kafka has for the records of one message.
const KAFKA_TIME: Duration = Duration::from_secs(10);
/// How long an object of the spill bucket may take.
const OBJECT_TIME: Duration = Duration::from_secs(10);
/// What the function holds between invocations.
pub struct Context {
    kafka: Producer,
    bucket: Option<(aws_sdk_s3::Client, String)>,
    dead_letters: Option<(aws_sdk_sqs::Client, String)>,
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
        let dead_letters = environment
            .get("MOTHERLODE_SPILL_DLQ_URL")
            .map(|url| (runtime::aws::sqs(&config), url.to_owned()));
        Ok(Self { kafka: Producer::new(kafka), bucket, dead_letters })
    }
}

/// Why a message was not drained.
enum Undrained {
    /// It can be, later.
    Later(anyhow::Error),
    /// It never will be as it is: what is left of it, and why.
    Never(String, anyhow::Error),
}

/// Sends each message's records; what could not be sent comes again. Behind one
/// that failed, nothing of its group may be sent: the order would be lost.
pub async fn handle(context: &Context, batch: &SqsEvent, deadline: Deadline) -> BatchResponse {
    let mut response = BatchResponse::default();
    let mut waiting = HashSet::new();
    for message in &batch.records {
        let group =
            message.attributes.get("MessageGroupId").map(String::as_str).unwrap_or_default();
        if waiting.contains(group) {
            response.fail(&message.message_id);
            continue;
        }
        // Were Lambda to end the invocation, what was sent before this message would
        // be delivered again with it.
        let settled = tokio::time::timeout(deadline.left(), settle(context, message, group)).await;
        if let Err(error) = settled.context("the invocation's time is over").flatten() {
            let error = format!("{error:#}");
            tracing::error!(message_id = message.message_id, error, "not drained");
            waiting.insert(group);
            response.fail(&message.message_id);
        }
    }
    response
}

/// Drains a message, or keeps it as a dead letter.
async fn settle(context: &Context, message: &SqsMessage, group: &str) -> anyhow::Result<()> {
    match drain(context, message).await {
        Ok(records) => {
            tracing::info!(message_id = message.message_id, records, "drained");
            Ok(())
        }
        Err(Undrained::Later(error)) => Err(error),
        Err(Undrained::Never(body, reason)) => give_up(context, message, group, body, reason).await,
    }
}

async fn drain(context: &Context, message: &SqsMessage) -> Result<usize, Undrained> {
    let never = |error| Undrained::Never(message.body.clone(), error);
    let read =
        serde_json::from_str(&message.body).context("the message is none of the spill queue");
    let mut spilled: Spilled = read.map_err(never)?;
    if let Some(key) = spilled.object.clone() {
        let fetched = fetch(context, &key).await.map_err(Undrained::Later)?;
        spilled = Spilled { object: Some(key), ..fetched.map_err(never)? };
    }
    let records: Result<Vec<Record>, _> =
        spilled.records.iter().cloned().map(SpilledRecord::into_record).collect();
    let records = records.context("a record of the message is no base64").map_err(never)?;
    match context.kafka.send(&spilled.topic, &records, KAFKA_TIME).await {
        Ok(_) => Ok(records.len()),
        Err(error) if is_hopeless(&error) => send_each(context, message, spilled, &records).await,
        Err(error) => Err(Undrained::Later(error.into())),
    }
}

/// Sends record by record, where all together were refused: the others have
/// nothing to do with the one that Kafka will never take.
async fn send_each(
    context: &Context,
    message: &SqsMessage,
    mut spilled: Spilled,
    records: &[Record],
) -> Result<usize, Undrained> {
    let deadline = Deadline::after(KAFKA_TIME);
    let (mut refused, mut first) = (Vec::new(), None);
    for (record, text) in records.iter().zip(spilled.records) {
        let sent =
            context.kafka.send(&spilled.topic, std::slice::from_ref(record), deadline.left());
        match sent.await {
            Ok(_) => {}
            Err(error) if is_hopeless(&error) => {
                first.get_or_insert(error);
                refused.push(text);
            }
            // Those that were sent are sent again then: their ids say that they are the same.
            Err(error) => return Err(Undrained::Later(error.into())),
        }
    }
    let Some(error) = first else { return Ok(records.len()) };
    let (of, all) = (refused.len(), records.len());
    let error = anyhow::Error::new(error).context(format!("{of} of its {all} records"));
    if of == all || spilled.object.is_some() {
        // What an object holds is too large for a letter: it stays there, whole.
        return Err(Undrained::Never(message.body.clone(), error));
    }
    spilled.records = refused;
    let body = spilled.to_text().map_err(|cause| Undrained::Later(cause.into()))?;
    Err(Undrained::Never(body, error))
}

/// Whether these records will be refused whenever they are sent.
fn is_hopeless(error: &KafkaError) -> bool {
    error.disposition() == Disposition::Quarantine
}

/// Puts what will never be drained among the dead letters, where
/// `motherlode dlq --of spill` finds it: behind it, its group goes on.
///
/// # Errors
/// When it cannot be put there: then it comes again, until the queue's own limit of
/// receives moves it.
async fn give_up(
    context: &Context,
    message: &SqsMessage,
    group: &str,
    body: String,
    reason: anyhow::Error,
) -> anyhow::Result<()> {
    let Some((client, url)) = &context.dead_letters else {
        return Err(reason.context("MOTHERLODE_SPILL_DLQ_URL is not set, so it is tried again"));
    };
    let told = MessageAttributeValue::builder().data_type("String");
    let told = told.string_value(format!("{reason:#}")).build()?;
    let sent = client
        .send_message()
        .queue_url(url)
        .message_body(body)
        .message_attributes("reason", told)
        .message_group_id(group)
        // A delivery soon after this one makes no second letter of it.
        .message_deduplication_id(&message.message_id);
    sent.send().await.with_context(|| format!("{reason:#}; sending it to {url}"))?;
    let reason = format!("{reason:#}");
    tracing::error!(message_id = message.message_id, reason, "given up, and kept as a dead letter");
    Ok(())
}

/// What an object of the spill bucket holds; the inner error is one that stays.
/// The object stays too, until its bucket's lifecycle takes it: a message can be
/// delivered once more after it was drained.
async fn fetch(context: &Context, key: &str) -> anyhow::Result<anyhow::Result<Spilled>> {
    let (client, bucket) = context
        .bucket
        .as_ref()
        .context("MOTHERLODE_SPILL_BUCKET is not set, and the message names an object")?;
    let name = || format!("reading s3://{bucket}/{key}");
    let read = async {
        let object = client.get_object().bucket(bucket).key(key).send().await;
        let object = match object {
            Err(error) if error.as_service_error().is_some_and(|it| it.is_no_such_key()) => {
                return Ok(Err(anyhow::Error::new(error).context(name())));
            }
            object => object.with_context(name)?,
        };
        let bytes = object.body.collect().await.with_context(name)?.into_bytes();
        Ok(serde_json::from_slice(&bytes).with_context(name))
    };
    tokio::time::timeout(OBJECT_TIME, read).await.with_context(name)?
}
