//! Rollups: when records change, those that they count for follow in the same transaction.
//!
//! The parents of a whole batch are written once, each after its row was locked, in the order of ids. What is exact is
//! added or taken away; what is not is counted anew by one statement for all of them. A parent's change is a change
//! like any other for versions, timers, formulas, events and further rollups; hooks are not called and the audit has
//! no line of its own, because nobody wrote the parent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use pergola_model::{
    ChangeKind, Fields, Id, Object, ObjectName, Record,
    object::Rollup,
    rollup::{Difference, Outcome},
};

use super::{Boxed, Unit, derive::FieldsById};
use crate::{
    derived::{self, count_anew, counts_for, value_or_error},
    error::Error,
    mutants::Rule,
    ports::{plugins::Written, store::NewEvent},
};

/// Rows loaded in one statement.
const ROWS_MAX: usize = 500;

/// A record before and after a change.
pub(super) struct Moved {
    /// As it was; none for a new one.
    pub(super) before: Option<Record>,
    /// As it is; none for one that ended.
    pub(super) now: Option<Record>,
}

/// What changes for the parents of one object, by record and rollup.
type Differences = BTreeMap<Id, BTreeMap<String, Difference>>;

/// Who is told that a rollup changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Subscribers to changes of the parent, and `updated_at` moves on.
    Subscribers,
    /// Nobody: the declaration changed, or a mistake is mended.
    Nobody,
}

impl Unit {
    /// Brings what counts the written records up to date.
    pub(super) async fn roll_up(&mut self, object: &Object, kind: ChangeKind, rows: &[Written]) -> Result<(), Error> {
        let is_broken = kind == ChangeKind::Delete && self.workspace.is_off(Rule::Rollup);
        if object.derived.feeds.is_empty() || is_broken {
            return Ok(());
        }
        let moved = rows.iter().map(|row| Moved {
            before: match kind {
                ChangeKind::Create => None,
                ChangeKind::Update => Some(super::derive::as_it_was(&row.before, &row.now)),
                ChangeKind::Delete => Some(row.now.clone()),
            },
            now: (kind != ChangeKind::Delete).then(|| row.now.clone()),
        });
        self.follow_rollups(object, moved.collect(), Telling::Subscribers).await
    }

    fn follow_rollups<'a>(&'a mut self, object: &'a Object, rows: Vec<Moved>, telling: Telling) -> Boxed<'a, ()> {
        Box::pin(async move {
            for (name, differences) in self.differences(object, &rows)? {
                let Some(parent) = self.catalog.object(&name).cloned() else { continue };
                let moved = self.move_parents(&parent, differences, telling).await?;
                if !moved.is_empty() && !parent.derived.feeds.is_empty() {
                    self.follow_rollups(&parent, moved, telling).await?;
                }
            }
            Ok(())
        })
    }

    /// What the rows' changes mean for each parent, and each of its rollups.
    fn differences(&self, object: &Object, rows: &[Moved]) -> Result<BTreeMap<ObjectName, Differences>, Error> {
        let mut all: BTreeMap<ObjectName, Differences> = BTreeMap::new();
        for feed in &object.derived.feeds {
            let Some(parent) = self.catalog.object(&feed.object) else { continue };
            let Some(rollup) = parent.derived.rollup(&feed.key) else { continue };
            for row in rows {
                let counted = |record: &Option<Record>| {
                    record.as_ref().map(|record| counts_for(rollup, record)).transpose().map(Option::flatten)
                };
                let (before, now) = (counted(&row.before)?, counted(&row.now)?);
                if before == now {
                    continue;
                }
                for (one, has_come) in [(before, false), (now, true)] {
                    let Some((id, value)) = one.filter(|(id, _)| !self.pending.is_ending(*id)) else { continue };
                    let differences = all.entry(feed.object.clone()).or_default().entry(id).or_default();
                    let difference = differences.entry(feed.key.clone()).or_default();
                    if has_come { difference.come.push(value) } else { difference.gone.push(value) }
                }
            }
        }
        Ok(all)
    }

    async fn move_parents(
        &mut self,
        parent: &Arc<Object>,
        mut differences: Differences,
        telling: Telling,
    ) -> Result<Vec<Moved>, Error> {
        let ids: Vec<Id> = differences.keys().copied().collect();
        let records = self.load_parents(parent, &ids).await?;
        let mut values: FieldsById = BTreeMap::new();
        let mut unsure: BTreeMap<Id, BTreeSet<String>> = BTreeMap::new();
        for record in &records {
            let fields = values.entry(record.id).or_default();
            for (key, difference) in differences.remove(&record.id).unwrap_or_default() {
                let Some(rollup) = parent.derived.rollup(&key) else { continue };
                match rollup.after(record.fields.get(&key), &difference) {
                    Outcome::CountAnew => {
                        unsure.entry(record.id).or_default().insert(key);
                    }
                    outcome => {
                        fields.set(key, value_or_error(rollup, outcome)?);
                    }
                }
            }
        }
        self.count_unsure(parent, &unsure, &mut values).await?;
        let mut moved = Vec::with_capacity(records.len());
        for record in records {
            let fields = values.remove(&record.id).unwrap_or_default();
            moved.extend(self.settle(parent, record, fields, telling).await?);
        }
        Ok(moved)
    }

    /// The rows of these ids as they are now, locked until the end of the transaction, in the order of ids.
    pub(crate) async fn load_parents(&mut self, parent: &Object, ids: &[Id]) -> Result<Vec<Record>, Error> {
        let mut records = Vec::with_capacity(ids.len());
        for ids in ids.chunks(ROWS_MAX) {
            let names: Vec<String> = ids.iter().map(|id| format!("rollup:{id}")).collect();
            self.tx.lock(&names).await?;
            records.extend(self.tx.find_for_change(parent, ids).await?);
        }
        records.sort_by_key(|record| record.id);
        Ok(records)
    }

    async fn count_unsure(
        &mut self,
        parent: &Object,
        unsure: &BTreeMap<Id, BTreeSet<String>>,
        values: &mut FieldsById,
    ) -> Result<(), Error> {
        let keys: BTreeSet<&String> = unsure.values().flatten().collect();
        for key in keys {
            let Some(rollup) = parent.derived.rollup(key) else { continue };
            let ids: Vec<Id> = unsure.iter().filter(|(_, keys)| keys.contains(key)).map(|(id, _)| *id).collect();
            let catalog = Arc::clone(&self.catalog);
            for (id, fields) in count_anew(self.tx.as_mut(), &catalog, &[rollup], &ids).await? {
                values.entry(id).or_default().merge(fields);
            }
        }
        Ok(())
    }

    /// Writes a record's rollups and the formulas over them, if that changes anything.
    async fn settle(
        &mut self,
        object: &Object,
        before: Record,
        rollups: Fields,
        telling: Telling,
    ) -> Result<Option<Moved>, Error> {
        let mut now = before.clone();
        let mut changed = Vec::new();
        for (key, value) in rollups {
            if before.fields.get(&key) != &value {
                derived::put(&mut now.fields, &key, value);
                changed.push(key);
            }
        }
        self.derive(object, &mut now, &mut changed)?;
        if changed.is_empty() {
            return Ok(None);
        }
        now.version = before.version.saturating_add(1);
        if telling == Telling::Subscribers {
            now.updated_at = self.now;
        }
        self.write_changed(object, &before, &now, &changed).await?;
        if telling == Telling::Subscribers && self.catalog.has_subscriber(&object.name, ChangeKind::Update) {
            self.pending.event(NewEvent {
                at: self.now,
                object: object.name.clone(),
                kind: ChangeKind::Update,
                record: now.id,
                changed,
            });
        }
        self.pending.counted(now.clone());
        Ok(Some(Moved { before: Some(before), now: Some(now) }))
    }

    /// Counts and computes these records anew; answers how many were otherwise.
    pub(crate) async fn rebuild(&mut self, object: &Arc<Object>, ids: &[Id]) -> Result<u64, Error> {
        let catalog = Arc::clone(&self.catalog);
        let rollups: Vec<&Rollup> = object.derived.rollups.iter().collect();
        let records = self.load_parents(object, ids).await?;
        let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
        let mut counted = count_anew(self.tx.as_mut(), &catalog, &rollups, &ids).await?;
        let mut moved = Vec::new();
        for record in records {
            let fields = counted.remove(&record.id).unwrap_or_default();
            moved.extend(self.settle(object, record, fields, Telling::Nobody).await?);
        }
        let count = u64::try_from(moved.len()).unwrap_or(u64::MAX);
        if !object.derived.feeds.is_empty() {
            self.follow_rollups(object, moved, Telling::Nobody).await?;
        }
        Ok(count)
    }
}
