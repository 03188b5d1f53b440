//! What the ledger's record of an object means for whoever waits for it. Pure:
//! the clock is passed in.

use ledger::{Record, State};

use crate::table::grouped;

/// After this long without anybody at work, waiting makes no sense.
pub const PATIENCE_MS: i64 = 60_000;
/// After this long, what stood in an object's way is told rather than waited out.
const RETRY_PATIENCE_MS: i64 = 5_000;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Look again.
    Wait,
    /// The object has landed.
    Landed,
    /// The object cannot be loaded, for this reason.
    Failed(String),
    /// Nobody is at work on it: what was seen, and what to check.
    Stalled {
        /// What was seen.
        seen: String,
        /// What to check.
        check: String,
    },
}

/// Judges a record. `before` is the number of claims that the object had before
/// it was uploaded: a failure that is older says nothing about this upload.
pub fn judge(record: Option<&Record>, before: u64, uploaded_ms: i64, now_ms: i64) -> Next {
    let Some(record) = record else { return waiting(uploaded_ms, now_ms) };
    match (record.state, &record.reason) {
        (State::Done, _) if record.table.is_some() => Next::Landed,
        (State::Failed, _) if record.fence <= before => waiting(uploaded_ms, now_ms),
        (State::Failed, Some(reason)) => Next::Failed(reason.clone()),
        (State::Paused, Some(reason))
            if record.fence > before
                && now_ms.saturating_sub(record.updated_at_ms) >= RETRY_PATIENCE_MS =>
        {
            Next::Stalled {
                seen: reason.clone(),
                check: "the queue delivers it again after its visibility timeout, up to its maximum of receives: mend what is said above, then see `motherlode objects`".to_owned(),
            }
        }
        // The stand-in for DynamoDB shows changes half made: an end without its
        // table or its reason is one that is being written.
        (
            State::Loading
            | State::Paused
            | State::Split
            | State::Replaced
            | State::Done
            | State::Failed,
            _,
        ) => {
            let idle_since = record.lease_until_ms.max(record.updated_at_ms).max(uploaded_ms);
            if now_ms.saturating_sub(idle_since) < PATIENCE_MS {
                return Next::Wait;
            }
            Next::Stalled {
                seen: format!(
                    "{} stands at row {} and nobody has gone on with it for {} seconds",
                    record.object,
                    grouped(record.next_row),
                    PATIENCE_MS / 1000
                ),
                check: "its message may be in the dead letters: see `motherlode stack status` and the log of the function; a second `motherlode load` goes on where it stands".to_owned(),
            }
        }
    }
}

fn waiting(uploaded_ms: i64, now_ms: i64) -> Next {
    if now_ms.saturating_sub(uploaded_ms) < PATIENCE_MS {
        return Next::Wait;
    }
    Next::Stalled {
        seen: format!("nothing has picked the object up for {} seconds", PATIENCE_MS / 1000),
        check: "check that the bucket notifies the queue of `mother`, that `mother` runs (`motherlode stack status`), and whether the message is in the dead letters; `motherlode load --local` works without them".to_owned(),
    }
}

/// How far an object is, in words: a stage, and a detail that changes often.
#[must_use]
pub fn progress_of(record: Option<&Record>) -> (&'static str, String) {
    match record {
        None => ("waiting to be picked up", String::new()),
        Some(record) => {
            let stage = match record.state {
                State::Loading => "loading",
                State::Paused => "paused between two invocations",
                State::Done => "done",
                State::Split => "loading in parts",
                State::Replaced => "waiting to be loaded once more",
                State::Failed => "failed before, waiting to be tried again",
            };
            (stage, format!("{} rows", grouped(record.counts.rows_read)))
        }
    }
}

#[cfg(test)]
mod tests {
    use model::ObjectId;
    use rstest::rstest;

    use super::*;

    fn record(state: State, fence: u64, lease_until_ms: i64) -> Record {
        let object = ObjectId { bucket: "b".to_owned(), key: "k".to_owned(), etag: "e".to_owned() };
        Record {
            source: "s".to_owned(),
            object,
            part: None,
            parts: Vec::new(),
            again_ms: 0,
            state,
            owner: "o".to_owned(),
            lease_until_ms,
            fence,
            config_version: 1,
            written_version: None,
            next_row: 0,
            counts: model::Counts::default(),
            bytes: 0,
            steps: ledger::StepMillis::default(),
            pending: None,
            extents: Vec::new(),
            is_owing: false,
            payer: None,
            attempt: 1,
            put_offs: 0,
            claimed_at_ms: 0,
            updated_at_ms: 0,
            finished_at_ms: None,
            duration_ms: 0,
            cluster: None,
            table: Some("d.t".to_owned()),
            reason: Some("bad".to_owned()),
        }
    }

    #[rstest]
    #[case(None, 0, 59_999, "wait")]
    #[case(None, 0, 60_000, "stalled")]
    #[case(Some(record(State::Done, 1, 0)), 0, 0, "landed")]
    #[case(Some(record(State::Failed, 1, 0)), 0, 0, "failed")]
    // The failure is that of an earlier upload.
    #[case(Some(record(State::Failed, 1, 0)), 1, 0, "wait")]
    #[case(Some(record(State::Failed, 1, 0)), 1, 60_000, "stalled")]
    #[case(Some(record(State::Failed, 2, 0)), 1, 60_000, "failed")]
    #[case(Some(record(State::Loading, 1, 500_000)), 0, 559_999, "wait")]
    #[case(Some(record(State::Loading, 1, 500_000)), 0, 560_000, "stalled")]
    #[case(Some(record(State::Paused, 1, 0)), 0, 4_999, "wait")]
    #[case(Some(record(State::Paused, 1, 0)), 0, 5_000, "stalled")]
    #[case(Some(record(State::Paused, 1, 0)), 1, 5_000, "wait")]
    #[case(Some(Record { reason: None, ..record(State::Paused, 1, 0) }), 0, 59_999, "wait")]
    #[case(Some(Record { table: None, ..record(State::Done, 1, 0) }), 0, 0, "wait")]
    #[case(Some(Record { reason: None, ..record(State::Failed, 1, 0) }), 0, 0, "wait")]
    fn records_are_judged(
        #[case] record: Option<Record>,
        #[case] before: u64,
        #[case] now_ms: i64,
        #[case] verdict: &str,
    ) {
        let word = match judge(record.as_ref(), before, 0, now_ms) {
            Next::Wait => "wait",
            Next::Landed => "landed",
            Next::Failed(reason) => {
                assert_eq!(reason, "bad");
                "failed"
            }
            Next::Stalled { .. } => "stalled",
        };
        assert_eq!(word, verdict);
    }
}
