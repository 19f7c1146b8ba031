//! What a unit of work deletes, kept so that it can come back.
//!
//! A deletion is one record that somebody deleted and all that went or was cleared on its account, however deep. What
//! hooks delete while it is under way belongs to it too.

use pergola_model::{Id, Object, Record, json};
use serde_json::{Value as Json, json};

use crate::{
    error::Error,
    ports::{
        bin::{BinContent, BinItem, Deletion},
        store::{StoreError, Transaction},
    },
    rights::Rights,
};

/// The most records that one deletion takes along or clears, over all objects.
const ITEMS_MAX: usize = 1_000;
/// The longest title, in characters.
const TITLE_CHARS_MAX: usize = 200;

/// The deletions of a unit of work.
#[derive(Default)]
pub(super) struct Bin {
    deletions: Vec<Deletion>,
    items: Vec<BinItem>,
    open: Option<Open>,
    /// Records whose deletion has begun, outermost first, with the version at which they are stored.
    under_way: Vec<(Id, i64)>,
}

/// The deletion under way.
#[derive(Clone, Copy)]
struct Open {
    id: Id,
    /// Items before it.
    first: usize,
}

/// A place to go back to.
pub(super) struct Mark {
    deletions: usize,
    items: usize,
    open: Option<Open>,
    under_way: usize,
}

impl Bin {
    /// Begins a deletion, unless one is under way; whether it did.
    pub(super) fn open(&mut self, deletion: impl FnOnce() -> Deletion) -> bool {
        if self.open.is_some() {
            return false;
        }
        let deletion = deletion();
        self.open = Some(Open { id: deletion.id, first: self.items.len() });
        self.deletions.push(deletion);
        true
    }

    /// Ends the deletion under way.
    pub(super) fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let records = self.items.iter().skip(open.first).filter(|item| matches!(item.content, BinContent::Record(_)));
        let records = i64::try_from(records.count()).unwrap_or(i64::MAX);
        if let Some(deletion) = self.deletions.last_mut() {
            deletion.records = records;
        }
    }

    /// The record's own deletion begins.
    pub(super) fn enter(&mut self, record: &Record) {
        self.under_way.push((record.id, record.version));
    }

    /// Nothing refers to the innermost record any more; the version at which it is stored.
    pub(super) fn leave(&mut self) -> Option<i64> {
        self.under_way.pop().map(|(_, version)| version)
    }

    /// Whether the record's own deletion has begun.
    pub(super) fn is_under_way(&self, id: Id) -> bool {
        self.under_way.iter().any(|(one, _)| *one == id)
    }

    /// A record under way is stored at another version now.
    pub(super) fn let_go(&mut self, id: Id, now_at: i64) {
        for (one, version) in &mut self.under_way {
            if *one == id {
                *version = now_at;
            }
        }
    }

    /// Adds to the deletion under way.
    pub(super) fn add(&mut self, object: &Object, record: Id, content: BinContent) -> Result<(), Error> {
        let Some(open) = self.open else { return Ok(()) };
        let place = self.items.len().saturating_sub(open.first);
        if place >= ITEMS_MAX {
            return Err(too_many(&self.deletions));
        }
        self.items.push(BinItem {
            deletion: open.id,
            place: i64::try_from(place).unwrap_or(i64::MAX),
            object: object.name.clone(),
            record,
            content,
        });
        Ok(())
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            deletions: self.deletions.len(),
            items: self.items.len(),
            open: self.open,
            under_way: self.under_way.len(),
        }
    }

    pub(super) fn go_back_to(&mut self, mark: &Mark) {
        self.deletions.truncate(mark.deletions);
        self.items.truncate(mark.items);
        self.open = mark.open;
        self.under_way.truncate(mark.under_way);
    }

    pub(super) async fn flush(&mut self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        if !self.deletions.is_empty() {
            tx.insert_deletions(&self.deletions, &self.items).await?;
        }
        Ok(())
    }
}

/// The deletion of a record that somebody asked for.
pub(super) fn deletion(id: Id, at: jiff::Timestamp, rights: &Rights, object: &Object, record: &Record) -> Deletion {
    Deletion {
        id,
        at,
        actor: rights.actor.label(),
        plugin: rights.plugin().cloned(),
        object: object.name.clone(),
        record: record.id,
        title: title(object, record),
        records: 1,
    }
}

/// What people call a record; its object's name, where it has none of its own.
pub(super) fn title(object: &Object, record: &Record) -> String {
    let named = object.title.as_ref().and_then(|key| record.fields.get(key).as_text());
    named.map_or_else(|| object.name.to_string(), |text| text.chars().take(TITLE_CHARS_MAX).collect())
}

/// The record with every declared field: one that is null stays so, one that is declared later takes its default.
pub(super) fn record_to_json(object: &Object, record: &Record) -> Json {
    let value = |key: &String| json::value_to_json(record.fields.get(key));
    let fields: serde_json::Map<String, Json> = object.fields.keys().map(|key| (key.clone(), value(key))).collect();
    json!({ "version": record.version, "created_at": record.created_at, "fields": fields })
}

fn too_many(deletions: &[Deletion]) -> Error {
    let what = deletions.last().map(|deletion| deletion.object.to_string()).unwrap_or_default();
    Error::Conflict {
        code: "in_use",
        message: format!(
            "deleting this {what} would take along or change more than {ITEMS_MAX} records; delete some of them first"
        ),
        issues: vec![],
    }
}
