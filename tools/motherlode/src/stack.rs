//! The local stack: up, status, down.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use devstack::{
    BucketOptions, FunctionOptions, KafkaOptions, Options, Program, QueueOptions, TopicOptions,
};
use serde_json::json;

use crate::cli::Global;
use crate::clickstream;
use crate::failure::{Advise as _, advised};
use crate::target::{DEFAULT_STACK, Target};
use crate::ui::Ui;

/// The bucket whose objects the stack loads.
pub const LANDING: &str = "landing";

/// Time from one run of `reconcile` to the next, as in the template for AWS.
const RECONCILE_SECONDS: u32 = 300;

/// Commands on the local stack.
#[derive(Debug, Subcommand)]
pub enum StackCommand {
    /// Start ClickHouse, AWS and the functions on this machine.
    Up(UpArgs),
    /// What runs where, how to query it, and what is wrong.
    Status(NameArgs),
    /// Stop everything that `up` has started.
    Down(NameArgs),
    /// Run a stack in this process (how `up` runs it in the background).
    #[command(hide = true)]
    Serve(ServeArgs),
}

/// Which stack, and what it has beside the usual.
#[derive(Debug, Args)]
pub struct UpArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Start a Kafka broker too (needs Java 17 and Maven; about 200 MB).
    #[arg(long)]
    kafka: bool,
    /// Start the clickstream lane too: Kafka, the pixel behind an HTTP API, its drain
    /// and the sink, and make its tables on the cluster `ingestion`.
    #[arg(long)]
    clickstream: bool,
    /// Make a Kafka topic; may be repeated.
    #[arg(long = "topic", value_name = "NAME[:PARTITIONS]", requires = "kafka")]
    topics: Vec<String>,
}

/// Which stack.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// Name of the stack; several can run side by side.
    #[arg(long)]
    name: Option<String>,
}

/// Where the options of the stack lie.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The file that `up` has written.
    #[arg(long)]
    options: PathBuf,
}

/// Runs a stack in this process until it is stopped. Must be called on the main
/// thread, outside of any runtime.
pub fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    Ok(devstack::serve(&Options::read(&args.options)?)?)
}

/// Does what is asked of the stack.
pub async fn run(command: StackCommand, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    match command {
        StackCommand::Up(args) => up(&args, global, ui).await,
        StackCommand::Status(args) => status(&args.name(global), global, ui).await,
        StackCommand::Down(args) => down(&args.name(global), global, ui).await,
        StackCommand::Serve(_) => {
            Err(advised("`stack serve` was reached inside a runtime", "report this: it is a bug"))
        }
    }
}

impl NameArgs {
    fn name(&self, global: &Global) -> String {
        self.name
            .clone()
            .or_else(|| global.stack.clone())
            .unwrap_or_else(|| DEFAULT_STACK.to_owned())
    }
}

/// What a stack of this program consists of: three clusters, AWS, `mother`
/// behind the bucket `landing`, and `reconcile` on its schedule.
///
/// # Errors
/// When a function is not built.
pub fn options(root: &Path, name: &str) -> anyhow::Result<Options> {
    let this = std::env::current_exe()?;
    let mut mother = FunctionOptions::new("mother", sibling(&this, "mother")?);
    mother.timeout_seconds = 60;
    mother.queue = Some(QueueOptions {
        // Longer than an invocation, so that a message is not seen twice by
        // itself; a message of an object that somebody holds waits less.
        visibility_timeout_s: 90,
        max_receive_count: 5,
        ..QueueOptions::default()
    });
    let mut reconcile = FunctionOptions::new("reconcile", sibling(&this, "reconcile")?);
    reconcile.timeout_seconds = 60;
    reconcile.concurrency = 1;
    reconcile.schedule_seconds = Some(RECONCILE_SECONDS);
    let defaults = Options::default();
    Ok(Options {
        name: name.to_owned(),
        root: root.to_owned(),
        program: Program { path: this, ..defaults.program.clone() },
        buckets: vec![BucketOptions {
            name: LANDING.to_owned(),
            notify: Some("mother".to_owned()),
        }],
        functions: vec![mother, reconcile],
        ..defaults
    })
}

/// A program that was built beside this one.
///
/// # Errors
/// When it is not there.
pub fn sibling(this: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = this.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(advised(
        format!("the program `{name}` is not beside this one ({})", path.display()),
        format!("build it: cargo build --release -p {name}"),
    ))
}

/// A topic as the command line names it; one partition unless it says more.
fn topic(text: &str) -> anyhow::Result<TopicOptions> {
    let (name, partitions) = text.split_once(':').unwrap_or((text, "1"));
    let partitions = partitions.parse().ok().filter(|count| *count > 0).ok_or_else(|| {
        advised(
            format!("the topic `{text}` has no number of partitions"),
            "write NAME or NAME:PARTITIONS, such as events:6",
        )
    })?;
    Ok(TopicOptions { name: name.to_owned(), partitions })
}

async fn up(args: &UpArgs, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let name = &args.name.name(global);
    let mut options = options(&global.root, name)?;
    if args.kafka {
        let topics = args.topics.iter().map(|text| topic(text)).collect::<anyhow::Result<_>>()?;
        options.kafka = Some(KafkaOptions { topics, ..KafkaOptions::default() });
    }
    if args.clickstream {
        options = clickstream::added_to(options)?;
    }
    let state = {
        let task = ui.task(&format!("stack {name}"));
        devstack::up(&options, &|step| task.at(step, ""))
            .await
            .hint(|| format!("the logs are under {}", options.dir().join("logs").display()))?
    };
    if args.clickstream {
        let target = Target::of_stack(&state).await;
        clickstream::make_tables(&target.warehouse()?, "ingestion").await?;
    }
    if ui.is_json() {
        return ui.json(&json!({"state": state, "environment": state.environment()}));
    }
    let status = devstack::status(&options.dir()).await?;
    ui.text(&devstack::render_status(&status))?;
    ui.text(&how_to_go_on(name))
}

/// What can be done with a stack that is up.
fn how_to_go_on(name: &str) -> String {
    let flag = if name == DEFAULT_STACK { String::new() } else { format!(" --stack {name}") };
    let down = format!("motherlode{flag} stack down");
    let width = 47 + flag.len();
    format!(
        "\nhow to go on:\n\
         \x20 motherlode{flag} sources infer FILE -o SOURCE.yaml   propose a source document\n\
         \x20 motherlode{flag} sources put SOURCE.yaml             register it\n\
         \x20 motherlode{flag} load FILE --source SOURCE           upload the file and follow it\n\
         \x20 motherlode{flag} query 'SELECT …'                    look at the rows\n\
         \x20 {down:<width$}stop everything"
    )
}

async fn status(name: &str, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let status = devstack::status(&devstack::stack_dir(&global.root, name))
        .await
        .hint(|| format!("start it with `motherlode stack up --name {name}`"))?;
    ui.answer(&status, || devstack::render_status(&status))?;
    if status.problems.is_empty() {
        return Ok(());
    }
    Err(advised(
        format!("the stack {name} is up and not in order: {}", status.problems.join("; ")),
        format!(
            "see `motherlode objects --failed` and the logs under {}",
            status.state.dir.join("logs").display()
        ),
    ))
}

async fn down(name: &str, global: &Global, ui: &Ui) -> anyhow::Result<()> {
    let dir = devstack::stack_dir(&global.root, name);
    let was_up = devstack::down(&dir).await.hint(|| {
        format!("see the processes of {} and end the supervisor by hand", dir.display())
    })?;
    let words = if was_up { "is stopped" } else { "was not up" };
    ui.answer(&json!({"stack": name, "was_up": was_up}), || format!("the stack {name} {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_one_partition_unless_it_says_more() {
        let partitions = |text| topic(text).map(|topic| (topic.name, topic.partitions)).ok();
        assert_eq!(partitions("events"), Some(("events".to_owned(), 1)));
        assert_eq!(partitions("events:6"), Some(("events".to_owned(), 6)));
        assert_eq!(partitions("events:0"), None);
        assert_eq!(partitions("events:many"), None);
    }

    #[test]
    fn a_missing_program_says_how_to_build_it() {
        let dir = tempfile::tempdir().unwrap();
        let this = dir.path().join("motherlode");
        let error = sibling(&this, "mother").unwrap_err();
        assert!(error.to_string().contains("`mother` is not beside this one"), "{error}");
        std::fs::write(dir.path().join("mother"), "").unwrap();
        assert_eq!(sibling(&this, "mother").unwrap(), dir.path().join("mother"));
    }
}
