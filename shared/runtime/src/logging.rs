//! Logs: one JSON object a line on standard output, a constant message with
//! fields, as CloudWatch Logs Insights reads them.

use tracing_subscriber::EnvFilter;

/// What is logged when nobody says otherwise. The client library of Kafka tells
/// of every connection, and of errors that come to us anyway.
const DEFAULT: &str = "info,rskafka=off";

/// Starts logging for a function. `RUST_LOG` chooses what is logged.
pub fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_target(false)
        .try_init();
    // A second start (in tests) keeps the first subscriber.
    drop(started);
}
