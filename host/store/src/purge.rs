//! Traces of purged records in the system's tables: read, and removed.

use pergola_model::{Id, ObjectName};
use pergola_service::ports::{
    purge::{Forgotten, PURGED, Place, Trace, TraceKey},
    store::{StoreError, StoredTimer, TimerOf},
};

use crate::{
    dialect::Row,
    row::Cells,
    session::Session,
    sql::{Bind, Sql},
    timers,
};

/// Values in one list of a statement.
const LIST_MAX: usize = 500;

/// Records whose traces are still to be removed.
pub(crate) async fn list_purged(session: &mut Session) -> Result<Vec<Id>, StoreError> {
    let rows = session.fetch_all(Sql::new("SELECT record FROM pergola_purge ORDER BY record")).await?;
    rows.iter().map(|row| Cells::new(row).take_id()).collect()
}

/// Notes such records.
pub(crate) async fn insert_purged(session: &mut Session, ids: &[Id]) -> Result<(), StoreError> {
    for chunk in ids.chunks(LIST_MAX) {
        let mut sql = Sql::new("INSERT INTO pergola_purge (record) VALUES ");
        for (index, id) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { ", (" }).bind(*id).push(")");
        }
        sql.push(" ON CONFLICT (record) DO NOTHING");
        session.execute(sql).await?;
    }
    Ok(())
}

/// Takes such notes out.
pub(crate) async fn remove_purged(session: &mut Session, ids: &[Id]) -> Result<(), StoreError> {
    run_with(session, "DELETE FROM pergola_purge WHERE record IN ", ids).await.map(|_| ())
}

/// Texts at a place, in order, after a key.
pub(crate) async fn list(
    session: &mut Session,
    place: Place,
    after: Option<&TraceKey>,
    limit: u32,
) -> Result<Vec<Trace>, StoreError> {
    let decode = match place {
        Place::Audit => audit,
        Place::Answers => answer,
        Place::Bin => item,
        Place::Timers => return own_timers(session, after, limit).await,
        Place::Outbox | Place::Imports => return Ok(Vec::new()),
    };
    let mut sql = Sql::new(match place {
        Place::Audit => "SELECT sequence, object, record, changes FROM pergola_audit",
        Place::Answers => "SELECT key, body FROM pergola_answer",
        Place::Bin | Place::Outbox | Place::Timers | Place::Imports => {
            "SELECT i.deletion, i.place, i.object, i.record, i.field, i.content, b.record FROM pergola_bin_item AS i \
             JOIN pergola_bin AS b ON b.id = i.deletion"
        }
    });
    match after {
        None => {}
        Some(TraceKey::Audit(sequence)) => {
            sql.push(" WHERE sequence > ").bind(*sequence);
        }
        Some(TraceKey::Answer(key)) => {
            sql.push(" WHERE key > ").bind(key.as_str());
        }
        // Handed on above.
        Some(TraceKey::Timer(_)) => {}
        Some(TraceKey::BinItem(deletion, place)) => {
            sql.push(" WHERE (i.deletion, i.place) > (").bind(*deletion).push(", ").bind(*place).push(")");
        }
    }
    sql.push(match place {
        Place::Audit => " ORDER BY sequence LIMIT ",
        Place::Answers => " ORDER BY key LIMIT ",
        Place::Bin | Place::Outbox | Place::Timers | Place::Imports => " ORDER BY i.deletion, i.place LIMIT ",
    });
    sql.bind(i64::from(limit));
    session.fetch_all(sql).await?.iter().map(decode).collect()
}

/// What plugins keep in timers that they set themselves.
async fn own_timers(session: &mut Session, after: Option<&TraceKey>, limit: u32) -> Result<Vec<Trace>, StoreError> {
    let after = if let Some(TraceKey::Timer(key)) = after { Some(key) } else { None };
    let timers = timers::list_all_own(session, after, limit).await?;
    let trace = |StoredTimer { key, payload, .. }: StoredTimer| {
        let name = if let TimerOf::Own(name) = &key.of { name.as_str() } else { "" };
        Trace { text: format!("{name} {payload}"), key: TraceKey::Timer(key), record: None, is_root: false }
    };
    Ok(timers.into_iter().map(trace).collect())
}

fn audit(row: &Row) -> Result<Trace, StoreError> {
    let mut cells = Cells::new(row);
    let key = TraceKey::Audit(cells.take()?);
    let record = Some((cells.take_name(ObjectName::new)?, cells.take_id()?));
    Ok(Trace { key, record, text: cells.take()?, is_root: false })
}

fn answer(row: &Row) -> Result<Trace, StoreError> {
    let mut cells = Cells::new(row);
    let key = TraceKey::Answer(cells.take()?);
    let body: Vec<u8> = cells.take()?;
    Ok(Trace { key, record: None, text: String::from_utf8_lossy(&body).into_owned(), is_root: false })
}

fn item(row: &Row) -> Result<Trace, StoreError> {
    let mut cells = Cells::new(row);
    let key = TraceKey::BinItem(cells.take_id()?, cells.take()?);
    let (object, record) = (cells.take_name(ObjectName::new)?, cells.take_id()?);
    let field: Option<String> = cells.take()?;
    let text = cells.take()?;
    let is_root = cells.take_id()? == record && field.is_none();
    // A reference that became empty is a line about a record that is there.
    Ok(Trace { key, record: field.is_none().then_some((object, record)), text, is_root })
}

/// Removes traces from a place; how many rows were changed or dropped.
pub(crate) async fn forget(session: &mut Session, place: Place, forgotten: &Forgotten) -> Result<u64, StoreError> {
    let records = &forgotten.records;
    match place {
        Place::Audit => {
            let statement =
                format!("UPDATE pergola_audit SET changes = '{PURGED}' WHERE changes <> '{PURGED}' AND record IN ");
            run_with(session, &statement, records).await
        }
        Place::Outbox => {
            run_with(session, "DELETE FROM pergola_outbox WHERE kind <> 'delete' AND record IN ", records).await
        }
        Place::Timers => {
            let rows = run_with(session, "DELETE FROM pergola_timer WHERE record IN ", records).await?;
            Ok(rows.saturating_add(timers::clear(session, &forgotten.timers).await?))
        }
        Place::Answers => run_with(session, "DELETE FROM pergola_answer WHERE key IN ", &forgotten.answers).await,
        Place::Imports => run_with(session, "DELETE FROM pergola_import_entry WHERE record IN ", records).await,
        Place::Bin => {
            let mut rows = run_with(session, "DELETE FROM pergola_bin WHERE id IN ", &forgotten.deletions).await?;
            for (deletion, place) in &forgotten.items {
                let mut sql = Sql::new("DELETE FROM pergola_bin_item WHERE deletion = ");
                sql.bind(*deletion).push(" AND place = ").bind(*place);
                rows = rows.saturating_add(session.execute(sql).await?);
            }
            Ok(rows)
        }
    }
}

/// Runs a statement that ends in a list, for as many lists as there must be.
async fn run_with<T: Clone + Into<Bind>>(
    session: &mut Session,
    statement: &str,
    values: &[T],
) -> Result<u64, StoreError> {
    let mut rows: u64 = 0;
    for chunk in values.chunks(LIST_MAX) {
        let mut sql = Sql::new(statement);
        for (index, value) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { ", " }).bind(value.clone());
        }
        sql.push(")");
        rows = rows.saturating_add(session.execute(sql).await?);
    }
    Ok(rows)
}
