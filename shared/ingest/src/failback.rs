//! A run of `reconcile`: the debts of all sources, object by object.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use catalog::Registered;
use futures::{FutureExt as _, StreamExt as _, stream};
use ledger::ListQuery;
use model::ObjectId;
use runtime::Deadline;
use serde::Serialize;
use warehouse::WarehouseError;

use crate::reconcile::{Debt, Paid, Settlement, debts_of};
use crate::stream::debts_of_partition;
use crate::{Ingest, IngestError};

/// Objects of a source that are looked at in one go.
const AT_ONCE: usize = 200;

/// Objects that are paid for at a time: one is read while another is written.
const OBJECTS_AT_ONCE: usize = 2;

/// Which objects a run looks at.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only those of this source.
    pub source: Option<String>,
    /// Also objects that no debt is noted of: those that were loaded before
    /// their source named another cluster. Reads the whole ledger of a source.
    pub all: bool,
}

/// What a run has done.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Objects that owe nothing any more.
    pub objects: u64,
    /// What was written and found.
    pub paid: Paid,
    /// Objects that are being loaded, or paid for by somebody else.
    pub busy: u64,
    /// Objects that the time was over for.
    pub interrupted: u64,
    /// Why objects still owe something.
    pub failures: Vec<String>,
}

impl Summary {
    /// Whether nothing is owed any more.
    #[must_use]
    pub fn is_even(&self) -> bool {
        self.busy == 0 && self.interrupted == 0 && self.failures.is_empty()
    }
}

impl Summary {
    fn add(&mut self, object: &str, settled: Result<Settlement, IngestError>) {
        match settled {
            Ok(Settlement::Even(paid)) => {
                self.objects += 1;
                self.paid += paid;
            }
            Ok(Settlement::Interrupted(paid)) => {
                self.interrupted += 1;
                self.paid += paid;
            }
            Ok(Settlement::Busy) => self.busy += 1,
            Err(error) => self.failures.push(format!("{object}: {}", error.chain())),
        }
    }
}

/// Who watches a run.
pub trait Watch: Sync {
    /// An object is begun: the first of so many that are known.
    fn begin(&self, debts: &[Debt]);
    /// So much of it is paid to a cluster by now.
    fn paid(&self, cluster: &str, paid: Paid);
}

impl Ingest {
    /// What is owed, without paying it.
    ///
    /// # Errors
    /// When the catalog or the ledger cannot be read.
    pub async fn plan(&self, scope: &Scope) -> Result<Vec<Debt>, IngestError> {
        let mut debts = Vec::new();
        for source in self.sources(scope).await? {
            for object in self.owing(&source, scope, usize::MAX).await? {
                debts.extend(object.1);
            }
            for record in self.owing_partitions(&source, scope).await? {
                debts.extend(debts_of_partition(&record, &source.document.write.clusters));
            }
        }
        Ok(debts)
    }

    /// Pays what is owed, until nothing is or the time is over.
    ///
    /// # Errors
    /// When the catalog or the ledger cannot be read. What goes wrong with an
    /// object is in the summary, and keeps no other object from being paid.
    pub async fn reconcile(
        &self,
        scope: &Scope,
        deadline: Deadline,
        watch: &dyn Watch,
    ) -> Result<Summary, IngestError> {
        let mut summary = Summary::default();
        // Each cluster is asked once in a run whether it lives.
        let mut lives: HashMap<String, bool> = HashMap::new();
        for source in self.sources(scope).await? {
            let mut seen = HashSet::new();
            loop {
                let owing = self.owing(&source, scope, AT_ONCE + seen.len()).await?;
                // What fails stays in the list; it is not tried twice in a run.
                let new: Vec<_> =
                    owing.into_iter().filter(|(object, _)| seen.insert(object.clone())).collect();
                if new.is_empty() {
                    break;
                }
                for (_, debts) in &new {
                    self.ask(debts, &mut lives).await;
                }
                let (source, lives) = (&source, &lives);
                let mut paying = stream::iter(new)
                    .map(|(object, debts)| async move {
                        let settled =
                            self.settle_one(source, &object, &debts, lives, deadline, watch).await;
                        (object, settled)
                    })
                    .buffer_unordered(OBJECTS_AT_ONCE);
                while let Some((object, settled)) = paying.next().await {
                    summary.add(&object.to_string(), settled);
                }
                if scope.all {
                    break;
                }
            }
            for record in self.owing_partitions(&source, scope).await? {
                let debts = debts_of_partition(&record, &source.document.write.clusters);
                self.ask(&debts, &mut lives).await;
                let name = format!("kafka://{}/{}", record.topic, record.partition);
                let settled = match hindered(&name, &debts, &lives, deadline) {
                    Some(settled) => settled,
                    None => {
                        watch.begin(&debts);
                        // Boxed: the way of an INSERT is deep.
                        self.pay_partition(&source, record, deadline, watch).boxed().await
                    }
                };
                summary.add(&name, settled);
            }
        }
        Ok(summary)
    }

    /// Asks the clusters that something is owed to whether they live.
    async fn ask(&self, debts: &[Debt], lives: &mut HashMap<String, bool>) {
        for debt in debts {
            if !lives.contains_key(&debt.cluster) {
                let is_up = self.warehouse.wake(&debt.cluster).await;
                lives.insert(debt.cluster.clone(), is_up);
            }
        }
    }

    async fn settle_one(
        &self,
        source: &Registered,
        object: &ObjectId,
        debts: &[Debt],
        lives: &HashMap<String, bool>,
        deadline: Deadline,
        watch: &dyn Watch,
    ) -> Result<Settlement, IngestError> {
        if let Some(settled) = hindered(&object.to_string(), debts, lives, deadline) {
            return settled;
        }
        watch.begin(debts);
        self.pay(source, object, deadline, &|cluster, paid| watch.paid(cluster, paid)).await
    }

    async fn sources(&self, scope: &Scope) -> Result<Vec<Arc<Registered>>, IngestError> {
        let failed = |cause| IngestError::Catalog { cause: Box::new(cause) };
        let snapshot = self.catalog.snapshot().await.map_err(failed)?;
        match &scope.source {
            Some(name) => Ok(vec![snapshot.get(name).map_err(failed)?]),
            None => {
                let ready = |(name, _)| match snapshot.get(name) {
                    Ok(source) => Some(source),
                    Err(error) => {
                        tracing::warn!(source = name, %error, "its debts cannot be paid");
                        None
                    }
                };
                Ok(snapshot.entries().filter_map(ready).collect())
            }
        }
    }

    /// Objects of a source that owe something, each with its debts.
    async fn owing(
        &self,
        source: &Registered,
        scope: &Scope,
        most: usize,
    ) -> Result<Vec<(ObjectId, Vec<Debt>)>, IngestError> {
        let name = &source.document.source;
        let failed = |cause| IngestError::Ledger {
            object: format!("source {name}"),
            cause: Box::new(cause),
        };
        let records = match scope.all {
            true => {
                let query =
                    ListQuery { source: Some(name.clone()), state: None, limit: usize::MAX };
                self.ledger.list(&query).await.map_err(failed)?
            }
            false => self.ledger.owing(name, most).await.map_err(failed)?,
        };
        let named = &source.document.write.clusters;
        let owing = records.iter().map(|record| (record.object.clone(), debts_of(record, named)));
        Ok(owing.filter(|(_, debts)| !scope.all || !debts.is_empty()).collect())
    }
}

/// What keeps an object from being paid for, if anything does.
fn hindered(
    object: &str,
    debts: &[Debt],
    lives: &HashMap<String, bool>,
    deadline: Deadline,
) -> Option<Result<Settlement, IngestError>> {
    if deadline.is_within(Duration::from_secs(1)) {
        return Some(Ok(Settlement::Interrupted(Paid::default())));
    }
    let away = debts.iter().map(|debt| &debt.cluster).filter(|cluster| !lives[*cluster]);
    let away: Vec<&String> = away.collect();
    let cluster = away.first().filter(|_| away.len() == debts.len())?;
    Some(Err(IngestError::Write {
        object: object.to_owned(),
        cause: Box::new(WarehouseError::Down { cluster: (*cluster).clone(), until_ms: 0 }),
    }))
}
