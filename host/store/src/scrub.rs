//! No bytes of deleted rows in the files.
//!
//! `secure_delete` overwrites what is deleted, but not the copies that SQLite leaves in the gaps of pages when it splits
//! and merges them. Only writing the whole file anew is sure to leave none, and then the log must be cut to nothing.

use std::{path::Path, time::Duration};

use pergola_service::ports::store::StoreError;

use crate::{
    connect,
    dialect::{Connection, Row},
    error::from_sqlx,
    row::Cells,
    sql::Sql,
};

/// Attempts to cut the log. Each keeps writers waiting while it waits for readers.
const ATTEMPTS: usize = 5;
/// How long one attempt waits, and the pause after it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait for the turn to write.
const TURN: Duration = Duration::from_secs(30);

/// Rewrites the file if it is not larger than that; whether nothing is left.
pub(crate) async fn scrub(path: &Path, bytes_max: u64) -> Result<bool, StoreError> {
    let bytes = std::fs::metadata(path).map_err(|error| StoreError::Backend(Box::new(error)))?.len();
    if bytes > bytes_max {
        tracing::warn!(bytes, "the database is too large to be rewritten while it is in use; run pergola compact");
        return Ok(false);
    }
    let mut connection = connect::open(&connect::writing(path, TURN)).await?;
    run(&mut connection, "VACUUM").await?;
    connection.close().await.map_err(|error| from_sqlx(error, None))?;
    for _ in 0..ATTEMPTS {
        if truncate_log(path).await? {
            return Ok(true);
        }
        tokio::time::sleep(PATIENCE).await;
    }
    Ok(false)
}

/// Brings everything from the log into the file and cuts the log; whether no reader was in the way.
async fn truncate_log(path: &Path) -> Result<bool, StoreError> {
    let mut connection = connect::open(&connect::writing(path, PATIENCE)).await?;
    let rows = run(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
    let busy: i64 = rows.first().map_or(Ok(1), |row| Cells::new(row).take())?;
    connection.close().await.map_err(|error| from_sqlx(error, None))?;
    Ok(busy == 0)
}

async fn run(connection: &mut Connection, statement: &'static str) -> Result<Vec<Row>, StoreError> {
    connection.fetch_all(Sql::new(statement)).await.map_err(|error| from_sqlx(error, None))
}
