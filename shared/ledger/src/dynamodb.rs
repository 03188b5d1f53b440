//! The ledger in DynamoDB: every change is one conditional `UpdateItem`.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use dynamo::{Fault, TableName, number, text, time};
use model::{Clock, Counts, ObjectId};

use crate::change::Change;
use crate::item::{
    extents_attribute, key_of, part_attribute, parts_attribute, pending_attribute, record,
    steps_attribute,
};
use crate::table::table_name;
use crate::transition::{
    Standing, Verdict, Write, advance, anew, bounded, failed_split, held, in_order, judge,
    lease_end, lost_debts, may_reopen, may_replace, put_offs, standing, united,
};
use crate::{
    ChunkDone, Claim, ClaimOutcome, ClaimRequest, DebtClaim, Extent, Ledger, LedgerError,
    ListQuery, Part, Pending, Record, State, Totals, is_owing,
};

/// Tries of one claim before it is given back: each further one means that the
/// object changed hands in between.
const CLAIM_TRIES: usize = 4;

/// The ledger in a DynamoDB table (see [`crate::create_table`] for its shape).
#[derive(Debug, Clone)]
pub struct DynamoLedger {
    pub(crate) client: Client,
    pub(crate) table: TableName,
    clock: Clock,
}

impl DynamoLedger {
    /// A ledger in the table of that name. The clock says when leases end; the
    /// clocks of all workers should agree to within a fraction of a lease. They
    /// need not agree for exactly-once: that rests on the fence alone.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, clock: Clock) -> Self {
        Self { client, table: table_name(table), clock }
    }

    /// Does a change, or gives the record that refused it (none: no such item).
    async fn update(
        &self,
        key: &str,
        change: Change,
    ) -> Result<Result<Record, Option<Record>>, Fault> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table.name)
            .key("pk", text(key))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match change.into_request(request).send().await {
            Ok(output) => {
                let item = output.attributes.unwrap_or_default();
                Ok(Ok(record(&self.table, &item)?))
            }
            Err(SdkError::ServiceError(error))
                if error.err().is_conditional_check_failed_exception() =>
            {
                let UpdateItemError::ConditionalCheckFailedException(refusal) = error.into_err()
                else {
                    return Ok(Err(None));
                };
                Ok(Err(refusal.item.as_ref().map(|item| record(&self.table, item)).transpose()?))
            }
            Err(error) => Err(Fault::from_sdk(&self.table, error)),
        }
    }

    /// An owner's write. The SDK repeats a call whose answer was lost, so a
    /// refusal may mean that the first try was done.
    async fn write(
        &self,
        claim: &Claim,
        write: &Write<'_>,
        now_ms: i64,
    ) -> Result<Record, LedgerError> {
        in_order(claim, write)?;
        let change = owners_change(claim, write, now_ms);
        match self
            .update(&key_of(&claim.source, &claim.object, index_of(claim.part)), change)
            .await?
        {
            Ok(record) => Ok(record),
            Err(refusing) => match (standing(refusing.as_ref(), claim, write)?, refusing) {
                (Standing::Already, Some(record)) => Ok(record),
                _ => Err(LedgerError::Contended {
                    feed: claim.source.clone(),
                    object: claim.object.clone(),
                }),
            },
        }
    }

    async fn item(&self, key: String) -> Result<Option<Record>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table.name)
            .key("pk", text(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Fault::from_sdk(&self.table, error))?;
        answer.item.as_ref().map(|item| record(&self.table, item)).transpose()
    }

    async fn keep(&self, claim: &mut Claim, write: &Write<'_>) -> Result<(), LedgerError> {
        let now_ms = self.clock.now_ms();
        self.write(claim, write, now_ms).await?;
        advance(claim, write, now_ms);
        Ok(())
    }
}

/// Makes the record, or takes it over with its progress.
fn take(request: &ClaimRequest, now_ms: i64) -> Change {
    let free = "attribute_not_exists(#pk) OR #state = :paused OR (#state = :loading AND #lease_until_ms <= :now)";
    let change = Change::when(free)
        .bind(":paused", text(State::Paused.name()))
        .bind(":loading", text(State::Loading.name()))
        .bind(":now", number(now_ms))
        .set_if_absent("config_version", number(request.config_version))
        .set_if_absent("next_row", number(request.part.map_or(0, |part| part.start)))
        .add("attempt", number(1));
    claimed(change, request, now_ms)
}

/// Begins anew after a failure, with the progress that was made, or from the
/// first row when the rows were deleted.
fn try_again(request: &ClaimRequest, record: &Record, now_ms: i64) -> Change {
    let change = Change::when("#state = :state_was AND #fence = :fence_was")
        .bind(":state_was", text(record.state.name()))
        .bind(":fence_was", number(record.fence))
        .set("attempt", number(1))
        .set("put_offs", number(0));
    // A chunk that may have landed is sent as it was.
    let change = match &record.pending {
        None => change.set("config_version", number(request.config_version)),
        Some(_) => change,
    };
    claimed(change, request, now_ms)
}

/// An object as if nothing of it had been loaded.
fn cleared(change: Change, record: &Record) -> Change {
    let gone = [
        "parts",
        "written_version",
        "steps",
        "pending",
        "extents",
        "owes",
        "cluster",
        "payer",
        "payer_until_ms",
    ];
    let change = gone.into_iter().fold(change, Change::remove);
    counted(change, &record.counts)
        .add("fence", number(1))
        .set("put_offs", number(0))
        .set("again_ms", number(record.again_ms))
        .set("next_row", number(record.next_row))
        .set("bytes", number(record.bytes))
        .set("duration_ms", number(record.duration_ms))
}

fn claimed(change: Change, request: &ClaimRequest, now_ms: i64) -> Change {
    let change = match &request.part {
        Some(part) => change.set("part", part_attribute(part)),
        None => change,
    };
    change
        .set("source", text(&request.source))
        .set("bucket", text(&request.object.bucket))
        .set("key", text(&request.object.key))
        .set("etag", text(&request.object.etag))
        .set("state", text(State::Loading.name()))
        .set("owner", text(&request.owner))
        .set("lease_until_ms", number(lease_end(now_ms, request.lease)))
        .set("claimed_at", time(now_ms))
        .set("updated_at", time(now_ms))
        .add("fence", number(1))
        .remove("finished_at")
        .remove("reason")
}

fn owners_change(claim: &Claim, write: &Write<'_>, now_ms: i64) -> Change {
    let mut condition = "#owner = :own AND #fence = :fence AND #state = :loading".to_owned();
    match write {
        Write::Intend(_) => condition.push_str(
            " AND (attribute_not_exists(#pending) OR #pending = :pending OR #pending = :before)",
        ),
        Write::Commit(_) => condition.push_str(" AND #pending.#token = :token"),
        Write::Finish(_) | Write::Split(_) => {
            condition.push_str(" AND attribute_not_exists(#pending)");
        }
        Write::Renew | Write::Pause(_) | Write::Fail(_) | Write::Abandon(_) => {}
    }
    let change = Change::when(&condition)
        .bind(":own", text(&claim.owner))
        .bind(":fence", number(claim.fence))
        .bind(":loading", text(State::Loading.name()))
        .set("updated_at", time(now_ms));
    let lease_end = number(lease_end(now_ms, claim.lease));
    let released = |change: Change, state: State| {
        change
            .set("state", text(state.name()))
            .set("lease_until_ms", number(0))
            .set("duration_ms", number(held(claim, now_ms)))
    };
    match write {
        Write::Renew => change.set("lease_until_ms", lease_end),
        Write::Intend(pending) => change
            .bind(":before", pending_attribute(claim.pending.as_ref().unwrap_or(pending)))
            .set("lease_until_ms", lease_end)
            .set("pending", pending_attribute(pending)),
        Write::Commit(done) => {
            let token = claim.pending.as_ref().map_or("", |pending| pending.token.as_str());
            let mut after = claim.clone();
            advance(&mut after, write, now_ms);
            // What a part owes is owed by the whole, once it is united.
            let change = match claim.part.is_none() && is_owing(&after.extents, &done.named) {
                true => change.set("owes", text(&claim.source)),
                false => change.remove("owes"),
            };
            counted(change, &after.counts)
                .bind(":token", text(token))
                .set("extents", extents_attribute(&after.extents))
                .set("lease_until_ms", lease_end)
                .set("written_version", number(claim.config_version))
                .set("next_row", number(done.next_row))
                .set("put_offs", number(0))
                .set("bytes", number(after.bytes))
                .set("steps", steps_attribute(&after.steps))
                .remove("pending")
        }
        Write::Pause(None) => released(change, State::Paused),
        Write::Pause(Some(reason)) => {
            let put_offs = put_offs(claim, Some(reason));
            released(change, State::Paused)
                .set("reason", text(bounded(reason)))
                .set("put_offs", number(put_offs))
        }
        Write::Finish(totals) => {
            let mut steps = claim.steps;
            steps += totals.steps;
            released(change, State::Done)
                .set("finished_at", time(now_ms))
                .set("cluster", text(&totals.cluster))
                .set("table", text(&totals.table))
                .set("bytes", number(claim.bytes + totals.bytes))
                .set("steps", steps_attribute(&steps))
        }
        Write::Fail(reason) => released(change, State::Failed)
            .set("finished_at", time(now_ms))
            .set("reason", text(bounded(reason)))
            .remove("pending"),
        Write::Abandon(reason) => released(change, State::Failed)
            .set("finished_at", time(now_ms))
            .set("reason", text(bounded(reason))),
        Write::Split(parts) => released(change, State::Split).set("parts", parts_attribute(parts)),
    }
}

fn counted(change: Change, counts: &Counts) -> Change {
    change
        .set("rows_read", number(counts.rows_read))
        .set("rows_written", number(counts.rows_written))
        .set("rows_filtered", number(counts.rows_filtered))
        .set("rows_quarantined", number(counts.rows_quarantined))
        .set("rows_inserted", number(counts.rows_inserted))
        .set("chunks", number(counts.chunks))
}

fn index_of(part: Option<Part>) -> Option<u32> {
    part.map(|part| part.index)
}

/// A change of a split object that is not yet united.
fn of_split(now_ms: i64) -> Change {
    Change::when("#state = :split OR (#state = :failed AND attribute_exists(#parts))")
        .bind(":split", text(State::Split.name()))
        .bind(":failed", text(State::Failed.name()))
        .set("updated_at", time(now_ms))
        .set("finished_at", time(now_ms))
        .add("fence", number(1))
}

/// A change to what is not being paid for.
fn unpaid(condition: &str, now_ms: i64) -> Change {
    let unpaid = "(attribute_not_exists(#payer) OR #payer_until_ms <= :now)";
    Change::when(&format!("{condition} AND {unpaid}")).bind(":now", number(now_ms))
}

/// What the parts of an object have brought.
fn of_parts(change: Change, after: &Record) -> Change {
    let change = counted(change, &after.counts)
        .set("extents", extents_attribute(&after.extents))
        .set("next_row", number(after.next_row))
        .set("duration_ms", number(after.duration_ms))
        .set("bytes", number(after.bytes))
        .set("steps", steps_attribute(&after.steps));
    let change = match after.written_version {
        Some(version) => change.set("written_version", number(version)),
        None => change,
    };
    match after.is_owing {
        true => change.set("owes", text(&after.source)),
        false => change.remove("owes"),
    }
}

/// A change that only the payer may make, while nobody goes on with the object.
fn payers_change(claim: &DebtClaim) -> Change {
    Change::when("#payer = :own AND #fence = :fence AND #state <> :loading")
        .bind(":own", text(&claim.payer))
        .bind(":fence", number(claim.record.fence))
        .bind(":loading", text(State::Loading.name()))
}

#[async_trait]
impl Ledger for DynamoLedger {
    /// A claim whose answer is lost looks busy to its own repetition: the
    /// message comes back, and the lease is over by then.
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, LedgerError> {
        let key = key_of(&request.source, &request.object, index_of(request.part));
        let now_ms = self.clock.now_ms();
        let mut change = take(request, now_ms);
        for _ in 0..CLAIM_TRIES {
            let refusing = match self.update(&key, change).await? {
                Ok(record) => return Ok(ClaimOutcome::Claimed(record.claim(request.lease))),
                Err(refusing) => refusing,
            };
            change = match (judge(refusing.as_ref(), request, now_ms), refusing) {
                (Verdict::Busy { lease_until_ms }, _) => {
                    return Ok(ClaimOutcome::Busy { lease_until_ms });
                }
                (Verdict::Done, Some(record)) => return Ok(ClaimOutcome::Done(record)),
                (Verdict::Failed, Some(record)) => return Ok(ClaimOutcome::Failed(record)),
                (Verdict::Split, Some(record)) => return Ok(ClaimOutcome::Split(record)),
                (Verdict::TryAgain, Some(record)) => try_again(request, &record, now_ms),
                _ => take(request, now_ms),
            };
        }
        Err(LedgerError::Contended { feed: request.source.clone(), object: request.object.clone() })
    }

    async fn intend(&self, claim: &mut Claim, pending: Pending) -> Result<(), LedgerError> {
        self.keep(claim, &Write::Intend(&pending)).await
    }

    async fn commit(&self, claim: &mut Claim, done: ChunkDone) -> Result<(), LedgerError> {
        self.keep(claim, &Write::Commit(&done)).await
    }

    async fn renew(&self, claim: &mut Claim) -> Result<(), LedgerError> {
        self.keep(claim, &Write::Renew).await
    }

    async fn pause(&self, claim: Claim, reason: Option<&str>) -> Result<(), LedgerError> {
        self.write(&claim, &Write::Pause(reason), self.clock.now_ms()).await.map(|_| ())
    }

    async fn finish(&self, claim: Claim, totals: Totals) -> Result<Record, LedgerError> {
        self.write(&claim, &Write::Finish(&totals), self.clock.now_ms()).await
    }

    async fn fail(&self, claim: Claim, reason: &str) -> Result<Record, LedgerError> {
        self.write(&claim, &Write::Fail(reason), self.clock.now_ms()).await
    }

    async fn abandon(&self, claim: Claim, reason: &str) -> Result<Record, LedgerError> {
        self.write(&claim, &Write::Abandon(reason), self.clock.now_ms()).await
    }

    async fn split(&self, claim: Claim, parts: &[Part]) -> Result<Record, LedgerError> {
        self.write(&claim, &Write::Split(parts), self.clock.now_ms()).await
    }

    async fn parts(&self, whole: &Record) -> Result<Vec<Record>, LedgerError> {
        let keys =
            whole.parts.iter().map(|part| key_of(&whole.source, &whole.object, Some(part.index)));
        let found = futures::future::try_join_all(keys.map(|key| self.item(key))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn unite(
        &self,
        whole: &Record,
        parts: &[Record],
        totals: Totals,
        named: &[String],
    ) -> Result<Record, LedgerError> {
        let now_ms = self.clock.now_ms();
        let after = united(whole, parts, &totals, named, now_ms);
        let change = of_split(now_ms)
            .set("state", text(State::Done.name()))
            .set("cluster", text(&totals.cluster))
            .set("table", text(&totals.table))
            .remove("reason");
        let change = of_parts(change, &after);
        let key = key_of(&whole.source, &whole.object, None);
        // Refused when another has united it: then that is what it is.
        match self.update(&key, change).await? {
            Ok(record) | Err(Some(record)) => Ok(record),
            Err(None) => Ok(whole.clone()),
        }
    }

    async fn fail_split(
        &self,
        whole: &Record,
        parts: &[Record],
        named: &[String],
        reason: &str,
    ) -> Result<(), LedgerError> {
        let now_ms = self.clock.now_ms();
        let change = of_split(now_ms)
            .set("state", text(State::Failed.name()))
            .set("reason", text(bounded(reason)));
        let change = of_parts(change, &failed_split(whole, parts, named, reason, now_ms));
        // Refused when it has been united meanwhile.
        self.update(&key_of(&whole.source, &whole.object, None), change).await?.ok();
        Ok(())
    }

    async fn reopen(&self, source: &str, object: &ObjectId) -> Result<Option<Record>, LedgerError> {
        let now_ms = self.clock.now_ms();
        let before = self.get(source, object).await?;
        let Some(before) = before.filter(|record| may_reopen(record, now_ms)) else {
            return Ok(None);
        };
        let after = anew(&before, now_ms);
        let change = unpaid("#fence = :fence_was AND #state = :state_was", now_ms)
            .bind(":fence_was", number(before.fence))
            .bind(":state_was", text(before.state.name()))
            .set("state", text(State::Replaced.name()))
            .set("attempt", number(0))
            .set("updated_at", time(now_ms))
            .remove("finished_at")
            .remove("reason");
        let change = cleared(change, &after);
        Ok(self.update(&key_of(source, object, None), change).await?.ok())
    }

    async fn replace(
        &self,
        source: &str,
        object: &ObjectId,
        reason: &str,
    ) -> Result<bool, LedgerError> {
        let Some(before) = self.get(source, object).await? else { return Ok(true) };
        let now_ms = self.clock.now_ms();
        if !may_replace(&before, now_ms) {
            return Ok(false);
        }
        let after = anew(&before, now_ms);
        let change = unpaid("#fence = :fence_was AND #state <> :loading", now_ms)
            .bind(":fence_was", number(before.fence))
            .bind(":loading", text(State::Loading.name()))
            .set("state", text(State::Replaced.name()))
            .set("attempt", number(0))
            .set("updated_at", time(now_ms))
            .remove("finished_at")
            .set("reason", text(bounded(reason)));
        let change = cleared(change, &after);
        Ok(self.update(&key_of(source, object, None), change).await?.is_ok())
    }

    async fn get(&self, source: &str, object: &ObjectId) -> Result<Option<Record>, LedgerError> {
        Ok(self.item(key_of(source, object, None)).await?)
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Record>, LedgerError> {
        Ok(match &query.source {
            Some(source) => self.list_source(source, query).await?,
            None => self.list_all(query).await?,
        })
    }

    async fn owing(&self, source: &str, limit: usize) -> Result<Vec<Record>, LedgerError> {
        Ok(self.list_owing(source, limit).await?)
    }

    async fn claim_debts(
        &self,
        source: &str,
        object: &ObjectId,
        payer: &str,
        lease: Duration,
    ) -> Result<Option<DebtClaim>, LedgerError> {
        let now_ms = self.clock.now_ms();
        let free = "attribute_exists(#pk) AND #state <> :loading \
                    AND (attribute_not_exists(#payer) OR #payer_until_ms <= :now OR #payer = :payer)";
        let change = Change::when(free)
            .bind(":loading", text(State::Loading.name()))
            .bind(":now", number(now_ms))
            .set("payer", text(payer))
            .set("payer_until_ms", number(lease_end(now_ms, lease)));
        let claimed = self.update(&key_of(source, object, None), change).await?;
        Ok(claimed.ok().map(|record| DebtClaim { payer: payer.to_owned(), lease, record }))
    }

    async fn pay(
        &self,
        claim: &mut DebtClaim,
        extents: Vec<Extent>,
        named: &[String],
    ) -> Result<(), LedgerError> {
        let now_ms = self.clock.now_ms();
        let change = payers_change(claim)
            .set("extents", extents_attribute(&extents))
            .set("payer_until_ms", number(lease_end(now_ms, claim.lease)))
            .set("updated_at", time(now_ms));
        let change = match is_owing(&extents, named) {
            true => change.set("owes", text(&claim.record.source)),
            false => change.remove("owes"),
        };
        let key = key_of(&claim.record.source, &claim.record.object, None);
        claim.record = self.update(&key, change).await?.map_err(|_| lost_debts(claim))?;
        Ok(())
    }

    async fn release_debts(&self, claim: DebtClaim) -> Result<(), LedgerError> {
        let change = payers_change(&claim).remove("payer").remove("payer_until_ms");
        let key = key_of(&claim.record.source, &claim.record.object, None);
        // Refused when it was lost: it is somebody else's then.
        self.update(&key, change).await?.ok();
        Ok(())
    }
}
