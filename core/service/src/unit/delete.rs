//! Deleting records, and what becomes of those that refer to them.

use std::sync::Arc;

use pergola_model::{
    Actor, Change, ChangeKind, Fields, Id, Object, Operation, Query, Record, Value, expr::Type, field::OnDelete,
    object::Referrer,
};

use super::{Batch, Unit};
use crate::{
    error::Error,
    guest::compile_filter,
    ports::plugins::{Pending as PendingRow, Written},
    rights::Rights,
};

/// The most records that one delete takes along or clears, over all objects.
const REFERRERS_MAX: u32 = 1_000;

impl Unit {
    pub(super) async fn delete(&mut self, rights: &Rights, batch: Batch, depth: u32) -> Result<Vec<Record>, Error> {
        let object = batch.object;
        rights.check(Operation::Delete, &object.name, &Fields::new())?;
        let records = self.load(&object, &batch.changes).await?;
        let mut rows: Vec<PendingRow> = records
            .iter()
            .map(|record| PendingRow { id: record.id, before: record.fields.clone(), changes: Fields::new() })
            .collect();
        self.before_hooks(rights, &object, ChangeKind::Delete, &mut rows, depth).await?;
        for record in &records {
            self.settle_referrers(&object, record.id, depth).await?;
            if let Err(error) = self.tx.delete(&object, record.id, record.version).await {
                return Err(error.into());
            }
            self.follow(&object, Some(record), None).await?;
        }
        let written: Vec<Written> = records.iter().map(as_deleted).collect();
        self.note(rights, &object, ChangeKind::Delete, &written);
        self.after_hooks(rights, &object, ChangeKind::Delete, written, depth).await?;
        Ok(records)
    }

    /// Clears, takes along, or refuses, as each referring field declares. Whoever may delete the
    /// record may have its references settled: the host does it, and the audit says so.
    async fn settle_referrers(&mut self, object: &Object, id: Id, depth: u32) -> Result<(), Error> {
        let system = Rights::of(&Actor::System);
        for referrer in object.referrers.clone() {
            let Some(other) = self.catalog.object(&referrer.object).cloned() else { continue };
            let ids = self.referring(object, &other, &referrer, id).await?;
            if ids.is_empty() {
                continue;
            }
            let make: fn(&Object, &Referrer, Id) -> Change = match referrer.on_delete {
                OnDelete::Restrict => return Err(in_use(object, &other, ids.len())),
                OnDelete::Clear => clear,
                OnDelete::Cascade => |other, _, id| Change::delete(other.name.clone(), id),
            };
            let changes = ids.into_iter().map(|id| make(&other, &referrer, id)).collect();
            self.apply(&system, changes, depth).await?;
        }
        Ok(())
    }

    async fn referring(
        &mut self,
        object: &Object,
        other: &Object,
        referrer: &Referrer,
        id: Id,
    ) -> Result<Vec<Id>, Error> {
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
        if page.next.is_some() {
            return Err(in_use(object, other, page.records.len()));
        }
        Ok(page.records.into_iter().map(|record| record.id).collect())
    }
}

fn clear(other: &Object, referrer: &Referrer, id: Id) -> Change {
    Change::update(other.name.clone(), id, Fields::new().with(referrer.field.clone(), Value::Null))
}

fn in_use(object: &Object, other: &Object, count: usize) -> Error {
    Error::Conflict {
        code: "in_use",
        message: format!("{count} or more {} refer to this {}; delete or change them first", other.plural, object.name),
        issues: vec![],
    }
}

fn as_deleted(record: &Record) -> Written {
    Written {
        before: record.fields.clone(),
        changed: record.fields.iter().map(|(key, _)| key.to_owned()).collect(),
        now: record.clone(),
    }
}
