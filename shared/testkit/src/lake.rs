//! What a test does with a stack: register a source, land a file, wait for the
//! ledger, look into ClickHouse and into the dead letters.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use catalog::Catalog as _;
use devstack::{Control, StackState};
use ingest::Ingest;
use ledger::{Record, State};
use model::ObjectId;
use runtime::Environment;
use serde_json::Value;

/// Longest that a test waits for anything, unless it says otherwise.
const PATIENCE: Duration = Duration::from_secs(120);

/// The clients of a stack, for one test.
pub struct Lake {
    /// The stages of this process, wired to the stack.
    pub ingest: Ingest,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The stack's control API.
    pub control: Control,
    /// What the stack consists of.
    pub state: StackState,
    /// Longest that anything is waited for.
    pub patience: Duration,
}

/// An object that was put.
#[derive(Debug, Clone)]
pub struct Landed {
    /// Its source.
    pub source: String,
    /// Its identity.
    pub id: ObjectId,
}

impl Lake {
    /// Connects to a stack.
    ///
    /// # Errors
    /// When the stack's environment cannot be used.
    pub async fn of(state: &StackState) -> anyhow::Result<Self> {
        let environment = Environment::of(state.environment());
        let config = runtime::aws::configuration_for(&environment).await;
        let mut ingest = Ingest::wire(&config, &environment, "test")?;
        ingest.wire_records(&config, &environment)?;
        Ok(Self {
            ingest,
            s3: runtime::aws::s3(&config, &environment),
            sqs: runtime::aws::sqs(&config),
            dynamodb: runtime::aws::dynamodb(&config),
            control: Control::new(state),
            state: state.clone(),
            patience: PATIENCE,
        })
    }

    /// Registers a source document.
    ///
    /// # Errors
    /// When it is not valid.
    pub async fn register(&self, yaml: &str) -> anyhow::Result<u64> {
        Ok(self.ingest.catalog.put(yaml, "test", None).await?.config_version)
    }

    /// Puts a file into the bucket `landing`.
    ///
    /// # Errors
    /// When S3 refuses it.
    pub async fn land(
        &self,
        source: &str,
        key: &str,
        bytes: impl Into<Vec<u8>>,
    ) -> anyhow::Result<Landed> {
        let body = aws_sdk_s3::primitives::ByteStream::from(bytes.into());
        let put = self.s3.put_object().bucket("landing").key(key).body(body).send().await?;
        let etag = put.e_tag().context("S3 gives an etag")?.trim_matches('"').to_owned();
        let id = ObjectId { bucket: "landing".to_owned(), key: key.to_owned(), etag };
        Ok(Landed { source: source.to_owned(), id })
    }

    /// Waits until the ledger says that the object is done or failed.
    ///
    /// # Errors
    /// When it says neither in time.
    pub async fn settled(&self, landed: &Landed) -> anyhow::Result<Record> {
        let what = format!("{} to be done or failed", landed.id);
        self.until(&what, || async {
            let record = self.ingest.ledger.get(&landed.source, &landed.id).await?;
            Ok(record.filter(|record| matches!(record.state, State::Done | State::Failed)))
        })
        .await
    }

    /// Waits until the ledger says that the object is done.
    ///
    /// # Errors
    /// When it fails, with the reason.
    pub async fn done(&self, landed: &Landed) -> anyhow::Result<Record> {
        let record = self.settled(landed).await?;
        if record.state != State::Done {
            bail!("{} failed: {}", landed.id, record.reason.unwrap_or_default());
        }
        Ok(record)
    }

    /// Waits until an object that had failed is done after all.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn replayed(&self, landed: &Landed) -> anyhow::Result<Record> {
        self.until(&format!("{} to be done after all", landed.id), || async {
            let record = self.ingest.ledger.get(&landed.source, &landed.id).await?;
            Ok(record.filter(|record| record.state == State::Done))
        })
        .await
    }

    /// The rows of a query on a cluster.
    ///
    /// # Errors
    /// What the server says.
    pub async fn query(&self, cluster: &str, sql: &str) -> anyhow::Result<Vec<Value>> {
        let rows = self.ingest.warehouse.query(cluster, sql, &[]).await?;
        Ok(rows.into_iter().map(Value::Object).collect())
    }

    /// The one value of a query on the cluster `ingestion`, as text.
    ///
    /// # Errors
    /// What the server says; also when there is not exactly one value.
    pub async fn scalar(&self, sql: &str) -> anyhow::Result<String> {
        let rows = self.query("ingestion", sql).await?;
        let [Value::Object(row)] = rows.as_slice() else {
            bail!("`{sql}` gives {} rows", rows.len())
        };
        let value = row.values().next().context("no column")?;
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// Waits until a dead letter holds the text, and gives its body. It stays
    /// where it is.
    ///
    /// # Errors
    /// When none does in time.
    pub async fn dead_letter(&self, text: &str) -> anyhow::Result<String> {
        let url = self.state.function("mother").and_then(|mother| mother.dlq_url.clone());
        let url = url.context("mother has dead letters")?;
        self.until(&format!("a dead letter with `{text}`"), || async {
            let letters = self.letters(&url).await?;
            let bodies = letters.iter().filter_map(|message| message.body());
            Ok(bodies.into_iter().find(|body| body.contains(text)).map(str::to_owned))
        })
        .await
    }

    /// All messages of a queue that are visible. They stay where they are.
    async fn letters(&self, url: &str) -> anyhow::Result<Vec<aws_sdk_sqs::types::Message>> {
        let mut letters = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(url).max_number_of_messages(10);
            let received = receive.visibility_timeout(30).send().await?.messages;
            let some = received.unwrap_or_default();
            if some.is_empty() {
                break;
            }
            letters.extend(some);
        }
        for letter in &letters {
            let shown = self.sqs.change_message_visibility().queue_url(url).visibility_timeout(0);
            shown.set_receipt_handle(letter.receipt_handle.clone()).send().await?;
        }
        Ok(letters)
    }

    /// Sends a message to mother's queue.
    ///
    /// # Errors
    /// When SQS refuses it.
    pub async fn send(&self, body: &str) -> anyhow::Result<()> {
        let url = self.state.function("mother").and_then(|mother| mother.queue_url.clone());
        self.sqs
            .send_message()
            .queue_url(url.context("mother has a queue")?)
            .message_body(body)
            .send()
            .await?;
        Ok(())
    }

    /// Overwrites a stored document with something that is none: what a newer
    /// program, or a careless hand, could leave there.
    ///
    /// # Errors
    /// When DynamoDB refuses it.
    pub async fn break_document(&self, source: &str) -> anyhow::Result<()> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        self.dynamodb
            .update_item()
            .table_name(devstack::SOURCES_TABLE)
            .key("pk", text("current"))
            .key("sk", text(source))
            .update_expression("SET #d = :d")
            .expression_attribute_names("#d", "document")
            .expression_attribute_values(":d", text(r#"{"source":"broken"}"#))
            .send()
            .await?;
        Ok(())
    }

    /// Waits until mother's queue holds no message: none that is visible,
    /// being worked on, or delayed.
    ///
    /// # Errors
    /// When it still does after a while.
    pub async fn drained(&self) -> anyhow::Result<()> {
        let url = self.state.function("mother").and_then(|mother| mother.queue_url.clone());
        let url = url.context("mother has a queue")?;
        self.until("an empty queue", || async {
            let answer = self
                .sqs
                .get_queue_attributes()
                .queue_url(&url)
                .attribute_names(QueueAttributeName::All)
                .send()
                .await?;
            let count = |name| answer.attributes()?.get(&name)?.parse::<u64>().ok();
            let left: Option<u64> = [
                count(QueueAttributeName::ApproximateNumberOfMessages),
                count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
                count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
            ]
            .into_iter()
            .sum();
            Ok((left.context("SQS counts messages")? == 0).then_some(()))
        })
        .await
    }

    /// Asks again and again until there is an answer.
    ///
    /// # Errors
    /// What the question ends with, or that there was no answer in time.
    pub async fn until<T, F: Future<Output = anyhow::Result<Option<T>>>>(
        &self,
        what: &str,
        mut ask: impl FnMut() -> F,
    ) -> anyhow::Result<T> {
        let start = Instant::now();
        loop {
            let asked = Instant::now();
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            // A question that is hard to answer must not keep from working who is
            // waited for: listing thousands of objects takes the stand-in a second.
            let pause = Duration::from_millis(50).max(asked.elapsed() * 4);
            if start.elapsed() > self.patience {
                bail!("waited {:?} in vain for {what}", self.patience);
            }
            tokio::time::sleep(pause).await;
        }
    }
}
