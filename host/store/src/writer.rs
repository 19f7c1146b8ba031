//! The one writer: a task that owns the write connection, lends it to one unit of work after the other, and commits
//! them in groups.
//!
//! ```text
//! BEGIN IMMEDIATE   unit 1   SAVEPOINT   unit 2   RELEASE, SAVEPOINT   unit 3   …   COMMIT   → answers to all
//! ```
//!
//! A durable commit costs a sync of the disk, whoever shares it: units that queued up while others were at work join
//! their transaction, each in a savepoint. A unit that fails goes back to its savepoint, alone. Nobody is told "done" before
//! the common commit.
//!
//! Invariants: between turns a transaction is open exactly if somebody waits for the commit. A unit whose transaction
//! SQLite rolled back by itself (disk full, I/O error) fails its whole group.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pergola_service::ports::store::StoreError;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{mpsc, oneshot};

use crate::{
    connect,
    dialect::Connection,
    error,
    layout::Layouts,
    session::{Limit, Session},
    sql::Sql,
};

/// Somebody waiting for the commit.
type Answer = oneshot::Sender<Result<(), StoreError>>;
/// Somebody waiting for the turn.
type Grant = oneshot::Sender<Result<Lease, StoreError>>;

/// What the writer is asked.
pub(crate) enum Message {
    /// A turn to write.
    Turn(Grant),
    /// At most so many pages from now on.
    PagesMax(u32, Answer),
    /// Finish what is queued, and end.
    Close(oneshot::Sender<()>),
}

/// When a group is large or old enough to be committed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupLimits {
    /// Units of work.
    pub(crate) units_max: usize,
    /// Since the first one began.
    pub(crate) age_max: Duration,
}

/// The write connection, lent to one unit of work. Dropped, it goes back and what was written is undone.
pub(crate) struct Lease {
    session: Option<Session>,
    back: Option<oneshot::Sender<Returned>>,
}

struct Returned {
    session: Session,
    commit: Option<Answer>,
}

impl Lease {
    /// The connection.
    pub(crate) fn session(&mut self) -> Result<&mut Session, StoreError> {
        self.session.as_mut().ok_or_else(|| error::unexpected("the turn is over"))
    }

    /// Gives the connection back and waits until everything is durable.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.give_back(Some(answer));
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn give_back(&mut self, commit: Option<Answer>) {
        if let (Some(session), Some(back)) = (self.session.take(), self.back.take()) {
            // A writer that is gone cannot take it; then the connection closes, and SQLite rolls back.
            drop(back.send(Returned { session, commit }));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.give_back(None);
    }
}

/// Units of work that share a transaction.
#[derive(Default)]
struct Group {
    /// Those that are done and wait for the commit.
    waiting: Vec<Answer>,
    /// Whether the last unit's savepoint is open. The first unit needs none: undoing it is undoing everything.
    has_savepoint: bool,
}

impl Group {
    fn fail(&mut self, cause: &StoreError) {
        for answer in self.waiting.drain(..) {
            drop(answer.send(Err(error::again(cause))));
        }
        self.has_savepoint = false;
    }
}

/// The writer has ended, or ends.
pub(crate) fn stopped() -> StoreError {
    error::unexpected("the store is closed")
}

/// The task's state.
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    /// None after it broke, until the next turn.
    connection: Option<Connection>,
    pages_max: Option<u32>,
    layouts: Arc<Layouts>,
    limits: GroupLimits,
    queue: mpsc::Receiver<Message>,
}

impl Writer {
    /// A writer on an open connection.
    pub(crate) fn new(
        options: SqliteConnectOptions,
        connection: Connection,
        layouts: Arc<Layouts>,
        limits: GroupLimits,
        queue: mpsc::Receiver<Message>,
    ) -> Self {
        Self { options, connection: Some(connection), pages_max: None, layouts, limits, queue }
    }

    /// Serves until closed, or until nobody can ask any more.
    pub(crate) async fn run(mut self) {
        let mut next = self.queue.recv().await;
        while let Some(message) = next.take() {
            next = match message {
                Message::Turn(grant) => self.group(grant).await,
                Message::PagesMax(pages_max, answer) => {
                    self.pages_max = Some(pages_max);
                    let done = self.limit_pages().await;
                    drop(answer.send(done));
                    None
                }
                Message::Close(closed) => {
                    self.queue.close();
                    self.close_connection().await;
                    if closed.send(()).is_err() {
                        tracing::debug!("nobody waited for the store to close");
                    }
                    return;
                }
            };
            if next.is_none() {
                next = self.queue.recv().await;
            }
        }
        self.close_connection().await;
    }

    /// Units of work until the queue is empty or the group is full; gives a message that is no unit.
    async fn group(&mut self, first: Grant) -> Option<Message> {
        let began = Instant::now();
        let mut group = Group::default();
        let mut grant = first;
        let next = loop {
            // Whoever stopped waiting needs no turn.
            if !grant.is_closed() {
                self.turn(&mut group, grant).await;
            }
            if group.waiting.len() >= self.limits.units_max || began.elapsed() >= self.limits.age_max {
                break None;
            }
            match self.queue.try_recv() {
                Ok(Message::Turn(next)) => grant = next,
                Ok(other) => break Some(other),
                Err(_) => break None,
            }
        };
        self.commit(group).await;
        next
    }

    async fn turn(&mut self, group: &mut Group, grant: Grant) {
        let connection = match self.open_turn(group).await {
            Ok(connection) => connection,
            Err(error) => return drop(grant.send(Err(error))),
        };
        let layouts = Arc::clone(&self.layouts);
        let is_first = group.waiting.is_empty();
        let session = if is_first {
            Session::in_transaction(connection, layouts, "BEGIN IMMEDIATE", Limit::None)
        } else {
            Session::new(connection, layouts, Limit::None)
        };
        let (back, returned) = oneshot::channel();
        // If nobody is there to take it, the lease is dropped, and so comes back at once.
        drop(grant.send(Ok(Lease { session: Some(session), back: Some(back) })));
        let Ok(Returned { session, commit }) = returned.await else {
            // A lease that was forgotten, not dropped, has taken the connection and its transaction with it.
            return group.fail(&stopped());
        };
        let has_begun = session.has_begun();
        let (connection, sound) = session.into_parts();
        self.connection = Some(connection);
        if !has_begun {
            // It asked for nothing, so there is nothing to commit or to undo.
            commit.into_iter().for_each(|answer| drop(answer.send(Ok(()))));
            return;
        }
        match (sound, commit) {
            (Ok(()), Some(answer)) => group.waiting.push(answer),
            (Err(error), Some(answer)) => {
                drop(answer.send(Err(error::again(&error))));
                self.undo_turn(group, error).await;
            }
            (sound, None) => {
                let cause = sound.err().unwrap_or_else(|| error::unexpected("the common transaction ended by itself"));
                self.undo_turn(group, cause).await;
            }
        }
    }

    async fn open_turn(&mut self, group: &mut Group) -> Result<Connection, StoreError> {
        if self.connection.is_none() {
            self.connection = Some(connect::open(&self.options).await?);
            self.limit_pages().await?;
        }
        if group.waiting.is_empty() {
            // Its session begins the transaction.
            group.has_savepoint = false;
            return self.connection.take().ok_or_else(stopped);
        }
        // Two in one step. COMMIT releases the last one.
        let statement = if group.has_savepoint { "RELEASE unit; SAVEPOINT unit" } else { "SAVEPOINT unit" };
        if let Err(error) = self.run_statement(statement).await {
            self.abandon(group, &error).await;
            return Err(error);
        }
        group.has_savepoint = true;
        self.connection.take().ok_or_else(stopped)
    }

    async fn undo_turn(&mut self, group: &mut Group, cause: StoreError) {
        // If there is no such savepoint any more, SQLite has rolled everything back.
        if !group.has_savepoint || self.run_statement("ROLLBACK TO unit; RELEASE unit").await.is_err() {
            self.abandon(group, &cause).await;
        }
        group.has_savepoint = false;
    }

    /// Rolls everything back and tells everybody.
    async fn abandon(&mut self, group: &mut Group, cause: &StoreError) {
        if !group.waiting.is_empty() {
            tracing::warn!(units = group.waiting.len(), error = %cause, "a group of writes was rolled back");
        }
        // Fails when nothing is open any more, which is as good.
        drop(self.run_statement("ROLLBACK").await);
        group.fail(cause);
    }

    async fn commit(&mut self, mut group: Group) {
        if group.waiting.is_empty() {
            return;
        }
        match self.run_statement("COMMIT").await {
            Ok(()) => {
                for answer in group.waiting {
                    drop(answer.send(Ok(())));
                }
            }
            Err(error) => self.abandon(&mut group, &error).await,
        }
    }

    async fn run_statement(&mut self, statement: &'static str) -> Result<(), StoreError> {
        let connection = self.connection.as_mut().ok_or_else(stopped)?;
        match connection.execute(Sql::new(statement)).await {
            Ok(_) => Ok(()),
            Err(error) => {
                if error.as_database_error().is_none() {
                    // Not SQLite's answer: its thread is gone. The next turn opens a new connection.
                    self.connection = None;
                }
                Err(error::from_sqlx(error, None))
            }
        }
    }

    async fn limit_pages(&mut self) -> Result<(), StoreError> {
        let (Some(connection), Some(pages)) = (self.connection.as_mut(), self.pages_max) else { return Ok(()) };
        let pragma = Sql::new(format!("PRAGMA max_page_count = {pages}"));
        connection.fetch_all(pragma).await.map(|_| ()).map_err(|error| error::from_sqlx(error, None))
    }

    async fn close_connection(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the write connection did not close cleanly");
        }
    }
}
