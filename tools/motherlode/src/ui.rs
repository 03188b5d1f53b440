//! What is said, and where: data on standard output, everything else on
//! standard error; bars on a terminal, plain lines elsewhere.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::table::grouped;

/// Without a terminal, how often a task says how far it is.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Standard output could not be written.
#[derive(Debug)]
pub struct OutputError(io::Error);

impl OutputError {
    /// Whether whoever read it has stopped reading.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("writing to standard output")
    }
}

impl std::error::Error for OutputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// How this process talks to whoever started it.
#[derive(Debug)]
pub struct Ui {
    json: bool,
    /// Bars, when standard error is a terminal.
    bars: Option<MultiProgress>,
}

impl Ui {
    /// Talks as the terminal (or its absence) allows.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json, bars: io::stderr().is_terminal().then(MultiProgress::new) }
    }

    /// Whether the answer is to be JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Writes data to standard output.
    ///
    /// # Errors
    /// [`OutputError`] when it cannot be written.
    pub fn data(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let write = || {
            let mut out = io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        };
        let written = match &self.bars {
            // Bars on the same terminal would be written over the data.
            Some(bars) => bars.suspend(write),
            None => write(),
        };
        written.map_err(|error| OutputError(error).into())
    }

    /// Writes a text and the end of its line to standard output.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn text(&self, text: &str) -> anyhow::Result<()> {
        self.data(format!("{}\n", text.strip_suffix('\n').unwrap_or(text)).as_bytes())
    }

    /// Writes a value to standard output as JSON.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn json<T: Serialize + ?Sized>(&self, value: &T) -> anyhow::Result<()> {
        self.text(&serde_json::to_string_pretty(value)?)
    }

    /// Answers with one thing in one of two forms.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn answer<T: Serialize + ?Sized>(
        &self,
        value: &T,
        plain: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if self.json { self.json(value) } else { self.text(&plain()) }
    }

    /// Says something on standard error.
    pub fn note(&self, text: &str) {
        let write = || {
            // Without standard error there is nobody to tell.
            drop(writeln!(io::stderr().lock(), "{text}"));
        };
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    /// Something that takes its time, with a name.
    #[must_use]
    pub fn task(&self, name: &str) -> Task<'_> {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            // The template is a constant; without it the bar has the plain style.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {msg}  {elapsed}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Task { ui: self, name: name.to_owned(), bar, said: Mutex::default() }
    }
}

/// Something that takes its time. Dropping it takes its bar away.
#[derive(Debug)]
pub struct Task<'a> {
    ui: &'a Ui,
    name: String,
    bar: Option<ProgressBar>,
    /// Without a terminal: the stage that was said last, and when.
    said: Mutex<(String, Option<Instant>)>,
}

impl Task<'_> {
    /// Says how much of all there is to do is done. At a terminal it becomes a bar.
    pub fn of(&self, stage: &str, done: u64, all: u64, what: &str) {
        if let Some(bar) = &self.bar {
            let template = "{spinner} {prefix}  {msg}  {wide_bar} {human_pos} of {human_len}  {elapsed}, {eta} left";
            if bar.length().is_none()
                && let Ok(style) = ProgressStyle::with_template(template)
            {
                bar.set_style(style);
            }
            bar.set_length(all.max(done));
            bar.set_position(done);
            bar.set_message(format!("{stage}, {what}"));
            return;
        }
        self.at(stage, &format!("{} of {} {what}", grouped(done), grouped(all)));
    }

    /// Says how far it is: a stage that has a name, and a detail that changes
    /// often.
    pub fn at(&self, stage: &str, detail: &str) {
        let line = if detail.is_empty() { stage.to_owned() } else { format!("{stage}, {detail}") };
        if let Some(bar) = &self.bar {
            bar.set_message(line);
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said.0 != stage || said.1.is_none_or(|at| at.elapsed() >= PLAIN_EVERY) {
            *said = (stage.to_owned(), Some(Instant::now()));
            self.ui.note(&format!("{}: {line}", self.name));
        }
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Logs of the crates that do the work, on standard error: warnings, unless
/// `RUST_LOG` asks for more.
pub fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,aws_config=error"));
    let started = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_target(false)
        .with_env_filter(filter)
        .try_init();
    // A second start keeps the first subscriber.
    drop(started);
}
