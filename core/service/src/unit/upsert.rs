//! Creating and updating records in batches.

use std::sync::Arc;

use pergola_model::{Change, ChangeKind, Fields, Object, Operation, Record, decl::Phase, json, search};

use super::{
    Batch, Unit,
    ledger::check_not_an_entry,
    prepare,
    rules::{Planned, Touched},
};
use crate::{
    error::Error,
    ports::{
        plugins::{Pending as PendingRow, Written},
        store::{AuditEntry, NewEvent},
    },
    rights::Rights,
    workspace::row_of,
};

/// One record on its way through an update.
struct Row {
    before: Record,
    changes: Fields,
}

impl Unit {
    pub(super) async fn create(&mut self, rights: &Rights, batch: Batch, depth: u32) -> Result<Vec<Record>, Error> {
        let object = batch.object;
        let mut rows = Vec::with_capacity(batch.changes.len());
        for change in batch.changes {
            rights.check(Operation::Create, &object.name, &change.fields)?;
            rows.push(self.new_row(&object, change).await?);
        }
        self.before_hooks(rights, &object, ChangeKind::Create, &mut rows, depth).await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            let origin = self.origin(row.id);
            let mut record = Record {
                id: row.id,
                version: origin.version,
                created_at: origin.created_at,
                updated_at: self.now,
                fields: prepare::without_nulls(row.changes),
            };
            record.fields.merge(origin.numbers);
            records.push(record);
        }
        self.number(&object, &mut records).await?;
        for record in &mut records {
            self.derive_new(&object, record)?;
        }
        let mut planned: Vec<Planned> =
            records.into_iter().map(|record| Planned { before: None, after: Some(record) }).collect();
        self.begin_holds(&object, &mut planned)?;
        self.fit(&object, &mut planned).await?;
        let mut records: Vec<Record> = planned.into_iter().filter_map(|one| one.after).collect();
        for record in &mut records {
            // Again, because a hold or a waiting list may have set what a formula looks at.
            self.derive_new(&object, record)?;
            prepare::check_required(&object, &record.fields)?;
        }
        self.check_transfers(&object, &records).await?;
        self.insert(&object, &records).await?;
        self.book(&object, &records).await?;
        let touched: Vec<Touched<'_>> =
            records.iter().map(|record| Touched { record, changed: None, is_late: false }).collect();
        self.check_written(&object, &touched).await?;
        for record in &records {
            self.follow(&object, None, Some(record)).await?;
        }
        let written: Vec<Written> = records.iter().map(as_created).collect();
        self.note(rights, &object, ChangeKind::Create, &written);
        self.roll_up(&object, ChangeKind::Create, &written).await?;
        self.after_hooks(rights, &object, ChangeKind::Create, written, depth).await?;
        Ok(records)
    }

    async fn new_row(&mut self, object: &Object, change: Change) -> Result<PendingRow, Error> {
        let mut fields = change.fields;
        prepare::fill_defaults(object, &mut fields);
        let id = change.id.unwrap_or_else(|| self.workspace.0.ids.next(self.now));
        let fields = prepare::normalise(object, fields, &self.locale)?;
        Ok(PendingRow { id, before: Fields::new(), changes: self.set_initials(object, id, fields).await? })
    }

    pub(super) async fn update(&mut self, rights: &Rights, batch: Batch, depth: u32) -> Result<Vec<Record>, Error> {
        let object = batch.object;
        for change in &batch.changes {
            rights.check(Operation::Update, &object.name, &change.fields)?;
        }
        if self.purging.is_none() {
            check_not_an_entry(&object)?;
        }
        let loaded = self.load(&object, &batch.changes).await?;
        let mut rows = Vec::with_capacity(loaded.len());
        for (change, before) in batch.changes.into_iter().zip(loaded) {
            let mut changes = prepare::normalise(&object, change.fields, &self.locale)?;
            keep_changed(&before, &mut changes);
            rows.push(Row { before, changes });
        }
        self.hook_updates(rights, &object, &mut rows, depth).await?;
        let mut records = Vec::with_capacity(rows.len());
        let mut planned = Vec::with_capacity(rows.len());
        for row in rows {
            planned.push(self.plan(&object, row)?);
        }
        self.begin_holds(&object, &mut planned)?;
        self.fit(&object, &mut planned).await?;
        let (mut stored, mut written) = (Vec::new(), Vec::new());
        for one in planned {
            let (Some(before), Some(mut now)) = (one.before, one.after) else { continue };
            if prepare::differing_keys(&before.fields, &now.fields).is_empty() {
                records.push(before);
                continue;
            }
            // Again, because a hold or a waiting list may have set what a formula looks at.
            self.derive(&object, &mut now, &mut Vec::new())?;
            let changed = prepare::differing_keys(&before.fields, &now.fields);
            let done = self.update_one(rights, &object, &before, now, changed).await?;
            records.push(done.now.clone());
            stored.push(before);
            written.push(done);
        }
        let touched: Vec<Touched<'_>> = self.touched(&object, &stored, &written);
        self.check_written(&object, &touched).await?;
        for (before, one) in stored.iter().zip(&written) {
            self.follow(&object, Some(before), Some(&one.now)).await?;
        }
        self.note(rights, &object, ChangeKind::Update, &written);
        self.roll_up(&object, ChangeKind::Update, &written).await?;
        self.after_hooks(rights, &object, ChangeKind::Update, written, depth).await?;
        Ok(records)
    }

    /// Shows the rows that change anything to the before-hooks.
    async fn hook_updates(
        &mut self,
        rights: &Rights,
        object: &Object,
        rows: &mut [Row],
        depth: u32,
    ) -> Result<(), Error> {
        let mut changing: Vec<&mut Row> = rows.iter_mut().filter(|row| !row.changes.is_empty()).collect();
        let mut pending: Vec<PendingRow> = changing
            .iter()
            .map(|row| PendingRow {
                id: row.before.id,
                before: row.before.fields.clone(),
                changes: row.changes.clone(),
            })
            .collect();
        if pending.is_empty() {
            return Ok(());
        }
        self.before_hooks(rights, object, ChangeKind::Update, &mut pending, depth).await?;
        for (row, hooked) in changing.iter_mut().zip(pending) {
            row.changes = hooked.changes;
        }
        Ok(())
    }

    /// The record as it will be, if it may be so; without a change, the record as it is.
    fn plan(&self, object: &Object, row: Row) -> Result<Planned, Error> {
        // A hook may have written records that count for this one.
        let before = self.pending.newest(row.before);
        let mut changed = prepare::changed_keys(&before.fields, &row.changes);
        let mut after = before.clone();
        if !changed.is_empty() {
            Self::check_numbered(object, &changed)?;
            after.fields.merge(row.changes);
            prepare::check_required(object, &after.fields)?;
            after.fields = prepare::without_nulls(after.fields);
            after.version += 1;
            after.updated_at = self.now;
            self.derive(object, &mut after, &mut changed)?;
        }
        Ok(Planned { before: Some(before), after: Some(after) })
    }

    fn touched<'a>(&self, object: &Object, stored: &[Record], written: &'a [Written]) -> Vec<Touched<'a>> {
        let pairs = stored.iter().zip(written);
        let touched = |(before, one): (&Record, &'a Written)| Touched {
            record: &one.now,
            changed: Some(&one.changed),
            is_late: self.is_late(object, before),
        };
        pairs.map(touched).collect()
    }

    async fn update_one(
        &mut self,
        rights: &Rights,
        object: &Object,
        before: &Record,
        now: Record,
        changed: Vec<String>,
    ) -> Result<Written, Error> {
        self.check_transitions(&rights.actor, object, &before.fields, &now).await?;
        if let Err(error) = self.tx.update(object, &now, &changed).await {
            return Err(self.explain(object, std::slice::from_ref(&now), error).await);
        }
        Ok(Written { before: before.fields.clone(), now, changed })
    }

    /// Writes the changed fields of a record by itself; its rules are checked and its timers follow.
    pub(super) async fn write_changed(
        &mut self,
        object: &Object,
        before: &Record,
        now: &Record,
        changed: &[String],
    ) -> Result<(), Error> {
        if let Err(error) = self.tx.update(object, now, changed).await {
            return Err(self.explain(object, std::slice::from_ref(now), error).await);
        }
        self.check_written(object, &[Touched { record: now, changed: Some(changed), is_late: false }]).await?;
        self.follow(object, Some(before), Some(now)).await
    }

    /// Notes what was written for the audit and the outbox.
    pub(super) fn note(&mut self, rights: &Rights, object: &Object, kind: ChangeKind, rows: &[Written]) {
        let purging = self.purging.is_some();
        let told = self.catalog.has_subscriber(&object.name, kind);
        for row in rows {
            self.note_entry(object, kind, row);
            self.pending.audit(AuditEntry {
                at: self.now,
                actor: rights.actor.label(),
                plugin: rights.plugin().cloned(),
                kind: kind.into(),
                object: object.name.clone(),
                record: row.now.id,
                changes: if purging { serde_json::json!({ "$purged": true }) } else { audit_changes(kind, row) },
            });
            if told {
                self.pending.event(NewEvent {
                    at: self.now,
                    object: object.name.clone(),
                    kind,
                    record: row.now.id,
                    changed: row.changed.clone(),
                });
            }
        }
    }
}

impl Unit {
    /// Writes new records: at once, or with the rest of the unit if nothing in between looks at them.
    async fn insert(&mut self, object: &Arc<Object>, records: &[Record]) -> Result<(), Error> {
        let done = match records {
            [record] if self.may_be_late(object) => {
                self.late = Some((Arc::clone(object), record.clone()));
                self.tx.insert_late(object, record).await
            }
            _ => self.tx.insert(object, records).await,
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain(object, records, error).await),
        }
    }

    fn may_be_late(&self, object: &Object) -> bool {
        self.is_single
            && object.checks.is_empty()
            && object.excludes.is_empty()
            && object.derived.ledger.is_none()
            && object.derived.feeds.is_empty()
            && self.catalog.hooks_on(&object.name, Phase::After, ChangeKind::Create).next().is_none()
    }

    /// Notes what is found of a record from now on.
    fn note_entry(&mut self, object: &Object, kind: ChangeKind, row: &Written) {
        // Whatever was searchable of it: that is what its entry was made of.
        if !search::concerns(object, &row.changed) {
            return;
        }
        let entry = if kind == ChangeKind::Delete { None } else { row_of(object, &row.now) };
        if entry.is_some() || kind != ChangeKind::Create {
            self.pending.entry(&object.name, row.now.id, entry);
        }
    }
}

fn keep_changed(before: &Record, changes: &mut Fields) {
    let same: Vec<String> =
        changes.iter().filter(|(key, value)| before.fields.get(key) == *value).map(|(key, _)| key.to_owned()).collect();
    for key in same {
        changes.remove(&key);
    }
}

fn as_created(record: &Record) -> Written {
    Written {
        before: Fields::new(),
        changed: record.fields.iter().map(|(key, _)| key.to_owned()).collect(),
        now: record.clone(),
    }
}

/// On create and delete `{field: value}`, on update `{field: [before, after]}`.
fn audit_changes(kind: ChangeKind, row: &Written) -> serde_json::Value {
    let pairs = row.changed.iter().map(|key| {
        let after = json::value_to_json(row.now.fields.get(key));
        let value = match kind {
            ChangeKind::Update => serde_json::json!([json::value_to_json(row.before.get(key)), after]),
            ChangeKind::Create | ChangeKind::Delete => after,
        };
        (key.clone(), value)
    });
    serde_json::Value::Object(pairs.collect())
}
