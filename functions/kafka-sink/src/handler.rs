//! One invocation: from a batch to an answer that names what is to be delivered
//! again. One partition never fails another.

use std::io::Write as _;

use ingest::{Refused, Taken};
use lambda_runtime::LambdaEvent;
use model::Disposed as _;
use runtime::{Deadline, Metric, Unit};

use crate::context::Context;
use crate::event::{KafkaEvent, KafkaResponse};

/// Takes a batch.
pub async fn handle(context: &Context, event: LambdaEvent<KafkaEvent>) -> KafkaResponse {
    let deadline = Deadline::from_lambda(event.context.deadline, context.reserve);
    let delivered = event.payload.into_delivered();
    let Taken { reports, refused } = context.ingest.take(delivered, deadline).await;
    for report in &reports {
        report.log();
        publish(&report.emf(context.ingest.clock.now_ms()));
    }
    for one in &refused {
        complain(context, one);
    }
    KafkaResponse::of(&refused)
}

fn complain(context: &Context, refused: &Refused) {
    let Refused { topic, partition, offset, error } = refused;
    let (chain, disposition) = (error.chain(), error.disposition());
    tracing::error!(state = "refused", %topic, partition, offset, ?disposition, error = chain, "records");
    publish(&runtime::emf(
        u64::try_from(context.ingest.clock.now_ms()).unwrap_or(0),
        &[("Topic", topic)],
        &[Metric { name: "PartitionsRefused", unit: Unit::Count, value: 1 }],
        &[("partition", (*partition).into()), ("offset", (*offset).into())],
    ));
}

/// Writes a line to standard output, where CloudWatch reads metrics from.
fn publish(record: &str) {
    let mut out = std::io::stdout().lock();
    // Without standard output there is nobody to tell.
    drop(writeln!(out, "{record}"));
}
