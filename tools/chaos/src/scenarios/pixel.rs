//! 13 and 14: events over HTTP, with a client that counts what was acknowledged.
//! Every event that was answered with 2xx is in the raw table; what is there more
//! than once in Kafka has its own place each time.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use devstack::KafkaSourceOptions;
use futures::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use testkit::Setup;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::arena::{Arena, DATABASE};
use crate::run::Run;

const TOPIC: &str = "events";
const PARTITIONS: i32 = 4;
/// Connections of the client.
const CONNECTIONS: usize = 48;
/// Longest that an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// 13: instances of the pixel are killed while 2,000 requests a second come.
pub async fn killed(run: &mut Run) -> anyhow::Result<()> {
    let events = run.pick(240_000, 6_000);
    let rate = run.pick(2_000, 600);
    let arena = start(run, 8).await?;
    let client = Client::new(&arena, rate)?;
    let mut kills = 0;
    {
        let sending = client.send(0..events);
        tokio::pin!(sending);
        loop {
            let pause = run.dice.time(Duration::from_millis(50)..Duration::from_millis(600));
            tokio::select! {
                sent = &mut sending => break sent?,
                () = tokio::time::sleep(pause) => {
                    kills += u64::from(arena.lake.control.kill_busy("pixel").await?.is_some());
                }
            }
        }
    }
    run.injected("pixels killed at their work", kills);
    judge(run, &arena, &client).await
}

/// 14: the broker is away for minutes, and events come all the while.
pub async fn away(run: &mut Run) -> anyhow::Result<()> {
    let rate = run.pick(100, 40);
    let seconds = run.pick(180, 12);
    let arena = start(run, 4).await?;
    let client = Client::new(&arena, rate)?;
    let part = rate * seconds;
    client.send(0..part / 10).await?;
    arena.lake.control.stop_kafka().await?;
    client.send(part / 10..part).await?;
    let acknowledged = client.acknowledged();
    arena.lake.control.start_kafka().await?;
    run.injected("seconds without a broker", seconds);
    run.figure("acknowledged while it was away", acknowledged.len() as u64 - part / 10);
    client.send(part..part + part / 10).await?;
    run.check(client.refused() == 0, || {
        format!("{} events were refused: the queue could have kept them", client.refused())
    });
    judge(run, &arena, &client).await
}

async fn start(run: &mut Run, instances: usize) -> anyhow::Result<Arena> {
    let trigger = KafkaSourceOptions {
        topic: TOPIC.to_owned(),
        batch_size: 5_000,
        batch_window_ms: 200,
        report_batch_item_failures: true,
        ..KafkaSourceOptions::default()
    };
    let setup = Setup {
        sink: Some((trigger, PARTITIONS)),
        pixel: Some(instances),
        timeout_seconds: 20,
        ..run.setup()
    };
    let mut arena = Arena::start(run, setup).await?;
    arena.lake.patience = Duration::from_secs(run.pick(900, 180));
    arena.lake.register(&document()).await?;
    Ok(arena)
}

/// Waits until the sink has taken what Kafka holds, and the spilled events with
/// it, and compares.
async fn judge(run: &mut Run, arena: &Arena, client: &Client) -> anyhow::Result<()> {
    let acknowledged = client.acknowledged();
    run.figure("acknowledged", acknowledged.len() as u64);
    run.figure("not acknowledged", client.refused());
    run.figure("requests a second", client.reached());
    run.check(!acknowledged.is_empty(), || "nothing was acknowledged".to_owned());
    let ids = format!(
        "SELECT arrayStringConcat(groupUniqArray(splitByChar('-', JSONExtractString(event, 'messageId'))[2]), ' ') \
         FROM {DATABASE}.pixel"
    );
    let missing = arena
        .lake
        .until("every acknowledged event to be in the raw table", || async {
            let text = match arena.lake.scalar(&ids).await {
                // The table is made by the first write.
                Err(error) if format!("{error:#}").contains("UNKNOWN_") => return Ok(None),
                text => text?,
            };
            let there: BTreeSet<u64> =
                text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
            Ok(acknowledged.is_subset(&there).then_some(there.len()))
        })
        .await;
    match missing {
        Ok(there) => run.figure("events", there as u64),
        Err(error) => run.problem(format!("acknowledged events are lost: {error:#}")),
    }
    let twice =
        format!("SELECT toString(count() - uniqExact(_partition, _offset)) FROM {DATABASE}.pixel");
    let twice = arena.lake.scalar(&twice).await?;
    run.check(twice == "0", || format!("{twice} records are in the raw table twice"));
    let counts = arena.lake.ingest.partitions.list("pixel", false).await?;
    let mut total = model::Counts::default();
    for record in counts {
        total += record.counts;
    }
    let rows = arena.number(&format!("SELECT toString(count()) FROM {DATABASE}.pixel")).await?;
    run.check(total.closes() && total.rows_written == rows, || {
        format!("the accounts do not close: {total:?}, {rows} rows in the table")
    });
    Ok(())
}

fn document() -> String {
    format!(
        "source: pixel\nversion: 1\nowner: chaos\nkind: kafka\n\
         stream: {{ topics: [{TOPIC}], pixel: {{ keys: [wk_chaos_0001] }} }}\n\
         table: {{ database: {DATABASE}, name: pixel, order_by: [_topic, _partition, _offset] }}\n"
    )
}

/// Sends events at a rate and keeps the numbers of those that were acknowledged.
struct Client {
    address: String,
    rate: u64,
    acknowledged: Mutex<BTreeSet<u64>>,
    refused: AtomicU64,
    took_ms: AtomicU64,
    sent: AtomicU64,
}

impl Client {
    fn new(arena: &Arena, rate: u64) -> anyhow::Result<Self> {
        let url = arena.lake.state.function("pixel").and_then(|pixel| pixel.url.clone());
        let url = url.context("the pixel has an address")?;
        Ok(Self {
            address: url.trim_start_matches("http://").to_owned(),
            rate,
            acknowledged: Mutex::default(),
            refused: AtomicU64::new(0),
            took_ms: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        })
    }

    /// Sends these events, each once, at the rate; where the function is slower, at
    /// its own. Each has an answer, or none, in the end.
    async fn send(&self, events: std::ops::Range<u64>) -> anyhow::Result<()> {
        let (began, first) = (Instant::now(), events.start);
        let next = AtomicU64::new(first);
        let last = AtomicU64::new(0);
        let connections = (0..CONNECTIONS).map(|_| async {
            let mut sender = None;
            loop {
                let event = next.fetch_add(1, Ordering::Relaxed);
                if event >= events.end {
                    return;
                }
                let due = Duration::from_secs_f64((event - first) as f64 / self.rate as f64);
                tokio::time::sleep_until(began + due).await;
                let since = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                last.fetch_max(since, Ordering::Relaxed);
                match tokio::time::timeout(ANSWER_LIMIT, self.post(&mut sender, event)).await {
                    Ok(Ok(status)) if status.is_success() => {
                        self.acknowledged
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(event);
                    }
                    Ok(Ok(_)) => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
                    Ok(Err(_)) | Err(_) => {
                        // A connection that failed is of no more use.
                        sender = None;
                        self.refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        join_all(connections).await;
        self.sent.fetch_add(events.end - first, Ordering::Relaxed);
        self.took_ms.fetch_add(last.into_inner(), Ordering::Relaxed);
        Ok(())
    }

    async fn post(
        &self,
        sender: &mut Option<SendRequest<Full<Bytes>>>,
        event: u64,
    ) -> anyhow::Result<StatusCode> {
        let sender = match sender {
            Some(sender) => sender,
            none => {
                let stream = TcpStream::connect(&self.address).await?;
                let (made, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                none.insert(made)
            }
        };
        let body = format!(
            r#"{{"type":"track","event":"Product Viewed","messageId":"event-{event}","anonymousId":"v{}","properties":{{"price":{}.5}}}}"#,
            event % 997,
            event % 100
        );
        let request = Request::builder()
            .method("POST")
            .uri("/v1/track")
            .header("host", &self.address)
            .header("content-type", "application/json")
            // Basic, the write key as the user's name.
            .header("authorization", "Basic d2tfY2hhb3NfMDAwMTo=")
            .body(Full::new(Bytes::from(body)))?;
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        Ok(status)
    }

    fn acknowledged(&self) -> BTreeSet<u64> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Requests a second, from the first to the last that was sent.
    fn reached(&self) -> u64 {
        let took_ms = self.took_ms.load(Ordering::Relaxed).max(1);
        self.sent.load(Ordering::Relaxed) * 1_000 / took_ms
    }
}
