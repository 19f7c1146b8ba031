//! How connections to SQLite are opened.

use std::{path::Path, time::Duration};

use pergola_service::ports::store::StoreError;
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    migrate::{Migrate, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    dialect::Connection,
    error::{from_sqlx, unexpected},
    row::Cells,
    sql::Sql,
};

/// The oldest SQLite that is good enough: earlier ones could corrupt a WAL database in a rare race of checkpoints
/// (<https://www.sqlite.org/wal.html#walresetbug>).
const SQLITE_VERSION_MIN: [u32; 3] = [3, 51, 3];

/// Statements kept prepared on the write connection: a few dozen per object, and objects are a few dozen.
const WRITER_STATEMENTS: usize = 1_000;
/// Statements kept prepared on each reading connection.
const READER_STATEMENTS: usize = 300;
/// The write-ahead log is cut down to this after it grew larger, by an import for instance.
const WAL_BYTES_KEPT: &str = "67108864";
/// Pages in the write-ahead log (16 MiB) before they are copied into the file: a page that changes often is copied once.
const WAL_PAGES: &str = "4000";
/// Memory for pages per connection, in KiB, negative as SQLite wants it.
const CACHE_KIB: &str = "-16000";

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Options of the one connection that writes.
pub(crate) fn writing(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    common(path, busy_timeout)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Without FULL, a commit in WAL mode survives a crash of the process but not of the power.
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", WAL_BYTES_KEPT)
        .pragma("wal_autocheckpoint", WAL_PAGES)
        // What is deleted is overwritten with zeros, so that no page that is used again still shows it.
        .pragma("secure_delete", "on")
        // Savepoints keep their undo log in memory instead of a file.
        .pragma("temp_store", "memory")
        .statement_cache_capacity(WRITER_STATEMENTS)
        .thread_name(|_| "store-writer".to_owned())
}

/// The same, but a commit is told before it is on the disk.
pub(crate) fn careless(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.synchronous(SqliteSynchronous::Off)
}

/// Options of connections that read.
pub(crate) fn reading(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    common(path, busy_timeout)
        .read_only(true)
        .statement_cache_capacity(READER_STATEMENTS)
        .thread_name(|n| format!("store-reader-{n}"))
}

fn common(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(busy_timeout)
        .pragma("cache_size", CACHE_KIB)
        // A page whose cells do not lie as they should is an error when it is read.
        .pragma("cell_size_check", "on")
        .disable_statement_logging()
}

/// Opens a connection.
pub(crate) async fn open(options: &SqliteConnectOptions) -> Result<Connection, StoreError> {
    connect(options).await.map(Connection::Sqlite)
}

/// Opens a connection that knows that it is SQLite's.
pub(crate) async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    SqliteConnection::connect_with(options).await.map_err(|error| from_sqlx(error, None))
}

/// Refuses an SQLite that is too old.
pub(crate) async fn check_version(connection: &mut Connection) -> Result<(), StoreError> {
    let row = connection.fetch_optional(Sql::new("SELECT sqlite_version()")).await;
    let row = row.map_err(|error| from_sqlx(error, None))?.ok_or_else(|| unexpected("SQLite has no version"))?;
    let version: String = Cells::new(&row).take()?;
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if parts.as_slice() >= SQLITE_VERSION_MIN.as_slice() {
        return Ok(());
    }
    Err(unexpected(format!("SQLite {version} is too old: 3.51.3 or later is needed")))
}

/// Runs what was not run yet.
pub(crate) async fn run_migrations<C: Migrate>(migrator: &Migrator, connection: &mut C) -> Result<(), StoreError> {
    // Not `run`: the compiler does not see of that one that it can be sent to a task.
    let run = migrator.run_direct(None, connection, false).await;
    run.map_err(|error| StoreError::Backend(Box::new(error)))
}

/// Brings the system's tables up to date.
pub(crate) async fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let Connection::Sqlite(connection) = connection else { return Err(unexpected("this is no SQLite file")) };
    run_migrations(&MIGRATIONS, connection).await
}
