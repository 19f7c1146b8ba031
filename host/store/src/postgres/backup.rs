//! A workspace on a server as files, and back: every table as `COPY` writes it, all of one moment, and how to make the
//! tables again.
//!
//! ```text
//! schema.json            tables, columns, constraints and indexes
//! tables/contact.copy    the rows of a table, one a line
//! ```
//!
//! Read here from the server's own catalog and not from declarations, so that what a plugin left behind comes along, and
//! a later program restores what an earlier one backed up: it brings the tables up to date when it opens them.

mod load;
mod shape;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt as _;
use pergola_service::ports::store::StoreError;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter},
};

use self::shape::{Shape, Table};
use super::{PostgresOptions, PostgresStore, Raw, connect, connect::Target};
use crate::{
    backup::Contents,
    error::{from_sqlx, unexpected},
    sql::{identifier, quote},
};

/// The description of the tables.
pub const SHAPE: &str = "schema.json";
/// The folder of the rows.
pub const TABLES: &str = "tables";
/// How long the server may send nothing.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Attempts to have all tables locked before somebody adds one.
const ATTEMPTS: usize = 5;
/// A process that has just ended is listed a moment longer.
const GONE_ATTEMPTS: usize = 50;
const GONE_PAUSE: Duration = Duration::from_millis(100);
/// Bytes that are written or read in one step.
const BUFFER: usize = 1 << 20;

/// Where a workspace is on a server.
pub struct Remote {
    target: Target,
    limits: PostgresOptions,
}

impl Remote {
    /// The workspace in that schema, or in the one that the URL names.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when the URL will not do.
    pub fn new(url: &str, schema: &str) -> Result<Self, StoreError> {
        let limits = PostgresOptions::default();
        Ok(Self { target: Target::parse(url, schema, &limits)?, limits })
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.target.schema
    }

    /// The same database with another schema, whose name no workspace has: of what is not finished.
    #[must_use]
    pub fn unfinished(&self) -> Self {
        let schema = identifier(&format!("{}~restoring", self.target.schema)).into_owned();
        Self { target: self.target.with_schema(&schema), limits: self.limits.clone() }
    }

    /// The store, as a server opens it.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open(&self) -> Result<Arc<PostgresStore>, StoreError> {
        PostgresStore::open_at(self.target.clone(), self.limits.clone()).await
    }

    /// Whether the schema has tables.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub async fn is_there(&self) -> Result<bool, StoreError> {
        let mut raw = self.connect().await?;
        let tables = shape::tables(&mut raw, self.schema()).await?;
        raw.close().await.map_err(sql_error)?;
        Ok(!tables.is_empty())
    }

    /// Whether another process works on it just now.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub async fn is_in_use(&self) -> Result<bool, StoreError> {
        let mut raw = self.connect().await?;
        let in_use = is_in_use(&mut raw, self.schema()).await?;
        raw.close().await.map_err(sql_error)?;
        Ok(in_use)
    }

    /// Writes what is committed just now into a folder, all of one moment. Writers are not held up; whoever changes the
    /// tables themselves waits, as an install does.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when something is there that Pergola did not make and that would be lost,
    /// [`StoreError::Interrupted`] or [`StoreError::Busy`] when the server cannot be reached, [`StoreError::Full`] when the
    /// disk is.
    pub async fn snapshot(&self, to: &Path) -> Result<(), StoreError> {
        let mut raw = self.connect().await?;
        let shape = self.begin(&mut raw).await?;
        let text = serde_json::to_vec_pretty(&shape).map_err(|error| StoreError::Backend(Box::new(error)))?;
        tokio::fs::create_dir_all(to.join(TABLES)).await.map_err(file_error)?;
        tokio::fs::write(to.join(SHAPE), text).await.map_err(file_error)?;
        for table in &shape.tables {
            let file = File::create(to.join(table.file())).await.map_err(file_error)?;
            let mut file = BufWriter::with_capacity(BUFFER, file);
            copy_out(&mut raw, &table.copy_out(self.schema()), &mut file).await?;
        }
        run(&mut raw, "COMMIT").await?;
        raw.close().await.map_err(sql_error)
    }

    /// Rows that cannot be read and indexes that are not whole, as far as the server notices; nothing, if all is sound.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn damage(&self) -> Result<Vec<String>, StoreError> {
        let mut raw = self.connect().await?;
        let names = shape::tables(&mut raw, self.schema()).await?;
        let mut problems = shape::invalid_indexes(&mut raw, self.schema()).await?;
        for name in names {
            match self.read_through(&mut raw, &name).await {
                Ok(()) => {}
                Err(error @ (StoreError::Interrupted | StoreError::Busy)) => return Err(error),
                Err(error) => {
                    problems.push(format!("table {name}: {}", source_of(&error)));
                    // What the connection still had to say about this one must not be taken for an answer about the next.
                    raw = self.connect().await?;
                }
            }
        }
        raw.close().await.map_err(sql_error)?;
        Ok(problems)
    }

    /// Reads everything of a table, also what lies outside of the rows because it is long.
    async fn read_through(&self, raw: &mut PgConnection, table: &str) -> Result<(), StoreError> {
        run(raw, &format!("BEGIN READ ONLY; {}", patience(self.schema()))).await?;
        copy_out(raw, &format!("COPY {} TO STDOUT", quote(table)), &mut tokio::io::sink()).await?;
        run(raw, "COMMIT").await
    }

    /// Digests of the components of installed plugins, by plugin.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub async fn components(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let mut raw = self.connect().await?;
        let question = format!("SELECT id, digest FROM {}.pergola_plugin WHERE digest <> ''", quote(self.schema()));
        let rows = raw.fetch_all(AssertSqlSafe(question)).await.map_err(sql_error)?;
        let pair = |row| Ok((text(row, 0)?, text(row, 1)?));
        let components = rows.iter().map(pair).collect();
        raw.close().await.map_err(sql_error)?;
        components
    }

    async fn connect(&self) -> Result<Raw, StoreError> {
        connect::open(&self.target.options, self.limits.connect_timeout).await
    }

    /// Begins to read one moment, with every table locked so that nobody changes it until the end.
    ///
    /// The locks come first: the moment is that of the first question, so that none of the tables can have changed
    /// between the two. One that came meanwhile is a reason to begin anew.
    async fn begin(&self, raw: &mut PgConnection) -> Result<Shape, StoreError> {
        for _ in 0..ATTEMPTS {
            let names = shape::tables(raw, self.schema()).await?;
            if names.is_empty() {
                return Err(StoreError::Schema(format!("there is no workspace in schema {}", self.schema())));
            }
            run(raw, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            run(raw, &patience(self.schema())).await?;
            let tables: Vec<String> =
                names.iter().map(|name| format!("{}.{}", quote(self.schema()), quote(name))).collect();
            run(raw, &format!("LOCK TABLE {} IN ACCESS SHARE MODE", tables.join(", "))).await?;
            if shape::tables(raw, self.schema()).await? == names {
                return Shape::read(raw, self.schema()).await;
            }
            run(raw, "ROLLBACK").await?;
        }
        Err(StoreError::Busy)
    }
}

/// For a transaction that takes as long as it takes, but waits for no lock for long.
fn patience(schema: &str) -> String {
    format!(
        "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
         SET LOCAL search_path = {}",
        quote(schema)
    )
}

/// What is in a folder that [`Remote::snapshot`] wrote. Every row is looked at: it must have as many values as its table
/// has columns.
///
/// # Errors
/// [`StoreError::Backend`] when it is not whole.
pub async fn read_snapshot(folder: &Path) -> Result<Contents, StoreError> {
    let shape = read_shape(folder).await?;
    let mut contents = Contents { tables: BTreeMap::new(), components: BTreeMap::new() };
    for table in &shape.tables {
        contents.tables.insert(table.name.clone(), count_rows(folder, table, &mut contents.components).await?);
    }
    Ok(contents)
}

async fn read_shape(folder: &Path) -> Result<Shape, StoreError> {
    let text = tokio::fs::read(folder.join(SHAPE)).await.map_err(file_error)?;
    serde_json::from_slice(&text).map_err(|error| unexpected(format!("{SHAPE} of the backup cannot be read: {error}")))
}

/// How many rows a table has; notes the components that the rows of plugins name.
async fn count_rows(
    folder: &Path,
    table: &Table,
    components: &mut BTreeMap<String, String>,
) -> Result<u64, StoreError> {
    let path: PathBuf = folder.join(table.file());
    let mut lines = BufReader::with_capacity(BUFFER, File::open(path).await.map_err(file_error)?);
    let keys: Vec<&str> = table.written().map(|column| column.name.as_str()).collect();
    let place = |name: &str| keys.iter().position(|key| *key == name).filter(|_| table.name == "pergola_plugin");
    let (id, digest) = (place("id"), place("digest"));
    let (mut rows, mut line) = (0_u64, Vec::new());
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line).await.map_err(file_error)?;
        let Some(row) = line.strip_suffix(b"\n") else { break };
        let values: Vec<&[u8]> = row.split(|byte| *byte == b'\t').collect();
        if values.len() != keys.len().max(1) {
            break;
        }
        rows = rows.saturating_add(1);
        // Neither has a character that `COPY` would write otherwise.
        let value = |place: Option<usize>| {
            place.and_then(|place| values.get(place)).map(|value| String::from_utf8_lossy(value).into_owned())
        };
        if let (Some(id), Some(digest)) = (value(id), value(digest).filter(|digest| !digest.is_empty())) {
            components.insert(id, digest);
        }
    }
    if line.is_empty() {
        return Ok(rows);
    }
    Err(unexpected(format!("row {} of table {} is not whole", rows.saturating_add(1), table.name)))
}

/// What `COPY … TO STDOUT` gives.
async fn copy_out(
    raw: &mut PgConnection,
    statement: &str,
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<(), StoreError> {
    let mut chunks = within(raw.copy_out_raw(statement)).await?.map_err(sql_error)?;
    while let Some(chunk) = within(chunks.next()).await? {
        to.write_all(&chunk.map_err(sql_error)?).await.map_err(file_error)?;
    }
    to.flush().await.map_err(file_error)
}

/// Does not wait for ever for a server that is gone without a word.
async fn within<T>(answer: impl Future<Output = T>) -> Result<T, StoreError> {
    tokio::time::timeout(SILENCE_MAX, answer).await.map_err(|_| StoreError::Interrupted)
}

/// Whether another connection is made for this schema: every process names it when it connects, and a server has at
/// least one connection, with which it looks for work.
async fn is_in_use(raw: &mut PgConnection, schema: &str) -> Result<bool, StoreError> {
    let question = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name = $1 AND pid <> pg_backend_pid()";
    for _ in 0..GONE_ATTEMPTS {
        // Within a transaction the list would stay as it was.
        run(raw, "SELECT pg_stat_clear_snapshot()").await?;
        let answer = sqlx::query(question).bind(connect::application(schema)).fetch_one(&mut *raw).await;
        if !answer.and_then(|row| row.try_get(0)).map_err(sql_error)? {
            return Ok(false);
        }
        tokio::time::sleep(GONE_PAUSE).await;
    }
    Ok(true)
}

async fn run(raw: &mut PgConnection, statement: &str) -> Result<(), StoreError> {
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    raw.execute(statement).await.map(|_| ()).map_err(sql_error)
}

fn text(row: &sqlx::postgres::PgRow, index: usize) -> Result<String, StoreError> {
    row.try_get(index).map_err(sql_error)
}

fn sql_error(error: sqlx::Error) -> StoreError {
    from_sqlx(error, None)
}

fn file_error(error: std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Backend(Box::new(error)),
    }
}

fn source_of(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}
