//! One connection in one transaction, and what is known about its health.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use pergola_model::Object;
use pergola_service::ports::store::StoreError;
use sqlx::SqliteConnection;

use crate::{
    dialect::{Connection, Row},
    error,
    layout::Layouts,
    sql::Sql,
};

/// Instructions of SQLite's virtual machine between two looks at the stop flag: about 0.1 ms.
const STEPS_PER_LOOK: i32 = 10_000;

/// Ends a statement that nobody waits for any more, or that has run for too long.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Installs it on a connection, for good.
    pub(crate) async fn install(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let stop = Self::default();
        let flag = Arc::clone(&stop.0);
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(STEPS_PER_LOOK, move || !flag.load(Ordering::Relaxed));
        Ok(stop)
    }

    /// Interrupts what runs.
    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Lets statements run again.
    pub(crate) fn lower(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Whether statements may still run.
#[derive(Debug)]
enum State {
    Ready,
    /// A statement was sent and its answer not seen: its future may have been dropped, and then nobody knows.
    Running,
    /// SQLite may have rolled everything back; a further statement would stand alone and be durable at once.
    Broken(StoreError),
}

/// A connection that runs one unit's or one reader's statements.
pub(crate) struct Session {
    connection: Connection,
    layouts: Arc<Layouts>,
    /// Runs in the same step as the first statement, because each step to SQLite's thread and back costs about 15 µs.
    before_first: Option<&'static str>,
    state: State,
    /// For readers: what ends a statement, and when.
    limit: Option<(Stop, Duration)>,
}

impl Session {
    /// A session in a transaction that is open already.
    pub(crate) fn new(connection: Connection, layouts: Arc<Layouts>) -> Self {
        Self { connection, layouts, before_first: None, state: State::Ready, limit: None }
    }

    /// A session that takes the turn to write with its first statement: hooks may think before it, and a step
    /// to a thread that has gone to sleep meanwhile costs more than most hooks.
    pub(crate) fn writing(connection: Connection, layouts: Arc<Layouts>) -> Self {
        Self { before_first: Some("BEGIN IMMEDIATE;"), ..Self::new(connection, layouts) }
    }

    /// A session that begins a transaction with its first statement, each of which ends in time.
    pub(crate) fn reading(connection: Connection, layouts: Arc<Layouts>, stop: Stop, limit: Duration) -> Self {
        Self { before_first: Some("BEGIN;"), limit: Some((stop, limit)), ..Self::new(connection, layouts) }
    }

    /// How objects lie in tables.
    pub(crate) fn layouts(&self) -> &Arc<Layouts> {
        &self.layouts
    }

    /// The connection, and an error if its transaction is not sound.
    pub(crate) fn into_parts(self) -> (Connection, Result<(), StoreError>) {
        (self.connection, Self::soundness(&self.state))
    }

    /// Whether a transaction was begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.before_first.is_none()
    }

    /// All rows.
    pub(crate) async fn fetch_all(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        let sql = self.begin(sql)?;
        let watch = Watch::new(self.limit.as_ref());
        let result = watch.within(self.connection.fetch_all(sql)).await;
        self.end(result, None)
    }

    /// The first row.
    pub(crate) async fn fetch_optional(&mut self, sql: Sql) -> Result<Option<Row>, StoreError> {
        let sql = self.begin(sql)?;
        let watch = Watch::new(self.limit.as_ref());
        let result = watch.within(self.connection.fetch_optional(sql)).await;
        self.end(result, None)
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, sql: Sql) -> Result<u64, StoreError> {
        self.execute_on(None, sql).await
    }

    /// The same; a broken unique rule is named if it is one of the object's.
    pub(crate) async fn execute_on(&mut self, object: Option<&Object>, sql: Sql) -> Result<u64, StoreError> {
        // Alone, because SQLite would count the rows of the statement before the transaction once more.
        if let Some(first) = self.before_first.take() {
            let first = self.begin(Sql::new(first))?;
            let result = self.connection.execute(first).await;
            self.end(result, None)?;
        }
        let sql = self.begin(sql)?;
        let result = self.connection.execute(sql).await;
        self.end(result, object)
    }

    fn begin(&mut self, sql: Sql) -> Result<Sql, StoreError> {
        Self::soundness(&self.state)?;
        let sql = match self.before_first.take() {
            Some(first) => sql.after(first),
            None => sql,
        };
        self.state = State::Running;
        Ok(sql)
    }

    fn end<T>(&mut self, result: Result<T, sqlx::Error>, object: Option<&Object>) -> Result<T, StoreError> {
        self.state = State::Ready;
        result.map_err(|error| {
            let ends = error::ends_transaction(&error);
            let error = error::from_sqlx(error, object);
            if ends {
                self.state = State::Broken(error::again(&error));
            }
            error
        })
    }

    fn soundness(state: &State) -> Result<(), StoreError> {
        match state {
            State::Ready => Ok(()),
            State::Running => Err(error::unexpected("a statement was cancelled, so its transaction cannot go on")),
            State::Broken(error) => Err(error::again(error)),
        }
    }
}

/// Interrupts a statement when its time is up, or when its future is dropped.
struct Watch<'a> {
    limit: Option<&'a (Stop, Duration)>,
    done: bool,
}

impl<'a> Watch<'a> {
    fn new(limit: Option<&'a (Stop, Duration)>) -> Self {
        Self { limit, done: false }
    }

    async fn within<T>(mut self, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        let Some((stop, limit)) = self.limit else { return statement.await };
        let started = Instant::now();
        let mut statement = std::pin::pin!(statement);
        let result = match tokio::time::timeout(*limit, &mut statement).await {
            Ok(result) => result,
            Err(_) => {
                tracing::warn!(
                    duration_ms = started.elapsed().as_millis(),
                    "a statement was stopped at its time limit"
                );
                stop.raise();
                statement.await
            }
        };
        self.done = true;
        result
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let (false, Some((stop, _))) = (self.done, self.limit) {
            stop.raise();
        }
    }
}
