//! One connection in one transaction, and what is known about its health.
//!
//! The port promises that a failed write leaves the rest of the unit usable. SQLite undoes the one statement by itself;
//! PostgreSQL gives up the whole transaction at any error, so there a write goes back to a place since which nothing was
//! written: the begin of the transaction, a savepoint of the caller's, or else one that is set for it.

mod limit;

use std::sync::Arc;

use pergola_model::Object;
use pergola_service::ports::store::StoreError;

pub(crate) use self::limit::{Limit, Stop};
use crate::{
    dialect::{Connection, Dialect, Row},
    error::{self, Gravity},
    layout::Layouts,
    sql::Sql,
};

/// The savepoint that is set before a write where there is no other place to go back to.
const GUARD: &str = "guard";

/// Whether statements may still run.
#[derive(Debug)]
enum State {
    Ready,
    /// A statement was sent and its answer not seen: its future may have been dropped, and then nobody knows.
    Running,
    /// PostgreSQL waits for a rollback, to a savepoint at least.
    Aborted(StoreError),
    /// The transaction is over; a further statement would stand alone and be durable at once.
    Broken(StoreError),
    /// The connection is of no use any more.
    Lost(StoreError),
}

/// Where a failed statement can go back to without a loss.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Begin,
    Savepoint(String),
}

/// A connection that runs one unit's or one reader's statements.
pub(crate) struct Session {
    connection: Connection,
    layouts: Arc<Layouts>,
    /// What begins the transaction, before the first statement; none if it has begun or there is none.
    begin: Option<&'static str>,
    /// The same, for after a rollback.
    began_with: &'static str,
    state: State,
    limit: Limit,
    /// The last place since which nothing was written.
    clean: Option<Place>,
    /// Whether [`GUARD`] is set.
    has_guard: bool,
}

impl Session {
    /// A session in a transaction that is open already, or of statements that stand alone.
    pub(crate) fn new(connection: Connection, layouts: Arc<Layouts>, limit: Limit) -> Self {
        let (begin, began_with, clean) = (None, "", None);
        Self { connection, layouts, begin, began_with, state: State::Ready, limit, clean, has_guard: false }
    }

    /// A session that begins a transaction with its first statement: hooks may think before it, and an open
    /// transaction that waits for them would hold others up.
    pub(crate) fn in_transaction(
        connection: Connection,
        layouts: Arc<Layouts>,
        begin: &'static str,
        limit: Limit,
    ) -> Self {
        let clean = Some(Place::Begin);
        Self { begin: Some(begin), began_with: begin, clean, ..Self::new(connection, layouts, limit) }
    }

    /// How objects lie in tables.
    pub(crate) fn layouts(&self) -> &Arc<Layouts> {
        &self.layouts
    }

    /// Which database it is.
    pub(crate) fn dialect(&self) -> &Dialect {
        self.layouts.dialect()
    }

    /// The connection, and an error if its transaction is not sound.
    pub(crate) fn into_parts(self) -> (Connection, Result<(), StoreError>) {
        let sound = self.soundness();
        (self.connection, sound)
    }

    /// Whether the connection can still be asked: nothing runs on it, and it is there.
    pub(crate) fn is_answering(&self) -> bool {
        !matches!(self.state, State::Running | State::Lost(_))
    }

    /// Whether the database has ended the transaction from outside.
    pub(crate) fn is_interrupted(&self) -> bool {
        matches!(self.state, State::Broken(StoreError::Interrupted) | State::Lost(StoreError::Interrupted))
    }

    /// Whether a transaction was begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.begin.is_none()
    }

    /// All rows.
    pub(crate) async fn fetch_all(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        let sql = self.start(sql).await?;
        let result = self.limit.within(self.connection.fetch_all(sql)).await;
        self.end(result, None).await
    }

    /// The first row.
    pub(crate) async fn fetch_optional(&mut self, sql: Sql) -> Result<Option<Row>, StoreError> {
        let sql = self.start(sql).await?;
        let result = self.limit.within(self.connection.fetch_optional(sql)).await;
        self.end(result, None).await
    }

    /// How many rows it changed. After an error the transaction may be lost.
    pub(crate) async fn execute(&mut self, sql: Sql) -> Result<u64, StoreError> {
        self.execute_on(None, sql).await
    }

    /// The same; a broken unique rule is named if it is one of the object's.
    pub(crate) async fn execute_on(&mut self, object: Option<&Object>, sql: Sql) -> Result<u64, StoreError> {
        // Alone, because SQLite would count the rows of the statement before the transaction once more.
        self.begin().await?;
        let sql = self.start(sql).await?;
        let result = self.limit.within(self.connection.execute(sql)).await;
        let rows = self.end(result, object).await?;
        self.clean = None;
        Ok(rows)
    }

    /// The same for a write that may fail for the record's sake: after an error the transaction is as before.
    pub(crate) async fn write_on(&mut self, object: Option<&Object>, sql: Sql) -> Result<u64, StoreError> {
        if self.clean.is_none() && self.dialect().gives_up_at_errors() {
            let text = if self.has_guard { "RELEASE guard; SAVEPOINT guard" } else { "SAVEPOINT guard" };
            self.run(text).await?;
            self.has_guard = true;
            self.clean = Some(Place::Savepoint(GUARD.to_owned()));
        }
        self.execute_on(object, sql).await
    }

    /// The last write before the commit. If it is the only statement as well, it needs no transaction around it where
    /// each statement is one.
    pub(crate) async fn execute_last(&mut self, object: Option<&Object>, sql: Sql) -> Result<(), StoreError> {
        if self.has_begun() || self.dialect().takes_statements_together() {
            return self.write_on(object, sql).await.map(|_| ());
        }
        self.soundness()?;
        self.state = State::Running;
        let result = self.limit.within(self.connection.execute(sql)).await;
        // There is nothing to go back to: what failed was the whole transaction.
        let (clean, began_with) = (self.clean.take(), std::mem::take(&mut self.began_with));
        let done = self.end_commit(result.map(|_| ()), object).await;
        (self.clean, self.began_with) = (clean, began_with);
        done
    }

    /// Statements without values, several perhaps.
    pub(crate) async fn run(&mut self, text: &str) -> Result<(), StoreError> {
        self.begin().await?;
        self.soundness()?;
        self.state = State::Running;
        let result = self.limit.within(self.connection.run(text)).await;
        self.end(result, None).await
    }

    /// A place to go back to.
    pub(crate) async fn savepoint(&mut self, name: &str) -> Result<(), StoreError> {
        // A guard that stays would end with the savepoint's own end only if it lay within it.
        let release = if self.has_guard { "RELEASE guard; " } else { "" };
        self.run(&format!("{release}SAVEPOINT {name}")).await?;
        self.has_guard = false;
        self.clean = Some(Place::Savepoint(name.to_owned()));
        Ok(())
    }

    /// Keeps what was written since.
    pub(crate) async fn release(&mut self, name: &str) -> Result<(), StoreError> {
        self.run(&format!("RELEASE {name}")).await?;
        (self.has_guard, self.clean) = (false, None);
        Ok(())
    }

    /// Undoes what was written since, and forgets the place.
    pub(crate) async fn roll_back_to(&mut self, name: &str) -> Result<(), StoreError> {
        if let State::Aborted(_) = self.state {
            self.state = State::Ready;
        }
        self.run(&format!("ROLLBACK TO {name}; RELEASE {name}")).await?;
        (self.has_guard, self.clean) = (false, None);
        Ok(())
    }

    /// Makes everything durable.
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        self.soundness()?;
        if !self.has_begun() {
            return Ok(());
        }
        self.state = State::Running;
        let result = self.limit.within(self.connection.run("COMMIT")).await;
        self.end_commit(result, None).await
    }

    async fn end_commit(&mut self, result: Result<(), sqlx::Error>, object: Option<&Object>) -> Result<(), StoreError> {
        let done = self.end(result, object).await;
        if done.is_err() && matches!(self.state, State::Lost(_)) {
            // Nobody must take it for an interruption, after which the unit is tried again.
            self.state = State::Lost(StoreError::InDoubt);
            return Err(StoreError::InDoubt);
        }
        done
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        let Some(begin) = self.begin.take() else { return Ok(()) };
        self.soundness()?;
        self.state = State::Running;
        let result = self.limit.within(self.connection.run(begin)).await;
        self.end(result, None).await
    }

    async fn start(&mut self, sql: Sql) -> Result<Sql, StoreError> {
        self.soundness()?;
        let sql = match self.begin {
            // In one step, because each step to SQLite's thread and back costs about 15 µs.
            Some(begin) if self.dialect().takes_statements_together() => {
                self.begin = None;
                sql.after(&format!("{begin};"))
            }
            Some(_) => {
                self.begin().await?;
                sql
            }
            None => sql,
        };
        self.state = State::Running;
        Ok(sql)
    }

    async fn end<T>(&mut self, result: Result<T, sqlx::Error>, object: Option<&Object>) -> Result<T, StoreError> {
        self.state = State::Ready;
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let gravity = Gravity::of(&error);
        let error = error::from_sqlx(error, object);
        match gravity {
            Gravity::Statement => {}
            Gravity::Rollback => self.go_back(&error).await,
            Gravity::Transaction => self.state = State::Broken(error::again(&error)),
            Gravity::Connection => self.state = State::Lost(error::again(&error)),
        }
        Err(error)
    }

    /// To the last place since which nothing was written, if there is one.
    async fn go_back(&mut self, cause: &StoreError) {
        let text = match &self.clean {
            // A statement that stood alone.
            None if self.began_with.is_empty() => return,
            None => {
                self.state = State::Aborted(error::again(cause));
                return;
            }
            Some(Place::Begin) => format!("ROLLBACK; {}", self.began_with),
            Some(Place::Savepoint(name)) => format!("ROLLBACK TO {name}"),
        };
        self.state = State::Running;
        self.state = match self.limit.within(self.connection.run(&text)).await {
            Ok(()) => State::Ready,
            Err(error) => State::Lost(error::from_sqlx(error, None)),
        };
    }

    fn soundness(&self) -> Result<(), StoreError> {
        match &self.state {
            State::Ready => Ok(()),
            State::Running => Err(error::unexpected("a statement was cancelled, so its transaction cannot go on")),
            State::Aborted(error) | State::Broken(error) | State::Lost(error) => Err(error::again(error)),
        }
    }
}
