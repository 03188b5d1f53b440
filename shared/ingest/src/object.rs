//! The whole way of one object, on one screen: [`Ingest::load`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Catalog, Registered};
use ledger::{
    ChunkDone, Claim, ClaimOutcome, ClaimRequest, Ledger, Partitions, Pending, State, StepMillis,
};
use model::{Captures, ChunkPlan, Clock, ObjectId, Token};
use objects::{ObjectInfo, ObjectReader};
use runtime::Deadline;
use warehouse::{ExtraColumn, Warehouse};

use crate::IngestError;
use crate::chunk::{ChunkWriter, Fate, Written};
use crate::destination::{Destination, table_name};
use crate::drift::Told;
use crate::failover::{Next, Tries, candidates};
use crate::find::{captures_of, source_error};
use crate::parts::Asked;
use crate::reader::{ReadPlan, Reader, ReadyBatch};
use crate::report::{Report, Stage, Stopwatches};

/// What a notification says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The source, when the caller names it; found by `match` otherwise.
    pub source: Option<String>,
    /// The version that it is about, when it says so: should the key hold
    /// another by now, what was begun of this one is closed.
    pub etag: Option<String>,
    /// The number of a part of it that is to be loaded; all of it otherwise.
    pub part: Option<u32>,
    /// Whether an object that failed before is tried again: so for a first
    /// delivery, not for the redeliveries on the way to the dead letters.
    pub retry_failed: bool,
    /// Whether the message goes to the dead letters if this try does not
    /// succeed: whatever stands in the way is then the reason of a failure.
    pub is_last: bool,
}

/// What became of a notice.
#[derive(Debug)]
pub enum Outcome {
    /// Every row of the object is accounted for.
    Loaded(Report),
    /// It was loaded before; nothing was done.
    AlreadyLoaded(Box<ledger::Record>),
    /// Its document leaves changed keys out, and another version of its key was
    /// loaded; nothing was done.
    Ignored(ObjectId),
    /// The deadline came: progress is kept, a new invocation goes on.
    Paused(Report),
    /// It is large: it is to be loaded in these parts, each by a notice of its own,
    /// in any order and at the same time.
    Split {
        /// Its source.
        source: String,
        /// The object.
        object: ObjectId,
        /// Numbers of the parts that are not done.
        parts: Vec<u32>,
    },
    /// What it needs is away or overloaded: progress is kept, and it is to be
    /// looked at again.
    Deferred {
        /// Its source.
        source: String,
        /// The object.
        object: ObjectId,
        /// After this time.
        after: Duration,
        /// What stood in the way.
        error: Box<IngestError>,
    },
    /// Another worker has it: look again when its lease is over.
    Busy {
        /// Milliseconds since 1970.
        lease_until_ms: i64,
    },
}

/// How objects are loaded.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a claim holds without a sign of life of its owner.
    pub lease: Duration,
    /// Prefix of the owner's name in the ledger, such as the function's log stream.
    pub worker: String,
    /// Bytes above which a Parquet object is split into parts of about as many;
    /// nothing where nobody sees to the parts.
    pub split_bytes: Option<u64>,
}

/// The stages, joined.
pub struct Ingest {
    /// Where bytes come from.
    pub objects: Arc<dyn ObjectReader>,
    /// Which source an object belongs to.
    pub catalog: Arc<dyn Catalog>,
    /// What has been loaded.
    pub ledger: Arc<dyn Ledger>,
    /// What has been written of Kafka's partitions.
    pub partitions: Arc<dyn Partitions>,
    /// Kafka, to read records once more; none where nobody has to.
    pub records: Option<Arc<kafka::Reader>>,
    /// Where rows go.
    pub warehouse: Arc<dyn Warehouse>,
    /// What time it is.
    pub clock: Clock,
    /// How objects are loaded.
    pub settings: Settings,
    /// Which events of drift this process has written.
    pub told: Told,
}

/// An object whose claim this worker holds.
pub(crate) struct Loading {
    pub(crate) object: ObjectInfo,
    pub(crate) source: Arc<Registered>,
    captures: Captures,
    pub(crate) stopwatches: Stopwatches,
    pub(crate) started: Instant,
    deadline: Deadline,
    /// Row at which this invocation began.
    pub(crate) from_row: u64,
    /// Nobody comes after this try.
    pub(crate) is_last: bool,
    /// The chunk that may have landed in an earlier try, until it is
    /// committed: it must not be forgotten.
    pub(crate) ambiguous: Option<Token>,
    /// What became of the INSERTs of the chunk of this try.
    pub(crate) fate: Fate,
    /// Columns that drift adds for this object.
    pub(crate) wanted: Vec<ExtraColumn>,
    /// The cluster whose table the rows are made for.
    pub(crate) target: String,
}

impl Loading {
    /// An object of which rows are made again, without a claim on it.
    pub(crate) fn replaying(
        object: ObjectInfo,
        source: Arc<Registered>,
        deadline: Deadline,
    ) -> Self {
        let captures =
            captures_of(&source.document, &object.id.bucket, &object.id.key).unwrap_or_default();
        Self {
            object,
            source,
            captures,
            stopwatches: Stopwatches::default(),
            started: Instant::now(),
            deadline,
            from_row: 0,
            is_last: false,
            ambiguous: None,
            fate: Fate::default(),
            wanted: Vec::new(),
            target: String::new(),
        }
    }
}

/// How far the load of an object came in this invocation.
pub(crate) enum Progress {
    Complete,
    Deadline,
}

impl Ingest {
    /// Loads one object: fetch, decode, transform, write, commit.
    ///
    /// # Errors
    /// [`IngestError`]; its disposition says what is to be done about it.
    pub async fn load(&self, notice: &Notice, deadline: Deadline) -> Result<Outcome, IngestError> {
        let (mut source, mut captures) = self.find_source(notice).await?;
        let object = self.find_object(notice).await?;
        if let Some(etag) = notice.etag.as_ref().filter(|etag| **etag != object.id.etag) {
            let before = ObjectId { etag: etag.clone(), ..object.id.clone() };
            if let Some(lease_until_ms) = self.retire(&source, before).await? {
                return Ok(Outcome::Busy { lease_until_ms });
            }
            if let Some(part) = notice.part {
                let object = object.id.to_string();
                return Err(IngestError::PartOverwritten { object, part, before: etag.clone() });
            }
        }
        if self.is_ignored(&source, &object.id).await? {
            return Ok(Outcome::Ignored(object.id));
        }
        let at_first = Notice { retry_failed: false, ..notice.clone() };
        let mut outcome = match self.request_for(&source, &object.id, &at_first).await? {
            Asked::Claim(request) => self.claim(&request).await?,
            Asked::Done(record) => return Ok(Outcome::AlreadyLoaded(record)),
        };
        if matches!(outcome, ClaimOutcome::Failed(_)) && notice.retry_failed {
            // Its document may have been mended a moment ago.
            self.catalog.recheck().await.map_err(|cause| source_error(notice, cause))?;
            (source, captures) = self.find_source(notice).await?;
            if let Asked::Claim(request) = self.request_for(&source, &object.id, notice).await? {
                outcome = self.claim(&request).await?;
            }
        }
        let mut claim = match outcome {
            ClaimOutcome::Claimed(claim) => claim,
            ClaimOutcome::Done(record) => {
                self.gather(&source, &record).await?;
                return Ok(Outcome::AlreadyLoaded(Box::new(record)));
            }
            ClaimOutcome::Split(record) => return self.parts_left(record).await,
            ClaimOutcome::Busy { lease_until_ms } => return Ok(Outcome::Busy { lease_until_ms }),
            ClaimOutcome::Failed(record) => {
                let reason = record.reason.unwrap_or_default();
                return Err(IngestError::FailedBefore { object: object.id.to_string(), reason });
            }
        };
        let mut loading = Loading {
            object,
            source,
            captures,
            stopwatches: Stopwatches::default(),
            started: Instant::now(),
            deadline,
            from_row: claim.next_row,
            is_last: notice.is_last,
            ambiguous: claim.pending.as_ref().map(|pending| pending.token.clone()),
            fate: Fate::default(),
            wanted: Vec::new(),
            target: String::new(),
        };
        if let Some(parts) = self.parts_of(&loading, &claim).await? {
            let whole = self.ledger.split(claim, &parts).await;
            let whole = whole.map_err(|cause| ledger_error(&loading, cause))?;
            return self.parts_left(whole).await;
        }
        let (source, part) = (loading.source.clone(), claim.part);
        let mut progress = self.load_claimed(&mut loading, &mut claim).await;
        if let (Ok(Progress::Complete), None) = (&progress, part)
            && let Err(error) = self.replace_others(&source, &loading.object.id).await
        {
            progress = Err(error);
        }
        if let Err(error) = &progress
            && error.is_overwritten()
            && let Err(error) = self.delete_overwritten(&source, &loading.object.id).await
        {
            progress = Err(error);
        }
        let outcome = self.settle(&loading, claim, progress).await;
        if let Err(error) = &outcome
            && error.is_overwritten()
        {
            self.note_withdrawn(&source, &loading.object.id, &error.chain()).await?;
        }
        match part {
            None => outcome,
            Some(part) => self.settle_part(&source, &loading.object.id, part, outcome).await,
        }
    }

    /// Closes the record of a version that was overwritten before it was whole:
    /// nobody can go on with it. While somebody holds it, gives the end of the
    /// lease: the holder may be dead.
    async fn retire(
        &self,
        source: &Registered,
        before: ObjectId,
    ) -> Result<Option<i64>, IngestError> {
        let failed =
            |cause| IngestError::Ledger { object: before.to_string(), cause: Box::new(cause) };
        let record = self.ledger.get(&source.document.source, &before).await.map_err(failed)?;
        let Some(record) = record else { return Ok(None) };
        match record.state {
            State::Done | State::Failed | State::Replaced => return Ok(None),
            State::Loading | State::Paused => {}
            State::Split => {
                let reason = "the key was overwritten before all of its parts were loaded; the new version is an \
                              object of its own";
                tracing::error!(object = %before, reason, "an object was closed");
                self.delete_overwritten(source, &before).await?;
                let parts = self.ledger.parts(&record).await.map_err(failed)?;
                let named = &source.document.write.clusters;
                self.ledger.fail_split(&record, &parts, named, reason).await.map_err(failed)?;
                self.note_withdrawn(source, &before, reason).await?;
                return Ok(None);
            }
        }
        let claimed = self.ledger.claim(&self.request(source, &before, false)).await;
        match claimed.map_err(failed)? {
            ClaimOutcome::Busy { lease_until_ms } => return Ok(Some(lease_until_ms)),
            ClaimOutcome::Done(_) | ClaimOutcome::Failed(_) | ClaimOutcome::Split(_) => {}
            ClaimOutcome::Claimed(claim) => {
                let withdrawn = self.delete_overwritten(source, &before).await;
                if let Err(error) = withdrawn {
                    let paused = self.ledger.pause(claim, Some(&error.chain())).await;
                    paused.map_err(failed)?;
                    return Err(error);
                }
                let reason = overwritten(&claim, &table_name(&source.document));
                tracing::error!(object = %before, reason, "an object was closed");
                self.ledger.abandon(claim, &reason).await.map_err(failed)?;
                self.note_withdrawn(source, &before, &reason).await?;
            }
        }
        Ok(None)
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, IngestError> {
        let claimed = self.ledger.claim(request).await;
        claimed.map_err(|cause| IngestError::Ledger {
            object: request.object.to_string(),
            cause: Box::new(cause),
        })
    }

    pub(crate) fn request(
        &self,
        source: &Registered,
        object: &ObjectId,
        retry_failed: bool,
    ) -> ClaimRequest {
        ClaimRequest {
            source: source.document.source.clone(),
            object: object.clone(),
            part: None,
            config_version: source.config_version,
            owner: format!("{}/{}", self.settings.worker, uuid::Uuid::new_v4()),
            lease: self.settings.lease,
            retry_failed,
        }
    }

    /// Loads from the claim's progress on, again after errors that can pass.
    async fn load_claimed(
        &self,
        loading: &mut Loading,
        claim: &mut Claim,
    ) -> Result<Progress, IngestError> {
        if claim.config_version != loading.source.config_version {
            self.thaw(loading, claim).await?;
        }
        self.check_continuation(loading, claim).await?;
        self.clear(loading, claim).await?;
        let retries = loading.source.document.errors.retries;
        let mut tries = Tries::default();
        loop {
            let targets = self.targets(&loading.source.document, sent_to(claim), &tries).await;
            loading.target = targets.first().cloned().unwrap_or_default();
            let error = match self.load_from(loading, claim, &targets).await {
                Ok(progress) => return Ok(progress),
                Err(error) => error,
            };
            if loading.fate.is_open() {
                loading.ambiguous = claim.pending.as_ref().map(|pending| pending.token.clone());
            }
            let error = match self.widen(loading, claim, error).await {
                Ok(()) => continue,
                Err(error) => error,
            };
            let clusters = candidates(&loading.source.document, sent_to(claim));
            let Next::Again(wait) = tries.after(&error, claim.next_row, &clusters, retries) else {
                return Err(error);
            };
            if loading.deadline.is_within(wait * 4) {
                return Err(error);
            }
            tracing::warn!(object = %loading.object.id, ?wait, error = error.chain(), "trying again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes the version of the document that the first claim froze.
    async fn thaw(&self, loading: &mut Loading, claim: &Claim) -> Result<(), IngestError> {
        let (bucket, key) = (loading.object.id.bucket.clone(), loading.object.id.key.clone());
        let frozen = self.catalog.get(&claim.source, Some(claim.config_version)).await;
        loading.source = frozen.map_err(|cause| IngestError::Source {
            bucket: bucket.clone(),
            key: key.clone(),
            cause: Box::new(cause),
        })?;
        loading.captures = captures_of(&loading.source.document, &bucket, &key).unwrap_or_default();
        Ok(())
    }

    /// Refuses to go on with an object of which another version of its document
    /// has written rows, when the new version would count its rows differently
    /// or put them elsewhere: the object would end in two tables, or with rows
    /// twice or not at all.
    async fn check_continuation(
        &self,
        loading: &Loading,
        claim: &Claim,
    ) -> Result<(), IngestError> {
        let Some(version) = claim.written_version.filter(|old| *old != claim.config_version) else {
            return Ok(());
        };
        let before = self.catalog.get(&claim.source, Some(version)).await;
        let before = before.map_err(|cause| IngestError::Source {
            bucket: loading.object.id.bucket.clone(),
            key: loading.object.id.key.clone(),
            cause: Box::new(cause),
        })?;
        match loading.source.document.breaks_continuation_of(&before.document) {
            None => Ok(()),
            Some(field) => Err(IngestError::Discontinued {
                object: loading.object.id.to_string(),
                rows: claim.next_row,
                before: version,
                now: claim.config_version,
                table: table_name(&before.document),
                field,
            }),
        }
    }

    async fn load_from(
        &self,
        loading: &Loading,
        claim: &mut Claim,
        targets: &[String],
    ) -> Result<Progress, IngestError> {
        let destination = self.destination(loading, &loading.target);
        let destination = loading.stopwatches.time(Stage::Write, destination).await?;
        let mut targets = self.fitting(loading, &destination, targets).await;
        let mut found = self.find_pending(loading, claim, &destination, &targets).await?;
        let loaded_at_ms = claim
            .pending
            .as_ref()
            .map_or_else(|| self.clock.now_ms(), |pending| pending.loaded_at_ms)
            // Rows that it brought before it was begun once more are earlier.
            .max(claim.again_ms);
        let mut reader = Reader::start(ReadPlan {
            document: destination.document.clone(),
            extras: destination.added.len(),
            loaded_at_ms,
            ..self.read_plan(loading, claim)
        })?;
        let mut noted = StepMillis::default();
        let mut longest = Duration::ZERO;
        let Some(mut next) = self.within(loading, claim, reader.next()).await? else {
            return Ok(Progress::Deadline);
        };
        while let Some(first) = next {
            let began = Instant::now();
            if loading.deadline.is_within(longest.mul_f32(1.25)) {
                return Ok(Progress::Deadline);
            }
            let pending = self.intend(loading, claim, &first, &targets, loaded_at_ms).await?;
            loading.fate.begin();
            let writer = ChunkWriter {
                warehouse: &self.warehouse,
                document: &destination.document,
                table: &destination.table,
                config_version: claim.config_version,
                object: &loading.object.id,
                clusters: &targets,
                bounds: pending.bounds,
                token: &pending.token,
                loaded_at_ms,
                found: std::mem::take(&mut found),
                before: Some(claim.counts),
                fate: &loading.fate,
                stopwatches: &loading.stopwatches,
            };
            let written = self.within(loading, claim, writer.write(first, &mut reader)).await?;
            let Some(Written { counts, end, next: following, on }) = written else {
                return Ok(Progress::Deadline);
            };
            let on_first = on.first().cloned().unwrap_or_default();
            self.tell(loading, &on_first, &reader.drift.take()).await?;
            let done = ChunkDone {
                next_row: end,
                counts,
                bytes: 0,
                steps: since(loading, &mut noted),
                on: on.clone(),
                named: loading.source.document.write.clusters.clone(),
            };
            // A cluster that failed is not asked again before the next load: its
            // rows are owed to it.
            targets = on;
            let committed =
                loading.stopwatches.time(Stage::Commit, self.ledger.commit(claim, done));
            committed.await.map_err(|cause| ledger_error(loading, cause))?;
            loading.fate.close();
            longest = longest.max(began.elapsed());
            next = following;
        }
        let target = targets.first().cloned().unwrap_or_default();
        self.tell(loading, &target, &reader.drift.take()).await?;
        Ok(Progress::Complete)
    }

    /// The targets whose table takes what is made for the first one's.
    async fn fitting(
        &self,
        loading: &Loading,
        destination: &Destination,
        targets: &[String],
    ) -> Vec<String> {
        let mut fitting = vec![loading.target.clone()];
        for cluster in targets.iter().filter(|cluster| **cluster != loading.target) {
            match self.fit(loading, destination, cluster).await {
                Ok(()) => fitting.push(cluster.clone()),
                Err(error) => {
                    tracing::warn!(object = %loading.object.id, cluster, %error, "rows are owed to a mirror");
                }
            }
        }
        fitting
    }

    /// Reading the object as its document says, from the claim's progress on.
    pub(crate) fn read_plan(&self, loading: &Loading, claim: &Claim) -> ReadPlan {
        ReadPlan {
            until_row: claim.part.map(|part| part.end),
            ..self.read_plan_at(loading, claim.config_version, claim.next_row, self.clock.now_ms())
        }
    }

    pub(crate) fn read_plan_at(
        &self,
        loading: &Loading,
        config_version: u64,
        from_row: u64,
        loaded_at_ms: i64,
    ) -> ReadPlan {
        ReadPlan {
            objects: self.objects.clone(),
            object: loading.object.clone(),
            document: Arc::new(loading.source.document.clone()),
            extras: 0,
            config_version,
            captures: loading.captures.clone(),
            from_row,
            until_row: None,
            loaded_at_ms,
            stopwatches: loading.stopwatches.clone(),
        }
    }

    /// Notes the chunk before it is sent. A pending chunk of a former owner is
    /// the same one: its bounds and its token follow from the same claim.
    async fn intend(
        &self,
        loading: &Loading,
        claim: &mut Claim,
        first: &ReadyBatch,
        targets: &[String],
        loaded_at_ms: i64,
    ) -> Result<Pending, IngestError> {
        let plan = ChunkPlan { rows_per_chunk: loading.source.document.write.rows_per_chunk };
        let mut bounds = plan.chunk_of(first.rows.start);
        bounds.start = claim.next_row;
        let token =
            Token::of_chunk(&claim.source, &loading.object.id, claim.config_version, &bounds)
                .renewed(claim.again_ms);
        // Where it was sent before it may be, whatever answers now.
        let sent_to = claim.pending.as_ref().map(|before| before.clusters.clone());
        let mut clusters = sent_to.unwrap_or_default();
        clusters.extend(
            targets.iter().filter(|one| !clusters.contains(one)).cloned().collect::<Vec<_>>(),
        );
        let pending = Pending { bounds, token, clusters, loaded_at_ms };
        let intended =
            loading.stopwatches.time(Stage::Commit, self.ledger.intend(claim, pending.clone()));
        intended.await.map_err(|cause| ledger_error(loading, cause))?;
        Ok(pending)
    }

    /// Does a piece of work while the lease is renewed; nothing when the
    /// deadline comes first. Work that is left in the middle is aborted.
    async fn within<T>(
        &self,
        loading: &Loading,
        claim: &mut Claim,
        work: impl Future<Output = Result<T, IngestError>>,
    ) -> Result<Option<T>, IngestError> {
        let mut work = std::pin::pin!(work);
        let mut beat = tokio::time::interval(self.settings.lease / 3);
        beat.reset();
        let deadline = tokio::time::sleep(loading.deadline.left());
        let mut deadline = std::pin::pin!(deadline);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done.map(Some),
                () = &mut deadline => return Ok(None),
                _ = beat.tick() => match self.ledger.renew(claim).await {
                    Ok(()) => {}
                    Err(cause @ ledger::LedgerError::LostClaim { .. }) => return Err(ledger_error(loading, cause)),
                    // The lease holds for two more beats.
                    Err(error) => tracing::warn!(object = %loading.object.id, %error, "the lease was not renewed"),
                },
            }
        }
    }
}

/// Why a version that was overwritten is closed.
fn overwritten(claim: &Claim, table: &str) -> String {
    let mut reason = format!(
        "the key was overwritten before all of it was loaded: {} of its source rows are in {table}, and the rest \
         is gone; the new version is an object of its own",
        claim.next_row,
    );
    if let Some(pending) = &claim.pending {
        let (start, end) = (pending.bounds.start, pending.bounds.end);
        let clusters = pending.clusters.join(", ");
        reason.push_str(&format!(
            "; source rows {start} to {end} were sent to {clusters} and not answered: they may be there, too"
        ));
    }
    reason
}

/// The clusters that the pending chunk may be on.
fn sent_to(claim: &Claim) -> &[String] {
    claim.pending.as_ref().map_or(&[], |pending| &pending.clusters)
}

/// Milliseconds since the last call.
fn since(loading: &Loading, noted: &mut StepMillis) -> StepMillis {
    let now = loading.stopwatches.read();
    let now = StepMillis {
        fetch: now.fetch_ms,
        decode: now.decode_ms,
        transform: now.transform_ms,
        write: now.write_ms,
        commit: now.commit_ms,
    };
    let before = std::mem::replace(noted, now);
    StepMillis {
        fetch: now.fetch.saturating_sub(before.fetch),
        decode: now.decode.saturating_sub(before.decode),
        transform: now.transform.saturating_sub(before.transform),
        write: now.write.saturating_sub(before.write),
        commit: now.commit.saturating_sub(before.commit),
    }
}

pub(crate) fn ledger_error(loading: &Loading, cause: ledger::LedgerError) -> IngestError {
    IngestError::Ledger { object: loading.object.id.to_string(), cause: Box::new(cause) }
}
