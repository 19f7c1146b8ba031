//! Where the directory and the workspaces' databases are.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use pergola_model::Name;
use pergola_service::ports::store::StoreError;
use sqlx::{migrate::Migrator, sqlite::SqliteConnectOptions};

use super::turn::Turn;
use crate::{
    connect,
    dialect::{Connection, Dialect},
    postgres::{PostgresOptions, Target, connect as server},
    row::Cells,
    sql::{Sql, quote},
};

static IN_FILE: Migrator = sqlx::migrate!("../../migrations/directory/sqlite");
/// How long to wait for another process that changes the directory.
const BUSY: Duration = Duration::from_secs(30);
/// The workspace of those who have only one.
const MAIN: &str = "main";
/// What the names of schemas begin with, unless the URL names one.
const PREFIX: &str = "pergola";

/// The file of a workspace in the folder of all.
#[must_use]
pub fn file_of(folder: &Path, workspace: &str) -> PathBuf {
    folder.join(format!("{workspace}.db"))
}

/// The schema of a workspace on a server, and the URL without a schema.
///
/// A URL that names a schema names that of the workspace `main`; those of others begin with it.
#[must_use]
pub fn schema_of(url: &str, workspace: &str) -> (String, String) {
    let (url, named) = Target::split(url);
    let schema = match &named {
        Some(schema) if workspace == MAIN => schema.clone(),
        named => format!("{}_{workspace}", named.as_deref().unwrap_or(PREFIX)),
    };
    (url, schema)
}

/// Where everything is.
pub(super) enum Place {
    File { options: Box<SqliteConnectOptions>, folder: PathBuf },
    Server { target: Box<Target>, url: String, options: PostgresOptions },
}

impl Place {
    /// Files.
    pub(super) fn file(file: &Path, folder: &Path) -> Self {
        Self::File { options: Box::new(connect::writing(file, BUSY)), folder: folder.to_owned() }
    }

    /// Schemas.
    pub(super) fn server(url: &str) -> Result<Self, StoreError> {
        let options = PostgresOptions::default();
        let (bare, schema) = schema_of(url, super::RESERVED);
        let target = Box::new(Target::parse(&bare, &schema, &options)?);
        Ok(Self::Server { target, url: url.to_owned(), options })
    }

    /// Whether other machines may use it too.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Server { .. })
    }

    /// Whose SQL it takes.
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::File { .. } => Dialect::Sqlite,
            Self::Server { target, .. } => Dialect::Postgres(quote(&target.schema).into()),
        }
    }

    /// How a transaction begins.
    pub(super) fn begin(&self, writing: bool) -> &'static str {
        match (self, writing) {
            (Self::File { .. }, true) => "BEGIN IMMEDIATE",
            (Self::File { .. }, false) => "BEGIN",
            (Self::Server { .. }, true) => "BEGIN ISOLATION LEVEL READ COMMITTED",
            (Self::Server { .. }, false) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// Makes the tables where they are missing, and a connection.
    pub(super) async fn prepare(&self) -> Result<Connection, StoreError> {
        if let Self::Server { target, options, .. } = self {
            let raw = server::open(&target.options, options.connect_timeout).await?;
            let migrations = sqlx::migrate!("../../migrations/directory/postgres");
            server::migrate(raw, &target.schema, migrations).await?;
        }
        let mut connection = self.connect().await?;
        if let Connection::Sqlite(connection) = &mut connection {
            connect::run_migrations(&IN_FILE, connection).await?;
        }
        Ok(connection)
    }

    /// A connection.
    pub(super) async fn connect(&self) -> Result<Connection, StoreError> {
        match self {
            Self::File { options, .. } => connect::open(options).await,
            Self::Server { target, options, .. } => {
                let raw = server::open(&target.options, options.connect_timeout).await?;
                Ok(Connection::Postgres(raw, self.dialect()))
            }
        }
    }

    /// The workspaces whose databases are there.
    pub(super) async fn found(&self, turn: &mut Turn) -> Result<Vec<Name>, StoreError> {
        let mut names = match self {
            Self::File { folder, .. } => files(folder)?,
            Self::Server { url, .. } => schemas(turn, url).await?,
        };
        names.retain(|name| name.as_str() != super::RESERVED);
        names.sort();
        Ok(names)
    }

    /// How many bytes a workspace's database has.
    pub(super) async fn size(&self, turn: &mut Turn, name: &Name) -> Result<Option<u64>, StoreError> {
        match self {
            Self::File { folder, .. } => file_size(&file_of(folder, name.as_str())),
            Self::Server { url, .. } => {
                let mut sql = Sql::new(
                    "SELECT CAST(sum(pg_total_relation_size(c.oid)) AS BIGINT) FROM pg_class AS c \
                     WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace(",
                );
                sql.bind(quote(&schema_of(url, name.as_str()).1)).push(")");
                let rows = turn.fetch(sql).await?;
                let bytes: Option<i64> = rows.first().map_or(Ok(None), |row| Cells::new(row).take())?;
                Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok()))
            }
        }
    }

    /// Removes a workspace's database.
    pub(super) async fn drop_database(&self, turn: &mut Turn, name: &Name) -> Result<(), StoreError> {
        match self {
            Self::File { folder, .. } => {
                let file = file_of(folder, name.as_str());
                // The log first: alone, it says nothing.
                for suffix in ["-wal", "-shm", ""] {
                    let mut path = file.as_os_str().to_owned();
                    path.push(suffix);
                    match fs::remove_file(&path) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                        _ => {}
                    }
                }
                Ok(())
            }
            Self::Server { url, .. } => {
                let schema = quote(&schema_of(url, name.as_str()).1);
                turn.run(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await
            }
        }
    }
}

fn failed(error: io::Error) -> StoreError {
    StoreError::Backend(Box::new(error))
}

fn files(folder: &Path) -> Result<Vec<Name>, StoreError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_stem().and_then(|stem| Name::new(stem.to_str()?).ok());
        if let Some(name) = name.filter(|_| path.extension().is_some_and(|end| end == "db") && path.is_file()) {
            names.push(name);
        }
    }
    Ok(names)
}

/// With the log, in which the newest changes are.
fn file_size(file: &Path) -> Result<Option<u64>, StoreError> {
    let size = |path: &Path| match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    };
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let log = size(Path::new(&log))?.unwrap_or_default();
    Ok(size(file)?.map(|bytes| bytes.saturating_add(log)))
}

/// Schemas of our kind whose names fit the URL.
async fn schemas(turn: &mut Turn, url: &str) -> Result<Vec<Name>, StoreError> {
    let sql = Sql::new(
        "SELECT n.nspname::text FROM pg_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.oid \
         WHERE c.relname = 'pergola_plugin' AND c.relkind = 'r'",
    );
    let (main, (_, others)) = (schema_of(url, MAIN).1, schema_of(url, ""));
    let mut names = Vec::new();
    for row in turn.fetch(sql).await? {
        let schema: String = Cells::new(&row).take()?;
        let name = if schema == main { Some(MAIN) } else { schema.strip_prefix(&others) };
        names.extend(name.and_then(|name| Name::new(name).ok()));
    }
    Ok(names)
}
