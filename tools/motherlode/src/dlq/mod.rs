//! `dlq`: messages that could not be handled, with the reasons, and their replay.

mod files;
mod kafka;
mod spill;

use std::collections::HashSet;

use anyhow::Context as _;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use clap::{Args, Subcommand, ValueEnum};
use ingest::Ingest;
use serde::Serialize;

use crate::cli::Global;
use crate::failure::{Advise as _, advised, usage};
use crate::table::Table;
use crate::target::Target;
use crate::times::utc;
use crate::ui::Ui;

/// Seconds that messages stay hidden from others while they are looked at.
const LOOKING_SECONDS: i32 = 60;

/// The attribute in which a function that gave a message up says why.
const REASON: &str = "reason";

/// Commands on the dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// The dead letters, with what they name and why that failed. Each stays where
    /// it is.
    List(DlqArgs),
    /// Try them again, after what stood in the way was mended: messages of files
    /// and of the spill go back to their queue, records of Kafka are read and
    /// taken at once.
    Replay(DlqArgs),
    /// Delete them for good, when they cannot be mended: what they name is lost then,
    /// unless it is still where it came from.
    Drop(DropArgs),
}

/// Which dead letters are deleted.
#[derive(Debug, Args)]
pub struct DropArgs {
    #[command(flatten)]
    dlq: DlqArgs,
    /// Delete them; without it, they are only shown.
    #[arg(long)]
    yes: bool,
}

/// Which dead letters.
#[derive(Debug, Args)]
pub struct DlqArgs {
    /// Whose dead letters.
    #[arg(long, value_enum, default_value_t = Of::Files)]
    of: Of,
    /// Only those that name an object whose key begins so; of files.
    #[arg(long, value_name = "PREFIX")]
    object: Option<String>,
    /// Only those of this topic; of the spill and of Kafka.
    #[arg(long, conflicts_with = "object")]
    topic: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 1000)]
    limit: usize,
}

/// Whose dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Of {
    /// Messages of mother, that name files.
    Files,
    /// Messages of the drain: spilled events that Kafka did not take. Of a slice of
    /// visitors, ten are seen at a time.
    Spill,
    /// What the triggers of kafka-sink gave up, by partition and offsets.
    Kafka,
}

impl DlqArgs {
    fn check(&self) -> anyhow::Result<()> {
        match self.of {
            Of::Files if self.topic.is_some() => {
                Err(usage("--topic needs `--of spill` or `--of kafka`"))
            }
            Of::Spill | Of::Kafka if self.object.is_some() => {
                Err(usage("--object is of files: these have a --topic"))
            }
            _ => Ok(()),
        }
    }

    fn is_meant(&self, understood: &Understood) -> bool {
        let keys = &understood.keys;
        self.object.as_ref().is_none_or(|prefix| keys.iter().any(|key| key.starts_with(prefix)))
            && self.topic.as_ref().is_none_or(|topic| keys.contains(topic))
    }
}

/// What is understood of a message.
struct Understood {
    /// Keys of the objects that it names, or topics.
    keys: Vec<String>,
    /// The same, so that one finds them: objects, topics, or runs of records.
    places: Vec<String>,
    /// What is known of them, or why the message is not understood.
    reason: String,
}

impl Understood {
    fn nothing(reason: String) -> Self {
        Self { keys: Vec::new(), places: Vec::new(), reason }
    }
}

/// A dead letter.
#[derive(Debug, Serialize)]
struct Letter {
    /// SQS's name of the message.
    message_id: String,
    /// When it was first sent.
    sent: String,
    /// What it names: objects, a topic, or runs of records.
    names: Vec<String>,
    /// What is known of that, or why the message is not understood.
    reason: String,
    /// Records that were taken for it, and had not been before; of Kafka.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<u64>,
    #[serde(skip)]
    body: String,
    #[serde(skip)]
    receipt: String,
    #[serde(skip)]
    group: Option<String>,
}

/// Where dead letters are, and where they go from there.
struct Queues {
    sqs: aws_sdk_sqs::Client,
    dead_letters: String,
    /// None where they are taken by ourselves.
    queue: Option<String>,
}

impl Queues {
    fn of(target: &Target, of: Of) -> anyhow::Result<Self> {
        let (dead_letters, queue) = match of {
            Of::Files => (
                target.url("MOTHERLODE_DLQ_URL", "the queue of mother's dead letters")?,
                Some(target.url("MOTHERLODE_QUEUE_URL", "the SQS queue of mother")?),
            ),
            Of::Spill => (
                target.url("MOTHERLODE_SPILL_DLQ_URL", "the queue of the drain's dead letters")?,
                Some(target.url("MOTHERLODE_SPILL_QUEUE_URL", "the spill queue")?),
            ),
            Of::Kafka => (
                target.url("MOTHERLODE_KAFKA_DLQ_URL", "the queue of the sink's dead letters")?,
                None,
            ),
        };
        Ok(Self { sqs: target.sqs(), dead_letters, queue })
    }

    /// Sends a message to its queue again.
    async fn send(&self, queue: &str, letter: &Letter) -> anyhow::Result<()> {
        let send = self.sqs.send_message().queue_url(queue).message_body(&letter.body);
        let send = match &letter.group {
            // Content has no part in it: an event may be sent twice on purpose.
            Some(group) => send
                .message_group_id(group)
                .message_deduplication_id(uuid::Uuid::new_v4().to_string()),
            None => send,
        };
        send.send().await.map(drop).context("sending a message to the queue").hint(rights)
    }

    async fn delete(&self, letter: &Letter) -> anyhow::Result<()> {
        let gone = self.sqs.delete_message().queue_url(&self.dead_letters);
        let gone = gone.receipt_handle(&letter.receipt).send().await;
        gone.map(drop).context("deleting a dead letter").hint(rights)
    }

    async fn show(&self, letter: &Letter) -> anyhow::Result<()> {
        let shown = self.sqs.change_message_visibility().queue_url(&self.dead_letters);
        match shown.receipt_handle(&letter.receipt).visibility_timeout(0).send().await {
            // It is seen already: looking took longer than it was hidden.
            Err(error)
                if error.as_service_error().is_some_and(|it| it.is_message_not_inflight()) =>
            {
                Ok(())
            }
            shown => shown.map(drop).context("letting a dead letter be seen again").hint(rights),
        }
    }
}

/// Does what is asked.
pub async fn run(command: DlqCommand, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let (DlqCommand::List(args)
    | DlqCommand::Replay(args)
    | DlqCommand::Drop(DropArgs { dlq: args, .. })) = &command;
    args.check()?;
    let target = Target::find(global).await?;
    let queues = Queues::of(&target, args.of)?;
    let ingest = match args.of {
        Of::Files => target.ingest()?,
        Of::Spill | Of::Kafka => target.ingest_with_records().await?,
    };
    match &command {
        DlqCommand::List(args) => list(args, &queues, &ingest, ui).await,
        DlqCommand::Replay(args) => replay(args, &queues, &ingest, ui).await,
        DlqCommand::Drop(DropArgs { yes: true, dlq }) => drop_them(dlq, &queues, &ingest, ui).await,
        DlqCommand::Drop(DropArgs { yes: false, dlq }) => {
            ui.note("these would be deleted for good; say --yes to do it");
            list(dlq, &queues, &ingest, ui).await
        }
    }
}

/// Every dead letter, ten at a time.
struct Looking<'a> {
    args: &'a DlqArgs,
    queues: &'a Queues,
    ingest: &'a Ingest,
    /// Those that were seen: they come again when looking takes its time.
    seen: HashSet<String>,
    topics: spill::Topics,
    /// Those that are left where they are.
    others: Vec<Letter>,
}

impl<'a> Looking<'a> {
    fn new(args: &'a DlqArgs, queues: &'a Queues, ingest: &'a Ingest) -> Self {
        let (seen, topics, others) = (HashSet::new(), spill::Topics::new(), Vec::new());
        Self { args, queues, ingest, seen, topics, others }
    }

    /// The next letters that are meant, in the order in which they came; none when all
    /// were seen.
    async fn next(&mut self, most: usize) -> anyhow::Result<Option<Vec<Letter>>> {
        let receive = self.queues.sqs.receive_message().queue_url(&self.queues.dead_letters);
        let receive = receive
            .max_number_of_messages(i32::try_from(most.min(10)).unwrap_or(10))
            .visibility_timeout(LOOKING_SECONDS)
            // A short poll asks some of the servers only, and may find nothing.
            .wait_time_seconds(1)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_attribute_names(REASON);
        let received = receive.send().await.context("receiving dead letters").hint(rights)?;
        let before = self.seen.len();
        let mut letters = Vec::new();
        for message in received.messages.unwrap_or_default() {
            if !self.seen.insert(message.message_id().unwrap_or_default().to_owned()) {
                continue;
            }
            let body = message.body().unwrap_or_default();
            let understood = match self.args.of {
                Of::Files => files::read(body, self.ingest).await?,
                Of::Spill => spill::read(body, self.ingest, &mut self.topics).await,
                Of::Kafka => kafka::read(body, self.ingest).await,
            };
            let is_meant = self.args.is_meant(&understood);
            let letter = letter(&message, understood);
            if is_meant { letters.push(letter) } else { self.others.push(letter) }
        }
        Ok((self.seen.len() > before).then_some(letters))
    }

    /// Lets those be seen again that are left where they are.
    async fn end(self) -> anyhow::Result<()> {
        for letter in &self.others {
            self.queues.show(letter).await?;
        }
        Ok(())
    }
}

async fn list(args: &DlqArgs, queues: &Queues, ingest: &Ingest, ui: &Ui) -> anyhow::Result<()> {
    let mut looking = Looking::new(args, queues, ingest);
    let mut letters = Vec::new();
    while letters.len() < args.limit
        && let Some(some) = looking.next(args.limit - letters.len()).await?
    {
        letters.extend(some);
    }
    for letter in &letters {
        queues.show(letter).await?;
    }
    looking.end().await?;
    if letters.is_empty() {
        ui.note("there is no dead letter (of this kind)");
    }
    ui.answer(&letters, || render(&letters))
}

/// Each is shown as it was when it was deleted.
async fn drop_them(
    args: &DlqArgs,
    queues: &Queues,
    ingest: &Ingest,
    ui: &Ui,
) -> anyhow::Result<()> {
    let mut looking = Looking::new(args, queues, ingest);
    let mut dropped = Vec::new();
    while dropped.len() < args.limit
        && let Some(letters) = looking.next(args.limit - dropped.len()).await?
    {
        for letter in letters {
            queues.delete(&letter).await?;
            dropped.push(letter);
        }
    }
    looking.end().await?;
    ui.answer(&dropped, || {
        format!("{}\n{} dead letters were deleted", render(&dropped), dropped.len())
    })
}

/// A letter goes only after what it names was sent or taken: a crash in between
/// does it twice, which the ledger makes harmless.
async fn replay(args: &DlqArgs, queues: &Queues, ingest: &Ingest, ui: &Ui) -> anyhow::Result<()> {
    let task = ui.task("dlq replay");
    let mut looking = Looking::new(args, queues, ingest);
    let (mut done, mut stay) = (Vec::new(), Vec::new());
    // What comes back while the others are sent is not sent for ever.
    let mut bodies = HashSet::new();
    while done.len() + stay.len() < args.limit
        && let Some(letters) = looking.next(args.limit - done.len() - stay.len()).await?
    {
        for mut letter in letters {
            if !bodies.insert(letter.body.clone()) {
                looking.others.push(letter);
                continue;
            }
            task.at("trying again", &format!("number {}", done.len() + stay.len() + 1));
            match &queues.queue {
                Some(queue) => queues.send(queue, &letter).await?,
                None => match kafka::take(&letter.body, ingest).await {
                    Ok(taken) => letter.taken = Some(taken),
                    Err(error) => {
                        letter.reason = format!("{error:#}");
                        stay.push(letter);
                        continue;
                    }
                },
            }
            queues.delete(&letter).await?;
            done.push(letter);
        }
    }
    // Not before: they would come again, and hide those that were not seen yet.
    for letter in &stay {
        queues.show(letter).await?;
    }
    looking.end().await?;
    drop(task);
    ui.answer(&done, || match args.of {
        Of::Files => format!(
            "{} messages were sent to the queue again; follow them with `motherlode objects`",
            done.len()
        ),
        Of::Spill => format!("{} messages were sent to the spill queue again", done.len()),
        Of::Kafka => format!(
            "{} dead letters are settled: {} records were taken that had not been",
            done.len(),
            done.iter().filter_map(|letter| letter.taken).sum::<u64>()
        ),
    })?;
    match stay.first() {
        None => Ok(()),
        Some(first) => Err(advised(
            format!("{} dead letters stay; the first: {}", stay.len(), first.reason),
            "mend what they say and replay them again; what was taken is not taken twice",
        )),
    }
}

fn letter(message: &Message, mut understood: Understood) -> Letter {
    // Why the drain gave it up stands first: what is known now may be another thing.
    let told = message.message_attributes().and_then(|all| all.get(REASON)?.string_value());
    if let Some(told) = told {
        understood.reason = format!("{told}; {}", understood.reason);
    }
    let attribute = |name| message.attributes().and_then(|all| all.get(&name));
    let sent = attribute(MessageSystemAttributeName::SentTimestamp);
    let sent = sent.and_then(|ms| ms.parse().ok()).map(utc).unwrap_or_default();
    Letter {
        message_id: message.message_id().unwrap_or_default().to_owned(),
        sent,
        names: understood.places,
        reason: understood.reason,
        taken: None,
        body: message.body().unwrap_or_default().to_owned(),
        receipt: message.receipt_handle().unwrap_or_default().to_owned(),
        group: attribute(MessageSystemAttributeName::MessageGroupId).cloned(),
    }
}

fn render(letters: &[Letter]) -> String {
    let mut table = Table::new(["sent (UTC)", "names", "reason"]).cut(100);
    for letter in letters {
        table.row([letter.sent.clone(), letter.names.join(" "), letter.reason.clone()]);
    }
    table.to_string()
}

fn rights() -> String {
    "the operator needs sqs:ReceiveMessage, DeleteMessage and ChangeMessageVisibility on the dead letters, and \
     SendMessage on the queue"
        .to_owned()
}
