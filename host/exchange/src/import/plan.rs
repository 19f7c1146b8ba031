//! Finds out for a batch of rows which are new, and which tell more about a record that is known.
//!
//! Contacts and organizations are known by phone and e-mail address, and every object by its unique
//! fields. A row without any of these is a known record only if it says nothing that the record does not.

mod links;
mod lookup;

use std::collections::{HashMap, HashSet};

use pergola_model::{Change, FieldType, Fields, Id, Object, Record};
use pergola_service::Error;

use self::lookup::Lookup;
use super::{
    base::Base,
    draft::Draft,
    merge::{Merged, merge},
};

/// Objects whose records are people or companies, so that a phone number tells who it is.
const KNOWN_BY_ADDRESS: [&str; 2] = ["contact", "organization"];

/// What an import remembers from batch to batch.
pub(crate) struct Planner {
    object: std::sync::Arc<Object>,
    /// Fields by which a record is known.
    identity: Vec<String>,
    lookup: Lookup,
    /// Records that earlier rows of the file made or changed.
    touched: HashSet<Id>,
    /// In a dry run: what is known of the records that would have been made.
    imagined: HashSet<String>,
}

/// What is done with one record, and the rows that tell of it.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) goal: Goal,
    /// What the record is known to hold without this batch.
    before: Fields,
    /// What the rows add to it.
    pub(crate) changes: Fields,
    pub(crate) members: Vec<Member>,
}

/// Which record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// A new one.
    Create,
    /// One of the workspace.
    Update {
        id: Id,
        version: i64,
        /// An earlier row of the file made or changed it.
        by_this_file: bool,
    },
    /// One that this dry run would have made earlier.
    Imagined,
}

/// A row of a task.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) draft: Draft,
    /// Whether it added something.
    pub(crate) changed: bool,
    pub(crate) conflicts: Vec<String>,
}

/// A batch, sorted out.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) tasks: Vec<Task>,
    /// Rows that cannot be taken.
    pub(crate) refused: Vec<Draft>,
}

impl Task {
    /// The change to write, if there is anything to write.
    pub(crate) fn change(&self, object: &Object) -> Option<Change> {
        match self.goal {
            Goal::Create => Some(Change::create(object.name.clone(), self.changes.clone())),
            Goal::Update { id, version, .. } if !self.changes.is_empty() => {
                let change = Change::update(object.name.clone(), id, self.changes.clone());
                // What was empty when we looked must not be overwritten if it is filled by now.
                Some(Change { if_version: Some(version), ..change })
            }
            Goal::Update { .. } | Goal::Imagined => None,
        }
    }

    fn merged_with(&self, object: &Object, draft: &Draft) -> Merged {
        let mut known = self.before.clone();
        known.merge(self.changes.clone());
        merge(object, &known, &draft.fields)
    }

    fn join(&mut self, object: &Object, draft: Draft) {
        let merged = self.merged_with(object, &draft);
        let changed = !merged.changes.is_empty();
        self.changes.merge(merged.changes);
        self.members.push(Member { draft, changed, conflicts: merged.conflicts });
    }
}

impl Planner {
    pub(crate) fn new(object: std::sync::Arc<Object>) -> Self {
        let by_address = KNOWN_BY_ADDRESS.contains(&object.name.as_str());
        let is_unique = |key: &str| object.uniques.iter().any(|unique| unique.fields == [key]);
        let identifies = |kind: &FieldType| match kind {
            FieldType::Phone | FieldType::Email => Some(by_address),
            FieldType::Text => Some(false),
            _ => None,
        };
        let fields = object.fields.values();
        let identity = fields
            .filter(|field| identifies(&field.kind).is_some_and(|always| always || is_unique(&field.key)))
            .map(|field| field.key.clone())
            .collect();
        Self { object, identity, lookup: Lookup::default(), touched: HashSet::new(), imagined: HashSet::new() }
    }

    /// Sorts a batch out; reads the workspace, writes nothing.
    pub(crate) async fn plan<B: Base>(&mut self, base: &B, mut drafts: Vec<Draft>) -> Result<Plan, Error> {
        links::resolve(base, &mut self.lookup, &self.object, &mut drafts).await?;
        let known = self.find_known(base, &drafts).await?;
        let mut plan = Plan::default();
        let mut places = Places::default();
        for draft in drafts {
            if draft.issues.is_empty() {
                self.place(draft, &known, &mut places, &mut plan.tasks);
            } else {
                plan.refused.push(draft);
            }
        }
        Ok(plan)
    }

    /// Remembers a record that was written, so that later rows about it count as repetitions.
    pub(crate) fn remember(&mut self, id: Id) {
        self.touched.insert(id);
    }

    /// Remembers what a dry run would have made.
    pub(crate) fn imagine(&mut self, task: &Task) {
        for member in &task.members {
            let keys = self.keys(&member.draft.fields);
            self.imagined.extend(if keys.is_empty() { vec![whole(&member.draft.fields)] } else { keys });
        }
    }

    /// `phone\n+79…` for each field by which the row may be known.
    fn keys(&self, fields: &Fields) -> Vec<String> {
        let value = |key: &String| fields.get(key).as_text().map(|text| key_of(key, text));
        self.identity.iter().filter_map(value).collect()
    }

    fn place(&self, draft: Draft, known: &Known, places: &mut Places, tasks: &mut Vec<Task>) {
        let keys = self.keys(&draft.fields);
        let title = if keys.is_empty() { title_of(&self.object, &draft.fields) } else { None };
        let index = keys
            .iter()
            .find_map(|key| places.by_key.get(key).copied())
            .or_else(|| self.place_known(&keys, known, places, tasks))
            .or_else(|| self.place_same(title.as_deref()?, &draft, known, places, tasks));
        let (index, is_new) = match index {
            Some(index) => (index, false),
            None => {
                let imagined = if keys.is_empty() { vec![whole(&draft.fields)] } else { keys.clone() };
                let goal = match imagined.iter().any(|key| self.imagined.contains(key)) {
                    true => Goal::Imagined,
                    false => Goal::Create,
                };
                tasks.push(Task { goal, before: Fields::new(), changes: Fields::new(), members: Vec::new() });
                (tasks.len().saturating_sub(1), true)
            }
        };
        for key in keys {
            places.by_key.entry(key).or_insert(index);
        }
        if let Some(title) = title.filter(|_| is_new) {
            places.by_title.entry(title).or_default().push(index);
        }
        if let Some(task) = tasks.get_mut(index) {
            task.join(&self.object, draft);
        }
    }

    /// The task of a known record with one of these keys.
    fn place_known(&self, keys: &[String], known: &Known, places: &mut Places, tasks: &mut Vec<Task>) -> Option<usize> {
        let record = keys.iter().find_map(|key| known.by_key.get(key))?;
        Some(self.task_of(known.records.get(*record)?, places, tasks))
    }

    /// The task, or record, of the same title to which the row adds nothing.
    fn place_same(
        &self,
        title: &str,
        draft: &Draft,
        known: &Known,
        places: &mut Places,
        tasks: &mut Vec<Task>,
    ) -> Option<usize> {
        let same =
            |index: &&usize| tasks.get(**index).is_some_and(|task| task.merged_with(&self.object, draft).is_empty());
        if let Some(index) = places.by_title.get(title).and_then(|indexes| indexes.iter().find(same)) {
            return Some(*index);
        }
        let records = known.by_title.get(title)?.iter().filter_map(|index| known.records.get(*index));
        let mut same = records.filter(|record| merge(&self.object, &record.fields, &draft.fields).is_empty());
        let record = same.next()?;
        Some(self.task_of(record, places, tasks))
    }

    fn task_of(&self, record: &Record, places: &mut Places, tasks: &mut Vec<Task>) -> usize {
        let index = *places.by_record.entry(record.id).or_insert(tasks.len());
        if index == tasks.len() {
            let by_this_file = self.touched.contains(&record.id);
            tasks.push(Task {
                goal: Goal::Update { id: record.id, version: record.version, by_this_file },
                before: record.fields.clone(),
                changes: Fields::new(),
                members: Vec::new(),
            });
        }
        index
    }

    /// The records of the workspace that rows of the batch may be about.
    async fn find_known<B: Base>(&mut self, base: &B, drafts: &[Draft]) -> Result<Known, Error> {
        let mut known = Known::default();
        for key in &self.identity {
            let values = drafts.iter().filter_map(|draft| draft.fields.get(key).as_text());
            for record in self.lookup.list(base, &self.object, key, values).await? {
                known.add(record, &self.identity);
            }
        }
        let Some(title) = self.object.title.clone() else {
            return Ok(known);
        };
        let nameless: Vec<&Draft> = drafts.iter().filter(|draft| self.keys(&draft.fields).is_empty()).collect();
        let titles = nameless.iter().filter_map(|draft| draft.fields.get(&title).as_text());
        for record in self.lookup.list(base, &self.object, &title, titles).await? {
            known.add_titled(record, &self.object);
        }
        Ok(known)
    }
}

/// Where the tasks of a batch are.
#[derive(Default)]
struct Places {
    by_key: HashMap<String, usize>,
    by_record: HashMap<Id, usize>,
    by_title: HashMap<String, Vec<usize>>,
}

/// Records of the workspace; of several with one phone, the oldest counts.
#[derive(Default)]
struct Known {
    records: Vec<Record>,
    by_key: HashMap<String, usize>,
    by_title: HashMap<String, Vec<usize>>,
}

impl Known {
    fn add(&mut self, record: Record, identity: &[String]) {
        let index = self.records.len();
        for key in identity {
            if let Some(text) = record.fields.get(key).as_text() {
                self.by_key.entry(key_of(key, text)).or_insert(index);
            }
        }
        self.records.push(record);
    }

    fn add_titled(&mut self, record: Record, object: &Object) {
        if let Some(title) = title_of(object, &record.fields) {
            self.by_title.entry(title).or_default().push(self.records.len());
        }
        self.records.push(record);
    }
}

fn key_of(field: &str, text: &str) -> String {
    format!("{field}\n{text}")
}

fn title_of(object: &Object, fields: &Fields) -> Option<String> {
    fields.get(object.title.as_deref()?).as_text().map(str::to_owned)
}

/// All that a row says, for rows that nothing else identifies.
fn whole(fields: &Fields) -> String {
    format!("{fields:?}")
}
