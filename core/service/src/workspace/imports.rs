//! Imports as batches: each commit notes with its rows what it wrote and how far it came.
//!
//! So a killed import goes on with no row twice and none lost, and a finished one can be taken back (see [`undo`]).

mod undo;

use std::collections::{HashMap, HashSet};

use pergola_model::{Actor, Change, ChangeKind, Id, ObjectName, Role};
use tokio::sync::OwnedRwLockReadGuard;

pub use undo::{Kept, UndoStep, UndoneImport};

use super::{RecordOf, Workspace, write::apply_groups};
use crate::{
    error::Error,
    ports::{
        imports::{ImportEntry, StoredImport, Wrote},
        plugins::{Budget, Limits},
        store::AuditKind,
    },
    rights::Rights,
    unit::Unit,
};

/// Entries that are read at once.
const ENTRIES_PAGE: u32 = 500;

/// Rows of an import that are written together. Dropped, nothing of them was written.
///
/// It belongs to its caller and is no task of its own: an importer that goes away takes its unfinished rows with it.
pub struct ImportUnit {
    unit: Unit,
    rights: Rights,
    _open: OwnedRwLockReadGuard<()>,
}

/// What became of one row's change.
pub type RowOutcome = Result<Vec<RecordOf>, Error>;

impl Workspace {
    /// Takes the turn to write rows of an import, at most so many changes.
    ///
    /// # Errors
    /// The store's.
    pub async fn import_unit(&self, actor: &Actor, changes: usize) -> Result<ImportUnit, Error> {
        super::write::check_count(changes)?;
        let open = self.0.gate.clone().read_owned().await;
        let unit = Unit::begin(self, Budget::new(Limits::batch(changes))).await?;
        Ok(ImportUnit { unit, rights: Rights::of(actor), _open: open })
    }

    /// A new id, for an import.
    #[must_use]
    pub fn new_id(&self) -> Id {
        self.0.ids.next(self.now())
    }

    /// The newest unfinished import of the file with this SHA-256, read with these settings.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_running_import(&self, digest: &[u8], settings: &str) -> Result<Option<StoredImport>, Error> {
        Ok(self.0.store.read().await?.find_running_import(digest, settings).await?)
    }

    /// The newest imports, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but owners, or the store's.
    pub async fn list_imports(&self, actor: &Actor, limit: u32) -> Result<Vec<StoredImport>, Error> {
        check_owner(actor)?;
        Ok(self.0.store.read().await?.list_imports(limit).await?)
    }

    /// All that an import wrote and that was not taken back, page by page, last first.
    ///
    /// # Errors
    /// The store's, or the visitor's.
    pub async fn visit_import(&self, import: Id, visit: &mut (dyn FnMut(ImportEntry) + Send)) -> Result<(), Error> {
        let mut before = i64::MAX;
        loop {
            let page = self.0.store.read().await?.list_import_entries(import, before, ENTRIES_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            before = last.place;
            page.into_iter().for_each(&mut *visit);
        }
    }

    /// Writes an import's row alone: its end.
    ///
    /// # Errors
    /// `stale` when another process went on with it.
    pub async fn put_import(&self, import: &mut StoredImport) -> Result<(), Error> {
        import.revision = import.revision.saturating_add(1);
        let mut tx = self.0.store.write().await?;
        tx.put_import(import).await.map_err(taken_over)?;
        Ok(tx.commit().await?)
    }
}

impl ImportUnit {
    /// Applies each change on its own; see [`Workspace::apply_each`].
    ///
    /// # Errors
    /// The outer error when nothing could be done at all.
    pub async fn apply_each(&mut self, changes: Vec<Change>) -> Result<Vec<RowOutcome>, Error> {
        let groups: Vec<Vec<Change>> = changes.into_iter().map(|change| vec![change]).collect();
        let mut outcomes = Vec::with_capacity(groups.len());
        apply_groups(&mut self.unit, &self.rights, groups, &mut outcomes).await?;
        Ok(outcomes)
    }

    /// Notes what was written for the rows of these numbers, one for each outcome, and commits all of it together with
    /// how far the import came.
    ///
    /// # Errors
    /// Then nothing was written: `stale` when another process went on with the import meanwhile.
    pub async fn commit(
        mut self,
        import: &mut StoredImport,
        lines: &[i64],
        outcomes: &[RowOutcome],
    ) -> Result<(), Error> {
        let entries = self.entries(import, lines, outcomes).await?;
        let mut after = import.clone();
        after.revision = after.revision.saturating_add(1);
        after.entries = after.entries.saturating_add(i64::try_from(entries.len()).unwrap_or_default());
        // The import's own row first: its entries refer to it, and whoever was faster is found out here.
        self.unit.tx.put_import(&after).await.map_err(taken_over)?;
        self.unit.tx.append_import_entries(import.id, &entries).await?;
        self.unit.commit().await?;
        *import = after;
        Ok(())
    }

    /// What the audit of this unit says about the rows' records, and about those that hooks made besides.
    async fn entries(
        &mut self,
        import: &StoredImport,
        lines: &[i64],
        outcomes: &[RowOutcome],
    ) -> Result<Vec<ImportEntry>, Error> {
        let rows = lines
            .iter()
            .zip(outcomes)
            .flat_map(|(line, outcome)| outcome.iter().flatten().map(|(_, record)| (record.id, *line)));
        let rows: HashMap<Id, i64> = rows.collect();
        let mut entries: Vec<ImportEntry> = Vec::new();
        let mut created: HashMap<Id, usize> = HashMap::new();
        let mut updated: Vec<(ObjectName, Id)> = Vec::new();
        for entry in self.unit.noted() {
            let wrote = match entry.kind {
                AuditKind::Change(ChangeKind::Create) => {
                    created.insert(entry.record, entries.len());
                    Wrote::Created { version: 1 }
                }
                AuditKind::Change(ChangeKind::Update) => {
                    updated.push((entry.object.clone(), entry.record));
                    // Hooks undo by themselves what they keep up in other records.
                    if created.contains_key(&entry.record) || !rows.contains_key(&entry.record) {
                        continue;
                    }
                    Wrote::Updated { changes: entry.changes.clone() }
                }
                _ => continue,
            };
            let (object, record) = (entry.object.clone(), entry.record);
            let line = rows.get(&record).copied().unwrap_or_default();
            entries.push(ImportEntry { place: 0, line, object, record, wrote });
        }
        let own = self.follow_versions(import, &updated, &created, &mut entries).await?;
        // What the import made itself is taken back whole; what it held in between is nobody's.
        entries.retain(|entry| matches!(entry.wrote, Wrote::Created { .. }) || !own.contains(&entry.record));
        for (place, entry) in (import.entries.saturating_add(1)..).zip(&mut entries) {
            entry.place = place;
        }
        Ok(entries)
    }

    /// Brings the versions of records up to date that this import created and that were updated in this unit; gives those
    /// that it created earlier.
    async fn follow_versions(
        &mut self,
        import: &StoredImport,
        updated: &[(ObjectName, Id)],
        created: &HashMap<Id, usize>,
        entries: &mut [ImportEntry],
    ) -> Result<HashSet<Id>, Error> {
        let others: Vec<Id> = updated.iter().map(|(_, id)| *id).filter(|id| !created.contains_key(id)).collect();
        let own: HashSet<Id> = match import.entries {
            0 => HashSet::new(),
            _ => self.unit.tx.list_created_by_import(import.id, &others).await?.into_iter().collect(),
        };
        let catalog = std::sync::Arc::clone(&self.unit.catalog);
        for (object, id) in updated.iter().filter(|(_, id)| own.contains(id) || created.contains_key(id)) {
            let Some(object) = catalog.object(object) else { continue };
            let Some(record) = self.unit.tx.find(object, *id).await? else { continue };
            match created.get(id).and_then(|index| entries.get_mut(*index)) {
                Some(entry) => entry.wrote = Wrote::Created { version: record.version },
                None => self.unit.tx.set_import_version(import.id, *id, record.version).await?,
            }
        }
        Ok(own)
    }
}

fn check_owner(actor: &Actor) -> Result<(), Error> {
    match actor {
        Actor::System | Actor::User { role: Role::Owner, .. } => Ok(()),
        _ => Err(Error::Forbidden("only an owner may look at imports and take them back".to_owned())),
    }
}

fn taken_over(error: crate::ports::store::StoreError) -> Error {
    match error {
        crate::ports::store::StoreError::Stale => Error::Conflict {
            code: "stale",
            message: "another process goes on with this import, or takes it back; wait for it to end".to_owned(),
            issues: vec![],
        },
        other => other.into(),
    }
}
