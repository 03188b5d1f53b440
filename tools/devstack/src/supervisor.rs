//! The one process that runs a stack: starts the parts, answers the control
//! API, and takes everything down with it.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client as Sqs;
use futures::future::{OptionFuture, join_all, try_join_all, try_join3};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::aws::sdk_config;
use crate::broker::Broker;
use crate::clickhouse::Cluster;
use crate::error::{Error, Result, chain};
use crate::function::Function;
use crate::gateway::Gateway;
use crate::kafka_event::Origin;
use crate::kafka_source::{KafkaSource, Progress};
use crate::lock::Lock;
use crate::moto::Moto;
use crate::options::{FunctionOptions, KafkaSourceOptions, Options};
use crate::schedule::Schedule;
use crate::sqs_source::SqsSource;
use crate::state::{AwsState, FunctionState, Phase, StackState};
use crate::{control, http, resources, setup};

/// A running stack, as the control API sees it.
#[derive(Debug)]
pub(crate) struct Stack {
    /// What it consists of.
    pub state: StackState,
    /// The clusters.
    pub clusters: Vec<Cluster>,
    /// The AWS stand-in.
    pub moto: Option<Moto>,
    /// The Kafka broker.
    pub kafka: Option<Broker>,
    /// A client for the queues.
    pub sqs: Option<Sqs>,
    /// The functions.
    pub functions: Vec<Arc<Function>>,
    /// The topics that invoke them.
    pub topics: Vec<Arc<KafkaSource>>,
    /// Set to true to shut down.
    pub stop: watch::Sender<bool>,
}

/// HTTP APIs that nobody serves yet.
type Gateways = Vec<(TcpListener, Arc<Gateway>)>;

/// Runs a stack until SIGTERM, SIGINT, a request to stop or, when attached,
/// the end of standard input.
///
/// # Errors
/// When it is not called on the main thread, the stack is up already, or a
/// part does not start.
pub fn serve(options: &Options) -> Result<()> {
    // The kernel kills our children when the thread that started them ends.
    #[cfg(target_os = "linux")]
    if rustix::thread::gettid() != rustix::process::getpid() {
        return Err(Error::NotMainThread);
    }
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(Error::NotMainThread);
    }
    // Standard error is the supervisor's log. A subscriber that the program
    // has installed already is as good.
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| crate::LOGGED.into()),
        )
        .try_init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("start", Path::new("the async runtime")))?;
    runtime.block_on(run(options))
}

/// The file that is locked while a stack is up.
pub(crate) fn lock_file(dir: &Path) -> PathBuf {
    dir.join("lock")
}

async fn run(options: &Options) -> Result<()> {
    let options = options.resolved()?;
    let dir = options.dir();
    // Whoever asks whether a stack is up holds the lock for a moment.
    let lock =
        tokio::time::timeout(Duration::from_secs(2), Lock::take(&lock_file(&dir), || {})).await;
    let Ok(lock) = lock else { return Err(Error::AlreadyUp { dir }) };
    let _lock = lock?;
    let stop = watch::Sender::new(false);
    stop_on_signals(&stop)?;
    if options.attached {
        stop_at_end_of_input(&stop);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.map_err(Error::io("listen on", Path::new("127.0.0.1")))?;
    let control = listener.local_addr().map_err(Error::io("listen on", Path::new("127.0.0.1")))?;
    let state = StackState {
        instance: uuid::Uuid::new_v4().to_string(),
        name: options.name.clone(),
        dir: dir.clone(),
        pid: std::process::id(),
        phase: Phase::Starting("starting".into()),
        control: control.to_string(),
        aws: None,
        clusters: vec![],
        kafka: None,
        functions: vec![],
        buckets: vec![],
    };
    state.write()?;

    let mut stopped = stop.subscribe();
    let started = tokio::select! {
        started = start(&options, state.clone(), stop) => started,
        // What has been started is killed when the other branch is dropped.
        _ = stopped.wait_for(|stop| *stop) => {
            StackState::remove(&dir)?;
            return Ok(());
        }
    };
    let (stack, gateways) = match started {
        Ok((stack, gateways)) => (Arc::new(stack), gateways),
        Err(error) => {
            StackState { phase: Phase::Failed(chain(&error)), ..state }.write()?;
            return Err(error);
        }
    };

    let mut work = JoinSet::new();
    work.spawn(http::serve(listener, control::handler(stack.clone()), watch::Sender::new(0)));
    for source in sources(&stack) {
        work.spawn(source.run());
    }
    for source in &stack.topics {
        work.spawn(source.clone().run());
    }
    for schedule in schedules(&stack, &options.region) {
        work.spawn(schedule.run());
    }
    for (listener, gateway) in gateways {
        let answer = move |request| {
            let gateway = gateway.clone();
            async move { gateway.answer(request).await }
        };
        work.spawn(http::serve(listener, answer, watch::Sender::new(0)));
    }
    stack.state.write_env_file()?;
    stack.state.write()?;
    tracing::info!(control = stack.state.control, "stack ready");

    // The sender lives in the stack.
    let _ = stopped.wait_for(|stop| *stop).await;
    tracing::info!("stack stopping");
    stop_all(&stack).await;
    work.shutdown().await;
    StackState::remove(&dir)
}

/// Starts every part; nothing is ready before all are.
async fn start(
    options: &Options,
    mut state: StackState,
    stop: watch::Sender<bool>,
) -> Result<(Stack, Gateways)> {
    let dir = &state.dir.clone();
    let logs = dir.join("logs");
    let data = dir.join("clickhouse");
    if !options.keep_data && data.exists() {
        std::fs::remove_dir_all(&data).map_err(Error::io("remove", &data))?;
    }
    let launcher = options.launcher();
    let tools = setup::ensure(options, &|step| tracing::info!(step, "setting up")).await?;
    let step = |state: &mut StackState, text: &str| {
        state.phase = Phase::Starting(text.into());
        state.write()
    };

    step(&mut state, "starting the servers")?;
    let clusters = try_join_all(options.clusters.iter().zip(tools.clickhouse.iter().cycle()).map(
        |(cluster, engine)| {
            let log = logs.join(format!("clickhouse-{}.log", cluster.name));
            Cluster::start(cluster, engine, &launcher, data.join(&cluster.name), log)
        },
    ));
    let moto = async {
        let moto = tools
            .python
            .as_ref()
            .map(|python| Moto::start(python, &launcher, logs.join("aws.log")));
        OptionFuture::from(moto).await.transpose()
    };
    let kafka = async {
        let wanted = options.kafka.as_ref().zip(tools.kafka.as_ref());
        let kafka = wanted.map(|(options, java)| {
            Broker::start(options, java, &launcher, dir.join("kafka"), logs.join("kafka.log"))
        });
        OptionFuture::from(kafka).await.transpose()
    };
    let (clusters, moto, kafka) = try_join3(clusters, moto, kafka).await?;
    state.kafka = kafka.as_ref().map(|broker| broker.state.clone());
    state.clusters = clusters.iter().map(|cluster| cluster.state.clone()).collect();

    let mut sqs = None;
    if let Some(moto) = &moto {
        step(&mut state, "creating queues, buckets, tables and secrets")?;
        let aws = AwsState {
            endpoint: format!("http://{}", moto.address),
            region: options.region.clone(),
        };
        let config = sdk_config(&aws);
        state.functions = resources::create(&config, options, &state.clusters).await?;
        state.buckets = options.buckets.iter().map(|bucket| bucket.name.clone()).collect();
        state.aws = Some(aws);
        sqs = Some(Sqs::new(&config));
    } else {
        let names = options.functions.iter().map(|function| FunctionState::new(&function.name));
        state.functions = names.collect();
    }
    let listeners = listen(options, &mut state).await?;
    let functions: Vec<_> = options
        .functions
        .iter()
        .map(|function| {
            let env = environment(&state, function);
            Arc::new(Function::new(function, &options.region, &launcher, &logs, env))
        })
        .collect();
    let topics = kafka.as_ref().map(|kafka| topics(&state, kafka, sqs.as_ref(), &functions));
    let topics = topics.unwrap_or_default();
    let gateways = gateways(listeners, &functions, &state);
    state.phase = Phase::Ready;
    Ok((Stack { state, clusters, moto, kafka, sqs, functions, topics, stop }, gateways))
}

/// Opens the HTTP APIs of the functions that have one.
async fn listen(options: &Options, state: &mut StackState) -> Result<Vec<(String, TcpListener)>> {
    let mut listeners = Vec::new();
    for function in options.functions.iter().filter(|function| function.http) {
        let listen = || Error::io("listen on", Path::new("127.0.0.1"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listen())?;
        let address = listener.local_addr().map_err(listen())?;
        for known in state.functions.iter_mut().filter(|known| known.name == function.name) {
            known.url = Some(format!("http://{address}"));
        }
        listeners.push((function.name.clone(), listener));
    }
    Ok(listeners)
}

fn gateways(
    listeners: Vec<(String, TcpListener)>,
    functions: &[Arc<Function>],
    state: &StackState,
) -> Gateways {
    let gateway = |(name, listener): (String, TcpListener)| {
        let function = functions.iter().find(|function| function.options.name == name)?.clone();
        let url = state.function(&name)?.url.clone()?;
        let address = url.trim_start_matches("http://").to_owned();
        Some((listener, Arc::new(Gateway { function, address })))
    };
    listeners.into_iter().filter_map(gateway).collect()
}

/// The stack's variables and the function's own queue.
fn environment(state: &StackState, function: &FunctionOptions) -> BTreeMap<String, String> {
    let mut env = state.environment();
    env.insert("MOTHERLODE_CLUSTERS".into(), state.clusters_of(&function.name));
    let known = state.function(&function.name);
    if let (Some(url), Some(queue)) =
        (known.and_then(|known| known.queue_url.clone()), &function.queue)
    {
        env.insert("MOTHERLODE_QUEUE_URL".into(), url);
        env.insert("MOTHERLODE_MAX_RECEIVES".into(), queue.max_receive_count.to_string());
    }
    env
}

fn sources(stack: &Stack) -> Vec<SqsSource> {
    let source = |function: &Arc<Function>| {
        Some(SqsSource {
            client: stack.sqs.clone()?,
            queue_url: stack.state.function(&function.options.name)?.queue_url.clone()?,
            region: stack.state.aws.as_ref()?.region.clone(),
            queue: function.options.queue.clone()?,
            function: function.clone(),
        })
    };
    stack.functions.iter().filter_map(source).collect()
}

fn schedules<'a>(stack: &'a Stack, region: &'a str) -> impl Iterator<Item = Schedule> + 'a {
    stack.functions.iter().filter_map(|function| {
        let every = Duration::from_secs(function.options.schedule_seconds?.into());
        Some(Schedule { function: function.clone(), every, region: region.to_owned() })
    })
}

fn topics(
    state: &StackState,
    broker: &Broker,
    sqs: Option<&Sqs>,
    functions: &[Arc<Function>],
) -> Vec<Arc<KafkaSource>> {
    let source = |function: &Arc<Function>, options: &KafkaSourceOptions| {
        let name = &function.options.name;
        let letters = state.function(name).and_then(|known| known.dlq_url.clone());
        Arc::new(KafkaSource {
            options: options.clone(),
            origin: Origin {
                topic: options.topic.clone(),
                bootstrap: broker.state.bootstrap.clone(),
                region: state.aws.as_ref().map_or_else(String::new, |aws| aws.region.clone()),
                self_managed: options.self_managed,
            },
            function: function.clone(),
            reader: kafka::Reader::new(broker.config()),
            destination: sqs.cloned().zip(letters).filter(|_| options.on_failure),
            file: state.dir.join("kafka").join(format!("offsets-{name}-{}.json", options.topic)),
            progress: Progress::default(),
        })
    };
    let sources = |function| {
        let function: &Arc<Function> = function;
        function.options.kafka.iter().map(|options| source(function, options)).collect::<Vec<_>>()
    };
    functions.iter().flat_map(sources).collect()
}

/// Kills every child. None of them has anything to lose: ClickHouse writes
/// before it answers, and the AWS stand-in keeps nothing.
async fn stop_all(stack: &Stack) {
    join_all(stack.functions.iter().map(|function| function.stop())).await;
    join_all(stack.clusters.iter().map(Cluster::kill)).await;
    if let Some(moto) = &stack.moto {
        moto.child.kill().await;
    }
    if let Some(kafka) = &stack.kafka {
        kafka.kill().await;
    }
}

fn stop_on_signals(stop: &watch::Sender<bool>) -> Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut signals = signal(kind).map_err(Error::io("listen for", Path::new("signals")))?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.send_replace(true);
        });
    }
    Ok(())
}

/// A thread of its own, because a runtime cannot end while a read of standard
/// input is under way.
fn stop_at_end_of_input(stop: &watch::Sender<bool>) {
    let stop = stop.clone();
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut ignored = [0; 64];
        while matches!(input.read(&mut ignored), Ok(count) if count > 0) {}
        stop.send_replace(true);
    });
}
