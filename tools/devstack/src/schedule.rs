//! The rule that invokes a function again and again, which EventBridge runs in
//! AWS.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use crate::function::Function;

/// A function and the time from one invocation to the next.
#[derive(Debug)]
pub struct Schedule {
    /// The function.
    pub function: Arc<Function>,
    /// The time.
    pub every: Duration,
    /// The region it says it is in.
    pub region: String,
}

impl Schedule {
    /// Invokes until the future is dropped. The first invocation comes after the
    /// time, as a new rule's does; one that takes longer than the time delays the
    /// next, so that a slow function does not pile up.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            // A failed invocation is logged by the function; the next tries anew.
            drop(self.function.invoke(self.event().to_string().into()).await);
        }
    }

    /// What EventBridge sends: the time and the rule, and no detail.
    fn event(&self) -> Value {
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let name = &self.function.options.name;
        json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "123456789012",
            "time": now,
            "region": self.region,
            "resources": [format!("arn:aws:events:{}:123456789012:rule/{name}", self.region)],
            "detail": {}
        })
    }
}
