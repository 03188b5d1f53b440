//! A cluster that refuses, and one that is away; what is logged meanwhile.

use std::path::PathBuf;

use devstack::StackState;
use runtime::Environment;
use testkit::Setup;

use crate::{connect, document, files};

const WRONG: &str = "not-the-password-of-anybody";

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_absent_cluster_lose_nothing() {
    let stack = tokio::task::spawn_blocking(|| {
        // All that can be logged: somebody who looks for a fault asks for it.
        let env = [("RUST_LOG".to_owned(), "trace".to_owned())].into();
        testkit::start(&Setup { concurrency: 1, env, ..Setup::new("mother-faults") })
    });
    let stack = stack.await.unwrap().unwrap();
    let lake = connect(stack.state()).await;
    let environment = Environment::of(stack.state().environment());
    let secrets = runtime::aws::secrets(&runtime::aws::configuration_for(&environment).await);
    let cluster = stack.state().cluster("ingestion").unwrap().clone();
    let set_password = async |password: &str| {
        let user = devstack::user_of("mother");
        let text = serde_json::json!({"username": user, "password": password}).to_string();
        secrets
            .put_secret_value()
            .secret_id(cluster.secret_of(user))
            .secret_string(text)
            .send()
            .await
            .unwrap();
    };
    lake.register(&document("cls-fault", "{ csv: {} }", "")).await.unwrap();

    set_password(WRONG).await;
    let refused = lake.land("cls-fault", "cls-fault/refused.csv", files::csv(10)).await.unwrap();
    lake.dead_letter("refused.csv").await.unwrap();
    let record = lake.ingest.ledger.get(&refused.source, &refused.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.next_row), (ledger::State::Failed, 0));
    let reason = record.reason.unwrap();
    assert!(reason.contains("516") || reason.to_lowercase().contains("authentication"), "{reason}");

    // The right password is taken without a restart.
    set_password(&cluster.function_password).await;
    let taken = lake.land("cls-fault", "cls-fault/taken.csv", files::csv(10)).await.unwrap();
    lake.done(&taken).await.unwrap();

    lake.control.kill_cluster("ingestion").await.unwrap();
    let waiting = lake.land("cls-fault", "cls-fault/waiting.csv", files::csv(10)).await.unwrap();
    lake.until("a try that failed", || async {
        let record = lake.ingest.ledger.get(&waiting.source, &waiting.id).await?;
        Ok(record.filter(|record| record.state == ledger::State::Paused))
    })
    .await
    .unwrap();
    lake.control.start_cluster("ingestion").await.unwrap();
    lake.done(&waiting).await.unwrap();
    let counts =
        "SELECT concat(toString(count()), ' ', toString(uniqExact(_object))) FROM e2e.cls_fault";
    assert_eq!(lake.scalar(counts).await.unwrap(), "20 2");
    // A message in the dead letters is replayed once its cause is mended.
    lake.send(r#"{"bucket":"landing","key":"cls-fault/refused.csv"}"#).await.unwrap();
    lake.replayed(&refused).await.unwrap();
    assert_eq!(lake.scalar(counts).await.unwrap(), "30 3");

    let logged = logs(stack.state());
    // It is not silent: both refusals and every call are there.
    assert!(logged.contains("516") && logged.contains("GetSecretValue"), "{} bytes", logged.len());
    let right = &cluster.function_password;
    for secret in [right.as_str(), WRONG, &cluster.password] {
        let shown: Vec<&str> = logged.lines().filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "{} lines, the first: {}", shown.len(), shown[0]);
    }
    assert!(!reason.contains(right.as_str()) && !reason.contains(WRONG), "{reason}");
}

/// What the function has logged.
fn logs(state: &StackState) -> String {
    let files = std::fs::read_dir(state.dir.join("logs")).unwrap();
    let of_function = |path: &PathBuf| path.to_string_lossy().contains("/mother-");
    let files = files.map(|file| file.unwrap().path()).filter(of_function);
    files.map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned()).collect()
}
