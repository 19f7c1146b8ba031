//! The audit, the outbox and the plugins' places in it.

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

    /// Writes everything: one step for a small unit of work.
    pub(crate) async fn flush(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let mut statements = audit_statements(&self.audit)?;
        statements.extend(event_statements(&self.events)?);
        *self = Self::default();
        let mut step = Sql::default();
        let mut parts: usize = 0;
        for statement in statements {
            step.append(statement).push(";");
            parts = parts.saturating_add(1);
            // More would make too many different texts to keep prepared.
            if parts == 2 {
                session.execute(std::mem::take(&mut step)).await?;
                parts = 0;
            }
        }
        if parts > 0 {
            session.execute(step).await?;
        }
        Ok(())
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

/// Events after the plugin's place, in order of commit.
pub(crate) async fn list_events(
    session: &mut Session,
    plugin: &PluginId,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut sql = Sql::new(
        "SELECT sequence, at, object, kind, record, changed FROM pergola_outbox WHERE sequence > \
         coalesce((SELECT s.sequence FROM pergola_subscription AS s WHERE s.plugin = ",
    );
    sql.bind(plugin.as_str()).push("), 0) ORDER BY sequence LIMIT ").bind(i64::from(limit));
    session.fetch_all(sql).await?.iter().map(decode).collect()
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

/// Sets the plugin's place in the outbox.
pub(crate) async fn set_subscription(
    session: &mut Session,
    plugin: &PluginId,
    state: &SubscriptionState,
) -> Result<(), StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO pergola_subscription (plugin, sequence, attempts, retry_at) VALUES (?, ?, ?, ?) \
         ON CONFLICT (plugin) DO UPDATE SET sequence = excluded.sequence, attempts = excluded.attempts, \
         retry_at = excluded.retry_at",
    );
    sql.value(plugin.as_str()).value(state.sequence).value(state.attempts).value(state.retry_at);
    session.execute(sql).await.map(|_| ())
}

/// Drops events that all these plugins have been told; all events, if there is no plugin.
pub(crate) async fn trim(session: &mut Session, plugins: &[PluginId]) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM pergola_outbox");
    for (index, plugin) in plugins.iter().enumerate() {
        sql.push(if index == 0 { " WHERE sequence <= " } else { " AND sequence <= " });
        sql.push("coalesce((SELECT s.sequence FROM pergola_subscription AS s WHERE s.plugin = ");
        sql.bind(plugin.as_str()).push("), 0)");
    }
    session.execute(sql).await.map(|_| ())
}
