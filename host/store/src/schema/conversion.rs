//! Fields that get another type: their new values stand in columns beside the old ones until an upgrade puts them in their
//! place.
//!
//! A walk over all records fills the columns, portion by portion, each with a commit of its own. Triggers note what is
//! written meanwhile, by whichever server; those records are converted once more. What was begun goes on after a crash.

use pergola_model::{Field, Id, Object, upgrade::Conversion};
use pergola_service::ports::store::{ConvertedRow, StoreError, ToConvert};

use super::{Stored, definitions, note_one};
use crate::{
    dialect::Dialect,
    layout::{Column, Holds, currency_column},
    row::{self, Cells},
    session::Session,
    sql::{Sql, identifier, quote},
};

/// The column in which the new values of a field stand meanwhile. `$` cannot stand in a field's key.
pub(super) fn place_of(field: &Field) -> String {
    format!("$new${}", field.key)
}

/// Makes place for the new values, and has writes noted, where that is not done yet.
pub(crate) async fn begin(session: &mut Session, conversion: &Conversion) -> Result<(), StoreError> {
    let object = conversion.object.name.as_str();
    let dialect = session.dialect().clone();
    let stored = Stored::read(session).await?;
    let table = stored.tables.get(identifier(object).as_ref());
    let mut is_new = false;
    for field in &conversion.fields {
        let (from, to) = (Holds::of(&field.from.kind), Holds::of(&field.to.kind));
        let (column, label) = (place_of(&field.from), format!("{} from {}", to.label(), from.label()));
        let key = (object.to_owned(), column.clone());
        if stored.holds.get(&key) == Some(&label) {
            continue;
        }
        is_new = true;
        let mut sql = String::new();
        if table.is_some_and(|columns| columns.contains_key(identifier(&column).as_ref())) {
            // Of an upgrade that was given up on the way: it holds nothing that anybody reads.
            sql.push_str(&format!("ALTER TABLE {} DROP COLUMN {}; ", dialect.table(object), quote(&column)));
        }
        for definition in definitions(&dialect, &Column { key: column.clone(), holds: to }) {
            sql.push_str(&format!("ALTER TABLE {} ADD COLUMN {definition}; ", dialect.table(object)));
        }
        sql.push_str(&note_one(&conversion.object.name, &column, &label));
        let mut columns = vec![quote(&field.from.key)];
        columns.extend((from == Holds::Money).then(|| quote(&currency_column(&field.from.key))));
        sql.push_str(&dialect.watch(object, &field.from.key, &columns));
        session.run(&sql).await?;
    }
    let begin = if is_new { "DO UPDATE SET after = NULL, done = excluded.done" } else { "DO NOTHING" };
    let mut sql = Sql::new("INSERT INTO pergola_conversion (object, done) VALUES (");
    sql.bind(object).push(", ").bind(false).push(&format!(") ON CONFLICT (object) {begin}"));
    session.execute(sql).await.map(|_| ())
}

/// Records that are to be converted.
pub(crate) async fn list(session: &mut Session, object: &Object, limit: u32) -> Result<ToConvert, StoreError> {
    let mut sql = Sql::new("SELECT after, done FROM pergola_conversion WHERE object = ");
    let row = session.fetch_optional(sql.bind(object.name.as_str()).clone()).await?;
    let Some(row) = row else { return Ok(ToConvert::Again(Vec::new())) };
    let mut cells = Cells::new(&row);
    let (after, done): (Option<Id>, bool) = (cells.take_optional_id()?, cells.take()?);
    if !done {
        let mut sql = Sql::new(format!("SELECT id FROM {}", session.layouts().of(object).table));
        if let Some(after) = after {
            sql.push(" WHERE id > ").bind(after);
        }
        let next = ids(session, sql.push(&format!(" ORDER BY id LIMIT {limit}")).clone()).await?;
        if !next.is_empty() {
            return Ok(ToConvert::Next(next));
        }
        let mut sql = Sql::new("UPDATE pergola_conversion SET done = ");
        sql.bind(true).push(" WHERE object = ").bind(object.name.as_str());
        session.execute(sql).await?;
    }
    let mut sql = Sql::new("SELECT record FROM pergola_conversion_record WHERE object = ");
    sql.bind(object.name.as_str()).push(&format!(" ORDER BY record LIMIT {limit}"));
    Ok(ToConvert::Again(ids(session, sql).await?))
}

async fn ids(session: &mut Session, sql: Sql) -> Result<Vec<Id>, StoreError> {
    session.fetch_all(sql).await?.iter().map(|row| Cells::new(row).take_id()).collect()
}

/// Keeps converted values, and notes that these records are done.
pub(crate) async fn put(
    session: &mut Session,
    conversion: &Conversion,
    which: &ToConvert,
    rows: &[ConvertedRow],
) -> Result<(), StoreError> {
    let object = conversion.object.name.as_str();
    if !rows.is_empty() {
        let sql = update(session.dialect(), conversion, rows)?;
        session.execute(sql).await?;
    }
    let (Some(last), mut sql) = (which.ids().last(), Sql::default()) else { return Ok(()) };
    match which {
        ToConvert::Next(_) => {
            sql.push("UPDATE pergola_conversion SET after = ").bind(*last).push(" WHERE object = ").bind(object)
        }
        ToConvert::Again(ids) => {
            sql.push("DELETE FROM pergola_conversion_record WHERE object = ").bind(object).push(" AND record IN (");
            for (number, id) in ids.iter().enumerate() {
                sql.push(if number == 0 { "" } else { ", " }).bind(*id);
            }
            sql.push(")")
        }
    };
    session.execute(sql).await.map(|_| ())
}

fn update(dialect: &Dialect, conversion: &Conversion, rows: &[ConvertedRow]) -> Result<Sql, StoreError> {
    let columns: Vec<Column> = conversion
        .fields
        .iter()
        .map(|field| Column { key: place_of(&field.from), holds: Holds::of(&field.to.kind) })
        .collect();
    let names: Vec<String> = columns.iter().flat_map(Column::names).collect();
    let table = dialect.table(conversion.object.name.as_str());
    // The columns of a list of values have numbers, and the first is the id.
    let set: Vec<String> =
        names.iter().zip(2_u32..).map(|(name, number)| format!("{name} = v.column{number}")).collect();
    let mut sql = Sql::new(format!("UPDATE {table} SET {} FROM (VALUES ", set.join(", ")));
    let places = vec!["?"; names.len().saturating_add(1)].join(", ");
    for (number, converted) in rows.iter().enumerate() {
        sql.push(if number == 0 { "(" } else { ", (" }).push(&places).push(")").value(converted.record);
        for (column, value) in columns.iter().zip(&converted.values) {
            row::bind_all(&mut sql, column, value)?;
        }
    }
    sql.push(&format!(") AS v WHERE {table}.\"id\" = v.column1"));
    Ok(sql)
}

/// Gives up: the old values are as they were.
pub(crate) async fn abandon(session: &mut Session, conversion: &Conversion) -> Result<(), StoreError> {
    let (dialect, mut stored) = (session.dialect().clone(), Stored::read(session).await?);
    let mut sql = end(&dialect, conversion);
    for field in &conversion.fields {
        let column = place_of(&field.from);
        let name = conversion.object.name.as_str();
        if stored.holds.contains_key(&(name.to_owned(), column.clone())) {
            let is_money = Holds::of(&field.to.kind) == Holds::Money;
            sql.push_str(&stored.drop_column(&dialect, name, &column, is_money));
        }
    }
    session.run(&sql).await
}

/// The statements after which nothing of a conversion is kept but its columns.
pub(super) fn end(dialect: &Dialect, conversion: &Conversion) -> String {
    let object = conversion.object.name.as_str();
    let watches: String = conversion.fields.iter().map(|field| dialect.unwatch(object, &field.from.key)).collect();
    format!(
        "{watches}DELETE FROM pergola_conversion WHERE object = '{object}'; \
         DELETE FROM pergola_conversion_record WHERE object = '{object}'; "
    )
}
