//! The index of search, kept in step with the declarations: objects whose searchable fields changed are indexed again,
//! a portion at a time, by the worker.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
};

use pergola_model::{Catalog, Id, Object, ObjectName, Query, Record, search};

use super::Workspace;
use crate::{
    error::Error,
    ports::{
        search::{IndexRow, IndexState},
        store::{Reader, StoreError, Transaction},
    },
};

/// Records that are indexed, or looked at by a check, in one unit.
const RECORDS_AT_ONCE: u32 = 500;

/// What a check of the index found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchReport {
    /// Records that were looked at.
    pub records: u64,
    /// Records that the index does not have.
    pub missing: u64,
    /// Records that the index has otherwise than they are.
    pub stale: u64,
    /// Entries of records that are not there.
    pub orphaned: u64,
}

impl SearchReport {
    /// Whether index and records say the same.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.missing == 0 && self.stale == 0 && self.orphaned == 0
    }
}

/// The entry to store for a record, if it has anything that is found.
pub(crate) fn row_of(object: &Object, record: &Record) -> Option<IndexRow> {
    let entry = search::entry(object, &record.fields);
    let is_found = !entry.title.is_empty() || !entry.body.is_empty();
    is_found.then(|| IndexRow { object: object.name.clone(), record: record.id, entry })
}

/// Whether an object has to be indexed anew under this catalog.
pub(super) fn is_outdated(states: &[IndexState], catalog: &Catalog) -> bool {
    outdated(states, catalog).next().is_some()
}

fn outdated<'a>(states: &'a [IndexState], catalog: &'a Catalog) -> impl Iterator<Item = &'a Object> {
    let known = |object: &Object| states.iter().find(|state| state.object == object.name);
    let objects = catalog.objects.values().map(AsRef::as_ref).filter(|object| search::is_searchable(object));
    objects.filter(move |object| known(object).is_none_or(|state| state.fingerprint != search::fingerprint(object)))
}

/// Notes which objects have to be indexed anew, in the transaction in which their declarations change.
pub(super) async fn plan(tx: &mut dyn Transaction, catalog: &Catalog) -> Result<(), Error> {
    let states = tx.list_index_states().await?;
    for object in outdated(&states, catalog) {
        // A new object has nothing to be indexed, which is most of the time.
        let first = tx.list(catalog, &Query::of(object.name.clone()).limited(1)).await?;
        let done = first.records.is_empty();
        let fingerprint = search::fingerprint(object);
        tx.put_index_state(&IndexState { object: object.name.clone(), fingerprint, done, after: None }).await?;
    }
    Ok(())
}

impl Workspace {
    /// Whether there is something left to index.
    pub(crate) fn has_unindexed(&self) -> bool {
        !self.0.unindexed.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Looks up which objects are not fully indexed under this catalog.
    pub(crate) async fn load_index_plan(&self, catalog: &Catalog) -> Result<(), Error> {
        let states = self.0.store.read().await?.list_index_states().await?;
        let is_searchable =
            |name: &ObjectName| catalog.object(name).is_some_and(|object| search::is_searchable(object));
        let left = states.into_iter().filter(|state| !state.done || !is_searchable(&state.object));
        let left: BTreeSet<ObjectName> = left.map(|state| state.object).collect();
        *self.0.unindexed.lock().unwrap_or_else(PoisonError::into_inner) = left;
        Ok(())
    }

    /// Indexes one portion of what is to be indexed; how many records, or 1 for the end of an object.
    pub(crate) async fn index_some(&self) -> Result<usize, Error> {
        let next = self.0.unindexed.lock().unwrap_or_else(PoisonError::into_inner).first().cloned();
        let Some(name) = next else { return Ok(0) };
        self.detached(move |workspace| {
            let name = name.clone();
            async move { workspace.index_portion_of(&name).await }
        })
        .await
    }

    async fn index_portion_of(&self, name: &ObjectName) -> Result<usize, Error> {
        let _open = self.0.gate.read().await;
        let catalog = self.catalog();
        let mut tx = self.0.store.write().await?;
        // Two servers would only do the same work twice.
        tx.lock(&[format!("search:{name}")]).await?;
        let (count, is_over) = match catalog.object(name).filter(|object| search::is_searchable(object)) {
            Some(object) => index_portion(tx.as_mut(), &catalog, object).await?,
            None => drop_portion(tx.as_mut(), name).await?,
        };
        tx.commit().await?;
        if is_over {
            self.0.unindexed.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
        Ok(count.max(1))
    }

    /// Compares the index with the records, all of them; with `fix`, mends what differs.
    ///
    /// Records that the worker has still to index after a change of declarations count as missing or stale.
    ///
    /// # Errors
    /// The store's. What was mended until then stays.
    pub async fn check_search(&self, fix: bool) -> Result<SearchReport, Error> {
        let catalog = self.catalog();
        let mut report = SearchReport::default();
        for object in catalog.objects.values().filter(|object| search::is_searchable(object)) {
            let mut after = None;
            loop {
                let portion = check_records(self, &catalog, object, after, fix, &mut report).await?;
                let Some(last) = portion else { break };
                after = Some(last);
            }
            let mut after = None;
            loop {
                let portion = check_entries(self, object, after, fix, &mut report).await?;
                let Some(last) = portion else { break };
                after = Some(last);
            }
        }
        Ok(report)
    }
}

/// The next records of an object, by id, with their searchable fields.
async fn records_after<R: Reader + ?Sized>(
    reader: &mut R,
    catalog: &Catalog,
    object: &Object,
    after: Option<Id>,
) -> Result<Vec<Record>, Error> {
    let cursor = after.map(|id| pergola_model::query::Cursor { sort: String::new(), values: Vec::new(), id });
    let mut query = Query::of(object.name.clone()).limited(RECORDS_AT_ONCE).after(cursor);
    // Texts alone, so that a damaged date or number of a record does not matter here.
    query.fields = Some(search::fields(object));
    Ok(reader.list(catalog, &query).await?.records)
}

/// The records that can be read among these, and the ids of those that are there and cannot. One damaged value must
/// not keep all others from being found; the doctor tells of it.
async fn find_readable<R: Reader + ?Sized>(
    reader: &mut R,
    object: &Object,
    ids: &[Id],
) -> Result<(Vec<Record>, Vec<Id>), Error> {
    if let Ok(records) = reader.find_many(object, ids).await {
        return Ok((records, Vec::new()));
    }
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    for id in ids {
        match reader.find(object, *id).await {
            Ok(record) => records.extend(record),
            Err(StoreError::Backend(_)) => unreadable.push(*id),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((records, unreadable))
}

async fn index_portion(tx: &mut dyn Transaction, catalog: &Catalog, object: &Object) -> Result<(usize, bool), Error> {
    let states = tx.list_index_states().await?;
    let Some(mut state) = states.into_iter().find(|state| state.object == object.name && !state.done) else {
        return Ok((0, true));
    };
    let ids: Vec<Id> =
        records_after(tx, catalog, object, state.after).await?.into_iter().map(|record| record.id).collect();
    // Read once more, because this holds them until the commit where several write at once.
    let (records, _) = find_readable(tx, object, &ids).await?;
    let rows: Vec<IndexRow> = records.iter().filter_map(|record| row_of(object, record)).collect();
    let empty: Vec<Id> =
        records.iter().filter(|record| row_of(object, record).is_none()).map(|record| record.id).collect();
    tx.index(&rows).await?;
    tx.unindex(&object.name, &empty).await?;
    state.after = ids.last().copied();
    state.done = state.after.is_none();
    tx.put_index_state(&state).await?;
    Ok((ids.len(), state.done))
}

/// Of an object that is not searchable any more.
async fn drop_portion(tx: &mut dyn Transaction, name: &ObjectName) -> Result<(usize, bool), Error> {
    let dropped = tx.unindex_some(name, RECORDS_AT_ONCE).await?;
    if dropped == 0 {
        tx.remove_index_state(name).await?;
    }
    Ok((usize::try_from(dropped).unwrap_or(usize::MAX), dropped == 0))
}

/// Compares a portion of records with their entries; gives the last of them.
async fn check_records(
    workspace: &Workspace,
    catalog: &Catalog,
    object: &Object,
    after: Option<Id>,
    fix: bool,
    report: &mut SearchReport,
) -> Result<Option<Id>, Error> {
    let mut reader = workspace.0.store.read().await?;
    let records = records_after(reader.as_mut(), catalog, object, after).await?;
    let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
    let entries = reader.find_index_rows(&object.name, &ids).await?;
    drop(reader);
    let entries: BTreeMap<Id, IndexRow> = entries.into_iter().map(|row| (row.record, row)).collect();
    let mut wrong = Vec::new();
    for record in &records {
        report.records = report.records.saturating_add(1);
        match (row_of(object, record), entries.get(&record.id)) {
            (wanted, found) if wanted.as_ref() == found => continue,
            (Some(_), None) => report.missing = report.missing.saturating_add(1),
            _ => report.stale = report.stale.saturating_add(1),
        }
        wrong.push(record.id);
    }
    if fix && !wrong.is_empty() {
        mend(workspace, object, &wrong).await?;
    }
    Ok(ids.last().copied())
}

/// Looks for entries without a record; gives the last one of the portion.
async fn check_entries(
    workspace: &Workspace,
    object: &Object,
    after: Option<Id>,
    fix: bool,
    report: &mut SearchReport,
) -> Result<Option<Id>, Error> {
    let mut reader = workspace.0.store.read().await?;
    let ids = reader.list_indexed(&object.name, after, RECORDS_AT_ONCE).await?;
    let (records, unreadable) = find_readable(reader.as_mut(), object, &ids).await?;
    let known: BTreeSet<Id> = records.into_iter().map(|record| record.id).chain(unreadable).collect();
    drop(reader);
    let orphans: Vec<Id> = ids.iter().filter(|id| !known.contains(*id)).copied().collect();
    report.orphaned = report.orphaned.saturating_add(u64::try_from(orphans.len()).unwrap_or(u64::MAX));
    if fix && !orphans.is_empty() {
        mend(workspace, object, &orphans).await?;
    }
    Ok(ids.last().copied())
}

/// Writes the entries of these records as the records are now.
async fn mend(workspace: &Workspace, object: &Object, ids: &[Id]) -> Result<(), Error> {
    let mut tx = workspace.0.store.write().await?;
    let (records, unreadable) = find_readable(tx.as_mut(), object, ids).await?;
    let rows: Vec<IndexRow> = records.iter().filter_map(|record| row_of(object, record)).collect();
    let kept: BTreeSet<Id> = rows.iter().map(|row| row.record).chain(unreadable).collect();
    let gone: Vec<Id> = ids.iter().filter(|id| !kept.contains(*id)).copied().collect();
    tx.index(&rows).await?;
    tx.unindex(&object.name, &gone).await?;
    Ok(tx.commit().await?)
}
