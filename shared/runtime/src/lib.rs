//! What every function needs around its work: the typed environment, logs,
//! metrics, the deadline, the clients of AWS and partial batch responses.

pub mod aws;
mod deadline;
mod environment;
mod logging;
mod metrics;
mod sqs;

pub use deadline::Deadline;
pub use environment::{Environment, EnvironmentError};
pub use logging::start_logging;
pub use metrics::{Metric, Unit, emf};
pub use sqs::{BatchItemFailure, BatchResponse, SqsEvent, SqsMessage};
