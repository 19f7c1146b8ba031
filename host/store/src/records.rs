//! Records, one by one and in batches: found by id, written, ended.

use pergola_model::{Id, Object, Record};
use pergola_service::ports::store::StoreError;

use crate::{
    error::unexpected,
    key,
    layout::{Holds, Layout, Layouts, currency_column, keyed},
    row,
    session::Session,
    sql::{BINDS_MAX, Sql},
};

/// Rows per statement, largest first: few enough sizes that each statement's text is prepared once and kept.
const INSERT_ROWS: [usize; 5] = [256, 64, 16, 4, 1];
/// Ids per statement; the last one is repeated up to the next size, for the same reason.
const FIND_IDS: [usize; 6] = [1, 4, 16, 64, 256, 1_024];
/// What goes back to before a batch that did not fit in one statement and failed on the way.
const BATCH: &str = "batch";

/// The record, or none.
pub(crate) async fn find(session: &mut Session, object: &Object, id: Id) -> Result<Option<Record>, StoreError> {
    let layout = session.layouts().of(object);
    let mut sql = select_from(&layout);
    sql.push(" WHERE t.\"id\" = ").bind(id);
    let row = session.fetch_optional(sql).await?;
    row.map(|row| row::decode(&row, layout.columns.iter())).transpose()
}

/// The records that exist among these ids.
pub(crate) async fn find_many(session: &mut Session, object: &Object, ids: &[Id]) -> Result<Vec<Record>, StoreError> {
    find_among(session, object, ids, "").await
}

/// The same, and nobody else changes them until the end of the transaction.
pub(crate) async fn find_for_change(
    session: &mut Session,
    object: &Object,
    ids: &[Id],
) -> Result<Vec<Record>, StoreError> {
    let lock = session.dialect().for_change();
    // In order of the ids, so that no two units wait for each other.
    let end = if lock.is_empty() { String::new() } else { format!(" ORDER BY t.\"id\"{lock}") };
    find_among(session, object, ids, &end).await
}

async fn find_among(session: &mut Session, object: &Object, ids: &[Id], end: &str) -> Result<Vec<Record>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let layout = session.layouts().of(object);
    let mut sql = select_from(&layout);
    sql.push(" WHERE t.\"id\" IN ").push(&id_placeholders(ids.len())?).push(end);
    bind_ids(&mut sql, ids);
    let rows = session.fetch_all(sql).await?;
    rows.iter().map(|row| row::decode(row, layout.columns.iter())).collect()
}

/// New records; none of them if one does not fit.
pub(crate) async fn insert(session: &mut Session, object: &Object, records: &[Record]) -> Result<(), StoreError> {
    let layout = session.layouts().of(object);
    let statements = inserts(&layout, object, records)?;
    if statements.len() <= 1 {
        for sql in statements {
            session.write_on(Some(object), sql).await?;
        }
        return Ok(());
    }
    session.savepoint(BATCH).await?;
    for sql in statements {
        if let Err(error) = session.execute_on(Some(object), sql).await {
            session.roll_back_to(BATCH).await?;
            return Err(error);
        }
    }
    session.release(BATCH).await
}

/// The statement for one new record.
pub(crate) fn insert_one(layouts: &Layouts, object: &Object, record: &Record) -> Result<Sql, StoreError> {
    insert_rows(&layouts.of(object), object, std::slice::from_ref(record))
}

fn inserts(layout: &Layout, object: &Object, records: &[Record]) -> Result<Vec<Sql>, StoreError> {
    let mut statements = Vec::new();
    let mut rest = records;
    for size in INSERT_ROWS.into_iter().filter(|size| size.saturating_mul(layout.width) <= BINDS_MAX) {
        while let Some((rows, others)) = rest.split_at_checked(size) {
            statements.push(insert_rows(layout, object, rows)?);
            rest = others;
        }
    }
    if rest.is_empty() { Ok(statements) } else { Err(unexpected("an object has too many fields for one statement")) }
}

fn insert_rows(layout: &Layout, object: &Object, rows: &[Record]) -> Result<Sql, StoreError> {
    let mut sql = Sql::new(layout.insert.as_str());
    for (index, record) in rows.iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " }).push(&layout.insert_row);
        sql.value(record.id).value(record.version).value(record.created_at).value(record.updated_at);
        for column in &layout.columns {
            row::bind_all(&mut sql, column, record.fields.get(&column.key))?;
        }
        for (rule, _) in keyed(object) {
            sql.value(key::bind(rule, record)?);
        }
    }
    Ok(sql)
}

/// Writes the changed fields if the stored version is the one before the record's.
pub(crate) async fn update(
    session: &mut Session,
    object: &Object,
    record: &Record,
    changed: &[String],
) -> Result<(), StoreError> {
    let layout = session.layouts().of(object);
    let mut sql = Sql::new("UPDATE ");
    sql.push(&layout.table).push(" SET \"version\" = ").bind(record.version);
    sql.push(", \"updated_at\" = ").bind(record.updated_at);
    for key in changed {
        let column = layout.column(key).ok_or_else(|| unexpected(format!("{} has no field {key}", object.name)))?;
        let value = record.fields.get(key);
        sql.push(", ").name(key).push(" = ").bind(row::bind(column, value)?);
        if column.holds == Holds::Money {
            sql.push(", ").name(&currency_column(key)).push(" = ").bind(row::currency(value));
        }
    }
    for (rule, key) in keyed(object).filter(|(_, key)| changed.iter().any(|field| key.reads.contains(field))) {
        sql.push(", ").name(&key.column).push(" = ").bind(key::bind(rule, record)?);
    }
    sql.push(" WHERE \"id\" = ").bind(record.id);
    sql.push(" AND \"version\" = ").bind(record.version.saturating_sub(1));
    let rows = session.write_on(Some(object), sql).await?;
    if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// Ends a record that is at this version.
pub(crate) async fn delete(session: &mut Session, object: &Object, id: Id, version: i64) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM ");
    sql.push(&session.layouts().of(object).table).push(" WHERE \"id\" = ").bind(id);
    sql.push(" AND \"version\" = ").bind(version);
    let rows = session.write_on(Some(object), sql).await?;
    if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

fn select_from(layout: &Layout) -> Sql {
    Sql::new(format!("SELECT {} FROM {} AS t", layout.select, layout.table))
}

/// `(?, ?, …)` for so many ids, one at least.
pub(crate) fn id_placeholders(ids: usize) -> Result<String, StoreError> {
    let size = padded(ids).ok_or_else(|| unexpected("too many ids at once: at most 1,000"))?;
    Ok(format!("({})", vec!["?"; size].join(", ")))
}

/// Binds the values of [`id_placeholders`].
pub(crate) fn bind_ids(sql: &mut Sql, ids: &[Id]) {
    let size = padded(ids.len()).unwrap_or_default();
    for id in ids.iter().chain(ids.last().into_iter().cycle()).take(size) {
        sql.value(*id);
    }
}

fn padded(ids: usize) -> Option<usize> {
    FIND_IDS.into_iter().find(|size| *size >= ids)
}
