//! What tables, columns and indexes a workspace has.

use std::collections::{BTreeMap, BTreeSet};

use pergola_model::Object;
use pergola_service::ports::store::{SchemaStep, StoreError};

use super::{Index, definitions, note};
use crate::{
    dialect::Dialect,
    layout::Column,
    row::Cells,
    session::Session,
    sql::{Sql, identifier},
};

/// What is in the database.
pub(super) struct Stored {
    /// Column names and SQL types by table.
    pub(super) tables: BTreeMap<String, BTreeMap<String, String>>,
    /// What fields hold, by object and field.
    holds: BTreeMap<(String, String), String>,
    /// All indexes.
    pub(super) indexes: BTreeSet<String>,
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
            indexes: BTreeSet::new(),
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
            stored.indexes.insert(name.clone());
            if unique {
                stored.uniques.entry((table, name)).or_default().push(field);
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
            return Ok(Some(SchemaStep { summary: format!("add column {} to {}", column.key, object.name), sql }));
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

    /// A unique rule that is no longer declared would still refuse. Rules on fields of plugins that are not here now
    /// stay, for when they come back.
    pub(super) fn drop_unique_rules<'a>(
        &'a self,
        dialect: &'a Dialect,
        object: &'a Object,
        desired: &'a [Index],
    ) -> impl Iterator<Item = SchemaStep> {
        self.uniques
            .iter()
            .filter(move |((table, name), fields)| {
                *table == identifier(object.name.as_str())
                    && !desired.iter().any(|index| identifier(&index.name) == *name)
                    && fields.iter().all(|field| object.fields.keys().any(|key| identifier(key) == *field))
            })
            .map(|((table, name), _)| SchemaStep {
                summary: format!("drop the unique rule {name} of {table}"),
                sql: format!("DROP INDEX {}", dialect.table(name)),
            })
    }
}
