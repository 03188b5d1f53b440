//! Dead letters of the sink's triggers: Lambda says which records it gave up, by
//! partition and offsets.

use std::collections::BTreeMap;

use anyhow::Context as _;
use ingest::Ingest;
use model::Run;
use runtime::Deadline;
use serde::Deserialize;

use super::Understood;

/// What Lambda tells a destination for failures of records that it gave up
/// (<https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html>).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    #[serde(default)]
    request_context: RequestContext,
    #[serde(rename = "KafkaBatchInfo")]
    batch: BatchInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    condition: String,
    approximate_invoke_count: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfo {
    /// By topic and partition, joined by a hyphen.
    records_info: BTreeMap<String, Places>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Places {
    first_record_offset: Offset,
    last_record_offset: Offset,
}

/// An offset: AWS writes a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Offset {
    Number(i64),
    Text(String),
}

impl Offset {
    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

impl Given {
    fn of(body: &str) -> anyhow::Result<Self> {
        serde_json::from_str(body).context("the message is none of a Kafka trigger")
    }

    fn runs(&self) -> anyhow::Result<Vec<Run>> {
        let run = |(name, places): (&String, &Places)| {
            let (topic, partition) = name.rsplit_once('-')?;
            let start: i64 = places.first_record_offset.number()?;
            let last: i64 = places.last_record_offset.number()?;
            let end = last.checked_add(1).filter(|end| 0 <= start && start < *end)?;
            Some(Run { topic: topic.to_owned(), partition: partition.parse().ok()?, start, end })
        };
        let named = |one: (&String, &Places)| {
            run(one).with_context(|| format!("`{}` names no records: {:?}", one.0, one.1))
        };
        self.batch.records_info.iter().map(named).collect()
    }
}

/// What a message names, and how much of it is still in no table.
pub async fn read(body: &str, ingest: &Ingest) -> Understood {
    let understood = Given::of(body).and_then(|given| Ok((given.runs()?, given.request_context)));
    let (runs, context) = match understood {
        Ok(understood) => understood,
        Err(error) => return Understood::nothing(format!("{error:#}")),
    };
    let mut reasons =
        vec![format!("{} after {} tries", context.condition, context.approximate_invoke_count)];
    for run in &runs {
        reasons.push(match ingest.missing(run).await {
            Ok(0) => format!("all of {run} are accounted for"),
            Ok(missing) => format!("{missing} of {run} are in no table"),
            Err(error) => error.chain(),
        });
    }
    Understood {
        places: runs.iter().map(ToString::to_string).collect(),
        keys: runs.into_iter().map(|run| run.topic).collect(),
        reason: reasons.join("; "),
    }
}

/// Takes the records that a message names: how many were written, filtered or
/// quarantined by it.
pub async fn take(body: &str, ingest: &Ingest) -> anyhow::Result<u64> {
    let mut new = 0;
    for run in Given::of(body)?.runs()? {
        let taken = ingest.take_again(&run, Deadline::none()).await?;
        new += taken.reports.iter().map(|one| one.delivered - one.repeated).sum::<u64>();
        if let Some(refused) = taken.refused.first() {
            let place = format!("{run}, from offset {} on", refused.offset);
            let reason = refused.error.chain();
            return Err(anyhow::Error::msg(reason).context(place));
        }
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn letter(name: &str, first: &str, last: &str) -> String {
        serde_json::json!({
            "requestContext": {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 3},
            "responseContext": null,
            "KafkaBatchInfo": {"batchSize": 2, "recordsInfo": {name: {
                "firstRecordOffset": first, "lastRecordOffset": last,
                "firstRecordTimestamp": "2026-01-02T03:04:05.678Z",
            }}},
        })
        .to_string()
    }

    #[test]
    fn a_letter_names_runs() {
        let given = Given::of(&letter("shop-events-12", "5", "6")).unwrap();
        let run = Run { topic: "shop-events".to_owned(), partition: 12, start: 5, end: 7 };
        assert_eq!(given.runs().unwrap(), [run]);
    }

    #[rstest]
    #[case("events", "5", "6")]
    #[case("events-x", "5", "6")]
    #[case("events-0", "5", "4")]
    #[case("events-0", "-5", "4")]
    #[case("events-0", "5", "9223372036854775807")]
    #[case("events-0", "five", "6")]
    fn what_names_no_records_is_told(#[case] name: &str, #[case] first: &str, #[case] last: &str) {
        let given = Given::of(&letter(name, first, last)).unwrap();
        let error = format!("{:#}", given.runs().unwrap_err());
        assert!(error.contains(name) && error.contains("no records"), "{error}");
        assert!(Given::of("{}").is_err());
    }
}
