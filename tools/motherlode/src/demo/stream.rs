//! The clickstream lane: visitors of a shop for half a minute, through the pixel, Kafka
//! and the sink, and then the funnel. What each visitor did is known, so the answer is
//! compared with what it must be.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use chrono::Utc;
use devstack::StackState;
use futures::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use ingest::Ingest;
use tokio::net::TcpStream;
use warehouse::{ClickHouse, Warehouse as _};

use super::tour;
use super::visitors::{STEPS, Visitor};
use crate::clickstream::{self, DOCUMENT};
use crate::failure::{Advise as _, advised};
use crate::table::grouped;
use crate::target::operator;
use crate::ui::{Task, Ui};

/// How long visitors come.
const TIME: Duration = Duration::from_secs(30);
/// Events a second that they are to make.
const RATE: u64 = 2_500;
/// Browsers that are connected at a time.
const CONNECTIONS: usize = 12;
/// How long the last event may take to its table.
const PATIENCE: Duration = Duration::from_secs(120);
const CLUSTER: &str = "ingestion";

/// Registers the source and makes its tables, lets visitors come, waits for their
/// events and asks for the funnel.
///
/// # Errors
/// When a part does not answer, or an event is lost or there twice.
pub async fn show(
    ingest: &Ingest,
    warehouse: &ClickHouse,
    state: &StackState,
    ui: &Ui,
) -> anyhow::Result<()> {
    let hint = || "see `motherlode stack status --name demo`";
    clickstream::make_tables(warehouse, CLUSTER).await.hint(hint)?;
    ingest.catalog.put(DOCUMENT, &operator(), Some("the demo")).await.hint(hint)?;
    let url = state.function("pixel").and_then(|pixel| pixel.url.clone());
    let url = url.context("the stack has no pixel").hint(hint)?;
    let address = url.trim_start_matches("http://").to_owned();
    // A demo that was kept has visitors of before.
    let before = known(warehouse).await?;
    let task = ui.task("visitors");
    let began = Instant::now();
    let (visitors, events) = visit(&address, before, &task).await.hint(hint)?;
    let took = began.elapsed();
    task.at("waiting for the last event", "");
    settled(warehouse, before, visitors, events).await?;
    let behind = began.elapsed().saturating_sub(took);
    drop(task);
    let rate = u128::from(events) * 1000 / took.as_millis().max(1);
    ui.note(&format!(
        "{} events of {} visitors in {:.0} s ({rate} a second) were acknowledged; {:.1} s later all were in the tables, each once",
        grouped(events),
        grouped(visitors),
        took.as_secs_f64(),
        behind.as_secs_f64(),
    ));
    funnel(warehouse, before + visitors, ui).await
}

/// The visitors that are in the tables.
async fn known(warehouse: &ClickHouse) -> anyhow::Result<u64> {
    let sql = "SELECT uniqExact(visitor_id) AS visitors FROM clickstream.events";
    let rows = warehouse.query(CLUSTER, sql, &[]).await?;
    rows.first().and_then(|row| row.get("visitors")?.as_u64()).context("a count is a number")
}

/// Lets visitors come; gives how many, and their events. Each is acknowledged.
async fn visit(address: &str, first: u64, task: &Task<'_>) -> anyhow::Result<(u64, u64)> {
    let (next, events) = (AtomicU64::new(first), AtomicU64::new(0));
    let began = Instant::now();
    let connections = (0..CONNECTIONS).map(|_| async {
        let mut sender = connected(address).await?;
        while began.elapsed() < TIME {
            let visitor = Visitor::new(next.fetch_add(1, Ordering::Relaxed));
            leave(&mut sender, address, visitor).await?;
            let sent = events.fetch_add(visitor.events(), Ordering::Relaxed) + visitor.events();
            task.at("acknowledged", &format!("{} events", grouped(sent)));
            // Not faster than they are to come.
            let due = Duration::from_millis(sent * 1000 / RATE);
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        }
        anyhow::Ok(())
    });
    for connection in join_all(connections).await {
        connection?;
    }
    Ok((next.load(Ordering::Relaxed) - first, events.load(Ordering::Relaxed)))
}

async fn connected(address: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// A visitor leaves, and its browser sends what it did.
async fn leave(
    sender: &mut SendRequest<Full<Bytes>>,
    address: &str,
    visitor: Visitor,
) -> anyhow::Result<()> {
    let request = Request::builder()
        .method("POST")
        .uri("/v1/batch")
        .header("host", address)
        .header("content-type", "application/json")
        .header("user-agent", visitor.agent())
        // Basic, the write key as the user's name.
        .header("authorization", "Basic d2tfd2ViX2RlbW9fMDAwMTo=")
        .body(Full::new(Bytes::from(visitor.batch(Utc::now()).to_string())))?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    let said: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let rejected = said["rejected"].as_array().map_or(0, Vec::len);
    ensure!(
        status.is_success() && rejected == 0,
        "the pixel answered {status}: {}",
        String::from_utf8_lossy(&body)
    );
    Ok(())
}

/// Waits until the events of these visitors are in the tables, each once.
async fn settled(
    warehouse: &ClickHouse,
    first: u64,
    visitors: u64,
    events: u64,
) -> anyhow::Result<()> {
    let sql = "SELECT count() AS events, uniqExact(event_id) AS different FROM clickstream.events \
               WHERE toUInt64OrZero(splitByChar('-', visitor_id)[2]) >= {first:UInt64} \
               AND toUInt64OrZero(splitByChar('-', visitor_id)[2]) < {last:UInt64}";
    let params = [("first", first.to_string()), ("last", (first + visitors).to_string())];
    let began = Instant::now();
    loop {
        let rows = warehouse.query(CLUSTER, sql, &params).await?;
        let number = |name: &str| rows.first().and_then(|row| row.get(name)?.as_u64()).unwrap_or(0);
        let (there, different) = (number("events"), number("different"));
        if (there, different) == (events, events) {
            return Ok(());
        }
        if there > events || began.elapsed() > PATIENCE {
            return Err(advised(
                format!(
                    "{events} events were acknowledged, and {there} ({different} different) are in the table"
                ),
                "see the logs of the stack",
            ));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Asks for the funnel, and compares it with what the visitors did.
async fn funnel(warehouse: &ClickHouse, visitors: u64, ui: &Ui) -> anyhow::Result<()> {
    let steps = STEPS.map(|step| format!("'{step}'")).join(", ");
    let of = |what: &str, breakdown: &str| {
        format!(
            "SELECT {what}\nFROM clickstream.funnel(steps = [{steps}], window = 3600,\n\
             \x20 from = '2020-01-01 00:00:00', to = '2100-01-01 00:00:00', breakdown = '{breakdown}')"
        )
    };
    tour::show(
        warehouse,
        "How far did the visitors come, by their devices?",
        &of("breakdown AS device, step, name, visitors, of_first, of_previous", "device_type"),
        ui,
    )
    .await?;
    let rows = warehouse.query(CLUSTER, &of("step, visitors", "everything"), &[]).await?;
    let found: Vec<u64> = rows.iter().filter_map(|row| row.get("visitors")?.as_u64()).collect();
    let mut expected = [0; STEPS.len()];
    for number in 0..visitors {
        for reached in expected.iter_mut().take(Visitor::new(number).depth()) {
            *reached += 1;
        }
    }
    if found != expected {
        return Err(advised(
            format!("the funnel says {found:?}, and the visitors' steps were {expected:?}"),
            "report this: it is a bug",
        ));
    }
    ui.note("the funnel says exactly what the visitors did");
    Ok(())
}
