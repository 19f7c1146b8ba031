//! Finds out for a batch of rows which are new, and which tell more about a record that is known.
//!
//! Contacts and organizations are known by phone and e-mail address, and every object by its unique
//! fields, unless the caller says by what. A row without any of these is a known record only if it says nothing
//! that the record does not.

mod links;
mod lookup;

use std::collections::{HashMap, HashSet};

use pergola_model::{Change, FieldType, Fields, Id, Object, Record, Value};
use pergola_service::Error;

use self::lookup::{Lookup, spelled};
use super::{
    OnMatch,
    base::Base,
    draft::Draft,
    headings::NOTES,
    merge::{Merged, merge, overwrite, shown},
};

/// Objects whose records are people or companies, so that a phone number tells who it is.
const KNOWN_BY_ADDRESS: [&str; 2] = ["contact", "organization"];

/// How much of a value a difference shows.
const SHOWN_CHARS: usize = 60;

/// What an import remembers from batch to batch.
pub(crate) struct Planner {
    object: std::sync::Arc<Object>,
    /// Fields by which a record is known.
    identity: Vec<String>,
    lookup: Lookup,
    policy: Policy,
    /// Records that earlier rows of the file made or changed.
    touched: HashSet<Id>,
    /// In a dry run: what is known of the records that would have been made.
    imagined: HashSet<String>,
}

/// What rows do to records that are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) on_match: OnMatch,
    /// Whether differences are told.
    pub(crate) tells: bool,
}

/// What is done with one record, and the rows that tell of it.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) goal: Goal,
    /// The id that a new record gets, if the file says so.
    id: Option<Id>,
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
    /// What it changes in a known record, for people.
    pub(crate) difference: Vec<String>,
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
            Goal::Create => {
                let change = Change::create(object.name.clone(), self.changes.clone());
                Some(Change { id: self.id, ..change })
            }
            Goal::Update { id, version, .. } if !self.changes.is_empty() => {
                let change = Change::update(object.name.clone(), id, self.changes.clone());
                // What was empty when we looked must not be overwritten if it is filled by now.
                Some(Change { if_version: Some(version), ..change })
            }
            Goal::Update { .. } | Goal::Imagined => None,
        }
    }

    /// The number of the first row that tells of it.
    pub(crate) fn line(&self) -> i64 {
        self.members.first().and_then(|member| i64::try_from(member.draft.row.number).ok()).unwrap_or_default()
    }

    /// What the record is known to hold with what the rows so far add.
    fn known(&self) -> Fields {
        let mut known = self.before.clone();
        known.merge(self.changes.clone());
        known
    }

    fn merged_with(&self, object: &Object, draft: &Draft) -> Merged {
        merge(object, &self.known(), &draft.fields)
    }

    fn join(&mut self, object: &Object, draft: Draft, policy: Policy) {
        let is_known = !matches!(self.goal, Goal::Create) || !self.members.is_empty();
        let known = self.known();
        let merged = match policy.on_match {
            OnMatch::Skip if is_known => Merged::default(),
            OnMatch::Overwrite => {
                let added_to = draft.notes_are_surplus.then_some(NOTES);
                overwrite(object, &known, &draft.fields, added_to)
            }
            OnMatch::Skip | OnMatch::Fill => merge(object, &known, &draft.fields),
        };
        let tells = policy.tells && matches!(self.goal, Goal::Update { .. });
        let difference = if tells { differences(&known, &merged.changes) } else { Vec::new() };
        let changed = !merged.changes.is_empty();
        self.changes.merge(merged.changes);
        self.members.push(Member { draft, changed, conflicts: merged.conflicts, difference });
    }
}

impl Planner {
    pub(crate) fn new(object: std::sync::Arc<Object>, policy: Policy, matches: &[String]) -> Self {
        if !matches.is_empty() {
            let identity = matches.to_vec();
            return Self {
                object,
                identity,
                lookup: Lookup::default(),
                policy,
                touched: HashSet::new(),
                imagined: HashSet::new(),
            };
        }
        let by_address = KNOWN_BY_ADDRESS.contains(&object.name.as_str());
        let is_unique = |key: &str| object.uniques.iter().any(|unique| unique.identifies(key));
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
        Self { object, identity, lookup: Lookup::default(), policy, touched: HashSet::new(), imagined: HashSet::new() }
    }

    /// Sorts a batch out; reads the workspace, writes nothing.
    pub(crate) async fn plan<B: Base>(&mut self, base: &B, mut drafts: Vec<Draft>) -> Result<Plan, Error> {
        links::resolve(base, &mut self.lookup, &self.object, &mut drafts).await?;
        let known = self.find_known(base, &drafts).await?;
        let mut plan = Plan::default();
        let mut places = Places::default();
        for mut draft in drafts {
            self.check_match(&mut draft, &known);
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
            let keys = self.keys(&member.draft);
            self.imagined.extend(if keys.is_empty() { vec![whole(&member.draft.fields)] } else { keys });
        }
    }

    /// `phone\n+79…` for each field by which the row may be known.
    fn keys(&self, draft: &Draft) -> Vec<String> {
        self.identity.iter().filter_map(|key| key_of(key, &value_of(key, draft.id, &draft.fields))).collect()
    }

    /// A value that several records have does not tell which of them a row replaces.
    fn check_match(&self, draft: &mut Draft, known: &Known) {
        if self.policy.on_match != OnMatch::Overwrite {
            return;
        }
        let first = self.keys(draft).into_iter().find(|key| known.by_key.contains_key(key));
        if let Some((field, value)) =
            first.filter(|key| known.doubtful.contains(key)).as_deref().and_then(|key| key.split_once('\n'))
        {
            let plural = &self.object.plural;
            draft.issues.push(format!("several {plural} have the {field} {value}; say which is meant with --match id"));
        }
    }

    fn place(&self, draft: Draft, known: &Known, places: &mut Places, tasks: &mut Vec<Task>) {
        let keys = self.keys(&draft);
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
                let id = draft.id;
                tasks.push(Task { goal, id, before: Fields::new(), changes: Fields::new(), members: Vec::new() });
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
            task.join(&self.object, draft, self.policy);
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
                id: None,
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
            let values = drafts.iter().map(|draft| value_of(key, draft.id, &draft.fields));
            for record in self.lookup.list(base, &self.object, key, values).await? {
                known.add(record, &self.identity);
            }
        }
        let Some(title) = self.object.title.clone() else {
            return Ok(known);
        };
        let nameless: Vec<&Draft> = drafts.iter().filter(|draft| self.keys(draft).is_empty()).collect();
        let titles = nameless.iter().map(|draft| draft.fields.get(&title).clone());
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
    /// Keys that several records have.
    doubtful: HashSet<String>,
    by_title: HashMap<String, Vec<usize>>,
}

impl Known {
    fn add(&mut self, record: Record, identity: &[String]) {
        let index = self.records.len();
        for key in identity {
            let Some(key) = key_of(key, &value_of(key, Some(record.id), &record.fields)) else { continue };
            let first = *self.by_key.entry(key.clone()).or_insert(index);
            if self.records.get(first).is_some_and(|first| first.id != record.id) {
                self.doubtful.insert(key);
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

/// `phone\n+79…`; none without a value.
fn key_of(field: &str, value: &Value) -> Option<String> {
    (!value.is_null()).then(|| format!("{field}\n{}", spelled(value)))
}

fn value_of(key: &str, id: Option<Id>, fields: &Fields) -> Value {
    if key == "id" { id.map_or(Value::Null, Value::Ref) } else { fields.get(key).clone() }
}

/// `name: "Anna K." → "Anna Kim"` for each change.
fn differences(known: &Fields, changes: &Fields) -> Vec<String> {
    let cut = |value: &Value| {
        let text = shown(value);
        match text.char_indices().nth(SHOWN_CHARS) {
            Some((end, _)) => format!("\"{}…\"", text.get(..end).unwrap_or_default()),
            None if value.is_null() => "nothing".to_owned(),
            None => format!("\"{text}\""),
        }
    };
    changes.iter().map(|(key, value)| format!("{key}: {} → {}", cut(known.get(key)), cut(value))).collect()
}

fn title_of(object: &Object, fields: &Fields) -> Option<String> {
    fields.get(object.title.as_deref()?).as_text().map(str::to_owned)
}

/// All that a row says, for rows that nothing else identifies.
fn whole(fields: &Fields) -> String {
    format!("{fields:?}")
}
