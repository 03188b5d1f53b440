//! The drain Lambda: events that Kafka did not take in time are put into it.

mod handler;

use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use runtime::{Environment, SqsEvent};

use crate::handler::Context;

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
            Ok::<_, lambda_runtime::Error>(handler::handle(&context, &event.payload).await)
        }
    }))
    .await
}
