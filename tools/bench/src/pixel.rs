//! `cargo xtask bench pixel`: requests through the pixel into Kafka, acknowledged by all
//! replicas, beside a function that answers 204 without looking.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use devstack::{Control, KafkaSourceOptions};
use serde::Serialize;
use serde_json::{Value, json};
use testkit::{Lake, Setup, start};

use crate::Options;
use crate::lambda::Instance;
use crate::meter::{cpu_seconds, peak_mb, reset_peak, say};

const TOPIC: &str = "events";
/// Requests that are not counted.
const WARM: usize = 300;
/// Events of a request of the second case.
const BATCH: usize = 20;
/// CPU of a request, against one that is answered without looking.
const GOAL: f64 = 2.5;

/// What a request cost.
#[derive(Debug, Serialize)]
struct Cost {
    case: &'static str,
    requests: usize,
    events: usize,
    cpu_us_per_request: f64,
    cpu_s_per_mevent: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// CPU of a request against that of the function that does nothing.
    ratio: f64,
    peak_rss_mb: f64,
}

/// Measures, and prints the report.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    say("starting the stack");
    let trigger = KafkaSourceOptions { topic: "other".to_owned(), ..KafkaSourceOptions::default() };
    let setup = Setup { sink: Some((trigger, 1)), ..Setup::new("bench-pixel") };
    let stack = start(&setup)?;
    let lake = Lake::of(stack.state()).await?;
    lake.register(DOCUMENT).await?;
    let control = Control::new(stack.state());
    control.create_topic(TOPIC, 3).await?;
    control.create_topic(&format!("{TOPIC}.invalid"), 1).await?;
    let env = stack.state().environment();
    let programs = testkit::programs()?;
    let one = |number: usize| request("/v1/track", &event(number));
    let many = |number: usize| {
        let events: Vec<Value> = (0..BATCH).map(|at| event(number * BATCH + at)).collect();
        request("/v1/batch", &json!({"batch": events}))
    };
    let mut costs: Vec<Cost> = Vec::new();
    for (case, program, events) in [
        ("does nothing", "nothing", 0),
        ("pixel, one event", "pixel", 1),
        ("pixel, 20 events", "pixel", BATCH),
    ] {
        say(case);
        let mut instance = Instance::start(&programs.join(program), &env).await?;
        instance.ready().await?;
        let make: &dyn Fn(usize) -> String = if events == BATCH { &many } else { &one };
        let mut times = Vec::with_capacity(options.requests);
        let mut before = 0.0;
        for number in 0..WARM + options.requests {
            if number == WARM {
                before = cpu_seconds(instance.pid()?)?;
                reset_peak(instance.pid()?)?;
                times.clear();
            }
            let (took, answer) = instance.invoke(make(number)).await?;
            let answer: Value = serde_json::from_slice(&answer)?;
            let status = answer["statusCode"].as_u64().context("an answer has a status")?;
            ensure!((200..300).contains(&status), "{case}: {answer}");
            times.push(took);
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let per_request = (cpu_seconds(instance.pid()?)? - before) * 1e6 / options.requests as f64;
        times.sort();
        let at = |percent: usize| milliseconds(times[percent * (times.len() - 1) / 100]);
        costs.push(Cost {
            case,
            requests: options.requests,
            events: events * options.requests,
            cpu_us_per_request: per_request,
            cpu_s_per_mevent: if events == 0 { 0.0 } else { per_request / events as f64 },
            p50_ms: at(50),
            p99_ms: at(99),
            ratio: costs.first().map_or(1.0, |nothing| per_request / nothing.cpu_us_per_request),
            peak_rss_mb: peak_mb(instance.pid()?)?,
        });
    }
    {
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), "{}", render(&costs))?;
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&costs)?)?;
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn render(costs: &[Cost]) -> String {
    let mut text = format!(
        "{:<20} {:>16} {:>18} {:>10} {:>10} {:>20} {:>10}\n",
        "case",
        "CPU µs/request",
        "CPU s/M events",
        "p50 ms",
        "p99 ms",
        "against nothing",
        "peak MB"
    );
    for cost in costs {
        // The goal is about a request with an event.
        let ratio = match cost.case {
            "pixel, one event" => {
                let mark = if cost.ratio <= GOAL { "✓" } else { "✗" };
                format!("{:.2} ≤ {GOAL} {mark}", cost.ratio)
            }
            _ => format!("{:.2}", cost.ratio),
        };
        text.push_str(&format!(
            "{:<20} {:>16.0} {:>18.1} {:>10.2} {:>10.2} {ratio:>20} {:>10.0}\n",
            cost.case,
            cost.cpu_us_per_request,
            cost.cpu_s_per_mevent,
            cost.p50_ms,
            cost.p99_ms,
            cost.peak_rss_mb
        ));
    }
    text
}

/// A request as API Gateway hands it over, payload format 2.0.
pub fn request(path: &str, body: &Value) -> String {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "host": "events.example.com",
            "content-type": "application/json",
            "authorization": "Basic d2tfYmVuY2hfMDAwMTo=",
            "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
            "x-forwarded-for": "203.0.113.7",
            "origin": "https://shop.example.com",
        },
        "requestContext": {
            "accountId": "123456789012", "apiId": "bench", "domainName": "events.example.com", "domainPrefix": "events",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "bench"},
            "requestId": "r", "routeKey": "$default", "stage": "$default", "timeEpoch": 1_795_363_200_000_i64,
            "time": "23/Nov/2026:00:00:00 +0000",
        },
        "body": body.to_string(),
        "isBase64Encoded": false,
    })
    .to_string()
}

fn event(number: usize) -> Value {
    json!({
        "type": "track",
        "event": "Product Viewed",
        "messageId": format!("bench-{number}"),
        "anonymousId": format!("visitor-{}", number % 997),
        "timestamp": "2026-11-23T10:00:00.000Z",
        "sentAt": "2026-11-23T10:00:01.000Z",
        "context": {
            "page": {"path": "/products/17", "referrer": "https://www.example.com/", "title": "A product", "url": "https://shop.example.com/products/17"},
            "campaign": {"name": "autumn", "source": "newsletter", "medium": "email"},
            "screen": {"width": 393, "height": 852}, "locale": "de-DE", "timezone": "Europe/Berlin",
            "library": {"name": "pixel.js", "version": "1"}, "sessionId": "s-1",
        },
        "properties": {"product_id": "p-17", "price": 24.99, "currency": "EUR", "quantity": 1},
    })
}

/// The source of the requests' write key.
pub const DOCUMENT: &str = "
source: bench
version: 1
owner: bench
kind: kafka
stream: { topics: [events], pixel: { keys: [wk_bench_0001] } }
table: { database: bench, name: raw, order_by: [_topic, _partition, _offset] }
";
