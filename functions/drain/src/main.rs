//! The drain Lambda: events that Kafka did not take in time are put into it.

// The compiler looks through the futures from the handler down to the clients
// of AWS and Kafka at once; its own limit of 128 is too small for that.
#![recursion_limit = "256"]

mod handler;

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::{LambdaEvent, service_fn};
use runtime::{Deadline, Environment, SqsEvent};

use crate::handler::Context;

/// What is left of an invocation's time for its answer.
const RESERVE: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::start_logging();
    let context = match Context::new(&Environment::of_process()).await {
        Ok(context) => Arc::new(context),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "cold start failed");
            return Err(error.into());
        }
    };
    lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| {
        let context = context.clone();
        async move {
            let deadline = Deadline::from_lambda(event.context.deadline, RESERVE);
            let response = handler::handle(&context, &event.payload, deadline).await;
            Ok::<_, lambda_runtime::Error>(response)
        }
    }))
    .await
}
