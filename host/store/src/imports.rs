//! Imports: how far each is, and what it wrote.

use pergola_model::{Id, ObjectName};
use pergola_service::ports::{
    imports::{EntryOutcome, ImportEntry, ImportState, StoredImport, Wrote},
    store::StoreError,
};

use crate::{dialect::Row, error::unexpected, row::Cells, session::Session, sql::Sql};

const IMPORT: &str = "SELECT id, object, file, digest, settings, actor, started_at, state, last_line, entries, tally, \
                      revision FROM pergola_import";
/// Rows per statement, largest first; see `records`.
const ROWS: [usize; 5] = [256, 64, 16, 4, 1];
/// Ids per statement; the last one is repeated to fill it.
const IDS: usize = 256;

/// The import, or none.
pub(crate) async fn find(session: &mut Session, id: Id) -> Result<Option<StoredImport>, StoreError> {
    let mut sql = Sql::new(IMPORT);
    sql.push(" WHERE id = ").bind(id);
    session.fetch_optional(sql).await?.map(|row| decode(&row)).transpose()
}

/// The newest unfinished import of that file, read in that way.
pub(crate) async fn find_running(
    session: &mut Session,
    digest: &[u8],
    settings: &str,
) -> Result<Option<StoredImport>, StoreError> {
    let mut sql = Sql::new(IMPORT);
    sql.push(" WHERE digest = ").bind(digest).push(" AND settings = ").bind(settings);
    sql.push(" AND state = ").bind(ImportState::Running.as_str()).push(" ORDER BY id DESC LIMIT 1");
    session.fetch_optional(sql).await?.map(|row| decode(&row)).transpose()
}

/// The newest imports, newest first.
pub(crate) async fn list(session: &mut Session, limit: u32) -> Result<Vec<StoredImport>, StoreError> {
    let mut sql = Sql::new(IMPORT);
    sql.push(" ORDER BY id DESC LIMIT ").bind(i64::from(limit));
    session.fetch_all(sql).await?.iter().map(decode).collect()
}

fn decode(row: &Row) -> Result<StoredImport, StoreError> {
    let mut cells = Cells::new(row);
    let (id, object) = (cells.take_id()?, cells.take_name(ObjectName::new)?);
    let (file, digest, settings) = (cells.take()?, cells.take()?, cells.take()?);
    let (actor, started_at) = (cells.take()?, cells.take_time()?);
    let state: String = cells.take()?;
    Ok(StoredImport {
        id,
        object,
        file,
        digest,
        settings,
        actor,
        started_at,
        state: ImportState::parse(&state).ok_or_else(|| unexpected("an import is in no known state"))?,
        last_line: cells.take()?,
        entries: cells.take()?,
        tally: cells.take_json()?,
        revision: cells.take()?,
    })
}

/// Entries that were not taken back, before a place, last first.
pub(crate) async fn list_entries(
    session: &mut Session,
    import: Id,
    before: i64,
    limit: u32,
) -> Result<Vec<ImportEntry>, StoreError> {
    let mut sql =
        Sql::new("SELECT place, line, object, record, version, changes FROM pergola_import_entry WHERE import = ");
    sql.bind(import).push(" AND place < ").bind(before);
    sql.push(" AND outcome IS NULL ORDER BY place DESC LIMIT ").bind(i64::from(limit));
    session.fetch_all(sql).await?.iter().map(decode_entry).collect()
}

fn decode_entry(row: &Row) -> Result<ImportEntry, StoreError> {
    let mut cells = Cells::new(row);
    let (place, line) = (cells.take()?, cells.take()?);
    let (object, record) = (cells.take_name(ObjectName::new)?, cells.take_id()?);
    let version: Option<i64> = cells.take()?;
    let wrote = match version {
        Some(version) => Wrote::Created { version },
        None => Wrote::Updated { changes: cells.take_json()? },
    };
    Ok(ImportEntry { place, line, object, record, wrote })
}

/// Which of these records the import created.
pub(crate) async fn created(session: &mut Session, import: Id, records: &[Id]) -> Result<Vec<Id>, StoreError> {
    let mut found = Vec::new();
    for ids in records.chunks(IDS) {
        let Some(last) = ids.last() else { continue };
        let mut sql = Sql::new("SELECT record FROM pergola_import_entry WHERE import = ");
        sql.bind(import).push(" AND version IS NOT NULL AND record IN (");
        for (index, id) in ids.iter().chain(std::iter::repeat(last)).take(IDS).enumerate() {
            sql.push(if index == 0 { "" } else { ", " }).bind(*id);
        }
        sql.push(")");
        for row in session.fetch_all(sql).await? {
            found.push(Cells::new(&row).take_id()?);
        }
    }
    Ok(found)
}

/// Writes an import: a new one if its revision is 1, else the one of the revision before.
pub(crate) async fn put(session: &mut Session, import: &StoredImport) -> Result<(), StoreError> {
    let sql = if import.revision <= 1 { insert(import) } else { update(import) };
    let rows = session.execute(sql).await?;
    if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

fn insert(import: &StoredImport) -> Sql {
    let mut sql = Sql::new(
        "INSERT INTO pergola_import (id, object, file, digest, settings, actor, started_at, state, last_line, entries, \
         tally, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    );
    sql.value(import.id).value(import.object.as_str()).value(import.file.as_str());
    sql.value(import.digest.as_slice()).value(import.settings.as_str()).value(import.actor.as_str());
    sql.value(import.started_at).value(import.state.as_str()).value(import.last_line).value(import.entries);
    sql.value(import.tally.to_string()).value(import.revision);
    sql
}

fn update(import: &StoredImport) -> Sql {
    let mut sql = Sql::new("UPDATE pergola_import SET state = ");
    sql.bind(import.state.as_str()).push(", last_line = ").bind(import.last_line);
    sql.push(", entries = ").bind(import.entries).push(", tally = ").bind(import.tally.to_string());
    sql.push(", revision = ").bind(import.revision).push(" WHERE id = ").bind(import.id);
    sql.push(" AND revision = ").bind(import.revision.saturating_sub(1));
    sql
}

/// Adds entries.
pub(crate) async fn append(session: &mut Session, import: Id, entries: &[ImportEntry]) -> Result<(), StoreError> {
    let mut rest = entries;
    for size in ROWS {
        while let Some((rows, others)) = rest.split_at_checked(size) {
            session.execute(append_rows(import, rows)).await?;
            rest = others;
        }
    }
    Ok(())
}

fn append_rows(import: Id, entries: &[ImportEntry]) -> Sql {
    let mut sql =
        Sql::new("INSERT INTO pergola_import_entry (import, place, line, object, record, version, changes) VALUES ");
    for (index, entry) in entries.iter().enumerate() {
        sql.push(if index == 0 { "(?, ?, ?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?, ?, ?)" });
        sql.value(import).value(entry.place).value(entry.line).value(entry.object.as_str()).value(entry.record);
        match &entry.wrote {
            Wrote::Created { version } => sql.value(*version).value(None::<&str>),
            Wrote::Updated { changes } => sql.value(None::<i64>).value(changes.to_string()),
        };
    }
    sql
}

/// Notes the version of a record that the import created.
pub(crate) async fn set_version(session: &mut Session, import: Id, record: Id, version: i64) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE pergola_import_entry SET version = ");
    sql.bind(version).push(" WHERE import = ").bind(import).push(" AND record = ").bind(record);
    sql.push(" AND version IS NOT NULL");
    session.execute(sql).await.map(|_| ())
}

/// Notes what became of entries.
pub(crate) async fn settle(
    session: &mut Session,
    import: Id,
    places: &[i64],
    outcome: EntryOutcome,
) -> Result<(), StoreError> {
    for places in places.chunks(IDS) {
        let Some(last) = places.last() else { continue };
        let mut sql = Sql::new("UPDATE pergola_import_entry SET outcome = ");
        sql.bind(outcome.as_str()).push(" WHERE import = ").bind(import).push(" AND place IN (");
        for (index, place) in places.iter().chain(std::iter::repeat(last)).take(IDS).enumerate() {
            sql.push(if index == 0 { "" } else { ", " }).bind(*place);
        }
        sql.push(")");
        session.execute(sql).await?;
    }
    Ok(())
}

/// Makes kept entries be looked at again.
pub(crate) async fn reopen(session: &mut Session, import: Id) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE pergola_import_entry SET outcome = NULL WHERE import = ");
    sql.bind(import).push(" AND outcome = ").bind(EntryOutcome::Kept.as_str());
    session.execute(sql).await.map(|_| ())
}
