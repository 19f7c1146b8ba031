//! The index of search: written with records, asked for candidates.
//!
//! The rows are the same on both databases. SQLite's triggers keep an FTS5 index beside them, PostgreSQL a column of
//! lexemes; how either is asked is in `dialect`.

use pergola_model::{Id, ObjectName, search::Entry};
use pergola_service::ports::{
    search::{IndexQuery, IndexRow, IndexState},
    store::StoreError,
};

use crate::{dialect::Row, row::Cells, session::Session, sql::Sql};

/// Rows per statement, largest first; see `records`.
const ROWS: [usize; 5] = [256, 64, 16, 4, 1];

/// Adds entries, each in the place of the record's earlier one.
pub(crate) fn index(rows: &[IndexRow]) -> impl Iterator<Item = Sql> {
    chunks(rows).map(|rows| {
        let mut sql = Sql::new("INSERT INTO pergola_search (object, record, title, body, keys) VALUES ");
        for (index, row) in rows.iter().enumerate() {
            sql.push(if index == 0 { "(?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?)" });
            sql.value(row.object.as_str()).value(row.record).value(row.entry.title.as_str());
            sql.value(row.entry.body.as_str()).value(row.entry.keys.as_str());
        }
        // What did not change is not written again: each write costs the full-text index two.
        sql.push(
            " ON CONFLICT (object, record) DO UPDATE SET title = excluded.title, body = excluded.body, \
             keys = excluded.keys WHERE pergola_search.title <> excluded.title \
             OR pergola_search.body <> excluded.body OR pergola_search.keys <> excluded.keys",
        );
        sql
    })
}

/// Takes the entries of these records out, where there are any.
pub(crate) async fn unindex(session: &mut Session, object: &ObjectName, records: &[Id]) -> Result<(), StoreError> {
    for records in chunks(records) {
        let mut sql = Sql::new("DELETE FROM pergola_search WHERE object = ");
        in_records(sql.bind(object.as_str()), records);
        session.execute(sql).await?;
    }
    Ok(())
}

/// Takes out so many entries of an object; how many there were.
pub(crate) async fn unindex_some(session: &mut Session, object: &ObjectName, limit: u32) -> Result<u64, StoreError> {
    let mut sql = Sql::new("DELETE FROM pergola_search WHERE doc IN (SELECT doc FROM pergola_search WHERE object = ");
    sql.bind(object.as_str()).push(" LIMIT ").bind(i64::from(limit)).push(")");
    session.execute(sql).await
}

/// Entries that fulfil the query, the newest first.
pub(crate) async fn matches(session: &mut Session, query: &IndexQuery) -> Result<Vec<IndexRow>, StoreError> {
    if query.objects.is_empty() || query.terms.is_empty() {
        return Ok(Vec::new());
    }
    let dialect = session.layouts().dialect().clone();
    let mut sql =
        Sql::new(format!("SELECT s.object, s.record, s.title, s.body, s.keys FROM {}", dialect.search_from()));
    sql.bind(dialect.search_text(&query.terms)).push(dialect.search_after()).push(" AND s.object IN (");
    for (index, object) in query.objects.iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " }).bind(object.as_str());
    }
    sql.push(") ORDER BY ").push(dialect.search_order()).push(" DESC LIMIT ").bind(i64::from(query.limit));
    session.fetch_all(sql).await?.iter().map(decode).collect()
}

/// The entries of these records.
pub(crate) async fn find(
    session: &mut Session,
    object: &ObjectName,
    records: &[Id],
) -> Result<Vec<IndexRow>, StoreError> {
    let mut rows = Vec::with_capacity(records.len());
    for records in chunks(records) {
        let mut sql = Sql::new("SELECT object, record, title, body, keys FROM pergola_search WHERE object = ");
        in_records(sql.bind(object.as_str()), records);
        for row in session.fetch_all(sql).await? {
            rows.push(decode(&row)?);
        }
    }
    Ok(rows)
}

/// The records of an object that have entries, by id.
pub(crate) async fn list(
    session: &mut Session,
    object: &ObjectName,
    after: Option<Id>,
    limit: u32,
) -> Result<Vec<Id>, StoreError> {
    let mut sql = Sql::new("SELECT record FROM pergola_search WHERE object = ");
    sql.bind(object.as_str());
    if let Some(after) = after {
        sql.push(" AND record > ").bind(after);
    }
    sql.push(" ORDER BY record LIMIT ").bind(i64::from(limit));
    session.fetch_all(sql).await?.iter().map(|row| Cells::new(row).take_id()).collect()
}

/// How far all objects are indexed.
pub(crate) async fn states(session: &mut Session) -> Result<Vec<IndexState>, StoreError> {
    let sql = Sql::new("SELECT object, fingerprint, done, after FROM pergola_search_object ORDER BY object");
    let state = |row: &Row| -> Result<IndexState, StoreError> {
        let mut cells = Cells::new(row);
        Ok(IndexState {
            object: cells.take_name(ObjectName::new)?,
            fingerprint: cells.take()?,
            done: cells.take()?,
            after: cells.take_optional_id()?,
        })
    };
    session.fetch_all(sql).await?.iter().map(state).collect()
}

/// Notes how far an object is indexed.
pub(crate) async fn put_state(session: &mut Session, state: &IndexState) -> Result<(), StoreError> {
    let mut sql = Sql::new("INSERT INTO pergola_search_object (object, fingerprint, done, after) VALUES (?, ?, ?, ?) ");
    sql.push("ON CONFLICT (object) DO UPDATE SET fingerprint = excluded.fingerprint, done = excluded.done, ");
    sql.push("after = excluded.after");
    sql.value(state.object.as_str()).value(state.fingerprint.as_str()).value(state.done).value(state.after);
    session.execute(sql).await.map(|_| ())
}

/// Forgets an object that is not indexed any more.
pub(crate) async fn remove_state(session: &mut Session, object: &ObjectName) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM pergola_search_object WHERE object = ");
    sql.bind(object.as_str());
    session.execute(sql).await.map(|_| ())
}

fn decode(row: &Row) -> Result<IndexRow, StoreError> {
    let mut cells = Cells::new(row);
    let (object, record) = (cells.take_name(ObjectName::new)?, cells.take_id()?);
    Ok(IndexRow { object, record, entry: Entry { title: cells.take()?, body: cells.take()?, keys: cells.take()? } })
}

fn in_records(sql: &mut Sql, records: &[Id]) {
    sql.push(" AND record IN (");
    for (index, record) in records.iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " }).bind(*record);
    }
    sql.push(")");
}

fn chunks<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = ROWS.into_iter().find(|size| *size <= rest.len())?;
        let (chunk, others) = rest.split_at_checked(size)?;
        rest = others;
        Some(chunk)
    })
}
