//! Computed values as a whole, and balances: filled when their declarations change, compared with their sources, mended.

mod balances;

use std::{collections::BTreeMap, sync::Arc};

use pergola_model::{Catalog, Fields, Id, Object, ObjectName, Query, Record, Value, json, object::Rollup};

use super::Workspace;
use crate::{
    derived::{compute, count_anew, put},
    error::Error,
    ports::{
        plugins::{Budget, Limits},
        store::Transaction,
    },
    unit::Unit,
};

/// Records in one unit of work: few enough that writers wait no longer than for a batch of an import.
const BATCH: u32 = 200;
/// Differences that a report lists; it counts all.
const LISTED_MAX: usize = 100;
/// The setting that tells for which declarations the stored values stand.
const SETTING: &str = "derived";

/// Declarations of computed fields by object and field.
type Declared = BTreeMap<String, BTreeMap<String, String>>;

/// What [`Workspace::check_derived`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DerivedReport {
    /// How many records and balances were compared.
    pub checked: u64,
    /// How many stored values were not what their sources say.
    pub wrong: u64,
    /// The first 100 of them.
    pub listed: Vec<Discrepancy>,
    /// How many records and balances were mended.
    pub mended: u64,
}

impl DerivedReport {
    fn add(&mut self, one: Discrepancy) {
        self.wrong += 1;
        if self.listed.len() < LISTED_MAX {
            self.listed.push(one);
        }
    }
}

/// A stored value that is not what its sources say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// The object.
    pub object: ObjectName,
    /// Which: `salon.visits of 0189…`, `balance of …`.
    pub place: String,
    /// What is stored, as JSON.
    pub stored: serde_json::Value,
    /// What it should be, as JSON.
    pub expected: serde_json::Value,
}

impl Workspace {
    /// Compares every rollup, formula and balance with its sources and, with `fix`, mends what differs.
    ///
    /// Reads in pages and writes in small units of work, so that a running workspace goes on; what seems wrong is
    /// looked at again with its row locked before it counts as wrong. Call it from `doctor` while a server runs or not:
    /// `workspace.check_derived(true).await?`, and show `wrong` (0 is well), `listed` and `mended`.
    ///
    /// # Errors
    /// The store's. What was mended stays mended.
    pub async fn check_derived(&self, fix: bool) -> Result<DerivedReport, Error> {
        let catalog = self.catalog();
        let mut report = DerivedReport::default();
        for object in in_order(&catalog) {
            let mut walk = Walk::of(object);
            while let Some(records) = walk.next(self, &catalog).await? {
                report.checked += u64::try_from(records.len()).unwrap_or(u64::MAX);
                let suspects = self.differing(&catalog, object, records).await?;
                let ids: Vec<Id> = suspects.iter().map(|(record, _)| record.id).collect();
                if !ids.is_empty() {
                    self.look_again(object, ids, fix, &mut report).await?;
                }
            }
        }
        self.check_balances(&catalog, fix, &mut report).await?;
        Ok(report)
    }

    /// Records whose stored values differ, each with what they should be.
    async fn differing(
        &self,
        catalog: &Catalog,
        object: &Object,
        records: Vec<Record>,
    ) -> Result<Vec<(Record, Record)>, Error> {
        let mut reader = self.0.store.read().await?;
        let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
        let rollups: Vec<&Rollup> = object.derived.rollups.iter().collect();
        let counted = count_anew(reader.as_mut(), catalog, &rollups, &ids).await?;
        compare(self, object, records, counted)
    }

    async fn look_again(
        &self,
        object: &Arc<Object>,
        ids: Vec<Id>,
        fix: bool,
        report: &mut DerivedReport,
    ) -> Result<(), Error> {
        let object = Arc::clone(object);
        let (wrong, mended) = self
            .detached(move |workspace| {
                let (object, ids) = (Arc::clone(&object), ids.clone());
                async move { workspace.look_again_once(&object, &ids, fix).await }
            })
            .await?;
        report.mended += mended;
        wrong.into_iter().for_each(|one| report.add(one));
        Ok(())
    }

    async fn look_again_once(
        &self,
        object: &Arc<Object>,
        ids: &[Id],
        fix: bool,
    ) -> Result<(Vec<Discrepancy>, u64), Error> {
        let _open = self.0.gate.read().await;
        let mut unit = Unit::begin(self, Budget::new(Limits::background())).await?;
        let wrong = unit.compare(object, ids).await?;
        if !fix {
            return Ok((wrong, 0));
        }
        let mended = unit.rebuild(object, ids).await?;
        unit.commit().await?;
        Ok((wrong, mended))
    }

    /// Has computed fields of these objects, and of those that count them, filled anew by [`Self::fill_derived`].
    pub(super) async fn forget_derived(
        tx: &mut dyn Transaction,
        catalog: &Catalog,
        changed: &[ObjectName],
    ) -> Result<(), Error> {
        let Some(noted) = tx.find_setting(SETTING).await? else { return Ok(()) };
        let mut noted: Declared = serde_json::from_value(noted).unwrap_or_default();
        let is_concerned = |object: &Object| changed.iter().any(|name| object.name == *name || counts(object, name));
        noted.retain(|name, _| catalog.find_object(name).is_none_or(|object| !is_concerned(object)));
        let json = serde_json::to_value(&noted).map_err(|error| Error::Internal(Box::new(error)))?;
        Ok(tx.put_setting(SETTING, &json).await?)
    }

    /// Fills computed fields whose declarations are new or have changed, in small units of work.
    ///
    /// Which they are is told by comparing with what was noted when they were last filled, so that a process that ends
    /// on the way begins again at the next start. Until then a write counts anew where a rollup has no value yet.
    pub(super) async fn fill_derived(&self) -> Result<(), Error> {
        let catalog = self.catalog();
        let noted = self.find_setting(SETTING).await?;
        let mut noted: Declared = noted.and_then(|json| serde_json::from_value(json).ok()).unwrap_or_default();
        let declared: Declared =
            catalog.objects.values().map(|one| (one.name.to_string(), declarations(one))).collect();
        for object in in_order(&catalog) {
            let now = declared.get(object.name.as_str());
            if now == noted.get(object.name.as_str()) {
                continue;
            }
            let mut walk = Walk::of(object);
            while let Some(records) = walk.next(self, &catalog).await? {
                let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
                let object = Arc::clone(object);
                self.detached(move |workspace| {
                    let (object, ids) = (Arc::clone(&object), ids.clone());
                    async move { workspace.fill_once(&object, &ids).await }
                })
                .await?;
            }
        }
        let declared: Declared = declared.into_iter().filter(|(_, fields)| !fields.is_empty()).collect();
        noted.retain(|_, fields| !fields.is_empty());
        if declared != noted {
            let json = serde_json::to_value(&declared).map_err(|error| Error::Internal(Box::new(error)))?;
            self.put_setting(SETTING, &json).await?;
        }
        Ok(())
    }

    async fn fill_once(&self, object: &Arc<Object>, ids: &[Id]) -> Result<(), Error> {
        let _open = self.0.gate.read().await;
        let mut unit = Unit::begin(self, Budget::new(Limits::background())).await?;
        unit.rebuild(object, ids).await?;
        unit.commit().await
    }
}

impl Unit {
    /// The values of these records that are not what their sources say, with the rows locked.
    async fn compare(&mut self, object: &Arc<Object>, ids: &[Id]) -> Result<Vec<Discrepancy>, Error> {
        let catalog = Arc::clone(&self.catalog);
        let records = self.load_parents(object, ids).await?;
        let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
        let rollups: Vec<&Rollup> = object.derived.rollups.iter().collect();
        let counted = count_anew(self.tx.as_mut(), &catalog, &rollups, &ids).await?;
        let differing = compare(&self.workspace, object, records, counted)?;
        let mut found = Vec::new();
        for (stored, expected) in &differing {
            for (field, _) in object.derived.declarations() {
                let (before, after) = (stored.fields.get(&field), expected.fields.get(&field));
                if before != after {
                    found.push(discrepancy(object, stored.id, &field, before, after));
                }
            }
        }
        Ok(found)
    }
}

fn discrepancy(object: &Object, record: Id, field: &str, stored: &Value, expected: &Value) -> Discrepancy {
    Discrepancy {
        object: object.name.clone(),
        place: format!("{field} of {} {record}", object.name),
        stored: json::value_to_json(stored),
        expected: json::value_to_json(expected),
    }
}

/// The records that differ from what was counted for them and computed of it.
fn compare(
    workspace: &Workspace,
    object: &Object,
    records: Vec<Record>,
    mut counted: BTreeMap<Id, Fields>,
) -> Result<Vec<(Record, Record)>, Error> {
    let locale = workspace.locale();
    let mut differing = Vec::new();
    for stored in records {
        let mut expected = stored.clone();
        for (key, value) in counted.remove(&stored.id).unwrap_or_default() {
            put(&mut expected.fields, &key, value);
        }
        compute(object, &mut expected, &locale)?;
        if expected.fields != stored.fields {
            differing.push((stored, expected));
        }
    }
    Ok(differing)
}

fn declarations(object: &Arc<Object>) -> BTreeMap<String, String> {
    object.derived.declarations().into_iter().collect()
}

/// Objects with computed fields, those that are counted before those that count them.
fn in_order(catalog: &Catalog) -> Vec<&Arc<Object>> {
    let mut rest: Vec<&Arc<Object>> = catalog.objects.values().filter(|object| object.derived.is_kept()).collect();
    let mut ordered = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let is_ready = |object: &&Arc<Object>| {
            let waits = |other: &&Arc<Object>| other.name != object.name && counts(object, &other.name);
            !rest.iter().any(waits)
        };
        // Objects that count each other, by different fields, go in the order of the catalog: what changes follows.
        let next = rest.iter().position(is_ready).unwrap_or(0);
        ordered.push(rest.remove(next));
    }
    ordered
}

fn counts(object: &Object, other: &ObjectName) -> bool {
    object.derived.rollups.iter().any(|rollup| rollup.of == *other)
}

/// All records of an object, page by page, in the order of ids.
struct Walk {
    query: Query,
    is_over: bool,
}

impl Walk {
    fn of(object: &Object) -> Self {
        Self { query: Query::of(object.name.clone()).limited(BATCH), is_over: false }
    }

    async fn next(&mut self, workspace: &Workspace, catalog: &Catalog) -> Result<Option<Vec<Record>>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let page = workspace.0.store.read().await?.list(catalog, &self.query).await?;
        self.is_over = page.next.is_none();
        self.query.after = page.next;
        Ok((!page.records.is_empty()).then_some(page.records))
    }
}
