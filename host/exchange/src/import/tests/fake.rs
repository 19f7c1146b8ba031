//! A workspace in memory that keeps the rules an import relies on: normalising, required and unique fields, a hook.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use jiff::Timestamp;
use pergola_model::{
    Catalog, Change, ChangeKind, FieldIssue, Fields, Id, Locale, ObjectName, Page, Query, Record, Value, expr::Env,
    normal,
};
use pergola_service::{
    Error,
    ports::imports::{ImportEntry, ImportState, StoredImport, Wrote},
    workspace::RecordOf,
};

use crate::import::base::{Base, Outcome, Writing};

/// Imports, and what each wrote.
type Imports = (Vec<StoredImport>, Vec<(Id, ImportEntry)>);

/// See above.
pub(super) struct Fake {
    catalog: Arc<Catalog>,
    state: Mutex<Vec<(ObjectName, Record)>>,
    /// How often the next writes find the workspace busy.
    pub(super) busy: AtomicU64,
    pub(super) commits: AtomicU64,
    /// After this commit it is as if the process were killed; none if 0.
    pub(super) dies_after: AtomicU64,
    imports: Mutex<Imports>,
}

impl Fake {
    pub(super) fn new() -> Self {
        Self {
            catalog: Arc::new(Catalog::build(&[]).unwrap()),
            state: Mutex::default(),
            busy: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            dies_after: AtomicU64::new(0),
            imports: Mutex::default(),
        }
    }

    /// As if the object had been declared with these changes, for instance with a plugin's fields.
    pub(super) fn declare(mut self, object: &str, change: impl FnOnce(&mut pergola_model::Object)) -> Self {
        let catalog = Arc::get_mut(&mut self.catalog).unwrap();
        let slot = catalog.objects.get_mut(object).unwrap();
        let mut declared = (**slot).clone();
        change(&mut declared);
        *slot = Arc::new(declared);
        self
    }

    pub(super) fn with(self, object: &str, fields: Fields) -> Self {
        let mut state = self.state.lock().unwrap();
        let change = Change::create(ObjectName::new(object).unwrap(), fields);
        let written = self.write(&mut state, &change);
        written.unwrap();
        drop(state);
        self
    }

    pub(super) fn contacts(&self) -> Vec<Fields> {
        let state = self.state.lock().unwrap();
        state.iter().filter(|(name, _)| name.as_str() == "contact").map(|(_, record)| record.fields.clone()).collect()
    }

    pub(super) fn contact(&self, name: &str) -> Fields {
        let found = self.contacts().into_iter().find(|fields| fields.get("name").as_text() == Some(name));
        found.unwrap_or_else(|| panic!("no {name} among {:?}", self.contacts()))
    }

    fn write(&self, state: &mut Vec<(ObjectName, Record)>, change: &Change) -> Result<RecordOf, Error> {
        let object = self.catalog.object(&change.object).unwrap();
        let mut fields = Fields::new();
        for (key, value) in change.fields.clone() {
            let field = object.field(&key).unwrap();
            let value = normal::normalise(field, value, &self.locale()).map_err(|issue| Error::Invalid(vec![issue]))?;
            fields.set(key, value);
        }
        let at = Timestamp::UNIX_EPOCH;
        let record = match change.kind {
            ChangeKind::Create => {
                let id = change.id.unwrap_or_else(|| Id(uuid::Uuid::from_u128(state.len() as u128 + 1)));
                Record { id, version: 1, created_at: at, updated_at: at, fields }
            }
            ChangeKind::Update => {
                let (_, known) = state.iter().find(|(_, record)| Some(record.id) == change.id).unwrap();
                if change.if_version != Some(known.version) {
                    return Err(Error::stale());
                }
                let mut record = Record { version: known.version + 1, ..known.clone() };
                record.fields.merge(fields);
                record
            }
            ChangeKind::Delete => panic!("an import deletes nothing"),
        };
        let lacking = object.fields.values().find(|field| field.required && record.fields.get(&field.key).is_null());
        if let Some(field) = lacking {
            return Err(Error::Invalid(vec![normal::required(field)]));
        }
        match record.fields.get("name").as_text() {
            Some(name) if name.contains("blocked") => return Err(refused("this client is blocked")),
            Some("trap") => return Err(broken()),
            _ => {}
        }
        match state.iter_mut().find(|(_, known)| known.id == record.id) {
            Some((_, known)) => *known = record.clone(),
            None => state.push((change.object.clone(), record.clone())),
        }
        Ok((change.object.clone(), record))
    }
}

fn refused(message: &str) -> Error {
    Error::Invalid(vec![FieldIssue::new("name", "refused", message)])
}

fn broken() -> Error {
    Error::Plugin(Box::new(pergola_service::ports::plugins::CallError::Trap {
        plugin: pergola_model::PluginId::new("salon").unwrap(),
        handler: "before-write",
        cause: "unreachable".to_owned(),
    }))
}

#[async_trait]
impl Base for Fake {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    fn locale(&self) -> Arc<Locale> {
        Arc::default()
    }

    fn now(&self) -> Timestamp {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    async fn list(&self, query: &Query) -> Result<Page, Error> {
        let state = self.state.lock().unwrap();
        let records = state.iter().filter(|(name, record)| {
            let env =
                Env { record, related: &BTreeMap::new(), children: &(), now: query.now, parameters: &query.parameters };
            *name == query.object && query.filter.as_ref().is_none_or(|filter| filter.holds(&env).unwrap())
        });
        Ok(Page { records: records.map(|(_, record)| record.clone()).collect(), next: None })
    }

    async fn write(&self, lines: &[i64], changes: Vec<Change>, writing: Writing<'_>) -> Result<Vec<Outcome>, Error> {
        if self.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |busy| busy.checked_sub(1)).is_ok() {
            return Err(Error::Busy);
        }
        let mut state = self.state.lock().unwrap();
        let before = state.clone();
        let outcomes: Vec<_> =
            changes.iter().map(|change| self.write(&mut state, change).map(|one| vec![one])).collect();
        // A plugin that breaks takes the whole batch with it.
        if outcomes.iter().any(|outcome| matches!(outcome, Err(Error::Plugin(_)))) {
            *state = before;
            return Err(broken());
        }
        let counted = (writing.count)(&outcomes);
        let (Some(counted), Some(import)) = (counted, writing.import) else {
            *state = before;
            return Ok(outcomes);
        };
        let mut imports = self.imports.lock().unwrap();
        for ((line, outcome), change) in lines.iter().zip(&outcomes).zip(&changes) {
            let Ok([(object, record)]) = outcome.as_deref() else { continue };
            let wrote = match change.kind {
                ChangeKind::Create => Wrote::Created { version: record.version },
                _ => Wrote::Updated { changes: serde_json::Value::Null },
            };
            let is_own = |(of, one): &(Id, ImportEntry)| {
                *of == import.id && one.record == record.id && matches!(one.wrote, Wrote::Created { .. })
            };
            // As the service does it: what the import made itself has one entry.
            if imports.1.iter().any(is_own) {
                continue;
            }
            import.entries += 1;
            let (object, place) = (object.clone(), import.entries);
            imports.1.push((import.id, ImportEntry { place, line: *line, object, record: record.id, wrote }));
        }
        (import.last_line, import.tally, import.revision) = (counted.last_line, counted.tally, import.revision + 1);
        imports.0.retain(|known| known.id != import.id);
        imports.0.push(import.clone());
        drop(imports);
        let commit = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        // As if the process were killed after this commit.
        if self.dies_after.load(Ordering::SeqCst) == commit {
            return Err(Error::Full);
        }
        Ok(outcomes)
    }

    fn new_import(&self) -> StoredImport {
        let number = self.imports.lock().unwrap().0.len() as u128 + 1;
        StoredImport {
            id: Id(uuid::Uuid::from_u128(number << 64)),
            object: ObjectName::new("contact").unwrap(),
            file: String::new(),
            digest: Vec::new(),
            settings: String::new(),
            actor: "test".to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
            state: ImportState::Running,
            last_line: 0,
            entries: 0,
            tally: serde_json::Value::Null,
            revision: 0,
        }
    }

    async fn find_running(&self, digest: &[u8], settings: &str) -> Result<Option<StoredImport>, Error> {
        let imports = self.imports.lock().unwrap();
        let is_it =
            |one: &&StoredImport| one.state == ImportState::Running && one.digest == digest && one.settings == settings;
        Ok(imports.0.iter().rev().find(is_it).cloned())
    }

    async fn visit_import(&self, import: Id, visit: &mut (dyn FnMut(ImportEntry) + Send)) -> Result<(), Error> {
        let entries: Vec<_> = self.imports.lock().unwrap().1.clone();
        entries.into_iter().rev().filter(|(of, _)| *of == import).for_each(|(_, entry)| visit(entry));
        Ok(())
    }

    async fn put_import(&self, import: &mut StoredImport) -> Result<(), Error> {
        let mut imports = self.imports.lock().unwrap();
        imports.0.retain(|known| known.id != import.id);
        imports.0.push(import.clone());
        Ok(())
    }
}

/// A text value.
pub(super) fn text(text: &str) -> Value {
    Value::from(text)
}
