//! A folder of [`Remote::snapshot`] becomes a schema, which then takes the place of another.

use std::path::Path;

use pergola_service::ports::store::StoreError;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, BufReader},
};

use super::{BUFFER, Remote, file_error, is_in_use, patience, read_shape, run, shape, sql_error, within};
use crate::{
    backup::Contents,
    error::unexpected,
    sql::{hash, quote},
};

impl Remote {
    /// Makes the schema anew from a folder: all or nothing. Whatever has its name is dropped, so that this is only for
    /// [`Remote::unfinished`] ones.
    ///
    /// # Errors
    /// [`StoreError::Backend`] when the rows break a rule or are not as many as they should be.
    pub async fn load(&self, from: &Path, contents: &Contents) -> Result<(), StoreError> {
        let shape = read_shape(from).await?;
        let mut raw = self.connect().await?;
        let schema = self.schema();
        run(&mut raw, &format!("BEGIN; {}", patience(schema))).await?;
        hold(&mut raw, schema).await?;
        run(&mut raw, &format!("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", quote(schema))).await?;
        for table in &shape.tables {
            run(&mut raw, &table.create()).await?;
            copy_in(&mut raw, &table.copy_in(schema), &from.join(table.file())).await?;
            for statement in table.rules() {
                run(&mut raw, &statement).await?;
            }
        }
        for table in &shape.tables {
            for statement in table.references().into_iter().chain(table.counts()) {
                run(&mut raw, &statement).await?;
            }
            // So that the first questions are not planned for empty tables.
            run(&mut raw, &format!("ANALYZE {}", quote(&table.name))).await?;
            let wanted = contents.tables.get(&table.name).copied().unwrap_or_default();
            let found = count(&mut raw, &table.name).await?;
            if found != wanted {
                return Err(unexpected(format!("table {} has {found} rows and should have {wanted}", table.name)));
            }
        }
        run(&mut raw, "COMMIT").await?;
        raw.close().await.map_err(sql_error)
    }

    /// Takes the name of another workspace's schema, in one step; that one is `aside` from then on, and is none if it
    /// was not there.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when somebody works on that one.
    pub async fn take_place_of(&self, old: &Self, aside: Option<&str>) -> Result<(), StoreError> {
        let mut raw = self.connect().await?;
        run(&mut raw, &format!("BEGIN; {}", patience(old.schema()))).await?;
        // Whoever starts meanwhile waits here for the end.
        hold(&mut raw, old.schema()).await?;
        if is_in_use(&mut raw, old.schema()).await? {
            return Err(StoreError::Busy);
        }
        let (old_name, new_name) = (quote(old.schema()), quote(self.schema()));
        let tables: Vec<String> = shape::tables(&mut raw, old.schema()).await?.iter().map(|name| quote(name)).collect();
        match aside {
            Some(aside) => {
                // Whoever is within a unit of work has it end; whoever comes later sees the new tables, all of them.
                run(&mut raw, &format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", "))).await?;
                run(&mut raw, &format!("ALTER SCHEMA {old_name} RENAME TO {}", quote(aside))).await?;
            }
            // One that somebody made for Pergola, and that is empty: dropped, it would take nothing along.
            None => run(&mut raw, &format!("DROP SCHEMA IF EXISTS {old_name}")).await?,
        }
        run(&mut raw, &format!("ALTER SCHEMA {new_name} RENAME TO {old_name}; COMMIT")).await?;
        raw.close().await.map_err(sql_error)
    }

    /// Drops the schema, if it is there. Only for [`Remote::unfinished`] ones.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn discard(&self) -> Result<(), StoreError> {
        let mut raw = self.connect().await?;
        run(&mut raw, &format!("BEGIN; {}", patience(self.schema()))).await?;
        run(&mut raw, &format!("DROP SCHEMA IF EXISTS {} CASCADE; COMMIT", quote(self.schema()))).await?;
        raw.close().await.map_err(sql_error)
    }
}

/// Holds the name under which a schema is made ready, see `connect::migrate`.
async fn hold(raw: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
    run(raw, &format!("SELECT pg_advisory_xact_lock({})", hash(&format!("migrate {schema}")))).await
}

/// Gives a file to `COPY … FROM STDIN`.
async fn copy_in(raw: &mut PgConnection, statement: &str, from: &Path) -> Result<(), StoreError> {
    let mut file = BufReader::with_capacity(BUFFER, File::open(from).await.map_err(file_error)?);
    let mut to = raw.copy_in_raw(statement).await.map_err(sql_error)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = file.read(&mut buffer).await.map_err(file_error)?;
        let Some(piece @ [_, ..]) = buffer.get(..read) else { break };
        within(to.send(piece)).await?.map_err(sql_error)?;
    }
    // Without a limit: the rows are checked only now.
    to.finish().await.map(|_| ()).map_err(sql_error)
}

async fn count(raw: &mut PgConnection, table: &str) -> Result<u64, StoreError> {
    let question = format!("SELECT count(*) FROM {}", quote(table));
    let row = raw.fetch_one(AssertSqlSafe(question)).await.map_err(sql_error)?;
    let count: i64 = row.try_get(0).map_err(sql_error)?;
    Ok(count.unsigned_abs())
}
