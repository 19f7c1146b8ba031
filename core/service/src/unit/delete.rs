//! Deleting records, and what becomes of those that refer to them.

use std::sync::Arc;

use pergola_model::{
    Actor, Change, ChangeKind, Fields, Id, Object, Operation, Query, Record, Value, expr::Type, field::OnDelete,
    object::Referrer,
};

use super::{Batch, Unit, bin, ledger::check_not_an_entry};
use crate::{
    error::Error,
    guest::compile_filter,
    ports::{
        bin::BinContent,
        plugins::{Pending as PendingRow, Written},
    },
    rights::Rights,
};

/// The most records of one object that refer to one that is deleted.
const REFERRERS_MAX: u32 = 1_000;

impl Unit {
    pub(super) async fn delete(&mut self, rights: &Rights, batch: Batch, depth: u32) -> Result<Vec<Record>, Error> {
        let object = batch.object;
        rights.check(Operation::Delete, &object.name, &Fields::new())?;
        check_not_an_entry(&object)?;
        let records = self.load(&object, &batch.changes).await?;
        let mut rows: Vec<PendingRow> = records
            .iter()
            .map(|record| PendingRow { id: record.id, before: record.fields.clone(), changes: Fields::new() })
            .collect();
        self.before_hooks(rights, &object, ChangeKind::Delete, &mut rows, depth).await?;
        // A hook may have written records that count for these.
        let records: Vec<Record> = records.into_iter().map(|record| self.pending.newest(record)).collect();
        self.leave_rooms(&object, &records).await?;
        let outer = self.pending.begin_end(records.iter().map(|record| record.id));
        for record in &records {
            self.delete_one(rights, &object, record, depth).await?;
        }
        self.pending.end(outer);
        let written: Vec<Written> = records.iter().map(as_deleted).collect();
        self.note(rights, &object, ChangeKind::Delete, &written);
        self.roll_up(&object, ChangeKind::Delete, &written).await?;
        self.after_hooks(rights, &object, ChangeKind::Delete, written, depth).await?;
        Ok(records)
    }

    /// Deletes a record after those that go with it, and puts all of them into the bin as one deletion.
    async fn delete_one(&mut self, rights: &Rights, object: &Object, record: &Record, depth: u32) -> Result<(), Error> {
        let id = self.workspace.0.ids.next(self.now);
        let outermost = self.pending.bin.open(|| bin::deletion(id, self.now, rights, object, record));
        self.pending.bin.enter(record);
        self.settle_referrers(object, record.id, depth).await?;
        let version = self.pending.bin.leave().unwrap_or(record.version);
        self.end(object, record, version).await?;
        self.pending.bin.add(object, record.id, BinContent::Record(bin::record_to_json(object, record)))?;
        if outermost {
            self.pending.bin.close();
        }
        Ok(())
    }

    /// Takes a record out of its table, and ends what follows it.
    pub(super) async fn end(&mut self, object: &Object, record: &Record, version: i64) -> Result<(), Error> {
        self.tx.delete(object, record.id, version).await?;
        self.follow(object, Some(record), None).await
    }

    /// Clears, takes along, or refuses, as each referring field declares. Whoever may delete the
    /// record may have its references settled: the host does it, and the audit says so.
    async fn settle_referrers(&mut self, object: &Object, id: Id, depth: u32) -> Result<(), Error> {
        let system = Rights::of(&Actor::System);
        for referrer in object.referrers.clone() {
            let Some(other) = self.catalog.object(&referrer.object).cloned() else { continue };
            let ids = self.referring(object, &other, &referrer, id).await?;
            // Records that refer to each other, or to themselves, go together: one under way is not begun again.
            let (under_way, ids): (Vec<Id>, Vec<Id>) =
                ids.into_iter().partition(|id| self.pending.bin.is_under_way(*id));
            for id in under_way {
                self.let_go(&other, &referrer, id).await?;
            }
            if ids.is_empty() {
                continue;
            }
            let changes = match referrer.on_delete {
                OnDelete::Restrict => return Err(in_use(object, &other, ids.len())),
                OnDelete::Clear => self.clear(&other, &referrer, id, &ids)?,
                OnDelete::Cascade => ids.iter().map(|id| Change::delete(other.name.clone(), *id)).collect(),
            };
            self.apply(&system, changes, depth).await?;
        }
        Ok(())
    }

    /// The changes that empty references, and lines in the bin by which they are found again.
    fn clear(&mut self, other: &Object, referrer: &Referrer, to: Id, ids: &[Id]) -> Result<Vec<Change>, Error> {
        for id in ids {
            let content = BinContent::Reference { field: referrer.field.clone(), to };
            self.pending.bin.add(other, *id, content)?;
        }
        let empty = || Fields::new().with(referrer.field.clone(), Value::Null);
        Ok(ids.iter().map(|id| Change::update(other.name.clone(), *id, empty())).collect())
    }

    /// Empties a reference of a record that is about to be deleted, so that the one it refers to can go first.
    /// No rule and no hook looks at it: the record ends in the same breath, and the bin has it whole.
    pub(super) async fn let_go(&mut self, other: &Object, referrer: &Referrer, id: Id) -> Result<(), Error> {
        let Some(mut record) = self.tx.find(other, id).await? else { return Ok(()) };
        record.fields.remove(&referrer.field);
        record.version = record.version.saturating_add(1);
        self.tx.update(other, &record, std::slice::from_ref(&referrer.field)).await?;
        self.pending.bin.let_go(id, record.version);
        Ok(())
    }

    async fn referring(
        &mut self,
        object: &Object,
        other: &Object,
        referrer: &Referrer,
        id: Id,
    ) -> Result<Vec<Id>, Error> {
        let (ids, has_more) = self.page_of_referring(other, referrer, id).await?;
        if has_more {
            return Err(in_use(object, other, ids.len()));
        }
        Ok(ids)
    }

    /// The first records that refer so to a record, and whether there are more.
    pub(super) async fn page_of_referring(
        &mut self,
        other: &Object,
        referrer: &Referrer,
        id: Id,
    ) -> Result<(Vec<Id>, bool), Error> {
        let catalog = Arc::clone(&self.catalog);
        let filter = compile_filter(&catalog, other, &format!("{} == p0", referrer.field), &[Type::Id])?;
        let query = Query {
            object: other.name.clone(),
            filter: Some(filter),
            parameters: vec![Value::Ref(id)],
            now: self.now,
            sort: vec![],
            fields: Some(vec![]),
            limit: REFERRERS_MAX,
            after: None,
        };
        let page = self.tx.list(&catalog, &query).await?;
        Ok((page.records.iter().map(|record| record.id).collect(), page.next.is_some()))
    }
}

fn in_use(object: &Object, other: &Object, count: usize) -> Error {
    Error::Conflict {
        code: "in_use",
        message: format!("{count} or more {} refer to this {}; delete or change them first", other.plural, object.name),
        issues: vec![],
    }
}

pub(super) fn as_deleted(record: &Record) -> Written {
    Written {
        before: record.fields.clone(),
        changed: record.fields.iter().map(|(key, _)| key.to_owned()).collect(),
        now: record.clone(),
    }
}
