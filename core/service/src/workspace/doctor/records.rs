//! Every record against its declaration, a page at a time.

use std::collections::{BTreeMap, BTreeSet};

use pergola_model::{
    Actor, Change, FieldType, Fields, Id, Object, ObjectName, Query, Record, Value, field::OnDelete, query::LIMIT_MAX,
};

use super::{Finding, Severity, cause};
use crate::{
    error::Error,
    ports::plugins::{Budget, Limits},
    unit::Unit,
    workspace::Workspace,
};

/// What can be wrong with records.
struct Findings {
    unreadable: Finding,
    invalid: Finding,
    overlap: Finding,
    orphan: Finding,
    loose: Finding,
}

/// A reference to nothing, which may be emptied.
struct Loose {
    record: Id,
    field: String,
}

impl Workspace {
    pub(super) async fn examine_records(&self, fix: bool) -> Result<Vec<Finding>, Error> {
        let restore = "restore a backup, or write the record anew";
        let mut found = Findings {
            unreadable: Finding::new("unreadable", Severity::Damage, "records that cannot be read", restore),
            invalid: Finding::new(
                "invalid",
                Severity::Damage,
                "values that do not fit their declaration, or are missing",
                "write the record anew; a plugin's upgrade may have declared more than the records keep",
            ),
            overlap: Finding::new("overlap", Severity::Damage, "records that overlap others", "move one of them"),
            orphan: Finding::new("orphan", Severity::Damage, "references to records that are not there", restore),
            loose: Finding::mendable(
                "loose_reference",
                Severity::Damage,
                "references to records that are not there, where a delete empties the reference",
                "empties them, as the delete should have done",
            ),
        };
        let mut mended = true;
        for object in self.catalog().objects.values() {
            let mut after = None;
            while let Some((ids, next)) = self.page(&object.name, after.take()).await? {
                let loose = self.examine_page(object, &ids, &mut found).await?;
                if fix {
                    for one in loose {
                        mended &= self.tie(&object.name, one).await;
                    }
                }
                let Some(next) = next else { break };
                after = Some(next);
            }
        }
        found.loose.mended = fix && mended;
        let Findings { unreadable, invalid, overlap, orphan, loose } = found;
        Ok([unreadable, invalid, overlap, orphan, loose].into_iter().filter_map(Finding::if_any).collect())
    }

    /// The next ids of an object; none after the last.
    pub(super) async fn page(
        &self,
        name: &ObjectName,
        after: Option<pergola_model::query::Cursor>,
    ) -> Result<Option<(Vec<Id>, Option<pergola_model::query::Cursor>)>, Error> {
        let query = Query {
            object: name.clone(),
            filter: None,
            parameters: vec![],
            now: self.now(),
            sort: vec![],
            fields: Some(vec![]),
            limit: LIMIT_MAX,
            after,
        };
        let page = self.list(&Actor::System, &query).await?;
        let ids: Vec<Id> = page.records.iter().map(|record| record.id).collect();
        Ok((!ids.is_empty()).then_some((ids, page.next)))
    }

    /// Looks at some records in one turn to write, so that nobody changes them meanwhile. Writes nothing.
    async fn examine_page(&self, object: &Object, ids: &[Id], found: &mut Findings) -> Result<Vec<Loose>, Error> {
        let mut unit = Unit::begin(self, Budget::new(Limits::background())).await?;
        let mut records = Vec::new();
        // Together, and one by one only if there is one that cannot be read.
        match unit.tx.find_many(object, ids).await {
            Ok(all) => records = all,
            Err(_) => {
                for id in ids {
                    match unit.tx.find(object, *id).await {
                        Ok(record) => records.extend(record),
                        Err(error) => found.unreadable.add(|| format!("{} {id}: {}", object.name, cause(&error))),
                    }
                }
            }
        }
        let there = targets(&mut unit, object, &records).await?;
        let mut loose = Vec::new();
        for record in &records {
            let place = |error: &Error| format!("{} {}: {error}", object.name, record.id);
            match unit.examine(object, record).await {
                Ok(()) => {}
                Err(error @ Error::Conflict { code: "overlap", .. }) => found.overlap.add(|| place(&error)),
                Err(error) if error.is_about_the_record() => found.invalid.add(|| place(&error)),
                Err(error) => return Err(error),
            }
            for (field, to, on_delete) in references(object) {
                let Some(id) = record.fields.get(field).as_ref_id() else { continue };
                if there.contains(&(to.clone(), id)) {
                    continue;
                }
                let place = || format!("{} {}: {field} refers to {to} {id}", object.name, record.id);
                if on_delete == OnDelete::Clear {
                    found.loose.add(place);
                    loose.push(Loose { record: record.id, field: field.to_owned() });
                } else {
                    found.orphan.add(place);
                }
            }
        }
        Ok(loose)
    }

    /// Empties a reference to nothing.
    async fn tie(&self, name: &ObjectName, loose: Loose) -> bool {
        let fields = Fields::new().with(loose.field, Value::Null);
        let done = self.apply(&Actor::System, vec![Change::update(name.clone(), loose.record, fields)]).await;
        if let Err(error) = &done {
            tracing::warn!(object = %name, record.id = %loose.record, %error, "a reference to nothing could not be emptied");
        }
        done.is_ok()
    }
}

fn references(object: &Object) -> impl Iterator<Item = (&str, &ObjectName, OnDelete)> {
    object.fields.values().filter_map(|field| match &field.kind {
        FieldType::Ref { to, on_delete } => Some((field.key.as_str(), to, *on_delete)),
        _ => None,
    })
}

/// The records, among those referred to, that are there.
async fn targets(unit: &mut Unit, object: &Object, records: &[Record]) -> Result<BTreeSet<(ObjectName, Id)>, Error> {
    let mut wanted: BTreeMap<&ObjectName, BTreeSet<Id>> = BTreeMap::new();
    for (field, to, _) in references(object) {
        let ids = records.iter().filter_map(|record| record.fields.get(field).as_ref_id());
        wanted.entry(to).or_default().extend(ids);
    }
    let mut there = BTreeSet::new();
    for (name, ids) in wanted {
        let Some(target) = unit.catalog.object(name).cloned() else { continue };
        let ids: Vec<Id> = ids.into_iter().collect();
        for chunk in ids.chunks(500) {
            match unit.tx.find_many(&target, chunk).await {
                Ok(found) => there.extend(found.into_iter().map(|record| (name.clone(), record.id))),
                // One of them cannot be read: it is there, and is told of under its own object.
                Err(_) => there.extend(chunk.iter().map(|id| (name.clone(), *id))),
            }
        }
    }
    Ok(there)
}
