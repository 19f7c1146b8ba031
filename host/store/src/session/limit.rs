//! How long a statement may take, and how it is ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::SqliteConnection;

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

/// A statement's time.
#[derive(Debug, Clone)]
pub(crate) enum Limit {
    /// As long as it takes.
    None,
    /// It is interrupted, and then its connection can go on.
    Interrupt(Stop, Duration),
    /// Nobody waits any longer: the other side should have ended it itself by then, so it may be gone.
    GiveUp(Duration),
}

impl Limit {
    /// The statement's result, in time.
    pub(crate) async fn within<T>(
        &self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        match self {
            Self::None => statement.await,
            Self::Interrupt(stop, limit) => interrupted(statement, stop, *limit).await,
            Self::GiveUp(limit) => tokio::time::timeout(*limit, statement).await.unwrap_or_else(|_| {
                Err(sqlx::Error::Io(std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    "the database server does not answer",
                )))
            }),
        }
    }
}

async fn interrupted<T>(
    statement: impl Future<Output = Result<T, sqlx::Error>>,
    stop: &Stop,
    limit: Duration,
) -> Result<T, sqlx::Error> {
    let mut watch = Watch { stop, done: false };
    let started = Instant::now();
    let mut statement = std::pin::pin!(statement);
    let result = match tokio::time::timeout(limit, &mut statement).await {
        Ok(result) => result,
        Err(_) => {
            tracing::warn!(duration_ms = started.elapsed().as_millis(), "a statement was stopped at its time limit");
            stop.raise();
            statement.await
        }
    };
    watch.done = true;
    result
}

/// Interrupts a statement when its future is dropped.
struct Watch<'a> {
    stop: &'a Stop,
    done: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.stop.raise();
        }
    }
}
