//! `dlq`: messages that could not be handled, with the reasons, and their replay.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use clap::{Args, Subcommand};
use ingest::Ingest;
use ledger::State;
use model::notification::{Named, objects_of};
use serde::Serialize;

use crate::cli::Global;
use crate::failure::Advise as _;
use crate::table::Table;
use crate::target::{Queues, Target};
use crate::times::utc;
use crate::ui::Ui;

/// Seconds that messages stay hidden from others while they are looked at.
const LOOKING_SECONDS: i32 = 60;

/// Commands on the dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// The dead letters, with the objects they name and why those failed. Each
    /// stays where it is.
    List(DlqArgs),
    /// Send them to the queue again, after what stood in the way was mended.
    Replay(DlqArgs),
}

/// Which dead letters.
#[derive(Debug, Args)]
pub struct DlqArgs {
    /// Only those that name an object whose key begins so.
    #[arg(long, value_name = "PREFIX")]
    object: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 1000)]
    limit: usize,
}

/// A dead letter.
#[derive(Debug, Serialize)]
struct Letter {
    /// SQS's name of the message.
    message_id: String,
    /// When it was first sent.
    sent: String,
    /// The objects that it names.
    objects: Vec<String>,
    /// What the ledger says of them, or why the message is not understood.
    reason: String,
    #[serde(skip)]
    body: String,
    #[serde(skip)]
    receipt: String,
}

/// Does what is asked.
pub async fn run(command: DlqCommand, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let target = Target::find(global).await?;
    let queues = target.queues()?;
    let ingest = target.ingest()?;
    match command {
        DlqCommand::List(args) => {
            let letters = look(&args, &queues, &ingest).await?;
            for letter in &letters {
                show(&queues, letter).await?;
            }
            if letters.is_empty() {
                ui.note("there is no dead letter (of this kind)");
            }
            ui.answer(&letters, || render(&letters))
        }
        DlqCommand::Replay(args) => replay(&args, &queues, &ingest, ui).await,
    }
}

/// The new message comes before the old one goes: a crash in between sends it
/// twice, which the ledger makes harmless.
async fn replay(args: &DlqArgs, queues: &Queues, ingest: &Ingest, ui: &Ui) -> anyhow::Result<()> {
    let letters = look(args, queues, ingest).await?;
    let task = ui.task("dlq replay");
    for (done, letter) in letters.iter().enumerate() {
        task.at("sending", &format!("{} of {}", done + 1, letters.len()));
        let sent = queues.sqs.send_message().queue_url(&queues.queue).message_body(&letter.body);
        sent.send().await.context("sending a message to the queue").hint(rights)?;
        let gone = queues.sqs.delete_message().queue_url(&queues.dead_letters);
        let gone = gone.receipt_handle(&letter.receipt).send().await;
        gone.context("deleting a dead letter that was sent again").hint(rights)?;
    }
    drop(task);
    ui.answer(&letters, || {
        format!(
            "{} messages were sent to the queue again; follow them with `motherlode objects`",
            letters.len()
        )
    })
}

/// Receives every dead letter once; those that are not meant are shown again at
/// once.
async fn look(args: &DlqArgs, queues: &Queues, ingest: &Ingest) -> anyhow::Result<Vec<Letter>> {
    let mut letters = BTreeMap::new();
    let mut others = Vec::new();
    while letters.len() < args.limit {
        let most = i32::try_from((args.limit - letters.len()).min(10)).unwrap_or(10);
        let received = queues
            .sqs
            .receive_message()
            .queue_url(&queues.dead_letters)
            .max_number_of_messages(most)
            .visibility_timeout(LOOKING_SECONDS)
            // A short poll asks some of the servers only, and may find nothing.
            .wait_time_seconds(1)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .context("receiving dead letters")
            .hint(rights)?;
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let (letter, objects) = read(&message, ingest).await?;
            let is_meant = args
                .object
                .as_ref()
                .is_none_or(|prefix| objects.iter().any(|one| one.key.starts_with(prefix)));
            match is_meant {
                true => drop(letters.insert(letter.message_id.clone(), letter)),
                false => others.push(letter),
            }
        }
    }
    for letter in &others {
        show(queues, letter).await?;
    }
    Ok(letters.into_values().collect())
}

async fn show(queues: &Queues, letter: &Letter) -> anyhow::Result<()> {
    let shown = queues.sqs.change_message_visibility().queue_url(&queues.dead_letters);
    let shown = shown.receipt_handle(&letter.receipt).visibility_timeout(0).send().await;
    shown.map(drop).context("letting a dead letter be seen again").hint(rights)
}

async fn read(message: &Message, ingest: &Ingest) -> anyhow::Result<(Letter, Vec<Named>)> {
    let body = message.body().unwrap_or_default().to_owned();
    let (objects, reason) = match objects_of(&body) {
        Ok(objects) => {
            let mut reasons = Vec::new();
            for object in &objects {
                reasons.push(reason(object, ingest).await?);
            }
            (objects, reasons.join("; "))
        }
        Err(error) => (Vec::new(), error.to_string()),
    };
    let sent = message
        .attributes()
        .and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp))
        .and_then(|ms| ms.parse().ok())
        .map(utc)
        .unwrap_or_default();
    let letter = Letter {
        message_id: message.message_id().unwrap_or_default().to_owned(),
        sent,
        objects: objects.iter().map(|one| format!("s3://{}/{}", one.bucket, one.key)).collect(),
        reason,
        body,
        receipt: message.receipt_handle().unwrap_or_default().to_owned(),
    };
    Ok((letter, objects))
}

/// What is known of an object that a dead letter names.
async fn reason(object: &Named, ingest: &Ingest) -> anyhow::Result<String> {
    let info = match ingest.objects.head(&object.bucket, &object.key).await {
        Ok(info) => info,
        Err(error) => return Ok(error.to_string()),
    };
    let source = match &object.source {
        Some(source) => source.clone(),
        None => match ingest.catalog.snapshot().await?.route(&object.bucket, &object.key) {
            Ok((source, _)) => source.document.source.clone(),
            Err(error) => return Ok(error.to_string()),
        },
    };
    Ok(match ingest.ledger.get(&source, &info.id).await? {
        None => format!("source {source}: the object is not in the ledger"),
        Some(record) if record.state == State::Done => format!("source {source}: it is loaded"),
        Some(record) => format!(
            "source {source}: {}: {}",
            record.state.name(),
            record.reason.unwrap_or_else(|| "no reason is known".to_owned())
        ),
    })
}

fn render(letters: &[Letter]) -> String {
    let mut table = Table::new(["sent (UTC)", "objects", "reason"]).cut(100);
    for letter in letters {
        table.row([letter.sent.clone(), letter.objects.join(" "), letter.reason.clone()]);
    }
    table.to_string()
}

fn rights() -> String {
    "the operator needs sqs:ReceiveMessage, DeleteMessage and ChangeMessageVisibility on the dead letters, and \
     SendMessage on the queue"
        .to_owned()
}
