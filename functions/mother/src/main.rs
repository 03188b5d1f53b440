//! The mother Lambda: files that land in S3 are loaded into ClickHouse.

// The compiler looks through the futures from the handler down to the clients
// of AWS and Kafka at once; its own limit of 128 is too small for that.
#![recursion_limit = "256"]

mod context;
mod handler;
mod queue;

use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use runtime::Environment;

use crate::context::Context;

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
    lambda_runtime::run(service_fn(move |event: LambdaEvent<serde_json::Value>| {
        let context = context.clone();
        async move { handler::handle(&context, event).await }
    }))
    .await
}
