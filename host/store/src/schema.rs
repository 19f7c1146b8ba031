//! The stored tables against the declared ones: what to add, and what does not fit.
//!
//! Declared fields are never `NOT NULL`: SQLite 3.51 cannot take that back when an upgrade makes a field optional, and
//! cannot give it to a field added later. The unit of work checks `required` on every write.
//!
//! Tables are `WITHOUT ROWID`: the row lies at its id, so finding a record is one descent instead of two, and every
//! index ends with the id, so that a page in the order of an indexed field needs no sorting. (Measured with 100,000
//! records of 700 bytes and four indexes: find 17 µs instead of 43, a sorted page 145 µs instead of 500, inserts alike.)

pub(crate) mod conversion;
pub(crate) mod dropped;
mod stored;
mod upgrade;

use std::sync::Arc;

use pergola_model::{Catalog, Object, ObjectName, object::Unique, upgrade::Upgrade};
use pergola_service::ports::store::{SchemaStep, SchemaWork, StoreError};

use self::stored::Stored;
use crate::{
    dialect::Dialect,
    key,
    layout::{Column, Holds, currency_column, keyed},
    session::Session,
    sql::{identifier, quote},
};

/// The steps that make the stored tables fit the catalog: what an upgrade declares, then tables, columns, references and
/// indexes.
pub(crate) async fn plan(
    session: &mut Session,
    catalog: &Catalog,
    upgrade: &Upgrade,
) -> Result<Vec<SchemaStep>, StoreError> {
    let mut stored = Stored::read(session).await?;
    let dialect = session.layouts().dialect().clone();
    let mut first = stored.upgrade(&dialect, upgrade);
    let (mut tables, mut columns, mut references, mut indexes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for object in catalog.objects.values() {
        let layout = session.layouts().of(object);
        first.extend(stored.drop_keys(&dialect, object));
        match stored.tables.get(identifier(object.name.as_str()).as_ref()) {
            None => tables.push(create_table(&dialect, object, &layout.columns)),
            Some(existing) => {
                for column in &layout.columns {
                    columns.extend(stored.add_column(&dialect, object, existing, column)?);
                }
            }
        }
        let desired = indexes_of(object);
        // A rule goes before its key is made anew, and the new key is there before its rule.
        indexes.extend(stored.drop_unique_rules(&dialect, object, &desired));
        indexes.extend(keyed(object).flat_map(|(rule, _)| stored.add_key(&dialect, object, rule)));
        indexes.extend(stored.rename_indexes(&dialect, object, &desired));
        let missing = desired.iter().filter(|index| stored.found(object, index).is_none());
        indexes.extend(missing.map(|index| index.create(&dialect, object, &stored.free_name(index))));
        references.extend(layout.columns.iter().filter_map(|column| reference(&dialect, object, column, &stored)));
    }
    Ok([first, tables, columns, references, indexes].concat())
}

/// Nobody else writes records of the object until the end of the transaction.
pub(crate) async fn hold(session: &mut Session, object: &Object) -> Result<(), StoreError> {
    match session.dialect().hold_table(object.name.as_str()) {
        Some(sql) => session.run(&sql).await,
        None => Ok(()),
    }
}

/// Runs planned steps.
pub(crate) async fn apply(session: &mut Session, steps: &[SchemaStep]) -> Result<(), StoreError> {
    for step in steps {
        match &step.work {
            SchemaWork::Sql(sql) => session.run(sql).await?,
            SchemaWork::Keys(object, rule) => key::fill(session, object, rule).await?,
            SchemaWork::Unique(object, rule, sql) => {
                key::check(session, object, rule).await?;
                session.run(sql).await?;
            }
        }
    }
    Ok(())
}

/// A step of statements.
fn step(summary: String, sql: String) -> SchemaStep {
    SchemaStep { summary, work: SchemaWork::Sql(sql) }
}

fn create_table(dialect: &Dialect, object: &Object, columns: &[Column]) -> SchemaStep {
    let number = dialect.sql_type(&Holds::Integer);
    let mut lines = vec![
        dialect.id_definition(object.name.as_str()),
        format!("\"version\" {number} NOT NULL"),
        format!("\"created_at\" {number} NOT NULL"),
        format!("\"updated_at\" {number} NOT NULL"),
    ];
    lines.extend(columns.iter().flat_map(|column| definitions(dialect, column)));
    let table = dialect.table(object.name.as_str());
    let options = dialect.table_options();
    let sql = format!("CREATE TABLE {table} ({}){options}; {}", lines.join(", "), note(&object.name, columns));
    step(format!("create table {}", object.name), sql)
}

/// A column's definition; two for money.
fn definitions(dialect: &Dialect, column: &Column) -> Vec<String> {
    let name = quote(&column.key);
    match &column.holds {
        Holds::Money => {
            let (amount, currency) = (dialect.sql_type(&Holds::Integer), dialect.sql_type(&Holds::Text));
            vec![format!("{name} {amount}"), format!("{} {currency}", quote(&currency_column(&column.key)))]
        }
        Holds::Ref(to) => {
            vec![format!("{name} {}{}", dialect.sql_type(&column.holds), dialect.reference_definition(to.as_str()))]
        }
        holds => vec![format!("{name} {}", dialect.sql_type(holds))],
    }
}

/// What has the database check that a reference leads somewhere, where that is not part of the column: PostgreSQL wants
/// the other table first.
fn reference(dialect: &Dialect, object: &Object, column: &Column, stored: &Stored) -> Option<SchemaStep> {
    let Holds::Ref(to) = &column.holds else { return None };
    let name = reference_name(object.name.as_str(), &column.key);
    if stored.references.contains(identifier(&name).as_ref()) {
        return None;
    }
    let sql = dialect.add_reference(object.name.as_str(), &column.key, to.as_str(), &name)?;
    Some(step(format!("let {} of {} refer to {to}", column.key, object.name), sql))
}

/// The name of what has the database check a reference.
fn reference_name(object: &str, column: &str) -> String {
    format!("{object}${column}$ref")
}

/// Notes what columns hold. Names and labels have no quotes in them, by their patterns.
fn note(object: &ObjectName, columns: &[Column]) -> String {
    columns.iter().map(|column| note_one(object, &column.key, &column.holds.label())).collect()
}

/// Notes what one column holds.
fn note_one(object: &ObjectName, column: &str, holds: &str) -> String {
    format!(
        "INSERT INTO pergola_column (object, field, holds) VALUES ('{object}', '{column}', '{holds}') \
         ON CONFLICT (object, field) DO UPDATE SET holds = excluded.holds;"
    )
}

/// An index that an object's declaration asks for.
struct Index {
    name: String,
    table: String,
    columns: Vec<String>,
    /// The fields of a unique rule.
    unique: Option<Vec<String>>,
}

impl Index {
    fn create(&self, dialect: &Dialect, object: &Arc<Object>, name: &str) -> SchemaStep {
        let columns: Vec<String> = self.columns.iter().map(|column| quote(column)).collect();
        let columns = dialect.index_columns(&columns, self.unique.is_some());
        let unique = if self.unique.is_some() { "UNIQUE " } else { "" };
        let sql = format!("CREATE {unique}INDEX {} ON {} ({columns})", quote(name), dialect.table(&self.table));
        match &self.unique {
            Some(fields) => SchemaStep {
                summary: format!("add unique rule {} to {}", fields.join(", "), self.table),
                work: SchemaWork::Unique(Arc::clone(object), self.name.clone(), sql),
            },
            None => step(format!("add index {} to {}", self.columns.join(", "), self.table), sql),
        }
    }

    fn of_rule(table: &str, rule: &Unique) -> Self {
        let unique = Some(rule.fields.clone());
        Self { name: rule.name.clone(), table: table.to_owned(), columns: key::columns(rule).to_vec(), unique }
    }
}

/// Uniques, exclusions, then single fields that are looked up and do not lead one of those already.
fn indexes_of(object: &Object) -> Vec<Index> {
    let table = object.name.as_str().to_owned();
    let mut indexes: Vec<Index> = object.uniques.iter().map(|rule| Index::of_rule(&table, rule)).collect();
    for rule in &object.excludes {
        indexes.extend(rule.on.iter().map(|on| Index {
            name: on.index.clone(),
            table: table.clone(),
            columns: vec![on.field.clone(), rule.until.clone()],
            unique: None,
        }));
    }
    for field in object.fields.values() {
        let is_reference = matches!(field.kind, pergola_model::FieldType::Ref { .. });
        let leads = indexes.iter().any(|index| index.columns.first() == Some(&field.key));
        if (field.indexed || is_reference) && !leads {
            // `$` keeps it apart from objects' names, with which indexes share their namespace.
            let name = format!("{table}${}", field.key);
            indexes.push(Index { name, table: table.clone(), columns: vec![field.key.clone()], unique: None });
        }
    }
    indexes
}
