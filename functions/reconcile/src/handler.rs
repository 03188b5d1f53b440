//! One invocation: pay until nothing is owed or the time is over.

use std::io::Write as _;

use ingest::{Debt, Paid, Scope, Watch};
use lambda_runtime::LambdaEvent;
use runtime::{Deadline, Metric, Unit};
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;

/// What a direct invocation may ask for; a schedule's own event asks for nothing.
#[derive(Debug, Default, Deserialize)]
struct Wish {
    /// Only what objects of this source owe.
    source: Option<String>,
    /// Also objects that no debt is noted of.
    #[serde(default)]
    all: bool,
}

/// Handles a schedule's event, or `{"source": …, "all": …}`.
pub async fn handle(
    context: &Context,
    event: LambdaEvent<Value>,
) -> Result<Value, lambda_runtime::Error> {
    let deadline = Deadline::from_lambda(event.context.deadline, context.reserve);
    let is_scheduled = event.payload.get("detail-type").is_some();
    let wish = if is_scheduled || !event.payload.is_object() {
        Wish::default()
    } else {
        serde_json::from_value(event.payload)?
    };
    let scope = Scope { source: wish.source, all: wish.all };
    let summary = context.ingest.reconcile(&scope, deadline, &Log).await?;
    let count = |name, value| Metric { name, unit: Unit::Count, value };
    let now_ms = u64::try_from(context.ingest.clock.now_ms()).unwrap_or(0);
    let record = runtime::emf(
        now_ms,
        &[("Function", "reconcile")],
        &[
            count("ObjectsReconciled", summary.objects),
            count("RowsReconciled", summary.paid.rows_written),
            count("ObjectsOwing", summary.interrupted + summary.failures.len() as u64),
        ],
        &[],
    );
    // Without standard output there is nobody to tell.
    drop(writeln!(std::io::stdout().lock(), "{record}"));
    for failure in &summary.failures {
        tracing::error!(failure, "not reconciled");
    }
    Ok(serde_json::to_value(&summary)?)
}

/// Says what is paid.
struct Log;

impl Watch for Log {
    fn begin(&self, debts: &[Debt]) {
        for debt in debts {
            tracing::info!(
                object = %debt.object,
                source = debt.source,
                cluster = debt.cluster,
                rows = debt.rows,
                ambiguous_rows = debt.ambiguous_rows,
                "debt"
            );
        }
    }

    fn paid(&self, cluster: &str, paid: Paid) {
        tracing::debug!(cluster, rows = paid.rows_written, "paid");
    }
}
