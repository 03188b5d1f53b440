//! `cargo xtask bench cold`: from the start of a process to its first `GET /next`, and
//! to its first answer, beside a function that does nothing.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use devstack::KafkaSourceOptions;
use serde::Serialize;
use serde_json::json;
use testkit::{Lake, Setup, start};

use crate::Options;
use crate::lambda::Instance;
use crate::meter::say;
use crate::pixel;

/// Time to the first `GET /next`, and to the first answer, against the function that
/// does nothing.
const GOAL: f64 = 2.5;

/// What all others are compared with.
const NOTHING: &str = "nothing";
const DEPLOYED: [&str; 5] = ["mother", "reconcile", "kafka-sink", "pixel", "drain"];

#[derive(Debug, Serialize)]
struct Start {
    function: &'static str,
    ready_ms: f64,
    answered_ms: f64,
    ready_ratio: f64,
    answered_ratio: f64,
    runs: usize,
}

/// Measures, and prints the report.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    say("starting the stack");
    let trigger = KafkaSourceOptions { topic: "other".to_owned(), ..KafkaSourceOptions::default() };
    let setup = Setup { sink: Some((trigger, 1)), ..Setup::new("bench-cold") };
    let stack = start(&setup)?;
    let lake = Lake::of(stack.state()).await?;
    lake.register(pixel::DOCUMENT).await?;
    let env = stack.state().environment();
    let (programs, _unpacked) = programs(options)?;
    let http = |path: &str| {
        pixel::request(path, &json!({})).replace(r#""method":"POST""#, r#""method":"GET""#)
    };
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "landing"});
    let scheduled = json!({"detail-type": "Scheduled Event", "source": "aws.events"});
    // The least that each can be asked.
    let functions = [
        (NOTHING, http("/health")),
        ("mother", test.to_string()),
        ("reconcile", scheduled.to_string()),
        ("kafka-sink", json!({"eventSource": "aws:kafka", "records": {}}).to_string()),
        ("pixel", http("/health")),
        ("drain", json!({"Records": []}).to_string()),
    ];
    let runs = options.runs.max(15);
    let mut starts: Vec<Start> = Vec::new();
    let mut samples = vec![(Vec::new(), Vec::new()); functions.len()];
    // In turns: what else the machine does falls on all of them.
    for run in 0..=runs {
        for ((function, event), (ready, answered)) in functions.iter().zip(&mut samples) {
            let mut instance = Instance::start(&programs(function), &env).await?;
            let first = instance.ready().await?;
            let (_, answer) = instance.invoke(event.clone()).await?;
            let whole = instance.age();
            ensure!(!answer.is_empty(), "{function} gives no answer");
            // The first run reads the programs from the disk.
            if run > 0 {
                ready.push(first);
                answered.push(whole);
            }
        }
    }
    for ((function, _), (ready, answered)) in functions.iter().zip(&mut samples) {
        let (ready_ms, answered_ms) = (median_ms(ready), median_ms(answered));
        let nothing = starts.first();
        starts.push(Start {
            function,
            ready_ms,
            answered_ms,
            ready_ratio: nothing.map_or(1.0, |nothing| ready_ms / nothing.ready_ms),
            answered_ratio: nothing.map_or(1.0, |nothing| answered_ms / nothing.answered_ms),
            runs,
        });
    }
    {
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), "{}", render(&starts))?;
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&starts)?)?;
    }
    Ok(())
}

/// Where a function's program lies, and what keeps it there: the zips hold what is
/// deployed, and the function that does nothing is never deployed.
fn programs(
    options: &Options,
) -> anyhow::Result<(impl Fn(&str) -> PathBuf, Option<tempfile::TempDir>)> {
    let built = testkit::programs()?;
    let unpacked = options.bundles.as_deref().map(unpack).transpose()?;
    let folder = unpacked.as_ref().map(|folder| folder.path().to_owned());
    let program = move |function: &str| match &folder {
        Some(folder) if function != NOTHING => folder.join(function).join("bootstrap"),
        _ => built.join(function),
    };
    Ok((program, unpacked))
}

fn unpack(bundles: &Path) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    for function in DEPLOYED {
        let zip = bundles.join(format!("{function}-{processor}.zip"));
        let to = folder.path().join(function);
        let mut unzip = std::process::Command::new("python3");
        let done = unzip.args(["-m", "zipfile", "-e"]).arg(&zip).arg(&to).status()?;
        ensure!(
            done.success(),
            "{} cannot be unpacked; make it by `cargo xtask package --arch {processor}`",
            zip.display()
        );
        // Python's own unpacking forgets that it may be executed.
        std::fs::set_permissions(to.join("bootstrap"), Permissions::from_mode(0o755))?;
    }
    Ok(folder)
}

fn median_ms(times: &mut [Duration]) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

fn render(starts: &[Start]) -> String {
    let mut text = format!(
        "{:<12} {:>16} {:>20} {:>18} {:>20}\n",
        "function", "ms to GET /next", "against nothing", "ms to the answer", "against nothing"
    );
    for start in starts {
        let beside = |ratio: f64| {
            let mark = if ratio <= GOAL { "✓" } else { "✗" };
            format!("{ratio:.2} ≤ {GOAL} {mark}")
        };
        text.push_str(&format!(
            "{:<12} {:>16.1} {:>20} {:>18.1} {:>20}\n",
            start.function,
            start.ready_ms,
            beside(start.ready_ratio),
            start.answered_ms,
            beside(start.answered_ratio)
        ));
    }
    text
}
