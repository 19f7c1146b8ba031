//! Statements of a unit of work that wait for company, because each step to the database costs more than most of them do.
//!
//! A small unit (a record, its entry of search, the audit, an answer under a key) is one step, which on PostgreSQL is
//! its own transaction too. What waits is written before anything else is: no statement misses it.

use std::sync::Arc;

use pergola_model::Object;
use pergola_service::ports::store::StoreError;

use crate::{
    dialect::Dialect,
    sql::Sql,
    turn::{Last, Turn},
};

/// The most statements in one step: more would be too many different texts to keep prepared.
const STATEMENTS_MAX: usize = 8;

/// What waits, in order.
#[derive(Default)]
pub(crate) struct Late {
    statements: Vec<Sql>,
    /// The tables that they write to: PostgreSQL runs what is in one step in any order.
    tables: Vec<&'static str>,
    /// Whose record is among them.
    object: Option<Arc<Object>>,
}

impl Late {
    /// Adds a statement that changes a table; what waits is written first if the two cannot go together.
    pub(crate) async fn add(&mut self, turn: &mut Turn, table: &'static str, sql: Sql) -> Result<(), StoreError> {
        if self.tables.contains(&table) || self.statements.len() >= STATEMENTS_MAX {
            self.flush(turn).await?;
        }
        self.tables.push(table);
        self.statements.push(sql);
        Ok(())
    }

    /// Adds a statement that writes a record of the object. One may wait.
    pub(crate) async fn add_of(&mut self, turn: &mut Turn, object: &Arc<Object>, sql: Sql) -> Result<(), StoreError> {
        if self.object.is_some() || self.statements.len() >= STATEMENTS_MAX {
            self.flush(turn).await?;
        }
        self.object = Some(Arc::clone(object));
        self.statements.push(sql);
        Ok(())
    }

    /// Writes what waits.
    pub(crate) async fn flush(&mut self, turn: &mut Turn) -> Result<(), StoreError> {
        if self.statements.is_empty() {
            return Ok(());
        }
        let session = turn.session().await?;
        let Some((sql, object)) = self.take(session.dialect()) else { return Ok(()) };
        session.write_on(object.as_deref(), sql).await.map(|_| ())
    }

    /// What waits, as one step.
    pub(crate) fn take(&mut self, dialect: &Dialect) -> Option<Last> {
        let Self { statements, object, .. } = std::mem::take(self);
        (!statements.is_empty()).then(|| (dialect.together(statements), object))
    }
}
