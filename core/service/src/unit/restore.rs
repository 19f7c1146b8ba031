//! Bringing back what a deletion took, by the one write path: rules, uniqueness, hooks and timers see new records.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pergola_model::{
    Actor, Change, FieldIssue, Fields, Id, Object, ObjectName, Operation, Value, json,
    upgrade::{Moved, moved},
};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Origin, Unit};
use crate::{
    error::Error,
    ports::bin::{BinContent, BinItem},
    rights::Rights,
};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The object of the record that was deleted.
    pub object: ObjectName,
    /// The record that was deleted.
    pub record: Id,
    /// Records that came back, that one included.
    pub records: usize,
    /// References that stand again where they had become empty.
    pub references: usize,
}

/// A record as the bin has it.
#[derive(Deserialize)]
struct Kept {
    version: i64,
    created_at: Timestamp,
    fields: serde_json::Map<String, Json>,
}

impl Unit {
    /// Brings back a deletion and takes it out of the bin.
    pub(crate) async fn restore(&mut self, rights: &Rights, id: Id) -> Result<Restored, Error> {
        let Some((deletion, items)) = self.tx.find_deletion(id).await? else { return Err(no_deletion(id)) };
        rights.check(Operation::Delete, &deletion.object, &Fields::new())?;
        if !self.tx.remove_deletion(id).await? {
            return Err(no_deletion(id));
        }
        let (mut creates, later) = self.creates(&items)?;
        let records = creates.len();
        // What a deletion took last was referred to by what it took first.
        creates.reverse();
        self.put_back(rights, creates).await?;
        self.put_back(rights, later).await?;
        let references = self.references(&items).await?;
        let count = references.len();
        self.put_back(&Rights::of(&Actor::System), references).await?;
        Ok(Restored { object: deletion.object, record: deletion.record, records, references: count })
    }

    /// The records to create, in the order of the items, and references to set once all of them are there.
    fn creates(&mut self, items: &[BinItem]) -> Result<(Vec<Change>, Vec<Change>), Error> {
        let mut creates = Vec::new();
        let mut later = Vec::new();
        let mut issues = Vec::new();
        // Those that come back after the one at hand.
        let mut after = BTreeSet::new();
        for item in items {
            let BinContent::Record(content) = &item.content else { continue };
            let Some(object) = self.catalog.object(&item.object).cloned() else {
                issues.push(FieldIssue::new(item.object.as_str(), "unknown_object", "its plugin is not installed"));
                continue;
            };
            let kept: Kept =
                serde_json::from_value(content.clone()).map_err(|error| Error::Internal(Box::new(error)))?;
            let mut fields = self.fields(&object, kept.fields, &mut issues);
            let numbers = take_computed(&object, &mut fields);
            let origin = Origin { version: kept.version, created_at: kept.created_at, numbers };
            self.restoring.insert(item.record, origin);
            after.insert(item.record);
            let forward = take_forward(&mut fields, &after);
            if !forward.is_empty() {
                later.push(Change::update(item.object.clone(), item.record, forward));
            }
            stay_here(&object, &mut fields);
            creates.push(Change { id: Some(item.record), ..Change::create(item.object.clone(), fields) });
        }
        if issues.is_empty() {
            Ok((creates, later))
        } else {
            Err(cannot_restore("it", "does not fit any more", issues))
        }
    }

    fn fields(&self, object: &Object, kept: serde_json::Map<String, Json>, issues: &mut Vec<FieldIssue>) -> Fields {
        let mut fields = Fields::new();
        for (key, value) in kept {
            let Some(key) = self.key_of_now(object, key) else { continue };
            let read = match object.field(&key) {
                Some(field) => json::value_from_json(field, &value, &self.locale),
                None if value.is_null() => continue,
                None => Err(FieldIssue::new(&key, "unknown_field", format!("{} has no such field now", object.name))),
            };
            match read {
                Ok(value) => {
                    fields.set(key, value);
                }
                Err(issue) => issues.push(issue),
            }
        }
        fields
    }

    /// The key that a field has by now, if a plugin has renamed it since; none if it was dropped.
    fn key_of_now(&self, object: &Object, key: String) -> Option<String> {
        if object.field(&key).is_some() {
            return Some(key);
        }
        let owner = key.split_once('.').map_or(object.owner.as_str(), |(plugin, _)| plugin);
        let plugin = self.catalog.plugins.values().find(|plugin| plugin.manifest.id.as_str() == owner);
        match plugin.and_then(|plugin| moved(&plugin.manifest, &object.name, &key)) {
            Some(Moved::To(key)) => Some(key),
            Some(Moved::Dropped) => None,
            None => Some(key),
        }
    }

    /// The references of the deletion that are still empty, each to be set again.
    async fn references(&mut self, items: &[BinItem]) -> Result<Vec<Change>, Error> {
        let mut wanted: BTreeMap<&ObjectName, Vec<(Id, &String, Id)>> = BTreeMap::new();
        for item in items {
            if let BinContent::Reference { field, to } = &item.content {
                wanted.entry(&item.object).or_default().push((item.record, field, *to));
            }
        }
        let mut changes = Vec::new();
        for (name, references) in wanted {
            let Some(object) = self.catalog.object(name).cloned() else { continue };
            let ids: Vec<Id> = references.iter().map(|(id, ..)| *id).collect::<BTreeSet<_>>().into_iter().collect();
            let found = self.tx.find_many(&object, &ids).await?;
            let found: BTreeMap<Id, Fields> = found.into_iter().map(|record| (record.id, record.fields)).collect();
            for (id, field, to) in references {
                let is_empty = found.get(&id).is_some_and(|fields| fields.get(field).is_null());
                if is_empty && object.field(field).is_some() {
                    changes.push(Change::update(name.clone(), id, Fields::new().with(field.clone(), Value::Ref(to))));
                }
            }
        }
        Ok(changes)
    }

    /// Applies the changes; when one does not fit, says which.
    async fn put_back(&mut self, rights: &Rights, changes: Vec<Change>) -> Result<(), Error> {
        match self.apply_nested(rights, changes.clone(), 0).await {
            Ok(_) => return Ok(()),
            Err(error) if !error.is_about_the_record() => return Err(error),
            Err(error) if changes.len() == 1 => return Err(self.does_not_fit(changes.first(), &error)),
            Err(_) => {}
        }
        // The unit fails anyhow; one by one it is seen at which.
        for change in changes {
            if let Err(error) = self.apply(rights, vec![change.clone()], 0).await {
                return Err(self.does_not_fit(Some(&change), &error));
            }
        }
        Err(cannot_restore("it", "its records do not fit together any more", vec![]))
    }

    fn does_not_fit(&self, change: Option<&Change>, error: &Error) -> Error {
        let what = change.and_then(|change| {
            let object = self.catalog.object(&change.object)?;
            let title = object.title.as_ref().and_then(|key| change.fields.get(key).as_text()).unwrap_or_default();
            Some(format!("{} {title:?} ({})", object.name, change.id?))
        });
        let why = format!("does not fit any more: {error}");
        cannot_restore(&what.unwrap_or_default(), &why, error.issues().to_vec())
    }
}

/// Takes out what the engine computes anew, and gives the numbers, which stay the record's own.
fn take_computed(object: &Object, fields: &mut Fields) -> Fields {
    let derived = &object.derived;
    for key in derived.rollups.iter().map(|one| &one.key).chain(derived.formulas.iter().map(|one| &one.key)) {
        fields.remove(key);
    }
    let numbers = derived.sequences.iter().filter_map(|one| Some((one.key.clone(), fields.remove(&one.key)?)));
    numbers.filter(|(_, number)| !number.is_null()).collect()
}

/// Takes out references to records that come back only after this one.
fn take_forward(fields: &mut Fields, after: &BTreeSet<Id>) -> Fields {
    let forward: Fields = fields
        .iter()
        .filter(|(_, value)| value.as_ref_id().is_some_and(|id| after.contains(&id)))
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect();
    for (key, _) in forward.iter() {
        fields.set(key, Value::Null);
    }
    forward
}

/// A message that had not left when it was deleted does not leave now, days later.
fn stay_here(object: &Object, fields: &mut Fields) {
    if object.name.as_str() == "message" && matches!(fields.get("status").as_text(), Some("queued" | "sending")) {
        fields.set("status", "cancelled");
    }
}

pub(crate) fn no_deletion(id: Id) -> Error {
    Error::NotFound(format!("there is no deletion {id} in the bin; it may have been restored or emptied"))
}

fn cannot_restore(what: &str, why: &str, issues: Vec<FieldIssue>) -> Error {
    Error::Conflict { code: "cannot_restore", message: format!("nothing was restored: {what} {why}"), issues }
}
