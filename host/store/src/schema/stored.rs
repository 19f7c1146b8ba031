//! What tables, columns and indexes a workspace has.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use pergola_model::{Object, object::Unique};
use pergola_service::ports::store::{SchemaStep, SchemaWork, StoreError};

use super::{Index, definitions, note, note_one, step};
use crate::{
    dialect::Dialect,
    key,
    layout::{Column, Holds, keyed},
    row::Cells,
    session::Session,
    sql::{Sql, identifier, quote},
};

/// What is in the database.
pub(super) struct Stored {
    /// Column names and SQL types by table.
    pub(super) tables: BTreeMap<String, BTreeMap<String, String>>,
    /// What fields hold, by object and field.
    pub(super) holds: BTreeMap<(String, String), String>,
    /// All indexes, by table and name.
    pub(super) indexes: BTreeMap<(String, String), StoredIndex>,
    /// All references that the database checks, where they are not part of their columns.
    pub(super) references: BTreeSet<String>,
}

/// An index that is there.
#[derive(Default)]
pub(super) struct StoredIndex {
    /// Whether it is a unique rule's.
    pub(super) unique: bool,
    /// Its columns.
    pub(super) columns: Vec<String>,
}

impl Stored {
    pub(super) async fn read(session: &mut Session) -> Result<Self, StoreError> {
        let mut stored = Self {
            tables: BTreeMap::new(),
            holds: BTreeMap::new(),
            indexes: BTreeMap::new(),
            references: BTreeSet::new(),
        };
        let questions = session.dialect().catalog();
        for row in session.fetch_all(questions.columns).await? {
            let mut cells = Cells::new(&row);
            stored.tables.entry(cells.take()?).or_default().insert(cells.take()?, cells.take()?);
        }
        for row in session.fetch_all(Sql::new("SELECT object, field, holds FROM pergola_column")).await? {
            let mut cells = Cells::new(&row);
            stored.holds.insert((cells.take()?, cells.take()?), cells.take()?);
        }
        for row in session.fetch_all(questions.indexes).await? {
            let mut cells = Cells::new(&row);
            let (table, name): (String, String) = (cells.take()?, cells.take()?);
            let (unique, field): (bool, String) = (cells.take()?, cells.take()?);
            let index = stored.indexes.entry((table, name)).or_default();
            index.unique = unique;
            index.columns.push(field);
        }
        for index in stored.indexes.values_mut().filter(|index| !index.unique && index.columns.len() > 1) {
            // PostgreSQL's end with the id; see `Dialect::index_columns`.
            index.columns.pop_if(|column| column == "id");
        }
        if let Some(references) = questions.references {
            for row in session.fetch_all(references).await? {
                stored.references.insert(Cells::new(&row).take()?);
            }
        }
        Ok(stored)
    }

    pub(super) fn add_column(
        &self,
        dialect: &Dialect,
        object: &Object,
        existing: &BTreeMap<String, String>,
        column: &Column,
    ) -> Result<Option<SchemaStep>, StoreError> {
        let Some(sql_type) = existing.get(identifier(&column.key).as_ref()) else {
            let mut sql = String::new();
            for definition in definitions(dialect, column) {
                sql.push_str(&format!("ALTER TABLE {} ADD COLUMN {definition}; ", dialect.table(object.name.as_str())));
            }
            sql.push_str(&note(&object.name, std::slice::from_ref(column)));
            return Ok(Some(step(format!("add column {} to {}", column.key, object.name), sql)));
        };
        let known = self.holds.get(&(object.name.as_str().to_owned(), column.key.clone()));
        let (fits, stored_type) = match known {
            Some(holds) => (*holds == column.holds.label(), holds),
            None => (dialect.sql_type(&column.holds).eq_ignore_ascii_case(sql_type), sql_type),
        };
        if fits {
            return Ok(None);
        }
        Err(StoreError::Schema(format!(
            "{} of {} holds {stored_type} and is now declared as {}: its type cannot change; declare a new field",
            column.key,
            object.name,
            column.holds.label(),
        )))
    }

    /// The name under which an index is there as it is declared: it may have one of before its fields were renamed.
    pub(super) fn found(&self, object: &Object, index: &Index) -> Option<&str> {
        let of_table = self.indexes.iter().filter(|((table, _), _)| *table == identifier(&index.table));
        let mut alike =
            of_table.filter(|(_, one)| one.unique == index.unique.is_some() && is_over(&one.columns, index));
        let ((_, name), _) = alike.next()?;
        let is_stale = index.unique.is_some() && self.is_stale(object, index);
        (!is_stale).then_some(name)
    }

    /// Where errors tell a unique rule by the name of its index, that follows the names of its fields.
    pub(super) fn rename_indexes(&self, dialect: &Dialect, object: &Object, desired: &[Index]) -> Option<SchemaStep> {
        let rules = desired.iter().filter(|index| index.unique.is_some());
        let found = rules.filter_map(|index| Some((self.found(object, index)?, index.name.as_str())));
        let renamed: Vec<(&str, &str)> = found.filter(|(name, wanted)| *name != identifier(wanted)).collect();
        let aside = |number: usize| format!("{}$move${number}", object.name);
        let mut sql = String::new();
        for (number, (name, _)) in renamed.iter().enumerate() {
            sql.push_str(&dialect.rename_index(name, &aside(number))?);
        }
        for (number, (_, wanted)) in renamed.iter().enumerate() {
            sql.push_str(&dialect.rename_index(&aside(number), wanted)?);
        }
        (!sql.is_empty()).then(|| step(format!("call indexes of {} by their fields", object.name), sql))
    }

    /// The name of a new index; one with a number, if an index has it from before its fields were renamed.
    pub(super) fn free_name(&self, index: &Index) -> String {
        let name = &index.name;
        if index.unique.is_some() {
            return name.clone();
        }
        let is_taken = |name: &str| self.indexes.keys().any(|(_, other)| *other == identifier(name));
        let numbered = (2_u32..).map(|number| format!("{name}${number}"));
        std::iter::once(name.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
    }

    /// A unique rule that is no longer declared would still refuse. Rules on fields of plugins that are not here now
    /// stay, for when they come back.
    pub(super) fn drop_unique_rules(
        &mut self,
        dialect: &Dialect,
        object: &Object,
        desired: &[Index],
    ) -> Vec<SchemaStep> {
        let is_desired = |columns: &[String]| {
            let mut alike = desired.iter().filter(|index| index.unique.is_some() && is_over(columns, index));
            alike.any(|index| !self.is_stale(object, index))
        };
        let dropped: Vec<(String, String)> = self
            .indexes
            .iter()
            .filter(|((table, _), index)| {
                *table == identifier(object.name.as_str())
                    && index.unique
                    && !is_desired(&index.columns)
                    && index.columns.iter().all(|column| self.is_of(object, column))
            })
            .map(|(key, _)| key.clone())
            .collect();
        let step_of = |key: (String, String)| {
            self.indexes.remove(&key);
            let (table, name) = key;
            step(format!("drop the unique rule {name} of {table}"), format!("DROP INDEX {}", dialect.table(&name)))
        };
        dropped.into_iter().map(step_of).collect()
    }

    /// Whether a column of an index is a field of the object as it is declared, or a key over such fields.
    fn is_of(&self, object: &Object, column: &str) -> bool {
        let is_field = |field: &str| object.fields.keys().any(|key| identifier(key) == field);
        let mut keys = self.keys_of(object.name.as_str()).filter(|(key, _)| identifier(key) == column);
        is_field(column) || keys.any(|(_, fields)| fields.iter().all(|field| is_field(&identifier(field))))
    }

    /// The columns of keys that an object has, with the fields of their rules.
    pub(super) fn keys_of<'a>(&'a self, object: &'a str) -> impl Iterator<Item = (&'a str, Vec<&'a str>)> {
        let of_object = self.holds.iter().filter(move |((name, _), _)| name == object);
        of_object.filter_map(|((_, column), holds)| Some((column.as_str(), key::labelled(holds)?)))
    }

    /// Whether the keys under an index's rule were made for another declaration.
    fn is_stale(&self, object: &Object, index: &Index) -> bool {
        keyed(object)
            .any(|(rule, key)| rule.name == index.name && self.label_of(object, &key.column) != Some(&key::label(rule)))
    }

    fn label_of(&self, object: &Object, column: &str) -> Option<&String> {
        self.holds.get(&(object.name.as_str().to_owned(), column.to_owned()))
    }

    /// Keys of rules that are no longer declared would not be written with new records.
    pub(super) fn drop_keys(&mut self, dialect: &Dialect, object: &Object) -> Vec<SchemaStep> {
        let is_declared = |column: &str| keyed(object).any(|(_, key)| key.column == column);
        let is_whole = |fields: &[&str]| fields.iter().all(|field| object.field(field).is_some());
        let dropped: Vec<(String, String)> = self
            .keys_of(object.name.as_str())
            .filter(|(column, fields)| !is_declared(column) && is_whole(fields))
            .map(|(column, fields)| (column.to_owned(), fields.join(", ")))
            .collect();
        let name = object.name.as_str();
        let drop = |(column, fields): (String, String)| {
            step(format!("drop the keys of {fields} of {name}"), self.drop_column(dialect, name, &column, false))
        };
        dropped.into_iter().map(drop).collect()
    }

    /// Adds the keys of a rule and gives them to all records, if they are not there for this very declaration.
    pub(super) fn add_key(&self, dialect: &Dialect, object: &Arc<Object>, rule: &Unique) -> Vec<SchemaStep> {
        let (Some(key), label) = (&rule.key, key::label(rule)) else { return Vec::new() };
        if self.label_of(object, &key.column) == Some(&label) {
            return Vec::new();
        }
        let columns = self.tables.get(identifier(object.name.as_str()).as_ref());
        let mut sql = String::new();
        if columns.is_none_or(|columns| !columns.contains_key(identifier(&key.column).as_ref())) {
            let (table, holds) = (dialect.table(object.name.as_str()), dialect.sql_type(&Holds::Text));
            sql = format!("ALTER TABLE {table} ADD COLUMN {} {holds}; ", quote(&key.column));
        }
        sql.push_str(&note_one(&object.name, &key.column, &label));
        let (fields, name) = (rule.fields.join(", "), &object.name);
        let mut steps = vec![step(format!("add keys of {fields} to {name}"), sql)];
        if columns.is_some() {
            let work = SchemaWork::Keys(Arc::clone(object), rule.name.clone());
            steps.push(SchemaStep { summary: format!("give every {name} its key of {fields}"), work });
        }
        steps
    }
}

fn is_over(columns: &[String], index: &Index) -> bool {
    columns.iter().map(String::as_str).eq(index.columns.iter().map(|column| identifier(column)))
}
