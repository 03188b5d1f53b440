//! From an object or a message to the function and back.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of a test fails by panicking, like the test"
)]

mod common;

use common::{eventually, place, progress, send};
use devstack::{AttachedStack, BucketOptions, QueueOptions};

fn quick() -> QueueOptions {
    QueueOptions { visibility_timeout_s: 1, max_receive_count: 2, ..QueueOptions::default() }
}

#[tokio::test]
async fn a_new_object_invokes_the_function() {
    let mut place = place("s3");
    place.toy(Some(quick()));
    place.options.buckets =
        vec![BucketOptions { name: "landing".into(), notify: Some("toy".into()) }];
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"a,b\n1,2\n");
    let s3 = stack.state().s3().unwrap();
    s3.put_object().bucket("landing").key("in/x.csv").body(body).send().await.unwrap();
    eventually("the function sees the object", async || {
        place.seen().iter().any(|body| body.contains("in/x.csv") || body.contains("in%2Fx.csv"))
    })
    .await;
    eventually("the queue is empty", async || {
        let status = stack.control().status().await.unwrap();
        let queue = status.queue("toy").unwrap();
        queue.visible + queue.in_flight == 0
    })
    .await;
}

#[tokio::test]
async fn what_fails_alone_comes_back_alone_and_ends_in_the_dead_letter_queue() {
    let mut place = place("partial");
    place.toy(Some(QueueOptions { batch_window_ms: 300, ..quick() })).concurrency = 1;
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    for body in ["ok", "fail", "ok"] {
        send(stack.state(), body).await;
    }
    eventually("the bad message is a dead letter", async || {
        let status = stack.control().status().await.unwrap();
        status.queue("toy-dlq").unwrap().visible == 1 && status.queue("toy").unwrap().visible == 0
    })
    .await;
    let mut seen = place.seen();
    seen.sort();
    assert_eq!(seen, ["fail", "fail", "ok", "ok"]);
    let status = stack.control().status().await.unwrap();
    assert!(
        status.problems.iter().any(|problem| problem.contains("toy-dlq")),
        "{:?}",
        status.problems
    );
    assert!(devstack::render_status(&status).contains("toy-dlq"));
}

#[tokio::test]
async fn an_error_and_a_timeout_fail_the_batch() {
    let mut place = place("errors");
    let toy = place.toy(Some(QueueOptions { batch_size: 1, ..quick() }));
    toy.timeout_seconds = 1;
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    for body in ["error", "hang", "crash"] {
        send(stack.state(), body).await;
    }
    eventually("all are dead letters", async || {
        stack.control().status().await.unwrap().queue("toy-dlq").unwrap().visible == 3
    })
    .await;
    let function = stack.control().status().await.unwrap().function("toy").unwrap().clone();
    assert_eq!((function.succeeded, function.failed), (0, 6));
}
