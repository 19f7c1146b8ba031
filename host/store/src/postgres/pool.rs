//! The connections to PostgreSQL, each lent to one unit of work or one reader at a time.
//!
//! Not sqlx's pool: that one can lose places for ever when a server dies without a word, and pings at every return. Here
//! a place is a permit of the loan's own, every answer is waited for with a limit, and a connection that was cut off
//! within a statement is thrown away.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use pergola_service::ports::store::StoreError;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Semaphore;

use super::{PostgresOptions, connect};
use crate::{
    dialect::Connection,
    error,
    layout::Layouts,
    line::{Line, Place},
    session::{Limit, Session},
};

/// A connection that did nothing for so long is asked whether it is still there.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// How long it may take to say so, or to leave a transaction.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// What a connection is lent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One state of the data for all statements.
    Read,
    /// Statements that stand alone.
    ReadOnce,
    /// A unit of work.
    Write,
}

impl Purpose {
    fn begin(self) -> Option<&'static str> {
        match self {
            Self::Read => Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            Self::ReadOnce => None,
            Self::Write => Some("BEGIN ISOLATION LEVEL READ COMMITTED"),
        }
    }
}

/// The pool.
pub(crate) struct Pool {
    pub(super) target: PgConnectOptions,
    layouts: Arc<Layouts>,
    pub(super) options: PostgresOptions,
    /// One permit per connection of a unit of work.
    writers: Arc<Semaphore>,
    /// One permit per connection of a reader.
    readers: Arc<Semaphore>,
    line: Line,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// A pool whose connections are opened when first needed.
    pub(super) fn new(target: PgConnectOptions, layouts: Arc<Layouts>, options: PostgresOptions) -> Self {
        let places = options.writers_max.saturating_add(options.readers_max);
        Self {
            target,
            layouts,
            writers: Arc::new(Semaphore::new(options.writers_max)),
            readers: Arc::new(Semaphore::new(options.readers_max)),
            line: Line::new(places.saturating_add(options.queue_max), options.turn_timeout),
            options,
            idle: Mutex::default(),
        }
    }

    /// How objects lie in tables.
    pub(super) fn layouts(&self) -> &Arc<Layouts> {
        &self.layouts
    }

    /// A connection.
    pub(super) async fn lend(self: &Arc<Self>, purpose: Purpose) -> Result<Loan, StoreError> {
        let places = if purpose == Purpose::Write { &self.writers } else { &self.readers };
        let place = self.line.enter(places).await?;
        let connection = self.connection().await?;
        let limit = Limit::GiveUp(self.options.statement_timeout.saturating_add(self.options.answer_grace));
        let layouts = Arc::clone(&self.layouts);
        let session = match purpose.begin() {
            Some(begin) => Session::in_transaction(connection, layouts, begin, limit),
            None => Session::new(connection, layouts, limit),
        };
        Ok(Loan { session: Some(session), purpose, place: Some(place), pool: Arc::clone(self) })
    }

    async fn connection(&self) -> Result<Connection, StoreError> {
        while let Some(Idle { mut connection, since }) = self.take_idle() {
            if since.elapsed() < TRUSTED_FOR {
                return Ok(connection);
            }
            match tokio::time::timeout(PING_TIMEOUT, connection.ping()).await {
                Ok(Ok(())) => return Ok(connection),
                // Then the others of its age are hardly better.
                _ => drop(self.forget_idle()),
            }
        }
        let raw = connect::open(&self.target, self.options.connect_timeout).await?;
        Ok(Connection::Postgres(raw, self.layouts.dialect().clone()))
    }

    fn take_idle(&self) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn forget_idle(&self) -> Vec<Idle> {
        std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take_back(&self, connection: Connection) {
        if !self.line.is_closed() {
            let idle = Idle { connection, since: Instant::now() };
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
        }
    }

    /// Lends no more, and closes what is idle.
    pub(super) async fn close(&self) {
        self.line.close();
        self.writers.close();
        self.readers.close();
        for Idle { connection, .. } in self.forget_idle() {
            if let Ok(Err(error)) = tokio::time::timeout(PING_TIMEOUT, connection.close()).await {
                tracing::warn!(%error, "a connection to the database did not close cleanly");
            }
        }
    }

    /// What becomes of a connection whose user is done.
    fn end(self: Arc<Self>, session: Session, purpose: Purpose, place: Place) {
        if !session.is_answering() {
            tracing::debug!("a connection to the database is given up, and the idle ones with it");
            drop(self.forget_idle());
            return;
        }
        let is_open = purpose.begin().is_some() && session.has_begun();
        let mut connection = session.into_parts().0;
        if !is_open {
            return self.take_back(connection);
        }
        // Outside a runtime nobody can wait for the rollback; then the connection is closed instead.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            match tokio::time::timeout(PING_TIMEOUT, connection.run("ROLLBACK")).await {
                Ok(Ok(())) => self.take_back(connection),
                _ => tracing::warn!("a connection did not leave its transaction and is closed"),
            }
            drop(place);
        });
    }
}

/// A connection lent to one user. Dropped, it goes back and what was written is undone.
pub(crate) struct Loan {
    session: Option<Session>,
    purpose: Purpose,
    place: Option<Place>,
    pool: Arc<Pool>,
}

impl Loan {
    /// The connection.
    pub(crate) fn session(&mut self) -> Result<&mut Session, StoreError> {
        self.session.as_mut().ok_or_else(|| error::unexpected("the connection was given back"))
    }

    /// Whether the database has ended the transaction from outside.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_interrupted)
    }

    /// Returns when everything is durable.
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        self.session()?.commit().await?;
        if let Some(session) = self.session.take() {
            self.pool.take_back(session.into_parts().0);
            self.place = None;
        }
        Ok(())
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let (Some(session), Some(place)) = (self.session.take(), self.place.take()) {
            Arc::clone(&self.pool).end(session, self.purpose, place);
        }
    }
}
