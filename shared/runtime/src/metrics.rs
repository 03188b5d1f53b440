//! Metrics as CloudWatch's Embedded Metric Format: one line on standard output
//! that CloudWatch turns into metrics, so that no call is made for them.
//!
//! Format: CloudWatch User Guide, "Specification: Embedded metric format".

use serde_json::{Map, Value, json};

/// Namespace of all metrics of the platform.
const NAMESPACE: &str = "Motherlode";

/// Unit of a metric, as CloudWatch names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A number of bytes.
    Bytes,
    /// A time in milliseconds.
    Milliseconds,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// One metric of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Name, such as `RowsWritten`.
    pub name: &'static str,
    /// Unit of the value.
    pub unit: Unit,
    /// The value.
    pub value: u64,
}

/// One EMF record: a line to be written to standard output.
///
/// `dimensions` become dimensions of every metric; `properties` are searchable
/// in the log, but make no metric.
#[must_use]
pub fn emf(
    timestamp_ms: u64,
    dimensions: &[(&str, &str)],
    metrics: &[Metric],
    properties: &[(&str, Value)],
) -> String {
    let names: Vec<_> = dimensions.iter().map(|(name, _)| *name).collect();
    let definitions: Vec<_> = metrics
        .iter()
        .map(|metric| json!({"Name": metric.name, "Unit": metric.unit.name()}))
        .collect();
    let mut record = Map::new();
    record.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": timestamp_ms,
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": definitions}],
        }),
    );
    for (name, value) in dimensions {
        record.insert((*name).to_owned(), json!(value));
    }
    for metric in metrics {
        record.insert(metric.name.to_owned(), json!(metric.value));
    }
    for (name, value) in properties {
        record.insert((*name).to_owned(), value.clone());
    }
    Value::Object(record).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_its_metrics_and_holds_their_values() {
        let line = emf(
            1,
            &[("Source", "flights")],
            &[Metric { name: "RowsWritten", unit: Unit::Count, value: 7 }],
            &[("object", json!("s3://b/k"))],
        );
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Source"]]));
        assert_eq!(record["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"], "RowsWritten");
        assert_eq!(record["RowsWritten"], 7);
        assert_eq!(record["Source"], "flights");
        assert_eq!(record["object"], "s3://b/k");
    }
}
