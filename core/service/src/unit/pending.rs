//! What a unit of work writes besides records, kept back to be written in bulk before the commit.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pergola_model::{Id, ObjectName, Record};

use super::{
    bin::{self, Bin},
    ledger::Part,
};
use crate::{
    ports::{
        search::IndexRow,
        store::{AuditEntry, NewEvent, StoreError, TimerKey, Transaction},
    },
    workspace::RecordOf,
};

/// Audit entries, events, timers, deletions and entries of search to be written.
#[derive(Default)]
pub(super) struct Pending {
    /// What was deleted.
    pub(super) bin: Bin,
    audit: Vec<AuditEntry>,
    events: Vec<NewEvent>,
    timers: Vec<(TimerKey, Option<Timestamp>)>,
    entries: Vec<(ObjectName, Id, Option<IndexRow>)>,
    messages: usize,
    /// Whether a plugin has set a timer of its own, which is written already.
    wakes: bool,
    /// Records whose rollups changed, as they are now.
    counted: Vec<Record>,
    /// What entries of ledgers add to transfers.
    parts: Vec<Part>,
    /// Records whose deletion has begun: what counts for them is of no interest any more.
    ending: Vec<Id>,
}

/// A place in the pending writes to go back to.
pub(super) struct Mark {
    bin: bin::Mark,
    audit: usize,
    events: usize,
    timers: usize,
    entries: usize,
    messages: usize,
    counted: usize,
    ending: usize,
    parts: usize,
}

impl Mark {
    /// How many parts of transfers there were.
    pub(super) fn parts(&self) -> usize {
        self.parts
    }
}

impl Pending {
    pub(super) fn audit(&mut self, entry: AuditEntry) {
        // A new message wakes its sender after the commit.
        if entry.object.as_str() == "message" {
            self.messages += 1;
        }
        self.audit.push(entry);
    }

    /// What the audit says of the unit so far.
    pub(super) fn noted(&self) -> &[AuditEntry] {
        &self.audit
    }

    pub(super) fn event(&mut self, event: NewEvent) {
        self.events.push(event);
    }

    /// Sets a timer, or clears it by no time.
    pub(super) fn timer(&mut self, key: TimerKey, due_at: Option<Timestamp>) {
        self.timers.push((key, due_at));
    }

    /// Notes that a worker has something to look at after the commit.
    pub(super) fn wake(&mut self) {
        self.wakes = true;
    }

    /// Sets what is found of a record, or that nothing is.
    pub(super) fn entry(&mut self, object: &ObjectName, record: Id, row: Option<IndexRow>) {
        self.entries.push((object.clone(), record, row));
    }

    /// Notes what an entry adds to a transfer.
    pub(super) fn part(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// What entries have added to transfers.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Notes a record that was written because others that it counts were.
    pub(super) fn counted(&mut self, record: Record) {
        self.counted.push(record);
    }

    /// The record as its last rollup left it, if that is newer.
    pub(super) fn newest(&self, record: Record) -> Record {
        self.newer(&record).cloned().unwrap_or(record)
    }

    fn newer(&self, record: &Record) -> Option<&Record> {
        self.counted.iter().rev().find(|one| one.id == record.id && one.version > record.version)
    }

    /// Gives answers the versions that rollups have made of their records since.
    pub(super) fn bring_up_to_date(&self, records: &mut [RecordOf]) {
        if self.counted.is_empty() {
            return;
        }
        for (_, record) in records {
            if let Some(newer) = self.newer(record) {
                *record = newer.clone();
            }
        }
    }

    /// The deletion of these records begins; answers what [`Self::end`] wants.
    pub(super) fn begin_end(&mut self, ids: impl Iterator<Item = Id>) -> usize {
        let outer = self.ending.len();
        self.ending.extend(ids);
        outer
    }

    /// The deletion is done.
    pub(super) fn end(&mut self, outer: usize) {
        self.ending.truncate(outer);
    }

    /// Whether the record's deletion has begun.
    pub(super) fn is_ending(&self, id: Id) -> bool {
        self.ending.contains(&id)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            bin: self.bin.mark(),
            audit: self.audit.len(),
            events: self.events.len(),
            timers: self.timers.len(),
            entries: self.entries.len(),
            messages: self.messages,
            counted: self.counted.len(),
            ending: self.ending.len(),
            parts: self.parts.len(),
        }
    }

    pub(super) fn go_back_to(&mut self, mark: &Mark) {
        self.bin.go_back_to(&mark.bin);
        self.audit.truncate(mark.audit);
        self.events.truncate(mark.events);
        self.timers.truncate(mark.timers);
        self.entries.truncate(mark.entries);
        self.messages = mark.messages;
        self.counted.truncate(mark.counted);
        self.ending.truncate(mark.ending);
        self.parts.truncate(mark.parts);
    }

    /// Whether a worker has something to look at after the commit.
    pub(super) fn has_wake(&self) -> bool {
        self.wakes || !self.events.is_empty() || !self.timers.is_empty() || self.messages > 0
    }

    pub(super) async fn flush(&mut self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        self.bin.flush(tx).await?;
        if !self.audit.is_empty() {
            tx.append_audit(&self.audit).await?;
        }
        if !self.events.is_empty() {
            tx.append_events(&self.events).await?;
        }
        // The last word about a timer counts.
        let last: BTreeMap<TimerKey, Option<Timestamp>> = std::mem::take(&mut self.timers).into_iter().collect();
        let (set, cleared): (Vec<_>, Vec<_>) = last.into_iter().partition(|(_, due_at)| due_at.is_some());
        if !set.is_empty() {
            let (keys, due_at): (Vec<_>, Vec<_>) = set.into_iter().filter_map(|(key, at)| Some((key, at?))).unzip();
            tx.set_timers(&keys, &due_at).await?;
        }
        if !cleared.is_empty() {
            let keys: Vec<_> = cleared.into_iter().map(|(key, _)| key).collect();
            tx.clear_timers(&keys).await?;
        }
        self.flush_entries(tx).await
    }

    /// In the order of ids, so that two units that index the same records do not wait for each other crosswise.
    async fn flush_entries(&mut self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        let last: BTreeMap<(ObjectName, Id), Option<IndexRow>> = std::mem::take(&mut self.entries)
            .into_iter()
            .map(|(object, record, row)| ((object, record), row))
            .collect();
        let mut rows = Vec::with_capacity(last.len());
        let mut gone: BTreeMap<ObjectName, Vec<Id>> = BTreeMap::new();
        for ((object, record), row) in last {
            match row {
                Some(row) => rows.push(row),
                None => gone.entry(object).or_default().push(record),
            }
        }
        for (object, records) in gone {
            tx.unindex(&object, &records).await?;
        }
        if !rows.is_empty() {
            tx.index(&rows).await?;
        }
        Ok(())
    }
}
