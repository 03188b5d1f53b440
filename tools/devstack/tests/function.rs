//! Instances: warm, killed, crashed and out of time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of a test fails by panicking, like the test"
)]

mod common;

use common::{alive, eventually, place, progress};
use devstack::{AttachedStack, InstanceState};
use serde_json::{Value, json};

fn event(what: &str) -> String {
    json!({ "do": what }).to_string()
}

#[tokio::test]
async fn an_instance_stays_warm_and_its_death_is_survived() {
    let mut place = place("function");
    place.toy(None).timeout_seconds = 2;
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    let control = stack.control();
    let pid = async || {
        let answer = control.invoke("toy", event("ok")).await.unwrap().unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()["pid"].as_u64().unwrap()
    };
    let first = pid().await;
    assert_eq!(first, pid().await, "the second event finds the instance warm");

    let reported = control.invoke("toy", event("error")).await.unwrap().unwrap_err();
    assert_eq!(reported.error_message, "asked to");
    assert_eq!(first, pid().await, "an error of its own does not end it");

    let crashed = control.invoke("toy", event("crash")).await.unwrap().unwrap_err();
    assert_eq!(crashed.error_type, "Runtime.ExitError");
    let second = pid().await;
    assert_ne!(first, second, "a dead process is replaced");

    let late = control.invoke("toy", event("hang")).await.unwrap().unwrap_err();
    assert!(late.error_message.contains("Task timed out after 2.00 seconds"), "{late}");
    assert_ne!(second, pid().await);
    assert!(!alive(second.try_into().unwrap()), "a process out of time is killed");
}

#[tokio::test]
async fn a_busy_instance_can_be_killed_and_an_idle_one_is_left_alone() {
    let mut place = place("kill");
    place.toy(None);
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    let control = stack.control();
    control.invoke("toy", event("ok")).await.unwrap().unwrap();
    assert_eq!(control.kill_busy("toy").await.unwrap(), None);

    let invocation = tokio::spawn({
        let control = control.clone();
        async move { control.invoke("toy", event("wait never")).await.unwrap() }
    });
    let busy = async || {
        let function = control.status().await.unwrap().function("toy").unwrap().clone();
        function.instances.into_iter().find(|instance| instance.state == InstanceState::Busy)
    };
    eventually("an instance is busy", async || busy().await.is_some()).await;
    let instance = busy().await.unwrap();
    assert_eq!(control.kill_busy("toy").await.unwrap(), Some(instance.pid));
    let error = invocation.await.unwrap().unwrap_err();
    assert!(error.error_message.contains("signal: killed"), "{error}");
    control.invoke("toy", event("ok")).await.unwrap().unwrap();
}

#[tokio::test]
async fn instances_run_beside_each_other_up_to_the_limit() {
    let mut place = place("parallel");
    place.toy(None).concurrency = 2;
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    let control = stack.control();
    for _ in 0..3 {
        control.invoke_event("toy", event("wait go")).await.unwrap();
    }
    eventually("both instances are busy", async || {
        let function = control.status().await.unwrap().function("toy").unwrap().clone();
        function.instances.iter().filter(|instance| instance.state == InstanceState::Busy).count()
            == 2
    })
    .await;
    std::fs::write(place.file("go"), "").unwrap();
    eventually("all three are done", async || {
        control.status().await.unwrap().function("toy").unwrap().succeeded == 3
    })
    .await;
    assert_eq!(control.status().await.unwrap().function("toy").unwrap().instances.len(), 2);
}

#[tokio::test]
async fn an_instance_that_cannot_start_fails_its_event_with_a_reason() {
    let mut place = place("broken");
    place.toy(None).binary = "/bin/false".into();
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    let error = stack.control().invoke("toy", event("ok")).await.unwrap().unwrap_err();
    assert!(error.error_message.contains("exit status: 1"), "{error}");
}
