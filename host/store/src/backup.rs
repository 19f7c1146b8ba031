//! A copy of a workspace while others write to it, and what is known about a copy that nobody writes to: of a file here,
//! of a schema on a server in [`Remote`].

use std::{collections::BTreeMap, path::Path, time::Duration};

use pergola_service::ports::store::StoreError;

use crate::{
    connect,
    dialect::{Connection, Row},
    error::{from_sqlx, unexpected},
    row::Cells,
    sql::{Sql, quote},
};

pub use crate::postgres::backup::{Remote, SHAPE, TABLES, read_snapshot};

/// How long to wait for a lock; readers of a WAL file hardly ever do.
const BUSY: Duration = Duration::from_secs(30);
/// Lines of what is wrong with a file that are worth telling.
const PROBLEMS_MAX: usize = 20;

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
    /// Digests of the components of installed plugins, by plugin.
    pub components: BTreeMap<String, String>,
}

/// Writes what is committed just now to a new file, all of one moment. Writers are not held up, and deleted rows leave
/// no trace in it.
///
/// # Errors
/// [`StoreError::Backend`] when the file is damaged, or `to` exists.
pub async fn snapshot(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut connection = connect::open(&connect::reading(from, BUSY)).await?;
    let path = to.to_str().ok_or_else(|| unexpected("the path of a snapshot is not UTF-8"))?;
    let mut sql = Sql::new("VACUUM INTO ");
    sql.bind(path);
    run(&mut connection, sql).await?;
    connection.close().await.map_err(|error| from_sqlx(error, None))
}

/// Brings everything from the log into a file that nobody else has open, so that the file alone is the workspace.
///
/// # Errors
/// [`StoreError::Busy`] when somebody has it open, [`StoreError::Backend`] when it is damaged.
pub async fn fold_log(path: &Path) -> Result<(), StoreError> {
    let mut connection = connect::open(&connect::writing(path, BUSY)).await?;
    let rows = run(&mut connection, Sql::new("PRAGMA wal_checkpoint(TRUNCATE)")).await?;
    let busy: i64 = rows.first().map_or(Ok(1), |row| Cells::new(row).take())?;
    // The last connection takes the empty log away.
    connection.close().await.map_err(|error| from_sqlx(error, None))?;
    if busy == 0 { Ok(()) } else { Err(StoreError::Busy) }
}

/// What is wrong with a file's pages, indexes and references, as far as it can be seen; nothing, if it is sound.
///
/// # Errors
/// When the file cannot be opened at all.
pub async fn problems(path: &Path) -> Result<Vec<String>, StoreError> {
    let mut problems = damage(path).await?;
    if problems.is_empty() {
        problems = broken_references(path).await?;
    }
    Ok(problems)
}

/// What is wrong with a file's pages and indexes.
///
/// A flipped bit in the middle of a value is not seen: SQLite's pages have no checksums.
///
/// # Errors
/// When the file cannot be opened at all.
pub async fn damage(path: &Path) -> Result<Vec<String>, StoreError> {
    let mut connection = connect::open(&connect::reading(path, BUSY)).await?;
    let mut problems = Vec::new();
    match run(&mut connection, Sql::new(format!("PRAGMA integrity_check({PROBLEMS_MAX})"))).await {
        Ok(rows) => {
            for row in rows {
                let line: String = Cells::new(&row).take()?;
                problems.extend((line != "ok").then_some(line));
            }
        }
        // Some damage ends the check itself.
        Err(error) => problems.push(source_of(&error)),
    }
    // A damaged file may not close cleanly either.
    drop(connection.close().await);
    Ok(problems)
}

/// References to records that are not there.
async fn broken_references(path: &Path) -> Result<Vec<String>, StoreError> {
    let mut connection = connect::open(&connect::reading(path, BUSY)).await?;
    let mut problems = Vec::new();
    for row in run(&mut connection, Sql::new("PRAGMA foreign_key_check")).await?.iter().take(PROBLEMS_MAX) {
        let mut cells = Cells::new(row);
        let (table, _): (String, Option<i64>) = (cells.take()?, cells.take()?);
        let to: String = cells.take()?;
        problems.push(format!("a record of {table} refers to a record of {to} that is not there"));
    }
    connection.close().await.map_err(|error| from_sqlx(error, None))?;
    Ok(problems)
}

fn source_of(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// What is in a file.
///
/// # Errors
/// [`StoreError::Backend`] when it is no workspace, or damaged.
pub async fn contents(path: &Path) -> Result<Contents, StoreError> {
    let mut connection = connect::open(&connect::reading(path, BUSY)).await?;
    let mut contents = Contents { tables: BTreeMap::new(), components: BTreeMap::new() };
    let tables =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    for row in run(&mut connection, Sql::new(tables)).await? {
        let table: String = Cells::new(&row).take()?;
        let rows = run(&mut connection, Sql::new(format!("SELECT count(*) FROM {}", quote(&table)))).await?;
        let count: i64 = Cells::new(rows.first().ok_or_else(|| unexpected("a count has a row"))?).take()?;
        contents.tables.insert(table, u64::try_from(count).unwrap_or_default());
    }
    for row in run(&mut connection, Sql::new("SELECT id, digest FROM pergola_plugin WHERE digest <> ''")).await? {
        let mut cells = Cells::new(&row);
        contents.components.insert(cells.take()?, cells.take()?);
    }
    connection.close().await.map_err(|error| from_sqlx(error, None))?;
    Ok(contents)
}

async fn run(connection: &mut Connection, sql: Sql) -> Result<Vec<Row>, StoreError> {
    connection.fetch_all(sql).await.map_err(|error| from_sqlx(error, None))
}
