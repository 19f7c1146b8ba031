//! The audit, the outbox and the plugins' places in it.

use jiff::Timestamp;
use pergola_model::{ChangeKind, ObjectName, PluginId};
use pergola_service::ports::store::{AuditEntry, NewEvent, StoreError, StoredEvent, SubscriptionState};

use crate::{
    dialect::Row,
    error::unexpected,
    row::{Cells, json},
    session::Session,
    sql::Sql,
};

/// Rows per statement, largest first; see `records`.
const ROWS: [usize; 4] = [64, 16, 4, 1];

/// Audit lines and events that a unit of work has yet to write: nothing reads them before its end, so they are
/// written then, in as few steps as can be.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    audit: Vec<AuditEntry>,
    events: Vec<NewEvent>,
}

/// How much was pending at a savepoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(usize, usize);

impl Pending {
    /// Adds to the audit.
    pub(crate) fn append_audit(&mut self, entries: &[AuditEntry]) {
        self.audit.extend_from_slice(entries);
    }

    /// Adds to the outbox.
    pub(crate) fn append_events(&mut self, events: &[NewEvent]) {
        self.events.extend_from_slice(events);
    }

    /// The present place.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.audit.len(), self.events.len())
    }

    /// Forgets what came after the place.
    pub(crate) fn truncate(&mut self, mark: Mark) {
        self.audit.truncate(mark.0);
        self.events.truncate(mark.1);
    }

    /// Whether it is one statement for each table at most.
    pub(crate) fn is_small(&self) -> bool {
        self.audit.len() <= 1 && self.events.len() <= 1
    }

    /// The statements of a small one, each with its table.
    pub(crate) fn take_small(&mut self) -> Result<Vec<(&'static str, Sql)>, StoreError> {
        let Self { audit, events } = std::mem::take(self);
        let audit = audit_statements(&audit)?.into_iter().map(|sql| ("pergola_audit", sql));
        let events = event_statements(&events)?.into_iter().map(|sql| ("pergola_outbox", sql));
        Ok(audit.chain(events).collect())
    }

    /// Writes everything, two statements in a step.
    pub(crate) async fn flush(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let mut audit = audit_statements(&self.audit)?.into_iter();
        let mut events = event_statements(&self.events)?.into_iter();
        *self = Self::default();
        loop {
            // Never two of one table in one step: PostgreSQL would run them in any order. Nor more than two, which
            // would make too many different texts to keep prepared.
            let step: Vec<Sql> = audit.next().into_iter().chain(events.next()).collect();
            if step.is_empty() {
                return Ok(());
            }
            session.execute(session.dialect().together(step)).await?;
        }
    }
}

fn audit_statements(entries: &[AuditEntry]) -> Result<Vec<Sql>, StoreError> {
    chunks(entries).map(audit_statement).collect()
}

fn audit_statement(entries: &[AuditEntry]) -> Result<Sql, StoreError> {
    let mut sql = Sql::new("INSERT INTO pergola_audit (at, actor, plugin, kind, object, record, changes) VALUES ");
    for (index, entry) in entries.iter().enumerate() {
        sql.push(if index == 0 { "(?, ?, ?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?, ?, ?)" });
        sql.value(entry.at).value(entry.actor.as_str()).value(entry.plugin.as_ref().map(PluginId::as_str));
        sql.value(entry.kind.as_str()).value(entry.object.as_str()).value(entry.record);
        sql.value(entry.changes.to_string());
    }
    Ok(sql)
}

fn event_statements(events: &[NewEvent]) -> Result<Vec<Sql>, StoreError> {
    chunks(events).map(event_statement).collect()
}

fn event_statement(events: &[NewEvent]) -> Result<Sql, StoreError> {
    let mut sql = Sql::new("INSERT INTO pergola_outbox (at, object, kind, record, changed) VALUES ");
    for (index, event) in events.iter().enumerate() {
        sql.push(if index == 0 { "(?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?)" });
        sql.value(event.at).value(event.object.as_str()).value(event.kind.as_str()).value(event.record);
        sql.value(json(&event.changed)?);
    }
    Ok(sql)
}

fn chunks<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = ROWS.into_iter().find(|size| *size <= rest.len())?;
        let (chunk, others) = rest.split_at_checked(size)?;
        rest = others;
        Some(chunk)
    })
}

/// What the sequences of events are given out under.
const SEQUENCES: &str = "outbox sequences";
/// A plugin's place.
const PLACE: &str = "coalesce((SELECT s.sequence FROM pergola_subscription AS s WHERE s.plugin = ?), 0)";

/// Whether there are events after the plugin's place.
pub(crate) async fn has_events(session: &mut Session, plugin: &PluginId) -> Result<bool, StoreError> {
    let is_new = session.dialect().event_is_new();
    let mut sql = Sql::new(format!("SELECT 1 FROM pergola_outbox WHERE {is_new}sequence > {PLACE} LIMIT 1"));
    sql.value(plugin.as_str());
    Ok(session.fetch_optional(sql).await?.is_some())
}

/// Events after the plugin's place, in order of commit, which nobody else tells it until that time.
pub(crate) async fn claim(
    session: &mut Session,
    plugin: &PluginId,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    give_sequences(session).await?;
    let mut place = Sql::new(
        "INSERT INTO pergola_subscription (plugin, sequence, attempts, retry_at) VALUES (?, 0, 0, NULL) \
         ON CONFLICT (plugin) DO NOTHING",
    );
    place.value(plugin.as_str());
    session.execute(place).await?;
    let mut claim = Sql::new(
        "UPDATE pergola_subscription SET retry_at = ? WHERE plugin IN (SELECT plugin FROM pergola_subscription \
         WHERE plugin = ? AND (retry_at IS NULL OR retry_at <= ?)",
    );
    claim.value(until).value(plugin.as_str()).value(now);
    claim.push(session.dialect().for_change_of_free_ones()).push(")");
    if session.execute(claim).await? == 0 {
        return Ok(Vec::new());
    }
    let mut events = Sql::new(format!(
        "SELECT sequence, at, object, kind, record, changed FROM pergola_outbox WHERE sequence > {PLACE} \
         ORDER BY sequence LIMIT "
    ));
    events.value(plugin.as_str()).bind(i64::from(limit));
    session.fetch_all(events).await?.iter().map(decode).collect()
}

/// Events that were committed get their places, where they do not have them from the start: one process at a time, so
/// that whatever is committed later gets a later place.
async fn give_sequences(session: &mut Session) -> Result<(), StoreError> {
    let Some(give) = session.dialect().give_sequences() else { return Ok(()) };
    // The next statement sees what the one who held this before has committed.
    if let Some(lock) = session.dialect().lock(&[SEQUENCES.to_owned()]) {
        session.execute(lock).await?;
    }
    session.execute(give).await.map(|_| ())
}

fn decode(row: &Row) -> Result<StoredEvent, StoreError> {
    let mut cells = Cells::new(row);
    let sequence = cells.take()?;
    let (at, object) = (cells.take_time()?, cells.take_name(ObjectName::new)?);
    let kind = ChangeKind::parse(cells.take()?).ok_or_else(|| unexpected("an event is of no known kind"))?;
    let event = NewEvent { at, object, kind, record: cells.take_id()?, changed: cells.take_json()? };
    Ok(StoredEvent { sequence, event })
}

/// The plugin's place in the outbox.
pub(crate) async fn subscription(session: &mut Session, plugin: &PluginId) -> Result<SubscriptionState, StoreError> {
    let mut sql = Sql::new("SELECT sequence, attempts, retry_at FROM pergola_subscription WHERE plugin = ");
    sql.bind(plugin.as_str());
    let Some(row) = session.fetch_optional(sql).await? else { return Ok(SubscriptionState::default()) };
    let mut cells = Cells::new(&row);
    Ok(SubscriptionState { sequence: cells.take()?, attempts: cells.take()?, retry_at: cells.take_optional_time()? })
}

/// Sets the plugin's place, if the claim until that time is still the last one.
pub(crate) async fn finish(
    session: &mut Session,
    plugin: &PluginId,
    claimed_until: Timestamp,
    state: &SubscriptionState,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE pergola_subscription SET sequence = ");
    sql.bind(state.sequence).push(", attempts = ").bind(state.attempts).push(", retry_at = ").bind(state.retry_at);
    sql.push(" WHERE plugin = ").bind(plugin.as_str()).push(" AND retry_at = ").bind(claimed_until);
    session.execute(sql).await.map(|_| ())
}

/// Drops events that all these plugins have been told; all events, if there is no plugin.
pub(crate) async fn trim(session: &mut Session, plugins: &[PluginId]) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM pergola_outbox");
    for (index, plugin) in plugins.iter().enumerate() {
        sql.push(if index == 0 { " WHERE sequence <= " } else { " AND sequence <= " });
        sql.push(PLACE).value(plugin.as_str());
    }
    session.execute(sql).await.map(|_| ())
}
