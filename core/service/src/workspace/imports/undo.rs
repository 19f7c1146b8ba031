//! Taking an import back, newest first, in bounded steps through the unit of work.
//!
//! What somebody has changed since stays, and what others refer to; the rest goes on. Each step notes what it did in
//! its own commit, so that a killed undo goes on where it stopped.

use std::collections::{HashMap, HashSet};

use pergola_model::{
    Actor, Change, Fields, Id, Object, ObjectName, Query, Record, Value,
    expr::Type,
    json::{value_from_json, value_to_json},
    object::Referrer,
};
use serde_json::Value as Json;

use super::{check_owner, taken_over};
use crate::{
    error::Error,
    guest::compile_filter,
    ports::{
        imports::{EntryOutcome, ImportEntry, ImportState, StoredImport, Wrote},
        plugins::{Budget, Limits},
    },
    rights::Rights,
    unit::Unit,
    workspace::{ApplyMode, Workspace, no_object, write::apply_groups},
};

/// Entries in a step, and so in a commit.
const STEP: u32 = 200;
/// Records that refer to those of one step and are looked at; with more, all of the step stay.
const REFERRERS_MAX: u32 = 5_000;

/// An import on its way back.
pub struct UndoneImport {
    workspace: Workspace,
    rights: Rights,
    mode: ApplyMode,
    import: StoredImport,
    /// Entries from here on were looked at.
    before: i64,
    /// In a dry run: entries that were kept before are to be looked at.
    reopens: bool,
    /// In a dry run: records that would be gone by now.
    gone: HashSet<Id>,
}

/// What a step did.
#[derive(Debug, Default)]
pub struct UndoStep {
    /// Records that were created and are gone.
    pub removed: u64,
    /// Records whose values are as before.
    pub restored: u64,
    /// Records that stay, wholly or in part.
    pub kept: Vec<Kept>,
}

/// A record that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The number of the row; 0 for what a plugin's hook made besides.
    pub line: i64,
    /// Its object.
    pub object: ObjectName,
    /// Its id.
    pub record: Id,
    /// Why, for people.
    pub reason: String,
}

impl Workspace {
    /// Begins to take an import back, or goes on with it. What was kept before is looked at again.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Forbidden`] for everybody but owners; `stale` when the import goes on elsewhere.
    pub async fn undo_import(&self, actor: &Actor, id: Id, mode: ApplyMode) -> Result<UndoneImport, Error> {
        check_owner(actor)?;
        let mut tx = self.0.store.write().await?;
        let Some(mut import) = tx.find_import(id).await? else {
            return Err(Error::NotFound(format!("there is no import {id}")));
        };
        let reopens = import.state != ImportState::Undoing;
        if reopens {
            tx.reopen_import_entries(id).await?;
            import.state = ImportState::Undoing;
        }
        if mode == ApplyMode::Commit {
            import.revision = import.revision.saturating_add(1);
            tx.put_import(&import).await.map_err(taken_over)?;
            tx.commit().await?;
        }
        let (workspace, rights) = (self.clone(), Rights::of(actor));
        Ok(UndoneImport { workspace, rights, mode, import, before: i64::MAX, reopens, gone: HashSet::new() })
    }
}

impl UndoneImport {
    /// How many entries the import has.
    #[must_use]
    pub fn entries(&self) -> i64 {
        self.import.entries
    }

    /// Takes the next records back; none when all were looked at.
    ///
    /// # Errors
    /// Any of [`Error`]; then nothing of the step was written, and the undo can go on later.
    pub async fn step(&mut self) -> Result<Option<UndoStep>, Error> {
        let _open = self.workspace.0.gate.clone().read_owned().await;
        let limit = usize::try_from(STEP).unwrap_or_default();
        let mut unit = Unit::begin(&self.workspace, Budget::new(Limits::batch(limit))).await?;
        if self.reopens && self.mode == ApplyMode::DryRun {
            unit.tx.reopen_import_entries(self.import.id).await?;
        }
        let entries = unit.tx.list_import_entries(self.import.id, self.before, STEP).await?;
        let entries = alike(entries);
        let Some(first) = entries.first() else {
            self.finish(unit).await?;
            return Ok(None);
        };
        let object = unit.catalog.object(&first.object).cloned().ok_or_else(|| no_object(first.object.as_str()))?;
        let ids: Vec<Id> = entries.iter().map(|entry| entry.record).collect();
        let found = unit.tx.find_many(&object, &ids).await?;
        let found: HashMap<Id, Record> = found.into_iter().map(|record| (record.id, record)).collect();
        let mut sorted = Sorted::default();
        match first.wrote {
            Wrote::Created { .. } => self.sort_created(&mut unit, &object, &entries, &found, &mut sorted).await?,
            Wrote::Updated { .. } => sort_updated(&unit, &object, &entries, &found, &mut sorted),
        }
        let before = entries.last().map_or(0, |entry| entry.place);
        let step = self.write(unit, sorted).await?;
        self.before = before;
        Ok(Some(step))
    }

    async fn finish(&mut self, mut unit: Unit) -> Result<(), Error> {
        if self.mode == ApplyMode::Commit && self.import.state != ImportState::Undone {
            let mut after = self.import.clone();
            after.state = ImportState::Undone;
            after.revision = after.revision.saturating_add(1);
            unit.tx.put_import(&after).await.map_err(taken_over)?;
            unit.commit().await?;
            self.import = after;
        }
        Ok(())
    }

    /// Which created records go: those that nobody has changed or refers to.
    async fn sort_created(
        &mut self,
        unit: &mut Unit,
        object: &Object,
        entries: &[ImportEntry],
        found: &HashMap<Id, Record>,
        sorted: &mut Sorted,
    ) -> Result<(), Error> {
        let mut whole: Vec<&ImportEntry> = Vec::new();
        for entry in entries {
            match (&entry.wrote, found.get(&entry.record)) {
                (_, None) => sorted.done.push(entry.place),
                (Wrote::Created { version }, Some(record)) if record.version != *version => {
                    sorted.keep(entry, "it was changed since the import");
                }
                _ => whole.push(entry),
            }
        }
        let ids: HashSet<Id> = whole.iter().map(|entry| entry.record).collect();
        let referred = referred(unit, object, &ids).await?;
        let mut staying: HashSet<Id> = HashSet::new();
        for entry in whole {
            let by = match &referred {
                None => Some("more than can be looked at".to_owned()),
                Some(all) => {
                    // What stays keeps what it refers to, be it of the same step.
                    let stays = |id: &Id| staying.contains(id) || (!self.gone.contains(id) && !ids.contains(id));
                    let by = all.iter().find(|by| by.to == entry.record && stays(&by.id));
                    by.map(|by| format!("{} {}", by.object, by.id))
                }
            };
            match by {
                Some(by) => {
                    staying.insert(entry.record);
                    sorted.keep(entry, &format!("it is referred to by {by}"));
                }
                None => sorted.go(
                    entry,
                    Change {
                        if_version: found.get(&entry.record).map(|record| record.version),
                        ..Change::delete(object.name.clone(), entry.record)
                    },
                ),
            }
        }
        Ok(())
    }

    async fn write(&mut self, mut unit: Unit, mut sorted: Sorted) -> Result<UndoStep, Error> {
        let mut step = UndoStep::default();
        let going = std::mem::take(&mut sorted.going);
        // In a dry run, records of earlier steps are still there and would stand in the way of those they refer to.
        let (tried, trusted): (Vec<_>, Vec<_>) =
            going.into_iter().partition(|going| self.mode == ApplyMode::Commit || !going.deletes());
        let groups = tried.iter().map(|going| vec![going.change.clone()]).collect();
        let mut results = Vec::with_capacity(tried.len());
        apply_groups(&mut unit, &self.rights, groups, &mut results).await?;
        for (going, result) in tried.into_iter().zip(results) {
            match result {
                Ok(_) => sorted.settle(going, &mut step),
                Err(error @ Error::Forbidden(_)) => return Err(error),
                Err(error) => sorted.keep(&going.entry, &error.to_string()),
            }
        }
        for going in trusted {
            self.gone.insert(going.entry.record);
            sorted.settle(going, &mut step);
        }
        step.kept = std::mem::take(&mut sorted.kept);
        if self.mode == ApplyMode::Commit {
            let mut after = self.import.clone();
            after.revision = after.revision.saturating_add(1);
            unit.tx.settle_import_entries(after.id, &sorted.done, EntryOutcome::Undone).await?;
            unit.tx.settle_import_entries(after.id, &sorted.stays, EntryOutcome::Kept).await?;
            unit.tx.put_import(&after).await.map_err(taken_over)?;
            unit.commit().await?;
            self.import = after;
        }
        Ok(step)
    }
}

/// The first entries of one object and one kind, each of another record: they can be written together.
fn alike(entries: Vec<ImportEntry>) -> Vec<ImportEntry> {
    let mut alike: Vec<ImportEntry> = Vec::new();
    let mut records = HashSet::new();
    for entry in entries {
        let fits = alike.first().is_none_or(|first| {
            first.object == entry.object && std::mem::discriminant(&first.wrote) == std::mem::discriminant(&entry.wrote)
        });
        if !fits || !records.insert(entry.record) {
            break;
        }
        alike.push(entry);
    }
    alike
}

/// A change that takes an entry back.
struct Going {
    entry: ImportEntry,
    change: Change,
}

impl Going {
    fn deletes(&self) -> bool {
        matches!(self.entry.wrote, Wrote::Created { .. })
    }
}

/// Entries of a step, sorted out.
#[derive(Default)]
struct Sorted {
    going: Vec<Going>,
    /// Places that are settled.
    done: Vec<i64>,
    /// Places that stay.
    stays: Vec<i64>,
    kept: Vec<Kept>,
}

impl Sorted {
    fn go(&mut self, entry: &ImportEntry, change: Change) {
        self.going.push(Going { entry: entry.clone(), change });
    }

    fn keep(&mut self, entry: &ImportEntry, reason: &str) {
        self.tell(entry, reason);
        self.stays.push(entry.place);
    }

    fn tell(&mut self, entry: &ImportEntry, reason: &str) {
        let (line, object, record) = (entry.line, entry.object.clone(), entry.record);
        self.kept.push(Kept { line, object, record, reason: reason.to_owned() });
    }

    fn settle(&mut self, going: Going, step: &mut UndoStep) {
        let counter = if going.deletes() { &mut step.removed } else { &mut step.restored };
        *counter = counter.saturating_add(1);
        self.done.push(going.entry.place);
    }
}

/// A record that refers to one of a step.
struct Referring {
    object: ObjectName,
    id: Id,
    to: Id,
}

/// All that refers to these records; none if it is too much.
async fn referred(unit: &mut Unit, object: &Object, ids: &HashSet<Id>) -> Result<Option<Vec<Referring>>, Error> {
    let mut all = Vec::new();
    if ids.is_empty() {
        return Ok(Some(all));
    }
    let catalog = std::sync::Arc::clone(&unit.catalog);
    let names: Vec<String> = (0..ids.len()).map(|number| format!("p{number}")).collect();
    for Referrer { object: name, field, .. } in &object.referrers {
        let Some(other) = catalog.object(name) else { continue };
        let source = format!("{field} in [{}]", names.join(","));
        let filter = compile_filter(&catalog, other, &source, &vec![Type::Id; ids.len()])?;
        let query = Query {
            fields: Some(vec![field.clone()]),
            limit: REFERRERS_MAX,
            ..Query::of(name.clone()).filtered(filter, ids.iter().copied().map(Value::Ref).collect(), unit.now)
        };
        let page = unit.tx.list(&catalog, &query).await?;
        if page.next.is_some() {
            return Ok(None);
        }
        for record in page.records {
            // A record that refers to itself goes with itself.
            if let Some(to) = record.fields.get(field).as_ref_id().filter(|to| *to != record.id) {
                all.push(Referring { object: name.clone(), id: record.id, to });
            }
        }
    }
    Ok(Some(all))
}

/// Which fields go back to what they were: those that still are what the import made of them.
fn sort_updated(
    unit: &Unit,
    object: &Object,
    entries: &[ImportEntry],
    found: &HashMap<Id, Record>,
    sorted: &mut Sorted,
) {
    for entry in entries {
        let Wrote::Updated { changes } = &entry.wrote else { continue };
        let Some(record) = found.get(&entry.record) else {
            sorted.keep(entry, "it was deleted since the import");
            continue;
        };
        let mut back = Fields::new();
        for (key, pair) in changes.as_object().into_iter().flatten() {
            match value_before(unit, object, record, key, pair) {
                Ok(value) => drop(back.set(key.as_str(), value)),
                Err(reason) => sorted.tell(entry, &reason),
            }
        }
        if back.is_empty() {
            sorted.stays.push(entry.place);
        } else {
            let change = Change::update(object.name.clone(), entry.record, back);
            sorted.go(entry, Change { if_version: Some(record.version), ..change });
        }
    }
}

/// The field's value before the import, unless it was changed since.
fn value_before(unit: &Unit, object: &Object, record: &Record, key: &str, pair: &Json) -> Result<Value, String> {
    let field = object.field(key).ok_or_else(|| format!("there is no field {key} any more"))?;
    let (Some(before), Some(after)) = (pair.get(0), pair.get(1)) else {
        return Err(format!("what {key} was before is not known"));
    };
    if value_to_json(record.fields.get(key)) != *after {
        return Err(format!("{key} was changed since the import"));
    }
    value_from_json(field, before, &unit.locale).map_err(|issue| format!("{key}: {}", issue.message))
}
