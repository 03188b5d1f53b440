//! The supervisor's HTTP interface: status, stopping, breaking things on
//! purpose, and Lambda's own Invoke API.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_sdk_sqs::types::QueueAttributeName;
use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use crate::broker::Broker;
use crate::clickhouse::Cluster;
use crate::error::chain;
use crate::function::Function;
use crate::http;
use crate::process::Health;
use crate::status::{
    FunctionStatus, InstanceState, InstanceStatus, Part, PartKind, PartState, QueueStatus, Status,
};
use crate::supervisor::Stack;

type Answer = Response<Full<Bytes>>;

/// Answers requests about this stack.
pub fn handler(
    stack: Arc<Stack>,
) -> impl Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Clone + Send + 'static
{
    move |request| {
        let stack = stack.clone();
        Box::pin(async move { route(&stack, request).await })
    }
}

async fn route(stack: &Stack, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["status"]) => match serde_json::to_value(status(stack).await) {
            Ok(status) => http::json(StatusCode::OK, &status),
            Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        (&Method::POST, ["stop"]) => {
            stack.stop.send_replace(true);
            done()
        }
        (&Method::POST, ["clusters", name, action]) => match cluster(stack, name) {
            Some(cluster) => act(cluster, action).await,
            None => refuse(StatusCode::NOT_FOUND, "no such cluster"),
        },
        (&Method::POST, ["kafka", rest @ ..]) => match &stack.kafka {
            Some(kafka) => act_on_kafka(kafka, rest).await,
            None => refuse(StatusCode::NOT_FOUND, "the stack has no Kafka"),
        },
        (&Method::POST, ["functions", name, "kill-busy"]) => match function(stack, name) {
            Some(function) => match function.kill_busy() {
                Some(pid) => http::json(StatusCode::OK, &json!({ "pid": pid })),
                None => refuse(StatusCode::CONFLICT, "no instance is busy"),
            },
            None => refuse(StatusCode::NOT_FOUND, "no such function"),
        },
        (&Method::POST, ["functions", name, "topics", action]) => {
            let sources: Vec<_> = stack
                .topics
                .iter()
                .filter(|source| source.function.options.name == *name)
                .collect();
            match *action {
                _ if sources.is_empty() => refuse(StatusCode::NOT_FOUND, "no such function"),
                "rewind" => {
                    sources.iter().for_each(|source| source.rewind());
                    done()
                }
                "deliver-twice" => {
                    sources.iter().for_each(|source| source.deliver_twice());
                    done()
                }
                _ => refuse(StatusCode::NOT_FOUND, "expected rewind or deliver-twice"),
            }
        }
        (&Method::POST, ["2015-03-31", "functions", name, "invocations"]) => {
            // A client may name the function by its ARN.
            let name = name.replace("%3A", ":");
            let name = name.rsplit_once(":function:").map_or(name.as_str(), |(_, name)| name);
            match function(stack, name) {
                Some(function) => invoke(function, request).await,
                None => refuse(StatusCode::NOT_FOUND, "no such function"),
            }
        }
        _ => refuse(StatusCode::NOT_FOUND, "unknown path"),
    }
}

fn cluster<'a>(stack: &'a Stack, name: &str) -> Option<&'a Cluster> {
    stack.clusters.iter().find(|cluster| cluster.state.name == name)
}

fn function<'a>(stack: &'a Stack, name: &str) -> Option<&'a Arc<Function>> {
    stack.functions.iter().find(|function| function.options.name == name)
}

async fn act(cluster: &Cluster, action: &str) -> Answer {
    match action {
        "kill" => cluster.kill().await,
        "pause" => cluster.pause(true),
        "resume" => cluster.pause(false),
        "start" => {
            if let Err(error) = cluster.restart().await {
                return refuse(StatusCode::INTERNAL_SERVER_ERROR, &chain(&error));
            }
        }
        _ => return refuse(StatusCode::NOT_FOUND, "expected kill, start, pause or resume"),
    }
    done()
}

async fn act_on_kafka(kafka: &Broker, path: &[&str]) -> Answer {
    let done_or = |outcome: crate::Result<()>| match outcome {
        Ok(()) => done(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &chain(&error)),
    };
    match path {
        ["kill"] => kafka.kill().await,
        ["stop"] => kafka.stop().await,
        ["pause"] => kafka.pause(true),
        ["resume"] => kafka.pause(false),
        ["start"] => return done_or(kafka.restart().await),
        ["topics", name, partitions] => match partitions.parse() {
            Ok(partitions) => return done_or(kafka.create_topic(name, partitions).await),
            Err(_) => return refuse(StatusCode::BAD_REQUEST, "partitions must be a number"),
        },
        _ => {
            let expected = "expected kill, stop, start, pause, resume or topics/NAME/PARTITIONS";
            return refuse(StatusCode::NOT_FOUND, expected);
        }
    }
    done()
}

/// Lambda's Invoke, with its way of reporting a function's own failure: status
/// 200, a header, and the error as the body.
async fn invoke(function: &Arc<Function>, request: Request<Incoming>) -> Answer {
    let event = request.headers().get("x-amz-invocation-type").is_some_and(|kind| kind == "Event");
    let payload = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let payload = if payload.is_empty() { Bytes::from_static(b"{}") } else { payload };
    if event {
        let function = function.clone();
        tokio::spawn(async move { function.invoke(payload).await });
        return http::answer(StatusCode::ACCEPTED, "");
    }
    let mut response = match function.invoke(payload).await {
        Ok(body) => http::answer(StatusCode::OK, body),
        Err(error) => {
            let document = serde_json::to_value(&error).unwrap_or_default();
            let mut response = http::json(StatusCode::OK, &document);
            response
                .headers_mut()
                .insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
            response
        }
    };
    response.headers_mut().insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
    response
}

async fn status(stack: &Stack) -> Status {
    let mut parts =
        join_all(stack.clusters.iter().map(|cluster| cluster_part(stack, cluster))).await;
    parts.extend(aws_part(stack).await);
    parts.extend(kafka_part(stack).await);
    let queues = queues(stack).await;
    let mut problems: Vec<String> = parts
        .iter()
        .filter_map(|part| {
            Some(format!("{}: {} (log: {})", part.name, part.problem.as_ref()?, part.log.display()))
        })
        .collect();
    for queue in queues.iter().filter(|queue| queue.dead_letters && queue.visible > 0) {
        problems.push(format!(
            "{} holds {} messages that could not be handled",
            queue.name, queue.visible
        ));
    }
    Status {
        state: stack.state.clone(),
        functions: stack
            .functions
            .iter()
            .map(|function| function_status(stack, function))
            .collect(),
        parts,
        queues,
        topics: join_all(stack.topics.iter().map(|source| source.status())).await,
        problems,
    }
}

async fn cluster_part(stack: &Stack, cluster: &Cluster) -> Part {
    let (state, problem) = in_words(cluster.health().await);
    let name = &cluster.state.name;
    Part {
        name: name.clone(),
        kind: PartKind::Cluster,
        pid: cluster.pid(),
        address: cluster.state.http.clone(),
        state,
        problem,
        log: stack.state.dir.join("logs").join(format!("clickhouse-{name}.log")),
    }
}

async fn kafka_part(stack: &Stack) -> Option<Part> {
    let kafka = stack.kafka.as_ref()?;
    let (state, problem) = in_words(kafka.health().await);
    Some(Part {
        name: "kafka".into(),
        kind: PartKind::Kafka,
        pid: kafka.pid(),
        address: kafka.state.bootstrap.clone(),
        state,
        problem,
        log: stack.state.dir.join("logs").join("kafka.log"),
    })
}

fn in_words(health: Health) -> (PartState, Option<String>) {
    match health {
        Health::Up => (PartState::Up, None),
        Health::Paused => (PartState::Paused, Some("it is paused".into())),
        Health::Dead(how) => (PartState::Dead, Some(format!("its process ended: {how}"))),
        Health::Silent(why) => (PartState::Silent, Some(why)),
    }
}

async fn aws_part(stack: &Stack) -> Option<Part> {
    let moto = stack.moto.as_ref()?;
    let (state, problem) = match (moto.child.exit(), moto.answers().await) {
        (Some(status), _) => (PartState::Dead, Some(format!("its process ended: {status}"))),
        (None, Ok(())) => (PartState::Up, None),
        (None, Err(error)) => (PartState::Silent, Some(chain(&error))),
    };
    Some(Part {
        name: "aws".into(),
        kind: PartKind::Aws,
        pid: moto.child.exit().is_none().then(|| moto.child.pid()),
        address: format!("http://{}", moto.address),
        state,
        problem,
        log: stack.state.dir.join("logs").join("aws.log"),
    })
}

fn function_status(stack: &Stack, function: &Function) -> FunctionStatus {
    let name = &function.options.name;
    let instances = function.instances().into_iter().map(|(slot, instance)| {
        let state = match (instance.alive(), instance.busy()) {
            (false, _) => InstanceState::Dead,
            (true, Some(_)) => InstanceState::Busy,
            (true, None) => InstanceState::Idle,
        };
        InstanceStatus {
            number: slot + 1,
            pid: instance.child.pid(),
            state,
            fetched: instance.fetched.load(Ordering::Relaxed),
            log: stack.state.dir.join("logs").join(format!("{name}-{}.log", slot + 1)),
        }
    });
    FunctionStatus {
        name: name.clone(),
        concurrency: function.options.concurrency,
        succeeded: function.succeeded.load(Ordering::Relaxed),
        failed: function.failed.load(Ordering::Relaxed),
        instances: instances.collect(),
    }
}

async fn queues(stack: &Stack) -> Vec<QueueStatus> {
    let Some(sqs) = &stack.sqs else { return vec![] };
    let functions = stack.state.functions.iter();
    let queues = functions.flat_map(|function| {
        let dlq = (format!("{}-dlq", function.name), function.dlq_url.clone(), true);
        [(function.name.clone(), function.queue_url.clone(), false), dlq]
    });
    let depths = queues.filter_map(|(name, url, dead_letters)| {
        let url = url?;
        Some(async move {
            let answer = sqs
                .get_queue_attributes()
                .queue_url(&url)
                .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
                .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
                .send()
                .await
                .ok()?;
            let count = |key| answer.attributes()?.get(&key)?.parse().ok();
            Some(QueueStatus {
                name,
                url: url.clone(),
                dead_letters,
                visible: count(QueueAttributeName::ApproximateNumberOfMessages)?,
                in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)?,
            })
        })
    });
    join_all(depths).await.into_iter().flatten().collect()
}

fn done() -> Answer {
    http::json(StatusCode::OK, &json!({}))
}

fn refuse(status: StatusCode, message: &str) -> Answer {
    http::json(status, &json!({ "message": message }))
}
