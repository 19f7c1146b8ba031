//! The unit of work: the one way in which records change.
//!
//! Permission → defaults and normalising → before-hooks → validation → write → constraints →
//! timers → after-hooks (which may write more) → audit, events and timers in bulk → one commit.
//! Nothing here commits half of anything: an error leaves the caller to drop the unit, and with it all writes.

mod bin;
mod delete;
mod derive;
mod hooks;
mod host;
mod ledger;
mod pending;
mod prepare;
mod purge;
mod restore;
mod rollup;
mod rules;
mod sequence;
mod surroundings;
mod timers;
mod upsert;

pub(crate) use ledger::{booked, lock_name};
pub(crate) use purge::{Purge, RECORDS_MAX, too_large};
pub use restore::Restored;
pub(crate) use restore::no_deletion;

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use pergola_model::{Catalog, Change, ChangeKind, Fields, Id, Locale, Object, ObjectName, Record};

use crate::{
    error::Error,
    mutants::Rule,
    ports::{
        plugins::Budget,
        store::{AuditEntry, StoreError, StoredAnswer, Transaction},
    },
    rights::Rights,
    unit::{
        pending::Pending,
        rules::{Freed, Touched},
    },
    workspace::{Keyed, KeyedAnswer, RecordOf, Workspace},
};

/// A boxed future: the unit of work calls hooks, and hooks call the unit of work.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Changes under way in one transaction.
pub(crate) struct Unit {
    pub(crate) workspace: Workspace,
    pub(crate) tx: Box<dyn Transaction>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) locale: Arc<Locale>,
    pub(crate) now: Timestamp,
    budget: Arc<Budget>,
    pending: Pending,
    /// Records that come back from the bin, and what they were.
    restoring: BTreeMap<Id, Origin>,
    /// Where somebody who waits may find room now.
    freed: Freed,
    is_letting_in: bool,
    /// A purge, while it is under way.
    purging: Option<Purge>,
    /// Whether it consists of one change, whose record may then be written with all the rest.
    is_single: bool,
    /// The record that is written at the latest at the commit, to explain what may be wrong with it.
    late: Option<(Arc<Object>, Record)>,
}

/// What a record that comes back was before.
struct Origin {
    version: i64,
    created_at: Timestamp,
    /// Numbers that were given to it; they stay its own.
    numbers: Fields,
}

/// Records of one object with one kind of change, to be written together.
struct Batch {
    object: Arc<Object>,
    kind: ChangeKind,
    changes: Vec<Change>,
}

impl Unit {
    /// Takes the turn to write.
    pub(crate) async fn begin(workspace: &Workspace, budget: Arc<Budget>) -> Result<Self, Error> {
        let tx = workspace.0.store.write().await?;
        Ok(Self {
            tx,
            catalog: workspace.catalog(),
            locale: workspace.locale(),
            now: workspace.0.clock.now(),
            workspace: workspace.clone(),
            budget,
            pending: Pending::default(),
            restoring: BTreeMap::new(),
            freed: Freed::new(),
            is_letting_in: false,
            purging: None,
            is_single: false,
            late: None,
        })
    }

    /// The same, under a catalog that is about to be installed.
    pub(crate) fn under(mut self, catalog: Arc<Catalog>) -> Self {
        self.catalog = catalog;
        self
    }

    /// Applies the changes in order; answers one record for each.
    pub(crate) fn apply<'a>(
        &'a mut self,
        rights: &'a Rights,
        changes: Vec<Change>,
        depth: u32,
    ) -> Boxed<'a, Vec<RecordOf>> {
        Box::pin(async move {
            let mut records = Vec::with_capacity(changes.len());
            for batch in self.batches(changes)? {
                let name = batch.object.name.clone();
                let written = self.run(rights, batch, depth).await?;
                records.extend(written.into_iter().map(|record| (name.clone(), record)));
            }
            self.pending.bring_up_to_date(&mut records);
            Ok(records)
        })
    }

    /// The same as the whole of the unit.
    pub(crate) async fn apply_all(
        &mut self,
        rights: &Rights,
        changes: Vec<Change>,
        depth: u32,
    ) -> Result<Vec<RecordOf>, Error> {
        self.is_single = changes.len() == 1;
        let result = self.apply(rights, changes, depth).await;
        self.is_single = false;
        self.outcome(result)
    }

    /// What became of the unit's work: a plugin may have made an error of its own of the database's interruption.
    pub(crate) fn outcome<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Err(_) if self.tx.is_interrupted() => Err(Error::Interrupted),
            result => result,
        }
    }

    /// Applies the changes all or nothing within the unit: after an error the unit is as before.
    pub(crate) async fn apply_nested(
        &mut self,
        rights: &Rights,
        changes: Vec<Change>,
        depth: u32,
    ) -> Result<Vec<RecordOf>, Error> {
        let mark = self.pending.mark();
        self.tx.savepoint().await?;
        let applied = match self.apply(rights, changes, depth).await {
            // A group that stands or falls on its own is balanced on its own.
            Ok(records) if depth == 0 => self.check_transfers_balanced(mark.parts()).map(|()| records),
            applied => applied,
        };
        match applied {
            Ok(records) => {
                self.tx.release_savepoint().await?;
                Ok(records)
            }
            Err(error) => {
                self.tx.rollback_savepoint().await?;
                self.pending.go_back_to(&mark);
                Err(error)
            }
        }
    }

    async fn run(&mut self, rights: &Rights, batch: Batch, depth: u32) -> Result<Vec<Record>, Error> {
        let mut records = match batch.kind {
            ChangeKind::Create => self.create(rights, batch, depth).await?,
            ChangeKind::Update => self.update(rights, batch, depth).await?,
            ChangeKind::Delete if self.purging.is_some() => self.purge_batch(rights, batch, depth).await?,
            ChangeKind::Delete => self.delete(rights, batch, depth).await?,
        };
        let let_in = self.let_in(depth).await?;
        for record in &mut records {
            if let Some(now) = let_in.get(&record.id) {
                record.clone_from(now);
            }
        }
        Ok(records)
    }

    /// Consecutive changes of one kind to different records of one object go together.
    fn batches(&self, changes: Vec<Change>) -> Result<Vec<Batch>, Error> {
        let mut batches: Vec<Batch> = Vec::new();
        for change in changes {
            let fits = batches.last().is_some_and(|last| {
                last.kind == change.kind
                    && last.object.name == change.object
                    && (change.id.is_none() || last.changes.iter().rev().take(1_000).all(|other| other.id != change.id))
            });
            if !fits {
                let object = self
                    .catalog
                    .object(&change.object)
                    .cloned()
                    .ok_or_else(|| crate::workspace::no_object(change.object.as_str()))?;
                batches.push(Batch { object, kind: change.kind, changes: Vec::new() });
            }
            if let Some(batch) = batches.last_mut() {
                batch.changes.push(change);
            }
        }
        Ok(batches)
    }

    /// The stored records of these changes, in their order, at the versions that the callers saw.
    async fn load(&mut self, object: &Object, changes: &[Change]) -> Result<Vec<Record>, Error> {
        let ids: Vec<Id> = changes.iter().filter_map(|change| change.id).collect();
        self.hold_rooms(object, &ids).await?;
        let found = self.tx.find_for_change(object, &ids).await?;
        let mut by_id: BTreeMap<Id, Record> = found.into_iter().map(|record| (record.id, record)).collect();
        changes
            .iter()
            .map(|change| {
                let id = change.id.ok_or_else(|| missing_id(&object.name))?;
                let record = by_id.remove(&id).ok_or_else(|| no_record(&object.name, id))?;
                match change.if_version {
                    Some(version) if version != record.version => Err(Error::stale()),
                    _ => Ok(record),
                }
            })
            .collect()
    }

    /// Version and time of creation of a new record: those of before, for one that comes back.
    fn origin(&self, id: Id) -> Origin {
        self.restoring.get(&id).map_or(Origin { version: 1, created_at: self.now, numbers: Fields::new() }, |origin| {
            Origin {
                version: origin.version.saturating_add(1),
                created_at: origin.created_at,
                numbers: origin.numbers.clone(),
            }
        })
    }

    /// Passes when a stored record is as it could be written today. Writes nothing.
    pub(crate) async fn examine(&mut self, object: &Object, record: &Record) -> Result<(), Error> {
        // What the engine computes is compared with its sources elsewhere.
        let written = record.fields.clone().into_iter().filter(|(key, _)| object.derived.read_only(key).is_none());
        prepare::normalise(object, written.collect(), &self.locale)?;
        prepare::check_required(object, &record.fields)?;
        self.check_written(object, &[Touched { record, changed: None, is_late: false }]).await
    }

    /// What the audit says of the unit so far.
    pub(crate) fn noted(&self) -> &[AuditEntry] {
        self.pending.noted()
    }

    /// Keeps an answer under its idempotency key, in this transaction.
    pub(crate) async fn keep_answer(
        &mut self,
        keyed: &Keyed,
        answer: &KeyedAnswer,
        kept: Duration,
    ) -> Result<(), Error> {
        let expires_at = self.now.checked_add(kept).unwrap_or(Timestamp::MAX);
        let stored = StoredAnswer {
            key: keyed.key.clone(),
            request_sha256: keyed.request_sha256.clone(),
            status: answer.status,
            body: answer.body.clone(),
            expires_at,
        };
        Ok(self.tx.insert_answer(&stored, self.now).await?)
    }

    /// Writes audit, events and timers, and commits.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.check_transfers_balanced(0)?;
        let wakes = self.pending.has_wake();
        if self.workspace.is_off(Rule::Commit) {
            self.pending.flush(self.tx.as_mut()).await?;
            let mut tx = self.tx;
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                tx.commit().await
            });
            return Ok(());
        }
        if let Err(error) = self.write_rest().await {
            return Err(match self.late.take() {
                Some((object, record)) => self.explain(&object, std::slice::from_ref(&record), error).await,
                None => error.into(),
            });
        }
        if wakes {
            self.workspace.0.wake.notify_one();
        }
        Ok(())
    }
}

impl Unit {
    async fn write_rest(&mut self) -> Result<(), StoreError> {
        self.pending.flush(self.tx.as_mut()).await?;
        self.tx.commit().await
    }
}

fn missing_id(object: &ObjectName) -> Error {
    Error::BadRequest { code: "missing_id", message: format!("say which {object} by its id") }
}

pub(crate) fn no_record(object: &ObjectName, id: Id) -> Error {
    Error::NotFound(format!("there is no {object} {id}; it may have been deleted"))
}
