//! The connections that read, each lent to one reader at a time.
//!
//! Not sqlx's pool: that one sends a ping to the connection's thread at every return, and a reader here must also leave its
//! transaction, which a drop cannot wait for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use pergola_service::ports::store::StoreError;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    connect,
    dialect::Connection,
    error::{self, from_sqlx},
    layout::Layouts,
    session::{Limit, Session, Stop},
    sql::Sql,
    writer::stopped,
};

/// How long a close waits for those who still read.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// The pool.
pub(crate) struct Readers {
    options: SqliteConnectOptions,
    layouts: Arc<Layouts>,
    /// One permit per connection.
    permits: Arc<Semaphore>,
    connections_max: usize,
    permit_timeout: Duration,
    statement_timeout: Duration,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    stop: Stop,
}

impl Readers {
    /// A pool of at most so many connections, opened when first needed.
    pub(crate) fn new(
        options: SqliteConnectOptions,
        layouts: Arc<Layouts>,
        connections_max: usize,
        permit_timeout: Duration,
        statement_timeout: Duration,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(connections_max));
        Self { options, layouts, permits, connections_max, permit_timeout, statement_timeout, idle: Mutex::default() }
    }

    /// A connection that sees the data as they are at its first statement.
    pub(crate) async fn lend(self: &Arc<Self>) -> Result<Loan, StoreError> {
        let permit = tokio::time::timeout(self.permit_timeout, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?
            .map_err(|_| stopped())?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Idle { connection, stop } = match idle {
            Some(idle) => idle,
            None => self.open().await?,
        };
        let limit = Limit::Interrupt(stop.clone(), self.statement_timeout);
        let session = Session::in_transaction(connection, Arc::clone(&self.layouts), "BEGIN", limit);
        Ok(Loan { session: Some(session), stop, permit: Some(permit), readers: Arc::clone(self) })
    }

    async fn open(&self) -> Result<Idle, StoreError> {
        let mut connection = connect::connect(&self.options).await?;
        let stop = Stop::install(&mut connection).await.map_err(|error| from_sqlx(error, None))?;
        Ok(Idle { connection: Connection::Sqlite(connection), stop })
    }

    /// Lends no more, waits a while for what is lent, and closes what came back.
    pub(crate) async fn close(&self) {
        let all = u32::try_from(self.connections_max).unwrap_or(u32::MAX);
        if tokio::time::timeout(CLOSE_PATIENCE, self.permits.acquire_many(all)).await.is_err() {
            tracing::debug!("somebody still reads; the log stays beside the file");
        }
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for Idle { connection, .. } in idle {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "a reading connection did not close cleanly");
            }
        }
    }

    fn take_back(&self, idle: Idle) {
        if !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
        }
    }

    /// Leaves the transaction, after whatever still runs.
    async fn end_transaction(mut idle: Idle) -> Result<Idle, sqlx::Error> {
        // The stop stays up until the thread has come to this ping, that is until it has left the statement.
        idle.connection.ping().await?;
        idle.stop.lower();
        let rollback = idle.connection.execute(Sql::new("ROLLBACK")).await;
        match rollback {
            Ok(_) => Ok(idle),
            // Nothing was open: the first statement was cancelled before it was sent.
            Err(error) if error.as_database_error().is_some() => Ok(idle),
            Err(error) => Err(error),
        }
    }
}

/// A connection lent to one reader. Dropped, it goes back.
pub(crate) struct Loan {
    session: Option<Session>,
    stop: Stop,
    permit: Option<OwnedSemaphorePermit>,
    readers: Arc<Readers>,
}

impl Loan {
    /// The connection.
    pub(crate) fn session(&mut self) -> Result<&mut Session, StoreError> {
        self.session.as_mut().ok_or_else(|| error::unexpected("the reader is over"))
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let (Some(session), permit) = (self.session.take(), self.permit.take()) else { return };
        let has_begun = session.has_begun();
        let idle = Idle { connection: session.into_parts().0, stop: self.stop.clone() };
        if !has_begun {
            return self.readers.take_back(idle);
        }
        // Outside a runtime nobody can wait for the rollback; then the connection is closed instead.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let readers = Arc::clone(&self.readers);
        runtime.spawn(async move {
            match Readers::end_transaction(idle).await {
                Ok(idle) => readers.take_back(idle),
                Err(error) => tracing::warn!(%error, "a reading connection broke and is closed"),
            }
            drop(permit);
        });
    }
}
