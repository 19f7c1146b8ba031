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

mod pace;
mod steps;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pergola_model::Object;
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
    writer::pace::Pace,
};

/// Somebody waiting for the commit.
type Answer = oneshot::Sender<Result<(), StoreError>>;
/// Somebody waiting for the turn.
type Grant = oneshot::Sender<Result<Lease, StoreError>>;

/// A unit of work that is one statement.
pub(crate) struct Step {
    /// The statement, or several together.
    pub(crate) sql: Sql,
    /// Whose record it writes.
    pub(crate) object: Option<Arc<Object>>,
    /// Whoever waits longer is told that the store is busy.
    pub(crate) until: Instant,
    /// Told after the commit.
    pub(crate) answer: Answer,
}

/// What the writer is asked.
pub(crate) enum Message {
    /// A turn to write.
    Turn(Grant),
    /// A unit of work as a whole.
    Step(Step),
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
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        self.session()?;
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
    /// What the next unit's first statement begins with. COMMIT releases the last savepoint.
    fn begin(&self) -> &'static str {
        match (self.waiting.is_empty(), self.has_savepoint) {
            (true, _) => "BEGIN IMMEDIATE",
            (false, true) => "RELEASE unit; SAVEPOINT unit",
            (false, false) => "SAVEPOINT unit",
        }
    }

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
    pace: Pace,
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
        let pace = Pace::default();
        Self { options, connection: Some(connection), pages_max: None, layouts, limits, pace, queue }
    }

    /// Serves until closed, or until nobody can ask any more.
    pub(crate) async fn run(mut self) {
        let mut next = self.queue.recv().await;
        while let Some(message) = next.take() {
            next = match message {
                message @ (Message::Turn(_) | Message::Step(_)) => self.group(message).await,
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

    /// Units of work until the queue is empty or the group is full; gives a message that is for later.
    async fn group(&mut self, first: Message) -> Option<Message> {
        let began = Instant::now();
        let mut group = Group::default();
        let mut next = Some(first);
        while let Some(message) = next.take() {
            next = match message {
                Message::Turn(grant) => {
                    // Whoever stopped waiting needs no turn.
                    if !grant.is_closed() {
                        self.turn(&mut group, grant).await;
                    }
                    self.queue.try_recv().ok()
                }
                Message::Step(first) => {
                    let (steps, next) = self.steps_in_line(first, group.waiting.len()).await;
                    self.run_steps(&mut group, steps).await;
                    next
                }
                Message::PagesMax(..) | Message::Close(_) => {
                    next = Some(message);
                    break;
                }
            };
            if group.waiting.len() >= self.limits.units_max || began.elapsed() >= self.limits.age_max {
                break;
            }
        }
        self.commit(group).await;
        next
    }

    async fn turn(&mut self, group: &mut Group, grant: Grant) {
        let session = match self.session(group).await {
            Ok(session) => session,
            Err(error) => return drop(grant.send(Err(error))),
        };
        let (back, returned) = oneshot::channel();
        // If nobody is there to take it, the lease is dropped, and so comes back at once.
        drop(grant.send(Ok(Lease { session: Some(session), back: Some(back) })));
        let Ok(Returned { session, commit }) = returned.await else {
            // A lease that was forgotten, not dropped, has taken the connection and its transaction with it.
            return group.fail(&stopped());
        };
        let has_begun = session.has_begun();
        let sound = self.take_back(group, session);
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

    /// The connection for the group's next unit.
    async fn session(&mut self, group: &Group) -> Result<Session, StoreError> {
        if self.connection.is_none() {
            self.connection = Some(connect::open(&self.options).await?);
            self.limit_pages().await?;
        }
        let connection = self.connection.take().ok_or_else(stopped)?;
        Ok(Session::in_transaction(connection, Arc::clone(&self.layouts), group.begin(), Limit::None))
    }

    /// Takes the connection back; an error if its transaction is not sound.
    fn take_back(&mut self, group: &mut Group, session: Session) -> Result<(), StoreError> {
        group.has_savepoint |= session.has_begun() && !group.waiting.is_empty();
        let (connection, sound) = session.into_parts();
        self.connection = Some(connection);
        sound
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
        let began = Instant::now();
        let commit = self.layouts.dialect().commit();
        match self.run_statement(&commit).await {
            Ok(()) => {
                self.pace.note(group.waiting.len(), began.elapsed());
                for answer in group.waiting {
                    drop(answer.send(Ok(())));
                }
            }
            Err(error) => self.abandon(&mut group, &error).await,
        }
    }

    async fn run_statement(&mut self, statement: &str) -> Result<(), StoreError> {
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
