//! Durable wake-ups: set, moved, fired, put off.

use jiff::Timestamp;
use pergola_model::{Id, ObjectName, PluginId, name::Name};
use pergola_service::ports::store::{OwnTimer, StoreError, StoredTimer, TimerKey, TimerOf};
use uuid::Uuid;

use crate::{dialect::Row, error::unexpected, row::Cells, session::Session, sql::Sql};

/// Timers per statement; a unit of work seldom has more than a few.
const TIMERS_PER_STATEMENT: usize = 64;

const KEY_IS: &str = "plugin = ? AND object = ? AND action = ? AND record = ? AND name = ?";
const TIMER: &str = "plugin, object, action, record, name, due_at, attempts, payload, revision";
const SELECT: &str =
    "SELECT plugin, object, action, record, name, due_at, attempts, payload, revision FROM pergola_timer";
/// The object and the record of a timer that follows none.
const NO_OBJECT: &str = "";
const NO_RECORD: Id = Id(Uuid::nil());

/// Timers due and claimed by nobody, earliest first; now they are.
pub(crate) async fn claim(
    session: &mut Session,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<StoredTimer>, StoreError> {
    let mut sql = Sql::new("UPDATE pergola_timer SET wake_at = ");
    sql.bind(until).push(
        " WHERE (plugin, object, action, record, name) IN (SELECT plugin, object, action, record, name \
         FROM pergola_timer WHERE wake_at <= ",
    );
    sql.bind(now).push(" ORDER BY wake_at LIMIT ").bind(i64::from(limit));
    sql.push(session.dialect().for_change_of_free_ones());
    sql.push(") RETURNING ").push(TIMER);
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
        let mut sql =
            Sql::new("INSERT INTO pergola_timer (plugin, object, action, record, name, due_at, wake_at) VALUES ");
        for (index, (timer, due_at)) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(?, ?, ?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?, ?, ?)" });
            bind_key(&mut sql, timer).value(**due_at).value(**due_at);
        }
        sql.push(
            " ON CONFLICT (plugin, object, action, record, name) DO UPDATE SET due_at = excluded.due_at, \
             wake_at = excluded.wake_at, attempts = 0, error = NULL, revision = pergola_timer.revision + 1 \
             WHERE pergola_timer.due_at <> excluded.due_at",
        );
        session.execute(sql).await?;
    }
    Ok(())
}

/// Sets a plugin's own timer, or sets the one of that name anew.
pub(crate) async fn set_own(session: &mut Session, timer: &OwnTimer) -> Result<(), StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO pergola_timer (plugin, object, action, record, name, due_at, wake_at, payload) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    );
    bind_key(&mut sql, &timer.key()).value(timer.at).value(timer.at).value(timer.payload.as_str());
    sql.push(
        " ON CONFLICT (plugin, object, action, record, name) DO UPDATE SET due_at = excluded.due_at, \
         wake_at = excluded.wake_at, payload = excluded.payload, attempts = 0, error = NULL, \
         revision = pergola_timer.revision + 1",
    );
    session.execute(sql).await.map(|_| ())
}

/// The timer of that key.
pub(crate) async fn find(session: &mut Session, key: &TimerKey) -> Result<Option<StoredTimer>, StoreError> {
    let mut sql = Sql::new(SELECT);
    bind_key(sql.push(" WHERE ").push(KEY_IS), key);
    session.fetch_optional(sql).await?.as_ref().map(decode).transpose()
}

/// A plugin's own timers of an action, by name, those after a name.
pub(crate) async fn list_own(
    session: &mut Session,
    plugin: &PluginId,
    action: &Name,
    after: &str,
    limit: u32,
) -> Result<Vec<StoredTimer>, StoreError> {
    let mut sql = Sql::new(SELECT);
    sql.push(" WHERE plugin = ? AND object = ? AND action = ? AND record = ? AND name > ? ORDER BY name LIMIT ?");
    sql.value(plugin.as_str()).value(NO_OBJECT).value(action.as_str()).value(NO_RECORD).value(after);
    sql.value(i64::from(limit));
    session.fetch_all(sql).await?.iter().map(decode).collect()
}

/// All plugins' own timers after a key, by key.
pub(crate) async fn list_all_own(
    session: &mut Session,
    after: Option<&TimerKey>,
    limit: u32,
) -> Result<Vec<StoredTimer>, StoreError> {
    let mut sql = Sql::new(SELECT);
    sql.push(" WHERE object = ").bind(NO_OBJECT);
    if let Some(key) = after {
        sql.push(" AND (plugin, object, action, record, name) > (?, ?, ?, ?, ?)");
        bind_key(&mut sql, key);
    }
    sql.push(" ORDER BY plugin, object, action, record, name LIMIT ").bind(i64::from(limit));
    session.fetch_all(sql).await?.iter().map(decode).collect()
}

/// How many own timers a plugin has, counted up to `most`.
pub(crate) async fn count_own(session: &mut Session, plugin: &PluginId, most: u32) -> Result<u32, StoreError> {
    let mut sql = Sql::new("SELECT count(*) FROM (SELECT 1 FROM pergola_timer WHERE plugin = ");
    sql.bind(plugin.as_str()).push(" AND object = ").bind(NO_OBJECT).push(" LIMIT ").bind(i64::from(most));
    sql.push(") AS own");
    let row = session.fetch_optional(sql).await?.ok_or_else(|| unexpected("a count has a row"))?;
    let count: i64 = Cells::new(&row).take()?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// All timers after a key, by key.
pub(crate) async fn list(
    session: &mut Session,
    after: Option<&TimerKey>,
    limit: u32,
) -> Result<Vec<StoredTimer>, StoreError> {
    let mut sql = Sql::new(SELECT);
    if let Some(key) = after {
        sql.push(" WHERE (plugin, object, action, record, name) > (?, ?, ?, ?, ?)");
        bind_key(&mut sql, key);
    }
    sql.push(" ORDER BY plugin, object, action, record, name LIMIT ").bind(i64::from(limit));
    session.fetch_all(sql).await?.iter().map(decode).collect()
}

/// Removes timers that exist among these; how many did.
pub(crate) async fn clear(session: &mut Session, timers: &[TimerKey]) -> Result<u64, StoreError> {
    let mut removed: u64 = 0;
    for chunk in timers.chunks(TIMERS_PER_STATEMENT) {
        let mut sql = Sql::new("DELETE FROM pergola_timer WHERE ");
        for (index, timer) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { " OR (" }).push(KEY_IS).push(")");
            bind_key(&mut sql, timer);
        }
        removed = removed.saturating_add(session.execute(sql).await?);
    }
    Ok(removed)
}

/// Removes fired timers, unless they were set anew meanwhile.
pub(crate) async fn finish(session: &mut Session, timers: &[StoredTimer]) -> Result<(), StoreError> {
    for chunk in timers.chunks(TIMERS_PER_STATEMENT) {
        let mut sql = Sql::new("DELETE FROM pergola_timer WHERE ");
        for (index, timer) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { " OR (" }).push(KEY_IS).push(" AND revision = ?)");
            bind_key(&mut sql, &timer.key).value(timer.revision);
        }
        session.execute(sql).await?;
    }
    Ok(())
}

/// Notes a failed attempt, unless the timer was set anew meanwhile.
pub(crate) async fn delay(
    session: &mut Session,
    timer: &StoredTimer,
    retry_at: Timestamp,
    error: &str,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE pergola_timer SET attempts = attempts + 1, wake_at = ");
    sql.bind(retry_at).push(", error = ").bind(error).push(" WHERE ").push(KEY_IS).push(" AND revision = ?");
    bind_key(&mut sql, &timer.key).value(timer.revision);
    session.execute(sql).await.map(|_| ())
}

fn bind_key<'s>(sql: &'s mut Sql, key: &TimerKey) -> &'s mut Sql {
    let (object, record, name) = match &key.of {
        TimerOf::Record(object, record) => (object.as_str(), *record, ""),
        TimerOf::Own(name) => (NO_OBJECT, NO_RECORD, name.as_str()),
    };
    sql.value(key.plugin.as_str()).value(object).value(key.action.as_str()).value(record).value(name)
}

fn decode(row: &Row) -> Result<StoredTimer, StoreError> {
    let mut cells = Cells::new(row);
    let plugin = cells.take_name(PluginId::new)?;
    let object: String = cells.take()?;
    let action = cells.take_name(Name::new)?;
    let (record, name) = (cells.take_id()?, cells.take()?);
    let of = match object.as_str() {
        NO_OBJECT => TimerOf::Own(name),
        _ => TimerOf::Record(ObjectName::new(object).map_err(|error| unexpected(error.to_string()))?, record),
    };
    Ok(StoredTimer {
        key: TimerKey { plugin, action, of },
        due_at: cells.take_time()?,
        attempts: cells.take()?,
        payload: cells.take()?,
        revision: cells.take()?,
    })
}
