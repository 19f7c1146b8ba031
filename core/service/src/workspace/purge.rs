//! The right to be forgotten: a record and everything about it gone for good, from every table and every byte.
//!
//! In three steps, each of which may be repeated: records go in a unit of work of their own; then their traces are sought
//! in the system's tables, without holding up writers, and removed; then the store sees to the bytes. A crash in between
//! leaves notes of what is to be done, and the worker goes on.

mod traces;

use std::collections::{BTreeMap, BTreeSet};

use pergola_model::{
    Actor, ChangeKind, Fields, Id, Object, ObjectName, Operation, Query, Value, expr::Type, field::OnPurge,
    query::LIMIT_MAX,
};

use super::{Workspace, no_object};
use crate::{
    error::Error,
    guest::compile_filter,
    ports::{
        plugins::{Budget, Limits},
        purge::{PURGED, Place},
        store::AuditEntry,
    },
    rights::Rights,
    unit::{RECORDS_MAX, Unit, no_record, too_large},
};

/// The setting that says that the bytes of a purge are still to be removed.
const SCRUB_DUE: &str = "scrub_due";
/// The largest database that is written anew while others may want to write to it: a few seconds' work.
const SCRUB_BYTES_MAX: u64 = 512 << 20;

/// What a purge did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeReport {
    /// The object of the record.
    pub object: ObjectName,
    /// The record.
    pub record: Id,
    /// How many records of each object go.
    pub deleted: BTreeMap<ObjectName, u64>,
    /// How many records of each object stay without their reference.
    pub cleared: BTreeMap<ObjectName, u64>,
    /// How many rows with values go, or lose them, at each other place.
    pub traces: BTreeMap<&'static str, u64>,
    /// Whether no bytes of it are left in the database's files; the worker tries again where some may be.
    pub scrubbed: bool,
}

impl Workspace {
    /// What [`Self::purge`] would do; nothing is changed.
    ///
    /// # Errors
    /// As [`Self::purge`].
    pub async fn plan_purge(&self, actor: &Actor, object: &ObjectName, id: Id) -> Result<PurgeReport, Error> {
        let object = self.purgeable(actor, object)?;
        let about = self.about(&object, id).await?;
        let ids: Vec<Id> = about.deleted.keys().copied().chain([id]).collect();
        let (_, traces) = self.find_traces(&ids).await?;
        if about.deleted.is_empty() && traces.values().all(|count| *count == 0) {
            return Err(no_record(&object.name, id));
        }
        Ok(PurgeReport {
            object: object.name.clone(),
            record: id,
            deleted: tally(about.deleted.into_values()),
            cleared: tally(about.cleared.into_values()),
            traces,
            scrubbed: false,
        })
    }

    /// Removes a record and everything about it for good. One that was deleted earlier, and is in the bin or the audit
    /// only, is purged as well.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no trace of it, [`Error::Forbidden`] for those who may not delete, `in_use` when
    /// it concerns more than 10,000 records.
    pub async fn purge(&self, actor: &Actor, object: &ObjectName, id: Id) -> Result<PurgeReport, Error> {
        let object = self.purgeable(actor, object)?;
        if self.0.store.read().await?.find(&object, id).await?.is_none() {
            self.plan_purge(actor, &object.name, id).await?;
        }
        let rights = Rights::of(actor);
        self.detached(move |workspace| {
            let (rights, object) = (rights.clone(), object.clone());
            async move {
                let (deleted, cleared) = workspace.purge_records(&rights, &object, id).await?;
                let (traces, scrubbed) = workspace.forget_purged().await?;
                Ok(PurgeReport { object: object.name.clone(), record: id, deleted, cleared, traces, scrubbed })
            }
        })
        .await
    }

    fn purgeable(&self, actor: &Actor, object: &ObjectName) -> Result<std::sync::Arc<Object>, Error> {
        let object = self.catalog().object(object).cloned().ok_or_else(|| no_object(object.as_str()))?;
        Rights::of(actor).check(Operation::Delete, &object.name, &Fields::new())?;
        Ok(object)
    }

    async fn purge_records(
        &self,
        rights: &Rights,
        object: &Object,
        id: Id,
    ) -> Result<(BTreeMap<ObjectName, u64>, BTreeMap<ObjectName, u64>), Error> {
        let _open = self.0.gate.read().await;
        let mut unit = Unit::begin(self, Budget::new(Limits::background())).await?;
        let done = if unit.tx.find(object, id).await?.is_some() {
            let purge = unit.purge(rights, &object.name, id).await?;
            (tally(purge.deleted.into_iter().map(|(name, _)| name)), purge.cleared)
        } else {
            unit.tx.insert_purged(&[id]).await?;
            unit.tx.append_audit(&[purged(self, rights, object, id)]).await?;
            Default::default()
        };
        unit.commit().await?;
        Ok(done)
    }

    /// Removes the traces of purged records; how many rows at each place, and whether no bytes are left.
    pub(crate) async fn forget_purged(&self) -> Result<(BTreeMap<&'static str, u64>, bool), Error> {
        let ids = self.0.store.read().await?.list_purged().await?;
        if ids.is_empty() {
            return Ok((BTreeMap::new(), true));
        }
        let (forgotten, traces) = self.find_traces(&ids).await?;
        let mut tx = self.0.store.write().await?;
        for place in Place::ALL {
            tx.forget(place, &forgotten).await?;
        }
        tx.remove_purged(&ids).await?;
        tx.put_setting(SCRUB_DUE, &true.into()).await?;
        tx.commit().await?;
        Ok((traces, self.scrub_if_due().await?))
    }

    /// Writes the database anew, whatever its size, so that no bytes of what was deleted are left and no space is lost;
    /// whether nobody was in the way. Nobody can write meanwhile.
    ///
    /// # Errors
    /// The store's: a full disk, for instance.
    pub async fn compact(&self) -> Result<bool, Error> {
        let mut tx = self.0.store.write().await?;
        tx.drop_cleared().await?;
        tx.commit().await?;
        let scrubbed = self.0.store.scrub(u64::MAX).await?;
        if scrubbed {
            self.put_setting(SCRUB_DUE, &false.into()).await?;
        }
        Ok(scrubbed)
    }

    /// Whether the bytes of a purge are still to be removed.
    pub(crate) async fn is_scrub_due(&self) -> Result<bool, Error> {
        Ok(self.find_setting(SCRUB_DUE).await? == Some(true.into()))
    }

    /// Sees to the bytes, if a purge left that to be done; whether none are left.
    pub(crate) async fn scrub_if_due(&self) -> Result<bool, Error> {
        if !self.is_scrub_due().await? {
            return Ok(true);
        }
        match self.0.store.scrub(SCRUB_BYTES_MAX).await {
            Ok(true) => {
                self.put_setting(SCRUB_DUE, &false.into()).await?;
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(error) => {
                tracing::warn!(%error, "the bytes of what was purged could not be removed; it is tried again");
                Ok(false)
            }
        }
    }

    /// The live records that go with a record, itself included, and those that lose a reference.
    async fn about(&self, object: &Object, id: Id) -> Result<About, Error> {
        let mut about = About::default();
        if self.0.store.read().await?.find(object, id).await?.is_none() {
            return Ok(about);
        }
        about.deleted.insert(id, object.name.clone());
        let mut to_do = vec![(object.name.clone(), id)];
        let catalog = self.catalog();
        while let Some((name, id)) = to_do.pop() {
            let Some(object) = catalog.object(&name) else { continue };
            for referrer in &object.referrers {
                for found in self.referring(&referrer.object, &referrer.field, id).await? {
                    if referrer.on_purge == OnPurge::Clear {
                        about.cleared.insert(found, referrer.object.clone());
                    } else if about.deleted.insert(found, referrer.object.clone()).is_none() {
                        to_do.push((referrer.object.clone(), found));
                    }
                    if about.deleted.len().saturating_add(about.cleared.len()) > RECORDS_MAX {
                        return Err(too_large());
                    }
                }
            }
        }
        about.cleared.retain(|id, _| !about.deleted.contains_key(id));
        Ok(about)
    }

    /// The records whose field refers to this one; one more than can be purged at most.
    async fn referring(&self, name: &ObjectName, field: &str, id: Id) -> Result<BTreeSet<Id>, Error> {
        let catalog = self.catalog();
        let object = catalog.object(name).ok_or_else(|| no_object(name.as_str()))?;
        let mut query = Query {
            object: name.clone(),
            filter: Some(compile_filter(&catalog, object, &format!("{field} == p0"), &[Type::Id])?),
            parameters: vec![Value::Ref(id)],
            now: self.now(),
            sort: vec![],
            fields: Some(vec![]),
            limit: LIMIT_MAX,
            after: None,
        };
        let mut found = BTreeSet::new();
        loop {
            let page = self.0.store.read().await?.list(&catalog, &query).await?;
            found.extend(page.records.iter().map(|record| record.id));
            match page.next {
                Some(next) if found.len() <= RECORDS_MAX => query.after = Some(next),
                _ => return Ok(found),
            }
        }
    }
}

/// The live records that a purge concerns.
#[derive(Default)]
struct About {
    deleted: BTreeMap<Id, ObjectName>,
    cleared: BTreeMap<Id, ObjectName>,
}

fn tally(names: impl Iterator<Item = ObjectName>) -> BTreeMap<ObjectName, u64> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

fn purged(workspace: &Workspace, rights: &Rights, object: &Object, id: Id) -> AuditEntry {
    AuditEntry {
        at: workspace.now(),
        actor: rights.actor.label(),
        plugin: None,
        kind: ChangeKind::Delete.into(),
        object: object.name.clone(),
        record: id,
        changes: serde_json::from_str(PURGED).unwrap_or_default(),
    }
}
