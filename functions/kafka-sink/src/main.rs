//! The kafka-sink Lambda: records of Kafka are written into ClickHouse, each
//! once, however Lambda cuts and repeats its batches.

// The compiler looks through the futures from the handler down to the clients
// of AWS and Kafka at once; its own limit of 128 is too small for that.
#![recursion_limit = "256"]

mod context;
mod event;
mod handler;

use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use runtime::Environment;

use crate::context::Context;
use crate::event::KafkaEvent;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::start_logging();
    let context = match Context::new(&Environment::of_process()).await {
        Ok(context) => Arc::new(context),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "cold start failed");
            return Err(error.into());
        }
    };
    lambda_runtime::run(service_fn(move |event: LambdaEvent<KafkaEvent>| {
        let context = context.clone();
        async move { Ok::<_, lambda_runtime::Error>(handler::handle(&context, event).await) }
    }))
    .await
}
