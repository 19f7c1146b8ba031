//! One transaction on the directory's connection, which is opened anew where it broke.

use std::{sync::Arc, time::Duration};

use pergola_service::ports::store::StoreError;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::place::Place;
use crate::{
    dialect::{Connection, Row},
    error::{from_sqlx, unexpected},
    sql::Sql,
};

/// A database that says nothing for so long is taken for gone: longer than it waits for locks itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);
/// What those who change the directory take first, where several can at once.
const CHANGES: &str = "changes of the directory";

/// A transaction. Dropped without [`Turn::commit`], nothing was written, and the connection is closed.
pub(super) struct Turn {
    held: OwnedMutexGuard<Option<Connection>>,
    is_committed: bool,
}

impl Turn {
    /// Waits for the connection and begins.
    pub(super) async fn begin(
        place: &Place,
        connection: &Arc<Mutex<Option<Connection>>>,
        writing: bool,
    ) -> Result<Self, StoreError> {
        let mut held = Arc::clone(connection).lock_owned().await;
        let kept = held.take();
        let was_kept = kept.is_some();
        *held = Some(match kept {
            Some(connection) => connection,
            None => place.connect().await?,
        });
        let mut turn = Self { held, is_committed: false };
        let begun = turn.run(place.begin(writing)).await;
        if begun.is_err() && was_kept {
            // It may have been cut off while nobody used it.
            *turn.held = Some(place.connect().await?);
            turn.run(place.begin(writing)).await?;
        } else {
            begun?;
        }
        if let Some(lock) = place.dialect().lock(&[CHANGES.to_owned()]).filter(|_| writing) {
            turn.fetch(lock).await?;
        }
        Ok(turn)
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        self.held.as_mut().ok_or_else(|| unexpected("the directory's connection is gone"))
    }

    /// All rows of a statement.
    pub(super) async fn fetch(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        answered(self.connection()?.fetch_all(sql)).await
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(&mut self, sql: Sql) -> Result<u64, StoreError> {
        answered(self.connection()?.execute(sql)).await
    }

    /// A statement without values.
    pub(super) async fn run(&mut self, text: &str) -> Result<(), StoreError> {
        answered(self.connection()?.run(text)).await
    }

    /// Returns when everything is durable.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.run("COMMIT").await?;
        self.is_committed = true;
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_committed {
            *self.held = None;
        }
    }
}

async fn answered<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| StoreError::Interrupted)?;
    answer.map_err(|error| from_sqlx(error, None))
}
