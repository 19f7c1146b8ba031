//! Creating and updating records in batches.

use pergola_model::{Change, ChangeKind, Fields, Object, Operation, Record, json};

use super::{Batch, Unit, prepare, rules::Touched};
use crate::{
    error::Error,
    ports::{
        plugins::{Pending as PendingRow, Written},
        store::{AuditEntry, NewEvent},
    },
    rights::Rights,
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
            rows.push(self.new_row(&object, change)?);
        }
        self.before_hooks(rights, &object, ChangeKind::Create, &mut rows, depth).await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            prepare::check_required(&object, &row.changes)?;
            let origin = self.origin(row.id);
            records.push(Record {
                id: row.id,
                version: origin.version,
                created_at: origin.created_at,
                updated_at: self.now,
                fields: prepare::without_nulls(row.changes),
            });
        }
        if let Err(error) = self.tx.insert(&object, &records).await {
            return Err(self.explain(&object, &records, error).await);
        }
        let touched: Vec<Touched<'_>> = records.iter().map(|record| Touched { record, changed: None }).collect();
        self.check_written(&object, &touched).await?;
        for record in &records {
            self.follow(&object, None, Some(record)).await?;
        }
        let written: Vec<Written> = records.iter().map(as_created).collect();
        self.note(rights, &object, ChangeKind::Create, &written);
        self.after_hooks(rights, &object, ChangeKind::Create, written, depth).await?;
        Ok(records)
    }

    fn new_row(&self, object: &Object, change: Change) -> Result<PendingRow, Error> {
        let mut fields = change.fields;
        prepare::fill_defaults(object, &mut fields);
        let id = change.id.unwrap_or_else(|| self.workspace.0.ids.next(self.now));
        Ok(PendingRow { id, before: Fields::new(), changes: prepare::normalise(object, fields, &self.locale)? })
    }

    pub(super) async fn update(&mut self, rights: &Rights, batch: Batch, depth: u32) -> Result<Vec<Record>, Error> {
        let object = batch.object;
        for change in &batch.changes {
            rights.check(Operation::Update, &object.name, &change.fields)?;
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
        let (mut stored, mut written) = (Vec::new(), Vec::new());
        for row in rows {
            let changed = prepare::changed_keys(&row.before.fields, &row.changes);
            if changed.is_empty() {
                records.push(row.before);
                continue;
            }
            stored.push(row.before.clone());
            let done = self.update_one(rights, &object, row, changed).await?;
            records.push(done.now.clone());
            written.push(done);
        }
        let touched: Vec<Touched<'_>> =
            written.iter().map(|one| Touched { record: &one.now, changed: Some(&one.changed) }).collect();
        self.check_written(&object, &touched).await?;
        for (before, one) in stored.iter().zip(&written) {
            self.follow(&object, Some(before), Some(&one.now)).await?;
        }
        self.note(rights, &object, ChangeKind::Update, &written);
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

    async fn update_one(
        &mut self,
        rights: &Rights,
        object: &Object,
        row: Row,
        changed: Vec<String>,
    ) -> Result<Written, Error> {
        let mut fields = row.before.fields.clone();
        fields.merge(row.changes);
        prepare::check_required(object, &fields)?;
        let now = Record {
            id: row.before.id,
            version: row.before.version + 1,
            created_at: row.before.created_at,
            updated_at: self.now,
            fields: prepare::without_nulls(fields),
        };
        self.check_transitions(&rights.actor, object, &row.before.fields, &now).await?;
        if let Err(error) = self.tx.update(object, &now, &changed).await {
            return Err(self.explain(object, std::slice::from_ref(&now), error).await);
        }
        Ok(Written { before: row.before.fields, now, changed })
    }

    /// Notes what was written for the audit and the outbox.
    pub(super) fn note(&mut self, rights: &Rights, object: &Object, kind: ChangeKind, rows: &[Written]) {
        let purging = self.purging.is_some();
        let told = self.catalog.has_subscriber(&object.name, kind);
        for row in rows {
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
