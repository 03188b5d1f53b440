//! CPU time and memory of processes, from Linux's `/proc`.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Ticks of a second in `/proc/PID/stat`: 100 on every Linux of ours.
const TICKS: f64 = 100.0;

/// Says something to the person who waits.
pub fn say(text: &str) {
    // Without standard error there is nobody to tell.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// CPU seconds that a process has used, all threads and the kernel's share.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} has gone"))?;
    // The second field may hold anything, but ends with the last bracket.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let field = |at: usize| -> anyhow::Result<f64> {
        Ok(fields.split_whitespace().nth(at).context("a short /proc/PID/stat")?.parse()?)
    };
    Ok((field(11)? + field(12)?) / TICKS)
}

/// Forgets the peak of a process's memory.
pub fn reset_peak(pid: u32) -> anyhow::Result<()> {
    Ok(std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// Most memory that a process had resident since the last reset, in MB.
pub fn peak_mb(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("a short VmHWM")?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// A process whose work is measured against what it uses when idle.
pub struct Meter {
    pid: u32,
    /// CPU seconds per second when nothing is asked of it.
    idle: f64,
    started: Instant,
    before: f64,
}

impl Meter {
    /// Measures the idle rate for a while.
    pub async fn calibrate(pid: u32, time: Duration) -> anyhow::Result<Self> {
        let before = cpu_seconds(pid)?;
        tokio::time::sleep(time).await;
        let idle = (cpu_seconds(pid)? - before) / time.as_secs_f64();
        Ok(Self { pid, idle, started: Instant::now(), before: cpu_seconds(pid)? })
    }

    /// Begins a measurement.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.before = cpu_seconds(self.pid)?;
        self.started = Instant::now();
        Ok(())
    }

    /// CPU seconds since the start, without what idling would have used.
    pub fn read(&self) -> anyhow::Result<f64> {
        let used = cpu_seconds(self.pid)? - self.before;
        Ok((used - self.idle * self.started.elapsed().as_secs_f64()).max(0.0))
    }
}
