//! Records gone for good: no bin, no hook that could refuse, no value in the audit.
//!
//! What goes and what stays without its reference is declared by `on_purge` and `on_delete`. The traces that are left in
//! the system's own tables are removed after the commit (`workspace/purge.rs`), because finding them may take a while;
//! that they are to be removed is committed with the records.

use std::collections::BTreeMap;

use pergola_model::{
    Actor, Change, ChangeKind, Fields, Id, Object, ObjectName, Record, Value, field::OnPurge, object::Referrer,
};

use super::{Batch, Unit};
use crate::{error::Error, rights::Rights};

/// The most records that one purge takes along or clears.
pub(crate) const RECORDS_MAX: usize = 10_000;

/// A purge under way.
#[derive(Default)]
pub(crate) struct Purge {
    /// The records that are gone.
    pub(crate) deleted: Vec<(ObjectName, Id)>,
    /// How many records of each object lost a reference.
    pub(crate) cleared: BTreeMap<ObjectName, u64>,
}

impl Unit {
    /// Deletes a record for good, with all that is about it.
    pub(crate) async fn purge(&mut self, rights: &Rights, object: &ObjectName, id: Id) -> Result<Purge, Error> {
        self.purging = Some(Purge::default());
        self.apply(rights, vec![Change::delete(object.clone(), id)], 0).await?;
        let purge = self.purging.take().unwrap_or_default();
        let ids: Vec<Id> = purge.deleted.iter().map(|(_, id)| *id).collect();
        self.tx.insert_purged(&ids).await?;
        Ok(purge)
    }

    /// What is done to a batch of deletes while a purge is under way.
    pub(super) async fn purge_batch(
        &mut self,
        rights: &Rights,
        batch: Batch,
        depth: u32,
    ) -> Result<Vec<Record>, Error> {
        let object = batch.object;
        let records = self.load(&object, &batch.changes).await?;
        self.leave_rooms(&object, &records).await?;
        let outer = self.pending.begin_end(records.iter().map(|record| record.id));
        for record in &records {
            self.pending.bin.enter(record);
            self.forget_referrers(&object, record.id, depth).await?;
            let version = self.pending.bin.leave().unwrap_or(record.version);
            self.end(&object, record, version).await?;
            self.count_purged(|purge| purge.deleted.push((object.name.clone(), record.id)))?;
        }
        self.pending.end(outer);
        self.unbook(&object, &records).await?;
        let written: Vec<_> = records.iter().map(super::delete::as_deleted).collect();
        self.note(rights, &object, ChangeKind::Delete, &written);
        self.roll_up(&object, ChangeKind::Delete, &written).await?;
        Ok(records)
    }

    /// Takes along or clears what refers to a record, page by page: a regular guest has more than one.
    async fn forget_referrers(&mut self, object: &Object, id: Id, depth: u32) -> Result<(), Error> {
        let system = Rights::of(&Actor::System);
        for referrer in object.referrers.clone() {
            let Some(other) = self.catalog.object(&referrer.object).cloned() else { continue };
            loop {
                let ids = self.page_of_referring(&other, &referrer, id).await?.0;
                if ids.is_empty() {
                    break;
                }
                let (under_way, ids): (Vec<Id>, Vec<Id>) =
                    ids.into_iter().partition(|id| self.pending.bin.is_under_way(*id));
                for id in under_way {
                    self.let_go(&other, &referrer, id).await?;
                }
                let changes = ids.iter().map(|id| forget(&other, &referrer, *id)).collect();
                if referrer.on_purge == OnPurge::Clear {
                    let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
                    self.count_purged(|purge| *purge.cleared.entry(other.name.clone()).or_default() += count)?;
                }
                self.apply(&system, changes, depth).await?;
            }
        }
        Ok(())
    }

    fn count_purged(&mut self, count: impl FnOnce(&mut Purge)) -> Result<(), Error> {
        let Some(purge) = &mut self.purging else { return Ok(()) };
        count(purge);
        let cleared: u64 = purge.cleared.values().sum();
        let total = purge.deleted.len().saturating_add(usize::try_from(cleared).unwrap_or(usize::MAX));
        if total > RECORDS_MAX { Err(too_large()) } else { Ok(()) }
    }
}

fn forget(other: &Object, referrer: &Referrer, id: Id) -> Change {
    match referrer.on_purge {
        OnPurge::Delete => Change::delete(other.name.clone(), id),
        OnPurge::Clear => {
            Change::update(other.name.clone(), id, Fields::new().with(referrer.field.clone(), Value::Null))
        }
    }
}

/// More than one purge can take along.
pub(crate) fn too_large() -> Error {
    Error::Conflict {
        code: "in_use",
        message: format!(
            "more than {RECORDS_MAX} records are about this one; delete some of them first, then purge it"
        ),
        issues: vec![],
    }
}
