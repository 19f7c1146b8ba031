//! Search over all objects: candidates from the store, the order from the model, and only what the actor may read.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use pergola_model::{
    Actor, Catalog, Fields, Id, Object, ObjectName, Operation, Record,
    search::{self, Score, Search, Snippet},
};

use super::{Workspace, no_object};
use crate::{
    error::Error,
    ports::{
        search::{IndexQuery, IndexRow},
        store::Reader,
    },
    rights::Rights,
};

/// The most hits that one search answers.
pub const HITS_MAX: u32 = 100;
/// The most candidates that each stage of a search takes from the index: the newest.
const CANDIDATES_MAX: u32 = 200;
/// An object whose records are shown as their owner, by the fields that name it.
const CONTACT_POINT: &str = "contact_point";
const OWNERS: [&str; 2] = ["contact", "organization"];

/// What is searched for.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// What somebody typed.
    pub text: String,
    /// Records of these objects; of all that have searchable fields, if empty.
    pub objects: Vec<ObjectName>,
    /// At most so many hits, [`HITS_MAX`] at most.
    pub limit: u32,
}

/// A record that was found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Its object.
    pub object: Arc<Object>,
    /// The record.
    pub record: Record,
    /// Where it matched: a field of its own, or `contact_point.phone`.
    pub matched: Snippet,
}

impl Hit {
    /// The record's title; empty if it has none.
    #[must_use]
    pub fn title(&self) -> &str {
        self.object.title.as_deref().and_then(|title| self.record.fields.get(title).as_text()).unwrap_or_default()
    }
}

/// What may be found: by object, those that were asked for and may be read.
struct Scope {
    objects: Vec<Arc<Object>>,
    /// Owners as which contact points are shown.
    owners: Vec<Arc<Object>>,
}

impl Workspace {
    /// The records that have all words of the text, the best first: words and beginnings of words of the title, then of
    /// other searchable fields, then names that sound nearly so.
    ///
    /// # Errors
    /// `bad_search` when the text is empty or too long; [`Error::Forbidden`] when an object that was asked for may not be
    /// read; [`Error::NotFound`] when there is none of that name.
    pub async fn search(&self, actor: &Actor, request: &SearchRequest) -> Result<Vec<Hit>, Error> {
        let catalog = self.catalog();
        let scope = Scope::new(&catalog, &Rights::of(actor), &request.objects)?;
        let wanted = Search::parse(&request.text, &self.locale())
            .map_err(|error| Error::BadRequest { code: "bad_search", message: error.to_string() })?;
        let limit = usize::try_from(request.limit.min(HITS_MAX)).unwrap_or_default();
        let mut reader = self.0.store.read().await?;
        let best = candidates(reader.as_mut(), &wanted, &scope, limit).await?;
        let records = load(reader.as_mut(), &scope, &best).await?;
        let owners = load_owners(reader.as_mut(), &scope, &records).await?;
        let mut hits: Vec<Hit> = Vec::with_capacity(best.len());
        let mut seen = HashSet::new();
        for row in &best {
            let Some(hit) = scope.hit(&wanted, row, &records, &owners) else { continue };
            if seen.insert(hit.record.id) {
                hits.push(hit);
            }
        }
        hits.truncate(limit);
        Ok(hits)
    }
}

impl Scope {
    fn new(catalog: &Catalog, rights: &Rights, asked: &[ObjectName]) -> Result<Self, Error> {
        let readable = |object: &Object| rights.check(Operation::Read, &object.name, &Fields::new());
        let mut objects = Vec::new();
        if asked.is_empty() {
            let found = catalog.objects.values().filter(|object| readable(object).is_ok());
            objects.extend(found.cloned());
        }
        for name in asked {
            let object = catalog.object(name).ok_or_else(|| no_object(name.as_str()))?;
            readable(object)?;
            if !search::is_searchable(object) {
                let message = format!("{name} has no searchable field: leave it out");
                return Err(Error::BadRequest { code: "bad_search", message });
            }
            objects.push(Arc::clone(object));
        }
        objects.retain(|object| object.name.as_str() != CONTACT_POINT && search::is_searchable(object));
        let owners: Vec<Arc<Object>> =
            objects.iter().filter(|object| OWNERS.contains(&object.name.as_str())).cloned().collect();
        if !owners.is_empty() {
            // A contact point tells only what belongs to its owner, so the right to read that one is enough.
            objects.extend(catalog.find_object(CONTACT_POINT).cloned());
        }
        Ok(Self { objects, owners })
    }

    fn object(&self, name: &ObjectName) -> Option<&Arc<Object>> {
        self.objects.iter().find(|object| object.name == *name)
    }

    /// The hit that a row stands for; none if its record, or the record's owner, is not there or not to be seen.
    fn hit(
        &self,
        wanted: &Search,
        row: &IndexRow,
        records: &HashMap<Id, Record>,
        owners: &HashMap<Id, Record>,
    ) -> Option<Hit> {
        let object = self.object(&row.object)?;
        let record = records.get(&row.record)?;
        let matched = wanted.snippet(object, &record.fields)?;
        if object.name.as_str() != CONTACT_POINT {
            return Some(Hit { object: Arc::clone(object), record: record.clone(), matched });
        }
        let (owner, id) = self.owner(record)?;
        let matched = Snippet { field: format!("{CONTACT_POINT}.{}", matched.field), text: matched.text };
        Some(Hit { object: Arc::clone(owner), record: owners.get(&id)?.clone(), matched })
    }

    /// Whose contact point it is.
    fn owner(&self, point: &Record) -> Option<(&Arc<Object>, Id)> {
        self.owners.iter().find_map(|owner| Some((owner, point.fields.get(owner.name.as_str()).as_ref_id()?)))
    }
}

/// The best rows, in order. A stage is not asked for when those before it gave enough.
async fn candidates(
    reader: &mut dyn Reader,
    wanted: &Search,
    scope: &Scope,
    limit: usize,
) -> Result<Vec<IndexRow>, Error> {
    let objects: Vec<ObjectName> = scope.objects.iter().map(|object| object.name.clone()).collect();
    let mut ranked: Vec<(Score, usize, IndexRow)> = Vec::new();
    let mut seen = HashSet::new();
    for terms in wanted.stages() {
        let query = IndexQuery { terms, objects: objects.clone(), limit: CANDIDATES_MAX };
        for row in reader.search(&query).await? {
            let score = wanted.rank(&row.entry.title, &row.entry.body);
            if let (Some(score), true) = (score, seen.insert(row.record)) {
                ranked.push((score, ranked.len(), row));
            }
        }
        if ranked.len() >= limit {
            break;
        }
    }
    ranked.sort_by_key(|(score, place, _)| (*score, *place));
    // Some fall out: those that were shown as their owner already.
    ranked.truncate(limit.saturating_mul(2));
    Ok(ranked.into_iter().map(|(_, _, row)| row).collect())
}

/// The records of the rows, by id.
async fn load(reader: &mut dyn Reader, scope: &Scope, rows: &[IndexRow]) -> Result<HashMap<Id, Record>, Error> {
    let mut ids: BTreeMap<&ObjectName, Vec<Id>> = BTreeMap::new();
    for row in rows {
        ids.entry(&row.object).or_default().push(row.record);
    }
    let mut records = HashMap::new();
    for (name, ids) in ids {
        if let Some(object) = scope.object(name) {
            records.extend(reader.find_many(object, &ids).await?.into_iter().map(|record| (record.id, record)));
        }
    }
    Ok(records)
}

/// The owners of those records that are contact points, by id.
async fn load_owners(
    reader: &mut dyn Reader,
    scope: &Scope,
    records: &HashMap<Id, Record>,
) -> Result<HashMap<Id, Record>, Error> {
    let mut owners = HashMap::new();
    for owner in &scope.owners {
        let refers = |record: &Record| scope.owner(record).filter(|(object, _)| object.name == owner.name);
        let mut ids: Vec<Id> = records.values().filter_map(refers).map(|(_, id)| id).collect();
        ids.sort();
        ids.dedup();
        owners.extend(reader.find_many(owner, &ids).await?.into_iter().map(|record| (record.id, record)));
    }
    Ok(owners)
}
