//! Up, down, side by side, and every way to end.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of a test fails by panicking, like the test"
)]

mod common;

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Place, alive, eventually, example, place, progress};
use devstack::{AttachedStack, ClusterOptions, KafkaOptions, Status};

/// A stack with one child of each kind.
fn full(name: &str) -> Place {
    let mut place = place(name);
    place.options.clusters = vec![ClusterOptions { name: "main".into(), role: "ingestion".into() }];
    place.options.aws = true;
    place.toy(None);
    place
}

fn pids(status: &Status) -> Vec<u32> {
    let instances = status.functions.iter().flat_map(|function| &function.instances);
    status
        .parts
        .iter()
        .filter_map(|part| part.pid)
        .chain(instances.map(|instance| instance.pid))
        .collect()
}

async fn all_dead(pids: &[u32]) {
    eventually("every child is gone", async || pids.iter().all(|pid| !alive(*pid))).await;
}

#[tokio::test]
async fn two_stacks_side_by_side_and_down_again() {
    let (one, mut two) = (full("one"), full("two"));
    two.options.root = one.options.root.clone();
    let (first, second) =
        tokio::join!(devstack::up(&one.options, &progress), devstack::up(&two.options, &progress));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.control, second.control);
    assert_ne!(first.clusters[0].http, second.clusters[0].http);

    let again = devstack::up(&one.options, &progress).await.unwrap();
    assert_eq!(again.instance, first.instance, "a stack that is up stays as it is");
    let env = std::fs::read_to_string(first.env_file()).unwrap();
    assert!(
        env.contains(&format!("AWS_ENDPOINT_URL={}", first.aws.as_ref().unwrap().endpoint)),
        "{env}"
    );

    devstack::Control::new(&first).invoke("toy", "{}").await.unwrap().unwrap();
    let children = pids(&devstack::status(&one.options.dir()).await.unwrap());
    assert_eq!(children.len(), 3);
    assert!(devstack::down(&one.options.dir()).await.unwrap());
    all_dead(&children).await;
    assert!(!devstack::down(&one.options.dir()).await.unwrap(), "it is down already");
    assert!(devstack::status(&one.options.dir()).await.is_err());
    assert!(devstack::status(&two.options.dir()).await.unwrap().problems.is_empty());
    assert!(devstack::down(&two.options.dir()).await.unwrap());
}

#[tokio::test]
async fn a_killed_supervisor_leaves_nothing_and_is_replaced() {
    let mut place = full("killed");
    place.options.kafka = Some(KafkaOptions::default());
    let dir = place.options.dir();
    let state = devstack::up(&place.options, &progress).await.unwrap();
    devstack::Control::new(&state).invoke("toy", "{}").await.unwrap().unwrap();
    let children = pids(&devstack::status(&dir).await.unwrap());
    assert_eq!(children.len(), 4);
    kill(state.pid);
    all_dead(&children).await;
    assert!(dir.join("state.json").exists(), "the state is stale now");
    assert!(matches!(devstack::status(&dir).await, Err(devstack::Error::NotUp { .. })));
    let next = devstack::up(&place.options, &progress).await.unwrap();
    assert_ne!(next.instance, state.instance);
    assert!(devstack::down(&dir).await.unwrap());
}

#[tokio::test]
async fn an_attached_stack_ends_with_its_guard() {
    let place = full("guard");
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    assert!(matches!(
        AttachedStack::start(&place.options, &progress).await,
        Err(devstack::Error::AlreadyUp { .. })
    ));
    let children = pids(&stack.control().status().await.unwrap());
    drop(stack);
    assert!(children.iter().all(|pid| !alive(*pid)));
}

#[tokio::test]
async fn an_attached_stack_ends_when_its_owner_is_killed() {
    let place = full("owner");
    let file = place.file("owner.json");
    std::fs::write(&file, serde_json::to_vec(&place.options).unwrap()).unwrap();
    let mut owner = Command::new(example("attached"))
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let dir = place.options.dir();
    eventually("the stack is up", async || is_up(&dir).await).await;
    let status = devstack::status(&dir).await.unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    all_dead(&pids(&status)).await;
    eventually("the supervisor is gone", async || !alive(status.state.pid)).await;
}

#[tokio::test]
async fn a_stack_that_cannot_start_says_why() {
    let mut place = full("wrong");
    place.options.functions[0].binary = place.file("nothing");
    let error = devstack::up(&place.options, &progress).await.unwrap_err().to_string();
    assert!(error.contains("nothing") && error.contains("cargo build"), "{error}");
}

async fn is_up(dir: &Path) -> bool {
    let state = devstack::StackState::read(dir).unwrap();
    state.is_some_and(|state| state.phase == devstack::Phase::Ready)
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}
