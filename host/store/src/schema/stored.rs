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
    holds: BTreeMap<(String, String), String>,
    /// Columns of indexes that are not of unique rules, by name.
    indexes: BTreeMap<String, Vec<String>>,
    /// All references that the database checks, where they are not part of their columns.
    pub(super) references: BTreeSet<String>,
    /// Table, name and fields of unique indexes of objects' tables.
    uniques: BTreeMap<(String, String), Vec<String>>,
}

impl Stored {
    pub(super) async fn read(session: &mut Session) -> Result<Self, StoreError> {
        let mut stored = Self {
            tables: BTreeMap::new(),
            holds: BTreeMap::new(),
            indexes: BTreeMap::new(),
            references: BTreeSet::new(),
            uniques: BTreeMap::new(),
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
            if unique {
                stored.uniques.entry((table, name)).or_default().push(field);
            } else {
                stored.indexes.entry(name).or_default().push(field);
            }
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

    /// Whether an index is there as it is declared.
    pub(super) fn has(&self, object: &Object, index: &Index) -> bool {
        let name = identifier(&index.name);
        match &index.unique {
            Some(_) => {
                let key = (identifier(&index.table).into_owned(), name.into_owned());
                self.uniques.get(&key).is_some_and(|columns| is_over(columns, index)) && !self.is_stale(object, index)
            }
            None => self.indexes.contains_key(name.as_ref()),
        }
    }

    /// A unique rule that is no longer declared would still refuse. Rules on fields of plugins that are not here now
    /// stay, for when they come back.
    pub(super) fn drop_unique_rules<'a>(
        &'a self,
        dialect: &'a Dialect,
        object: &'a Object,
        desired: &'a [Index],
    ) -> impl Iterator<Item = SchemaStep> {
        let is_desired = |name: &str, columns: &[String]| {
            desired.iter().any(|index| {
                identifier(&index.name) == name && is_over(columns, index) && !self.is_stale(object, index)
            })
        };
        self.uniques
            .iter()
            .filter(move |((table, name), columns)| {
                *table == identifier(object.name.as_str())
                    && !is_desired(name, columns)
                    && columns.iter().all(|column| self.is_of(object, column))
            })
            .map(|((table, name), _)| {
                step(format!("drop the unique rule {name} of {table}"), format!("DROP INDEX {}", dialect.table(name)))
            })
    }

    /// Whether a column of an index is a field of the object as it is declared, or a key over such fields.
    fn is_of(&self, object: &Object, column: &str) -> bool {
        let is_field = |field: &str| object.fields.keys().any(|key| identifier(key) == field);
        let mut keys = self.keys_of(object).filter(|(key, _)| identifier(key) == column);
        is_field(column) || keys.any(|(_, fields)| fields.iter().all(|field| is_field(&identifier(field))))
    }

    /// The columns of keys that an object has, with the fields of their rules.
    fn keys_of<'a>(&'a self, object: &'a Object) -> impl Iterator<Item = (&'a str, Vec<&'a str>)> {
        let of_object = self.holds.iter().filter(|((name, _), _)| name == object.name.as_str());
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
    pub(super) fn drop_keys<'a>(
        &'a self,
        dialect: &'a Dialect,
        object: &'a Object,
    ) -> impl Iterator<Item = SchemaStep> {
        let is_declared = |column: &str| keyed(object).any(|(_, key)| key.column == column);
        let dropped = self.keys_of(object).filter(move |(column, _)| !is_declared(column));
        let whole = dropped.filter(|(_, fields)| fields.iter().all(|field| object.field(field).is_some()));
        whole.map(|(column, fields)| {
            let name = &object.name;
            let sql = format!(
                "ALTER TABLE {} DROP COLUMN {}; DELETE FROM pergola_column WHERE object = '{name}' AND field = '{column}'",
                dialect.table(name.as_str()),
                quote(column),
            );
            step(format!("drop the keys of {} of {name}", fields.join(", ")), sql)
        })
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
