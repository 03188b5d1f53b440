//! A status for people.

use std::fmt::Write;

use crate::status::{InstanceState, PartKind, PartState, Status};

/// What runs where, how to query it, and what is wrong.
pub fn render_status(status: &Status) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, status);
    text
}

fn write(out: &mut String, status: &Status) -> std::fmt::Result {
    let state = &status.state;
    writeln!(
        out,
        "stack {} (supervisor {}, control http://{})",
        state.name, state.pid, state.control
    )?;
    writeln!(out)?;
    for part in &status.parts {
        let kind = match part.kind {
            PartKind::Cluster => "clickhouse",
            PartKind::Aws => "aws",
            PartKind::Kafka => "kafka",
        };
        let what = match part.state {
            PartState::Up => "up",
            PartState::Paused => "PAUSED",
            PartState::Silent => "SILENT",
            PartState::Dead => "DEAD",
        };
        let pid = part.pid.map_or_else(String::new, |pid| format!("pid {pid}"));
        writeln!(
            out,
            "  {:<10}  {:<12}  {:<28}  {:<6}  {pid}",
            kind, part.name, part.address, what
        )?;
    }
    for function in &status.functions {
        let count =
            |wanted| function.instances.iter().filter(|instance| instance.state == wanted).count();
        writeln!(
            out,
            "  {:<10}  {:<12}  {} busy, {} idle of {}; {} invocations, {} failed",
            "function",
            function.name,
            count(InstanceState::Busy),
            count(InstanceState::Idle),
            function.concurrency,
            function.succeeded + function.failed,
            function.failed,
        )?;
    }
    for queue in &status.queues {
        writeln!(
            out,
            "  {:<10}  {:<12}  {} waiting, {} in flight",
            "queue", queue.name, queue.visible, queue.in_flight
        )?;
    }
    for source in &status.topics {
        let lag = source.lag.map_or_else(|| "?".to_owned(), |lag| lag.to_string());
        writeln!(
            out,
            "  {:<10}  {:<12}  {lag} waiting for {}, {} given up",
            "topic", source.topic, source.function, source.discarded
        )?;
    }
    if let Some(cluster) = state.clusters.first() {
        writeln!(
            out,
            "\nquery a cluster (the passwords are random, local, and also in state.json):"
        )?;
        writeln!(
            out,
            "  curl -u {}:{} {} --data-binary 'SELECT version()'",
            cluster.user, cluster.password, cluster.http
        )?;
        for cluster in &state.clusters[1..] {
            writeln!(
                out,
                "  {}: -u {}:{} {}",
                cluster.name, cluster.user, cluster.password, cluster.http
            )?;
        }
    }
    for function in &state.functions {
        if let Some(url) = &function.url {
            writeln!(out, "\nthe HTTP API of {}: {url}", function.name)?;
        }
    }
    writeln!(out, "\nuse it from a shell:")?;
    writeln!(out, "  set -a; . '{}'; set +a", state.env_file().display())?;
    writeln!(out, "logs: {}", state.dir.join("logs").display())?;
    if !status.problems.is_empty() {
        writeln!(out, "\nwrong:")?;
        for problem in &status.problems {
            writeln!(out, "  - {problem}")?;
        }
    }
    Ok(())
}
