//! ClickHouse servers: users, power cuts, silence.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of a test fails by panicking, like the test"
)]

mod common;

use common::{place, progress};
use devstack::{AttachedStack, ClusterOptions, ClusterState, PartState};
use std::io::{Read, Write};

/// A query by plain HTTP, as any user would send it: status and body.
fn query(cluster: &ClusterState, password: &str, sql: &str) -> (u16, String) {
    let address = cluster.http.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let user = &cluster.user;
    write!(
        stream,
        "POST / HTTP/1.0\r\nX-ClickHouse-User: {user}\r\nX-ClickHouse-Key: {password}\r\n\
         Content-Length: {}\r\n\r\n{sql}",
        sql.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.trim().into())
}

#[tokio::test]
async fn a_server_keeps_its_data_and_lets_nobody_else_in() {
    let mut place = place("cluster");
    place.options.clusters = vec![ClusterOptions { name: "main".into(), role: "ingestion".into() }];
    let stack = AttachedStack::start(&place.options, &progress).await.unwrap();
    let (state, control) = (stack.state(), stack.control());
    let main = state.cluster("main").unwrap();
    let ask = |sql: &str| query(main, &main.password, sql);

    assert_eq!(ask("CREATE TABLE motherlode.t (n UInt8) ENGINE = MergeTree ORDER BY n").0, 200);
    assert_eq!(ask("INSERT INTO motherlode.t VALUES (7)").0, 200);
    assert_ne!(query(main, "wrong", "SELECT 1").0, 200);
    let other = ClusterState { user: "default".into(), ..main.clone() };
    assert_ne!(
        query(&other, "", "SELECT n FROM motherlode.t").0,
        200,
        "no rights without a password"
    );

    for (user, may_delete) in [("motherlode_loader", true), ("motherlode_sink", false)] {
        let own = ClusterState { user: user.into(), ..main.clone() };
        let may = |sql: &str| query(&own, &main.function_password, sql).0 == 200;
        assert!(
            may("INSERT INTO motherlode.t (n) VALUES (8)") && may("SELECT n FROM motherlode.t")
        );
        assert!(may("CREATE TABLE IF NOT EXISTS motherlode.own (n UInt8) ENGINE = Memory"));
        assert!(may("ALTER TABLE motherlode.t ADD COLUMN IF NOT EXISTS more UInt8"));
        assert_eq!(may("DELETE FROM motherlode.t WHERE n = 8"), may_delete, "{user}");
        for sql in
            ["DROP TABLE motherlode.t", "TRUNCATE TABLE motherlode.t", "DROP DATABASE motherlode"]
        {
            assert!(!may(sql), "{user}: {sql}");
        }
    }
    assert_eq!(
        ask("ALTER TABLE motherlode.t DELETE WHERE n = 8 SETTINGS mutations_sync = 1").0,
        200
    );

    let part = async || control.status().await.unwrap().part("main").unwrap().clone();
    assert_eq!(part().await.state, PartState::Up);
    control.pause_cluster("main").await.unwrap();
    assert_eq!(part().await.state, PartState::Paused);
    control.resume_cluster("main").await.unwrap();
    assert_eq!(part().await.state, PartState::Up);

    control.kill_cluster("main").await.unwrap();
    let dead = control.status().await.unwrap();
    assert_eq!(dead.part("main").unwrap().state, PartState::Dead);
    assert!(dead.problems[0].contains("main"), "{:?}", dead.problems);
    control.start_cluster("main").await.unwrap();
    assert_eq!(ask("SELECT n FROM motherlode.t"), (200, "7".into()));
    assert!(state.environment()["MOTHERLODE_CLUSTERS"].contains(&main.http));
}
