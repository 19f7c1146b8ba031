//! Durable wake-ups: set, moved, fired, put off.

use jiff::Timestamp;
use pergola_model::{ObjectName, PluginId, name::Name};
use pergola_service::ports::store::{StoreError, StoredTimer, TimerKey};

use crate::{dialect::Row, error::unexpected, row::Cells, session::Session, sql::Sql};

/// Timers per statement; a unit of work seldom has more than a few.
const TIMERS_PER_STATEMENT: usize = 64;

const KEY_IS: &str = "plugin = ? AND object = ? AND action = ? AND record = ?";

/// Timers due and claimed by nobody, earliest first; now they are.
pub(crate) async fn claim(
    session: &mut Session,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<StoredTimer>, StoreError> {
    let mut sql = Sql::new("UPDATE pergola_timer SET wake_at = ");
    sql.bind(until).push(
        " WHERE (plugin, object, action, record) IN (SELECT plugin, object, action, record FROM pergola_timer \
         WHERE wake_at <= ",
    );
    sql.bind(now).push(" ORDER BY wake_at LIMIT ").bind(i64::from(limit));
    sql.push(session.dialect().for_change_of_free_ones());
    sql.push(") RETURNING plugin, object, action, record, due_at, attempts");
    let mut timers = session.fetch_all(sql).await?.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    timers.sort_by(|a, b| (a.due_at, &a.key).cmp(&(b.due_at, &b.key)));
    Ok(timers)
}

/// When the next timer falls due, is to be retried, or comes back from a claim.
pub(crate) async fn next(session: &mut Session) -> Result<Option<Timestamp>, StoreError> {
    let row = session.fetch_optional(Sql::new("SELECT wake_at FROM pergola_timer ORDER BY wake_at LIMIT 1")).await?;
    row.map(|row| Cells::new(&row).take_time()).transpose()
}

/// Sets timers; one whose due time stays keeps its attempts and the time of its retry.
pub(crate) async fn set(session: &mut Session, timers: &[TimerKey], due_at: &[Timestamp]) -> Result<(), StoreError> {
    if timers.len() != due_at.len() {
        return Err(unexpected("each timer has one due time"));
    }
    let pairs: Vec<(&TimerKey, &Timestamp)> = timers.iter().zip(due_at).collect();
    for chunk in pairs.chunks(TIMERS_PER_STATEMENT) {
        let mut sql = Sql::new("INSERT INTO pergola_timer (plugin, object, action, record, due_at, wake_at) VALUES ");
        for (index, (timer, due_at)) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(?, ?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?, ?)" });
            bind_key(&mut sql, timer).value(**due_at).value(**due_at);
        }
        sql.push(
            " ON CONFLICT (plugin, object, action, record) DO UPDATE SET due_at = excluded.due_at, \
             wake_at = excluded.wake_at, attempts = 0, error = NULL WHERE pergola_timer.due_at <> excluded.due_at",
        );
        session.execute(sql).await?;
    }
    Ok(())
}

/// All timers after a key, by key.
pub(crate) async fn list(
    session: &mut Session,
    after: Option<&TimerKey>,
    limit: u32,
) -> Result<Vec<StoredTimer>, StoreError> {
    let mut sql = Sql::new("SELECT plugin, object, action, record, due_at, attempts FROM pergola_timer");
    if let Some(key) = after {
        sql.push(" WHERE (plugin, object, action, record) > (?, ?, ?, ?)");
        bind_key(&mut sql, key);
    }
    sql.push(" ORDER BY plugin, object, action, record LIMIT ").bind(i64::from(limit));
    session.fetch_all(sql).await?.iter().map(decode).collect()
}

/// Removes timers that exist among these.
pub(crate) async fn clear(session: &mut Session, timers: &[TimerKey]) -> Result<(), StoreError> {
    for chunk in timers.chunks(TIMERS_PER_STATEMENT) {
        let mut sql = Sql::new("DELETE FROM pergola_timer WHERE ");
        for (index, timer) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { " OR (" }).push(KEY_IS).push(")");
            bind_key(&mut sql, timer);
        }
        session.execute(sql).await?;
    }
    Ok(())
}

/// Removes fired timers, unless they were set to another time meanwhile.
pub(crate) async fn finish(session: &mut Session, timers: &[StoredTimer]) -> Result<(), StoreError> {
    for chunk in timers.chunks(TIMERS_PER_STATEMENT) {
        let mut sql = Sql::new("DELETE FROM pergola_timer WHERE ");
        for (index, timer) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { " OR (" }).push(KEY_IS).push(" AND due_at = ?)");
            bind_key(&mut sql, &timer.key).value(timer.due_at);
        }
        session.execute(sql).await?;
    }
    Ok(())
}

/// Notes a failed attempt, unless the timer was set to another time meanwhile.
pub(crate) async fn delay(
    session: &mut Session,
    timer: &StoredTimer,
    retry_at: Timestamp,
    error: &str,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE pergola_timer SET attempts = attempts + 1, wake_at = ");
    sql.bind(retry_at).push(", error = ").bind(error).push(" WHERE ").push(KEY_IS).push(" AND due_at = ?");
    bind_key(&mut sql, &timer.key).value(timer.due_at);
    session.execute(sql).await.map(|_| ())
}

fn bind_key<'s>(sql: &'s mut Sql, key: &TimerKey) -> &'s mut Sql {
    sql.value(key.plugin.as_str()).value(key.object.as_str()).value(key.action.as_str()).value(key.record)
}

fn decode(row: &Row) -> Result<StoredTimer, StoreError> {
    let mut cells = Cells::new(row);
    let key = TimerKey {
        plugin: cells.take_name(PluginId::new)?,
        object: cells.take_name(ObjectName::new)?,
        action: cells.take_name(Name::new)?,
        record: cells.take_id()?,
    };
    Ok(StoredTimer { key, due_at: cells.take_time()?, attempts: cells.take()? })
}
