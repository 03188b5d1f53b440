//! The pixel Lambda: events of browsers, apps and servers are put into Kafka.

// The compiler looks through the futures from the handler down to the clients
// of AWS and Kafka at once; its own limit of 128 is too small for that.
#![recursion_limit = "256"]

mod answer;
mod body;
mod context;
mod cookie;
mod durable;
mod event;
mod facts;
mod handler;
mod key;
mod schemas;

use std::convert::Infallible;
use std::sync::Arc;

use lambda_http::{Request, service_fn};
use runtime::Environment;

use crate::context::Context;

// One request at a time: threads would only wake one another.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    runtime::start_logging();
    let context = match Context::new(&Environment::of_process()).await {
        Ok(context) => Arc::new(context),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "cold start failed");
            return Err(error.into());
        }
    };
    lambda_http::run(service_fn(move |request: Request| {
        let context = context.clone();
        async move { Ok::<_, Infallible>(handler::handle(&context, request).await) }
    }))
    .await
}
